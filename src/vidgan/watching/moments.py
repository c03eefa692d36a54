"""A frame as it passes: its number, its time, and a small picture of it, made when somebody first wants one."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from vidgan.analysers import Box
from vidgan.geometry import Map, Wish, plan
from vidgan.pixels import as_tensor, bytes_of
from vidgan.video import Source

SMALL = 320  # pixels of a small picture's longer side, at most


@dataclass(frozen=True)
class View:
    """How a video is displayed, upright and with square pixels; and the way to a small picture of it."""

    width: int
    height: int
    small: Map

    def box(self, heat: np.ndarray, limit: float) -> Box:
        """Around the hottest cell of a map over the picture, and the cells joined to it that reach the limit.

        heat   (rows, columns)
        """
        rows, columns = np.nonzero(_joined(heat, limit))
        across, down = self.width / heat.shape[1], self.height / heat.shape[0]
        right, bottom = (columns.max() + 1) * across, (rows.max() + 1) * down
        return float(columns.min() * across), float(rows.min() * down), float(right), float(bottom)


def view(source: Source) -> View:
    whole = plan(Wish(scale=1), source)
    shrink = min(1.0, SMALL / max(whole.width, whole.height))
    width, height = (max(round(side * shrink), 1) for side in (whole.width, whole.height))
    return View(whole.width, whole.height, plan(Wish(size=(width, height)), source))


@dataclass(frozen=True)
class Moment:
    """Of one frame.

    number   from 0
    seconds  as --start counts them
    pixels   (H, W, 3) uint8 or uint16, as stored
    """

    number: int
    seconds: float
    pixels: np.ndarray
    view: View

    @cached_property
    def small(self) -> np.ndarray:
        """(h, w, 3) uint8, as displayed."""
        with torch.inference_mode():
            return bytes_of(self.view.small.render(as_tensor(self.pixels), factor=1)[0])


def _joined(heat: np.ndarray, limit: float) -> np.ndarray:
    """(rows, columns) bool: the hottest cell and, from neighbour to neighbour, those at the limit or above."""
    hot = heat >= limit
    found = np.zeros_like(hot)
    found[np.unravel_index(heat.argmax(), heat.shape)] = True
    while True:
        wider = np.pad(found, 1)
        wider = wider[:-2] | wider[1:-1] | wider[2:]
        wider = (wider[:, :-2] | wider[:, 1:-1] | wider[:, 2:]) & hot | found
        if (wider == found).all():
            return found
        found = wider
