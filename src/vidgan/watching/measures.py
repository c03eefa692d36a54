"""What is measured of every frame: the same for every video, on the pixels as they are stored.

Letters: H W height and width of a frame as stored.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from vidgan import opencv
from vidgan.errors import MissingExtra
from vidgan.metrics import flow
from vidgan.metrics.single import blocking, detail, grey, noise_floor
from vidgan.metrics.still import STILL, STILL_ANYWHERE, is_same
from vidgan.score import Scale

SMALLEST_SIDE = 48  # what the measure of blocks needs
BLACK = 25.5  # code values: a tenth of the range, as FFmpeg's blackdetect has it
CLIPPED = 250.0  # code values: brighter than that nothing can be told apart
MOVED_AT = 180  # pixels: motion is looked for where the shorter side has about so many

SCALES = (
    Scale(
        name="sharpness",
        title="sharpness",
        unit="code values",
        protocol="what a 3x3 binomial blur takes away: standard deviation in 16x16 blocks, 95th percentile of them",
    ),
    Scale(
        name="noise",
        title="noise",
        unit="code values",
        protocol="Immerkaer 1996 in 32x32 blocks, the 10th percentile: where the frame is flattest",
    ),
    Scale(
        name="blockiness",
        title="blockiness",
        unit="times",
        protocol="jumps of luma at every eighth stored pixel over those beside them, the strongest of eight phases "
        "over the median one; the lesser of both directions; 1 for none",
    ),
    Scale(name="exposure", title="exposure", unit="code values", protocol="mean luma, 0 to 255", digits=1),
    Scale(
        name="dark",
        title="dark",
        unit="%",
        protocol=f"pixels with a luma of {BLACK:g} or less: a tenth of the range, as FFmpeg's blackdetect has it",
        digits=1,
    ),
    Scale(
        name="bright",
        title="clipped",
        unit="%",
        protocol=f"pixels with a luma of {CLIPPED:g} or more",
        digits=1,
    ),
    Scale(
        name="change",
        title="change",
        unit="code values",
        protocol="mean absolute difference of luma to the frame before",
    ),
    Scale(
        name="repeats",
        title="repeats",
        unit="frames",
        protocol="how many frames in a row have shown the same picture before this one shows it again: less than "
        f"{STILL} code values from the first of them in the mean, and {STILL_ANYWHERE:g} in each 16x16 block",
        digits=0,
    ),
    Scale(
        name="motion",
        title="motion",
        unit="% of the diagonal a second",
        protocol=f"mean length of the flow from the frame before (DIS, Kroeger et al. 2016, OpenCV's fastest), found "
        f"on blocks that leave about {MOVED_AT} pixels of the shorter side; none across a cut",
        digits=1,
    ),
)


@dataclass(frozen=True)
class Plane:
    """A frame's luma, and what is measured of it alone. Made in another thread than what needs its neighbours."""

    luma: np.ndarray  # (H, W) float32, code values in full range
    scores: Mapping[str, float]


def plane(pixels: np.ndarray) -> Plane:
    """pixels  (H, W, 3) uint8 or uint16, sides of SMALLEST_SIDE or more"""
    luma = grey(pixels)
    scores = {
        "sharpness": detail(luma),
        "noise": noise_floor(luma),
        "blockiness": blocking(luma),
        "exposure": float(luma.mean()),
        "dark": 100 * float((luma <= BLACK).mean()),
        "bright": 100 * float((luma >= CLIPPED).mean()),
    }
    return Plane(luma, scores)


class Neighbours:
    """Sees the frames of one video in order, and measures each beside the one before."""

    def __init__(self, *, motion: bool) -> None:
        self._motion = motion
        self._before: np.ndarray | None = None
        self._first_of_same: np.ndarray | None = None  # of a run of frames that show the same
        self._grey: np.ndarray | None = None  # of the frame before, small
        self._repeats = 0
        self._seconds = 0.0

    def see(self, luma: np.ndarray, seconds: float, *, begins_shot: bool) -> dict[str, float]:
        """change, repeats and motion: NaN where there is nothing to be held against."""
        change = math.nan if self._before is None else float(np.abs(luma - self._before).mean())
        # Held against the first of the run, or a slow fade would count as still.
        if self._first_of_same is not None and is_same(luma, self._first_of_same):
            self._repeats += 1
        else:
            self._first_of_same, self._repeats = luma, 0
        motion = self._moved(luma, seconds, begins_shot=begins_shot)
        self._before, self._seconds = luma, seconds
        return {"change": change, "repeats": float(self._repeats), "motion": motion}

    def _moved(self, luma: np.ndarray, seconds: float, *, begins_shot: bool) -> float:
        if not self._motion:
            return math.nan
        before, self._grey = self._grey, _small(luma)
        if before is None or begins_shot or seconds <= self._seconds:
            return math.nan
        if self._repeats:
            return 0.0
        lengths = np.linalg.norm(flow.quick(before, self._grey), axis=-1)
        return 100 * float(lengths.mean()) / math.hypot(*before.shape) / (seconds - self._seconds)


def missing_motion() -> str:
    """Why motion cannot be measured here, in a line; empty where it can."""
    try:
        opencv.load("analysis")
    except MissingExtra as missing:
        return f"{missing.found}. {missing.remedy}"
    return ""


def _small(luma: np.ndarray) -> np.ndarray:
    """(H, W) -> (h, w) uint8: means over blocks."""
    step = max(1, min(luma.shape) // MOVED_AT)
    height, width = (side // step * step for side in luma.shape)
    rows = luma[:height, :width].reshape(height // step, step, width).sum(1)  # along memory: twice as fast
    blocks = rows.reshape(height // step, width // step, step).sum(2)
    return (blocks / step**2 + 0.5).astype(np.uint8)
