"""`vidgan enhance` killed with SIGKILL at random moments, again and again: in the end it is the very same file."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import pytest

import videos
from enhancing import make_models, shown, soft
from videos import Film

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")

FRAMES = 120
# Segments of ten frames, and a network that takes its time, so that a kill meets it at work.
PROGRAM = """
import sys, time
from vidgan import cli
from vidgan.enhancing import making
from vidgan.generators.recurrent import Generator
making.SEGMENT_FRAMES = 10
folded = Generator.folded
def slow(self, frame, memory=None):
    time.sleep({pause})
    return folded(self, frame, memory)
Generator.folded = slow
sys.exit(cli.main(sys.argv[1:]))
"""


def write_source(path: Path) -> Path:
    """Waves with two cuts, at unequal times, with sound."""
    film = Film(times=[40 * i + 11 * (i * i % 3) for i in range(FRAMES)], time_base=Fraction(1, 1000))
    return videos.write(path, film, [soft(i, 64, 48) // (1 + i // 50) for i in range(FRAMES)])


def begin(folder: Path, output: str, *words: str, pause: float, before: str = "") -> subprocess.Popen:
    told = ["enhance", "in.mkv", output, "--model", "tiny.safetensors", "--scale", "2", "--quiet", *words]
    return subprocess.Popen(
        [sys.executable, "-c", before + PROGRAM.format(pause=pause), *told], cwd=folder,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def killed_and_resumed(folder: Path, output: str, *words: str, kills: int, seed: int) -> int:
    """Run until the output is there, killed on the way; gives how many kills met it at work.

    A frame takes the pause at least, so that the last kill comes before the last frame, however fast the machine.
    """
    rng, hidden, met, pause = random.Random(seed), folder / f".{output}.vidgan", 0, 0.02
    for _ in range(kills):
        process = begin(folder, output, *words, pause=pause)
        while process.poll() is None and not (hidden / "000000.output").exists():
            time.sleep(0.005)
        time.sleep(rng.uniform(0, 0.8 * FRAMES / kills * pause))
        met += process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert not (folder / output).exists()
    assert begin(folder, output, *words, pause=0).wait() == 0
    assert not hidden.exists()
    return met


def check(folder: Path, suffix: str, *words: str, kills: int) -> None:
    make_models(folder)
    write_source(folder / "in.mkv")
    assert begin(folder, f"whole.{suffix}", *words, pause=0).wait() == 0
    assert killed_and_resumed(folder, f"out.{suffix}", *words, kills=kills, seed=kills) == kills
    whole, out = shown(folder / f"whole.{suffix}"), shown(folder / f"out.{suffix}")
    assert len(out.seconds) == FRAMES and out.seconds == whole.seconds == shown(folder / "in.mkv").seconds
    assert (out.pixels == whole.pixels).all()


def test_two_kills_change_no_frame_and_no_time(tmp_path):
    check(tmp_path, "mp4", kills=2)


@pytest.mark.slow
@pytest.mark.parametrize(("suffix", "words"), [
    ("mp4", ()), ("mkv", ("--codec", "hevc", "--sidecar")), ("webm", ("--precision", "bf16")),
])  # fmt: skip
def test_five_kills_change_no_frame_and_no_time(tmp_path, suffix, words):
    check(tmp_path, suffix, *words, kills=5)
    if "--sidecar" in words:
        told, whole = (
            json.loads((tmp_path / f"{name}.{suffix}.json").read_text()) for name in ("out", "whole")
        )
        assert told["frames"] == whole["frames"]
        assert [part["sha256"] for part in told["segments"]] == [part["sha256"] for part in whole["segments"]]


@pytest.mark.slow
def test_memory_does_not_grow_with_length(tmp_path):
    """Peak memory for 300 and 3,000 frames: 30 and 300 segments, each run in a process of its own."""
    make_models(tmp_path)
    peaks = []
    for num_frames in (300, 3000):
        film = Film(times=range(num_frames), options={"preset": "ultrafast"})
        pictures = [videos.picture(i, 64, 48) for i in range(8)]
        videos.write(tmp_path / "in.mkv", film, (pictures[i % 8] for i in range(num_frames)))
        assert begin(tmp_path, f"{num_frames}.mkv", "--sidecar", pause=0).wait() == 0
        told = json.loads((tmp_path / f"{num_frames}.mkv.json").read_text())
        peaks.append(told["cost"]["peak_memory_mb"])
    assert peaks[1] - peaks[0] < 12, peaks


def test_a_kill_while_the_trust_map_is_joined_leaves_nothing_in_the_end(tmp_path):
    make_models(tmp_path)
    (tmp_path / "tiny-faithful.safetensors").write_bytes((tmp_path / "zero.safetensors").read_bytes())
    videos.write(tmp_path / "in.mkv", Film())
    killed = """
import os, signal
from vidgan.video.writer import Writer
join = Writer.join
def killed(self, *words, **named):
    if self.alone:
        named["between"] = lambda: os.kill(os.getpid(), signal.SIGKILL)
    join(self, *words, **named)
Writer.join = killed
"""
    words = ("out.mkv", "--trust", "map.mkv")
    first = begin(tmp_path, *words, pause=0, before=killed)
    assert first.wait() == -signal.SIGKILL
    assert any(path.name.endswith(".partial.mkv") for path in tmp_path.iterdir())
    assert begin(tmp_path, *words, pause=0).wait() == 0
    left = {path.name for path in tmp_path.iterdir() if path.suffix == ".mkv" or path.name.startswith(".")}
    assert left == {"in.mkv", "out.mkv", "map.mkv"}
