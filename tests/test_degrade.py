"""The damages, by what is known of them from outside."""

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from vidgan import degrade
from vidgan.degrade import presets
from vidgan.recipe import Damage

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


# -- kernels ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kernel", [
    degrade.gaussian_kernel(6, (2.0, 2.0)),
    degrade.gaussian_kernel(6, (2.0, 0.7), 30, 0.5),
    degrade.sinc_kernel(10, 2.0),
])  # fmt: skip
def test_a_kernel_keeps_a_flat_picture_flat(kernel):
    assert abs(float(kernel.sum()) - 1) < 1e-6
    flat = torch.full((2, 3, 30, 40), 0.3)
    torch.testing.assert_close(degrade.filtered(flat, kernel.expand(2, -1, -1)), flat)


def test_filtering_is_scipy_s_convolution():
    ndimage = pytest.importorskip("scipy.ndimage")
    frames, kernels = torch.rand(2, 3, 20, 26), torch.rand(2, 7, 7)
    ours = degrade.filtered(frames, kernels)
    for frame, kernel, out in zip(frames, kernels, ours, strict=True):
        for plane, seen in zip(frame, out, strict=True):
            expected = ndimage.convolve(plane.numpy(), kernel.numpy(), mode="mirror")
            np.testing.assert_allclose(seen.numpy(), expected, atol=2e-5)


def test_a_kernel_has_its_widths_along_its_axes():
    kernel = degrade.gaussian_kernel(20, (4.0, 1.5), 30.0).double().numpy()
    y, x = np.mgrid[-20:21, -20:21]
    spread = np.array(
        [[(kernel * x * x).sum(), (kernel * x * y).sum()], [(kernel * x * y).sum(), (kernel * y * y).sum()]]
    )
    values, axes = np.linalg.eigh(spread)
    np.testing.assert_allclose(np.sqrt(values), [1.5, 4.0], rtol=0.02)
    assert abs(np.degrees(np.arctan2(axes[1, 1], axes[0, 1])) % 180 - 30) < 0.5


def test_a_sinc_is_a_sharp_low_pass():
    response = np.abs(np.fft.fft2(degrade.sinc_kernel(60, np.pi / 2).numpy()))[0]
    frequency = np.abs(np.fft.fftfreq(121)) * 2 * np.pi
    assert response[frequency < 1.3].min() > 0.85 and response[frequency > 1.9].max() < 0.15


def test_ringing_lets_no_frequency_come_out_stronger():
    """Also where frames have become smaller than the small clip will be."""
    rng = np.random.default_rng(0)
    for unit in (0.5, 0.7, 1.0, 1.5, 4.0):
        kernel = presets._ringing(rng, 1, unit)[0].numpy()
        assert np.abs(np.fft.fft2(kernel, (128, 128))).max() < 1.3


def test_sharpening_overshoots_at_edges_and_leaves_flats():
    edge = torch.full((1, 3, 16, 16), 0.4)
    edge[..., 8:] = 0.6
    sharp = degrade.sharpened(edge, 1.0)
    assert sharp[..., 8].mean() > 0.62 and sharp[..., 7].mean() < 0.38
    torch.testing.assert_close(sharp[..., 0], edge[..., 0], atol=1e-3, rtol=0)
    assert torch.equal(degrade.sharpened(edge, 0.0), edge)


# -- noise, sizes, tape -----------------------------------------------------------------------------


def test_photon_noise_grows_with_the_light_as_poisson_says():
    for level in (0.125, 0.5):
        grey = torch.full((8, 3, 64, 64), level)
        noise = (degrade.poisson_noise(grey, 6.0, rng()) - grey) * 255
        assert abs(float(noise.var()) / (36 * level * 255 / 128) - 1) < 0.05
        assert abs(float(noise.mean())) < 0.2


