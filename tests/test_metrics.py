import math
import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from test_features import random_weights
from vidgan import metrics
from vidgan.errors import MissingExtra
from vidgan.features import Lpips
from vidgan.metrics import lpips, perceptual, psnr_y, ssim_y, tof, tres


def grey(value: float, frames: int = 1, side: int = 48) -> torch.Tensor:
    return torch.full((frames, 3, side, side), value)


def texture(frames: int, height: int, width: int, *, seed: int = 0, grain: int = 4) -> torch.Tensor:
    """Smooth random colours: one picture, shown `frames` times."""
    random = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 3, height // grain + 1, width // grain + 1, generator=random)
    fine = F.interpolate(coarse, size=(height, width), mode="bicubic", align_corners=True).clamp(0, 1)
    return fine.expand(frames, -1, -1, -1).contiguous()


def panned(frames: int, step: int, *, seed: int = 0, side: int = 96) -> torch.Tensor:
    """A window that moves over a texture by `step` whole pixels a frame: the picture goes left."""
    wide = texture(1, side, side + step * frames, seed=seed, grain=8)[0]
    return torch.stack([wide[:, :, t * step : t * step + side] for t in range(frames)])


def noise_like(clip: torch.Tensor, size: float, seed: int = 7) -> torch.Tensor:
    return torch.randn(clip.shape, generator=torch.Generator().manual_seed(seed)) * size


# Fidelity


def test_the_public_names_are_the_list_of_metrics():
    named = {name for name in metrics.__all__ if isinstance(getattr(metrics, name), metrics.Metric)}
    assert named == {metric.name for metric in metrics.ALL}
    assert len({metric.title for metric in metrics.ALL}) == len(metrics.ALL)
    assert all(getattr(metrics, metric.name) is metric and metric.protocol for metric in metrics.ALL)


@pytest.mark.parametrize("metric", metrics.ALL, ids=lambda metric: metric.name)
def test_a_metric_says_what_it_must_be_held_against(metric):
    clip = grey(0.5)
    with pytest.raises(AssertionError):
        metric(clip, clip) if metric.against is metrics.Against.NOTHING else metric(clip)


def test_psnr_of_a_grey_step_is_known_by_hand():
    # Ten code values of grey are 10 * 219 / 255 code values of luma in limited range.
    expected = 20 * math.log10(255 / (10 * 219 / 255))
    assert psnr_y(grey(100 / 255), grey(110 / 255)) == pytest.approx(expected, abs=1e-4)
    assert expected == pytest.approx(29.4527, abs=1e-4)


def test_psnr_weighs_colours_as_bt601_does():
    # Pure red against black: 65.481 code values of luma; green 128.553; blue 24.966.
    for channel, luma in enumerate((65.481, 128.553, 24.966)):
        colour = grey(0.0)
        colour[:, channel] = 1
        assert psnr_y(colour, grey(0.0)) == pytest.approx(20 * math.log10(255 / luma), abs=1e-4)


def test_psnr_averages_decibels_over_frames_not_errors():
    output = torch.cat([grey(100 / 255), grey(101 / 255)])
    target = torch.cat([grey(110 / 255), grey(102 / 255)])
    by_frame = [psnr_y(output[t : t + 1], target[t : t + 1]) for t in range(2)]
    assert psnr_y(output, target) == pytest.approx(np.mean(by_frame))


def test_psnr_of_equal_clips_is_100_and_values_are_clipped_as_a_file_would():
    assert psnr_y(grey(0.3), grey(0.3)) == metrics.psnr_rgb(grey(0.3), grey(0.3)) == 100
    assert psnr_y(grey(1.7), grey(1.0)) == 100
    assert psnr_y(grey(0.3, frames=2), torch.cat([grey(0.3), grey(1.0)])) == pytest.approx(
        (100 + psnr_y(grey(0.3), grey(1.0))) / 2
    )


