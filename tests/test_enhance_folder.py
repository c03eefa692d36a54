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
from vidgan import backends, blending, cli, sidecar
from vidgan.enhancing import naming, queue
from vidgan.errors import BadOption, BadOutput, BadVideo, BadWeights, MissingExtra
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
    found = naming.tasks(Path(source), Path(target), word, is_marked=sidecar.is_marked)
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
        "in/a.flv": "out/a.flv_out.mkv", "in/b.MP4": "out/b_out.MP4", "in/deep/er/c.webm": "out/deep/er/c_out.webm"
    }  # fmt: skip
    assert outputs("in", "out", "")["in/b.MP4"] == "out/b.MP4"
    found = naming.tasks(Path("in"), Path("out"), "", is_marked=sidecar.is_marked)
    assert found.others == [Path("in/notes.txt")] and found.made == []


def test_what_vidgan_made_is_a_source_again_where_the_outputs_lie_elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    touch("first/a_out.mkv")

    def made(target: str) -> list[Path]:
        try:
            return naming.tasks(Path("first"), Path(target), "out", is_marked=lambda path: True).made
        except BadVideo:
            return [Path("first/a_out.mkv")]

    assert made("second") == []
    assert made("first") == made("first/more") == [Path("first/a_out.mkv")]


NAMES = (
    "a.avi",
    "A.avi",
    "a.mkv",
    "a.mp4",
    "a.avi.mkv",
    "a.avi.MKV",
    "a.mkv.mkv",
    "a.avi.mkv.mkv",
    "a.b.avi",
)


@pytest.mark.parametrize("word", ["out", "x.avi", ""])
def test_no_two_videos_become_one_name_and_none_depends_on_what_lies_beside_it(tmp_path, monkeypatch, word):
    made = [naming.name_for(Path(name), word).casefold() for name in NAMES]
    assert len(set(made)) == len({name.casefold() for name in NAMES})
    monkeypatch.chdir(tmp_path)
    touch("in/a.mkv")
    alone = outputs("in", "out", word)
    touch("in/a.avi", "in/a.avi.mkv", "in/a.mp4")
    assert outputs("in", "out", word) | alone == outputs("in", "out", word)
    assert outputs("in", "out") == {
        "in/a.avi": "out/a.avi_out.mkv", "in/a.avi.mkv": "out/a.avi.mkv_out.mkv",
        "in/a.mkv": "out/a_out.mkv", "in/a.mp4": "out/a_out.mp4",
    }  # fmt: skip


@pytest.mark.parametrize("other", ["A.mkv", "a.MKV"])
def test_outputs_that_differ_in_case_alone_are_refused(tmp_path, monkeypatch, other):
    monkeypatch.chdir(tmp_path)
    touch("in/a.mkv", f"in/{other}")
    if len(os.listdir("in")) < 2:
        pytest.skip("a disk that takes them for one")
    with pytest.raises(BadOption, match="one file on many disks"):
        outputs("in", "out")


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm", ".avi"])
def test_a_video_that_says_it_was_made_by_vidgan_is_no_source(enhance, suffix):
    """Wherever it lies, and whatever it is called; without the mark the name alone can tell."""
    Path("in/x4").mkdir(parents=True)
    for name in ("a.mkv", "in/b.mkv"):
        write_soft(name, Film(times=range(3)))
    assert enhance("a.mkv", f"in/x4/made{suffix}", "--scale", 1) == 0
    assert enhance("a.mkv", f"in/plain{suffix}", "--scale", 1, "--no-mark") == 0
    assert set(outputs("in", "in/x2")) == {"in/b.mkv", f"in/plain{suffix}"}


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
        (("in", "out.mkv"), BadOption),
    ):
        with pytest.raises(error):
            outputs(*arguments)


@pytest.mark.parametrize(("words", "code", "told"), [
    (("in", "out", "--trust", "map.mp4"), 2, "names one file"),
    (("in/a.mp4", "out.mp4", "--jobs", 2), 2, "is one video"),
    (("in", "in/a.mp4"), 1, "is no folder"),
    (("in", "out.mp4"), 2, "called like one video"),
])  # fmt: skip
def test_the_command_refuses_them_in_two_lines(enhance, capsys, words, code, told):
    touch("in/a.mp4")
    assert enhance(*words) == code
    assert told in capsys.readouterr().err and not Path("out").exists() and not Path("out.mp4").exists()


