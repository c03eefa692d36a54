"""From a wish and a file's own shape to the one map that does it all.

The order is fixed: the file's sample aspect and orientation -> crop -> flip -> rotate -> scale or size
-> canvas -> (for `keep`) back to how the file lies -> sides that divide. Everything that can be is
computed in fractions, so that no size ever hangs on the rounding of a float.
"""

import itertools
import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

from vidgan.errors import BadOption
from vidgan.geometry.affine import (
    Affine,
    Number,
    Size,
    after,
    corners,
    floats,
    inverse,
    moved,
    scaled,
    turned,
)
from vidgan.geometry.map import Map
from vidgan.geometry.wish import Canvas, Crop, Flip, Orientation, ShortSide, Wish

LARGEST_SIDE = 16384  # what H.264 and HEVC encoders take; AV1 only of the width (video.encoders)
LARGEST_AREA = 1 << 28  # of a picture with a border of 64 pixels: FFmpeg allocates no larger one

_FLIPS = {Flip(0): 1, Flip.H: 2, Flip.V: 4, Flip.H | Flip.V: 3}  # as EXIF codes
_QUARTERS = (1, 6, 3, 8)  # 0, 90, 180 and 270 degrees clockwise, as EXIF codes


class Shape(Protocol):
    """What a plan must know of a video; `video.Source` knows it, and so does Stored."""

    @property
    def width(self) -> int: ...  # of the pictures as stored
    @property
    def height(self) -> int: ...
    @property
    def orientation(self) -> int: ...  # how they become upright: EXIF's code, 1 (as stored) to 8
    @property
    def sample_aspect(self) -> Fraction: ...  # width : height of a stored pixel


@dataclass(frozen=True, kw_only=True)
class Stored:
    """The shape of a video, in so many words."""

    width: int
    height: int
    orientation: int = 1
    sample_aspect: Fraction = Fraction(1)


@dataclass(frozen=True)
class Layout:
    """The canvas and how the turned content lies on it.

    scale   (x, y) canvas pixels per square source pixel
    offset  of the content's centre from the canvas's centre, in canvas pixels
    """

    width: int
    height: int
    scale: Size
    offset: Size = (0, 0)


def plan(wish: Wish, stored: Shape, *, multiple: tuple[int, int] = (1, 1), default_scale: float = 4.0) -> Map:
    """The map that fulfils the wish for a video of this shape.

    multiple        what the output's stored width and height must divide by (2, 2 for 4:2:0)
    default_scale   for a wish without scale and size: the network's own

    Raises BadOption where the wish does not fit the file.
    """
    assert stored.width > 0 and stored.height > 0 and stored.sample_aspect > 0
    assert stored.orientation in range(1, 9)
    keeps = wish.orientation is Orientation.KEEP
    lies_across = keeps and stored.orientation >= 5
    divisors = (multiple[1], multiple[0]) if lies_across else multiple
    if isinstance(wish.size, tuple):
        _check_divides(wish.size, divisors)
    matrix, content, box = _cut_out(wish, stored)
    matrix, core = _laid_out(wish, matrix, box, divisors, default_scale)
    if keeps:
        back = {6: 8, 8: 6}.get(stored.orientation, stored.orientation)
        turn_back, _ = turned(back, core)
        matrix = after(turn_back, matrix)
        core = (core[1], core[0]) if lies_across else core
    padding = (-core[0] % multiple[0], -core[1] % multiple[1])
    width, height = core[0] + padding[0], core[1] + padding[1]
    _check_fits(width, height)
    return Map(
        source_width=stored.width,
        source_height=stored.height,
        width=width,
        height=height,
        matrix=floats(matrix),
        content=content,
        padding=padding,
        orientation=stored.orientation if keeps else 1,
    )


