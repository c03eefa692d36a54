"""Numbers for a pair of clips: (output, target) -> float. `__all__` is the list of them.

Every metric takes two clips of one size, (T, 3, H, W) RGB in [0, 1], and gives the mean over their frames (or
over their pairs of neighbouring frames). Values outside [0, 1] are clipped first, as writing a file would. An
average over clips is the caller's, so that one long clip does not speak for the others.

    psnr_y, ssim_y   fidelity; higher is better
    lpips            how different it looks; lower is better
    feature_distance the same by a number of our own, where LPIPS's weights are missing; lower is better
    tof              how differently it moves; lower is better
    tres             how much its errors flicker; lower is better
    tlp              how differently it changes, as LPIPS sees it; lower is better
    temporal_error   the same, pixel by pixel; lower is better
"""

from vidgan.metrics.fidelity import psnr_y, ssim_y
from vidgan.metrics.perceptual import feature_distance, lpips
from vidgan.metrics.temporal import temporal_error, tlp, tof, tres

__all__ = ["feature_distance", "lpips", "psnr_y", "ssim_y", "temporal_error", "tlp", "tof", "tres"]
