"""Fewer pixels."""

import torch.nn.functional as F
from torch import Tensor


def shrink(frames: Tensor, scale: int) -> Tensor:
    """Antialiased bicubic reduction of (T, 3, H, W) by a whole factor that divides both sides, in [0, 1].

    The same filter as Pillow's BICUBIC and MATLAB's imresize: the field's "BI" degradation.
    """
    small = F.interpolate(frames, scale_factor=1 / scale, mode="bicubic", antialias=True)
    return small.clamp(0, 1)
