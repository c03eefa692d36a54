"""What a program sees in a picture: one file per thing that is looked for. A shelf: the file names are the choices.

Every file has a TITLE, a PROTOCOL that says in a sentence with which thresholds it looks, and load(), which gives a
fresh Look for one video. Thresholds are the file's constants: fixed before any footage was seen, the same for all.

Letters: H and W are the picture's height and width.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Finding:
    """Something that was seen.

    box    left, top, right, bottom in pixels; pixel i covers [i, i + 1)
    score  how sure the analyser is, in its own units
    label  what was read, where reading is the point
    """

    box: Box
    score: float = 1.0
    label: str = ""


# (H, W, 3) uint8 RGB, upright -> what is seen there, or a number. Called with a video's frames in order.
Look = Callable[[np.ndarray], Sequence[Finding] | float]


def around(corners: np.ndarray) -> Box:
    """(N, 2) points x, y -> the upright box around them."""
    (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
    return float(left), float(top), float(right), float(bottom)


__all__ = ["Box", "Finding", "Look", "around"]
