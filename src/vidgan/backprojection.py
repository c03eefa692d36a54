"""Corrects an enlargement so that, shrunk again, it gives its source: detail that contradicts the source is taken out.

Source: Irani, Peleg 1991, "Improving resolution by image registration": the source minus the shrunk enlargement is
enlarged and added, several times. Shrinking is antialiased bicubic, as in training.
"""

import math

from torch import Tensor
from torch.nn import functional as F

STEPS = 3  # each takes about as long as two bicubic enlargements
MOST = 100.0  # dB, of no error at all


def consistent(large: Tensor, small: Tensor, *, steps: int = STEPS) -> tuple[Tensor, float]:
    """(1, 3, H, W) and its source (1, 3, h, w), in [0, 1] -> the corrected enlargement, and its PSNR to the source.

    In dB, brought down and before rounding to 8 bits; the border's pixels take part like all others.
    """
    for _ in range(steps):
        lacking = small - brought_down(large, small)
        large = (large + _up(lacking, large)).clamp_(0, 1)
    return large, consistency(large, small)


def consistency(large: Tensor, small: Tensor) -> float:
    """PSNR in dB of the enlargement, brought down, against its source."""
    error = float((brought_down(large, small) - small).square().mean())
    return min(-10 * math.log10(error), MOST) if error else MOST


def brought_down(large: Tensor, like: Tensor) -> Tensor:
    """(1, 3, H, W) at the sides of `like`, unclipped: as the small version of a training pair is made."""
    return F.interpolate(large, size=like.shape[-2:], mode="bicubic", antialias=True)


def _up(small: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(small, size=like.shape[-2:], mode="bicubic")
