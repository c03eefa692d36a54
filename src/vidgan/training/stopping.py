"""When to stop: longer is not better for a GAN, and one good validation is luck.

A rule over the validations of the realistic stage, each smoothed by the median of the last three. Published logs show
why: from one checkpoint to the next LPIPS scatters by 0.005 to 0.009, as much as a hundred thousand steps gain.
"""

from collections.abc import Mapping, Sequence
from statistics import median

from vidgan.recipe import Stopping

Scores = Mapping[str, float]
LOOKS = ("val_lpips", "val_features")  # measures of looks, the better first; lower is better
WATCHED = ("val_psnr_y", "val_temporal", *LOOKS)


def looks(row: Scores) -> str:
    """The name of the measure of looks that a validation has; empty where it has none."""
    return next((name for name in LOOKS if name in row), "")


def why_stop(history: Sequence[Scores], rule: Stopping) -> str:
    """Why the realistic stage should end now, in words; empty while it should go on.

    history  the validations from the end of the faithful stage on, that one first
    """
    if len(history) < 4:
        return ""
    faithful, *rows = history
    psnr = smoothed([row["val_psnr_y"] for row in rows])[-1]
    if psnr < faithful["val_psnr_y"] - rule.psnr_drop:
        return f"PSNR-Y is {faithful['val_psnr_y'] - psnr:.1f} dB below the end of the faithful stage"
    # A run may go on where another measure is at hand: only one that all have is compared.
    name = looks({name: 0.0 for name in LOOKS if all(name in row for row in history)})
    # Where nothing measures looks, flicker that grows while PSNR-Y rises is forgiven.
    gained = [row[name] if name else -row["val_psnr_y"] for row in rows]
    without = since_gain(gained, rule.gain)
    if name and without >= rule.patience:
        return f"{name.removeprefix('val_')} has not gained {rule.gain:.1%} in {without} validations"
    if all("val_temporal" in row for row in history) and 2 * without >= rule.patience:
        errors = smoothed([row["val_temporal"] for row in rows])
        rise = errors[-1] / max(min(errors), 1e-6) - 1
        if rise > rule.flicker:
            return f"the temporal error is {rise:.0%} above its best, and nothing gains"
    return ""


def keeps_to(row: Scores, faithful: Scores, rule: Stopping) -> bool:
    """Whether a validation alone is as close to the truth as the rule asks; the medians see a fall one look later."""
    return row["val_psnr_y"] >= faithful["val_psnr_y"] - rule.psnr_drop


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
