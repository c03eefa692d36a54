"""What can be said of a picture without a reference: sharpness, noise, blocks. Secondary: invention scores well."""

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from vidgan.metrics.metric import Against, Metric

BLOCK = 16  # pixels to a side: where the detail of a place is measured
NOISE_BLOCK = 32  # pixels to a side: where the noise of a place is measured
FLATTEST = 10  # percent of these blocks: what moves there is noise, if anything is


def grey(pixels_HWC: np.ndarray) -> np.ndarray:
    """(H, W, 3) RGB, uint8 or uint16 -> (H, W) float32 in 0..255, full range: BT.601's weights."""
    weights = np.array([0.299, 0.587, 0.114], np.float32)
    if pixels_HWC.dtype == np.uint16:
        weights /= 257
    found: np.ndarray = pixels_HWC.astype(np.float32) @ weights
    return found


def detail(luma_HW: np.ndarray) -> float:
    """Fine detail in code values: what a small blur takes away, in the most detailed twentieth of the picture."""
    smooth = (luma_HW[:-2] + 2 * luma_HW[1:-1] + luma_HW[2:]) / 4
    smooth = (smooth[:, :-2] + 2 * smooth[:, 1:-1] + smooth[:, 2:]) / 4
    fine = luma_HW[1:-1, 1:-1] - smooth
    height, width = (length // BLOCK * BLOCK for length in fine.shape)
    blocks = fine[:height, :width].reshape(height // BLOCK, BLOCK, width // BLOCK, BLOCK)
    return float(np.percentile(blocks.std((1, 3)), 95))


def blocking(luma_HW: np.ndarray) -> float:
    """How much more the brightness jumps at every eighth pixel than between: 1 for none, whatever the phase."""
    found = []
    for picture in (luma_HW, luma_HW.T):
        # Against the jumps beside it, so that a real edge does not count; clipped, so that none dominates.
        jump = np.abs(np.diff(picture, axis=1))
        beside = (jump[:, :-2] + jump[:, 2:]) / 2
        ratio = (np.clip(jump[:, 1:-1], 0, 12).mean(0) + 0.05) / (np.clip(beside, 0, 12).mean(0) + 0.05)
        phases = np.array([ratio[phase::8].mean() for phase in range(8)])
        found.append(phases.max() / np.median(phases))
    return float(min(found))


def noise_level(luma_HW: Tensor) -> float:
    """Standard deviation of white noise in the values' own unit; fine texture counts as noise as well.

    Source: Immerkaer 1996, "Fast noise variance estimation": the mean response to a mask that plain slopes
    do not move.
    """
    mask = torch.tensor([[1.0, -2, 1], [-2, 4, -2], [1, -2, 1]], dtype=luma_HW.dtype)
    response = F.conv2d(luma_HW[None, None], mask[None, None]).abs().mean(dtype=torch.float64)
    return math.sqrt(math.pi / 2) / 6 * float(response)


def noise_floor(luma_HW: np.ndarray) -> float:
    """As noise_level, where the picture is flattest: texture counts only where all of the picture is textured.

    luma  (H, W), sides of 34 pixels or more
    The mean response in the tenth of 32x32 blocks where it is least: of pure white noise that is 5 % too little.
    """
    response = np.abs(np.diff(np.diff(luma_HW, 2, axis=0), 2, axis=1))
    height, width = (length // NOISE_BLOCK * NOISE_BLOCK for length in response.shape)
    blocks = response[:height, :width].reshape(height // NOISE_BLOCK, NOISE_BLOCK, -1, NOISE_BLOCK)
    return math.sqrt(math.pi / 2) / 6 * float(np.percentile(blocks.mean((1, 3)), FLATTEST))


sharpness = Metric(
    name="sharpness",
    title="sharpness",
    of_frame=lambda output, _: detail(output.luma.numpy()),
    better="",
    against=Against.NOTHING,
    secondary=True,
    digits=2,
    smallest=32,
    protocol="code values that a 3x3 binomial blur takes away, 95th percentile over 16x16 blocks of luma",
)
noise = Metric(
    name="noise",
    title="noise",
    of_frame=lambda output, _: noise_level(output.luma),
    better="",
    against=Against.NOTHING,
    secondary=True,
    digits=2,
    smallest=16,
    protocol="Immerkaer 1996, code values of luma; fine texture counts as noise",
)
blockiness = Metric(
    name="blockiness",
    title="blockiness",
    of_frame=lambda output, _: blocking(output.luma.numpy()),
    better="",
    against=Against.NOTHING,
    secondary=True,
    digits=2,
    smallest=48,
    protocol="jumps of luma at every eighth pixel over those between; 1 for none",
)
