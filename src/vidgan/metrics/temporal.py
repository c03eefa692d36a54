"""How the output moves and flickers beside the target: tOF, tRes, warping error, flicker, a plain temporal error.

All but the last need optical flow, which OpenCV holds: the extra `metrics`.
Compare their values only where resolution, frame rate and flow are the same; across papers they are not.
"""

import math
from functools import partial

import numpy as np
from torch import Tensor

from vidgan import opencv
from vidgan.metrics.flow import FARNEBACK, Motion, fetch
from vidgan.metrics.metric import Against, Metric
from vidgan.metrics.picture import BT601, Picture


def _tof(output: Picture, target: Picture | None) -> float:
    assert target is not None
    if output.before is None or target.before is None:
        return math.nan
    apart = _centre(output.moved("there") - target.moved("there"))
    return float(np.linalg.norm(apart, axis=-1).mean())


def _tres(output: Picture, target: Picture | None) -> float:
    """The error is e = 255 (output - target): the mean of |e_now(x) - e_before(x + flow)| over colours and over
    what is seen in both frames. An error that travels with the picture costs nothing, so blur is not rewarded."""
    assert target is not None
    if output.before is None or target.before is None:
        return math.nan
    now, before = output.rgb - target.rgb, output.before.rgb - target.before.rgb
    return 255 * _mean_seen(_residual(now, before, target.motion).abs().mean(dim=0), target.motion)


def _warping_error(output: Picture, target: Picture | None) -> float:
    assert target is not None
    if output.before is None or target.before is None:
        return math.nan
    left = _residual(output.rgb, output.before.rgb, target.motion)
    return 1000 * _mean_seen(left.square().mean(dim=0), target.motion)


def _flicker(output: Picture, source: Picture | None) -> float:
    assert source is not None
    if output.before is None or source.before is None:
        return math.nan
    motion = source.motion.scaled(*output.size)
    left = _residual(_luma(output.rgb), _luma(output.before.rgb), motion)
    return math.sqrt(_mean_seen(left[0].square(), motion))


def _temporal_error(output: Picture, target: Picture | None) -> float:
    assert target is not None
    if output.before is None or target.before is None:
        return math.nan
    change, should = output.rgb - output.before.rgb, target.rgb - target.before.rgb
    return 255 * float((change - should).abs().mean())


def _residual(now: Tensor, before: Tensor, motion: Motion) -> Tensor:
    """(C, H, W): what of the new picture the moved old one does not explain."""
    return now.cpu() - fetch(before.cpu(), motion.back)


def _mean_seen(values: Tensor, motion: Motion) -> float:
    """(H, W) -> the mean over what is seen; NaN where nothing is left, as when everything changed at once."""
    count = int(motion.seen.sum())
    return float((values * motion.seen).sum()) / count if count else math.nan


def _luma(rgb: Tensor) -> Tensor:
    """(3, H, W) -> (1, H, W) in code values."""
    return (rgb.cpu() * rgb.new_tensor(BT601, device="cpu").view(3, 1, 1)).sum(dim=0, keepdim=True)


def _centre(image: np.ndarray) -> np.ndarray:
    """TecoGAN's crop_8x8: the largest centred window of 32-pixel blocks that leaves 8 pixels each side."""
    height, width = image.shape[:2]
    assert min(height, width) >= tof.smallest, f"tOF needs sides of 48 pixels or more, not {width}x{height}"
    high, wide = ((side - 16) // 32 * 32 for side in (height, width))
    top, left = (height - high) // 2, (width - wide) // 2
    return image[top : top + high, left : left + wide]


_OPENCV = partial(opencv.load, "metrics")
_FLOW = f"Farneback{FARNEBACK}"
_SEEN = "over pixels that the flow leads back from (Sundaram et al. 2010)"

tof = Metric(
    name="tof",
    title="tOF, pixels",
    of_frame=_tof,
    temporal=True,
    needs=_OPENCV,
    flows=("there",),
    own_flow=True,
    smallest=48,
    protocol=f"Chu et al. 2020: mean distance between the output's flow and the reference's, {_FLOW}, 8-bit grey, "
    "a centred window of 32-pixel blocks",
)
tres = Metric(
    name="tres",
    title="tRes, code values",
    of_frame=_tres,
    needs=_OPENCV,
    flows=("there", "back"),
    temporal=True,
    smallest=16,
    protocol=f"mean |change of the error along the reference's motion|, {_FLOW}, {_SEEN}",
)
warping_error = Metric(
    name="warping_error",
    title="warping error, 1e-3",
    of_frame=_warping_error,
    needs=_OPENCV,
    flows=("there", "back"),
    better="",
    temporal=True,
    secondary=True,
    of_itself=True,
    smallest=16,
    protocol=f"Lai et al. 2018: mean squared difference along the reference's motion, RGB in [0, 1], {_FLOW}, {_SEEN}; "
    "blur lowers it, so it is read beside the reference's own",
)
flicker = Metric(
    name="flicker",
    title="flicker, code values",
    of_frame=_flicker,
    needs=_OPENCV,
    flows=("there", "back"),
    better="",
    against=Against.SOURCE,
    temporal=True,
    secondary=True,
    smallest=16,
    protocol=f"root mean square of what the source's motion does not explain of the change of luma, {_FLOW}, {_SEEN}; "
    "blur lowers it, so it is read beside Lanczos's",
)
temporal_error = Metric(
    name="temporal_error",
    title="temporal error, code values",
    of_frame=_temporal_error,
    temporal=True,
    protocol="mean difference between the output's and the reference's changes from frame to frame; "
    "errors that stand still while the picture moves count as flicker does",
)
