"""A metric over time, a line for each contender, that can be clicked to seek."""

import math

from vidgan.metrics import Metric
from vidgan.report import curves, table
from vidgan.score import Comparison

MOST_POINTS = 1200  # of a line: more are thinned, each kept point the worst of its stretch


def draw(metric: Metric, found: Comparison) -> str:
    """A figure whose SVG knows its ends in seconds; empty where no contender has a value."""
    lines = {}
    for contender in found.contenders:
        values = contender.values.get(metric.name, ())
        points = [
            (at, value) for at, value in zip(found.seconds, values, strict=False) if not math.isnan(value)
        ]
        if points:
            lines[contender.name] = _thinned(points, metric)
    attributes = {
        "class": "timeline",
        "tabindex": "0",
        "role": "slider",
        "aria-label": f"{metric.title} over time: arrow keys step from frame to frame",
        "aria-valuemin": "0",
        "aria-valuemax": str(len(found.seconds) - 1),
        "aria-valuenow": "0",
        "data-from": f"{found.seconds[0]:.6f}",
        "data-until": f"{found.seconds[-1]:.6f}",
        "data-left": str(curves.LEFT / curves.WIDTH),
        "data-right": str(1 - curves.RIGHT / curves.WIDTH),
    }
    marks = curves.Marks(
        axis="seconds", span=(found.seconds[0], found.seconds[-1]), dots=False, attributes=attributes
    )
    return curves.chart(table.title(metric), lines, marks)


def _thinned(points: list[tuple[float, float]], metric: Metric) -> list[tuple[float, float]]:
    if len(points) <= MOST_POINTS:
        return points
    worst = min if metric.better == "higher" else max
    step = math.ceil(len(points) / MOST_POINTS)
    return [worst(points[i : i + step], key=lambda point: point[1]) for i in range(0, len(points), step)]
