"""How far two sets of pictures or clips are apart as sets: does the output look like footage at all?

Such distances depend on the network whose features they are taken in, so ours carry its name and are no FID, KID or
FVD: EfficientNet-Lite0's features (the extra `features`), of whole frames, or of frames with their change to the next.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vidgan.features import load_efficientnet

DRAWS = 1000  # of the bootstrap


@dataclass(frozen=True)
class Distance:
    """A kernel distance, and the interval that holds it in nineteen of twenty draws."""

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
            rows.append(torch.cat([part for tap in taps for part in (tap.mean((2, 3)), tap.std((2, 3)))], 1))
    return torch.cat(rows).double().cpu().numpy()


def motion(frames: np.ndarray) -> np.ndarray:
    """A clip's features (T, D) -> (T - 1, 2 D): each pair of neighbouring frames, as its mean and its change."""
    return np.concatenate([(frames[1:] + frames[:-1]) / 2, frames[1:] - frames[:-1]], axis=1)


def frechet_distance(one: np.ndarray, other: np.ndarray) -> float:
    """Between two sets of features (N, D) and (M, D), taken as Gaussians: |m1 - m2|^2 + tr(C1 + C2 - 2 sqrt(C1 C2)).

    Both sets need many more rows than columns: with fewer it is far too large, see kernel_distance.
    Source: Heusel et al. 2017, "GANs trained by a two time-scale update rule".
    """
    assert min(len(one), len(other)) > one.shape[1], f"{len(one)} and {len(other)} rows of {one.shape[1]}"
    (mean_one, spread_one), (mean_other, spread_other) = _moments(one), _moments(other)
    apart = mean_one - mean_other
    # The trace of sqrt(C1 C2) is the sum of the roots of its eigenvalues, which are real and not negative.
    roots = np.sqrt(np.linalg.eigvals(spread_one @ spread_other).real.clip(0))
    return float(apart @ apart + np.trace(spread_one) + np.trace(spread_other) - 2 * roots.sum())


def kernel_distance(one: np.ndarray, other: np.ndarray, *, seed: int = 0) -> Distance:
    """The squared maximum mean discrepancy between two sets (N, D), (M, D), with a bootstrap over rows.

    Unbiased: right on average for small sets too, and then sometimes below zero. Features are scaled by the other
    set's deviations first, so that no tap decides alone.
    Source: Binkowski et al. 2018, "Demystifying MMD GANs": the kernel (x.y / D + 1)^3.
    """
    assert min(len(one), len(other)) >= 2, f"{len(one)} and {len(other)} rows"
    spread = other.std(axis=0)
    spread = np.maximum(spread, np.median(spread) + 1e-6)  # a feature that hardly lives is not blown up
    one, other = (one - other.mean(axis=0)) / spread, (other - other.mean(axis=0)) / spread
    within, without, across = (_kernel(*pair) for pair in ((one, one), (other, other), (one, other)))
    rng = np.random.default_rng(seed)
    drawn = []
    for _ in range(DRAWS):
        i, j = (rng.integers(0, size, size) for size in (len(one), len(other)))
        drawn.append(_discrepancy(within[np.ix_(i, i)], without[np.ix_(j, j)], across[np.ix_(i, j)], i, j))
    value = _discrepancy(within, without, across, np.arange(len(one)), np.arange(len(other)))
    # Centred on the value: a draw repeats rows, which moves the whole bootstrap upwards.
    low, high = np.percentile(np.array(drawn) - np.mean(drawn), [2.5, 97.5]) + value
    return Distance(value, float(low), float(high))


def _moments(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return rows.mean(axis=0), np.atleast_2d(np.cov(rows.T))


def _kernel(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    kernel: np.ndarray = (one @ other.T / one.shape[1] + 1) ** 3
    return kernel


def _discrepancy(
    within: np.ndarray, without: np.ndarray, across: np.ndarray, i: np.ndarray, j: np.ndarray
) -> float:
    """From the three kernels of a draw; a row is never compared with itself, nor with its own copy."""
    sums = []
    for kernel, drawn in ((within, i), (without, j)):
        different = drawn[:, None] != drawn[None]
        sums.append((kernel * different).sum() / max(different.sum(), 1))
    return float(sums[0] + sums[1] - 2 * across.mean())
