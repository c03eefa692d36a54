"""Whether a frame shows again what another one shows: a copy that a codec has touched still counts as a copy."""

import numpy as np

# Limits, chosen on 55 clips and on the same clips with copies put in: see docs/data.md.
STILL = 0.15  # code values: a frame that differs less from another, on average, is the same one again
STILL_ANYWHERE = 2.0  # and so must be each of its 16 x 16 blocks
BLOCK = 16


def is_same(now_HW: np.ndarray, before_HW: np.ndarray) -> bool:
    """Two pictures' luma in code values, of one size."""
    change = np.abs(now_HW - before_HW)
    return bool(change.mean() < STILL) and float(_blocks(change).max(initial=0.0)) < STILL_ANYWHERE


def _blocks(change: np.ndarray) -> np.ndarray:
    """(H, W) -> means of its blocks; what does not fill a block is left out."""
    height, width = (length // BLOCK * BLOCK for length in change.shape)
    blocks = change[:height, :width].reshape(height // BLOCK, BLOCK, width // BLOCK, BLOCK)
    means: np.ndarray = blocks.mean((1, 3))
    return means
