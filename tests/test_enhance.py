"""`vidgan enhance` from end to end: a file goes in, a file comes out, and what was done is said."""

import hashlib
import json
import math
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch

import videos
from enhancing import apart, bicubic, door, make_models, names, shown, write_soft
from videos import Film
from vidgan import hardware
from vidgan.generators.recurrent import Generator

TURN_6 = (0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30)  # a display matrix: a quarter turn clockwise
CODEC_ERROR = 1.6  # codes, the mean: what an encoder at its usual quality costs a soft picture
RED, GREEN, BLUE = (200, 40, 40), (40, 200, 40), (40, 40, 200)  # the corners of a test picture
LOSSLESS = ("out.mkv", "--codec", "ffv1", "--fp32")


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Path:
    return make_models(tmp_path_factory.mktemp("models"))


@pytest.fixture
def enhance(models, tmp_path, monkeypatch):
    """vidgan enhance WORDS in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("VIDGAN_DEBUG", raising=False)
    return door(models)


def wide() -> None:
    write_soft("in.mp4", Film(width=200, height=136, times=range(4)))


def streams_of(path: Path | str) -> list[tuple[str, int]]:
    """Each sound and subtitle stream: its kind and its number of packets that show something."""
    with av.open(str(path)) as container:
        others = [s for s in container.streams if s.type in ("audio", "subtitle")]
        return [(s.type, sum(packet.size > 2 for packet in _packets(path, s.index))) for s in others]


def _packets(path: Path | str, index: int) -> list[av.Packet]:
    with av.open(str(path)) as container:
        return [packet for packet in container.demux(container.streams[index]) if packet.size]


# --- the same frames, larger


def test_a_network_that_adds_nothing_gives_bicubic(enhance):
    write_soft("in.mp4")
    assert enhance("in.mp4", "out.mp4", "--crf", 4, "--fp32") == 0
    source, output = shown("in.mp4"), shown("out.mp4")
    assert output.pixels.shape == (10, 192, 256, 3)
    assert apart(output.pixels, bicubic(source.pixels, 192, 256)) < CODEC_ERROR
    nearest = source.pixels.repeat(4, 1).repeat(4, 2)
    assert apart(output.pixels, np.roll(nearest, 4, axis=2)) > 1.5 * apart(output.pixels, nearest)


def test_another_network_gives_something_else(enhance):
    """That the test above can fail."""
    write_soft("in.mp4")
    assert enhance("in.mp4", "out.mp4", "--crf", 4, model="tiny") == 0
    assert apart(shown("out.mp4").pixels, bicubic(shown("in.mp4").pixels, 192, 256)) > 2 * CODEC_ERROR


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_at_scale_1_the_whole_pipe_is_the_identity_but_for_the_codec(enhance, precision):
    write_soft("in.mp4")
    assert enhance("in.mp4", "out.mp4", "--scale", 1, "--precision", precision) == 0
    assert apart(shown("out.mp4").pixels, shown("in.mp4").pixels) < CODEC_ERROR


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
@pytest.mark.parametrize(
    "film",
    [
        Film(),
        Film(times=videos.UNEQUAL_TIMES, time_base=Fraction(1, 1000)),
        Film(times=tuple(range(5, 12)), time_base=Fraction(1, 8), rate=Fraction(8)),
        Film(times=(0,)),
    ],
    ids=["constant", "variable", "later", "one frame"],
)
def test_frames_and_times_out_are_frames_and_times_in(enhance, film, suffix):
    write_soft("in.mkv", film)
    assert enhance("in.mkv", f"out{suffix}") == 0
    assert shown(f"out{suffix}").seconds == shown("in.mkv").seconds
    assert len(shown("in.mkv").seconds) == len(film.times)


@pytest.mark.parametrize("source", ["in.mp4", "in.mov", "in.mkv", "in.avi", "in.ts", "in.webm"])
@pytest.mark.parametrize("suffix", ["mp4", "webm", "avi"])
def test_any_container_goes_into_any(enhance, source, suffix):
    codec = {"in.webm": "libvpx-vp9", "in.avi": "mpeg4"}.get(source, "libx264")
    write_soft(source, Film(codec=codec, times=range(6), options={}))
    assert enhance(source, f"out.{suffix}", "--scale", 2) == 0
    expected, found = shown(source), shown(f"out.{suffix}")
    from_zero = [seconds - expected.seconds[0] for seconds in expected.seconds]
    assert [float(s) for s in found.seconds] == pytest.approx([float(s) for s in from_zero], abs=1e-3)
    assert apart(found.pixels, bicubic(expected.pixels, 96, 128)) < 2 * CODEC_ERROR


def test_sound_and_subtitles_come_along_to_the_packet(enhance, capsys):
    videos.write_in_company(Path("in.mkv"))
    expected = streams_of("in.mkv")
    assert [kind for kind, _ in expected] == ["audio", "audio", "subtitle", "subtitle"]
    for suffix in ("mkv", "mp4"):
        assert enhance("in.mkv", f"out.{suffix}", "--scale", 1) == 0
        assert streams_of(f"out.{suffix}") == expected
    assert "is not carried: mp4 has no room for files" in capsys.readouterr().err


def test_a_part_holds_the_frames_shown_in_it_and_starts_its_clock(enhance):
    """[0.1, 0.3) of frames 0.04 s apart: 0.12 to 0.28."""
    write_soft("in.mp4")
    assert enhance("in.mp4", "out.mp4", "--start", "0.1", "--duration", "0.2") == 0
    output = shown("out.mp4")
    assert output.seconds == [Fraction(t, 100) for t in (2, 6, 10, 14, 18)]
    expected = bicubic(shown("in.mp4").pixels, 192, 256)
    assert apart(output.pixels, expected[3:8]) < CODEC_ERROR < apart(output.pixels, expected[0:5])


# --- upright, square, deep, odd


@pytest.mark.parametrize(("words", "turned"), [((), True), (("--orientation", "keep"), False)])
def test_a_phone_s_video_comes_out_upright_or_turned_by_the_player_as_before(enhance, words, turned):
    write_soft("in.mp4", Film(display_matrix=TURN_6))
    assert enhance("in.mp4", "out.mp4", *words) == 0
    expected = bicubic(shown("in.mp4").pixels, 192, 256)
    found = shown("out.mp4").pixels
    assert apart(found, np.rot90(expected, -1, axes=(1, 2)) if turned else expected) < CODEC_ERROR
    with av.open("out.mp4") as container:
        assert next(container.decode(video=0)).rotation == (0 if turned else -90)


def test_stretched_pixels_become_square(enhance):
    write_soft("in.mp4", Film(sample_aspect=Fraction(4, 3), width=48))
    assert enhance("in.mp4", "out.mp4") == 0
    output = shown("out.mp4").pixels
    assert output.shape[1:3] == (192, 256)
    assert apart(output, bicubic(shown("in.mp4").pixels, 192, 256)) < CODEC_ERROR
    with av.open("out.mp4") as container:
        assert container.streams.video[0].sample_aspect_ratio in (None, 1)


def test_ten_bits_stay_ten_and_keep_steps_that_eight_cannot_show(enhance):
    """A slope of 64 ten-bit codes over 128 columns: 8 bits have 17 values for it."""
    slope = np.linspace(30_000, 30_000 + 64 * 64, 128).astype(np.uint16)
    pixels = np.broadcast_to(slope[None, :, None], (96, 128, 3))
    deep = Film(width=128, height=96, codec="ffv1", pixel_format="yuv420p10le", times=range(3), options={})
    videos.write(Path("in.mkv"), deep, [np.ascontiguousarray(pixels)] * 3)
    assert enhance("in.mkv", "out.mkv", "--scale", 1, "--fp32") == 0
    lumas = []
    for name in ("in.mkv", "out.mkv"):
        with av.open(name) as container:
            frame = next(container.decode(video=0))
            assert frame.format.name == "yuv420p10le"
            lumas.append(frame.to_ndarray(format="gray10le").astype(int))
            codec = container.streams.video[0].codec_context.name
    assert codec == "hevc"
    assert np.abs(lumas[0] - lumas[1]).mean() < CODEC_ERROR  # ten-bit codes, a quarter of the eight-bit ones
    assert len(np.unique(lumas[1])) > 40


@pytest.mark.parametrize(
    ("suffix", "scale", "size"), [("mp4", 1, (64, 48)), ("webm", 1, (63, 47)), ("mp4", 4, (252, 188))]
)
def test_odd_sizes_are_repeated_at_the_edge_and_not_stretched(enhance, suffix, scale, size):
    vp9 = Film(codec="libvpx-vp9", width=63, height=47, times=range(3), options={"crf": "10"})
    write_soft("in.webm", vp9)
    assert enhance("in.webm", f"out.{suffix}", "--scale", scale) == 0
    output = shown(f"out.{suffix}").pixels
    assert output.shape[1:3] == size[::-1]
    expected = bicubic(shown("in.webm").pixels, 47 * scale, 63 * scale)
    assert apart(output[:, : 47 * scale, : 63 * scale], expected) < 1.5 * CODEC_ERROR


@pytest.mark.parametrize(("words", "size", "precision"), [
    (("-s", 2, "--fp32", "--tile_pad", 10, "--face_enhance"), (96, 128), "fp32"),
    (("--outscale", 3.5, "-t", 0, "--pre_pad", 0, "-dn", 0.5, "--fps", 24), (168, 224), None),
])  # fmt: skip
def test_the_command_lines_of_real_esrgan_s_users_work(enhance, capsys, words, size, precision):
    write_soft("in.mp4")
    assert enhance("-i", "in.mp4", "-o", "out.mp4", *words, "--json") == 0
    printed = capsys.readouterr()
    assert shown("out.mp4").pixels.shape[1:3] == size
    assert shown("out.mp4").seconds == shown("in.mp4").seconds
    assert precision in (None, json.loads(printed.out)["precision"])
    assert "is not needed, ignored" in printed.err


def test_a_crop_is_what_the_whole_picture_shows_there(enhance):
    """The network sees what lies around the crop: the first frame is the same up to it."""
    wide()
    outputs = []
    for words in ((), ("--crop", "64x48+60+40")):
        assert enhance("in.mp4", *LOSSLESS, "--overwrite", *words, model="tiny") == 0
        outputs.append(shown("out.mkv").pixels.astype(int))
    whole, cropped = outputs
    difference = np.abs(cropped - whole[:, 160:352, 240:496])
    assert difference[0, 4:-4, 4:-4].max() <= 2  # at the edge itself, chroma has no neighbours to lean on
    assert difference.mean() < 0.5


@pytest.mark.parametrize(("dtype", "word"), [(torch.bfloat16, "bf16"), (torch.float32, "fp32")])
def test_the_precision_is_the_machine_s_quick_one_unless_said(enhance, capsys, monkeypatch, dtype, word):
    write_soft("in.mp4", Film(times=range(2)))
    monkeypatch.setattr(hardware, "quick_precision", lambda device: dtype)
    assert enhance("in.mp4", "out.mp4", "--json", "--device", "cpu") == 0
    assert json.loads(capsys.readouterr().out)["precision"] == word


# --- what is said


def test_json_is_one_object_on_standard_output_and_nothing_else(enhance, capsys):
    videos.write_in_company(Path("in.mkv"))
    assert enhance("in.mkv", "out.mp4", "--scale", 1, "--json", model="tiny") == 0
    printed = capsys.readouterr()
    told = json.loads(printed.out)
    assert printed.out.count("\n") == 1 and "subtitle" in printed.err
    assert told.keys() >= {
        "output", "frames", "width", "height", "seconds", "fps", "model", "device", "precision", "peak_memory_mb",
    }  # fmt: skip
    assert (told["output"], told["frames"], told["width"], told["height"]) == ("out.mp4", 50, 64, 48)
    assert 0 < told["first_frame_seconds"] <= told["seconds"] and told["fps"] > 0


def test_the_last_line_says_what_was_made(enhance, capsys):
    write_soft("in.mp4", Film(times=(0,)))
    assert enhance("in.mp4", "out.mp4", "--device", "cpu", "--fp32") == 0
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "out.mp4: 1 frame of 256x192" in printed.err and "cpu, fp32" in printed.err


def test_quiet_says_nothing(enhance, capsys):
    videos.write_in_company(Path("in.mkv"))
    assert enhance("in.mkv", "out.mp4", "--quiet", "--scale", 1) == 0
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err == ""


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--flip", "h", "--rotate", 90, "--size", "400x300"),
        ("--rotate", 30),
        ("--crop", "48x52+0+0", "--rotate", -7, "--canvas", "keep", "--scale", 3),
    ],
)
@pytest.mark.parametrize("orientation", ["upright", "keep"])
def test_the_sidecar_s_matrix_leads_from_the_source_s_corners_to_the_output_s(enhance, words, orientation):
    videos.write(Path("in.mp4"), Film(display_matrix=TURN_6, times=range(3)))
    assert enhance("in.mp4", "out.mp4", "--sidecar", *words, "--orientation", orientation) == 0
    told = json.loads(Path("out.mp4.json").read_text())["geometry"]
    output = shown("out.mp4").pixels[0]
    assert output.shape[:2] == (told["height"], told["width"])
    assert (told["source_width"], told["source_height"]) == (64, 48)
    seen = 0
    for corner, colour in (((5, 5), RED), ((59, 5), GREEN), ((5, 43), BLUE)):
        x, y = np.array(told["matrix"]) @ (*corner, 1)
        if 4 < x < told["width"] - 4 and 4 < y < told["height"] - 4:
            assert np.abs(output[int(y), int(x)].astype(int) - colour).max() < 30
            assert np.array(told["inverse"]) @ (x, y, 1) == pytest.approx(corner)
            seen += 1
    assert seen >= (2 if "--crop" in words else 3)


def test_the_sidecar_says_where_the_output_comes_from(enhance, models):
    cut = [videos.picture(i, 64, 48) for i in range(4)] + [255 - videos.picture(i, 64, 48) for i in range(4)]
    videos.write(Path("in.mp4"), Film(times=range(8)), cut)
    assert enhance("in.mp4", "out.mp4", "--sidecar", "--start", 0.08, "--fp32", "--tile", 64) == 0
    told = json.loads(Path("out.mp4.json").read_text())
    assert told["schema"] == 1 and told["num_frames"] == 6
    for key, path in (("input", Path("in.mp4")), ("model", models / "zero.safetensors")):
        assert told[key] == {"name": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    assert told["frames"]["seconds"] == pytest.approx([0.08, 0.12, 0.16, 0.2, 0.24, 0.28])
    assert told["frames"]["began_shot"] == [True, False, True, False, False, False]
    settings = {
        "scale": 4,
        "device": "cpu",
        "precision": "float32",
        "backend": "torch",
        "tile": 64,
        "start": 0.08,
        "duration": None,
        "fidelity": None,
        "restore": 0.0,
        "denoise": None,
        "steady": 0.0,
        "consistent": False,
        "trust": False,
    }
    assert told["settings"] == settings


@pytest.mark.parametrize("kind", ["file", "folder", "input"])
def test_a_sidecar_overwrites_nothing_unasked(enhance, capsys, kind):
    source, sidecar = Path("in.mp4"), Path("out.mp4.json")
    write_soft(source)
    if kind == "input":
        source = source.rename(sidecar)
    elif kind == "file":
        sidecar.write_text("precious")
    else:
        sidecar.mkdir()
    before = {name: Path(name).is_file() and Path(name).read_bytes() for name in names()}
    words = ("--overwrite",) if kind == "input" else ()
    assert enhance(source, "out.mp4", "--sidecar", *words) == 1
    assert "out.mp4.json" in capsys.readouterr().err
    assert {name: Path(name).is_file() and Path(name).read_bytes() for name in names()} == before
    if kind == "file":
        assert enhance("in.mp4", "out.mp4", "--sidecar", "--overwrite") == 0
        assert json.loads(sidecar.read_text())["schema"] == 1


# --- trouble on the way: no frame is lost


def test_frames_that_overflow_in_half_precision_are_made_in_float32(enhance, capsys, monkeypatch):
    folded = Generator.folded

    def overflowing(self, frame, memory=None):
        large, memory = folded(self, frame, memory)
        breaks = self.head.weight.dtype == torch.bfloat16 and frame[0, 0, 16, 16] > 0.5
        return (large * math.inf if breaks else large), memory

    write_soft("in.mp4")
    monkeypatch.setattr(Generator, "folded", overflowing)
    assert enhance("in.mp4", "out.mp4", "--precision", "bf16", model="tiny") == 0
    assert capsys.readouterr().err.count("not finite in bf16: computed again in fp32") == 1
    assert enhance("in.mp4", "exact.mp4", "--precision", "fp32", model="tiny") == 0
    assert shown("out.mp4").seconds == shown("in.mp4").seconds
    assert apart(shown("out.mp4").pixels, shown("exact.mp4").pixels) < 1.5 * CODEC_ERROR


def test_weights_that_give_no_pixels_in_any_precision_are_an_error(enhance, capsys, monkeypatch):
    def broken(self, frame, memory=None):
        return torch.full((1, 48, *frame.shape[-2:]), math.nan), None

    write_soft("in.mp4")
    monkeypatch.setattr(Generator, "folded", broken)
    assert enhance("in.mp4", "out.mp4") == 1
    assert "not finite" in capsys.readouterr().err
    assert names() == ["in.mp4"]


def test_out_of_memory_goes_on_in_tiles_and_gives_the_same(enhance, capsys, monkeypatch):
    folded = Generator.folded

    def hungry(self, frame, memory=None):
        if frame.shape[-1] * frame.shape[-2] > 120 * 120:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 byte")
        return folded(self, frame, memory)

    wide()
    assert enhance("in.mp4", *LOSSLESS, model="tiny") == 0
    whole = shown("out.mkv")
    monkeypatch.setattr(Generator, "folded", hungry)
    assert enhance("in.mp4", *LOSSLESS, "--overwrite", model="tiny") == 0
    assert "out of memory: going on in tiles of 100 pixels" in capsys.readouterr().err
    assert shown("out.mkv").seconds == whole.seconds
    assert np.abs(shown("out.mkv").pixels.astype(int) - whole.pixels).max() <= 1


def test_tiles_give_what_whole_frames_give(enhance):
    wide()
    outputs = []
    for tile in ("off", 64):
        assert enhance("in.mp4", *LOSSLESS, "--tile", tile, "--overwrite", model="tiny") == 0
        outputs.append(shown("out.mkv").pixels.astype(int))
    assert np.abs(outputs[0] - outputs[1]).max() <= 1
