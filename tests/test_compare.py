"""One video against another: the same moments, as they are shown, in numbers known by hand."""

import csv
import io
import math
import os
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import videos
import vidgan
from videos import Film
from vidgan import cli
from vidgan.errors import BadOption, BadVideo
from vidgan.score import REFERENCE

TEN_CODES = 20 * math.log10(255 / (10 * 219 / 255))  # dB: ten codes of grey, in luma of 16 to 235
ODD = (64, 49)  # width, height


def grey(index: int, *, lighter: int = 0, width: int = 64, height: int = 48) -> np.ndarray:
    """A picture in grey, which full-range YUV holds exactly."""
    return videos.picture(index, width, height)[..., 1:2].repeat(3, axis=2) + np.uint8(lighter)


def exact(path: Path, frames: list[np.ndarray], **changes) -> Path:
    """A lossless video of these frames; changes are those of a Film."""
    height, width, _ = frames[0].shape
    told = {"codec": "ffv1", "pixel_format": "yuv444p", "full_range": True, "options": {}}
    film = Film(**({"width": width, "height": height, "times": range(len(frames))} | told | changes))
    return videos.write(path, film, frames)


def numbers(*files: Path, metrics: str = "psnr-y,ssim-y", **more) -> dict[str, float]:
    """The first output's means, and how many frames they are of."""
    found = vidgan.compare(*files, metrics=metrics, **more)
    return {"frames": len(found.seconds), **found.contenders[0].means()}


SAME = {"psnr_y": 100, "ssim_y": 1.0}


@pytest.fixture
def reference(tmp_path) -> Path:
    return exact(tmp_path / "reference.mkv", [grey(i) for i in range(10)])


def test_a_video_is_equal_to_itself(reference):
    assert numbers(reference, reference) == pytest.approx({"frames": 10, **SAME})


def test_ten_codes_brighter_is_the_psnr_of_the_formula(reference, tmp_path):
    brighter = exact(tmp_path / "brighter.mkv", [grey(i, lighter=10) for i in range(10)])
    found = numbers(reference, brighter)
    assert found["psnr_y"] == pytest.approx(TEN_CODES, abs=1e-3)
    assert 0.9 < found["ssim_y"] < 1


def test_a_frame_without_error_counts_as_100_decibels(reference, tmp_path):
    half = exact(tmp_path / "half.mkv", [grey(i, lighter=10 * (i % 2)) for i in range(10)])
    assert numbers(reference, half)["psnr_y"] == pytest.approx((TEN_CODES + 100) / 2, abs=1e-3)


@pytest.mark.parametrize(
    "changes",
    [
        {"times": range(7, 17)},  # a clock that begins later
        {"times": [0, *range(41, 401, 40)], "time_base": Fraction(1, 1000)},  # rounded to milliseconds
        {"times": range(0, 36000, 3600), "time_base": Fraction(1, 90000)},
    ],
)
def test_frames_meet_by_their_times_from_the_first_frame_on(reference, tmp_path, changes):
    other = exact(tmp_path / "other.mkv", [grey(i) for i in range(10)], **changes)
    for pair in ((reference, other), (other, reference)):
        assert numbers(*pair) == pytest.approx({"frames": 10, **SAME})


def test_a_transport_stream_meets_its_copy(tmp_path):
    """Its clock starts at 1.4 s."""
    stream = videos.write(tmp_path / "in.ts")
    copy = videos.write(tmp_path / "in.mp4")
    found = numbers(stream, copy)
    assert found["frames"] == 10 and found["psnr_y"] > 35


def test_frames_that_one_of_them_lacks_are_an_error_or_left_out(reference, tmp_path):
    kept = [0, 1, 2, 4, 5, 8, 9]
    shorter = exact(tmp_path / "shorter.mkv", [grey(i) for i in kept], times=kept)
    for pair in ((reference, shorter), (shorter, reference)):
        assert numbers(*pair, partial=True) == pytest.approx({"frames": 7, **SAME})
        with pytest.raises(BadVideo, match="another frame rate") as caught:
            numbers(*pair)
        assert "--partial" in caught.value.remedy


def test_another_length_is_an_error(reference, tmp_path):
    shorter = exact(tmp_path / "shorter.mkv", [grey(i) for i in range(6)])
    for pair in ((reference, shorter), (shorter, reference)):
        with pytest.raises(BadVideo, match=r"goes on for 4 frames after .* another length"):
            numbers(*pair)
        assert numbers(*pair, partial=True)["frames"] == 6


def test_a_last_frame_more_is_no_other_length(reference, tmp_path):
    shorter = exact(tmp_path / "shorter.mkv", [grey(i) for i in range(9)])
    assert numbers(reference, shorter)["frames"] == 9


