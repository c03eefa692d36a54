"""Did enhancing help those who analyse the video? Figures with intervals, and all that was found, as JSON and CSV.

Letters: K counts.
"""

import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from vidgan.analysers import Finding
from vidgan.geometry import Map
from vidgan.score.blocks import estimate, share
from vidgan.score.evaluation import Interval
from vidgan.score.helped import PER, Verdict, f1, sentence, verdict
from vidgan.score.matching import KINDS, SIZES, pairs, size
from vidgan.score.results import REFERENCE, SCHEMA, versions
from vidgan.score.studies import BICUBIC, Gauge, Search, Study


@dataclass(frozen=True, kw_only=True)
class Impact:
    """Of one pair of videos, or of several pooled.

    way      from the source, as stored, to the enhanced video, as shown
    seconds  of each moment, from the first frame
    block    which block of the bootstrap each moment lies in
    """

    source: str
    enhanced: str
    reference: str | None
    way: Map
    seconds: Sequence[float]
    block: Sequence[int]
    studies: Sequence[Study]
    protocol: Mapping[str, str]
    left_out: Mapping[str, str] = field(default_factory=dict)

    @property
    def scale(self) -> float:
        """Pixels of the enhanced video for one of the source, each way."""
        (a, b, _), (d, e, _) = self.way.matrix
        return math.sqrt(abs(a * e - b * d))

    @property
    def num_blocks(self) -> int:
        return len(set(self.block))

    def verdict(self, study: Study) -> Verdict:
        return verdict(study, self.block, num_studies=len(self.studies))

    @property
    def sentence(self) -> str:
        """The verdict on all analysers together."""
        return sentence([(study.title, self.verdict(study)) for study in self.studies], self.num_blocks)

    def found(self, study: Search, arm: str) -> Interval | None:
        """Findings per frame."""
        counts = np.concatenate([study.counts[arm], np.ones((len(self.seconds), 1))], axis=1)
        return estimate(counts, self.block, lambda sums: share(sums[..., 0], sums[..., 3]))

    def agreement(self, study: Search, arm: str) -> dict[str, Interval | None]:
        """F1, recall, precision against the reference, and false alarms in PER frames."""
        counts = np.concatenate([study.counts[arm], np.ones((len(self.seconds), 1))], axis=1)
        figures = {
            "f1": lambda sums: f1(sums[..., :3]),
            "recall": lambda sums: share(sums[..., 1], sums[..., 2]),
            "precision": lambda sums: share(sums[..., 1], sums[..., 0]),
            "false_alarms": lambda sums: PER * share(sums[..., 0] - sums[..., 1], sums[..., 3]),
        }
        return {name: estimate(counts, self.block, figure) for name, figure in figures.items()}

    def recovered(self, study: Study, arm: str) -> Interval | None:
        """(arm - bicubic) / (reference - bicubic): 0 is bicubic, 1 the reference, below 0 is harm.

        Of F1 where things are found: the reference's own is 1. Of the mean where numbers are given.
        """
        if REFERENCE not in study.arms:
            return None
        if isinstance(study, Search):
            if study.empty:
                return None
            counts = np.concatenate([study.counts[arm], study.counts[BICUBIC]], axis=1)

            def of_search(sums: np.ndarray) -> np.ndarray:
                ours, base = f1(sums[..., :3]), f1(sums[..., 3:])
                return share(ours - base, 1 - base)

            return estimate(counts, self.block, of_search)
        ours, base, best = (study.arms.index(name) for name in (arm, BICUBIC, REFERENCE))
        return estimate(
            study.together(arm),
            self.block,
            lambda sums: share(sums[..., ours] - sums[..., base], sums[..., best] - sums[..., base]),
        )

    def mean(self, study: Gauge, arm: str) -> Interval | None:
        """Over the moments at which all arms have a value; only the source's own waits for that of the source."""
        index = study.arms.index(arm)
        return estimate(study.together(arm), self.block, lambda sums: share(sums[..., index], sums[..., -1]))

    def rates(self, study: Search) -> dict[str, dict[str, Interval | None]]:
        """Kind of difference -> "all", small, medium, large -> so many in PER frames."""
        counted = study.kinds(self.scale)
        ones = np.ones(len(counted))
        rates: dict[str, dict[str, Interval | None]] = {}
        for number, kind in enumerate(KINDS):
            of_kind = counted[:, number]
            columns = {"all": of_kind.sum(axis=1), **dict(zip(SIZES, of_kind.T, strict=True))}
            rates[kind] = {
                name: estimate(
                    np.stack([column, ones], axis=1),
                    self.block,
                    lambda sums: PER * share(sums[..., 0], sums[..., 1]),
                )
                for name, column in columns.items()
            }
        return rates

    def as_json(self) -> dict[str, Any]:
        """Plain data; boxes on the enhanced video and in the source."""
        return {
            "schema": SCHEMA,
            "source": self.source,
            "enhanced": self.enhanced,
            "reference": self.reference,
            "frames": len(self.seconds),
            "blocks": self.num_blocks,
            "size": [self.way.width, self.way.height],
            "verdict": self.sentence,
            "protocol": dict(self.protocol),
            "versions": versions(),
            "left_out": dict(self.left_out),
            "analysers": [
                {
                    "name": study.name,
                    "title": study.title,
                    "protocol": study.protocol,
                    "verdict": _verdict(self.verdict(study)),
                    "arms": {arm: self._arm(study, arm) for arm in study.arms},
                    **(self._differences(study) if isinstance(study, Search) else {}),
                }
                for study in self.studies
            ],
        }

    def _arm(self, study: Study, arm: str) -> dict[str, Any]:
        if isinstance(study, Gauge):
            figures: dict[str, Interval | None] = {"mean": self.mean(study, arm)}
        else:
            figures = {"found": self.found(study, arm)}
            figures |= self.agreement(study, arm) if study.is_judged else {}
        figures["recovered"] = self.recovered(study, arm)
        return {name: _interval(value) for name, value in figures.items()}

    def _differences(self, study: Search) -> dict[str, Any]:
        rates = {
            kind: {name: _interval(rate) for name, rate in row.items()}
            for kind, row in self.rates(study).items()
        }
        listed = [
            {
                "seconds": round(second, 6),
                "kind": difference.kind,
                "size": size(difference.finding.box, self.scale),
                "label": difference.finding.label,
                "score": round(difference.finding.score, 6),
                "box": _rounded(difference.finding.box),
                "source_box": _rounded(self.in_source(difference.finding)),
            }
            for second, found in zip(self.seconds, study.differences, strict=True)
            for difference in found
        ]
        return {f"in_{PER}_frames": rates, "differences": listed}

    def in_source(self, finding: Finding) -> tuple[float, ...]:
        """The box in pixels of the source as stored."""
        return tuple(self.way.inverse().boxes(np.array([finding.box]))[0])

    def as_csv(self) -> str:
        """A line for each finding, and for each number."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        sides = ("left", "top", "right", "bottom")
        writer.writerow(
            ["seconds", "analyser", "arm", "correct", "value", "label", "size", *sides]
            + [f"source_{side}" for side in sides]
        )
        for study in self.studies:
            writer.writerows(self._lines(study))
        return text.getvalue()

    def _lines(self, study: Study) -> Iterator[list[object]]:
        for arm in study.arms:
            for moment, second in enumerate(self.seconds):
                start = [f"{second:.6f}", study.name, arm]
                if isinstance(study, Gauge):
                    value = study.values[arm][moment]
                    if not math.isnan(value):
                        yield [*start, "", f"{value:.6g}", *[""] * 10]
                    continue
                found, truth = study.findings[arm][moment], study.truth(moment)
                right = pairs(found, truth or ())
                for index, finding in enumerate(found):
                    judged = "" if truth is None else int(index in right)
                    yield [
                        *(*start, judged, f"{finding.score:.6g}", finding.label),
                        *(size(finding.box, self.scale), *_rounded(finding.box)),
                        *_rounded(self.in_source(finding)),
                    ]


def pooled(several: Sequence[Impact], name: str) -> Impact:
    """Several clips as one: their blocks stay apart. All of one scale, with the same analysers, in the same order."""
    first = several[0]
    offsets = np.cumsum([0, *(max(found.block) + 1 for found in several)])
    studies = [_joined([found.studies[index] for found in several]) for index in range(len(first.studies))]
    return Impact(
        source=name,
        enhanced=name,
        reference=first.reference and name,
        way=first.way,
        seconds=[second for found in several for second in found.seconds],
        block=[
            number + int(offset)
            for found, offset in zip(several, offsets, strict=False)
            for number in found.block
        ],
        studies=studies,
        protocol=first.protocol,
        left_out=first.left_out,
    )


def _joined(studies: Sequence[Study]) -> Study:
    first = studies[0]
    if isinstance(first, Gauge):
        values = {
            arm: [value for study in studies if isinstance(study, Gauge) for value in study.values[arm]]
            for arm in first.arms
        }
        return Gauge(name=first.name, title=first.title, protocol=first.protocol, values=values)
    findings = {
        arm: [found for study in studies if isinstance(study, Search) for found in study.findings[arm]]
        for arm in first.arms
    }
    return Search(
        name=first.name,
        title=first.title,
        protocol=first.protocol,
        findings=findings,
        empty=first.empty,
    )


def _rounded(box: Sequence[float]) -> list[float]:
    return [round(float(side), 2) for side in box]


def _interval(value: Interval | None) -> dict[str, float | None] | None:
    if value is None:
        return None
    return {name: None if end is None else round(end, 6) for name, end in asdict(value).items()}


def _verdict(found: Verdict) -> dict[str, Any]:
    return {**asdict(found), "difference": _interval(found.difference)}
