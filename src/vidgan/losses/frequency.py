"""Losses that compare spectra: they ask for fine texture where a mean over pixels is content with blur."""

import torch
from torch import Tensor


def focal_frequency(output: Tensor, target: Tensor, alpha: float = 1.0) -> Tensor:
    """Squared distance between spectra, each frequency weighted by how wrong it is (Jiang et al. 2021).

    The weight is |difference|^alpha over its greatest value in the same plane, and no gradient runs through it.
    The transform is orthonormal, so that alpha = 0 gives the mean squared error of the pixels; greater ones give
    less. Always in float32: half precision holds neither the sums nor, on most devices, the transform.

    output, target  (..., H, W), any sides
    """
    with torch.autocast(output.device.type, enabled=False):
        # The transform is linear: one of the difference stands for two.
        difference = torch.fft.fft2(output.float() - target.float(), norm="ortho")
        error = difference.real.square() + difference.imag.square()
        weight = error.detach() ** (alpha / 2)
        # Equal pictures: 0 over the smallest number is 0, not NaN.
        weight = weight / weight.amax(dim=(-2, -1), keepdim=True).clamp_min(torch.finfo(weight.dtype).tiny)
        return (weight * error).mean()
