"""Which metrics are measured: what was asked for, less what cannot be measured here, with the reason."""

import difflib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from vidgan import features, metrics
from vidgan.errors import BadOption, VidganError
from vidgan.metrics import Against, Metric

# Measured unless others are asked for. The rest says less for its time: LPIPS-VGG, plain VMAF and temporal_error beside
# their better kin; NIQE, which takes longest and means least; feature_distance, which stands in where LPIPS is missing.
USUAL = (
    *("psnr_y", "psnr_rgb", "ssim_y", "ms_ssim", "lpips", "vmaf_neg"),
    *("tof", "tlp", "tres", "warping_error", "consistency", "flicker"),
    *("sharpness", "noise", "blockiness"),
)


@dataclass(frozen=True)
class Chosen:
    metrics: list[Metric]
    left_out: dict[str, str] = field(default_factory=dict)  # name -> why


def choose(words: Sequence[str] | None, *, side: int, reference: bool, source: bool) -> Chosen:
    """The metrics that can be measured, in the order of tables.

    words      what was asked for: names, "all", or None for the usual ones
    side       the shortest side of the pictures
    reference  whether there is one; and whether the source is at hand
    Raises BadOption for a name that is none, and what stands in the way of a metric that was asked for by name.
    """
    known = {metric.name: metric for metric in metrics.ALL}
    names = list(USUAL) if words is None else [word.strip().lower().replace("-", "_") for word in words]
    if names == ["all"]:
        names, words = list(known), None
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"Did you mean {near[0]}? " if near else ""
            raise BadOption(f"there is no metric {name}", f"{hint}Known are: all, {', '.join(known)}.")
    chosen, left_out = [], {}
    for name, metric in known.items():
        if name not in names:
            continue
        if reason := _missing_side(metric, reference, source):
            left_out[name] = reason
        elif side < metric.smallest:
            left_out[name] = f"needs sides of {metric.smallest} pixels, the pictures have {side}"
        elif trouble := _trouble(metric):
            if words is not None:
                raise trouble
            left_out[name] = f"{trouble.found}. {trouble.remedy}".rstrip()
        else:
            chosen.append(metric)
    if "lpips" in left_out and words is None and reference and features.has_efficientnet():
        instead = {"feature_distance"} if side >= known["feature_distance"].smallest else set()
        chosen = [metric for metric in metrics.ALL if metric in chosen or metric.name in instead]
    if not chosen:
        first = next(iter(left_out.items()), ("nothing", "no metric was named"))
        raise BadOption(f"nothing can be measured: {first[0]} {first[1]}", "Ask for other --metrics.")
    return Chosen(chosen, left_out)


def without_value(measured: Sequence[Metric], rows: Sequence[Collection[str]]) -> dict[str, str]:
    """Of metrics that were measured, those without a value, and why: a frame that follows no other has no motion.

    rows  the names of what each contender has a value of
    """
    found = {name for row in rows for name in row}
    why = "needs two frames or more of one shot"
    return {metric.name: why for metric in measured if metric.name not in found}


def _missing_side(metric: Metric, reference: bool, source: bool) -> str:
    if metric.against is Against.TARGET and not reference:
        return "needs a reference"
    if metric.against is Against.SOURCE and not source:
        return "needs the small video that the output was made from: --input"
    return ""


def _trouble(metric: Metric) -> VidganError | None:
    """Why a metric cannot be measured on this machine."""
    try:
        metric.needs()
    except VidganError as error:
        return error
    return None
