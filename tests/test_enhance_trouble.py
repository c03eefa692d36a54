"""`vidgan enhance` in trouble: full disks, torn journals, damaged segments; and what the output tells of its making."""

import json
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from enhancing import names, shown
from test_enhance_resume import FOLDER, FRAMES, WORDS, enhance, fails, models, same, stopped, write_source
from test_lock import open_locks_stay
from vidgan import checkpoint, sidecar
from vidgan.enhancing import kept, making
from vidgan.enhancing.job import prepare
from vidgan.enhancing.options import Options
from vidgan.generators.recurrent import Generator
from vidgan.video import writer

__all__ = ["enhance", "models", "open_locks_stay", "stopped"]  # fixtures


# --- trouble


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX limits")
def test_a_full_disk_keeps_the_work_and_the_next_run_goes_on(enhance, stopped, capsys):
    import resource

    write_source()
    assert enhance(*WORDS[:1], "whole.mkv", *WORDS[2:]) == 0
    assert stopped(10, lambda: enhance(*WORDS)) == 130
    capsys.readouterr()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    largest = max(path.stat().st_size for path in FOLDER.glob("*"))
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest - 1, before[1]))
    try:
        code = enhance(*WORDS)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    told = capsys.readouterr().err
    assert code == 1 and "File too large" in told and "space" in told and "8 frames are kept" in told
    assert stopped(0, lambda: enhance(*WORDS)) == 0
    assert stopped.num_frames == FRAMES - 8 and same("whole.mkv", "out.mkv")


def test_a_folder_that_goes_away_is_one_clear_error(enhance, monkeypatch, capsys):
    write_source()
    Path("sub").mkdir()
    folded, calls = Generator.folded, []

    def removed(self, frame, memory=None):
        calls.append(1)
        if len(calls) == 12:
            Path("sub").rename("elsewhere")
        return folded(self, frame, memory)

    words = ("in.mkv", "sub/out.mkv", *WORDS[2:])
    with monkeypatch.context() as patched:
        patched.setattr(Generator, "folded", removed)
        assert enhance(*words) == 1
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 2 and "is gone" in told[0]
    Path("elsewhere").rename("sub")
    assert enhance(*words) == 0


def test_a_torn_last_line_of_the_journal_counts_for_nothing(enhance, stopped):
    write_source()
    assert enhance(*WORDS[:1], "whole.mkv", *WORDS[2:]) == 0
    assert stopped(20, lambda: enhance(*WORDS)) == 130
    journal = FOLDER / "journal"
    journal.write_bytes(journal.read_bytes()[:-30])
    assert stopped(0, lambda: enhance(*WORDS)) == 0
    assert stopped.num_frames == FRAMES - 8 and same("whole.mkv", "out.mkv")


@pytest.mark.parametrize(("name", "made"), [
    ("000001.output", FRAMES - 8),
    ("000001.memory", FRAMES - 8),
    ("000000.output", FRAMES),
    ("journal", FRAMES),
])  # fmt: skip
@pytest.mark.parametrize("harm", ["flipped", "cut", "gone"])
def test_what_is_damaged_is_made_again(enhance, stopped, name, made, harm):
    write_source()
    assert enhance(*WORDS[:1], "whole.mkv", *WORDS[2:]) == 0
    assert stopped(20, lambda: enhance(*WORDS)) == 130
    path = FOLDER / name
    data = bytearray(path.read_bytes())
    data[40] ^= 1
    path.write_bytes(data if harm == "flipped" else data[:40])
    if harm == "gone":
        path.unlink()
    assert stopped(0, lambda: enhance(*WORDS)) == 0
    assert stopped.num_frames == made and same("whole.mkv", "out.mkv")


def test_another_encoder_is_refused_before_a_frame_is_made(enhance, stopped, monkeypatch, capsys):
    write_source()
    assert stopped(20, lambda: enhance(*WORDS)) == 130
    capsys.readouterr()
    with monkeypatch.context() as patched:
        patched.setattr(writer, "header_of", lambda path: b"of another version")
        assert stopped(0, lambda: enhance(*WORDS)) == 1
    told = capsys.readouterr().err
    assert stopped.num_frames == 0 and "another version of libx264" in told and "--start-over" in told
    assert "16 frames are kept" in told and "the same command goes on" not in told
    assert stopped(0, lambda: enhance(*WORDS)) == 0


def test_memories_are_kept_of_the_newest_segments_and_of_some_before(enhance, monkeypatch):
    write_source(times=range(0, 40 * 24, 40))
    monkeypatch.setattr(making, "SEGMENT_FRAMES", 2)
    monkeypatch.setattr(writer, "verify", fails)
    assert enhance(*WORDS) == 1
    assert sorted(path.name for path in FOLDER.glob("*.memory")) == [
        "000007.memory", "000010.memory", "000011.memory",
    ]  # fmt: skip


def test_two_runs_for_one_output_do_not_meet(enhance, capsys):
    write_source()
    FOLDER.mkdir()
    held = kept._locked(FOLDER / kept.LOCK, Path("out.mkv"))
    assert enhance(*WORDS) == 1
    found, remedy = capsys.readouterr().err.splitlines()
    assert "another vidgan is making out.mkv" in found and remedy.strip()
    held.close()
    assert enhance(*WORDS) == 0