def test_psnr_rgb_of_one_colour_is_known_by_hand():
    # Ten code values in one of three colours: a mean squared error of 100 / 3.
    output = grey(100 / 255)
    output[:, 1] = 110 / 255
    assert metrics.psnr_rgb(output, grey(100 / 255)) == pytest.approx(
        10 * math.log10(255**2 / (100 / 3)), abs=1e-4
    )


def test_the_border_of_four_pixels_does_not_count():
    target = texture(1, 48, 48)
    spoilt = target.clone()
    spoilt[..., :4, :], spoilt[..., -4:, :], spoilt[..., :4], spoilt[..., -4:] = 0, 0, 0, 0
    assert psnr_y(spoilt, target) == metrics.psnr_rgb(spoilt, target) == 100
    assert ssim_y(spoilt, target) == pytest.approx(1)
    spoilt[..., 4, 20] = 1 - spoilt[..., 4, 20]
    assert psnr_y(spoilt, target) < 60


def luma_by_hand(picture: torch.Tensor) -> np.ndarray:
    red, green, blue = picture[:, 4:-4, 4:-4].double().numpy()
    return 16 + 65.481 * red + 128.553 * green + 24.966 * blue


def test_psnr_and_ssim_agree_with_scikit_image():
    from skimage import metrics as judge

    target = texture(3, 70, 61)
    output = (target + noise_like(target, 0.05)).clamp(0, 1)
    pairs = [(luma_by_hand(o), luma_by_hand(t)) for o, t in zip(output, target, strict=True)]
    psnrs = [judge.peak_signal_noise_ratio(t, o, data_range=255) for o, t in pairs]
    window = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}
    ssims = [judge.structural_similarity(o, t, **window) for o, t in pairs]
    assert psnr_y(output, target) == pytest.approx(np.mean(psnrs), abs=1e-5)
    assert ssim_y(output, target) == pytest.approx(np.mean(ssims), abs=2e-6)


def test_ssim_of_two_flat_pictures_is_its_luminance_term_by_hand():
    # 0 and 1 are 16 and 235; without structure only (2ab + C1) / (a^2 + b^2 + C1) is left, with C1 = 6.5025.
    expected = (2 * 16 * 235 + 6.5025) / (16**2 + 235**2 + 6.5025)
    assert ssim_y(grey(0.0), grey(1.0)) == pytest.approx(expected, abs=2e-5)


# Likeness


@pytest.fixture
def judge(monkeypatch) -> Lpips:
    """A network of the right shape, which lpips then uses."""
    network = Lpips("alex", random_weights("alex"))
    monkeypatch.setattr(perceptual, "_network", lambda net, device: network)
    return network


def test_lpips_is_the_mean_over_frames_of_the_networks_distance(judge):
    output, target = texture(2, 48, 48), texture(2, 48, 48, seed=1)
    output[1] = output[1].flip(-1)
    expected = float(judge(output, target).mean())
    assert lpips(output, target) == pytest.approx(expected, rel=1e-5)
    assert lpips(target, target) == pytest.approx(0, abs=1e-6)


def test_lpips_clips_what_a_file_would_clip(judge):
    output, target = texture(1, 48, 48) * 1.5, texture(1, 48, 48, seed=1)
    assert lpips(output, target) == lpips(output.clamp(0, 1), target)


def test_lpips_is_measured_in_full_precision_whatever_surrounds_it(judge):
    output, target = texture(1, 48, 48), texture(1, 48, 48, seed=1)
    expected = lpips(output, target)
    with torch.autocast("cpu", torch.bfloat16):
        assert lpips(output, target) == expected


def test_a_picture_is_looked_at_once_however_often_it_is_compared(judge, monkeypatch):
    looked = []
    features = judge.features
    monkeypatch.setattr(judge, "features", lambda picture: looked.append(1) or features(picture))
    target, outputs = metrics.Picture(texture(1, 48, 48)[0]), [texture(1, 48, 48, seed=s)[0] for s in (1, 2)]
    for output in outputs:
        picture = metrics.Picture(output)
        assert lpips.of_frame(picture, target) == lpips.of_frame(picture, target) > 0
    assert len(looked) == 3