@pytest.mark.parametrize(("words", "code", "told"), [
    ("--codec foo", 2, "there is no codec 'foo'"),
    ("--codec vp9", 1, "does not go into .mov"),
    ("--codec prores --crf 3", 2, "--crf means nothing"),
    ("--crf 52", 2, "out of range"),
    ("--preset warp", 2, "no preset 'warp'"),
    ("--size big", 2, "is no size"),
    ("--scale 2 --size 4k", 2, "both set the size"),
    ("--precision fp16 --device cpu", 2, "fp16"),
    ("--tile 5", 2, "no size for a tile"),
    ("--memory lots", 2, "no amount of memory"),
    ("--memory 3G --backend openvino", 2, "cannot tell what openvino"),
    ("--memory 900M --jobs 2", 1, "1020M before a frame"),
    ("--fidelity 0.5", 1, "no faithful twin"),
    ("--model nope", 1, "there is no model"),
])  # fmt: skip
def test_what_no_video_can_be_made_with_is_said_once_before_any_is_begun(
    enhance, capsys, monkeypatch, words, code, told
):
    """As of a single video: the same two lines and exit code."""
    touch("in/a.mov", "in/b.mov")
    monkeypatch.setattr(queue, "run", lambda *_, **__: pytest.fail("a process was begun"))
    run = enhance if "--model" not in words else lambda *given: cli.main(["enhance", *map(str, given)])
    assert run("in", "out", *words.split()) == code
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2 and told in lines[0] and not Path("out").exists()


def test_a_backend_that_is_not_installed_is_said_once(enhance, capsys, monkeypatch):
    def missing(*_, **__):
        raise MissingExtra("openvino", "openvino")

    touch("in/a.mov")
    monkeypatch.setattr(backends, "is_here", lambda name, device: False)
    monkeypatch.setattr(backends, "load", missing)
    monkeypatch.setattr(queue, "run", lambda *_, **__: pytest.fail("a process was begun"))
    assert enhance("in", "out", "--backend", "openvino") == 1
    assert "vidgan[openvino]" in capsys.readouterr().err


def test_what_only_some_videos_cannot_be_made_with_is_theirs_to_say(enhance, monkeypatch):
    """VP9 goes into .mkv, and not into .mov; presets are words to H.264, and numbers to VP9."""
    touch("in/a.mov", "in/b.mkv", "in/c.webm")
    begun = []
    monkeypatch.setattr(queue, "run", lambda entries, *_, **__: begun.extend(entries))
    for words in (("--codec", "vp9"), ("--preset", "slow"), ("--preset", 3), ("--crf", 60)):
        begun.clear()
        enhance("in", "out", *words)
        assert len(begun) == 3


def test_quiet_says_nothing_of_what_went_well(enhance, capsys, monkeypatch):
    def end_as(*statuses):
        def run(entries, *_, **__):
            for entry, status in zip(entries, statuses, strict=True):
                entry.status = status

        monkeypatch.setattr(queue, "run", run)

    touch("in/a.mkv", "in/b.mkv")
    end_as("done", "failed")
    assert enhance("in", "out", "-q") == 1
    assert "1 done, 1 failed" in capsys.readouterr().err
    end_as("done", "done")
    assert enhance("in", "out", "-q") == 0
    assert capsys.readouterr() == ("", "")


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
    for source, output in (("in/a.mkv", "out/a_out.mkv"), ("in/sub/c.avi", "out/sub/c.avi_out.mkv")):
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
from vidgan.verbs import enhance
enhance.PROGRAM = {program!r}
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
    process = begin(models)
    wait_for(hidden / "000000.memory")
    process.send_signal(number)
    out, err = process.communicate(timeout=120)
    if number == signal.SIGINT:
        assert process.returncode == 130
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
    values = torch.cat([part.flatten() for part in blending.load_denoising(pair, strength).parameters()])
    torch.testing.assert_close(values, torch.full_like(values, weight))


def test_denoising_without_its_companion_says_which_file_is_missing(pair):
    (pair.parent / "realesr-general-wdn-x4v3.pth").unlink()
    with pytest.raises(BadWeights, match=r"wdn-x4v3\.pth is not there"):
        blending.load_denoising(pair, 0.5)
    assert blending.load_denoising(pair, 1) is not None  # which needs none


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
            "--sidecar",
        )
        assert cli.main(["enhance", *words]) == 0
    assert (shown("0.mkv").pixels != shown("1.mkv").pixels).any()
    told = [
        json.loads(Path(f"{strength}.mkv.json").read_text())["settings"]["denoise"] for strength in (0, 1)
    ]
    assert told == [0, 1]
    assert cli.main(["enhance", "in.mkv", "x.mkv", "-n", str(pair), "-dn", "0.5", "--fidelity", "0.5"]) == 2
    assert "Leave one of them out" in capsys.readouterr().err
