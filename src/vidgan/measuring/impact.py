"""A stream of moments past the analysers: memory does not grow with the videos' length, but for what is found."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from vidgan.analysers import Finding, Look
from vidgan.errors import BadAnalyser, BadOption
from vidgan.measuring.arms import Stage
from vidgan.measuring.lookers import Looker
from vidgan.measuring.moments import Join
from vidgan.score import BICUBIC, ENHANCED, REFERENCE, Gauge, Search, Sight, Study
from vidgan.score.matching import Difference, differences


@dataclass
class _Notes:
    """What one analyser said so far: arm -> moments."""

    looker: Looker
    looks: dict[str, Look]
    empty: bool  # whether it is known that there is nothing to find
    findings: dict[str, list[list[Finding]]] = field(default_factory=dict)
    values: dict[str, list[float]] = field(default_factory=dict)

    def look(self, stage: Stage, arm: str, pixels: np.ndarray) -> None:
        said = self.looks[arm](pixels)
        if isinstance(said, float):
            if self.empty:
                raise BadOption(
                    f"--empty {self.looker.name}: it gives numbers, and finds nothing anywhere",
                    "Leave it out.",
                )
            self.values.setdefault(arm, []).append(said)
        else:
            self.findings.setdefault(arm, []).append(stage.placed(arm, said))
        if self.values and self.findings:
            raise BadAnalyser(
                f"{self.looker.name} gave numbers for some pictures and boxes for others",
                "Give one kind only.",
            )

    def study(self) -> Study:
        told = self.looker
        if self.values:
            return Gauge(name=told.name, title=told.title, protocol=told.protocol, values=self.values)
        return Search(
            name=told.name, title=told.title, protocol=told.protocol, findings=self.findings, empty=self.empty
        )


def look(
    join: Join,
    stage: Stage,
    lookers: Sequence[Looker],
    *,
    empty: Collection[str],
    every: int,
    watch: Callable[[Sight], None],
) -> tuple[list[float], list[Study]]:
    """Every moment's findings. The join's videos are: the source, the enhanced one, the reference where there is one.

    empty  names of analysers that have nothing to find in this footage
    every  of how many moments one is looked at
    watch  is shown every moment that is
    Gives the moments in seconds, from the first frame on, and a study for each analyser.
    """
    notes = [
        _Notes(looker, {arm: looker.load() for arm in stage.arms}, looker.name in empty) for looker in lookers
    ]
    seconds: list[float] = []
    start = None
    for index, frames in enumerate(join):
        start = frames[0].seconds if start is None else start
        if index % every:
            continue
        seconds.append(float(frames[0].seconds - start))
        pictures = stage.pictures(frames)
        for note in notes:
            for arm, pixels in pictures.items():
                note.look(stage, arm, pixels)
        findings = {
            note.looker.name: {arm: found[-1] for arm, found in note.findings.items()}
            for note in notes
            if note.findings
        }
        told = {name: _differences(found, name in empty) for name, found in findings.items()}
        watch(Sight(seconds=seconds[-1], pictures=pictures, findings=findings, differences=told))
    return seconds, [note.study() for note in notes]


def _differences(found: Mapping[str, Sequence[Finding]], empty: bool) -> list[Difference]:
    return differences(found[BICUBIC], found[ENHANCED], [] if empty else found.get(REFERENCE))
