"""Sensors add what was not there."""

import numpy as np
import torch
from torch import Tensor

Sigma = float | np.ndarray  # of the noise, in code values of 255; or one a frame, (T,)
MIDDLE = 128.0  # the code value at which poisson_noise has its sigma


def gaussian_noise(frames: Tensor, sigma: Sigma, rng: np.random.Generator, *, grey: bool = False) -> Tensor:
    """Add white noise, new in every frame; in [0, 1].

    sigma  standard deviation in code values of 255; or one a frame, (T,)
    grey   the same in all three colours
    """
    noise = rng.standard_normal(_shape(frames, grey), dtype=np.float32)
    return (frames + torch.from_numpy(noise * (_per_frame(sigma) / 255)).to(frames)).clamp(0, 1)


def poisson_noise(frames: Tensor, sigma: Sigma, rng: np.random.Generator, *, grey: bool = False) -> Tensor:
    """Photon noise, new in every frame; in [0, 1]. Its variance grows with the light, as a sensor's does.

    sigma  standard deviation at mid grey, in code values of 255; or one a frame, (T,)
    grey   the noise of the brightness, the same in all three colours
    """
    light = frames.mean(1, keepdim=True) if grey else frames
    gain = np.maximum(_per_frame(sigma), 1e-3) ** 2 / MIDDLE  # code values per photon
    photons = light.clamp(0, 1).cpu().double().numpy() * 255 / gain
    noise = (rng.poisson(photons) - photons) * gain / 255
    return (frames + torch.from_numpy(noise).to(frames)).clamp(0, 1)


def _shape(frames: Tensor, grey: bool) -> tuple[int, ...]:
    return (len(frames), 1, *frames.shape[2:]) if grey else tuple(frames.shape)


def _per_frame(sigma: Sigma) -> np.ndarray:
    """(T, 1, 1, 1), or of no dimension where all frames share one."""
    found = np.asarray(sigma, np.float32)
    return found.reshape(-1, 1, 1, 1) if found.ndim else found
