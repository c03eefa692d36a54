"""Losses that compare how pictures change from frame to frame."""

from torch import Tensor


def temporal_difference(output: Tensor, target: Tensor) -> Tensor:
    """L1 between frame-to-frame changes: punishes flicker, ignores a constant offset.

    output, target  (B, T, C, H, W) with T >= 2
    """
    return (output.diff(dim=1) - target.diff(dim=1)).abs().mean()
