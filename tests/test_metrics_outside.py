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


def test_the_frechet_distance_of_known_gaussians_is_known_by_hand():
    """Rows whose means and covariances are exact: |3|^2 + (2 - 1)^2 in each of two directions that differ."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(500, 3))
    rows -= rows.mean(0)
    rows = rows @ np.linalg.inv(np.linalg.cholesky(np.cov(rows.T))).T  # covariance one
    other = rows * np.array([2.0, 2.0, 1.0]) + np.array([3.0, 0, 0])
    assert distribution.frechet_distance(rows, other) == pytest.approx(9 + 1 + 1)
    assert distribution.frechet_distance(rows, rows) == pytest.approx(0, abs=1e-9)


def test_the_kernel_distance_is_unbiased_and_its_interval_holds_it():
    """The published estimator, summed by hand on three rows; near zero for two draws of one kind, far for others."""
    rng = np.random.default_rng(1)
    one, other = rng.normal(size=(3, 2)), rng.normal(size=(3, 2)) + 1
    spread = np.maximum(other.std(0), np.median(other.std(0)) + 1e-6)
    x, y = (one - other.mean(0)) / spread, (other - other.mean(0)) / spread

    def kernel(a, b):
        return (a @ b / 2 + 1) ** 3

    by_hand = sum(kernel(x[i], x[j]) + kernel(y[i], y[j]) for i in range(3) for j in range(3) if i != j) / 6
    by_hand -= 2 * sum(kernel(a, b) for a in x for b in y) / 9
    assert distribution.kernel_distance(one, other).value == pytest.approx(by_hand)

    same = [
        distribution.kernel_distance(rng.normal(size=(30, 8)), rng.normal(size=(30, 8))) for _ in range(20)
    ]
    assert abs(np.mean([distance.value for distance in same])) < 0.1
    assert sum(distance.low <= 0 <= distance.high for distance in same) >= 14
    far = distribution.kernel_distance(rng.normal(size=(30, 8)) + 1, rng.normal(size=(30, 8)))
    assert far.low > 0 and far.low < far.value < far.high


def test_features_of_blurred_frames_are_further_off_than_of_others_from_the_same_film():
    sharp, more = clip(*moving(1, 8)), clip(*moving(2, 8))
    blurred = torch.nn.functional.avg_pool2d(sharp, 5, 1, 2)
    frames = [distribution.frame_features(footage) for footage in (sharp, more, blurred)]
    for features in (frames, [distribution.motion(rows) for rows in frames]):
        true, own, soft = features
        assert distribution.kernel_distance(soft, true).value > distribution.kernel_distance(own, true).value
    assert distribution.motion(frames[0]).shape == (7, 2 * frames[0].shape[1])


def test_modules_are_not_shadowed_by_the_metrics_they_hold():
    assert isinstance(metrics.niqe, metrics.Metric) and not isinstance(metrics.niqe, types.ModuleType)
