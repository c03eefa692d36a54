"""How a queue of videos fares, for people: a table that moves on a terminal, plain lines elsewhere."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from vidgan.enhancing.queue import Entry, Status
from vidgan.progress import PLAIN_EVERY_SECONDS

COLOURS = {"running": "cyan", "done": "green", "failed": "red", "stopped": "yellow"}
LEAST_ROWS = 8


@contextmanager
def shown(entries: list[Entry], folder: Path, console: Console) -> Iterator[Callable[[], None]]:
    """Show the entries until the block ends; the function that is given says that they have changed."""
    if console.quiet:
        yield lambda: None
    elif console.is_terminal:
        with Live(console=console, auto_refresh=False, transient=True) as live:
            yield lambda: live.update(_table(entries, folder, console.height - 4), refresh=True)
    else:
        yield _Lines(entries, folder, console)


def counted(entries: list[Entry]) -> str:
    counts = Counter(entry.status for entry in entries)
    order: tuple[Status, ...] = ("running", "waiting", "done", "skipped", "failed", "stopped")
    return ", ".join(f"{counts[status]} {status}" for status in order if counts[status])


def name_of(entry: Entry, folder: Path) -> str:
    return str(entry.task.source.relative_to(folder))


def _table(entries: list[Entry], folder: Path, room: int) -> Table:
    """As many rows as there is room for: those at work, then what failed, what comes next, what is done."""
    table = Table(
        box=None, padding=(0, 2, 0, 0), show_header=False, caption=counted(entries), caption_justify="left"
    )
    order = ("running", "failed", "stopped", "waiting", "done", "skipped")
    chosen = sorted(range(len(entries)), key=lambda number: (order.index(entries[number].status), number))
    for number in sorted(chosen[: max(room, LEAST_ROWS)]):
        entry = entries[number]
        share = f"{entry.share:.0%}" if entry.status == "running" else ""
        table.add_row(
            Text(name_of(entry, folder), overflow="ellipsis", no_wrap=True),
            Text(f"{entry.status} {share}".strip(), style=COLOURS.get(entry.status, "")),
            Text(entry.note, overflow="ellipsis", no_wrap=True),
        )
    return table


class _Lines:
    """The same for a log file: a line when a video changes its state, and one every few seconds."""

    def __init__(self, entries: list[Entry], folder: Path, console: Console) -> None:
        self._entries, self._folder, self._console = entries, folder, console
        self._before = ["waiting"] * len(entries)
        self._last = time.monotonic()

    def __call__(self) -> None:
        for number, entry in enumerate(self._entries):
            if entry.status != self._before[number]:
                self._before[number] = entry.status
                if entry.status == "done":  # it says so itself
                    continue
                note = f": {entry.note}" if entry.note else ""
                self._print(f"{name_of(entry, self._folder)}: {entry.status}{note}")
        if time.monotonic() - self._last >= PLAIN_EVERY_SECONDS:
            self._last = time.monotonic()
            for entry in self._entries:
                if entry.status == "running" and entry.note:
                    self._print(f"{name_of(entry, self._folder)}: {entry.share:.0%}  {entry.note}")
            self._print(counted(self._entries))

    def _print(self, line: str) -> None:
        self._console.print(line, soft_wrap=True)
