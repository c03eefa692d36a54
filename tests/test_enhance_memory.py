"""`vidgan enhance --memory`, and memory that runs out: what fits is made, the rest is refused, no frame is lost."""

import re
from pathlib import Path

import numpy as np
import pytest

from enhancing import apart, door, make_models, names, shown, write_soft
from videos import Film
from vidgan import hardware, stream
from vidgan.enhancing import budget, making
from vidgan.errors import BadOption
from vidgan.generators.recurrent import Generator
from vidgan.video import segments
from vidgan.video.colour import Converter

LIGHT = budget.Plan(tile=64, between=1, decoding_threads=1, light=True)  # a small film would not come to it
WORDS = ("in.mkv", "out.mkv", "--scale", 2)


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Path:
    return make_models(tmp_path_factory.mktemp("models"))


@pytest.fixture
def enhance(models, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("VIDGAN_DEBUG", raising=False)
    monkeypatch.setattr(making, "SEGMENT_FRAMES", 8)
    monkeypatch.setattr(hardware, "return_memory", lambda: None)  # for good, and this process has other tests
    monkeypatch.setattr(hardware, "memory_mb", lambda: 250.0)  # nor is it as small as the command's
    tiny = door(models)
    return lambda *words: tiny(*words, model="tiny")


@pytest.mark.parametrize(("text", "size"), [
    ("3G", 3 << 30), ("800M", 800 << 20), ("1.5g", 3 << 29), ("2 GiB", 2 << 30), ("512MB", 512 << 20),
    ("2097152", 2 << 20), ("4096k", 4 << 20),
])  # fmt: skip
def test_sizes_are_read_as_people_write_them(text, size):
    assert budget.bytes_of(text) == size


@pytest.mark.parametrize("text", ["", "G", "3X", "-1G", "nan", "infG", "1e400G", "3", "0.1M", "3G3"])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(BadOption, match="800M or 3G"):
        budget.bytes_of(text)


@pytest.mark.parametrize("size", [1, 500 << 20, (500 << 20) + 1, 11 << 30, (11 << 30) + 1])
def test_a_size_that_is_told_is_enough(size):
    assert max(size, 1 << 20) <= budget.bytes_of(budget.told(size)) <= size * 1.02 + (1 << 20)


def least(enhance, capsys, *words: object) -> str:
    """As the refusal says it."""
    assert enhance(*words, "--memory", "2M") == 1
    found, remedy = capsys.readouterr().err.splitlines()[-2:]
    (size,) = re.findall(r"takes (\S+) at least", found)
    assert f"Give --memory {size} or more" in remedy
    return size


@pytest.mark.parametrize(
    "words", ["", "--codec hevc", "--rotate 10", "--consistent", "--preset slow --tile 64"]
)
def test_what_does_not_fit_is_refused_with_the_least_that_does(enhance, capsys, words):
    write_soft("in.mkv", Film(width=320, height=240, times=range(0, 400, 40)))
    # In bfloat16, which some processors take by themselves, less may do than a round number of megabytes.
    usual = (*WORDS, "--precision", "fp32", *words.split())
    size = least(enhance, capsys, *usual)
    assert names() == ["in.mkv"]
    assert enhance(*usual, "--memory", f"{int(size[:-1]) - 51}M") == 1
    assert enhance(*usual, "--memory", size, "--duration", "0.12") == 0
    told = capsys.readouterr().err
    assert (
        f"--memory {size}: tiles of" in told and "the encoder does not look ahead and has one thread" in told
    )


def test_with_room_nothing_is_lowered_and_the_file_is_the_same(enhance, capsys):
    write_soft("in.mkv", Film(times=range(0, 400, 40)))
    assert enhance(*WORDS, "--memory", "8G") == 0
    assert "--memory 8G: whole frames; about" in capsys.readouterr().err
    assert enhance("in.mkv", "free.mkv", "--scale", 2) == 0
    assert (shown("out.mkv").pixels == shown("free.mkv").pixels).all()


@pytest.mark.parametrize(("suffix", "codec"), [
    ("mp4", "h264"), ("mp4", "hevc"), ("webm", "av1"), ("webm", "vp9"), ("mov", "prores"), ("mkv", "ffv1"),
    ("mp4", "mpeg4"),
])  # fmt: skip
def test_a_light_encoder_gives_every_frame_at_its_time(enhance, capsys, monkeypatch, suffix, codec):
    write_soft("in.mkv", Film(width=96, height=80, times=range(0, 480, 40)))
    words = ("in.mkv", f"out.{suffix}", "--scale", 2, "--codec", codec)
    monkeypatch.setattr(budget, "fit", lambda *_, **__: LIGHT)
    assert enhance(*words, "--memory", "1G") == 0
    assert "does not look ahead" in capsys.readouterr().err
    assert enhance("in.mkv", f"free.{suffix}", *words[2:]) == 0
    light, free = shown(f"out.{suffix}"), shown(f"free.{suffix}")
    assert light.seconds == free.seconds and len(light.seconds) == 12
    assert apart(light.pixels, free.pixels) < 1.5  # codes: two encodings of one picture


def test_the_memory_of_a_part_does_not_count_the_whole_film(enhance, monkeypatch):
    write_soft("in.mkv", Film(width=96, height=80, times=range(100)))
    works = []
    monkeypatch.setattr(budget, "fit", lambda work, *_, **__: works.append(work) or LIGHT)
    for part in ((), ("--start", 1), ("--duration", 0.2)):
        assert enhance("in.mkv", f"out{len(works)}.mp4", *part, "--memory", "1G") == 0
    assert [work.seconds for work in works] == pytest.approx([4, 3, 0.2])
    whole, _, part = (budget.needed(work, LIGHT) for work in works)
    assert whole - part == budget.FRAME_OF_FILM * 95


def test_a_stopped_run_goes_on_under_the_same_cap_and_gives_the_same(enhance, capsys, monkeypatch):
    write_soft("in.mkv", Film(width=160, height=120, times=range(0, 800, 40)))
    monkeypatch.setattr(budget, "fit", lambda *_, **__: LIGHT)
    size = "1G"
    assert enhance("in.mkv", "whole.mkv", *WORDS[2:], "--memory", size) == 0
    folded, calls = Generator.folded, []

    def stopping(self, frame, memory=None):
        calls.append(1)
        if len(calls) == 70:
            raise KeyboardInterrupt
        return folded(self, frame, memory)

    with monkeypatch.context() as patched:
        patched.setattr(Generator, "folded", stopping)
        assert enhance(*WORDS, "--memory", size) == 130
    assert "8 frames are kept" in capsys.readouterr().err
    assert enhance(*WORDS) == 1  # the encoder would be another
    assert "begun otherwise: the codec was" in capsys.readouterr().err
    assert enhance(*WORDS, "--memory", size) == 0
    assert (shown("out.mkv").pixels == shown("whole.mkv").pixels).all()


def test_other_tiles_alone_are_no_other_job(enhance, capsys, monkeypatch):
    """What makes a cap of its own of a run that was ended for want of memory: frames are alike but for rounding."""
    write_soft("in.mkv", Film(width=320, height=240, times=range(0, 800, 40)))
    plans = iter([budget.Plan(tile=None), budget.Plan(tile=96)])
    monkeypatch.setattr(budget, "fit", lambda *_, **__: next(plans))
    with monkeypatch.context() as patched:
        patched.setattr(making, "_join", lambda *_: 1 / 0)
        assert enhance(*WORDS, "--memory", "3G") == 1
    Path(".out.mkv.vidgan/000002.output").unlink()  # the last segment is to be made again
    assert enhance(*WORDS, "--memory", "2G") == 0
    assert enhance("in.mkv", "free.mkv", *WORDS[2:]) == 0
    assert np.abs(shown("out.mkv").pixels.astype(int) - shown("free.mkv").pixels).max() <= 2


# --- memory that runs out


@pytest.mark.parametrize("error", [
    MemoryError(), RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory")
])  # fmt: skip
def test_out_of_memory_elsewhere_is_one_clear_error_and_the_work_is_kept(enhance, monkeypatch, capsys, error):
    write_soft("in.mkv", Film(times=range(0, 800, 40)))
    rendered, calls = stream.rendered, []

    def failing(*args):
        calls.append(1)
        if len(calls) == 12:
            raise error
        return rendered(*args)

    with monkeypatch.context() as patched:
        patched.setattr(stream, "rendered", failing)
        assert enhance(*WORDS) == 1
    *_, found, remedy = capsys.readouterr().err.splitlines()
    assert "not enough memory" in found and "--memory" in remedy and "8 frames are kept" in remedy
    assert enhance(*WORDS) == 0
    assert shown("out.mkv").seconds == shown("in.mkv").seconds


def test_an_encoder_without_memory_says_so(enhance, monkeypatch, capsys):
    write_soft("in.mkv")

    def failing(self, packets):
        raise MemoryError

    monkeypatch.setattr(segments.SegmentWriter, "_put_packets", failing)
    assert enhance(*WORDS) == 1
    told = capsys.readouterr().err
    assert "not enough memory" in told and "--memory" in told and "disk" not in told


def test_a_decoder_without_memory_loses_no_frame_in_silence(enhance, monkeypatch, capsys):
    write_soft("in.mkv", Film(times=range(0, 800, 40)))
    to_rgb, calls = Converter.to_rgb, []

    def failing(self, frame, *, deep):
        calls.append(1)
        if len(calls) == 12:
            raise MemoryError
        return to_rgb(self, frame, deep=deep)

    with monkeypatch.context() as patched:
        patched.setattr(Converter, "to_rgb", failing)
        assert enhance(*WORDS) == 1
    assert "not enough memory" in capsys.readouterr().err
    assert enhance(*WORDS) == 0
    assert len(shown("out.mkv").seconds) == 20
