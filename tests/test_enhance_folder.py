"""`vidgan enhance FOLDER FOLDER`: a queue of processes, each video for itself; and Real-ESRGAN's -dn."""

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
import torch

from enhancing import door, make_models, shown, write_soft
from videos import Film
from vidgan import checkpoint, cli
from vidgan.enhancing import naming
from vidgan.errors import BadOption, BadOutput, BadVideo, BadWeights
from vidgan.generators.compact import Config, Generator

SHORT = Film(times=range(0, 240, 40))


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Path:
    return make_models(tmp_path_factory.mktemp("models"))


@pytest.fixture
def enhance(models, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("VIDGAN_DEBUG", raising=False)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    return door(models)


def touch(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text("x")


def outputs(source: str, target: str, word: str = "out") -> dict[str, str]:
    found = naming.tasks(Path(source), Path(target), word)
    return {task.source.as_posix(): task.output.as_posix() for task in found.tasks}


# --- which videos, and what they become


def test_subfolders_are_mirrored_and_names_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    touch(
        "in/b.MP4",
        "in/a.flv",
        "in/deep/er/c.webm",
        "in/notes.txt",
        "in/.hidden.mp4",
        "in/.a.mp4.vidgan/whole.mp4",
    )
    assert outputs("in", "out") == {
        "in/a.flv": "out/a_out.mkv", "in/b.MP4": "out/b_out.MP4", "in/deep/er/c.webm": "out/deep/er/c_out.webm"
    }  # fmt: skip
    assert outputs("in", "out", "")["in/b.MP4"] == "out/b.MP4"
    assert naming.tasks(Path("in"), Path("out"), "").others == [Path("in/notes.txt")]


def test_two_that_would_share_a_name_keep_their_own_suffixes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    touch("in/a.avi", "in/a.mkv", "in/a.mp4")
    assert outputs("in", "out") == {
        "in/a.avi": "out/a.avi_out.mkv", "in/a.mkv": "out/a.mkv_out.mkv", "in/a.mp4": "out/a_out.mp4"
    }  # fmt: skip


def test_what_an_earlier_run_made_is_no_source(tmp_path, monkeypatch):
    """Neither in the same folder, nor in an output folder below the input."""
    monkeypatch.chdir(tmp_path)
    touch("in/a.mp4", "in/a_out.mp4", "in/out/b.mp4")
    assert outputs("in", "in")["in/a.mp4"] == "in/a_out.mp4" and "in/a_out.mp4" not in outputs("in", "in")
    assert set(outputs("in", "in/out")) == {"in/a.mp4", "in/a_out.mp4"}


def test_a_queue_that_cannot_be_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    touch("in/a.mp4", "file", "none/notes.txt")
    for arguments, error in (
        (("in", "file"), BadOutput),
        (("in", "in", ""), BadOption),
        (("none", "out"), BadVideo),
    ):
        with pytest.raises(error):
            outputs(*arguments)


@pytest.mark.parametrize(("words", "code", "told"), [
    (("in", "out", "--trust", "map.mp4"), 2, "names one file"),
    (("in/a.mp4", "out.mp4", "--jobs", 2), 2, "is one video"),
    (("in", "in/a.mp4"), 1, "is no folder"),
])  # fmt: skip
def test_the_command_refuses_them_in_two_lines(enhance, capsys, words, code, told):
    touch("in/a.mp4")
    assert enhance(*words) == code
    assert told in capsys.readouterr().err and not Path("out").exists()


# --- the queue


def test_failures_end_nothing_and_are_listed_and_what_is_done_is_left_out(enhance, capsys):
    Path("in/sub").mkdir(parents=True)
    for name in ("in/a.mkv", "in/sub/c.avi"):
        write_soft(name, Film(times=range(6)) if "avi" in name else SHORT)
    touch("in/b.mp4")
    words = ("in", "out", "--scale", 1, "--jobs", 2, "--json", "--sidecar")
    assert enhance(*words) == 1
    out, err = capsys.readouterr()
    told = {row["input"]: row for row in json.loads(out)}
    assert {name: row["status"] for name, row in told.items()} == {
        "in/a.mkv": "done", "in/b.mp4": "failed", "in/sub/c.avi": "done"
    }  # fmt: skip
    assert "is a text file" in told["in/b.mp4"]["reason"] and told["in/a.mkv"]["result"]["frames"] == 6
    assert "1 of 3 videos failed" in err and "2 done, 1 failed" in err
    for source, output in (("in/a.mkv", "out/a_out.mkv"), ("in/sub/c.avi", "out/sub/c_out.mkv")):
        assert len(shown(output).seconds) == len(shown(source).seconds) == 6
        assert Path(f"{output}.json").is_file()
    assert sorted(path.name for path in Path("out").iterdir()) == ["a_out.mkv", "a_out.mkv.json", "sub"]
    before = Path("out/a_out.mkv").stat().st_mtime_ns
    Path("in/b.mp4").unlink()
    assert enhance(*words) == 0
    assert {row["status"] for row in json.loads(capsys.readouterr().out)} == {"skipped"}
    assert Path("out/a_out.mkv").stat().st_mtime_ns == before


# As the door would start it, in segments of eight frames, each frame taking its time.
SLOW = """
import signal, time
signal.signal(signal.SIGINT, signal.SIG_DFL)
from vidgan.enhancing import making
from vidgan.generators.recurrent import Generator
making.SEGMENT_FRAMES = 8
folded = Generator.folded
def slow(self, frame, memory=None):
    time.sleep(0.05)
    return folded(self, frame, memory)
Generator.folded = slow
from vidgan.verbs.enhance import serve
serve()
"""
QUEUE = """
import sys
from vidgan import cli
from vidgan.enhancing import queue
queue.PROGRAM = {program!r}
sys.exit(cli.main(sys.argv[1:]))
"""


def begin(models: Path) -> subprocess.Popen:
    words = ["enhance", "in", "out", "--scale", "1", "--model", str(models / "zero.safetensors"), "--json"]
    return subprocess.Popen(
        [sys.executable, "-c", QUEUE.format(program=SLOW), *words],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        # Where tests run as a shell's background job, Ctrl-C is ignored, and children would inherit that.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip


def wait_for(path: Path) -> None:
    until = time.monotonic() + 120
    while not path.exists():
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_stopped_the_queue_leaves_its_video_resumable_and_no_process_behind(enhance, models, number):
    Path("in").mkdir()
    for name in ("in/a.mkv", "in/b.mkv"):
        write_soft(name, Film(times=range(0, 3200, 40)))
    hidden = Path("out/.a_out.mkv.vidgan")
    queue = begin(models)
    wait_for(hidden / "000000.memory")
    queue.send_signal(number)
    out, err = queue.communicate(timeout=120)
    if number == signal.SIGINT:
        assert queue.returncode == 130
        assert [row["status"] for row in json.loads(out)] == ["stopped", "stopped"]
        assert "frames are kept" in err and "the same command goes on" in err and "Traceback" not in err
    else:  # nobody is told any more: the process that is at work notices, and lets go
        until = time.monotonic() + 60
        while is_locked(hidden / "lock") and time.monotonic() < until:
            time.sleep(0.05)
        assert not is_locked(hidden / "lock")
    assert (
        hidden.is_dir() and not Path("out/a_out.mkv").exists() and not Path("out/.b_out.mkv.vidgan").exists()
    )
    Path("in/b.mkv").unlink()
    assert enhance("in", "out", "--scale", 1) == 0
    assert shown("out/a_out.mkv").seconds == shown("in/a.mkv").seconds


def is_locked(path: Path) -> bool:
    import fcntl

    with path.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


# --- Real-ESRGAN's -dn


@pytest.fixture
def pair(tmp_path) -> Path:
    """Two files as Real-ESRGAN publishes them, but for their size: weights of 0.03 and of 0.01."""
    for name, value in (("general-x4v3", 0.03), ("general-wdn-x4v3", 0.01)):
        generator = Generator(Config(features=8, blocks=2))
        weights = {key: torch.full_like(weight, value) for key, weight in generator.state_dict().items()}
        torch.save({"params": weights}, tmp_path / f"realesr-{name}.pth")
    return tmp_path / "realesr-general-x4v3.pth"


@pytest.mark.parametrize(("strength", "weight"), [(0, 0.01), (0.5, 0.02), (0.75, 0.025), (1, 0.03)])
def test_denoising_mixes_the_two_published_files(pair, strength, weight):
    """Their `dni`: strength times the one that denoises, the rest of the one that does not."""
    values = torch.cat([part.flatten() for part in checkpoint.load_denoising(pair, strength).parameters()])
    torch.testing.assert_close(values, torch.full_like(values, weight))


def test_denoising_without_its_companion_says_which_file_is_missing(pair):
    (pair.parent / "realesr-general-wdn-x4v3.pth").unlink()
    with pytest.raises(BadWeights, match=r"wdn-x4v3\.pth is not there"):
        checkpoint.load_denoising(pair, 0.5)
    assert checkpoint.load_denoising(pair, 1) is not None  # which needs none


def test_dn_is_taken_on_the_command_line_and_changes_the_video(enhance, pair, capsys):
    write_soft("in.mkv", Film(times=range(0, 80, 40)))
    for strength in ("0", "1"):
        words = (
            "-i",
            "in.mkv",
            "-o",
            f"{strength}.mkv",
            "-n",
            str(pair),
            "-dn",
            strength,
            "-s",
            "1",
            "--codec",
            "ffv1",
        )
        assert cli.main(["enhance", *words]) == 0
    assert (shown("0.mkv").pixels != shown("1.mkv").pixels).any()
    assert cli.main(["enhance", "in.mkv", "x.mkv", "-n", str(pair), "-dn", "0.5", "--fidelity", "0.5"]) == 2
    assert "Leave one of them out" in capsys.readouterr().err
