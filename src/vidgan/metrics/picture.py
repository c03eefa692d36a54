"""One frame as the metrics see it: what several of them need is made once, when the first asks for it.

A reference that is held against several outputs is thus converted, looked at and searched for motion once.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from vidgan.metrics import flow
from vidgan.pixels import bytes_of

BORDER = 4  # pixels cut off each side of both pictures: the scale of most comparisons, and ours
BT601 = (65.481, 128.553, 24.966)  # of RGB in [0, 1], to luma in limited range

Looks = Callable[[Tensor], list[Tensor]]  # a network's features of (1, 3, H, W), see perceptual.py


class Picture:
    """A frame of a clip.

    rgb     (3, H, W) in [0, 1], float32; values outside are clipped, as writing a file would
    before  the frame before it in the same shot, or None. Only as long as the next is not made: see pictures
    """

    def __init__(self, rgb: Tensor, before: "Picture | None" = None) -> None:
        assert rgb.ndim == 3 and rgb.shape[0] == 3, f"not (3, H, W): {tuple(rgb.shape)}"
        self.rgb = rgb.detach().float().clamp(0, 1)
        self.before = before
        self._looks: dict[Looks, list[Tensor]] = {}
        self._flows: dict[str, Future[np.ndarray]] = {}

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.rgb.shape[1], self.rgb.shape[2]

    @cached_property
    def luma(self) -> Tensor:
        """(H - 2 BORDER, W - 2 BORDER) in [16, 235], unrounded: BT.601 in limited range, as MATLAB's rgb2ycbcr."""
        assert min(self.size) > 2 * BORDER, f"{self.size[1]}x{self.size[0]} has nothing inside its border"
        _, height, width = self.rgb.shape
        rgb, weights = self.rgb.cpu(), torch.tensor(BT601)
        if rgb.stride(0) == 1:  # a pixel's colours lie together
            luma = (rgb.permute(1, 2, 0).reshape(-1, 3) @ weights).view(height, width)
        else:
            luma = torch.tensordot(weights, rgb, dims=1)
        return luma[BORDER:-BORDER, BORDER:-BORDER].add(16)

    @cached_property
    def grey(self) -> np.ndarray:
        """(H, W) uint8, rounded to 8 bits before it loses its colour: what optical flow looks at."""
        return flow.grey(bytes_of(self.rgb))

    def looks(self, network: Looks) -> list[Tensor]:
        """A feature network's view of the picture, in the precision of the picture."""
        if network not in self._looks:
            with torch.inference_mode(), torch.autocast(self.rgb.device.type, enabled=False):
                self._looks[network] = network(self.rgb[None])
        return self._looks[network]

    def moved(self, direction: str) -> np.ndarray:
        """(H, W, 2) in pixels, x first: "there" from the frame before to this one, "back" the other way."""
        self.search(direction)
        return self._flows[direction].result()

    def search(self, *directions: str) -> None:
        """Begin to look for motion, in threads of their own, so that it is at hand when it is asked for."""
        assert self.before is not None, "the first frame of a shot has no motion"
        ways = {"there": (self.before, self), "back": (self, self.before)}
        for direction in directions:
            if direction not in self._flows:
                first, second = ways[direction]
                self._flows[direction] = flow.start(first.grey, second.grey)

    @cached_property
    def motion(self) -> flow.Motion:
        """Where each pixel was in the frame before, and whether it was seen there."""
        return flow.motion(self.moved("there"), self.moved("back"))

    def forget(self) -> None:
        """Let go of the frame before, when the next has been made: memory stays flat."""
        self.before = None


def pictures(clip: Tensor) -> Iterator[Picture]:
    """(T, 3, H, W), of one shot -> its frames, each knowing the one before.

    A frame forgets the one before it when the next but one is asked for: a reader may be one frame behind, no more.
    """
    before: Picture | None = None
    for rgb in clip:
        now = Picture(rgb, before)
        yield now
        if before is not None:
            before.forget()
        before = now
