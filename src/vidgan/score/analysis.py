"""What was seen in one video, frame by frame and event by event, as JSON and CSV.

A video of two hours has 180,000 frames: their numbers are kept as bare arrays, and written line by line.
"""

import json
import math
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vidgan.analysers import Box
from vidgan.score.results import SCHEMA, versions
from vidgan.words import amount

SHOT = "shot"  # the kind of event that every video has, and that is no trouble


@dataclass(frozen=True, kw_only=True)
class Scale:
    """What a score of a frame is."""

    name: str
    title: str
    unit: str
    protocol: str  # how it is measured, in a sentence
    digits: int = 2


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What an event of this kind is; its score is the worst of it."""

    name: str
    title: str
    unit: str  # of its score
    protocol: str  # from where on it is one, in a sentence
    digits: int = 1


@dataclass(frozen=True, kw_only=True)
class Event:
    """A stretch of frames.

    first, last  their numbers, the last one included
    start, end   seconds: when the first is shown, and when the last no longer is
    score        the worst value, in the unit of its kind
    worst        seconds: when that is
    box          left, top, right, bottom in pixels of the video as displayed: where, if that is known
    """

    kind: str
    first: int
    last: int
    start: float
    end: float
    score: float
    worst: float
    box: Box | None = None

    @property
    def seconds(self) -> float:
        return self.end - self.start


@dataclass(frozen=True)
class Noted:
    """An event that is over.

    picture  (h, w, 3) uint8, small, of its worst frame; None where nobody wants pictures
    heat     (rows, columns) over that frame, higher is worse; where there is one
    limit    from where on a place of it is told of
    """

    event: Event
    picture: np.ndarray | None = None
    heat: np.ndarray | None = None
    limit: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """Of one video.

    width, height  as displayed
    times          seconds of each frame, as `--start` counts them
    scores         name -> a value for each frame, NaN where there is none
    events         in the order of their starts
    clips          number of an event, from 1 -> the file that was cut out
    complete       whether the video was seen to its end, or somebody stopped it
    """

    video: str
    width: int
    height: int
    end: float  # seconds: when the last frame is no longer shown
    times: "array[float]"
    scales: Sequence[Scale]
    scores: Mapping[str, "array[float]"]
    kinds: Sequence[Kind]
    events: Sequence[Event]
    protocol: Mapping[str, str]
    left_out: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()  # what was said of damage
    clips: Mapping[int, str] = field(default_factory=dict)
    complete: bool = True

    def kind(self, event: Event) -> Kind:
        return next(kind for kind in self.kinds if kind.name == event.kind)

    def of_kind(self, name: str) -> list[Event]:
        return [event for event in self.events if event.kind == name]

    @property
    def sentence(self) -> str:
        """What stands out, in one sentence."""
        parts = []
        for kind in self.kinds:
            if kind.name != SHOT and (found := self.of_kind(kind.name)):
                seconds = sum(event.seconds for event in found)
                parts.append(f"{kind.title} {len(found)} ({seconds:.1f} s)")
        shots = len(self.of_kind(SHOT))
        length = self.end - self.times[0]
        whole = "" if self.complete else f"Stopped at {self.end:.1f} s. "
        seen = f"{amount(len(self.times), 'frame')}, {length:.1f} s, {amount(shots, 'shot')}"
        return f"{whole}{seen}: {', '.join(parts) or 'nothing stands out'}."

    def frame(self, index: int) -> dict[str, float | None]:
        row: dict[str, float | None] = {"time": round(self.times[index], 6)}
        for scale in self.scales:
            value = self.scores[scale.name][index]
            row[scale.name] = None if math.isnan(value) else float(f"{value:.6g}")
        return row

    def as_json(self) -> dict[str, Any]:
        """Plain data; NaN becomes null."""
        return {**self._about(), "frames": [self.frame(index) for index in range(len(self.times))]}

    def json_lines(self) -> Iterator[str]:
        """The same as text, a line for each frame: never all of them in memory."""
        yield json.dumps(self._about(), allow_nan=False)[:-1] + ', "frames": ['
        for index in range(len(self.times)):
            yield ("," if index else "") + "\n" + json.dumps(self.frame(index), allow_nan=False)
        yield "\n]}\n"

    def csv_lines(self) -> Iterator[str]:
        """A line for each frame."""
        names = [scale.name for scale in self.scales]
        yield ",".join(["time", *names]) + "\n"
        for index, time in enumerate(self.times):
            values = (self.scores[name][index] for name in names)
            cells = ("" if math.isnan(value) else f"{value:.6g}" for value in values)
            yield ",".join([f"{time:.6f}", *cells]) + "\n"

    def _about(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "video": self.video,
            "size": [self.width, self.height],
            "num_frames": len(self.times),
            "complete": self.complete,
            "until": round(self.end, 6),
            "verdict": self.sentence,
            "notes": list(self.notes),
            "left_out": dict(self.left_out),
            "protocol": dict(self.protocol),
            "scores": {scale.name: {"unit": scale.unit, "protocol": scale.protocol} for scale in self.scales},
            "kinds": {kind.name: {"unit": kind.unit, "protocol": kind.protocol} for kind in self.kinds},
            "versions": versions(),
            "events": [self._event(number, event) for number, event in enumerate(self.events, 1)],
        }

    def _event(self, number: int, event: Event) -> dict[str, Any]:
        told = {
            "number": number,
            "kind": event.kind,
            "start": round(event.start, 6),
            "end": round(event.end, 6),
            "first_frame": event.first,
            "last_frame": event.last,
            "score": float(f"{event.score:.6g}"),
            "thumbnail": round(event.worst, 6),  # seconds: the frame that stands for it
            "box": None if event.box is None else [round(side, 1) for side in event.box],
        }
        return {**told, "clip": self.clips[number]} if number in self.clips else told
