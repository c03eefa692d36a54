"""A comparison as rows of words: the same on a terminal and on a page."""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from vidgan.errors import BadOutput
from vidgan.metrics import Metric
from vidgan.report.page import write
from vidgan.score import LANCZOS, REFERENCE, Comparison, Efficiency

OWN = ("index.json", "clips/*", "checkpoints/*")  # what is read of a data set and of a run
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


def markdown(header: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    rule = ["---", *(["---:"] * (len(header) - 1))]
    return "\n".join(f"| {' | '.join(line)} |" for line in (header, rule, *body))


@contextmanager
def told(path: Path) -> Iterator[None]:
    """What goes wrong while the path is written, in words: a full disk, rights. Raises BadOutput."""
    try:
        yield
    except OSError as error:
        raise BadOutput(
            f"{path} could not be written: {error.strerror or error}", "Make room, or choose another place."
        ) from None


def write_texts(texts: Mapping[Path | None, Callable[[], str | Iterable[str]]]) -> None:
    """Each text to its place, "-" being standard output; none where no place is named. Raises BadOutput."""
    for path, text in texts.items():
        if path is not None and str(path) == "-":
            made = text()
            sys.stdout.writelines([made] if isinstance(made, str) else made)
        elif path is not None:
            with told(path):
                write(text(), path)


def check_places(paths: Sequence[Path | None], inputs: Iterable[Path | None]) -> None:
    """Before any work: raises BadOutput for a place where no file can be written, or must not.

    inputs  the files that are read, and data sets and runs: none of them is lost for a table
    """
    named = [path for path in inputs if path is not None]
    kept = {path.resolve() for path in named}
    kept |= {place.resolve() for path in named for part in OWN for place in path.glob(part)}
    taken: set[Path] = set()
    for path in paths:
        if path is None:
            continue
        is_file = str(path) != "-"
        place = path.resolve()
        if is_file and (path.is_dir() or not place.parent.is_dir()):
            raise BadOutput(
                f"{path} cannot be written: it is a folder, or its folder is missing", "Name a file."
            )
        if is_file and place in kept:
            raise BadOutput(f"{path} is one of the files that are read", "Choose another name.")
        if place in taken:
            raise BadOutput(f"{path} is named for two results", "Give each a place of its own.")
        taken.add(place)
