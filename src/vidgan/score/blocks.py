"""How far a figure could have come out otherwise: a bootstrap over blocks of frames.

Neighbouring frames show the same things: a hundred of them are not a hundred proofs. Frames are drawn by the second,
so that what is drawn is nearly independent. Source: Künsch 1989, "The jackknife and the bootstrap for general
stationary observations"; blocks that do not overlap are Carlstein's.

Letters: M moments, N blocks, K counts, D draws.
"""

import math
from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np

from vidgan.score.evaluation import CONFIDENCE, DRAWS, Interval

SECONDS = 1.0  # of a block
FEWEST = 5  # blocks: with fewer, an interval promises more than it holds

# (..., K) sums of counts -> (...) the figure; NaN where it is not defined
Figure = Callable[[np.ndarray], np.ndarray]


def blocks(seconds: Sequence[float]) -> list[int]:
    """Which block each moment lies in."""
    return [int(second // SECONDS) for second in seconds]


def estimate(
    counts_MK: np.ndarray, block: Sequence[int], figure: Figure, *, confidence: float = CONFIDENCE
) -> Interval | None:
    """A figure of sums, with its interval where there are two blocks or more; None where it is not defined."""
    _, place = np.unique(np.asarray(block), return_inverse=True)
    counts_NK = np.zeros((int(place.max()) + 1 if len(place) else 0, counts_MK.shape[1]))
    np.add.at(counts_NK, place, counts_MK)
    value = float(figure(counts_NK.sum(axis=0)))
    if math.isnan(value):
        return None
    number = len(counts_NK)
    if number < 2:
        return Interval(value, None, None)
    values_D = figure(np.concatenate([part @ counts_NK for part in _drawn(number)]))
    values_D = values_D[~np.isnan(values_D)]
    tail = 50 * (1 - confidence)
    low, high = np.percentile(values_D, [tail, 100 - tail]) if len(values_D) else (value, value)
    return Interval(value, float(low), float(high))


@lru_cache(maxsize=1)  # of every figure about one video: drawing takes far longer than all else
def _drawn(number: int) -> list[np.ndarray]:
    """How often each of so many blocks is drawn: (100, N) uint8 for each hundred of the DRAWS.

    A day of video has 86,400 blocks, so it is bytes that are kept; no block is drawn as often as 256 times.
    """
    rng, even = np.random.default_rng(0), np.full(number, 1 / number)
    return [rng.multinomial(number, even, 100).astype(np.uint8) for _ in range(DRAWS // 100)]


def share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """part / whole; NaN of nothing."""
    return np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=np.asarray(whole) != 0)