def test_another_frame_rate_is_found_before_the_end(tmp_path):
    fast = exact(tmp_path / "fast.mkv", [grey(i) for i in range(60)], time_base=Fraction(1, 30))
    slow = exact(tmp_path / "slow.mkv", [grey(i) for i in range(50)], time_base=Fraction(1, 25))
    with pytest.raises(BadVideo, match=r"of its first 2\d frames .* another frame rate"):
        numbers(fast, slow)


def test_the_first_frames_always_meet_and_alone_they_are_no_comparison(tmp_path):
    """Another rate altogether: only the first moment is common."""
    one = exact(
        tmp_path / "one.mkv", [grey(i) for i in range(10)], time_base=Fraction(1, 1000), times=range(0, 70, 7)
    )
    other = exact(
        tmp_path / "other.mkv",
        [grey(i) for i in range(10)],
        time_base=Fraction(1, 1000),
        times=range(0, 110, 11),
    )
    with pytest.raises(BadVideo, match="another frame rate"):
        numbers(one, other)


def test_a_turned_video_is_compared_as_it_is_shown(tmp_path):
    """Stored lying, shown after a quarter turn clockwise: the other file holds it upright."""
    lying = exact(
        tmp_path / "phone.mkv", [grey(i) for i in range(3)],
        display_matrix=[0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30],
    )  # fmt: skip
    upright = exact(tmp_path / "upright.mkv", [np.rot90(grey(i), -1) for i in range(3)])
    for pair in ((lying, upright), (upright, lying)):
        assert numbers(*pair)["psnr_y"] == 100


def slope(width: int, height: int) -> np.ndarray:
    """A ramp of grey, the same at any size."""
    y, x = (np.mgrid[0:height, 0:width] + 0.5) / np.array([height, width])[:, None, None]
    return np.rint(40 + 100 * x + 60 * y).astype(np.uint8)[..., None].repeat(3, axis=2)


def test_stretched_pixels_are_compared_as_they_are_shown(tmp_path):
    told = {"codec": "libx264", "options": {"crf": "1"}}
    stretched = exact(tmp_path / "a.mp4", [slope(48, 48)], sample_aspect=Fraction(4, 3), **told)
    square = exact(tmp_path / "b.mkv", [slope(64, 48)])
    for pair in ((stretched, square), (square, stretched)):
        assert numbers(*pair)["psnr_y"] > 45
    with pytest.raises(BadVideo, match="another shape"):
        vidgan.compare(stretched, exact(tmp_path / "c.mkv", [slope(48, 48)]))


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_an_enlargement_by_repeated_pixels_comes_back_whole_whatever_made_its_sides_even(tmp_path, factor):
    """Antialiased down by a whole factor, flat areas come back exactly; a shift by a pixel would not."""
    small = [grey(i, width=ODD[0], height=ODD[1]) for i in range(2)]
    large = [frame.repeat(factor, 0).repeat(factor, 1) for frame in small]
    padded = [np.pad(frame, ((0, len(frame) % 2), (0, 0), (0, 0)), mode="edge") for frame in large]
    reference = exact(tmp_path / "small.mkv", small)
    metric = "psnr-y" if factor == 1 else "consistency"
    plain = numbers(reference, exact(tmp_path / "large.mkv", large), metrics=metric)
    found = numbers(reference, exact(tmp_path / "padded.mkv", padded), metrics=metric)
    assert found == pytest.approx(plain)
    assert found[metric.replace("-", "_")] == 100 if factor == 1 else found["consistency"] > 30


@pytest.mark.parametrize("size", [(128, 72), (48, 64), (64, 40), (96, 96)])
def test_another_shape_is_refused_not_stretched(reference, tmp_path, size):
    other = exact(tmp_path / "other.mkv", [grey(0, width=size[0], height=size[1])])
    with pytest.raises(BadVideo, match="another shape") as caught:
        vidgan.compare(reference, other)
    assert f"{size[0]}x{size[1]}" in caught.value.found and caught.value.remedy


def test_videos_too_small_to_measure_are_refused(tmp_path):
    tiny = exact(tmp_path / "tiny.mkv", [grey(0, width=32, height=24)])
    with pytest.raises(BadVideo, match="too small"):
        vidgan.compare(tiny, tiny)


def test_ten_bits_are_measured_finer_than_eight(tmp_path):
    """A tenth of an 8-bit code apart: 8 bits would call them equal."""
    flat = [np.full((48, 64, 3), 30_000 + 64 * step, np.uint16) for step in (0, 1)]
    files = [
        exact(tmp_path / f"{step}.mkv", [frame], pixel_format="yuv444p10le")
        for step, frame in enumerate(flat)
    ]
    assert 50 < numbers(*files)["psnr_y"] < 70


