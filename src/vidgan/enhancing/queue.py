"""Many videos, one after another or a few at a time, each in a process of its own: none that fails ends another.

A process is given its options on standard input and tells in lines of JSON how far it is. It has a process group of its
own, so that Ctrl-C reaches it once, through the queue: the frame at work is finished and what is done is kept.
"""

import json
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from typing import IO, Literal

from vidgan.enhancing.naming import Task
from vidgan.enhancing.options import Options
from vidgan.enhancing.telling import Result
from vidgan.errors import VidganError, printable
from vidgan.interrupt import POLITE, Asked, remembered
from vidgan.progress import Tick
from vidgan.words import amount

Status = Literal["waiting", "running", "done", "skipped", "failed", "stopped"]
EVERY_SECONDS = 0.2  # at most, a process tells how far it is
POLL_SECONDS = 0.1
PATIENCE_SECONDS = 30.0  # from a second Ctrl-C until processes are ended
# How a process is asked to stop. On Windows Ctrl-C is heard by a whole console or by nobody, Ctrl-Break by a group.
STOP: int = getattr(signal, "CTRL_BREAK_EVENT", signal.SIGINT)
BROKEN_OFF = 0xC000013A  # the exit code of who was ended by it


@dataclass
class Entry:
    """One video of the queue, and how it fares."""

    task: Task
    status: Status = "waiting"
    share: float = 0.0  # of it that is done
    note: str = ""  # how far it is; or why it failed, was left out or stopped
    result: dict[str, object] | None = None


Show = Callable[[], None]  # called now and then: the entries have changed
Say = Callable[[Entry, str], None]


def run(
    entries: list[Entry],
    options: Callable[[Task], Options],
    *,
    program: str,
    jobs: int,
    show: Show,
    say: Say,
) -> None:
    """Make every waiting video; each entry ends as done, failed, skipped or stopped.

    options  gives the options for one video
    program  Python source that makes one video: it calls serve
    say      is passed each line that a process writes to standard error
    After a first Ctrl-C or polite kill no further video is begun, and those at work stop so that they can be resumed;
    then KeyboardInterrupt or SystemExit is raised.
    """
    asked, running = Asked(), dict[int, _Process]()
    events: queue.Queue[tuple[int, str, str]] = queue.Queue()
    waiting = iter([number for number, entry in enumerate(entries) if entry.status == "waiting"])
    try:
        with remembered(asked):
            while True:
                while len(running) < jobs and not asked.signal:
                    if (number := next(waiting, None)) is None:
                        break
                    entries[number].status = "running"
                    running[number] = _Process(number, program, options(entries[number].task), events)
                if not running:
                    break
                for process in running.values() if asked.signal else ():
                    process.stop()
                _hear(entries, running, events, say)
                show()
    except BaseException:
        _end(running)
        raise
    finally:
        for entry in entries:
            if entry.status in ("waiting", "running"):
                entry.status = "stopped"
        show()
    asked.leave()


