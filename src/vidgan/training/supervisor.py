"""Watches a training for what it would not recover from by itself, so that nobody has to sit beside it.

It looks at each step's numbers and at each validation, and says what is wrong, if anything is. The loop then goes back
to the last good state, lowers the rates, and draws other samples; after a few tries in vain it gives up. What the
supervisor remembers is part of the run's state, so that a resumed run is judged as the whole one would have been.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from vidgan.recipe import Supervisor

QUICK, SLOW = 0.2, 0.02  # weights of a new number in the short and in the long memory
LEAST_MARGIN = 0.1  # logits
SETTLED = 50  # steps before a long memory is trusted
SLOPES = {"generator_slope": "the generator's", "discriminator_slope": "the discriminator's"}


@dataclass
class Watch:
    """What the supervisor remembers: plain numbers."""

    steps: int = 0  # watched since the last trouble
    # Of one kind of trouble: steps or validations in a row.
    streaks: dict[str, int] = field(default_factory=dict)
    means: dict[str, float] = field(default_factory=dict)  # moving, of what a step's numbers are held against


def trouble_in_step(watch: Watch, numbers: Mapping[str, float], rule: Supervisor) -> str:
    """What is wrong, in words; empty while nothing is. Remembers the numbers.

    numbers  of a step, the same in every process: losses, generator_slope, discriminator_slope, contrast, colour
    """
    watch.steps += 1
    if _streak(watch, "finite", not all(map(math.isfinite, numbers.values()))) >= rule.patience:
        wrong = ", ".join(name for name, number in numbers.items() if not math.isfinite(number))
        return f"{wrong}: not finite for {rule.patience} steps"
    for name, whose in SLOPES.items():
        if name in numbers and (words := _exploding(watch, name, numbers[name], rule)):
            return f"{whose} gradient is {words}"
    return _collapsed(watch, numbers, rule)


def _exploding(watch: Watch, name: str, slope: float, rule: Supervisor) -> str:
    if not math.isfinite(slope) or slope == 0:  # the scaler's search for a scale
        return ""
    usual = watch.means.setdefault(name, math.log(slope + 1e-12))
    settled = watch.steps > SETTLED
    exploding = settled and slope > rule.explosion * math.exp(usual)
    if _streak(watch, name, exploding) >= rule.patience:
        return f"{slope / math.exp(usual):.0f} times as long as usual for {rule.patience} steps"
    if not exploding:  # or an explosion would soon be the usual
        watch.means[name] += (SLOW if settled else QUICK) * (math.log(slope + 1e-12) - usual)
    return ""


def _collapsed(watch: Watch, numbers: Mapping[str, float], rule: Supervisor) -> str:
    for name, expected in (("contrast", 1.0), ("colour", 0.0)):
        number = numbers.get(name, expected)
        if math.isfinite(number):
            mean = watch.means.setdefault(name, number)
            watch.means[name] += QUICK * (number - mean)
    contrast, colour = watch.means.get("contrast", 1.0), watch.means.get("colour", 0.0)
    low, high = rule.contrast
    if _streak(watch, "contrast", not low <= contrast <= high) >= rule.patience:
        return f"made frames have {contrast:.2f} times the contrast of real ones"
    if _streak(watch, "colour", colour > rule.colour) >= rule.patience:
        return f"the colours of made frames have drifted by {colour * 255:.0f} code values"
    return ""


def trouble_in_validation(watch: Watch, row: Mapping[str, float], rule: Supervisor) -> str:
    """As trouble_in_step, of a validation's row: has the discriminator learnt its training clips by heart?"""
    share = row.get("val_overfit", 0.0)
    if _streak(watch, "overfit", share > rule.overfit) >= 3:
        return f"the discriminator knows its training clips: of what it sees in them, held-out ones lack {share:.0%}"
    return ""


def overfit(margin: float, held_out_margin: float) -> float | None:
    """How much of the discriminator's margin, real over made, is gone on clips that it has never seen.

    0: it judges them as those of training; 1: it does not tell them apart at all. None where it hardly tells those of
    training. In the manner of r_v of Karras et al. 2020, "Training Generative Adversarial Networks with Limited Data",
    for a game of differences, whose logits by themselves mean nothing.
    """
    return 1 - held_out_margin / margin if margin > LEAST_MARGIN else None


def calm(watch: Watch) -> bool:
    """Whether nothing is suspected just now: only then is a state worth going back to."""
    return not any(count for name, count in watch.streaks.items() if name != "overfit")


def _streak(watch: Watch, name: str, wrong: bool) -> int:
    watch.streaks[name] = watch.streaks.get(name, 0) + 1 if wrong else 0
    return watch.streaks[name]
