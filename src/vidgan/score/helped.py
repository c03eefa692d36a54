"""Did it help? A verdict for each analyser, and one sentence for all, which may well be that it did not.

A difference counts where its interval excludes zero; intervals are wider the more analysers are asked, so that one of
many does not help by chance (Bonferroni's correction).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from vidgan.score.blocks import FEWEST, Figure, estimate, share
from vidgan.score.evaluation import CONFIDENCE, Interval
from vidgan.score.results import LANCZOS, REFERENCE
from vidgan.score.studies import BICUBIC, ENHANCED, SOURCE, Gauge, Search, Study

PER = 100  # frames: what is rare is told as so many in that many
Outcome = Literal["helped", "harmed", "same", "short", "nothing", "unknown"]
SAID: dict[Outcome, str] = {
    "helped": "it helped",
    "harmed": "it harmed",
    "same": "it did not help",
    "short": "too little footage to tell",
    "nothing": "nothing was found",
    "unknown": "nobody can tell",
}


@dataclass(frozen=True)
class Verdict:
    """The verdict on one analyser.

    figure      what was compared, in words
    difference  the network's figure minus bicubic's; None where nothing was compared
    """

    outcome: Outcome
    words: str
    figure: str = ""
    difference: Interval | None = None


def verdict(study: Study, block: Sequence[int], *, num_studies: int) -> Verdict:
    """On one of so many analysers.

    block  which block of the bootstrap each moment lies in
    """
    if not study.is_judged:
        return _unjudged(study)
    judge = _Judge(block, 1 - (1 - CONFIDENCE) / max(num_studies, 1))
    if isinstance(study, Gauge):
        return _of_gauge(study, judge)
    ours, base = study.counts[ENHANCED], study.counts[BICUBIC]
    if not ours[:, 2].sum():
        return _of_alarms(study, judge)
    found = judge.estimate(
        np.concatenate([ours, base], axis=1), lambda sums: f1(sums[..., :3]) - f1(sums[..., 3:])
    )
    values = {arm: float(f1(study.counts[arm].sum(axis=0))) for arm in (ENHANCED, BICUBIC, LANCZOS)}
    words = f"F1 {values[ENHANCED]:.3f}, after bicubic {values[BICUBIC]:.3f}"
    outcome = judge.outcome(found)
    if outcome == "helped" and values[LANCZOS] >= values[ENHANCED]:
        return Verdict("same", f"{words}, but Lanczos does as well with {values[LANCZOS]:.3f}", "F1", found)
    return Verdict(outcome, words, "F1", found)


def sentence(verdicts: Sequence[tuple[str, Verdict]], num_blocks: int) -> str:
    """On all analysers, by their titles."""
    titles: dict[Outcome, list[str]] = {}
    for title, found in verdicts:
        titles.setdefault(found.outcome, []).append(title)
    parts = []
    if "helped" in titles:
        parts.append(f"It helped: better than bicubic for {_list(titles['helped'])}")
    elif titles.keys() & {"harmed", "same"}:
        parts.append("It did not help")
    told = {
        "harmed": "worse than bicubic for {}",
        "same": "no difference that this footage shows for {}",
        "short": f"too little footage to tell for {{}} ({num_blocks} of the {FEWEST} seconds that are needed)",
        "nothing": "nothing was found for {}",
        "unknown": "without a reference nobody can tell for {}: to find more is not better",
    }
    parts += [words.format(_list(titles[kind])) for kind, words in told.items() if kind in titles]
    words = "; ".join(parts) or "Nothing looked"
    return f"{words[0].upper()}{words[1:]}."


@dataclass(frozen=True)
class _Judge:
    block: Sequence[int]
    confidence: float

    @property
    def is_short(self) -> bool:
        return len(set(self.block)) < FEWEST

    def estimate(self, counts: np.ndarray, figure: Figure) -> Interval | None:
        return estimate(counts, self.block, figure, confidence=self.confidence)

    def outcome(self, difference: Interval | None, *, less_is_better: bool = False) -> Outcome:
        if difference is None:
            return "nothing"
        if self.is_short or difference.low is None or difference.high is None:
            return "short"
        low, high = difference.low, difference.high
        if less_is_better:
            low, high = -high, -low
        return "helped" if low > 0 else "harmed" if high < 0 else "same"


def f1(sums: np.ndarray) -> np.ndarray:
    """(..., 3) found, right, there -> (...)"""
    return share(2 * sums[..., 1], sums[..., 0] + sums[..., 2])


def _of_alarms(study: Search, judge: _Judge) -> Verdict:
    """There is nothing to find: whatever is found is a false alarm."""
    ours, base = study.counts[ENHANCED][:, 0], study.counts[BICUBIC][:, 0]
    if not ours.sum() and not base.sum():
        outcome: Outcome = "nothing" if not study.empty else "short" if judge.is_short else "same"
        return Verdict(outcome, "nothing there, and nothing found")
    counts = np.stack([ours, base, np.ones(len(ours))], axis=1)
    found = judge.estimate(counts, lambda sums: PER * share(sums[..., 0] - sums[..., 1], sums[..., 2]))
    frames = len(ours) / PER
    words = f"{ours.sum() / frames:.1f} false alarms in {PER} frames, after bicubic {base.sum() / frames:.1f}"
    return Verdict(judge.outcome(found, less_is_better=True), words, "false alarms", found)


def _of_gauge(study: Gauge, judge: _Judge) -> Verdict:
    """Nearer to the reference's number, frame by frame, is better."""
    whole = study.together()
    ours, base, best = (whole[:, study.arms.index(arm)] for arm in (ENHANCED, BICUBIC, REFERENCE))
    there = whole[:, -1]
    counts = np.stack([abs(ours - best), abs(base - best), there], axis=1)
    found = judge.estimate(counts, lambda sums: share(sums[..., 0] - sums[..., 1], sums[..., 2]))
    if found is None:
        return Verdict("nothing", "no frame has a value in all versions")
    near, far, number = counts.sum(axis=0)
    words = f"{near / number:.3f} from the reference's value, after bicubic {far / number:.3f}"
    return Verdict(judge.outcome(found, less_is_better=True), words, "distance", found)


def _unjudged(study: Study) -> Verdict:
    if isinstance(study, Gauge):
        sums = study.together().sum(axis=0)
        ours, base, number = sums[study.arms.index(ENHANCED)], sums[study.arms.index(BICUBIC)], sums[-1]
        if not number:
            return Verdict("nothing", "no frame has a value in all versions")
        return Verdict("unknown", f"mean {ours / number:.3f}, after bicubic {base / number:.3f}")
    found, before = (int(study.counts[arm][:, 0].sum()) for arm in (ENHANCED, BICUBIC))
    if not found and not before:
        words = "nothing found, neither after bicubic nor after the network"
        seen = int(study.counts[SOURCE][:, 0].sum()) if SOURCE in study.counts else 0
        # As of a face that was turned on its side.
        return Verdict("nothing", f"{words}; {seen} in the source as it is" if seen else words)
    return Verdict("unknown", f"{found} found, after bicubic {before}")


def _list(titles: list[str]) -> str:
    return titles[0] if len(titles) == 1 else f"{', '.join(titles[:-1])} and {titles[-1]}"
