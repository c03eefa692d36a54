"""Numbers for a pair of clips: (output, target) -> float. `__all__` is the list of them.

Every metric takes two clips of one size, (T, 3, H, W) RGB in [0, 1], and gives the mean over their frames (or
over their pairs of neighbouring frames). Values outside [0, 1] are clipped first, as writing a file would. An
average over clips is the caller's, so that one long clip does not speak for the others.

    psnr_y, ssim_y   fidelity; higher is better
    lpips            how different it looks; lower is better
    tof              how differently it moves; lower is better
    tres             how much its errors flicker; lower is better
"""

from vidgan.metrics.fidelity import psnr_y, ssim_y
from vidgan.metrics.perceptual import lpips
from vidgan.metrics.temporal import tof, tres

__all__ = ["lpips", "psnr_y", "ssim_y", "tof", "tres"]
