"""Less flicker: each enlarged frame is mixed with the one before, moved along the motion.

What a network invents anew in every frame then settles. The frame before was itself mixed already; less of it is taken
where the motion does not explain the source. This uses no network and helps any: a mean along a path keeps what frames
agree about.

Letters: H W height and width of the small frame, S scale.
Source: Dubois, Sabri 1984, "Noise reduction in image sequences using motion-compensated temporal filtering".
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from vidgan.errors import BadOption
from vidgan.motion import FLOATS, fetched, fetched_squares, motion, on_one_thread, unexplained
from vidgan.pixels import luma

MOST = 0.9  # of the frame before: beyond, what has gone stays to be seen for seconds
TRUSTED = 0.1  # difference of the sources, of a range of 1, at which e times less is taken


def share_of(value: str | float, *, asked: str) -> float:
    """A strength from 0 to MOST. Raises BadOption for anything else.

    asked  what the user wrote, for the error
    """
    try:
        share = float(value)
    except ValueError:
        share = math.nan
    if not 0 <= share <= MOST:
        raise BadOption(
            f"{asked}: {value} is no share of the frame before", f"Give a number from 0 to {MOST:g}."
        )
    return share


class Before(NamedTuple):
    """The frame before: its source, and what became of it, in luma and in the colours of whole squares."""

    small: Tensor  # (1, 3, H, W)
    luma: Tensor  # (1, 1, H * S, W * S)
    colours: Tensor  # (1, 3, H, W): means over the square of a small pixel, without its luma


def steadied(folded: Tensor, small: Tensor, before: Before | None, strength: float) -> tuple[Tensor, Before]:
    """The frame's enlargement, mixed with the one before, and what to pass as `before` next. Inputs are not changed.

    Luma is moved for every large pixel, by cubic interpolation. Of the colours only the means over the square of a
    small pixel are moved, and finer detail stays this frame's: a third of the work for nearly the same pictures
    (docs/decisions/020-steady.md).

    folded    (1, 3 * S * S, H, W) in float32, its pixels folded into channels
    small     (1, 3, H, W) in [0, 1], its source
    before    None where a shot begins
    strength  0 gives it as it is .. below 1
    """
    squares = folded.unflatten(1, (3, -1))
    scale = round(squares.shape[2] ** 0.5)
    bright = luma(folded)
    colours = squares.mean(2) - bright.mean(1, keepdim=True)
    if before is not None:
        with on_one_thread():
            found = motion(small, before.small)
            share = strength * torch.exp(-unexplained(small, before.small, found) / TRUSTED)
            tinted = share * (fetched(before.colours, found) - colours)
        brighter = fetched_squares(before.luma, found, scale).sub_(bright).mul_(share)
        folded = (squares + brighter[:, None]).add_(tinted[:, :, None]).flatten(1, 2)
        bright, colours = bright.add_(brighter), colours + tinted
    return folded, Before(small, F.pixel_shuffle(bright, scale), colours)


def bytes_per_pixel(scale: int) -> int:
    """Roughly what a small pixel needs while its frame is led, beside the enlargements of both frames."""
    return 4 * FLOATS + 2 * 3 * 4 * scale**2 + 2 * 4 * scale**2
