"""Numbers for a clip, or for a pair of clips. `ALL` is the list of them.

A metric is called with clips of one size, (T, 3, H, W) RGB in [0, 1], and gives the mean over their frames: metric.py.
Values outside [0, 1] are clipped first, as writing a file would. An average over clips is the caller's, so that one
long clip does not speak for the others.

Against the reference:
    psnr_y, psnr_rgb, ssim_y, ms_ssim    fidelity; higher is better
    lpips, lpips_vgg                     how different it looks; lower is better
    feature_distance                     the same by a number of our own, where LPIPS's weights are missing
    tof, tlp, tres, temporal_error       how differently it moves, changes, flickers; lower is better
    warping_error                        what the reference's motion does not explain; beside the reference's own
    vmaf, vmaf_neg                       libvmaf's; secondary
Against the source that the output was made from:
    consistency                          does it, brought down, give the source again; higher is better
    flicker                              what the source's motion does not explain
Of the output alone, all secondary:
    sharpness, noise, blockiness, niqe

Sets of clips: distribution.py.
"""

from vidgan.metrics.fidelity import consistency, ms_ssim, psnr_rgb, psnr_y, ssim_y
from vidgan.metrics.metric import Against, Metric, mean
from vidgan.metrics.niqe import niqe
from vidgan.metrics.perceptual import feature_distance, lpips, lpips_vgg, tlp
from vidgan.metrics.picture import Picture, pictures
from vidgan.metrics.single import blockiness, noise, sharpness
from vidgan.metrics.temporal import flicker, temporal_error, tof, tres, warping_error
from vidgan.metrics.vmaf import vmaf, vmaf_neg

ALL = (
    *(psnr_y, psnr_rgb, ssim_y, ms_ssim),
    *(lpips, lpips_vgg, feature_distance, vmaf_neg, vmaf),
    *(tof, tlp, tres, temporal_error, warping_error),
    *(consistency, flicker),
    *(sharpness, noise, blockiness, niqe),
)  # in the order in which tables show them

__all__ = [
    "ALL",
    "Against",
    "Metric",
    "Picture",
    "blockiness",
    "consistency",
    "feature_distance",
    "flicker",
    "lpips",
    "lpips_vgg",
    "mean",
    "ms_ssim",
    "niqe",
    "noise",
    "pictures",
    "psnr_rgb",
    "psnr_y",
    "sharpness",
    "ssim_y",
    "temporal_error",
    "tlp",
    "tof",
    "tres",
    "vmaf",
    "vmaf_neg",
    "warping_error",
]
