"""Which of the networks that come with vidgan a video gets where none was named.

`fast` makes it four times as large, and smaller again from there. `fast-x2` works on squares of pixels, at a quarter of
the cost per pixel, and looks nearly as good (docs/models.md): right where there are many pixels already, and no more
than twice as many each side are wanted.
"""

import math
from pathlib import Path
from typing import Any

from vidgan import blending, geometry
from vidgan.geometry import Shape, Wish

AUTO = "auto"
USUAL, LARGE = "fast", "fast-x2"
MANY = 960 * 540  # stored pixels that are shown, not cropped away: from here on a video is large
TWICE = 2.0
ROUNDING = 1.01  # of a size that was asked for, to whole pixels


def is_auto(model: str | Path) -> bool:
    return str(model) == AUTO


def choose(wish: Wish, source: Shape) -> str:
    """The network that suits the video. Raises BadOption where the wish does not fit the file."""
    map = geometry.plan(wish, source, default_scale=TWICE)
    left, top, right, bottom = map.content
    if (right - left) * (bottom - top) < MANY:
        return USUAL
    if wish.scale is None and wish.size is None:
        return LARGE
    # As --scale counts: canvas pixels to a square pixel of the source.
    (xx, xy, _), (yx, yy, _) = map.matrix
    scale = math.sqrt(abs(xx * yy - xy * yx) / source.sample_aspect)
    return LARGE if scale <= TWICE * ROUNDING else USUAL


def for_large(restore: float | None, wish: Wish) -> dict[str, Any]:
    """The settings of a large video: LARGE; or USUAL at the same size, where it is to repair what LARGE cannot."""
    if not restore or blending.can_restore(LARGE):
        return {"model": LARGE}
    return {"scale": TWICE} if wish.scale is None and wish.size is None else {}


def told(chosen: str, wish: Wish, source: Shape) -> str:
    """For whoever named no network and gets LARGE, or USUAL for a large video; else nothing."""
    large = f"{source.width}x{source.height} is large"
    if chosen == LARGE:
        return (
            f"{large}: {LARGE} takes it, for twice the size at most, at a quarter of the cost; --model {USUAL} is for "
            "up to four times"
        )
    if chosen == USUAL and choose(wish, source) == LARGE:
        return (
            f"{large}: {USUAL} takes it all the same, as {LARGE} cannot restore, at four times the cost; --restore 0 "
            f"is for {LARGE}"
        )
    return ""
