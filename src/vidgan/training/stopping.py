"""When to stop: longer is not better for a GAN, and one good validation is luck.

A rule over the validations of the realistic stage, each smoothed by the median of the last three. Published logs show
why: from one checkpoint to the next LPIPS scatters by 0.005 to 0.009, as much as a hundred thousand steps gain.
"""

from collections.abc import Sequence
from statistics import median

from vidgan.recipe import Stopping

Scores = dict[str, float]


def why_stop(history: Sequence[Scores], rule: Stopping) -> str:
    """Why the realistic stage should end now, in words; empty while it should go on.

    history  the validations from the end of the faithful stage on, that one first
    """
    if len(history) < 4:
        return ""
    faithful, *rows = history
    name, sign = ("val_lpips", 1.0) if "val_lpips" in faithful else ("val_psnr_y", -1.0)
    psnr = smoothed([row["val_psnr_y"] for row in rows])[-1]
    if psnr < faithful["val_psnr_y"] - rule.psnr_drop:
        return f"PSNR-Y is {faithful['val_psnr_y'] - psnr:.1f} dB below the end of the faithful stage"
    without = since_gain([sign * row[name] for row in rows], rule.gain)
    if without >= rule.patience:
        return f"{name.removeprefix('val_')} has not gained {rule.gain:.1%} in {without} validations"
    return ""


def smoothed(scores: Sequence[float]) -> list[float]:
    """The median of each three in a row."""
    return [median(scores[end - 3 : end]) for end in range(3, len(scores) + 1)]


def since_gain(scores: Sequence[float], gain: float) -> int:
    """How many validations ago the smoothed score last fell by the given share of its best; lower is better."""
    best, ago = float("inf"), 0
    for score in smoothed(scores):
        if best == float("inf") or score < best - gain * abs(best):
            best, ago = score, 0
        else:
            ago += 1
    return ago
