"""Quality against speed: a point for each method, with its interval, as inline SVG."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from vidgan.report.curves import BOTTOM, COLOURS, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Axis, short

FROM_EDGE = 14  # pixels that points keep from the frame
LONGEST = 28  # letters of a name beside its point: half of the frame holds no more


@dataclass(frozen=True, kw_only=True)
class Point:
    name: str
    x: float  # above 0: the axis is logarithmic
    y: float
    low: float | None = None
    high: float | None = None


def scatter(title: str, axis: str, points: Sequence[Point]) -> str:
    """A figure; empty without two points."""
    points = [point for point in points if point.x > 0 and math.isfinite(point.y)]
    if len(points) < 2:
        return ""
    xs = [math.log10(point.x) for point in points]
    ys = [end for point in points for end in (point.low, point.y, point.high) if end is not None]
    across = Axis(min(xs), max(xs), LEFT + FROM_EDGE, WIDTH - RIGHT - FROM_EDGE)
    up = Axis(min(ys), max(ys), HEIGHT - BOTTOM - FROM_EDGE, TOP + FROM_EDGE)
    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title, quote=True)}">']
    for y in (min(ys), (min(ys) + max(ys)) / 2, max(ys)):
        parts.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{up(y):.1f}" y2="{up(y):.1f}"/>'
        )
        parts.append(f'<text x="{LEFT - 6}" y="{up(y) + 4:.1f}" text-anchor="end">{y:.3g}</text>')
    for x in dict.fromkeys((min(xs), max(xs))):
        parts.append(
            f'<text x="{across(x):.1f}" y="{HEIGHT - 18}" text-anchor="middle">{short(float(f"{10**x:.3g}"))}</text>'
        )
    parts.append(
        f'<text x="{WIDTH / 2}" y="{HEIGHT - 4}" text-anchor="middle">{escape(axis)}, logarithmic</text>'
    )
    for point, colour in zip(points, COLOURS * len(points), strict=False):
        x, y = across(math.log10(point.x)), up(point.y)
        if point.low is not None and point.high is not None:
            ends = f'y1="{up(point.low):.1f}" y2="{up(point.high):.1f}"'
            parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" {ends} stroke="{colour}"/>')
        words = escape(f"{point.name}: {point.y:.4g} at {point.x:.4g}")
        parts.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{colour}"><title>{words}</title></circle>'
        )
        # Beside the point, on the side where there is room.
        anchor, shift = ("start", 8) if x < WIDTH / 2 else ("end", -8)
        name = point.name if len(point.name) <= LONGEST else f"{point.name[: LONGEST - 3]}..."
        parts.append(
            f'<text x="{x + shift:.1f}" y="{y - 7:.1f}" text-anchor="{anchor}">{escape(name)}</text>'
        )
    return f"<figure><figcaption><b>{escape(title)}</b></figcaption>{''.join(parts)}</svg></figure>"
