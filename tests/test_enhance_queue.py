"""What the queue of a folder makes of processes that end, and what its outputs may be called."""

import os
import signal
import sys
from pathlib import Path
from queue import Queue

import pytest

from enhancing import door, make_models, shown, write_soft
from videos import Film
from vidgan.enhancing import naming, queue
from vidgan.enhancing.options import Options
from vidgan.errors import BadOption


class Ended:
    """A process as the queue sees it in the end."""

    said = ("the last line",)

    def __init__(self, code: int, *, was_asked: bool) -> None:
        self.code, self.was_asked = code, was_asked


@pytest.mark.parametrize(("code", "was_asked", "status"), [
    (130, True, "stopped"), (143, True, "stopped"), (-15, True, "stopped"), (129, True, "stopped"),
    (0xC000013A, True, "stopped"), (0xC000013A, False, "failed"),  # of Windows
    (143, False, "failed"), (130, False, "failed"), (-9, True, "failed"), (1, True, "failed"),
])  # fmt: skip
def test_only_what_was_asked_to_stop_has_stopped(code, was_asked, status):
    entry = queue.Entry(naming.Task(Path("a.mp4"), Path("b.mp4")), status="running")
    queue._close(entry, Ended(code, was_asked=was_asked))
    assert entry.status == status


def said_by(program: str) -> list[tuple[int, str, str]]:
    """All that a process of the queue tells."""
    events = Queue()
    process = queue._Process(0, program, Options(input=Path("a.mp4"), output=Path("b.mp4")), events)
    heard = [events.get(timeout=60)]
    while heard[-1][1] != "end":
        process.stop()
        heard.append(events.get(timeout=60))
    return heard


def test_a_process_says_names_as_they_are_whatever_the_console_holds(monkeypatch):
    monkeypatch.setenv("PYTHONIOENCODING", "cp1252")  # as on Windows, whose lines also end otherwise
    program = "import sys; sys.stdin.buffer.read(); print('für 猫.mp4', end='\\r\\n', file=sys.stderr)"
    assert (0, "err", "für 猫.mp4") in said_by(program)


def test_a_process_is_asked_to_stop_as_the_system_can(monkeypatch):
    monkeypatch.setattr(queue, "STOP", signal.SIGTERM)  # Windows refuses to send a Ctrl-C
    program = (
        "import signal, sys, time\n"
        "def stop(number, frame): print('asked', file=sys.stderr); sys.exit()\n"
        "signal.signal(signal.SIGTERM, stop); print('ready', file=sys.stderr); time.sleep(60)"
    )
    assert said_by(program) == [(0, "err", "ready"), (0, "err", "asked"), (0, "end", "")]


@pytest.mark.parametrize("word", ["/../x", "a/b", "a\0b"])
def test_a_suffix_leads_into_no_other_folder(word):
    with pytest.raises(BadOption, match="--suffix"):
        naming.name_for(Path("a.mp4"), word)


def test_what_lies_beside_the_videos_is_not_run(tmp_path, monkeypatch, capsys):
    """A stranger's folder may hold an av.py; and a user's own a random.py."""
    models = make_models(tmp_path)
    (tmp_path / "films").mkdir()
    monkeypatch.chdir(tmp_path / "films")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(place for place in sys.path if place))
    for name in ("av", "random", "numpy"):
        Path(f"{name}.py").write_text("raise SystemExit('this was run')\n")
    write_soft("a.mp4", Film(times=range(0, 120, 40)))
    assert door(models)(".", "../out", "--scale", 1) == 0
    assert "this was run" not in capsys.readouterr().err
    (made,) = Path("../out").iterdir()
    assert len(shown(made).pixels) == 3
