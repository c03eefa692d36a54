"""Motion for losses: it has to be right for most of the picture most of the time, and `trust` says where it is not.

Each place has its own motion or, where that explains it better, the motion of the whole picture in whole pixels, by
phase correlation (Kuglin and Hines 1975): exact where a camera pans over a photo.

Letters: N pairs of frames, C colours, H W height and width.
"""

import torch
from torch import Tensor

from vidgan import motion as places
from vidgan.motion import fetched, mean_around, unexplained

TRUSTED = 0.03  # difference, of a range of 1, at which what was found counts e times less


@torch.no_grad()
def motion(now: Tensor, before: Tensor) -> Tensor:
    """(N, 2, H, W): what now shows at x, before showed at x + motion; x and y, in pixels.

    now, before  (N, C, H, W) in [0, 1]
    """
    now, before = (pictures.float().mean(1, keepdim=True) for pictures in (now, before))
    found = places.motion(now, before)
    whole = _of_the_whole(now, before)[:, :, None, None].expand_as(found)
    costs = [mean_around((now - fetched(before, motion)).abs(), places.BLOCK) for motion in (found, whole)]
    return torch.where(costs[1] < costs[0], whole, found)


@torch.no_grad()
def trust(now: Tensor, before: Tensor, motion: Tensor) -> Tensor:
    """(N, 1, H, W) in (0, 1]: 1 where the motion explains the picture, little where it does not."""
    return torch.exp(-unexplained(now, before, motion) / TRUSTED)


def _of_the_whole(now: Tensor, before: Tensor) -> Tensor:
    """(N, 2): one motion for each pair, x and y, in whole pixels."""
    height, width = now.shape[-2:]
    # Or the frame's own edges, which stay, would be matched.
    fading = _hann(height, now)[:, None] * _hann(width, now)
    before, now = ((pictures - pictures.mean((2, 3), keepdim=True)) * fading for pictures in (before, now))
    product = torch.fft.rfft2(before) * torch.fft.rfft2(now).conj()
    peak = torch.fft.irfft2(product / (product.abs() + 1e-6), s=(height, width)).flatten(1).argmax(1)
    y, x = peak // width, peak % width
    # A peak in the farther half is a motion the other way.
    return torch.stack((x - width * (2 * x > width), y - height * (2 * y > height)), 1).to(now.dtype)


def _hann(length: int, like: Tensor) -> Tensor:
    return torch.hann_window(length, periodic=False, device=like.device, dtype=like.dtype)
