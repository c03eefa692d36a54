"""How close the output is to the target: PSNR, SSIM, MS-SSIM; and how well it explains the source it came from.

PSNR-Y and SSIM-Y look at BT.601 luma in limited range, as the super-resolution papers have it from MATLAB's
rgb2ycbcr; the peak stays 255. A border is cut off, since every upsampler guesses there.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from vidgan.metrics.metric import Against, Metric
from vidgan.metrics.picture import BORDER, BT601, Picture

NO_ERROR = 100.0  # dB: what a frame without any error counts as, so that the others still show in the mean

# Wang et al. 2004: an 11x11 Gaussian window of sigma 1.5, and two constants that keep a division safe.
WINDOW, SIGMA = 11, 1.5
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
# Wang et al. 2003: the weight of each of five scales.
SCALES = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)


def _psnr_y(output: Picture, target: Picture | None) -> float:
    assert target is not None
    return _decibels((output.luma - target.luma).square_().mean(dtype=torch.float64))


def _psnr_rgb(output: Picture, target: Picture | None) -> float:
    assert target is not None
    error = (output.rgb - target.rgb)[:, BORDER:-BORDER, BORDER:-BORDER]
    return _decibels(error.mul(255).square_().mean(dtype=torch.float64))


def psnr(output: Tensor, target: Tensor, *, luma: bool, border: int) -> float:
    """(3, H, W) in [0, 1] twice -> dB, by somebody else's protocol: on luma or over RGB, with any border."""
    height, width = output.shape[1:]
    error = (output.float() - target.float())[:, border : height - border, border : width - border]
    if luma:
        error = (error * torch.tensor(BT601).view(3, 1, 1)).sum(dim=0) / 255
    return _decibels((error * 255).square().mean(dtype=torch.float64))


def _consistency(output: Picture, source: Picture | None) -> float:
    assert source is not None
    return _decibels(((brought_down(output.rgb, source.size) - source.rgb) * 255).square().mean())


def brought_down(rgb: Tensor, size: tuple[int, int]) -> Tensor:
    """(3, H, W) -> (3, h, w) by antialiased bicubic, clipped: what a camera of the source's size would have seen."""
    if tuple(rgb.shape[1:]) == tuple(size):
        return rgb
    return F.interpolate(rgb[None], size=size, mode="bicubic", antialias=True)[0].clamp(0, 1)


def _ssim_y(output: Picture, target: Picture | None) -> float:
    assert target is not None
    structure, brightness = _likeness(output.luma, target.luma)
    return float((structure * brightness).mean(dtype=torch.float64))


def _ms_ssim(output: Picture, target: Picture | None) -> float:
    """The mean structure at five scales, each half of the last by 2x2 means, and the brightness at the last."""
    assert target is not None
    one, other, product = output.luma, target.luma, 1.0
    for scale, weight in enumerate(SCALES):
        structure, brightness = _likeness(one, other)
        last = scale == len(SCALES) - 1
        level = float((structure * brightness if last else structure).mean(dtype=torch.float64))
        product *= max(level, 0.0) ** weight
        one, other = (F.avg_pool2d(luma[None], 2)[0] for luma in (one, other))
    return product


def _likeness(output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """(H, W) twice -> SSIM's maps of structure and of brightness, where the window fits.

    Only the sum of both variances is needed, so four blurs do. 128 is taken off first: it leaves variances as
    they are, and float32 then holds them to 1e-6.
    """
    one, other = output - 128, target - 128
    mean_o, mean_t, squares, products = (
        _blurred(plane) for plane in (one, other, one * one + other * other, one * other)
    )
    variances = squares - mean_o * mean_o - mean_t * mean_t
    structure = (2 * (products - mean_o * mean_t) + C2) / (variances + C2)
    mean_o, mean_t = mean_o + 128, mean_t + 128
    return structure, (2 * mean_o * mean_t + C1) / (mean_o * mean_o + mean_t * mean_t + C1)


def _blurred(plane: Tensor) -> Tensor:
    """(H, W) -> (H - 10, W - 10). Columns as channels of a depthwise convolution, then shifted rows: a twentieth
    of the time of a plain convolution with one channel."""
    taps = _taps()
    width = plane.shape[1]
    columns = plane[None].permute(2, 0, 1)[None]  # (1, W, 1, H) in memory as (H, W)
    weight = taps.view(1, 1, 1, -1).expand(width, 1, 1, -1)
    plane = F.conv2d(columns, weight, groups=width)[0, :, 0].T
    length, middle = width - WINDOW + 1, WINDOW // 2
    blurred = plane[:, middle : middle + length] * taps[middle]
    for tap in (tap for tap in range(WINDOW) if tap != middle):
        blurred.add_(plane[:, tap : tap + length], alpha=float(taps[tap]))
    return blurred


def _taps() -> Tensor:
    steps = torch.arange(WINDOW, dtype=torch.float64) - WINDOW // 2
    taps = torch.exp(-0.5 * (steps / SIGMA) ** 2)
    return (taps / taps.sum()).float()


def _decibels(error: Tensor) -> float:
    """Of a mean squared error in code values."""
    return min(10 * math.log10(255**2 / float(error)), NO_ERROR) if error else NO_ERROR


_LUMA = f"BT.601 limited-range luma, unrounded, peak 255, border of {BORDER} pixels cut"

psnr_y = Metric(
    name="psnr_y",
    title="PSNR-Y, dB",
    of_frame=_psnr_y,
    better="higher",
    digits=2,
    smallest=2 * BORDER + 1,
    protocol=f"{_LUMA}; of each frame, at most {NO_ERROR:g} dB, then the mean over frames",
)
psnr_rgb = Metric(
    name="psnr_rgb",
    title="PSNR-RGB, dB",
    of_frame=_psnr_rgb,
    better="higher",
    digits=2,
    smallest=2 * BORDER + 1,
    protocol=f"mean squared error over the three colours, border of {BORDER} pixels cut; frames as for PSNR-Y",
)
ssim_y = Metric(
    name="ssim_y",
    title="SSIM-Y",
    of_frame=_ssim_y,
    better="higher",
    digits=4,
    smallest=WINDOW + 2 * BORDER,
    protocol=f"Wang et al. 2004: {_LUMA}; Gaussian window {WINDOW}x{WINDOW} of sigma {SIGMA}, no padding",
)
ms_ssim = Metric(
    name="ms_ssim",
    title="MS-SSIM",
    of_frame=_ms_ssim,
    better="higher",
    digits=4,
    smallest=WINDOW * 2 ** (len(SCALES) - 1) + 2 * BORDER,
    protocol=f"Wang et al. 2003: {len(SCALES)} scales by 2x2 means, weights {SCALES}; luma and window as for SSIM-Y",
)
consistency = Metric(
    name="consistency",
    title="LR consistency, dB",
    of_frame=_consistency,
    better="higher",
    digits=2,
    against=Against.SOURCE,
    protocol="the output, brought down to the source's size by antialiased bicubic, against the source: PSNR over RGB",
)
