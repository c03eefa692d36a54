"""Scores, one frame after the other, become events; of an open one no more is kept than its worst frame, small."""

from dataclasses import dataclass, replace

import numpy as np

from vidgan.score import Event, Noted
from vidgan.watching.moments import Moment
from vidgan.watching.rules import DUPLICATES, FROZEN, FROZEN_SECONDS, SHOTS, TOGETHER_SECONDS, Rule


@dataclass(frozen=True)
class Where:
    """A map over a frame, (rows, columns), higher is worse; its cells at the limit or above are reported."""

    heat: np.ndarray
    limit: float


class Tracker:
    """Finds the events of one rule: is shown every frame's value in order; NaN is no value."""

    def __init__(self, rule: Rule, *, pictures: bool) -> None:
        self.rule, self._pictures = rule, pictures
        # The event that is going on. It ends when the frame after its last one is shown; `see` enters that then.
        self._open: Noted | None = None
        self._ends_here = False  # whether the frame before is its last one so far
        # When the first of the frames was shown that came after the last verdict; None where none has come.
        self._passed: float | None = None

    def see(self, moment: Moment, value: float, where: Where | None = None) -> Noted | None:
        """The event that ended, if one did."""
        if self._open is not None and self._ends_here:
            end = moment.seconds if self._passed is None or self.rule.goes_on(value) else self._passed
            self._open = _until(self._open, end)
        self._passed = None
        beyond = self.rule.begins(value) if self._open is None else self.rule.goes_on(value)
        ended = None
        if self._open is not None and moment.seconds - self._open.event.end > self.rule.gap + 1e-9:
            ended = self._close()
            beyond = self.rule.begins(value)
        self._ends_here = beyond
        if beyond:
            self._take(moment, value, where)
        elif self._open is not None and self.rule.gap == 0:
            ended = self._close()
        return ended

    def pass_over(self, moment: Moment) -> None:
        """A frame without a verdict: it belongs to the event only if the next verdict does."""
        if self._passed is None:
            self._passed = moment.seconds

    def end(self, seconds: float) -> Noted | None:
        """At the end of the video, or where nobody looks any more."""
        if self._open is not None and self._ends_here:
            self._open = _until(self._open, seconds if self._passed is None else self._passed)
        return self._close()

    def _take(self, moment: Moment, value: float, where: Where | None) -> None:
        is_open = self._open
        if is_open is None:
            self._open = self._noted(moment, value, where, moment)
            return
        event = replace(is_open.event, last=moment.number, end=moment.seconds)
        if self.rule.is_worse(value, event.score):
            worst = self._noted(moment, value, where, moment)
            told = worst.event
            self._open = replace(
                worst, event=replace(event, score=told.score, worst=told.worst, box=told.box)
            )
        else:
            self._open = replace(is_open, event=event)

    def _noted(self, moment: Moment, value: float, where: Where | None, first: Moment) -> Noted:
        event = Event(
            kind=self.rule.kind.name,
            first=first.number,
            last=moment.number,
            start=first.seconds,
            end=moment.seconds,
            score=value,
            worst=moment.seconds,
            box=None if where is None else moment.view.box(where.heat, where.limit),
        )
        picture = moment.small if self._pictures else None
        return Noted(event, picture) if where is None else Noted(event, picture, where.heat, where.limit)

    def _close(self) -> Noted | None:
        done, self._open, self._ends_here = self._open, None, False
        if done is None or done.event.seconds < self.rule.least - 1e-9:
            return None
        return done


class Repeats:
    """Runs of frames that show one picture: frozen, or repeated here and there."""

    def __init__(self, *, pictures: bool) -> None:
        self._pictures = pictures
        self._first: Moment | None = None  # of the run
        self._second = 0.0  # when its first copy is shown
        self._last = 0
        self._duplicates: Noted | None = None

    def see(self, moment: Moment, *, repeats: bool) -> list[Noted]:
        """The events that ended.

        repeats  whether the frame shows the run's picture again
        """
        if repeats and self._first is not None:
            if self._last == self._first.number:
                self._second = moment.seconds
            self._last = moment.number
            return []
        ended = self._end_run(moment.seconds)
        self._first, self._last = moment, moment.number
        waiting = self._duplicates
        if waiting is not None and moment.seconds - waiting.event.end > TOGETHER_SECONDS:
            ended, self._duplicates = [*ended, waiting], None
        return ended

    def end(self, seconds: float) -> list[Noted]:
        ended = self._end_run(seconds)
        waiting, self._duplicates, self._first = self._duplicates, None, None
        return ended if waiting is None else [*ended, waiting]

    def _end_run(self, seconds: float) -> list[Noted]:
        first = self._first
        if first is None or self._last == first.number:
            return []
        picture = first.small if self._pictures else None
        whole = Event(
            kind=FROZEN.name,
            first=first.number,
            last=self._last,
            start=first.seconds,
            end=seconds,
            score=seconds - first.seconds,
            worst=first.seconds,
        )
        if whole.score >= FROZEN_SECONDS - 1e-9:
            return [Noted(whole, picture)]
        return self._add_duplicates(Noted(whole, picture))

    def _add_duplicates(self, run: Noted) -> list[Noted]:
        """The run's first frame is no copy: the event is what comes after it."""
        count = run.event.last - run.event.first
        waiting = self._duplicates
        if waiting is not None and run.event.start - waiting.event.end <= TOGETHER_SECONDS:
            event = replace(
                waiting.event, last=run.event.last, end=run.event.end, score=waiting.event.score + count
            )
            self._duplicates = replace(waiting, event=event)
            return []
        event = replace(
            run.event,
            kind=DUPLICATES.name,
            first=run.event.first + 1,
            start=self._second,
            worst=self._second,
            score=float(count),
        )
        self._duplicates = replace(run, event=event)
        return [] if waiting is None else [waiting]


class Shots:
    def __init__(self, *, pictures: bool) -> None:
        self._pictures = pictures
        self._open: Noted | None = None

    def see(self, moment: Moment, *, begins: bool, change: float) -> Noted | None:
        """The shot that ended, if one did.

        change  percent of full scale, from the frame before
        """
        ended = None
        if begins or self._open is None:
            ended = self.end(moment.seconds)
            event = Event(
                kind=SHOTS.name,
                first=moment.number,
                last=moment.number,
                start=moment.seconds,
                end=moment.seconds,
                score=change,
                worst=moment.seconds,
            )
            self._open = Noted(event, moment.small if self._pictures else None)
        else:
            self._open = replace(self._open, event=replace(self._open.event, last=moment.number))
        return ended

    def end(self, seconds: float) -> Noted | None:
        done, self._open = self._open, None
        return None if done is None else _until(done, seconds)


def _until(noted: Noted, seconds: float) -> Noted:
    return replace(noted, event=replace(noted.event, end=seconds))
