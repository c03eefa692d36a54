"""Losses that compare pixels: they keep a GAN from inventing."""

import torch.nn.functional as F
from torch import Tensor


def l1(output: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference; any shape."""
    return (output - target).abs().mean()


def charbonnier(output: Tensor, target: Tensor, epsilon: float = 1e-3) -> Tensor:
    """L1 made smooth around zero (Lai et al. 2017); any shape."""
    return ((output - target).square() + epsilon**2).sqrt().mean()


def low_pass_l1(output: Tensor, target: Tensor, size: int = 4) -> Tensor:
    """L1 between means of size x size pixels: holds colour and shape, leaves texture free.

    output, target  (B, T, C, H, W), sides divisible by size
    """
    difference = (output - target).flatten(0, 1)
    return F.avg_pool2d(difference, size).abs().mean()


def phase_l1(output: Tensor, target: Tensor, scale: int = 4, size: int = 4) -> Tensor:
    """L1 between means over every scale-th pixel: no place inside the enlarged pixel may stand out.

    A pixel shuffle draws each of its scale x scale places with other weights; where they disagree a little, flat
    surfaces show a grid. Texture averages out over size x size samples of a place, a grid does not.

    output, target  (B, T, C, H, W), sides divisible by scale; where there are fewer samples than size, all of them
    """
    places = F.pixel_unshuffle((output - target).flatten(0, 1), scale)
    return F.avg_pool2d(places, min(size, *places.shape[-2:])).abs().mean()


def gradient_difference(output: Tensor, target: Tensor) -> Tensor:
    """L1 between the heights of steps from pixel to pixel, across and down: punishes blur (Mathieu et al. 2016).

    output, target  (..., H, W)
    """
    across, down = (
        (output.diff(dim=dim).abs() - target.diff(dim=dim).abs()).abs().mean() for dim in (-1, -2)
    )
    return across + down
