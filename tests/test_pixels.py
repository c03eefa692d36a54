"""Code values and floats: nothing is lost on the way there and back, and what lies between two codes is rounded."""

import numpy as np
import pytest
import torch

from vidgan.pixels import as_pixels, as_tensor, bytes_of, floats_of, rounded

EVERY_BYTE = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_pixels_come_back_as_they_went(depth):
    peak = np.iinfo(depth).max
    pixels = np.random.default_rng(0).integers(0, peak, (9, 7, 3), depth, endpoint=True)
    tensor = as_tensor(pixels)
    assert tensor.shape == (1, 3, 9, 7) and tensor.dtype == torch.float32
    assert tensor.min() >= 0 and tensor.max() <= 1
    back = as_pixels(tensor, np.dtype(depth))
    assert back.dtype == depth and np.array_equal(back, pixels)


def test_red_stays_red_and_right_stays_right():
    pixels = np.zeros((2, 3, 3), np.uint8)
    pixels[0, 2] = (255, 51, 0)
    assert as_tensor(pixels)[0, :, 0, 2].tolist() == pytest.approx([1.0, 0.2, 0.0])


@pytest.mark.parametrize(("depth", "peak"), [(np.uint8, 255), (np.uint16, 65535)])
def test_pixels_are_rounded_and_clipped(depth, peak):
    picture = torch.tensor([-0.5, 0.0, 0.4 / peak, 0.6 / peak, 1.0, 1.5]).view(1, 1, 2, 3).repeat(1, 3, 1, 1)
    codes = as_pixels(picture, np.dtype(depth))[..., 0]
    assert codes.tolist() == [[0, 0, 0], [1, peak, peak]]


@pytest.mark.parametrize(("depth", "peak"), [(np.uint8, 255), (np.uint16, 65535)])
def test_every_code_value_comes_back(depth, peak):
    codes = np.arange(peak + 1).astype(depth).repeat(3).reshape(1, -1, 3)
    assert np.array_equal(as_pixels(as_tensor(codes), np.dtype(depth)), codes)


def test_bytes_are_the_pixels_that_floats_were_made_of():
    assert np.array_equal(bytes_of(as_tensor(EVERY_BYTE)[0]), EVERY_BYTE)
    clip = np.stack([EVERY_BYTE, EVERY_BYTE[::-1]])[:, :, :10]
    floats = floats_of(clip)
    assert floats.shape == (2, 3, 16, 10) and floats.dtype == torch.float32
    assert np.array_equal(bytes_of(floats), clip)
    torch.testing.assert_close(floats[1], as_tensor(clip[1])[0], atol=0, rtol=0)


@pytest.mark.parametrize(("value", "code"), [
    (-0.5, 0), (0.4 / 255, 0), (0.6 / 255, 1), (254.4 / 255, 254), (1.0, 255), (1.5, 255),
    (0.5, 128), (0.3, 76),  # 127.5 and, in float32, 76.5: halves go to the even code
    (float("inf"), 255), (float("-inf"), 0),
])  # fmt: skip
def test_values_go_to_the_nearest_code(value, code):
    picture = torch.full((3, 2, 2), value)
    assert (bytes_of(picture) == code).all()
    assert (rounded(picture) == torch.tensor(code) / 255).all()


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_bytes_lie_a_pixel_after_the_other_whatever_the_layout_of_the_floats(layout):
    clip = (torch.rand(2, 3, 5, 7) * 1.4 - 0.2).contiguous(memory_format=layout)
    before = clip.clone()
    pixels = bytes_of(clip)
    assert pixels.shape == (2, 5, 7, 3) and pixels.dtype == np.uint8 and pixels.flags.c_contiguous
    for frame, made in zip(clip, pixels, strict=True):
        assert np.array_equal(bytes_of(frame), made)
        assert np.array_equal(as_pixels(frame[None], np.dtype(np.uint8)), made)
    assert torch.equal(clip, before)


def test_rounded_is_what_comes_back_from_bytes():
    clip = torch.rand(2, 3, 5, 7) * 1.4 - 0.2
    before = clip.clone()
    once = rounded(clip)
    assert torch.equal(once, floats_of(bytes_of(clip)))
    assert torch.equal(rounded(once), once)
    assert torch.equal(clip, before)