class _Process:
    """One video at work. What it writes arrives as events: its number, "out", "err" or "end", and the line."""

    def __init__(
        self, number: int, program: str, options: Options, events: "queue.Queue[tuple[int, str, str]]"
    ) -> None:
        self._number, self._events = number, events
        self.was_asked = False  # to stop
        self._process = subprocess.Popen(
            # -P: what lies in the folder where it is run, perhaps called av.py, is not ours to run.
            [sys.executable, "-P", "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONIOENCODING": "utf-8"},  # as it is read here, whatever the console's is
            start_new_session=True,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),  # the same on Windows
        )
        self.said: list[str] = []
        self.has_ended = False
        assert self._process.stdin is not None
        with suppress(OSError):  # it may have died already
            pickle.dump(options, self._process.stdin)
            self._process.stdin.close()
        readers = [
            threading.Thread(target=self._read, args=(pipe, kind), daemon=True)
            for pipe, kind in ((self._process.stdout, "out"), (self._process.stderr, "err"))
        ]
        for reader in readers:
            reader.start()
        threading.Thread(target=self._wait, args=(readers,), daemon=True).start()

    @property
    def code(self) -> int:
        return self._process.wait()

    def stop(self, *, again: bool = False) -> None:
        """Ask once, unless again."""
        if again or not self.was_asked:
            self.was_asked = True
            with suppress(OSError):  # of Windows, where there is no console: it is ended when patience is
                self._process.send_signal(STOP)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def wait(self, seconds: float) -> bool:
        """Whether it ended by itself."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _read(self, pipe: IO[bytes], kind: str) -> None:
        with pipe:
            for line in pipe:
                self._events.put((self._number, kind, line.decode(errors="replace").rstrip("\r\n")))

    def _wait(self, readers: list[threading.Thread]) -> None:
        for reader in readers:
            reader.join()
        self._process.wait()
        self._events.put((self._number, "end", ""))


def _hear(
    entries: list[Entry],
    running: dict[int, _Process],
    events: "queue.Queue[tuple[int, str, str]]",
    say: Say,
) -> None:
    """Wait for an event for a moment, then take all that there are."""
    with suppress(queue.Empty):
        event = events.get(timeout=POLL_SECONDS)
        while True:
            number, kind, line = event
            entry, process = entries[number], running[number]
            if kind == "out":
                _take(entry, json.loads(line))
            elif kind == "err":
                process.said.append(line)
                say(entry, line)
            else:
                _close(entry, running.pop(number))
            event = events.get_nowait()


def _take(entry: Entry, told: dict[str, object]) -> None:
    if "share" in told:
        entry.share, entry.note = float(str(told["share"])), str(told["note"])
    elif "failed" in told:
        entry.status, entry.note = "failed", str(told["failed"])
    elif "result" in told:
        entry.status, entry.share = "done", 1.0
        result = entry.result = dict(told["result"])  # type: ignore[call-overload]
        entry.note = f"{amount(int(result['frames']), 'frame')} of {result['width']}x{result['height']}"


def _close(entry: Entry, process: _Process) -> None:
    """It has ended, one way or another."""
    code = process.code
    if entry.status != "running":
        return
    if process.was_asked and (-code in POLITE or code - 128 in POLITE or code == BROKEN_OFF):
        entry.status, entry.note = "stopped", ""
    elif code < 0:
        name = signal.Signals(-code).name
        likely = ", perhaps for want of memory: --memory caps it" if name == "SIGKILL" else ""
        entry.status, entry.note = "failed", f"ended by {name}{likely}"
    else:
        last = process.said[-1] if process.said else "it said nothing"
        entry.status, entry.note = "failed", f"ended with code {code}: {printable(last)}"


def _end(running: dict[int, _Process]) -> None:
    """A second Ctrl-C: ask again, and wait no longer than must be."""
    for process in running.values():
        process.stop(again=True)
    until = time.monotonic() + PATIENCE_SECONDS
    for process in running.values():
        if not process.wait(max(0.0, until - time.monotonic())):
            process.kill()


# --- the other side


@contextmanager
def _telling() -> Iterator[Callable[[dict[str, object]], None]]:
    """Standard output carries lines of JSON and nothing else."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as pipe:
        os.dup2(2, 1)

        def tell(line: dict[str, object]) -> None:
            pipe.write(json.dumps(line) + "\n")
            pipe.flush()

        yield tell


def serve(work: Callable[[Options, Tick], Result]) -> int:
    """Do what standard input asks for, and tell of it; gives the exit code.

    Where nobody listens any more, it ends as after Ctrl-C.
    """
    for number in {signal.SIGINT, getattr(signal, "SIGBREAK", signal.SIGINT)}:
        signal.signal(number, signal.default_int_handler)
    with _telling() as tell:
        last = 0.0

        def tick(done: float, total: float | None, note: str) -> None:
            nonlocal last
            now = time.monotonic()
            if now - last >= EVERY_SECONDS:
                last = now
                try:
                    tell({"share": done / total if total else 0.0, "note": note})
                except OSError:  # a broken pipe, which Windows calls an invalid argument
                    raise KeyboardInterrupt from None

        try:
            tell({"result": asdict(work(pickle.load(sys.stdin.buffer), tick))})
        except VidganError as error:
            tell({"failed": f"{error.found}. {error.remedy}".rstrip()})
            return 1
        except KeyboardInterrupt:
            return 130
        except SystemExit as error:
            return int(error.code or 0)
        except Exception as error:
            tell({"failed": f"{type(error).__name__}: {printable(str(error))} (a mistake of ours)"})
            return 1
        return 0
