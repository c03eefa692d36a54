"""Frames that a film shows twice: computed once, counted, and the same after a stop as without one."""

import json
from pathlib import Path

import numpy as np
import pytest

import videos
from enhancing import door, make_models, shown, soft
from videos import Film
from vidgan import hardware
from vidgan.enhancing import making
from vidgan.generators.recurrent import Generator

FRAMES, SEGMENT = 22, 8
WORDS = ("in.mkv", "out.mkv", "--scale", 2, "--quiet", "--sidecar")


@pytest.fixture
def enhance(tmp_path, monkeypatch):
    """A film that shows each picture twice, from its second frame on, so that a segment begins with a repeat."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(making, "SEGMENT_FRAMES", SEGMENT)
    (tmp_path / "models").mkdir()
    models = make_models(tmp_path / "models")
    (models / "tiny-faithful.safetensors").write_bytes((models / "zero.safetensors").read_bytes())
    frames = [soft((number + 1) // 2, 64, 48) for number in range(FRAMES)]
    videos.write(Path("in.mkv"), Film(times=range(FRAMES), codec="ffv1", pixel_format="bgr0"), frames)
    tiny = door(models)
    return lambda *words: tiny(*words, model="tiny")


@pytest.fixture
def computed(monkeypatch) -> list[int]:
    folded, calls = Generator.folded, []

    def counted(self, frame, memory=None):
        calls.append(1)
        if len(calls) == computed.stops_at:
            raise KeyboardInterrupt
        return folded(self, frame, memory)

    computed = type("Calls", (list,), {"stops_at": 0})()
    calls = computed
    monkeypatch.setattr(Generator, "folded", counted)
    return computed


def told() -> dict:
    return json.loads(Path("out.mkv.json").read_text())


# Frames 1 and 2, 3 and 4 ... are equal; 8 and 16 begin segments and are computed all the same.
REPEATS = [number > 0 and number % 2 == 0 and number % SEGMENT != 0 for number in range(FRAMES)]


def test_repeats_are_counted_and_not_computed(enhance, computed, capsys):
    assert enhance(*WORDS, "--json") == 0
    assert json.loads(capsys.readouterr().out)["repeats"] == sum(REPEATS) == 8
    assert len(computed) == FRAMES - 8 + 2  # two small ones, on which the sidecar counts operations
    assert told()["frames"]["repeats"] == REPEATS
    pixels = shown("out.mkv").pixels.astype(int)
    for number in np.flatnonzero(REPEATS):
        assert (
            np.abs(pixels[number] - pixels[number - 1]).mean() < 0.5
        )  # but for what the encoder still mends


def test_every_frame_has_its_numbers(enhance):
    assert enhance(*WORDS, "--consistent", "--trust", "trust.mkv") == 0
    frames = told()["frames"]
    for key in ("consistency", "trust", "began_shot", "seconds"):
        assert len(frames[key]) == FRAMES
    for number in np.flatnonzero(REPEATS):
        assert frames["trust"][number] == frames["trust"][number - 1]
        assert frames["consistency"][number] == frames["consistency"][number - 1]
    assert len(shown("trust.mkv").pixels) == FRAMES


@pytest.mark.parametrize("more", [(), ("--consistent", "--trust", "trust.mkv")])
def test_a_stopped_film_of_repeats_goes_on_to_the_same_file(more, enhance, computed):
    assert enhance(*WORDS, *more) == 0
    expected = shown("out.mkv")
    repeats = told()["frames"]["repeats"]
    Path("out.mkv").unlink()
    Path("out.mkv.json").unlink()
    if more:
        Path("trust.mkv").unlink()
    computed.clear()
    computed.stops_at = 19 if more else 10
    assert enhance(*WORDS, *more) == 130
    computed.stops_at = 0
    assert enhance(*WORDS, *more) == 0
    found = shown("out.mkv")
    assert found.seconds == expected.seconds
    np.testing.assert_array_equal(found.pixels, expected.pixels)
    assert told()["frames"]["repeats"] == repeats == REPEATS
    assert told()["timings"]["frames_of_earlier_runs"] == SEGMENT


def test_a_stopped_film_goes_on_with_its_backend_and_with_no_other(enhance, computed, monkeypatch, capsys):
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    computed.stops_at = 10
    assert enhance(*WORDS) == 130
    computed.stops_at = 0
    capsys.readouterr()
    assert enhance(*WORDS, "--backend", "onnxruntime") == 1
    assert "the backend was torch, not onnxruntime" in capsys.readouterr().err
    monkeypatch.setenv("VIDGAN_BACKEND", "onnxruntime")  # what auto would be for a new film
    assert enhance(*WORDS) == 0
    assert told()["settings"]["backend"] == "torch"
    assert told()["timings"]["frames_of_earlier_runs"] == SEGMENT


def test_another_precision_than_it_was_begun_with_is_said_to_be_that(enhance, computed, monkeypatch, capsys):
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    with monkeypatch.context() as patched:
        patched.setenv("VIDGAN_BACKEND", "onnxruntime")
        patched.setattr(making, "_join", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        assert enhance(*WORDS) == 130
    capsys.readouterr()
    assert enhance(*WORDS, "--precision", "bf16") == 1
    told = " ".join(capsys.readouterr().err.split())
    assert "begun otherwise" in told and "the precision was fp32, not bf16" in told
    assert "--start-over" in told
    assert enhance(*WORDS, "--precision", "bf16", "--start-over") == 0


def test_energy_is_shared_out_among_all_frames_and_the_network_among_those_it_made(enhance, monkeypatch):
    monkeypatch.setattr(hardware.Energy, "joules", lambda self: 220.0)
    assert enhance(*WORDS) == 0
    assert told()["cost"]["joules"] == 220 / FRAMES
