"""What a metric is: a number for each frame, what it is held against, and the protocol that gave it."""

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from torch import Tensor

from vidgan.metrics.picture import Picture, pictures
from vidgan.silence import ignore


class Against(Enum):
    """What the output is held against."""

    TARGET = "the reference"
    SOURCE = "the source"  # the small video that the output was made from
    NOTHING = "nothing"


class Meter(Protocol):
    """Is shown all pairs of a clip, in order, and tells at the end. Leave it with close()."""

    def push(self, output: Picture, target: Picture) -> None: ...

    def finish(self) -> dict[str, list[float]]:
        """A metric's name -> its value for every frame: several may share a meter."""

    def close(self) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One measure. Called with two clips of one size, (T, 3, H, W) RGB in [0, 1], it gives the mean over their frames.

    of_frame   (output, other) -> float; other is the reference's picture, the source's, or None. NaN where there is
               nothing to measure: the first frame of a shot, of a metric that looks at motion
    meter      (height, width) -> Meter, of a metric that cannot be taken frame by frame: it has no of_frame
    needs      called before anything is measured: raises VidganError where what it needs is not installed
    of_itself  whether the reference has a value of its own, held against itself
    better     "higher" or "lower"; "" where neither is: a value to be held beside the reference's own
    temporal   whether it looks at the frame before
    flows      which motions of the other clip it needs: "there", "back"
    own_flow   whether it needs the output's own motion "there"
    smallest   the shortest side in pixels that it can measure
    protocol   how it is measured, in a sentence: it is printed and stored with every result
    """

    name: str
    title: str
    protocol: str
    of_frame: Callable[[Picture, Picture | None], float] | None = None
    meter: Callable[[int, int], Meter] | None = None
    needs: Callable[[], object] = ignore
    of_itself: bool = False
    better: str = "lower"
    against: Against = Against.TARGET
    temporal: bool = False
    flows: tuple[str, ...] = ()
    own_flow: bool = False
    secondary: bool = False  # not to be chosen by: it rewards invention, or says little alone
    smallest: int = 1
    digits: int = 3

    def __call__(self, output: Tensor, other: Tensor | None = None) -> float:
        return mean(self.of_frames(output, other))

    def of_frames(self, output: Tensor, other: Tensor | None = None) -> list[float]:
        """As calling it, a value for each frame; the first is NaN where it looks at motion."""
        assert (other is None) == (self.against is Against.NOTHING), (
            f"{self.name} needs {self.against.value} beside it"
        )
        if other is None:
            assert self.of_frame is not None
            return [self.of_frame(picture, None) for picture in pictures(output)]
        assert len(output) == len(other), f"{len(output)} frames against {len(other)}"
        if self.against is Against.TARGET:
            assert output.shape == other.shape, f"{tuple(output.shape)} against {tuple(other.shape)}"
        if self.of_frame is None:
            return self._of_meter(output, other)
        return [
            self.of_frame(*pair) for pair in _ahead(zip(pictures(output), pictures(other), strict=True), self)
        ]

    def _of_meter(self, output: Tensor, target: Tensor) -> list[float]:
        assert self.meter is not None
        meter = self.meter(*output.shape[2:])
        try:
            for pair in zip(output, target, strict=True):
                meter.push(*map(Picture, pair))
            return meter.finish()[self.name]
        finally:
            meter.close()


def search(output: Picture, other: Picture | None, metric: Metric) -> None:
    """Begin to look for the motion that a metric will ask for."""
    if metric.own_flow and output.before is not None:
        output.search("there")
    if other is not None and other.before is not None:
        other.search(*metric.flows)


def _ahead(pairs: Iterable[tuple[Picture, Picture]], metric: Metric) -> Iterator[tuple[Picture, Picture]]:
    """The same pairs; while one is measured, the motion of the next is looked for."""
    if not metric.flows:
        yield from pairs
        return
    waiting: deque[tuple[Picture, Picture]] = deque()
    for pair in pairs:
        search(*pair, metric)
        waiting.append(pair)
        if len(waiting) > 1:
            yield waiting.popleft()
    yield from waiting


def mean(values: Sequence[float]) -> float:
    """Over the values that are there; NaN where none is."""
    found = [value for value in values if not math.isnan(value)]
    return sum(found) / len(found) if found else math.nan
