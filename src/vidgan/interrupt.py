"""Ctrl-C and a polite kill, answered between two steps or frames: nothing is lost that was paid for."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

# Windows has no SIGHUP; of a window that is closed, SIGBREAK tells there.
_NAMES = "SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"
POLITE = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]


@dataclass
class Asked:
    """The signal that asks for the end; 0 while none does."""

    signal: int = 0

    def leave(self) -> None:
        """End the program as the signal would have; nothing is asked, nothing is done."""
        if self.signal == signal.SIGINT:
            raise KeyboardInterrupt
        if self.signal:
            raise SystemExit(128 + self.signal)


@contextmanager
def remembered(asked: Asked) -> Iterator[None]:
    """Within the block the first Ctrl-C or polite kill is only remembered; a second one acts at once.

    What was ignored before, as Ctrl-C is by a shell's background jobs, stays ignored.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers = {number: signal.getsignal(number) for number in POLITE}
    before = {number: handler for number, handler in handlers.items() if handler is not signal.SIG_IGN}

    def remember(number: int, frame: object) -> None:
        asked.signal = number
        for each, handler in before.items():
            signal.signal(each, handler)

    for number in before:
        signal.signal(number, remember)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def deaf(worker: int) -> None:
    """For a process that prepares batches: its end comes from the one that reads them."""
    for number in POLITE:  # which a terminal, systemd, docker and timeout send to the whole group
        signal.signal(number, signal.SIG_IGN)
