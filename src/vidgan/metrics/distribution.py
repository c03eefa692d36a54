"""How far two sets of pictures or clips are apart as sets: does the output look like footage at all?

Such distances depend on the network whose features they are taken in, so ours carry its name and are no FID, KID or
FVD: EfficientNet-Lite0's features (the extra `features`), of whole frames, or of frames with their change to the next.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vidgan.features import load_efficientnet

DRAWS = 1000  # of the bootstrap
LEAST_CLIPS = 3


@dataclass(frozen=True)
class Distance:
    """A kernel distance, and its 95 % bootstrap interval over clips: a rough one where clips are few."""

    value: float
    low: float
    high: float


def frame_features(clip: Tensor) -> np.ndarray:
    """(T, 3, H, W) in [0, 1] -> (T, D): the mean and the deviation over space of each tap, one row a frame."""
    network = load_efficientnet(clip.device)
    with torch.inference_mode(), torch.autocast(clip.device.type, enabled=False):
        rows = []
        for frame in clip.float().clamp(0, 1).split(1):
            taps = network.features(frame)
            rows.append(torch.cat([part for tap in taps for part in (tap.mean((2, 3)), _deviation(tap))], 1))
    return torch.cat(rows).double().cpu().numpy()


def _deviation(tap: Tensor) -> Tensor:
    """Over space; none where a small picture has left a single place."""
    return tap.std((2, 3)) if tap[0, 0].numel() > 1 else torch.zeros_like(tap[..., 0, 0])


def motion(frames: np.ndarray, begins: Sequence[bool]) -> np.ndarray:
    """A clip's features (T, D) -> (pairs, 2 D): two neighbouring frames of one shot, as mean and change.

    begins  of each frame, whether a shot begins with it: what changes at a cut would drown all motion
    """
    pairs = np.concatenate([(frames[1:] + frames[:-1]) / 2, frames[1:] - frames[:-1]], axis=1)
    return pairs[~np.array(begins[1:], bool)]


def kernel_distance(made: Sequence[np.ndarray], true: Sequence[np.ndarray]) -> Distance:
    """The squared maximum mean discrepancy between two sets of clips, with a bootstrap over clips.

    made, true  the features (T, D) of each of three clips or more; made[i] and true[i] show the same, in as many rows
    Rows of the same clip are alike and never compared, neither within a set nor across the two. So two sets of the same
    kind have a distance of zero on average, and single values can be negative. Features are first scaled by the true
    set's deviations, so that no tap decides alone.
    Source: Binkowski et al. 2018, "Demystifying MMD GANs": the kernel (x.y / D + 1)^3.
    """
    lengths = [len(clip) for clip in true]
    assert len(true) >= LEAST_CLIPS and [len(clip) for clip in made] == lengths, (
        f"{len(made)}, {len(true)} clips"
    )
    one, other = np.concatenate(made), np.concatenate(true)
    spread = other.std(axis=0)
    spread = np.maximum(spread, np.median(spread) + 1e-6)  # a feature that hardly lives is not blown up
    one, other = (one - other.mean(axis=0)) / spread, (other - other.mean(axis=0)) / spread
    terms = _kernel(one, one) + _kernel(other, other) - _kernel(one, other) - _kernel(other, one)
    edges = np.cumsum([0, *lengths[:-1]])
    sums = np.add.reduceat(np.add.reduceat(terms, edges, 0), edges, 1)  # of each pair of clips
    pairs = np.outer(lengths, lengths)
    for table in (sums, pairs):
        np.fill_diagonal(table, 0)
    rng = np.random.default_rng(0)
    drawn = []
    for times in rng.multinomial(len(true), np.full(len(true), 1 / len(true)), DRAWS):
        if np.count_nonzero(times) > 1:
            drawn.append(times @ sums @ times / (times @ pairs @ times))
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Distance(float(sums.sum() / pairs.sum()), float(low), float(high))


def _kernel(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    kernel: np.ndarray = (one @ other.T / one.shape[1] + 1) ** 3
    return kernel
