"""What the user asks of size and orientation, and the words that say it."""

import enum
import math
import re
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

from vidgan.errors import BadOption

Choice = TypeVar("Choice", bound=enum.StrEnum)
SMALLEST_SCALE, LARGEST_SCALE = 0.25, 16


class Orientation(enum.StrEnum):
    """Who turns a video that says it is to be turned."""

    UPRIGHT = "upright"  # we turn the pixels; the output says nothing of a turn
    KEEP = "keep"  # the player: pixels lie as stored, and the output says the same as the source


class Canvas(enum.StrEnum):
    """How large a canvas an angle that is no quarter turn gets."""

    EXPAND = "expand"  # everything is seen: the bounding box
    KEEP = "keep"  # the size before turning; corners are cut
    INSCRIBED = "inscribed"  # the largest rectangle without an empty corner


class Flip(enum.Flag):
    """H mirrors left and right, V top and bottom; H | V does both, which is half a turn."""

    H = enum.auto()
    V = enum.auto()


@dataclass(frozen=True, slots=True)
class Crop:
    """A rectangle in pixels of the source as it is shown: upright, with square pixels."""

    width: int
    height: int
    x: int
    y: int

    def __str__(self) -> str:
        return f"{self.width}x{self.height}+{self.x}+{self.y}"


@dataclass(frozen=True, slots=True)
class ShortSide:
    """A canvas whose shorter side has this many pixels; the other follows the shape."""

    pixels: int


@dataclass(frozen=True, kw_only=True)
class Wish:
    """The user's choice of size and orientation. The steps apply in the order of these fields.

    rotate  degrees clockwise
    scale   canvas pixels per square source pixel; None with size None leaves it to the network
    size    the final canvas, width x height or its short side

    Raises BadOption where the choice makes no sense for any file.
    """

    orientation: Orientation = Orientation.UPRIGHT
    crop: Crop | None = None
    flip: Flip | None = None
    rotate: float = 0.0
    scale: float | Fraction | None = None
    size: tuple[int, int] | ShortSide | None = None
    canvas: Canvas = Canvas.EXPAND

    def __post_init__(self) -> None:
        assert isinstance(self.orientation, Orientation) and isinstance(self.canvas, Canvas)
        if not math.isfinite(self.rotate):
            raise BadOption(
                f"--rotate {self.rotate} is no angle", "Give degrees clockwise, such as 90 or -7.5."
            )
        if self.scale is not None and self.size is not None:
            raise BadOption("--scale and --size both set the size of the output", "Give one of the two.")
        if self.scale is not None and not SMALLEST_SCALE <= self.scale <= LARGEST_SCALE:
            raise BadOption(
                f"--scale {self.scale} is outside {SMALLEST_SCALE} to {LARGEST_SCALE}",
                f"Choose a factor from {SMALLEST_SCALE} to {LARGEST_SCALE}, or name the result with --size.",
            )


def parse_choice(kind: type[Choice], name: str, text: str) -> Choice:
    """One of an option's words. Raises BadOption."""
    try:
        return kind(text)
    except ValueError:
        raise BadOption(f"--{name} {text} is not known", f"Use one of: {', '.join(kind)}.") from None


def parse_crop(text: str) -> Crop:
    """'640x360+100+50' -> Crop. Raises BadOption."""
    found = re.fullmatch(r"(\d{1,6})[xX×](\d{1,6})\+(\d{1,6})\+(\d{1,6})", text.strip(), re.ASCII)
    crop = Crop(*map(int, found.groups())) if found else None
    if crop is None or not crop.width or not crop.height:
        raise BadOption(
            f"--crop {text!r} is no rectangle",
            "Write WIDTHxHEIGHT+X+Y, such as 640x360+100+50: its size, then its upper left corner.",
        )
    return crop


def parse_size(text: str) -> tuple[int, int] | ShortSide:
    """'1920x1080' -> (1920, 1080); '1080p', '4k' -> ShortSide. Raises BadOption."""
    word = text.strip().lower()
    if word in ("4k", "8k"):
        return ShortSide(2160 if word == "4k" else 4320)
    if (found := re.fullmatch(r"(\d{1,6})p", word, re.ASCII)) and int(found[1]):
        return ShortSide(int(found[1]))
    found = re.fullmatch(r"(\d{1,6})[x×](\d{1,6})", word, re.ASCII)
    if found and int(found[1]) and int(found[2]):
        return int(found[1]), int(found[2])
    raise BadOption(
        f"--size {text!r} is no size",
        "Write WIDTHxHEIGHT such as 1920x1080, or a short side such as 720p, 1080p, 2160p, 4k.",
    )


def parse_flip(text: str) -> Flip:
    """'h', 'v' or 'hv' -> Flip. Raises BadOption."""
    flips = {"h": Flip.H, "v": Flip.V, "hv": Flip.H | Flip.V, "vh": Flip.H | Flip.V}
    if text.strip().lower() not in flips:
        raise BadOption(
            f"--flip {text!r} is no flip",
            "Write h to mirror left and right, v for top and bottom, hv for both.",
        )
    return flips[text.strip().lower()]
