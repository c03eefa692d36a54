"""Numbers over steps -> a line chart as inline SVG: no script, legible in light and in dark.

All colours are classes of the page's style, so that a chart follows the reader's light or dark. What hovers is <title>,
which every browser shows by itself.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

WIDTH, HEIGHT = 560, 270
LEFT, RIGHT, TOP, BOTTOM = 70, 22, 22, 44  # margins: the axes' numbers and names stand there
COLOURS = 6  # classes k0 to k5 of the page's style
MOST_INTERVALS = 6  # between the ticks of an axis
LOGARITHMIC = 20.0  # highest over lowest: from here on a straight axis would hide the low ones
MANY = 80  # points of a curve: from here on their dots are small
LARGEST, SMALLEST = 1e300, 1e-12  # beyond, the room between two numbers need not be one

Curve = Sequence[tuple[float, float]]  # (step, number)


@dataclass(frozen=True, kw_only=True)
class Event:
    step: float
    words: str
    trouble: bool = False


@dataclass(frozen=True, kw_only=True)
class Marks:
    """What the charts of a page share."""

    stage: float | None = None  # the step where the second stage begins
    names: tuple[str, str] = ("faithful", "realistic")  # of the two stages
    events: Sequence[Event] = ()
    span: tuple[float, float] | None = None  # steps, so that the charts line up; None: those of the curves


@dataclass(frozen=True, kw_only=True)
class Plot:
    """What a chart says beside its numbers."""

    title: str
    unit: str  # stands at the upright axis
    better: str = ""  # "higher", "lower" or nothing
    levels: Mapping[float, str] = field(default_factory=dict)  # numbers that mean something, and what
    may_be_log: bool = False  # where all numbers are positive and far apart


def chart(plot: Plot, curves: Mapping[str, Curve], marks: Marks) -> str:
    """A figure with its legend, and in it the last number of each curve; empty where no number is finite."""
    drawn = {name: [(x, y) for x, y in curve if abs(y) < LARGEST] for name, curve in curves.items()}
    drawn = {name: curve for name, curve in drawn.items() if curve}
    if not drawn:
        return ""
    across = _axis_across([x for curve in drawn.values() for x, _ in curve], marks)
    numbers = [y for curve in drawn.values() for _, y in curve]
    up = _axis_up([*numbers, *plot.levels], plot.may_be_log)
    unit = f"{plot.unit}, logarithmic" if up.log else plot.unit
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(plot.title)} over steps">',
        *_stages(marks, across),
        *_grid(across, up, unit),
        *_levels(plot.levels, up),
        *_events(marks.events, across),
        *(_curve(number, name, curve, across, up) for number, (name, curve) in enumerate(drawn.items())),
        "</svg>",
    ]
    note = f" <span>{plot.better} is better</span>" if plot.better else ""
    return (
        f'<figure class="chart"><figcaption><b>{escape(plot.title)}</b>{note}{_legend(drawn)}</figcaption>'
        f"{''.join(parts)}</figure>"
    )


@dataclass(frozen=True)
class _Axis:
    low: float
    high: float
    start: float  # where low is drawn
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        low, high, value = (math.log(n) if self.log else n for n in (self.low, self.high, value))
        return self.start + (value - low) / (high - low) * (self.end - self.start)

    def ticks(self, *, least: float = 0.0) -> list[float]:
        """Round numbers between the ends, at most MOST_INTERVALS + 1 of them and least apart."""
        if self.log:
            return self._powers()
        rough = (self.high - self.low) / MOST_INTERVALS
        power = 10.0 ** math.floor(math.log10(rough))
        step = max(least, next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999))
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [number * step for number in range(first, last + 1)]

    def _powers(self) -> list[float]:
        """Powers of ten, with twice and five times them where there are few."""
        first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
        factors = (1, 2, 5) if last - first <= 3 else (1,)
        stride = -(-(last - first) // MOST_INTERVALS)
        ticks = [
            factor * 10.0**power for power in range(first, last + 1, max(1, stride)) for factor in factors
        ]
        return [tick for tick in ticks if self.low <= tick <= self.high]


def _axis_across(steps: Sequence[float], marks: Marks) -> _Axis:
    """A chart of the second stage alone begins with it."""
    low, high = marks.span or (min(steps), max(steps))
    if marks.stage is not None and low < marks.stage < min(steps):
        low = marks.stage
    if low == high:  # one validation stands in the middle
        low, high = low - 0.5, high + 0.5
    return _Axis(low, high, LEFT, WIDTH - RIGHT)


def _axis_up(numbers: Sequence[float], may_be_log: bool) -> _Axis:
    low, high = min(numbers), max(numbers)
    if may_be_log and low > SMALLEST and high / low >= LOGARITHMIC:
        room = (high / low) ** 0.05
        return _Axis(low / room, high * room, HEIGHT - BOTTOM, TOP, log=True)
    largest = max(abs(low), abs(high))
    if high - low <= max(SMALLEST, 1e-6 * largest):  # flat
        room = 0.05 * largest if largest > SMALLEST else 1.0
    else:
        room = 0.06 * (high - low)
    # What cannot be negative has no room below nothing.
    return _Axis(max(0.0, low - room) if low >= 0 else low - room, high + room, HEIGHT - BOTTOM, TOP)


def _grid(across: _Axis, up: _Axis, unit: str) -> list[str]:
    """Lines, numbers and names of both axes."""
    parts, rows, columns = [], up.ticks(), across.ticks(least=1.0)
    for tick, words in zip(rows, _labels(rows, up.log), strict=True):
        y = up(tick)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{LEFT - 7}" y="{y + 4:.1f}" text-anchor="end">{words}</text>')
    bottom = HEIGHT - BOTTOM
    parts.append(f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{bottom}" y2="{bottom}"/>')
    for tick, words in zip(columns, _labels(columns, False), strict=True):
        x = across(tick)
        parts.append(f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{bottom}" y2="{bottom + 4}"/>')
        parts.append(f'<text x="{x:.1f}" y="{bottom + 17}" text-anchor="middle">{words}</text>')
    parts.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 8}" text-anchor="middle">step</text>')
    middle = (TOP + bottom) / 2
    parts.append(
        f'<text transform="translate(13 {middle}) rotate(-90)" text-anchor="middle">{escape(unit)}</text>'
    )
    return parts


def _labels(ticks: Sequence[float], log: bool) -> list[str]:
    """All with as many decimals, as few as tell them apart."""
    if log or len(ticks) < 2:
        return [f"{tick:.6g}" for tick in ticks]
    step, largest = ticks[1] - ticks[0], max(map(abs, ticks))
    if step < 1e-5 or largest >= 1e6:
        return [f"{tick:.6g}" for tick in ticks]
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    return [f"{tick:,.{decimals}f}" for tick in ticks]


def _stages(marks: Marks, across: _Axis) -> list[str]:
    """The second stage is shaded, and both are named where there is room."""
    stage = marks.stage
    if stage is None or not across.low < stage < across.high:
        return []
    x, width, height = across(stage), WIDTH - RIGHT - across(stage), HEIGHT - BOTTOM - TOP
    parts = [
        f'<rect class="second" x="{x:.1f}" y="{TOP}" width="{width:.1f}" height="{height}"/>',
        f'<line class="stage" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}">'
        f"<title>the {escape(marks.names[1])} stage begins after step {stage:g}</title></line>",
    ]
    for name, (start, end) in zip(marks.names, ((LEFT, x), (x, WIDTH - RIGHT)), strict=True):
        if end - start >= 8 * len(name):
            middle = (start + end) / 2
            parts.append(
                f'<text class="named" x="{middle:.1f}" y="{TOP - 8}" text-anchor="middle">{escape(name)}</text>'
            )
    return parts


def _levels(levels: Mapping[float, str], up: _Axis) -> Iterable[str]:
    for number, words in levels.items():
        y = up(number)
        yield f'<line class="level" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield (
            f'<text class="named" x="{WIDTH - RIGHT - 4}" y="{y - 5:.1f}" text-anchor="end">{escape(words)}</text>'
        )


def _events(events: Sequence[Event], across: _Axis) -> Iterable[str]:
    for event in events:
        if across.low <= event.step <= across.high:
            x = across(event.step)
            yield (
                f'<g class="event{" trouble" if event.trouble else ""}"><title>step {event.step:g}: '
                f'{escape(event.words)}</title><line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>'
                f'<path d="M{x - 5:.1f} {TOP - 6}h10l-5 9z"/></g>'
            )


def _curve(number: int, name: str, curve: Curve, across: _Axis, up: _Axis) -> str:
    places = [(f"{across(x):.1f}", f"{up(y):.1f}") for x, y in curve]
    line = " ".join(f"{x},{y}" for x, y in places)
    dots = "".join(
        f'<circle cx="{left}" cy="{top}" r="{3 if len(curve) < MANY else 1.5}">'
        f"<title>{escape(name)}: {y:.4g} at step {x:g}</title></circle>"
        for (left, top), (x, y) in zip(places, curve, strict=True)
    )
    return f'<g class="curve k{number % COLOURS}"><polyline points="{line}"/>{dots}</g>'


def _legend(drawn: Mapping[str, Curve]) -> str:
    entries = (
        f'<li class="k{number % COLOURS}"><i></i>{escape(name)} <b>{curve[-1][1]:.4g}</b></li>'
        for number, (name, curve) in enumerate(drawn.items())
    )
    return f'<ul class="legend">{"".join(entries)}</ul>'
