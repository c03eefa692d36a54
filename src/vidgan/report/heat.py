"""Numbers over a picture's pixels as colours: black through purple and orange to pale yellow."""

import numpy as np
from torch import Tensor

from vidgan.metrics.fidelity import brought_down

# Evenly spaced; brightness rises all the way, so that it reads in grey as well.
COLOURS = np.array(
    [(0, 0, 4), (60, 15, 110), (140, 41, 129), (222, 73, 104), (254, 159, 109), (252, 253, 191)]
)
HOTTEST = 64.0  # code values that are drawn in the last colour
SHADES = np.stack(
    [np.interp(np.linspace(0, len(COLOURS) - 1, 256), range(len(COLOURS)), part) for part in COLOURS.T],
    axis=-1,
)
BEHIND = 0.25  # share of the picture that is seen behind the colours


def difference(output: Tensor, reference: Tensor) -> np.ndarray:
    """(3, H, W) in [0, 1] twice -> (H, W, 3) uint8: the mean of the colours' absolute differences."""
    return drawn(255 * (output - reference).abs().mean(dim=0).cpu())


def inconsistency(output: Tensor, source: Tensor) -> np.ndarray:
    """What the output, brought down, makes other than the source: (h, w, 3) uint8, at the source's size."""
    down = brought_down(output, (source.shape[1], source.shape[2]))
    return drawn(255 * (down - source).abs().mean(dim=0).cpu())


def drawn(values: Tensor) -> np.ndarray:
    """(H, W) in code values -> (H, W, 3) uint8."""
    return SHADES.round().astype(np.uint8)[_places(values, HOTTEST)]


def over(picture: np.ndarray, values: Tensor, *, hottest: float) -> np.ndarray:
    """The values' colours with the picture behind them, dark and grey, so that one sees where they are.

    picture  (H, W, 3) uint8 or uint16
    values   (H, W) in code values
    hottest  what is drawn in the last colour

    Gives (H, W, 3) uint8.
    """
    grey = picture.sum(axis=2, dtype=np.uint32) * np.float32(BEHIND * 255 / (3 * np.iinfo(picture.dtype).max))
    behind = (grey + 0.5).astype(np.uint8)
    return ((1 - BEHIND) * SHADES).astype(np.uint8)[_places(values, hottest)] + behind[..., None]


def _places(values: Tensor, hottest: float) -> np.ndarray:
    """Indices of SHADES: the root shows small values."""
    return (values / hottest).clamp_(0, 1).sqrt_().mul_(len(SHADES) - 1).round_().byte().cpu().numpy()
