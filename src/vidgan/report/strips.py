"""Scores over time as strips below each other, and events as bars above them: inline SVG, stretched to the page.

However long a video is, a strip shows at most POINTS stretches of frames: of each the least value and the most.
"""

import math
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from html import escape

from vidgan.progress import clock
from vidgan.score import Analysis, Event, Kind, Scale

POINTS = 1000
WIDTH, HEIGHT = 1000.0, 56  # units of a strip
# Seconds between the times of an axis.
STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 7200)  # fmt: skip
LANE = 14  # of the height of a lane of events
NARROWEST = 2.5  # units: a single frame of a long video must be seen
COLOURS = {
    "shot": "#8a8a8a",
    "frozen": "#3d7fd9",
    "duplicates": "#8e6ad8",
    "black": "#5c6478",
    "soft": "#c9951c",
    "noisy": "#2a9d63",
    "blocky": "#b0603a",
    "dark": "#7676b8",
    "bright": "#d9a400",
    "motion": "#1f9fb0",
    "unreal": "#c2559d",
    "anomaly": "#d92b2b",
}


@dataclass(frozen=True)
class Stretches:
    """A score's least and most in each stretch of frames; NaN where it has no value."""

    low: list[float]
    high: list[float]


def starts(found: Analysis) -> list[float]:
    """Seconds at which the stretches begin."""
    return list(found.times[:: _step(found)])


def stretches(found: Analysis, scale: Scale) -> Stretches:
    values, step = found.scores[scale.name], _step(found)
    low, high = [], []
    for at in range(0, len(values), step):
        part = [value for value in values[at : at + step] if not math.isnan(value)]
        low.append(min(part, default=math.nan))
        high.append(max(part, default=math.nan))
    return Stretches(low, high)


def strip(found: Analysis, scale: Scale, points: Stretches) -> str:
    """A row of the timeline: a score's name and range, and a band from least to most."""
    values = [value for value in (*points.low, *points.high) if not math.isnan(value)]
    low, high = min(values, default=0.0), max(values, default=1.0)
    told = f"{low:.{scale.digits}f} to {high:.{scale.digits}f} {scale.unit}" if values else "no values"
    bottom = min(low, 0.0)  # from nothing on, or a constant would look like a storm
    room = (high - bottom) or 1.0

    def up(value: float) -> float:
        return 2 + (HEIGHT - 4) * (1 - (value - bottom) / room)

    where = [_across(found, second) for second in starts(found)]
    drawn = "".join(f'<path d="{path}"/>' for path in _bands(where, points, up))
    return _row(
        f'<b>{escape(scale.title)}</b><output data-score="{scale.name}"></output><span>{escape(told)}</span>',
        f'<svg class="strip" viewBox="0 0 {WIDTH:g} {HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(f"{scale.title} over time: {told}")}">{drawn}</svg>',
    )


def lane(found: Analysis, kind: Kind, numbers: Collection[int]) -> str:
    """A row of the timeline with a bar for each event of a kind; empty where there is none.

    numbers  of the events, from 1, that have a card on the page
    """
    events = [(number, event) for number, event in enumerate(found.events, 1) if event.kind == kind.name]
    if not events:
        return ""
    bars = []
    drawn_until = -NARROWEST
    for number, event in events:
        left = _across(found, event.start)
        width = max(_across(found, event.end) - left, NARROWEST)
        if left + width < drawn_until + 1:  # within what is drawn already, at this size
            continue
        left = max(left, drawn_until)
        bars.append(_bar(found, (number, event), (left, width), number in numbers))
        drawn_until = left + width
    seconds = sum(event.seconds for _, event in events)
    return _row(
        f"<b>{escape(kind.title)}</b><span>{len(events)}, {seconds:.1f} s</span>",
        f'<svg class="lane" viewBox="0 0 {WIDTH:g} {LANE}" preserveAspectRatio="none" '
        f'style="color:{COLOURS[kind.name]}">{"".join(bars)}</svg>',
    )


def axis(found: Analysis) -> str:
    """Round times below the strips."""
    length = found.end - found.times[0]
    step = next((step for step in STEPS if length / step <= 6), math.ceil(length / 6 / STEPS[-1]) * STEPS[-1])
    first = math.ceil(found.times[0] / step - 1e-9)
    ticks = []
    while (second := first * step) <= found.end - 0.06 * length:
        share = _across(found, second) / WIDTH
        ticks.append(
            f'<span style="left:{100 * share:.2f}%">{clock(second, digits=1 if step < 1 else 0)}</span>'
        )
        first += 1
    return _row("", f'<div class="ticks" aria-hidden="true">{"".join(ticks)}</div>')


def _step(found: Analysis) -> int:
    return max(1, math.ceil(len(found.times) / POINTS))


def _across(found: Analysis, seconds: float) -> float:
    first = found.times[0]
    return WIDTH * (seconds - first) / ((found.end - first) or 1.0)


def _bands(where: Sequence[float], points: Stretches, up: Callable[[float], float]) -> Iterator[str]:
    """An outline for each run of values: along the most, and back along the least."""
    run: list[int] = []
    for index in range(len(where) + 1):
        if index < len(where) and not math.isnan(points.high[index]):
            run.append(index)
        elif run:
            there = [f"{where[i]:.1f} {up(points.high[i]):.1f}" for i in run]
            back = [f"{where[i]:.1f} {up(points.low[i]):.1f}" for i in reversed(run)]
            yield f"M{'L'.join([*there, *back])}Z" if len(run) > 1 else f"M{there[0]}h{NARROWEST}"
            run = []


def _bar(found: Analysis, numbered: tuple[int, Event], place: tuple[float, float], has_card: bool) -> str:
    number, event = numbered
    kind = found.kind(event)
    words = (
        f"{kind.title}, {clock(event.start)} to {clock(event.end)}: {event.score:.{kind.digits}f} {kind.unit}"
    )
    rect = f'<rect x="{place[0]:.2f}" width="{place[1]:.2f}" height="{LANE}"><title>{escape(words)}</title></rect>'
    return f'<a href="#event-{number}" aria-label="{escape(words)}">{rect}</a>' if has_card else rect


def _row(name: str, plot: str) -> str:
    return f'<div class="row"><div class="name">{name}</div><div class="plot">{plot}</div></div>'
