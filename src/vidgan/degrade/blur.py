"""Lenses and motion take detail away."""

import torch
import torch.nn.functional as F
from torch import Tensor


def gaussian_blur(frames: Tensor, sigma: float) -> Tensor:
    """Blur frames (T, 3, H, W) with a Gaussian of the given standard deviation in pixels; edges repeated."""
    if sigma == 0:
        return frames
    reach = max(1, round(3 * sigma))
    x = torch.arange(-reach, reach + 1, dtype=frames.dtype, device=frames.device)
    kernel = torch.exp(-0.5 * (x / sigma) ** 2)
    kernel = (kernel / kernel.sum()).repeat(3, 1, 1, 1)
    frames = F.pad(frames, (reach, reach, reach, reach), mode="replicate")
    frames = F.conv2d(frames, kernel, groups=3)
    return F.conv2d(frames, kernel.transpose(2, 3), groups=3)
