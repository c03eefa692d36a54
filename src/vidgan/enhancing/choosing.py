"""Which of the networks that come with vidgan a video gets where none was named.

`fast` makes it four times as large, and smaller again from there. `fast-x2` works on squares of pixels, at a quarter of
the cost per pixel, and looks nearly as good (docs/models.md): right where there are many pixels already, and no more
than twice as many each side are wanted.
"""

import math
from collections.abc import Callable
from pathlib import Path

from vidgan import geometry
from vidgan.geometry import Shape, Wish

AUTO = "auto"
USUAL, LARGE = "fast", "fast-x2"
MANY = 960 * 540  # source pixels, as far as they are shown: from here on a video is large
TWICE = 2.0
ROUNDING = 1.01  # of a size that was asked for, to whole pixels


def model_for(model: str | Path, wish: Wish, source: Shape, say: Callable[[str], None]) -> str | Path:
    """The model itself; for AUTO the one that suits the video, which is said where it is not the usual one.

    Raises BadOption where the wish does not fit the file.
    """
    if model != AUTO:
        return model
    map = geometry.plan(wish, source, default_scale=TWICE)
    width, height = map.window()[2:]
    (xx, xy, _), (yx, yy, _) = map.matrix
    if width * height < MANY or math.sqrt(abs(xx * yy - xy * yx)) > TWICE * ROUNDING:
        return USUAL
    say(
        f"{width}x{height} pixels are many: {LARGE} enlarges them, twice at most, at a quarter of the cost "
        f"(--model {USUAL} for the other network)"
    )
    return LARGE
