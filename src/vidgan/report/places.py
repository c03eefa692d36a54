"""Where a verb's results go: a page, JSON, CSV, the terminal. Places are looked at before any work."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from vidgan.disk import try_to_write
from vidgan.errors import BadOption, BadOutput
from vidgan.report.page import write

OWN = ("index.json", "clips/*", "checkpoints/*")  # what is read of a data set and of a run

Text = Callable[[], str | Iterable[str]]


class Places(Protocol):
    """The options of a verb, as far as they say where its results go."""

    @property
    def report(self) -> Path | None: ...
    @property
    def json(self) -> Path | None: ...  # "-" for standard output
    @property
    def csv(self) -> Path | None: ...
    @property
    def quiet(self) -> bool: ...


def check(places: Places, inputs: Iterable[Path | None]) -> None:
    """Before any work: raises BadOutput for a place where no file can be written, or must not; BadOption for a page
    to standard output.

    inputs  the files that are read, and data sets and runs: none of them is lost for a table
    """
    named = [path for path in inputs if path is not None]
    kept = {path.resolve() for path in named}
    kept |= {place.resolve() for path in named for part in OWN for place in path.glob(part)}
    taken: set[Path] = set()
    if str(places.report) == "-":
        raise BadOption("--report - names no file", "Name one; numbers can go to --json - or --csv -.")
    for path in (places.report, places.json, places.csv):
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
        if is_file:
            with _told(path):
                try_to_write(path.parent)
        if place in taken:
            raise BadOutput(f"{path} is named for two results", "Give each a place of its own.")
        taken.add(place)


def write_results(places: Places, *, report: Callable[[Path], object], json: Text, csv: Text) -> None:
    """What was asked for, "-" being standard output. Raises BadOutput.

    The page first: it may fail for want of room, and then nothing else is there.
    """
    if places.report is not None:
        with _told(places.report):
            report(places.report)
    for path, text in ((places.json, json), (places.csv, csv)):
        if path is not None and str(path) == "-":
            made = text()
            sys.stdout.writelines([made] if isinstance(made, str) else made)
        elif path is not None:
            with _told(path):
                write(text(), path)


def json_line(tree: object) -> str:
    return json.dumps(tree, allow_nan=False) + "\n"


def is_shown(places: Places) -> bool:
    """Whether people read along: standard output may be the JSON's."""
    return not places.quiet and "-" not in (str(places.json), str(places.csv))


def say_last(places: Places, lines: Sequence[str]) -> None:
    """The lines, then where the page lies."""
    for line in lines:
        print(line)
    if places.report is not None:
        print(f"report: {places.report}")


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """What goes wrong while the path is written, in words: a full disk, rights."""
    try:
        yield
    except OSError as error:
        raise BadOutput(
            f"{path} could not be written: {error.strerror or error}", "Make room, or choose another place."
        ) from None
