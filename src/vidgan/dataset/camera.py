"""The camera that sees a training clip: still or panning by whole pixels, without resampling; or free.

A free view is turned and zoomed, and rendered in a single resampling; over a photo it also moves from frame to frame.
It never enlarges, so that what training calls the truth is as sharp as the stored picture.

Letters: T frames, H W height and width of the stored picture, S side of the square that is seen.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vidgan.geometry import Map

Size = tuple[int, int]  # height, width


@dataclass(frozen=True)
class View:
    """One frame of a free camera."""

    x: float  # the stored picture's point in the middle
    y: float
    degrees: float  # clockwise
    zoom: float  # seen pixels per stored pixel

    def map(self, size: Size, side: int) -> Map:
        stored = size[1], size[0]
        return Map.similarity(
            stored, (side, side), rotate=self.degrees, scale=self.zoom, centre=(self.x, self.y)
        )

    def reach(self, side: int) -> float:
        """From the middle to the farthest stored column or row that is seen."""
        return half_extent(self.degrees, side) / self.zoom


def half_extent(degrees: float, side: int) -> float:
    """Of the upright square around a turned one."""
    angle = math.radians(degrees)
    return side / 2 * (abs(math.cos(angle)) + abs(math.sin(angle)))


def camera_path(rng: np.random.Generator, frames: int, room: Size, fastest: int) -> np.ndarray:
    """(T, 2) top left corners in whole pixels, inside [0, room]: a start, a speed, and a little wandering."""
    speed = rng.uniform(-fastest, fastest, 2) * rng.random()
    wander = rng.normal(0, 0.3, (frames, 2)).cumsum(0) * rng.random()
    path = (np.arange(frames)[:, None] * speed + wander).round()
    path -= path.min(0)
    limits = np.asarray(room)
    path = np.minimum(path, limits)
    return (path + (rng.random(2) * (limits - path.max(0) + 1)).astype(int)).astype(int)


def free_view(
    rng: np.random.Generator, size: Size, side: int, zoom: tuple[float, float], *, turns: bool
) -> View | None:
    """A random place, angle and zoom that see nothing outside of the picture; None where none fits."""
    degrees = rng.uniform(-180, 180) if turns else 0.0
    least = max(zoom[0], 2 * (half_extent(degrees, side) + 1) / min(size))
    if least > zoom[1]:
        return None
    chosen = math.exp(rng.uniform(math.log(least), math.log(zoom[1])))
    view = View(0.0, 0.0, degrees, chosen)
    x, y = (rng.uniform(view.reach(side), length - view.reach(side)) for length in (size[1], size[0]))
    return View(x, y, degrees, chosen)


def free_path(
    rng: np.random.Generator, start: View, size: Size, side: int, frames: int, fastest: int
) -> list[View]:
    """A camera over a photo that pans, turns and zooms from a start, each at its own steady speed.

    fastest  pan in seen pixels per frame; it turns by up to 2 degrees a frame and zooms by up to 2 percent. A start
             that is not turned stays so. Where a frame would see outside the photo, it pans, turns or zooms out less.
    """
    speed_x, speed_y = rng.uniform(-fastest, fastest, 2) * rng.random() / start.zoom
    turning = rng.uniform(-2, 2) * rng.random() if start.degrees else 0.0
    zooming = rng.uniform(-0.02, 0.02) * rng.random()
    views: list[View] = []
    for t in range(frames):
        degrees = start.degrees + turning * t
        least = 2 * (half_extent(degrees, side) + 1) / min(size)
        if least > 1:  # so far it cannot turn here without seeing outside
            degrees = views[-1].degrees
            least = 2 * (half_extent(degrees, side) + 1) / min(size)
        zoom = max(min(start.zoom * math.exp(zooming * t), 1.0), least)
        reach = View(0, 0, degrees, zoom).reach(side)
        x, y = (
            min(max(place, reach), length - reach)
            for place, length in ((start.x + speed_x * t, size[1]), (start.y + speed_y * t, size[0]))
        )
        views.append(View(x, y, degrees, zoom))
    return views


def rendered(picture_HWC: Tensor, view: View, size: Size, side: int, corner: tuple[int, int]) -> Tensor:
    """(S, S, 3) uint8 of a part of a stored picture, (h, w, 3) uint8, whose top left corner is at x, y."""
    height, width, _ = picture_HWC.shape
    pixels = picture_HWC.permute(2, 0, 1).float()
    seen = view.map(size, side).render(pixels, factor=1, window=(*corner, width, height))
    return seen.clamp(0, 255).round().byte().permute(1, 2, 0)


def window_of(views: list[View], size: Size, side: int) -> tuple[int, int, int, int]:
    """x, y, width, height of the part of the stored picture that all views together need."""
    boxes = np.array([view.map(size, side).window() for view in views])
    left, top = boxes[:, :2].min(0)
    right, bottom = (boxes[:, :2] + boxes[:, 2:]).max(0)
    return int(left), int(top), int(right - left), int(bottom - top)


def turned(clip: Tensor, rng: np.random.Generator, *, reverse: float = 0.5, oriented: bool = False) -> Tensor:
    """One of the eight quarter turns and mirrors, and sometimes backwards: the same for every frame.

    clip      (T, S, S, 3), square
    reverse   share that runs backwards
    oriented  no turn and no mirror
    """
    backwards, up, left, swapped = rng.random(4)
    dims = [0] if backwards < reverse else []
    if oriented:
        return clip.flip(dims)
    dims += [dim for dim, drawn in ((1, up), (2, left)) if drawn < 0.5]
    clip = clip.flip(dims)
    return clip.transpose(1, 2) if swapped < 0.5 else clip


def brightened(clip: Tensor, rng: np.random.Generator, most: float) -> Tensor:
    """The clip times one factor of 1 - most to 1 + most, in uint8."""
    if not most:
        return clip
    return (clip.float() * rng.uniform(1 - most, 1 + most)).clamp(0, 255).round().to(torch.uint8)
