"""What one analyser made of a video before and after it was enhanced: every finding, in every version of the video.

All boxes are in pixels of the enhanced video as it is shown. Counts follow from the findings when asked for.
Letters: M moments.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from vidgan.analysers import Finding
from vidgan.score.matching import KINDS, SIZES, Difference, differences, pairs, size
from vidgan.score.results import LANCZOS, REFERENCE

SOURCE = "source"  # as it is, at its own size
BICUBIC = "bicubic"  # what everything is held against: an enlargement that knows nothing
ENHANCED = "enhanced"
ARMS = (SOURCE, BICUBIC, LANCZOS, ENHANCED, REFERENCE)  # in the order of tables


@dataclass(frozen=True, kw_only=True)
class Search:
    """An analyser that finds things.

    findings  arm -> moment -> findings
    empty     whether it is known that there is nothing to find
    """

    name: str
    title: str
    protocol: str
    findings: Mapping[str, Sequence[Sequence[Finding]]]
    empty: bool = False

    def truth(self, moment: int) -> Sequence[Finding] | None:
        """What is there: nothing, what the reference shows, or None where nobody knows."""
        if self.empty:
            return []
        return self.findings[REFERENCE][moment] if REFERENCE in self.findings else None

    @property
    def is_judged(self) -> bool:
        return self.empty or REFERENCE in self.findings

    @property
    def arms(self) -> list[str]:
        """In the order of tables."""
        return [arm for arm in ARMS if arm in self.findings]

    @cached_property
    def differences(self) -> list[list[Difference]]:
        """Of each moment, between bicubic and the network."""
        return [
            differences(bicubic, network, self.truth(moment))
            for moment, (bicubic, network) in enumerate(
                zip(self.findings[BICUBIC], self.findings[ENHANCED], strict=True)
            )
        ]

    @cached_property
    def counts(self) -> dict[str, np.ndarray]:
        """Arm -> (M, 3): how many were found, how many of them are right, how many are there to find."""
        counted = {}
        for arm in self.arms:
            rows = []
            for moment, found in enumerate(self.findings[arm]):
                truth = self.truth(moment) or ()
                rows.append((len(found), len(pairs(found, truth)), len(truth)))
            counted[arm] = np.array(rows, np.float64).reshape(-1, 3)
        return counted

    def kinds(self, scale: float) -> np.ndarray:
        """(M, kinds, sizes): how many differences of each."""
        counted = np.zeros((len(self.differences), len(KINDS), len(SIZES)))
        for moment, found in enumerate(self.differences):
            for difference in found:
                where = KINDS.index(difference.kind), SIZES.index(size(difference.finding.box, scale))
                counted[moment, where[0], where[1]] += 1
        return counted


@dataclass(frozen=True, kw_only=True)
class Gauge:
    """An analyser that gives a number for each frame: arm -> a value for each moment, NaN where there is none."""

    name: str
    title: str
    protocol: str
    values: Mapping[str, Sequence[float]]

    @property
    def is_judged(self) -> bool:
        return REFERENCE in self.values

    @property
    def arms(self) -> list[str]:
        return [arm for arm in ARMS if arm in self.values]

    def together(self, asked: str = ENHANCED) -> np.ndarray:
        """(M, arms + 1): the values, then a 1, of moments at which all arms have one; else zeros throughout.

        asked  an arm; only where it is the source is that waited for, which may be too small to have a value
        """
        values = np.array([self.values[arm] for arm in self.arms], np.float64).T.reshape(-1, len(self.arms))
        awaited = [arm != SOURCE or asked == SOURCE for arm in self.arms]
        whole = np.concatenate([np.nan_to_num(values), np.ones((len(values), 1))], axis=1)
        whole[np.isnan(values[:, awaited]).any(axis=1)] = 0
        return whole


Study = Search | Gauge


@dataclass(frozen=True, kw_only=True)
class Sight:
    """One moment, for those who watch.

    pictures     arm -> (H, W, 3) uint8
    findings     analyser -> arm -> what it found; analysers that give numbers are not there
    differences  analyser -> between bicubic and the network
    """

    seconds: float
    pictures: Mapping[str, np.ndarray]
    findings: Mapping[str, Mapping[str, Sequence[Finding]]]
    differences: Mapping[str, Sequence[Difference]]
