"""The pass over a video: one thread decodes, one measures each frame alone, one compares it with its neighbours.

A few numbers are kept for every frame, in bare arrays; of the pictures only the frames at work and, for each event
that is not over, a small one.
"""

import math
from array import array
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from vidgan import pipeline
from vidgan.anomaly import Normal
from vidgan.errors import BadVideo
from vidgan.frame import Frame
from vidgan.pixels import as_tensor
from vidgan.score import Event, Kind, Noted, Scale
from vidgan.shots import CutDetector
from vidgan.video import Source, turn_upright
from vidgan.watching import measures, realism, rules
from vidgan.watching.events import Repeats, Shots, Tracker, Where
from vidgan.watching.measures import Neighbours, Plane
from vidgan.watching.moments import Moment, View
from vidgan.watching.realism import Judge, Verdict

ANOMALY = Scale(
    name="anomaly",
    title="anomaly",
    unit="",
    protocol="how badly a network that has learnt normal footage predicts the frame",
    digits=3,
)


@dataclass(frozen=True, kw_only=True)
class Task:
    """Who looks, besides what is always measured.

    origin    seconds on the clock of the source's pts that count as 0
    pictures  whether events come with pictures
    """

    source: Source
    view: View
    origin: float
    pictures: bool = False
    motion: bool = True
    judge: Judge | None = None
    normal: Normal | None = None

    def scales(self) -> list[Scale]:
        found = [scale for scale in measures.SCALES if self.motion or scale.name != "motion"]
        found += [realism.SCALE] * (self.judge is not None)
        return found if self.normal is None else [*found, ANOMALY]

    def rules(self) -> list[rules.Rule]:
        found = [rule for rule in rules.RULES if self.motion or rule.score != "motion"]
        if self.judge is not None:
            found.append(rules.unreal(realism.KIND, realism.LIMIT))
        if self.normal is not None:
            found.append(rules.anomaly(anomaly_kind(self.normal), self.normal.threshold))
        return found

    def kinds(self) -> list[Kind]:
        return [rules.SHOTS, rules.FROZEN, rules.DUPLICATES, *(rule.kind for rule in self.rules())]


def anomaly_kind(normal: Normal) -> Kind:
    return Kind(
        name="anomaly",
        title="anomaly",
        unit="score",
        protocol=f"a score above {normal.threshold:.4g}, down to a tenth less, for 0.2 s; "
        f"set on normal frames that the network had not learnt, for {100 * normal.false_alarms:.2g} % of false alarms",
        digits=3,
    )


@dataclass(kw_only=True)
class Watched:
    times: "array[float]" = field(default_factory=lambda: array("d"))
    scores: dict[str, "array[float]"] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    end: float = 0.0
    complete: bool = True


def watch(
    frames: Iterator[Frame],
    task: Task,
    *,
    note: Callable[[Noted], None],
    tick: Callable[[int, float], None],
    stop: Callable[[], bool],
) -> Watched:
    """See all frames; gives what was seen.

    note  is told of every event when it ends
    tick  is told after each frame how many there were, and at which second
    stop  is asked after each frame; what was seen until then is given
    Raises BadVideo for pictures that are too small.
    """
    source = task.source
    if min(source.width, source.height) < measures.SMALLEST_SIDE:
        raise BadVideo(
            f"{source.path} is {source.width}x{source.height}: too small to be measured",
            f"Give a video of {measures.SMALLEST_SIDE} pixels or more to a side.",
        )
    work = _Work(task, note)
    with pipeline.ahead(frames) as decoded, pipeline.ahead(_planes(decoded), depth=2) as measured:
        for frame, plane in measured:
            work.see(frame, plane)
            tick(len(work.found.times), work.found.times[-1])
            if stop():
                work.found.complete = False
                break
    return work.end()


def _planes(frames: Iterator[Frame]) -> Iterator[tuple[Frame, Plane]]:
    for frame in frames:
        yield frame, measures.plane(frame.pixels)


