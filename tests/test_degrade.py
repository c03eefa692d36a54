"""The damages, by what is known of them from outside."""

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from vidgan import degrade

PIL = pytest.importorskip("PIL.Image")


def scenery(frames: int = 3, height: int = 48, width: int = 64) -> Tensor:
    """Smooth coloured shapes and fine grey grain, which codecs keep: (T, 3, H, W) in [0, 1]."""
    coarse = F.interpolate(
        torch.rand(frames, 3, height // 8, width // 8), size=(height, width), mode="bicubic"
    )
    return (coarse + 0.1 * torch.randn(frames, 1, height, width)).clamp(0, 1)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("scale", [2, 3, 4, 6])
def test_shrink_is_pillow_s_bicubic(scale):
    """In Pillow's float mode: its 8-bit mode rounds and clips once more, between rows and columns."""
    height, width = 48 // scale * scale, 64 // scale * scale
    frame = scenery()[0, :, :height, :width]
    ours = degrade.shrink(frame[None], scale)[0]
    for colour, small in zip(frame.numpy(), ours.numpy(), strict=True):
        resized = PIL.fromarray(colour, "F").resize((width // scale, height // scale), PIL.Resampling.BICUBIC)
        assert np.abs(small - np.asarray(resized).clip(0, 1)).max() < 1e-5


def test_shrink_is_pillow_s_8_bit_bicubic_to_a_code_value():
    smooth = F.interpolate(torch.rand(1, 3, 12, 16), size=(48, 64), mode="bilinear")[0]
    pixels = (smooth * 255).round().byte()
    ours = (degrade.shrink(pixels[None].float() / 255, 4)[0] * 255).round().permute(1, 2, 0).numpy()
    pillows = PIL.fromarray(pixels.permute(1, 2, 0).numpy()).resize((16, 12), PIL.Resampling.BICUBIC)
    assert np.abs(ours - np.asarray(pillows)).max() <= 1


@pytest.mark.parametrize("scale", [2, 3, 4, 5, 6, 7])
def test_shrink_divides_the_sides_exactly(scale):
    for side in range(scale, 41 * scale, scale):
        assert degrade.shrink(torch.rand(1, 3, scale, side), scale).shape[-2:] == (1, side // scale)


def test_shrink_stays_in_range_where_its_filter_overshoots():
    edge = torch.zeros(1, 3, 32, 32)
    edge[..., 14:] = 1
    small = degrade.shrink(edge, 4)
    assert small.min() >= 0 and small.max() <= 1


def test_blur_keeps_the_mean_and_takes_the_detail():
    frames = torch.rand(2, 3, 64, 64)
    blurred = degrade.gaussian_blur(F.pad(frames, (16,) * 4, value=0.5), 1.5)
    padded = F.pad(frames, (16,) * 4, value=0.5)
    torch.testing.assert_close(blurred.mean(), padded.mean(), atol=1e-6, rtol=0)
    assert blurred.std() < 0.5 * padded.std()


def test_blur_of_a_point_has_its_standard_deviation():
    point = torch.zeros(1, 3, 41, 41)
    point[..., 20, 20] = 1
    spread = degrade.gaussian_blur(point, 2.0)[0, 0]
    x = torch.arange(41.0) - 20
    assert ((spread.sum(0) * x**2).sum().sqrt() - 2.0).abs() < 0.05
    torch.testing.assert_close(spread, spread.T)


def test_blur_of_nothing_is_nothing():
    frames = scenery()
    assert torch.equal(degrade.gaussian_blur(frames, 0.0), frames)
    torch.testing.assert_close(degrade.gaussian_blur(frames, 0.1), frames)


def test_blur_keeps_a_flat_picture_flat_to_the_edges():
    flat = torch.full((1, 3, 9, 9), 0.25)
    torch.testing.assert_close(degrade.gaussian_blur(flat, 1.0), flat)


def test_noise_has_its_sigma_and_no_mean():
    grey = torch.full((4, 3, 64, 64), 0.5)
    noise = (degrade.gaussian_noise(grey, 5.0, rng()) - grey) * 255
    assert abs(float(noise.std()) - 5.0) < 0.1
    assert abs(float(noise.mean())) < 0.1


def test_noise_is_new_in_every_frame_and_stays_in_range():
    noisy = degrade.gaussian_noise(torch.zeros(2, 3, 16, 16), 5.0, rng())
    assert not torch.equal(noisy[0], noisy[1])
    assert noisy.min() == 0 and noisy.max() <= 1


def test_a_seed_gives_the_same_noise_again():
    frames = scenery()
    first, again, other = (degrade.gaussian_noise(frames, 3.0, rng(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)


def error(frames: Tensor, back: Tensor) -> float:
    return float((frames - back).square().mean())


def test_a_codec_damages_more_at_a_higher_crf():
    frames = scenery(4)
    errors = [error(frames, degrade.encoded(frames, "h264", crf)) for crf in (10, 26, 40)]
    assert 0 < 2 * errors[0] < errors[1] < 0.7 * errors[2]


@pytest.mark.parametrize("codec", ["h264", "hevc", "mpeg4", "mpeg2", "vp9"])
def test_every_codec_gives_the_same_frames_back_a_little_worse(codec):
    frames = F.interpolate(torch.rand(3, 3, 6, 8), size=(48, 64), mode="bicubic").clamp(0, 1)
    back = degrade.encoded(frames, codec, 20 if codec in ("h264", "hevc", "vp9") else 4)
    assert back.shape == frames.shape and back.dtype == frames.dtype
    assert 0 < error(frames, back) < 0.002


def test_a_codec_does_the_same_damage_again():
    frames = scenery()
    assert torch.equal(degrade.encoded(frames, "h264", 28), degrade.encoded(frames, "h264", 28))


def test_a_codec_takes_what_is_out_of_range_as_white_and_black():
    """An overshoot of a filter must not come back as its opposite."""
    frames = torch.full((2, 3, 32, 32), 1.02)
    frames[..., :16] = -0.02  # 16 columns of 32
    back = degrade.encoded(frames, "h264", 18)
    assert back[..., :8].max() < 0.1 and back[..., 24:].min() > 0.9