@pytest.mark.parametrize("noisy", [degrade.gaussian_noise, degrade.poisson_noise])
def test_grey_noise_has_no_colour_and_each_frame_its_own_sigma(noisy):
    frames = torch.full((2, 3, 64, 64), 0.5)
    noise = noisy(frames, np.array([1.0, 8.0]), rng(), grey=True) - frames
    torch.testing.assert_close(noise[:, 0], noise[:, 2])
    assert 6 < float(noise[1].std() / noise[0].std()) < 10


@pytest.mark.parametrize("kernel", ["area", "bilinear", "bicubic"])
def test_a_resize_shows_the_same_extent(kernel):
    """A slope stays the same slope: nothing is shifted."""
    slope = (torch.arange(60.0) + 0.5).div(60).expand(1, 3, 60, 60)
    small = degrade.resized(slope, (25, 25), kernel)
    expected = (torch.arange(25.0) + 0.5) / 25
    torch.testing.assert_close(small[0, 0, 12, 3:-3], expected[3:-3], atol=0.01, rtol=0)


def test_tape_takes_colour_before_brightness_and_leaves_greys():
    frames = torch.zeros(2, 3, 24, 48)
    frames[:, 0, :, ::6] = 1  # red lines
    back = degrade.taped(frames, rng())
    luma, chroma = back.mean(1), back[:, 0] - back[:, 1]
    assert chroma[..., 8:-8].std() < 0.5 * (frames[:, 0] - frames[:, 1])[..., 8:-8].std()
    assert (
        chroma[..., 8:-8].std() / (frames[:, 0] - frames[:, 1]).std()
        < luma[..., 8:-8].std() / frames.mean(1).std()
    )
    grey = torch.full((2, 3, 24, 48), 0.4)
    torch.testing.assert_close(degrade.taped(grey, rng()), grey, atol=2e-3, rtol=0)


# -- presets ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", degrade.PRESETS)
def test_a_preset_is_a_function_of_its_seed(name):
    high = scenery(3, 96, 128)
    for seed in range(6):
        low, again = (degrade.degraded(high, degrade.PRESETS[name], 4, rng(seed)) for _ in range(2))
        assert low.shape == (3, 3, 24, 32) and low.dtype == torch.float32
        assert torch.equal(low, again)
        assert low.min() >= 0 and low.max() <= 1
    if name != "clean":
        assert not torch.equal(low, degrade.degraded(high, degrade.PRESETS[name], 4, rng(99)))


def test_the_recipe_s_kinds_of_damage_are_the_presets():
    assert list(Damage.model_fields) == list(degrade.PRESETS)


def test_clean_is_the_field_s_bicubic():
    high = scenery(2, 96, 128)
    assert torch.equal(degrade.degraded(high, degrade.PRESETS["clean"], 4, rng()), degrade.shrink(high, 4))


def test_presets_differ_in_how_much_they_take():
    high = F.interpolate(torch.rand(4, 3, 32, 40), size=(128, 160), mode="bicubic").clamp(0, 1)
    lost = {
        name: np.median([
            error(degrade.shrink(high, 4), degrade.degraded(high, preset, 4, rng(seed))) for seed in range(12)
        ])
        for name, preset in degrade.PRESETS.items()
    }  # fmt: skip
    assert lost["clean"] == 0 < lost["mild"] < lost["phone"] < lost["heavy"]
    assert lost["mild"] < min(lost["surveillance"], lost["tape"])


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
@pytest.mark.parametrize("name", degrade.PRESETS)
def test_a_preset_fits_every_scale(name, scale):
    high = torch.rand(2, 3, 24 * scale, 28 * scale)
    assert degrade.degraded(high, degrade.PRESETS[name], scale, rng()).shape == (2, 3, 24, 28)


def test_damage_wanders_within_its_range_and_slowly():
    walks = [degrade.wandering(rng(seed), (2.0, 5.0), 30) for seed in range(300)]
    moving = [walk for walk in walks if (walk != walk[0]).any()]
    assert 0.2 < len(moving) / len(walks) < 0.4
    assert min(walk.min() for walk in walks) >= 2 and max(walk.max() for walk in walks) <= 5
    assert np.abs(np.diff(np.stack(moving))).mean() < 0.1 * 3
