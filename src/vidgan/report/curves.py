"""Numbers over steps -> a line chart as inline SVG: no script, legible in light and in dark."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

WIDTH, HEIGHT = 480, 220
LEFT, RIGHT, TOP, BOTTOM = 56, 12, 12, 34  # margins: numbers stand there
COLOURS = (
    "#2b7fd4",
    "#d9632b",
    "#2a9d63",
    "#9a4fc4",
    "#8a8a8a",
    "#b08a1e",
)  # told apart on white and on black
TICKS = 4

Curve = Sequence[tuple[float, float]]  # (step, number)


@dataclass(frozen=True, kw_only=True)
class Marks:
    """Vertical lines: a step and what happened there."""

    stage: float | None = None  # where the second stage begins
    events: Sequence[tuple[float, str]] = ()
    axis: str = "step"  # what runs from left to right
    span: tuple[float, float] | None = None  # from left to right; None for what the curves span
    dots: bool = True  # one for each point, with its number
    attributes: Mapping[str, str] = field(default_factory=lambda: {"role": "img"})  # of the SVG element


def chart(title: str, curves: Mapping[str, Curve], marks: Marks) -> str:
    """A figure with a legend where there is more than one curve; empty where no curve has a finite number."""
    drawn = {name: [(x, y) for x, y in curve if math.isfinite(y)] for name, curve in curves.items()}
    drawn = {name: curve for name, curve in drawn.items() if curve}
    if not drawn:
        return ""
    xs = [x for curve in drawn.values() for x, _ in curve]
    ys = [y for curve in drawn.values() for _, y in curve]
    first, last = marks.span or (min(xs), max(xs))
    across = Axis(first, last, LEFT, WIDTH - RIGHT)
    up = Axis(min(ys), max(ys), HEIGHT - BOTTOM, TOP)
    attributes = {"aria-label": title, **marks.attributes}
    words = " ".join(f'{name}="{escape(value, quote=True)}"' for name, value in attributes.items())
    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" {words}>']
    for y in up.ticks():
        parts += [
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{up(y):.1f}" y2="{up(y):.1f}"/>',
            f'<text x="{LEFT - 6}" y="{up(y) + 4:.1f}" text-anchor="end">{short(y)}</text>',
        ]
    for x in across.ticks():
        parts.append(f'<text x="{across(x):.1f}" y="{HEIGHT - 18}" text-anchor="middle">{short(x)}</text>')
    parts.append(
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 4}" text-anchor="middle">{marks.axis}</text>'
    )
    parts += _lines(marks, across)
    for colour, (name, curve) in zip(COLOURS * len(drawn), drawn.items(), strict=False):
        places = " ".join(f"{across(x):.1f},{up(y):.1f}" for x, y in curve)
        parts.append(f'<polyline points="{places}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for x, y in curve if marks.dots else ():
            words = escape(f"{name}: {y:.4g} at step {x:g}")
            parts.append(
                f'<circle cx="{across(x):.1f}" cy="{up(y):.1f}" r="2.5" fill="{colour}"><title>{words}</title></circle>'
            )
    legend = "".join(
        f'<span><i style="background:{colour}"></i>{escape(name)}</span>'
        for colour, name in zip(COLOURS * len(drawn), drawn, strict=False)
    )
    return f"<figure><figcaption><b>{escape(title)}</b> {legend}</figcaption>{''.join(parts)}</svg></figure>"


@dataclass(frozen=True)
class Axis:
    """Numbers between two ends -> places between two others."""

    low: float
    high: float
    start: float  # where low is drawn
    end: float

    def __call__(self, value: float) -> float:
        room = (self.high - self.low) or 1.0
        return self.start + (value - self.low) / room * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Round numbers between the ends, about TICKS of them."""
        if self.high == self.low:
            return [self.low]
        rough = (self.high - self.low) / TICKS
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
        first = math.ceil(self.low / step - 1e-9)
        return [number * step for number in range(first, math.floor(self.high / step + 1e-9) + 1)]


def _lines(marks: Marks, across: Axis) -> list[str]:
    events = [("event", step, words) for step, words in marks.events]
    if marks.stage is not None:
        events.append(("stage", marks.stage, "the realistic stage begins"))
    return [
        f'<line class="{kind}" x1="{across(step):.1f}" x2="{across(step):.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}">'
        f"<title>{escape(words)}</title></line>"
        for kind, step, words in events
        if across.low <= step <= across.high
    ]


def short(number: float) -> str:
    """As an axis has room for it: 12.5k, 2110, 0.0123."""
    return f"{number / 1000:g}k" if abs(number) >= 10_000 else f"{number:.4g}"