@pytest.mark.shared
def test_lpips_loads_its_own_network_where_none_is_given(monkeypatch, shared):
    monkeypatch.setenv("VIDGAN_WEIGHTS", str(shared / "weights"))
    target = texture(1, 64, 64)
    little = lpips(target + noise_like(target, 0.02), target)
    much = lpips(target + noise_like(target, 0.2), target)
    assert 0 < little < much < 1.5


# Motion and flicker


def test_motion_of_a_clip_is_its_own_motion():
    clip = panned(3, 2)
    assert tof(clip, clip) == 0
    assert tres(clip, clip) == 0


def test_a_still_output_of_a_pan_misses_the_whole_step():
    clip = panned(4, 2)
    still = clip[:1].expand_as(clip)
    assert tof(still, clip) == pytest.approx(2, abs=0.1)


def test_tof_agrees_with_the_authors_formula_pixel_by_pixel():
    import cv2

    target, output = panned(2, 3, side=100), panned(2, 1, seed=4, side=100)
    flows = []
    for clip in (output, target):
        frames = [(f.permute(1, 2, 0).numpy() * 255).round().astype(np.uint8) for f in clip]
        first, second = (cv2.cvtColor(f, cv2.COLOR_RGB2GRAY) for f in frames)
        flows.append(cv2.calcOpticalFlowFarneback(first, second, None, 0.5, 3, 15, 3, 5, 1.2, 0))
    # crop_8x8 of a 100-pixel side: 96 leaves less than 16, so 64, from (100 - 64) // 2 on.
    difference = (flows[0] - flows[1])[18:82, 18:82]
    expected = np.sqrt((difference**2).sum(axis=-1)).mean()
    assert tof(output, target) == pytest.approx(expected, rel=1e-5)


def test_a_constant_error_does_not_flicker():
    target = panned(4, 2) * 0.8
    assert tres(target + 0.1, target) == pytest.approx(0, abs=1e-3)


def test_an_error_that_travels_with_the_picture_flickers_less_than_one_that_stands():
    # Dirt on the wall against dirt on the lens, of the same size.
    target = panned(4, 2) * 0.8
    dirt = panned(4, 2, seed=3) * 0.2
    on_the_wall, on_the_lens = tres(target + dirt, target), tres(target + dirt[:1], target)
    assert on_the_wall < 0.25 * on_the_lens


def test_alternating_brightness_flickers_by_its_own_height():
    # 0.02 of 255 is 5.1 code values, up and down each frame, whatever the motion.
    target = panned(5, 2) * 0.8
    output = target.clone()
    output[1::2] += 0.02
    assert tres(output, target) == pytest.approx(5.1, abs=0.01)


def test_flicker_of_fresh_noise_is_known_from_its_size():
    # In a still clip the change is the difference of two normals: mean |N(0, 2 s^2)| = 2 s / sqrt(pi).
    target = texture(3, 96, 96) * 0.5 + 0.25
    output = target + noise_like(target, 2 / 255)
    assert tres(output, target) == pytest.approx(2 * 2 / math.sqrt(math.pi), rel=0.03)


def test_what_has_just_come_into_the_picture_does_not_flicker():
    target = panned(2, 8) * 0.8
    output = target.clone()
    output[1, ..., -8:] += 0.2
    assert tres(output, target) < 0.1 * (0.2 * 255 * 8 / 96)


def test_what_was_hidden_a_moment_ago_counts_for_less():
    # A square moves by ten pixels; the error lies only on the ground that it uncovers.
    ground, square = texture(1, 128, 128, grain=8)[0], texture(1, 64, 64, seed=5, grain=8)[0]
    target = torch.stack([ground, ground])
    target[0, :, 32:96, 20:84] = square
    target[1, :, 32:96, 30:94] = square
    target *= 0.8
    output = target.clone()
    output[1, :, 32:96, 20:30] += 0.2
    assert tres(output, target) < 0.85 * (0.2 * 255 * 64 * 10 / 128**2)


