"""How the output moves and flickers beside the target: tOF, tRes, tLP, and a plain temporal error.

tOF and tRes need Farneback's optical flow, which OpenCV holds: the extra `metrics`.
Compare their values only where resolution, frame rate and flow are the same; across papers they are not.
"""

from collections.abc import Iterable
from types import ModuleType

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vidgan.errors import MissingExtra
from vidgan.metrics.perceptual import lpips_per_frame

# TecoGAN's settings: pyramid scale, levels, window, iterations, neighbourhood, its sigma, flags.
FARNEBACK = (0.5, 3, 15, 3, 5, 1.2, 0)


def tof(output: Tensor, target: Tensor) -> float:
    """Mean distance, in pixels, between the output's optical flow and the target's; lower is better.

    output, target  (T, 3, H, W) RGB in [0, 1], T >= 2, sides of 48 or more
    Averaged over a centred window whose sides are multiples of 32, at least 8 pixels inside the picture, then
    over pairs of neighbouring frames.
    Raises MissingExtra without OpenCV.
    Source: Chu et al. 2020, "Learning Temporal Coherence via Self-Supervision for GAN-based Video
    Generation", and the authors' metrics.py.
    """
    cv2 = _opencv()
    output_grey, target_grey = _grey(output, cv2), _grey(target, cv2)
    distances = []
    for before, now in _neighbours(len(target_grey)):
        moved = _flow(output_grey[before], output_grey[now], cv2)
        should_move = _flow(target_grey[before], target_grey[now], cv2)
        distances.append(np.linalg.norm(_centre(moved - should_move), axis=-1).mean())
    return float(np.mean(distances))


def tres(output: Tensor, target: Tensor) -> float:
    """Mean change of the error along the true motion, in code values of 255; lower is steadier.

    output, target  (T, 3, H, W) RGB in [0, 1], T >= 2

    The error is e = 255 (output - target). The flow from each frame of the target back to the one before
    tells where a pixel came from; tres is the mean over colours, and over pixels seen in both frames, of
    |e_now(x) - e_before(x + flow(x))|, bilinear, averaged over pairs of frames. A pixel is seen in both
    where its origin lies inside the picture and the forward flow leads back: |there + back|^2 is below
    0.01 (|there|^2 + |back|^2) + 0.5 (Sundaram et al. 2010). An error that travels with the picture costs
    nothing, so that blur is not rewarded as the plain warping error rewards it. Clips are of one shot.
    Raises MissingExtra without OpenCV.
    """
    cv2 = _opencv()
    grey = _grey(target, cv2)
    errors = 255 * (output.detach().float().cpu().clamp(0, 1) - target.detach().float().cpu().clamp(0, 1))
    changes = []
    for before, now in _neighbours(len(grey)):
        back = torch.from_numpy(_flow(grey[now], grey[before], cv2)).permute(2, 0, 1)
        there = torch.from_numpy(_flow(grey[before], grey[now], cv2)).permute(2, 0, 1)
        came, inside = _fetch(torch.cat([errors[before], there]), back)
        error_before, there_then = came[:3], came[3:]
        slack = 0.01 * (back.square().sum(dim=0) + there_then.square().sum(dim=0)) + 0.5
        seen = inside & ((back + there_then).square().sum(dim=0) < slack)
        change = (errors[now] - error_before).abs().mean(dim=0)
        if seen.any():  # nothing may be left where everything changed at once
            changes.append(float(change[seen].mean()))
    return float(np.mean(changes)) if changes else float("nan")


def tlp(output: Tensor, target: Tensor) -> float:
    """100 times the mean difference between how much the output and the target change from frame to frame, in LPIPS.

    output, target  (T, 3, H, W) RGB in [0, 1], T >= 2
    Raises BadWeights without the weights of LPIPS on AlexNet.
    Source: tLP100 of Chu et al. 2020, as for tof.
    """
    clips = output.clamp(0, 1), target.clamp(0, 1)
    changes = [lpips_per_frame(clip[:-1], clip[1:]) for clip in clips]
    return 100 * float((changes[0] - changes[1]).abs().mean())


def temporal_error(output: Tensor, target: Tensor) -> float:
    """Mean difference between the output's and the target's changes from frame to frame, in code values of 255.

    output, target  (T, 3, H, W) RGB in [0, 1]; a single frame has none: 0. Needs nothing but the clips, and sees errors
    that stand still while the picture moves as well as flicker: tres tells them apart.
    """
    if len(output) < 2:
        return 0.0
    output, target = (clip.detach().float().clamp(0, 1) for clip in (output, target))
    return 255 * float((output.diff(dim=0) - target.diff(dim=0)).abs().mean())


def _fetch(image: Tensor, flow: Tensor) -> tuple[Tensor, Tensor]:
    """image (C, H, W) at x + flow (2, H, W), and (H, W) whether that place lies inside."""
    _, height, width = image.shape
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    x, y = x + flow[0], y + flow[1]
    grid = torch.stack([2 * x / (width - 1) - 1, 2 * y / (height - 1) - 1], dim=-1)
    fetched = F.grid_sample(
        image[None], grid[None], mode="bilinear", padding_mode="border", align_corners=True
    )
    return fetched[0], (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)


def _neighbours(num_frames: int) -> Iterable[tuple[int, int]]:
    assert num_frames >= 2, f"{num_frames} frame has no neighbour"
    return zip(range(num_frames - 1), range(1, num_frames), strict=True)


def _flow(before: np.ndarray, now: np.ndarray, cv2: ModuleType) -> np.ndarray:
    """(H, W) uint8 twice -> (H, W, 2) in pixels, x first: before(p) is now(p + flow)."""
    flow: np.ndarray = cv2.calcOpticalFlowFarneback(before, now, None, *FARNEBACK)
    return flow


def _grey(clip: Tensor, cv2: ModuleType) -> list[np.ndarray]:
    """(T, 3, H, W) in [0, 1] -> T pictures (H, W) uint8, rounded to 8 bits before they lose their colour."""
    bytes_ = clip.detach().float().cpu().clamp(0, 1).mul(255).round().byte().permute(0, 2, 3, 1)
    return [cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2GRAY) for picture in bytes_.numpy()]


def _centre(image: np.ndarray) -> np.ndarray:
    """TecoGAN's crop_8x8: the largest centred window of 32-pixel blocks that leaves 8 pixels each side."""
    height, width = image.shape[:2]
    assert min(height, width) >= 48, f"tOF needs sides of 48 pixels or more, not {width}x{height}"
    high, wide = ((side - 16) // 32 * 32 for side in (height, width))
    top, left = (height - high) // 2, (width - wide) // 2
    return image[top : top + high, left : left + wide]


def _opencv() -> ModuleType:
    try:
        import cv2
    except ImportError as missing:
        raise MissingExtra("opencv-python-headless", "metrics") from missing
    module: ModuleType = cv2
    return module
