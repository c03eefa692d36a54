"""A stream of moments through the metrics: memory does not grow with the videos' length, but for the numbers.

The next moment's motion is looked for, in threads of their own, while this one is measured.
"""

import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

import torch

from vidgan.degrade import lanczos
from vidgan.frame import Frame
from vidgan.measuring.alignment import Aligned, Part
from vidgan.measuring.moments import Join
from vidgan.metrics import Against, Metric, Picture
from vidgan.metrics.metric import Meter, search
from vidgan.pixels import rounded
from vidgan.score import LANCZOS, REFERENCE, Moment
from vidgan.shots import CutDetector


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What is compared with what.

    outputs    name -> an output on the canvas
    reference  on the canvas; either it or the source may be missing, not both
    source     the small video at its own size, cut to what `part` shows
    part       the part of the canvas that all outputs show
    every      one moment in this many is measured
    """

    outputs: Mapping[str, Aligned]
    reference: Aligned | None
    source: Aligned | None
    part: Part
    metrics: Sequence[Metric]
    device: torch.device
    every: int = 1


@dataclass
class Numbers:
    """Grows with the moments: contender -> metric -> values."""

    seconds: list[float] = field(default_factory=list)
    values: dict[str, dict[str, list[float]]] = field(default_factory=dict)

    def add(self, seconds: float, rows: Mapping[str, Mapping[str, float]]) -> None:
        self.seconds.append(seconds)
        for contender, row in rows.items():
            for metric, value in row.items():
                self.values.setdefault(contender, {}).setdefault(metric, []).append(value)


@dataclass
class _Moment:
    seconds: float
    reference: Picture | None
    source: Picture | None
    contenders: dict[str, Picture]


def measure(join: Join, setting: Setting, watch: Callable[[Moment], None]) -> Numbers:
    """Every moment's numbers. The join's videos are: the reference and the source, where there are, then outputs.

    watch  is shown every moment that is measured, with its numbers
    """
    numbers = Numbers()
    with ExitStack() as stack:
        meters = _meters(setting, stack)
        for moment in _ahead(_moments(join, setting), setting):
            rows = {name: _row(name, picture, moment, setting) for name, picture in moment.contenders.items()}
            if moment.reference is not None:
                rows[REFERENCE] = _row(REFERENCE, moment.reference, moment, setting)
            for name, meter in meters:
                assert moment.reference is not None
                meter.push(moment.contenders[name], moment.reference)
            numbers.add(moment.seconds, rows)
            watch(_shown(moment, rows))
            for picture in (moment.reference, moment.source, *moment.contenders.values()):
                if picture is not None:
                    picture.forget()
        asked = {metric.name for metric in setting.metrics}
        for name, meter in meters:
            found = {metric: values for metric, values in meter.finish().items() if metric in asked}
            # Nothing is there yet where metrics with a meter alone were asked for.
            numbers.values.setdefault(name, {}).update(found)
    return numbers


def _meters(setting: Setting, stack: ExitStack) -> list[tuple[str, Meter]]:
    """Of every contender, what is fed as we go; metrics of one meter share it."""
    kinds = dict.fromkeys(metric.meter for metric in setting.metrics if metric.meter is not None)
    names = [*setting.outputs, *([LANCZOS] if setting.source is not None else [])]
    meters = []
    for name in names:
        for kind in kinds:
            meter = kind(setting.part.height, setting.part.width)
            stack.callback(meter.close)
            meters.append((name, meter))
    return meters


def _moments(join: Join, setting: Setting) -> Iterator[_Moment]:
    """Frames onto the canvas, each knowing the one before it in its shot."""
    cuts, before, start = CutDetector(), None, None
    looks_back = any(metric.temporal for metric in setting.metrics)
    for index, frames in enumerate(join):
        start = frames[0].seconds if start is None else start
        begins = looks_back and cuts.begins_shot(frames[0].pixels)
        measured = index % setting.every == 0
        if not measured and (index + 1) % setting.every:
            before = None
            continue
        now = _aligned(frames, setting, float(frames[0].seconds - start))
        if before is not None and looks_back and not begins:
            for name, picture in _pictures(now):
                picture.before = dict(_pictures(before))[name]
        if measured:
            yield now
        before = now


def _aligned(frames: tuple[Frame, ...], setting: Setting, seconds: float) -> _Moment:
    rest = list(frames)
    reference = source = None
    if setting.reference is not None:
        reference = Picture(setting.reference.picture(rest.pop(0), setting.part, setting.device))
    contenders = {}
    if setting.source is not None:
        source = Picture(setting.source.picture(rest.pop(0), None, setting.device))
        large = lanczos(source.rgb.cpu(), setting.part.height, setting.part.width)
        contenders[LANCZOS] = Picture(rounded(large).to(setting.device))
    for (name, output), frame in zip(setting.outputs.items(), rest, strict=True):
        contenders[name] = Picture(output.picture(frame, setting.part, setting.device))
    return _Moment(seconds, reference, source, contenders)


def _pictures(moment: _Moment) -> list[tuple[str, Picture]]:
    named = [("reference", moment.reference), ("source", moment.source)]
    found = [(name, picture) for name, picture in named if picture is not None]
    return [*found, *((f"output {name}", picture) for name, picture in moment.contenders.items())]


def _ahead(moments: Iterator[_Moment], setting: Setting) -> Iterator[_Moment]:
    """The same moments; the motion of the next is already being looked for."""
    waiting: deque[_Moment] = deque()
    for moment in moments:
        for metric in (metric for metric in setting.metrics if metric.flows):
            other = moment.source if metric.against is Against.SOURCE else moment.reference
            for picture in moment.contenders.values():
                search(picture, other, metric)
        waiting.append(moment)
        if len(waiting) > 1:
            yield waiting.popleft()
    yield from waiting


def _row(name: str, picture: Picture, moment: _Moment, setting: Setting) -> dict[str, float]:
    """One contender's numbers. The reference's own: against nothing, the source, and itself where it has a value."""
    row = {}
    for metric in setting.metrics:
        if metric.of_frame is None:  # its meter tells at the end
            continue
        if name == REFERENCE and metric.against is Against.TARGET and not metric.of_itself:
            continue
        others = {Against.TARGET: moment.reference, Against.SOURCE: moment.source, Against.NOTHING: None}
        other = others[metric.against]
        if other is None and metric.against is not Against.NOTHING:
            row[metric.name] = math.nan
            continue
        with torch.inference_mode():
            row[metric.name] = metric.of_frame(picture, other)
    return row


def _shown(moment: _Moment, rows: Mapping[str, Mapping[str, float]]) -> Moment:
    return Moment(
        seconds=moment.seconds,
        reference=None if moment.reference is None else moment.reference.rgb,
        source=None if moment.source is None else moment.source.rgb,
        outputs={name: picture.rgb for name, picture in moment.contenders.items()},
        values=rows,
    )
