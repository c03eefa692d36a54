"""Enlarged frames led along their motion: what a network invents anew in every frame settles, and flickers less.

A frame is mixed with the one before, which was mixed already, moved to where things are now; less of it where the
motion does not explain the source. No network, and of use to any: a mean along a path keeps what frames agree about.

Letters: H W height and width of the small frame, S scale.
Source: Dubois, Sabri 1984, "Noise reduction in image sequences using motion-compensated temporal filtering".
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from vidgan.errors import BadOption
from vidgan.motion import fetched, motion, unexplained

MOST = 0.9  # of the frame before: beyond, what has gone stays to be seen for seconds
TRUSTED = 0.1  # difference of the sources, of a range of 1, at which e times less is taken
LUMA = 0.299, 0.587, 0.114  # BT.601: as an eye weighs red, green and blue
FLOATS = 30  # for each small pixel while the motion is found


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
    """A frame's enlargement, and what the next one is led by. What is given is left as it is.

    Luma moves in every large pixel, by cubics. Of colours the means over a square move, and what is finer stays as it
    is in this frame: a third of the work for nearly the same pictures (docs/decisions/020-steady.md).

    folded    (1, 3 * S * S, H, W) in float32, its pixels folded into channels
    small     (1, 3, H, W) in [0, 1], its source
    before    None where a shot begins
    strength  0 gives it as it is .. below 1
    """
    squares = folded.unflatten(1, (3, -1))
    scale = round(squares.shape[2] ** 0.5)
    red, green, blue = squares.unbind(1)
    luma = (LUMA[0] * red).add_(green, alpha=LUMA[1]).add_(blue, alpha=LUMA[2])
    colours = squares.mean(2) - luma.mean(1, keepdim=True)
    if before is not None:
        with _one_thread():
            found = motion(small, before.small)
            share = strength * torch.exp(-unexplained(small, before.small, found) / TRUSTED)
            tinted = share * (fetched(before.colours, found) - colours)
        brighter = _moved(before.luma, found, scale).sub_(luma).mul_(share)
        folded = (squares + brighter[:, None]).add_(tinted[:, :, None]).flatten(1, 2)
        luma, colours = luma.add_(brighter), colours + tinted
    return folded, Before(small, F.pixel_shuffle(luma, scale), colours)


@contextmanager
def _one_thread() -> Iterator[None]:
    """For hundreds of small steps: to wake a second thread for each takes longer than to do without it."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def bytes_per_pixel(scale: int) -> int:
    """Roughly what a small pixel needs while its frame is led, beside the enlargements of both frames."""
    return 4 * FLOATS + 2 * 3 * 4 * scale**2 + 2 * 4 * scale**2


def _moved(large: Tensor, found: Tensor, scale: int) -> Tensor:
    """(1, 1, H * S, W * S) -> (1, S * S, H, W), where things are now: by cubics, edges repeated.

    A small pixel's square moves as one.
    """
    _, _, height, width = large.shape
    h, w = found.shape[2:]
    inside = torch.arange(scale, device=large.device, dtype=torch.float32)
    rows = torch.arange(0, height, scale, device=large.device).view(-1, 1) + scale * found[0, 1]
    columns = torch.arange(0, width, scale, device=large.device) + scale * found[0, 0]
    y = (rows + inside.view(-1, 1, 1, 1)).expand(scale, scale, h, w)
    x = (columns + inside.view(-1, 1, 1)).expand(scale, scale, h, w)
    places = torch.stack(((2 * x + 1) / width - 1, (2 * y + 1) / height - 1), -1)
    moved = F.grid_sample(
        large.expand(scale, -1, -1, -1),  # on a processor, each of a batch has a thread
        places.view(scale, scale * h, w, 2),
        mode="bilinear" if large.device.type == "mps" else "bicubic",  # Metal's has no cubics
        padding_mode="border",
        align_corners=False,
    )
    return moved.view(1, -1, h, w)