def _cut_out(wish: Wish, stored: Shape) -> tuple[Affine, tuple[float, float, float, float], Size]:
    """Make it upright with square pixels, crop, flip: the map that does so, the stored part that is kept, the size."""
    # The stored height is kept, as players and file headers do: the shown shape of a turned anamorphic
    # video is then its header's, turned.
    squared = (stored.sample_aspect * stored.width, Fraction(stored.height))
    upright, shown = turned(stored.orientation, squared)
    matrix = after(upright, scaled(stored.sample_aspect, Fraction(1)))
    left, top, right, bottom = _cropped(wish.crop, shown)
    part = corners(inverse(matrix), (left, top, right, bottom))
    flip, box = turned(_FLIPS[wish.flip or Flip(0)], (right - left, bottom - top))
    matrix = after(flip, after(moved(-left, -top), matrix))
    return matrix, (float(part[0]), float(part[1]), float(part[2]), float(part[3])), box


def _laid_out(
    wish: Wish, matrix: Affine, box: Size, divisors: tuple[int, int], default_scale: float
) -> tuple[Affine, tuple[int, int]]:
    """Turn, scale and place it on the canvas: `matrix` followed by these steps, and the canvas's size."""
    angle = wish.rotate % 360
    if angle % 90 == 0:
        turn, box = turned(_QUARTERS[round(angle) % 360 // 90], box)
        layout = _lay_straight(wish, box, divisors, default_scale)
        matrix = after(moved(-box[0] / 2, -box[1] / 2), after(turn, matrix))
    else:
        layout = _lay_slanted(wish, box, math.radians(angle), default_scale)
        cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
        rotation: Affine = ((cosine, -sine, 0), (sine, cosine, 0))
        matrix = after(rotation, after(moved(-box[0] / 2, -box[1] / 2), matrix))
    x, y = Fraction(layout.width, 2) + layout.offset[0], Fraction(layout.height, 2) + layout.offset[1]
    return after(moved(x, y), after(scaled(*layout.scale), matrix)), (layout.width, layout.height)


def _cropped(crop: Crop | None, shown: Size) -> tuple[Fraction, Fraction, Fraction, Fraction]:
    """The crop's left, top, right and bottom within a shown picture of this exact size.

    An anamorphic picture's exact width may hold a part of a pixel: people see the nearest whole number, and a
    crop that reaches it takes the part as well.
    """
    exact_width, exact_height = Fraction(shown[0]), Fraction(shown[1])
    if crop is None:
        return Fraction(0), Fraction(0), exact_width, exact_height
    width, height = _nearest(exact_width), _nearest(exact_height)
    right, bottom = crop.x + crop.width, crop.y + crop.height
    if crop.width < 1 or crop.height < 1 or crop.x < 0 or crop.y < 0 or right > width or bottom > height:
        raise BadOption(
            f"--crop {crop} reaches outside the picture, which is shown as {width}x{height}",
            f"Stay within {width}x{height}+0+0: the upright picture with square pixels.",
        )
    return (
        Fraction(crop.x),
        Fraction(crop.y),
        exact_width if right == width else Fraction(right),
        exact_height if bottom == height else Fraction(bottom),
    )


def _lay_straight(wish: Wish, box: Size, divisors: tuple[int, int], default_scale: float) -> Layout:
    """Content that lies along the canvas: it is fitted to whole pixels, so that no border is half filled."""
    if not isinstance(wish.size, tuple):
        scale = _scale(wish, box, default_scale)
        width, height = _nearest(box[0] * scale), _nearest(box[1] * scale)
        return Layout(width, height, (width / Fraction(box[0]), height / Fraction(box[1])))
    width, height = wish.size
    scale = min(width / Fraction(box[0]), height / Fraction(box[1]))
    wide, high = box[0] * scale, box[1] * scale
    if width - wide <= 1 and height - high <= 1:
        return Layout(width, height, (width / Fraction(box[0]), height / Fraction(box[1])))
    # Bars, as even as whole chroma samples allow.
    within = (_nearest(wide), _nearest(high))
    left = (width - within[0]) // 2 // divisors[0] * divisors[0]
    top = (height - within[1]) // 2 // divisors[1] * divisors[1]
    offset = (left + Fraction(within[0] - width, 2), top + Fraction(within[1] - height, 2))
    return Layout(width, height, (within[0] / Fraction(box[0]), within[1] / Fraction(box[1])), offset)


def _lay_slanted(wish: Wish, box: Size, radians: float, default_scale: float) -> Layout:
    """Content at a free angle: the same scale both ways, the canvas around it as asked for."""
    cosine, sine = abs(math.cos(radians)), abs(math.sin(radians))
    wide, high = box
    outline: Size
    if wish.canvas is Canvas.EXPAND:
        outline = (wide * cosine + high * sine, wide * sine + high * cosine)
    elif wish.canvas is Canvas.KEEP:
        outline = box
    else:
        outline = _inscribed(float(wide), float(high), cosine, sine)
    if not isinstance(wish.size, tuple):
        scale = _scale(wish, outline, default_scale)
        exact = (outline[0] * scale, outline[1] * scale)
        # Expanding never cuts a tip, inscribing never takes in an empty one.
        to_whole = {Canvas.EXPAND: _ceiling, Canvas.KEEP: _nearest, Canvas.INSCRIBED: _floor}[wish.canvas]
        return Layout(to_whole(exact[0]), to_whole(exact[1]), (scale, scale))
    width, height = wish.size
    if wish.canvas is Canvas.INSCRIBED:  # the smallest scale at which no corner of this shape is empty
        scale = max((width * cosine + height * sine) / wide, (width * sine + height * cosine) / high)
    else:
        scale = min(width / outline[0], height / outline[1])
    return Layout(width, height, (scale, scale))


def _scale(wish: Wish, outline: Size, default_scale: float) -> Number:
    if isinstance(wish.size, ShortSide):
        return wish.size.pixels / min(outline)
    # By way of its digits: 2.7 is meant as 27/10, not as the nearest binary number.
    return Fraction(str(default_scale if wish.scale is None else wish.scale))


def _inscribed(wide: float, high: float, cosine: float, sine: float) -> tuple[float, float]:
    """Sides of the largest axis-parallel rectangle within a turned one.

    Source: the closed form in common use (half constrained by the long sides, or by all four).
    """
    long, short = max(wide, high), min(wide, high)
    if short <= 2 * sine * cosine * long:
        along, across = short / 2 / sine, short / 2 / cosine
        return (along, across) if wide >= high else (across, along)
    spread = cosine * cosine - sine * sine
    return (wide * cosine - high * sine) / spread, (high * cosine - wide * sine) / spread


def _check_divides(size: tuple[int, int], divisors: tuple[int, int]) -> None:
    """Raises BadOption, with the nearest that do, for an exact size whose sides do not divide."""
    sides = [
        sorted({side - side % divisor, side + -side % divisor} - {0})
        for side, divisor in zip(size, divisors, strict=True)
    ]
    if sides != [[size[0]], [size[1]]]:
        nearest = [f"{width}x{height}" for width, height in itertools.product(*sides)]
        raise BadOption(
            f"--size {size[0]}x{size[1]} has a side that this output cannot hold: "
            f"the width must divide by {divisors[0]}, the height by {divisors[1]}",
            f"Choose {' or '.join(nearest)}.",
        )


def _check_fits(width: int, height: int) -> None:
    """Raises BadOption for a canvas that no encoder takes."""
    if max(width, height) > LARGEST_SIDE or (width + 128) * (height + 128) >= LARGEST_AREA:
        raise BadOption(
            f"the output would be {width}x{height}; encoders take sides up to {LARGEST_SIDE}, "
            f"and {LARGEST_AREA >> 20} million pixels",
            "Choose a smaller --scale or --size.",
        )


def _nearest(exact: Number) -> int:
    """The nearest whole number of pixels, halves up, at least one."""
    return max(1, math.floor(exact + Fraction(1, 2)))


def _ceiling(exact: Number) -> int:
    return max(1, math.ceil(exact - 1e-6))  # a hair of slack, for sines are never exact


def _floor(exact: Number) -> int:
    return max(1, math.floor(exact + 1e-6))