def test_what_is_no_video_is_refused(reference, tmp_path):
    (tmp_path / "text.mp4").write_text("no video")
    for pair in ((reference, tmp_path / "text.mp4"), (tmp_path / "missing.mp4", reference)):
        with pytest.raises(BadVideo):
            vidgan.compare(*pair)


@pytest.mark.shared
def test_lpips_comes_along_where_its_weights_are(tmp_path, shared, monkeypatch):
    """Also at the smallest size."""
    monkeypatch.setenv("VIDGAN_WEIGHTS", str(shared / "weights"))
    small = exact(tmp_path / "small.mkv", [grey(0, width=32, height=32)])
    assert numbers(small, small, metrics="lpips")["lpips"] == pytest.approx(0, abs=1e-6)


def test_the_warping_error_stands_beside_the_references_own(tmp_path):
    """It is never 0, so that the reference has one of its own; a metric that asks for a truth has none of itself."""
    truth = exact(tmp_path / "truth.mkv", [grey(i, width=96, height=96) for i in range(4)])
    brighter = exact(tmp_path / "brighter.mkv", [grey(i, lighter=10, width=96, height=96) for i in range(4)])
    found = vidgan.compare(truth, brighter, metrics="warping-error,psnr-y")
    means = {contender.name: contender.means() for contender in found.contenders}
    assert means[REFERENCE]["warping_error"] == pytest.approx(
        means["brighter.mkv"]["warping_error"], rel=0.05
    )
    assert "psnr_y" not in means[REFERENCE] and "psnr_y" in means["brighter.mkv"]


def test_metrics_that_tell_at_the_end_may_be_asked_for_alone(tmp_path):
    pytest.importorskip("imageio_ffmpeg")
    reference, lighter = (
        exact(tmp_path / f"{by}.mkv", [grey(index, lighter=by, width=96, height=80) for index in range(6)])
        for by in (0, 10)
    )
    assert numbers(reference, lighter, metrics="vmaf_neg").keys() == {"frames", "vmaf_neg"}
    found = vidgan.compare(reference, lighter, metrics="psnr-y,vmaf-neg", every=2)
    assert "every frame" in found.left_out["vmaf_neg"] and found.contenders[0].means().keys() == {"psnr_y"}
    with pytest.raises(BadOption, match="need every frame"):
        vidgan.compare(reference, lighter, metrics="vmaf-neg", every=2)


def test_what_looks_at_motion_has_no_value_of_a_single_frame_and_says_so(reference, capsys):
    """Of one moment in a hundred, ten frames leave the first."""
    found = vidgan.compare(reference, reference, metrics="psnr-y,temporal-error", every=100)
    assert found.left_out["temporal_error"] == "needs two frames or more of one shot"
    assert "psnr_y" not in found.left_out
    words = ["compare", str(reference), str(reference), "--metrics", "temporal-error"]
    assert cli.main([*words, "--every", "100"]) == 0
    assert "Left out: temporal_error: needs two frames or more of one shot" in capsys.readouterr().out
    assert cli.main(words) == 0 and "temporal_error" not in capsys.readouterr().out


def test_frames_that_are_passed_over_are_counted_and_said(tmp_path, capsys):
    whole = exact(tmp_path / "whole.mkv", [grey(index) for index in range(50)])
    kept = [index for index in range(50) if index != 20]
    lacks = exact(tmp_path / "lacks.mkv", [grey(index) for index in kept], times=kept)
    assert cli.main(["compare", str(whole), str(lacks), "--metrics", "psnr-y"]) == 0
    told = " ".join(capsys.readouterr().err.split())
    assert f"1 frame of {whole} at times at which" in told and "not compared" in told


def test_a_terminal_that_has_no_arrows_and_a_name_that_is_no_text(reference, tmp_path, monkeypatch):
    output = tmp_path / os.fsdecode(b"out\xff.mkv")
    output.write_bytes(reference.read_bytes())
    terminal = io.TextIOWrapper(io.BytesIO(), encoding="latin-1")
    monkeypatch.setattr(sys, "stdout", terminal)
    assert cli.main(["compare", str(reference), str(output), "--metrics", "psnr-y"]) == 0
    told = terminal.buffer.getvalue().decode("latin-1")
    assert "PSNR-Y" in told and "out\\udcff.mkv" in told


def test_numbers_on_standard_output_are_alone_and_a_page_goes_to_a_file(
    reference, capsys, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    words = ["compare", str(reference), str(reference), "--metrics", "psnr-y"]
    assert cli.main([*words, "--csv", "-"]) == 0
    rows = list(csv.reader(capsys.readouterr().out.splitlines()))
    assert len(rows) > 2 and {len(row) for row in rows} == {len(rows[0])}
    assert cli.main([*words, "--report", "-"]) == 2
    assert "--report - names no file" in capsys.readouterr().err and not Path("-").exists()