def test_nothing_stays_beside_an_output_where_no_open_file_can_be_taken_away(tmp_path, open_locks_stay):
    with kept.Kept(tmp_path / "out.mkv", {}, start_over=False, say=print) as folder:
        assert any(tmp_path.iterdir())
        folder.done()
    assert not any(tmp_path.iterdir())


# --- what the output tells


def test_the_sidecar_tells_of_segments_and_times(enhance, stopped):
    write_source()
    words = (*WORDS, "--sidecar", "--start-over")
    assert enhance(*words) == 0
    whole = json.loads(Path("out.mkv.json").read_text())
    Path("out.mkv").unlink()
    Path("out.mkv.json").unlink()
    assert stopped(10, lambda: enhance(*words)) == 130
    assert enhance(*words[:-1]) == 0
    told = json.loads(Path("out.mkv.json").read_text())
    assert [(s["first_frame"], s["num_frames"]) for s in told["segments"]] == [(0, 8), (8, 8), (16, 6)]
    assert [s["sha256"] for s in told["segments"]] == [s["sha256"] for s in whole["segments"]]
    assert all(len(s["sha256"]["output"]) == 64 and s["making_seconds"] > 0 for s in told["segments"])
    assert told["timings"]["frames_of_earlier_runs"] == 8 and whole["timings"]["frames_of_earlier_runs"] == 0
    assert told["timings"]["making_seconds"] > 0 and told["timings"]["joining_seconds"] > 0
    assert told["frames"] == whole["frames"] and told["vidgan"]


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "webm", "mov", "avi"])
def test_the_container_says_that_a_network_altered_it_unless_it_must_not(enhance, suffix, models):
    write_source(times=range(4), time_base=Fraction(1, 25))
    for words, marked in ((), True), (("--no-mark", "--overwrite"), False):
        assert enhance("in.mkv", f"out.{suffix}", "--scale", 2, "--quiet", *words) == 0
        with av.open(f"out.{suffix}") as container:
            comment = {key.lower(): text for key, text in container.metadata.items()}.get("comment", "")
        weights = checkpoint.sha256_of_weights(checkpoint.load_generator(models / "tiny.safetensors"))
        assert ("Altered by a neural network" in comment) is marked
        assert all((word in comment) is marked for word in ("tiny", weights[:12], "64x48 to 128x96"))


def test_every_option_of_the_picture_is_in_the_identity(enhance):
    """A new option must be put there, or among those that leave the frames as they are."""
    others = {
        "input", "output", "model", "overwrite", "start_over", "mark", "sidecar", "json", "quiet", "threads", "started",
        "device", "precision", "backend", "codec", "crf", "preset",
        "memory",  # what it changes of the codec is told there
    }  # fmt: skip
    write_source()
    job = prepare(Options(input=Path("in.mkv"), output=Path("out.mkv"), quiet=True), Generator())
    told = {key.removeprefix("--") for key in job.identity if key.startswith("--")}
    assert told | others == set(Options.__dataclass_fields__)


def test_one_segment_or_many_show_the_same_times(enhance, monkeypatch):
    write_source()
    assert enhance("in.mkv", "many.mp4", *WORDS[2:]) == 0
    monkeypatch.setattr(making, "SEGMENT_FRAMES", 96)
    assert enhance("in.mkv", "one.mp4", *WORDS[2:]) == 0
    many, one = shown("many.mp4"), shown("one.mp4")
    assert many.seconds == one.seconds == shown("in.mkv").seconds
    assert np.abs(many.pixels.astype(int) - one.pixels).mean() < 2
    with av.open("many.mp4") as container:
        keys = [packet.pts for packet in container.demux(video=0) if packet.size and packet.is_keyframe]
    assert len(keys) == 3


def test_a_sidecar_that_fails_leaves_the_output_and_says_what_makes_it(enhance, monkeypatch, capsys):
    write_source()
    words = ("in.mkv", "out.mkv", "--scale", 2, "--sidecar")

    def is_full(*_, **__):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(sidecar.Sidecar, "model_dump_json", is_full)
        assert enhance(*words) == 1
    told = " ".join(capsys.readouterr().err.split())
    assert "out.mkv.json could not be written" in told and "out.mkv itself is whole" in told
    assert "the same command with --overwrite goes on" in told
    assert len(shown("out.mkv").seconds) == FRAMES and not Path("out.mkv.json").exists()
    monkeypatch.setattr(making, "_make_segments", None)  # no frame is made again
    assert enhance(*words, "--overwrite") == 0
    assert json.loads(Path("out.mkv.json").read_text())["num_frames"] == FRAMES
    assert names() == ["in.mkv", "out.mkv", "out.mkv.json"]


def test_a_name_near_the_disk_s_limit_has_its_sidecar(enhance):
    write_source()
    name = "b" * 240 + ".mkv"
    assert enhance("in.mkv", name, "--scale", 1, "--sidecar", "--quiet") == 0
    assert names() == sorted([name, f"{name}.json", "in.mkv"])