class _Work:
    def __init__(self, task: Task, note: Callable[[Noted], None]) -> None:
        self.task, self._note = task, note
        self.found = Watched(scores={scale.name: array("d") for scale in task.scales()})
        self._cuts, self._neighbours = CutDetector(), Neighbours(motion=task.motion)
        self._shots, self._repeats = Shots(pictures=task.pictures), Repeats(pictures=task.pictures)
        self._trackers = [Tracker(rule, pictures=task.pictures) for rule in task.rules()]
        self._unjudged = deque[Moment]()  # frames that wait for a verdict
        self._last: Frame | None = None
        self._interval = 0.0

    def see(self, frame: Frame, plane: Plane) -> None:
        found, task = self.found, self.task
        seconds = float(frame.seconds) - task.origin
        moment = Moment(len(found.times), seconds, frame.pixels, task.view)
        begins = self._cuts.begins_shot(frame.pixels)
        self._interval = seconds - found.times[-1] if found.times else 0.0
        found.times.append(seconds)
        if begins and moment.number:
            self._end_shot()
        row = dict(plane.scores) | self._neighbours.see(plane.luma, seconds, begins_shot=begins)
        _, change = self._cuts.remembered
        self._tell(self._shots.see(moment, begins=begins, change=change))
        is_black = row["dark"] >= rules.BLACK
        for ended in self._repeats.see(moment, repeats=row["repeats"] > 0 and not is_black):
            self._tell(ended)
        where = self._read(frame, row)
        for name, values in found.scores.items():
            values.append(row.get(name, math.nan))
        for tracker in self._trackers:
            if (name := tracker.rule.score) != realism.SCALE.name:
                counts = tracker.rule.counts(row["exposure"], is_black=is_black)
                value = row[name] if counts else math.nan
                self._tell(tracker.see(moment, value, where if name == ANOMALY.name else None))
        if task.judge is not None:
            self._unjudged.append(moment)
            self._judged(task.judge.see(frame.pixels))
        self._last = frame

    def end(self) -> Watched:
        self._end_shot()
        self.found.end = self._end()
        self._tell(self._shots.end(self.found.end))
        for ended in self._repeats.end(self.found.end):
            self._tell(ended)
        for tracker in self._trackers:
            self._tell(tracker.end(self.found.end))
        order = {kind.name: place for place, kind in enumerate(self.task.kinds())}
        self.found.events.sort(key=lambda event: (event.start, order[event.kind]))
        return self.found

    def _end(self) -> float:
        """When the last frame is no longer shown: as the file says, or after as long as the one before."""
        last, rate = self._last, self.task.source.average_rate
        assert last is not None, "read gives at least one frame, or raises"
        usual = self._interval or (float(1 / rate) if rate else 0.0)
        return self.found.times[-1] + (float(last.duration * last.time_base) or usual)

    def _end_shot(self) -> None:
        if self.task.judge is not None:
            self._judged(self.task.judge.end_shot())
        if self.task.normal is not None:
            self.task.normal.forget()

    def _read(self, frame: Frame, row: dict[str, float]) -> Where | None:
        normal = self.task.normal
        if normal is None:
            return None
        upright = turn_upright(frame.pixels, self.task.source.orientation)
        reading = normal.read(as_tensor(upright)[0])
        row[ANOMALY.name] = math.nan if reading.score is None else float(reading.score)
        return None if reading.heat is None else Where(reading.heat, normal.threshold)

    def _judged(self, verdicts: list[Verdict | None]) -> None:
        """Enter verdicts of the judge. They come for up to three frames at once, so for frames seen a while ago."""
        (tracker,) = (each for each in self._trackers if each.rule.score == realism.SCALE.name)
        for verdict in verdicts:
            moment = self._unjudged.popleft()
            if verdict is None:
                tracker.pass_over(moment)
                continue
            self.found.scores[realism.SCALE.name][moment.number] = verdict.score
            where = Where(1 - verdict.map, 1 - realism.LIMIT)
            self._tell(tracker.see(moment, verdict.score, where))

    def _tell(self, ended: Noted | None) -> None:
        if ended is not None:
            self.found.events.append(ended.event)
            self._note(ended)
