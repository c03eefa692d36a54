"""Tables: a comparison as rows of words, the same on a terminal and on a page; and rows on a terminal."""

from collections.abc import Iterable, Mapping, Sequence

from rich.console import Console
from rich.table import Table

from vidgan.metrics import Metric
from vidgan.score import LANCZOS, REFERENCE, Comparison, Efficiency

ARROWS = {"higher": " ↑", "lower": " ↓", "": ""}
MADE = {  # what an output cost -> its title, and its digits
    "model": ("network", None),
    "device": ("on", None),
    "precision": ("in", None),
    "fps": ("frames a second, file to file", 1),
    "network_ms": ("network, ms a frame", 1),
    "peak_memory_mb": ("peak memory, MB", 0),
    "parameters": ("parameters, millions", 3),
    "gflop": ("GFLOP a frame", 1),
    "joules": ("joules a frame", 1),
    "megabytes": ("file, MB", 1),
}


def rows(found: Comparison) -> list[list[str]]:
    """A row for each metric: its title, then a cell for each contender."""
    return [[title(metric), *cells(metric, found)] for metric in found.measured()]


def title(metric: Metric) -> str:
    return metric.title + ARROWS[metric.better]


def cells(metric: Metric, found: Comparison) -> list[str]:
    means = [contender.means().get(metric.name) for contender in found.contenders]
    return ["" if value is None else f"{value:.{metric.digits}f}" for value in means]


def best(metric: Metric, found: Comparison) -> int | None:
    """Which contender's cell is the best; None where nothing is better, and the reference does not compete."""
    if not metric.better or metric.secondary:
        return None
    means = {
        index: value
        for index, contender in enumerate(found.contenders)
        if contender.name != REFERENCE and (value := contender.means().get(metric.name)) is not None
    }
    if len(means) < 2:
        return None
    chosen = max if metric.better == "higher" else min
    return chosen(means, key=lambda index: means[index])


def left_out(reasons: Mapping[str, str]) -> list[str]:
    """What was not measured, a line for each reason."""
    names: dict[str, list[str]] = {}
    for name, why in reasons.items():
        names.setdefault(why, []).append(name)
    return [f"Left out: {', '.join(those)}: {why}" for why, those in names.items()]


def efficiency_rows(found: Comparison) -> tuple[list[str], list[list[str]]]:
    """The outputs' names, and a row for each thing that is known of what they cost."""
    made = [contender for contender in found.contenders if contender.name not in (LANCZOS, REFERENCE)]
    return [contender.name for contender in made], costs([contender.efficiency for contender in made])


def costs(made: Sequence[Efficiency | None]) -> list[list[str]]:
    """A row for each thing that is known of at least one."""
    lines = [[words, *(_cell(cost, name, digits) for cost in made)] for name, (words, digits) in MADE.items()]
    return [line for line in lines if any(line[1:])]


def _cell(efficiency: Efficiency | None, name: str, digits: int | None) -> str:
    value = getattr(efficiency, name) if efficiency is not None else None
    if value is None:
        return ""
    if digits is None:
        return str(value)
    return f"{value / 1e6 if name == 'parameters' else value:.{digits}f}"


def show(header: Sequence[str], lines: Iterable[Sequence[str]], *, fold: bool = False) -> None:
    """Print a table: names to the left, all else to the right.

    fold  whether a cell that finds no room goes on below, as the names of files do; else it is cut short
    """
    shown = Table(box=None, pad_edge=False)
    for index, name in enumerate(header):
        if index == 0:
            shown.add_column(name, overflow="fold")
        else:
            shown.add_column(name, justify="right", overflow="fold" if fold else "ellipsis")
    for line in lines:
        shown.add_row(*line)
    Console(soft_wrap=True, highlight=False, markup=False, emoji=False).print(shown)
