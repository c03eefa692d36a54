"""Fewer pixels, or more."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

LOBES = 3  # of Lanczos's kernel
Kernel = Literal["area", "bilinear", "bicubic"]


def shrink(frames: Tensor, scale: int) -> Tensor:
    """Antialiased bicubic reduction of (T, 3, H, W) by a whole factor that divides both sides, in [0, 1].

    The same filter as Pillow's BICUBIC and MATLAB's imresize: the field's "BI" degradation.
    """
    small = F.interpolate(frames, scale_factor=1 / scale, mode="bicubic", antialias=True)
    return small.clamp(0, 1)


def resized(frames: Tensor, size: tuple[int, int], kernel: Kernel) -> Tensor:
    """(T, 3, H, W) -> (T, 3, *size) in [0, 1], by a kernel that people's programs use; the same extent is shown.

    bilinear here is not antialiased, as in many a player and camera; bicubic is, and area averages.
    """
    if tuple(frames.shape[-2:]) == size:
        return frames
    if kernel == "area":
        return F.interpolate(frames, size=size, mode="area")
    if kernel == "bilinear":
        return F.interpolate(frames, size=size, mode="bilinear")
    return F.interpolate(frames, size=size, mode="bicubic", antialias=True).clamp(0, 1)


def lanczos(small: Tensor, height: int, width: int) -> Tensor:
    """(3, h, w) -> (3, H, W) in [0, 1], three lobes; at an edge the taps inside share the weight."""
    return (_lanczos_matrix(small.shape[1], height) @ small @ _lanczos_matrix(small.shape[2], width).T).clamp(
        0, 1
    )


def _lanczos_matrix(small: int, large: int) -> Tensor:
    stretch = max(small / large, 1.0)  # where it shrinks, the kernel is as wide as a large pixel
    centres = (torch.arange(large) + 0.5) * small / large - 0.5
    away = (centres[:, None] - torch.arange(small)[None]) / stretch
    weights = torch.where(away.abs() < LOBES, torch.sinc(away) * torch.sinc(away / LOBES), 0.0)
    return weights / weights.sum(dim=1, keepdim=True)