def test_the_temporal_metrics_name_the_extra_that_they_need(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    clip = panned(2, 1)
    for metric in (tof, tres):
        with pytest.raises(MissingExtra, match="opencv-python-headless"):
            metric(clip, clip)


def test_the_temporal_error_of_a_flicker_is_known_by_hand():
    """A frame of four that is brighter by 0.1 changes twice by 25.5 code values: 51 over three changes."""
    still = torch.full((4, 3, 8, 8), 0.5)
    flicker = still.clone()
    flicker[2] += 0.1
    assert metrics.temporal_error(flicker, still) == pytest.approx(51 / 3, rel=1e-5)
    assert metrics.temporal_error(still + 0.2, still) == 0
    assert math.isnan(metrics.temporal_error(still[:1], still[:1]))


def test_tlp_is_100_times_the_difference_of_two_lpips_changes(monkeypatch):
    """Source: the published formula, over a distance that is known by hand: here the mean absolute difference."""

    def by_hand(one, other, net="alex"):
        return float((one.rgb - other.rgb).abs().mean())

    monkeypatch.setattr(perceptual, "apart", by_hand)
    target = torch.zeros(3, 3, 4, 4)
    output = torch.stack([torch.full((3, 4, 4), value) for value in (0.0, 0.2, 0.1)])
    assert metrics.tlp(output, target) == pytest.approx(100 * (0.2 + 0.1) / 2)


def test_the_warping_error_of_alternating_brightness_is_its_square():
    # 0.02 up and down each frame: 0.0004 of squared difference, 0.4 in thousandths; a still clip's own is nothing.
    target = texture(4, 64, 64) * 0.8
    output = target.clone()
    output[1::2] += 0.02
    assert metrics.warping_error(output, target) == pytest.approx(0.4, rel=1e-3)
    assert metrics.warping_error(target, target) == pytest.approx(0, abs=1e-3)


def test_the_warping_error_rewards_blur_and_so_stands_beside_the_reference_s_own():
    target = panned(3, 2) * 0.8 + noise_like(panned(3, 2), 0.02)
    blurred = F.avg_pool2d(target, 5, stride=1, padding=2, count_include_pad=False)
    assert metrics.warping_error(blurred, target) < 0.5 * metrics.warping_error(target, target)
    assert metrics.warping_error.better == "" and metrics.flicker.better == ""


def test_flicker_is_measured_along_the_source_s_motion_at_the_output_s_size():
    # Alternating grey of 10 code values is 10 * 219 / 255 of luma; the source is half as large and moves half as far.
    output = panned(5, 2) * 0.8
    source = F.interpolate(output, scale_factor=0.5, mode="bicubic", antialias=True)
    assert metrics.flicker(output, source) < 1.5
    output[1::2] += 10 / 255
    assert metrics.flicker(output, source) == pytest.approx(10 * 219 / 255, rel=0.03)


def test_a_pan_is_found_and_what_comes_in_from_outside_is_not_seen():
    before, now = (metrics.Picture(rgb) for rgb in panned(2, 4))
    now.before = before
    motion = now.motion
    assert motion.back[0, 20:-20, 20:-20].median() == pytest.approx(4, abs=0.1)
    assert motion.seen[20:-20, 20:-20].float().mean() > 0.95
    assert not motion.seen[:, -3:].any()


def test_the_reference_s_motion_is_found_once_for_all_outputs(monkeypatch):
    from vidgan.metrics import flow

    found = []
    start = flow.start
    monkeypatch.setattr(flow, "start", lambda before, now: found.append(1) or start(before, now))
    target = list(metrics.pictures(panned(2, 2)))
    target[1].before = target[0]
    for seed in (1, 2, 3):
        output = list(metrics.pictures(panned(2, 1, seed=seed)))
        output[1].before = output[0]
        for metric in (tof, tres, metrics.warping_error):
            assert metric.of_frame(output[1], target[1]) > 0
    assert len(found) == 2 + 3  # both ways for the reference, one for each output
