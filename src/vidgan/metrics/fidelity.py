"""How close the output is to the target, on luma: PSNR-Y and SSIM-Y.

Luma is BT.601 in limited range (16 to 235), unrounded, as the super-resolution papers have it from MATLAB's
rgb2ycbcr; the peak stays 255. A border is cut off, since every upsampler guesses there.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

BORDER = 4  # pixels cut off each side of both pictures: the scale of most comparisons, and ours

# Wang et al. 2004: an 11x11 Gaussian window of sigma 1.5, and two constants that keep a division safe.
WINDOW, SIGMA = 11, 1.5
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def psnr_y(output: Tensor, target: Tensor) -> float:
    """Peak signal-to-noise ratio in dB, taken for each frame and then averaged; infinite for equal clips.

    output, target  (T, 3, H, W) RGB in [0, 1]
    """
    error = (_luma(output) - _luma(target)).square().mean(dim=(1, 2, 3))
    return float((10 * torch.log10(255**2 / error)).mean())


def ssim_y(output: Tensor, target: Tensor) -> float:
    """Structural similarity in [-1, 1], over the places where the window fits; 1 for equal clips.

    output, target  (T, 3, H, W) RGB in [0, 1]
    Source: Wang et al. 2004, "Image quality assessment: from error visibility to structural similarity".
    """
    return sum(_ssim(*pair) for pair in zip(_luma(output), _luma(target), strict=True)) / len(output)


def _luma(clip: Tensor) -> Tensor:
    """(T, 3, H, W) in [0, 1] -> (T, 1, H - 2 BORDER, W - 2 BORDER) in [16, 235], float64."""
    assert clip.ndim == 4, f"not (T, 3, H, W): {tuple(clip.shape)}"
    assert min(clip.shape[2:]) >= WINDOW + 2 * BORDER, f"sides of {tuple(clip.shape)} are too short"
    clip = clip.detach().to("cpu", torch.float64)[..., BORDER:-BORDER, BORDER:-BORDER].clamp(0, 1)
    weights = torch.tensor([65.481, 128.553, 24.966], dtype=torch.float64).view(1, 3, 1, 1)
    return 16 + (clip * weights).sum(dim=1, keepdim=True)


def _ssim(output: Tensor, target: Tensor) -> float:
    """(1, H, W) twice -> the mean of the map."""
    steps = torch.arange(WINDOW, dtype=torch.float64) - WINDOW // 2
    taps = torch.exp(-0.5 * (steps / SIGMA) ** 2)
    taps = taps / taps.sum()
    layers = torch.stack([output, target, output * output, target * target, output * target])
    layers = F.conv2d(F.conv2d(layers, taps.view(1, 1, -1, 1)), taps.view(1, 1, 1, -1))
    mean_o, mean_t, square_o, square_t, product = layers
    variance_o, variance_t, covariance = square_o - mean_o**2, square_t - mean_t**2, product - mean_o * mean_t
    likeness = (2 * mean_o * mean_t + C1) * (2 * covariance + C2)
    return float((likeness / ((mean_o**2 + mean_t**2 + C1) * (variance_o + variance_t + C2))).mean())
