"""Numbers over a picture's pixels as colours: black through purple and orange to pale yellow."""

import numpy as np
import torch
from torch import Tensor

from vidgan.metrics.fidelity import brought_down

# Evenly spaced; brightness rises all the way, so that it reads in grey as well.
COLOURS = np.array(
    [(0, 0, 4), (60, 15, 110), (140, 41, 129), (222, 73, 104), (254, 159, 109), (252, 253, 191)]
)
HOTTEST = 64.0  # code values that are drawn in the last colour


def difference(output: Tensor, reference: Tensor) -> np.ndarray:
    """(3, H, W) in [0, 1] twice -> (H, W, 3) uint8: the mean of the colours' absolute differences."""
    return drawn(255 * (output - reference).abs().mean(dim=0).cpu())


def inconsistency(output: Tensor, source: Tensor) -> np.ndarray:
    """What the output, brought down, makes other than the source: (h, w, 3) uint8, at the source's size."""
    down = brought_down(output, (source.shape[1], source.shape[2]))
    return drawn(255 * (down - source).abs().mean(dim=0).cpu())


def drawn(values: Tensor) -> np.ndarray:
    """(H, W) in code values -> (H, W, 3) uint8."""
    place = (values / HOTTEST).clamp(0, 1).sqrt() * (len(COLOURS) - 1)  # the root shows small errors
    low = place.floor().clamp(max=len(COLOURS) - 2).long()
    share = (place - low)[..., None]
    colours = torch.from_numpy(COLOURS).float()
    mixed = colours[low] * (1 - share) + colours[low + 1] * share
    return mixed.round().byte().numpy()
