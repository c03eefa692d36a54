"""Sensors add what was not there."""

import numpy as np
import torch
from torch import Tensor


def gaussian_noise(frames: Tensor, sigma: float, rng: np.random.Generator) -> Tensor:
    """Add white noise, new in every frame, of the given standard deviation in code values (of 255)."""
    noise = rng.standard_normal(frames.shape, dtype=np.float32) * (sigma / 255)
    return (frames + torch.from_numpy(noise).to(frames)).clamp(0, 1)
