"""`vidgan enhance` that was stopped: the same command goes on, and gives the very same file."""

import json
import os
import signal
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import pytest
import torch
from torch import nn

import videos
from enhancing import door, make_models, names, shown, soft
from videos import Film
from vidgan import checkpoint, hardware
from vidgan.enhancing import kept, making
from vidgan.generators import aligned
from vidgan.generators.recurrent import Generator
from vidgan.silence import ignore
from vidgan.video import writer

FRAMES = 22
SEGMENT = 8  # so that there are two whole ones and a rest
WORDS = ("in.mkv", "out.mkv", "--scale", 2, "--quiet")
FOLDER = Path(".out.mkv.vidgan")


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Path:
    folder = make_models(tmp_path_factory.mktemp("models"))
    (folder / "tiny-faithful.safetensors").write_bytes((folder / "zero.safetensors").read_bytes())
    return folder


@pytest.fixture
def enhance(models, tmp_path, monkeypatch):
    """vidgan enhance WORDS with a recurrent network, in segments of a few frames, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("VIDGAN_DEBUG", raising=False)
    monkeypatch.setattr(making, "SEGMENT_FRAMES", SEGMENT)
    tiny = door(models)
    return lambda *words: tiny(*words, model="tiny")


@pytest.fixture
def stopped(monkeypatch):
    """Runs a function that is interrupted within frame number `at` of what it makes; 0 lets it run."""

    def run(
        at: int,
        work: Callable[[], int],
        error: type[BaseException] = KeyboardInterrupt,
        kind: type[nn.Module] = Generator,
    ) -> int:
        folded, calls = kind.folded, []

        def counted(self, frame, memory=None):
            calls.append(1)
            if len(calls) == at:
                raise error
            return folded(self, frame, memory)

        with monkeypatch.context() as patched:
            patched.setattr(kind, "folded", counted)
            code = work()
        run.num_frames = len(calls)
        return code

    return run


def write_source(path: str = "in.mkv", *, seed: int = 0, **changes: object) -> None:
    """Waves that travel, a cut at frame 12, and unequal times unless others are given."""
    times = tuple(int(40 * i + 13 * (i * i % 3)) for i in range(FRAMES))
    film = Film(**{"times": times, "time_base": Fraction(1, 1000)} | changes)
    frames = [soft(i + seed, film.width, film.height) for i in range(len(film.times))]
    frames[12:] = [255 - frame for frame in frames[12:]]
    videos.write(Path(path), film, frames)


def same(first: str, second: str) -> bool:
    one, other = shown(first), shown(second)
    return one.seconds == other.seconds and bool((one.pixels == other.pixels).all())


def to_the_end(enhance, stopped, *words: object, at: int = 11) -> None:
    """Stop and go on until it is done."""
    for _ in range(20):
        if stopped(at, lambda: enhance(*words)) == 0:
            return
    raise AssertionError("it never ended")


# --- the same file


@pytest.mark.parametrize(("output", "words"), [
    ("mp4", ""),
    ("mkv", "--codec hevc"),
    ("webm", "--codec vp9"),
    ("webm", "--codec av1"),
    ("mov", "--codec prores"),
    ("mp4", "--codec mpeg4"),
    ("mkv", "--codec ffv1 --precision bf16"),
    ("mkv", "--start 0.1 --duration 0.7"),
    ("mkv", "--tile 64 --consistent --rotate 30"),
    ("mp4", "--trust trust.mkv --crop 48x40+8+4"),
    ("mkv", "--codec ffv1 --steady 0.5 --trust trust.mkv"),
])  # fmt: skip
@pytest.mark.parametrize("at", [9, 12])
def test_a_stopped_run_gives_what_an_uninterrupted_one_gives(enhance, stopped, output, words, at):
    """The first stop is before or in the second segment; then each run makes one more, or two."""
    write_source()
    usual = ("--scale", 2, "--quiet", *words.split())
    assert enhance("in.mkv", f"whole.{output}", *usual) == 0
    if "trust" in words:
        Path("trust.mkv").rename("whole trust.mkv")
    before = names()
    assert (
        stopped(2 * at if "trust" in words else at, lambda: enhance("in.mkv", f"out.{output}", *usual)) == 130
    )
    assert names() == sorted([*before, f".out.{output}.vidgan"])
    to_the_end(enhance, stopped, "in.mkv", f"out.{output}", *usual, at=30)
    assert same(f"whole.{output}", f"out.{output}")
    if "trust" in words:
        assert same("whole trust.mkv", "trust.mkv")
    assert not list(Path().glob(".*"))


def test_a_memory_that_is_moved_is_kept_as_it_was_left(models, enhance, stopped):
    """Moved twice, or not at all, it would give other pictures from the first frame on that is made again."""
    moving = aligned.Generator(aligned.Config(features=16, blocks=1))
    with torch.no_grad():
        for weight in moving.parameters():
            weight.add_(torch.randn_like(weight) * 0.02)
    checkpoint.save_generator(moving, checkpoint.card_of(moving), models / "moving.safetensors")
    write_source()

    def made(name: str) -> int:
        return door(models)("in.mkv", name, "--codec", "ffv1", "--quiet", model="moving")

    assert made("whole.mkv") == 0
    assert stopped(9, lambda: made("out.mkv"), kind=aligned.Generator) == 130
    assert stopped(0, lambda: made("out.mkv"), kind=aligned.Generator) == 0
    assert 0 < stopped.num_frames < FRAMES
    assert same("whole.mkv", "out.mkv")


@pytest.mark.parametrize(("source", "changes"), [
    ("in.mp4", {"options": {"bf": "3", "g": "7"}}),
    ("in.ts", {"times": range(100, 100 + FRAMES), "time_base": Fraction(1, 25)}),
    ("in.avi", {"codec": "mpeg4", "times": range(FRAMES), "time_base": Fraction(1, 25), "options": {}}),
    ("in.mkv", {"codec": "libx265", "pixel_format": "yuv420p10le", "options": {"x265-params": "log-level=none"}}),
    ("in.webm", {"codec": "libvpx-vp9", "options": {"crf": "10"}}),
    ("in.mkv", {"options": {"x264-params": "intra-refresh=1:keyint=6:bframes=0"}}),
])  # fmt: skip
def test_any_source_is_found_again_at_the_very_next_frame(enhance, stopped, source, changes):
    write_source(source, **({"width": 96, "height": 64} | changes))
    words = ("--scale", 1, "--quiet", "--codec", "ffv1")
    assert enhance(source, "whole.mkv", *words) == 0
    to_the_end(enhance, stopped, source, "out.mkv", *words)
    assert same("whole.mkv", "out.mkv")


def test_avi_counts_on_from_its_first_frame(enhance, stopped):
    write_source(times=range(3, 3 + FRAMES), time_base=Fraction(1, 25))
    words = ("--scale", 1, "--quiet")
    assert enhance("in.mkv", "whole.avi", *words) == 0
    to_the_end(enhance, stopped, "in.mkv", "out.avi", *words)
    assert same("whole.avi", "out.avi") and shown("out.avi").seconds[0] == 0


@pytest.mark.parametrize("num_frames", [1, SEGMENT - 1, SEGMENT, SEGMENT + 1, 2 * SEGMENT])
def test_a_last_segment_may_be_of_any_length(enhance, stopped, monkeypatch, num_frames):
    write_source(times=range(0, 40 * num_frames, 40))
    with monkeypatch.context() as patched:
        patched.setattr(writer, "verify", fails)
        assert enhance(*WORDS) == 1
    assert len(list(FOLDER.glob("*.output"))) == -(-num_frames // SEGMENT)
    assert stopped(0, lambda: enhance(*WORDS)) == 0
    assert stopped.num_frames == 0
    assert shown("out.mkv").seconds == shown("in.mkv").seconds


def fails(path, expected, say):
    raise OSError(28, "No space left on device")


def test_sound_and_the_rest_come_along_when_it_is_joined(enhance, stopped):
    videos.write_in_company(Path("in.mkv"))
    assert enhance("in.mkv", "whole.mkv", "--scale", 1, "--quiet") == 0
    to_the_end(enhance, stopped, "in.mkv", "out.mkv", "--scale", 1, "--quiet", at=20)
    assert same("whole.mkv", "out.mkv")
    assert packets_of("out.mkv") == packets_of("whole.mkv")


def packets_of(path: str) -> list[tuple[int, int | None, bytes]]:
    with av.open(path) as container:
        return [
            (packet.stream.index, packet.pts, bytes(packet)) for packet in container.demux() if packet.size
        ]


# --- what is kept, and what is said


def test_ctrl_c_keeps_the_closed_segments_and_says_how_to_go_on(enhance, stopped, capsys):
    write_source()
    Path("out.mkv").write_text("precious")
    loud = (*WORDS[:-1], "--overwrite")
    assert stopped(20, lambda: enhance(*loud)) == 130
    told = " ".join(capsys.readouterr().err.split())
    assert "16 frames are kept in .out.mkv.vidgan: the same command goes on" in told
    assert "--start-over" in told and told.endswith("vidgan enhance: interrupted")
    assert Path("out.mkv").read_text() == "precious"
    assert stopped(0, lambda: enhance(*loud, "--json")) == 0
    out, err = capsys.readouterr()
    assert (
        stopped.num_frames
        == FRAMES - 16
        == json.loads(out)["frames"] - json.loads(out)["frames_of_earlier_runs"]
    )
    assert "going on after 16 frames" in err


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_lets_the_frame_at_work_be_finished(enhance, monkeypatch, number, code):
    write_source()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    folded, calls, ended = Generator.folded, [], []

    def slow(self, frame, memory=None):
        calls.append(1)
        if len(calls) == 10:
            os.kill(os.getpid(), number)
        made = folded(self, frame, memory)
        ended.append(1)
        return made

    monkeypatch.setattr(Generator, "folded", slow)
    try:
        if code == 130:
            assert enhance(*WORDS) == code
        else:
            with pytest.raises(SystemExit) as caught:
                enhance(*WORDS)
            assert caught.value.code == code
    finally:
        signal.signal(signal.SIGINT, before)
    assert len(calls) == len(ended) == 10 and FOLDER.is_dir() and not Path("out.mkv").exists()


def test_before_a_segment_is_closed_nothing_is_kept(enhance, stopped):
    write_source()
    assert stopped(SEGMENT, lambda: enhance(*WORDS)) == 130
    assert names() == ["in.mkv"]


def test_a_signal_before_the_folder_is_locked_leaves_none(tmp_path, monkeypatch):
    def signalled(path):
        raise KeyboardInterrupt

    monkeypatch.setattr(kept.lock, "take", signalled)
    with pytest.raises(KeyboardInterrupt), kept.Kept(tmp_path / "out.mp4", {}, start_over=False, say=print):
        pass
    assert list(tmp_path.iterdir()) == []


def test_of_a_long_film_few_memories_are_kept(tmp_path, monkeypatch):
    """One in eight, each of fifty numbers for every pixel, would fill the disk."""
    monkeypatch.setattr(kept.os, "fsync", ignore)
    with kept.Kept(tmp_path / "out.mp4", {}, start_over=False, say=ignore) as long:
        for number in range(600):
            long.place(number, "memory").touch()
            lists = {"seen": [], "pts": [], "began_shot": [], "consistency": [], "invented": []}
            long.append(kept.Segment(files={}, memory="", elapsed_seconds=0, **lists))
        left = sorted(int(path.stem) + 1 for path in long.folder.glob("*.memory"))
    assert left == [*range(128, 544, 64), *range(544, 600, 8), 599, 600]


def test_joining_alone_is_left_where_all_frames_are_made(enhance, stopped, monkeypatch, capsys):
    write_source()
    with monkeypatch.context() as patched:
        patched.setattr(writer, "verify", fails)
        assert enhance(*WORDS) == 1
    told = capsys.readouterr().err
    assert "No space left" in told and "22 frames are kept" in told
    assert names() == [".out.mkv.vidgan", "in.mkv"]
    assert not list(FOLDER.glob("whole*"))
    assert stopped(0, lambda: enhance(*WORDS)) == 0
    assert stopped.num_frames == 0 and names() == ["in.mkv", "out.mkv"]


# A processor with AMX or AVX-512 BF16 takes bf16 by itself.
USUAL = hardware.word_of(hardware.quick_precision(torch.device("cpu")))
OTHER = {"fp32": "bf16", "bf16": "fp32"}[USUAL]


@pytest.mark.parametrize(("words", "told"), [
    (("--crf", 30), "crf 17"),
    (("--scale", 1), "--scale was 2.0, not 1.0"),
    (("--rotate", 90), "--rotate was 0.0, not 90.0"),
    (("--start", 0.1), "--start was 0.0, not 0.1"),
    (("--consistent",), "--consistent was False, not True"),
    (("--steady", 0.3), "--steady was 0.0, not 0.3"),
    (("--codec", "hevc"), "libx264"),
    (("--precision", OTHER), f"the precision was {USUAL}, not {OTHER}"),
    (("--trust", "trust.mkv"), "--trust was left out"),
])  # fmt: skip
def test_other_settings_are_refused_with_a_choice(enhance, stopped, capsys, words, told):
    write_source()
    assert stopped(10, lambda: enhance(*WORDS)) == 130
    before = contents()
    assert enhance(*WORDS, *words) == 1
    _, found, remedy = capsys.readouterr().err.splitlines()
    assert "begun otherwise" in found and told in found
    assert "as it was to go on" in remedy and "--start-over" in remedy and "8 frames" in remedy
    assert contents() == before
    assert enhance(*WORDS, *words, "--start-over") == 0


def contents() -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in Path().rglob("*") if path.is_file()}


def test_another_model_is_refused(enhance, stopped, models, capsys):
    write_source()
    assert stopped(10, lambda: enhance(*WORDS)) == 130
    assert door(models)(*WORDS, model="zero") == 1
    assert "the model is another" in capsys.readouterr().err


def test_another_source_of_the_same_name_is_refused(enhance, stopped, capsys):
    write_source()
    original = Path("in.mkv").read_bytes()
    assert stopped(10, lambda: enhance(*WORDS)) == 130
    write_source(seed=5)
    assert enhance(*WORDS) == 1
    assert "the input is another" in capsys.readouterr().err
    Path("in.mkv").write_bytes(original)
    assert enhance(*WORDS) == 0


def test_a_source_whose_pixels_are_others_is_refused_at_the_join(enhance, stopped, monkeypatch, capsys):
    """As another decoder would give them: the file itself is the same."""
    write_source()
    assert stopped(10, lambda: enhance(*WORDS)) == 130
    write_source(seed=5)
    monkeypatch.setattr(kept.Kept, "_check", lambda *_: None)
    assert enhance(*WORDS) == 1
    told = capsys.readouterr().err
    assert "is not what it was" in told and "--start-over" in told


def test_a_source_that_changes_meanwhile_ends_it_and_what_was_before_is_kept(enhance, monkeypatch, capsys):
    write_source()
    folded, calls = Generator.folded, []

    def touched(self, frame, memory=None):
        calls.append(1)
        if len(calls) == 20:  # the encoder is at most five frames behind
            os.utime("in.mkv", (1, 1))
        return folded(self, frame, memory)

    with monkeypatch.context() as patched:
        patched.setattr(Generator, "folded", touched)
        assert enhance(*WORDS) == 1
    told = capsys.readouterr().err
    assert "in.mkv was changed while it was read" in told and "frames are kept" in told
    assert enhance(*WORDS) == 0
