"""How far a long job is: a bar with the time left on a terminal, a plain line now and then elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Protocol, TypeVar

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from vidgan.silence import ignore
from vidgan.words import amount

PLAIN_EVERY_SECONDS = 10.0
# On a terminal: a frame of a large video may take minutes, and from one alone no speed is known.
SPEED_OVER_SECONDS = 600.0

T = TypeVar("T")


def console(*, quiet: bool = False) -> Console:
    """Standard error, to which words go as they are: brackets in a file's name are no markup."""
    return Console(stderr=True, quiet=quiet, markup=False, emoji=False, highlight=False)


def say(console: Console) -> Callable[[str], None]:
    """Lines to a console, each as long as it is."""
    return partial(console.print, soft_wrap=True)


class Tick(Protocol):
    def __call__(self, done: float, total: float | None, note: str, /) -> None:
        """So much is done, of so much in all where that is known."""


@contextmanager
def bar(console: Console, *, quiet: bool = False) -> Iterator[Tick]:
    """Show a job's progress on the console until the block ends. Everything goes to standard error."""
    if quiet:
        yield ignore
    elif console.is_terminal:
        note_column = TextColumn("{task.description}", markup=False)
        columns = (BarColumn(), TaskProgressColumn(), note_column, TimeRemainingColumn())
        with Progress(
            *columns, console=console, transient=True, speed_estimate_period=SPEED_OVER_SECONDS
        ) as shown:
            task = shown.add_task("starting", total=None)

            def move(done: float, total: float | None, note: str) -> None:
                shown.update(task, completed=done, total=total, description=note)

            yield move
    else:
        yield _Lines(console)


def counted(watch: Callable[[T], None], tick: Tick, total: int | None) -> Callable[[T], None]:
    """`watch`, of frames one by one, which also tells how far it is.

    total  about so many frames there are
    """
    done = 0

    def see(shown: T) -> None:
        nonlocal done
        done += 1
        tick(min(done, total) if total else done, total, amount(done, "frame"))
        watch(shown)

    return see


class _Lines:
    """The same for a log file: a line every few seconds."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.started = self.last = time.monotonic()
        self.first: float | None = None  # what was done before: a resumed job does not start at nothing
        self.total: float | None = None

    def __call__(self, done: float, total: float | None, note: str) -> None:
        now = time.monotonic()
        if self.first is None or total != self.total:  # another total is another part, of another speed
            self.first, self.started, self.total = done, now, total
        if now - self.last < PLAIN_EVERY_SECONDS:
            return
        self.last = now
        if total and done > self.first:
            left = (now - self.started) * (total - done) / (done - self.first)
            self.console.print(f"{done / total:4.0%}  {note}  {clock(left, digits=0)} left", soft_wrap=True)
        else:
            self.console.print(note, soft_wrap=True)


def clock(seconds: float, *, digits: int = 2) -> str:
    """3725.5 -> 1:02:05.50"""
    ticks = round(seconds * 10**digits)
    whole, part = divmod(ticks, 10**digits)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    front = f"{hours}:{minutes:02}" if hours else f"{minutes}"
    return f"{front}:{rest:02}" + (f".{part:0{digits}}" if digits else "")
