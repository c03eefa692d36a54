"""Farneback's optical flow, and what is visible along it; a quicker flow beside it. OpenCV holds both: an extra."""

import os
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from vidgan import opencv

# TecoGAN's settings: pyramid scale, levels, window, iterations, neighbourhood, its sigma, flags.
FARNEBACK = (0.5, 3, 15, 3, 5, 1.2, 0)
MOST_AT_ONCE = 8  # each holds some forty bytes a pixel


@dataclass(frozen=True)
class Motion:
    """From one frame to the one before it.

    back  (2, H, W) in pixels, x first: where a pixel was
    seen  (H, W) bool: whether it was inside the picture then, and not hidden
    """

    back: Tensor
    seen: Tensor

    def scaled(self, height: int, width: int) -> "Motion":
        """The same motion on a picture of another size."""
        if self.seen.shape == (height, width):
            return self
        stretch = torch.tensor([width / self.seen.shape[1], height / self.seen.shape[0]]).view(2, 1, 1)
        back = F.interpolate(self.back[None], size=(height, width), mode="bilinear")[0] * stretch
        seen = F.interpolate(self.seen[None, None].float(), size=(height, width), mode="nearest")[0, 0] > 0
        return Motion(back, seen & _inside(back))


def motion(there: np.ndarray, back: np.ndarray) -> Motion:
    """(H, W, 2) flows both ways -> where pixels were, and which of them were seen.

    A pixel is seen in both frames where its origin lies inside the picture and the forward flow leads back:
    |there + back|^2 is below 0.01 (|there|^2 + |back|^2) + 0.5.
    Source: Sundaram et al. 2010, "Dense point trajectories by GPU-accelerated large displacement optical flow".
    """
    back_2HW = torch.from_numpy(back).permute(2, 0, 1)
    there_then = fetch(torch.from_numpy(there).permute(2, 0, 1), back_2HW)
    slack = 0.01 * (back_2HW.square().sum(dim=0) + there_then.square().sum(dim=0)) + 0.5
    seen = (back_2HW + there_then).square().sum(dim=0) < slack
    return Motion(back_2HW, seen & _inside(back_2HW))


def fetch(image: Tensor, flow: Tensor) -> Tensor:
    """image (C, H, W) at x + flow (2, H, W), bilinear; the border's value from outside."""
    grid = flow.permute(1, 2, 0) + _places(image.shape[1], image.shape[2])
    grid = grid * grid.new_tensor([2 / (image.shape[2] - 1), 2 / (image.shape[1] - 1)]) - 1
    return F.grid_sample(image[None], grid[None], mode="bilinear", padding_mode="border", align_corners=True)[
        0
    ]


def start(before: np.ndarray, now: np.ndarray) -> "Future[np.ndarray]":
    """Begin to find the flow between two grey pictures (H, W) uint8: (H, W, 2), before(p) is now(p + flow)."""
    cv2 = opencv.load("metrics")
    return _workers().submit(lambda: cv2.calcOpticalFlowFarneback(before, now, None, *FARNEBACK))


def grey(picture: np.ndarray) -> np.ndarray:
    """(H, W, 3) RGB uint8 -> (H, W) uint8."""
    cv2 = opencv.load("metrics")
    found: np.ndarray = cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2GRAY)
    return found


def quick(before: np.ndarray, now: np.ndarray) -> np.ndarray:
    """The flow between two grey pictures (H, W) uint8, found coarsely and at once: (H, W, 2).

    Source: Kroeger et al. 2016, "Fast optical flow using dense inverse search", its fastest setting in OpenCV.
    """
    found: np.ndarray = _searcher().calc(before, now, None)
    return found


@cache
def _searcher() -> Any:
    cv2 = opencv.load("analysis")
    return cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)


@cache
def _workers() -> ThreadPoolExecutor:
    """One frame to a core: OpenCV finds a flow on one, and lets Python go on meanwhile."""
    return ThreadPoolExecutor(min(os.cpu_count() or 1, MOST_AT_ONCE), thread_name_prefix="flow")


@cache
def _places(height: int, width: int) -> Tensor:
    """(H, W, 2): each pixel's own x and y."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return torch.stack([x, y], dim=-1).float()


def _inside(back: Tensor) -> Tensor:
    """(2, H, W) -> (H, W): whether the place that a flow leads to is in the picture."""
    _, height, width = back.shape
    place = back.permute(1, 2, 0) + _places(height, width)
    return ((place >= 0) & (place <= place.new_tensor([width - 1, height - 1]))).all(dim=-1)
