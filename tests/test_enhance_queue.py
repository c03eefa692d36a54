"""What the queue of a folder makes of processes that end, and what its outputs may be called."""

import os
import sys
from pathlib import Path

import pytest

from enhancing import door, make_models, shown, write_soft
from videos import Film
from vidgan.enhancing import naming, queue
from vidgan.errors import BadOption


class Ended:
    """A process as the queue sees it in the end."""

    said = ("the last line",)

    def __init__(self, code: int, *, was_asked: bool) -> None:
        self.code, self.was_asked = code, was_asked


@pytest.mark.parametrize(("code", "was_asked", "status"), [
    (130, True, "stopped"), (143, True, "stopped"), (-15, True, "stopped"), (129, True, "stopped"),
    (143, False, "failed"), (130, False, "failed"), (-9, True, "failed"), (1, True, "failed"),
])  # fmt: skip
def test_only_what_was_asked_to_stop_has_stopped(code, was_asked, status):
    entry = queue.Entry(naming.Task(Path("a.mp4"), Path("b.mp4")), status="running")
    queue._close(entry, Ended(code, was_asked=was_asked))
    assert entry.status == status


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
