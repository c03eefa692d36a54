import numpy as np
import pytest
import torch
from torch.nn import functional as F

from footage import moving, nature
from vidgan.degrade import gaussian_blur
from vidgan.metrics.single import blocking, grey
from vidgan.preparation import judging
from vidgan.video.codec import compress


def reasons(frames):
    return [fault.reason for fault in judging.faults(frames)]


def enlarged(picture, factor):
    low = torch.from_numpy(picture).permute(2, 0, 1)[None].float()
    size = low.shape[-2:]
    small = F.interpolate(low, scale_factor=1 / factor, mode="bicubic", antialias=True)
    large = F.interpolate(small, size=size, mode="bicubic").clamp(0, 255).round().byte()
    return large[0].permute(1, 2, 0).numpy()


@pytest.mark.parametrize("seed", range(5))
def test_a_picture_with_natures_spectrum_has_no_fault(seed):
    assert reasons(nature(seed)[None]) == []


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_an_enlarged_picture_is_recognised(factor):
    assert reasons(enlarged(nature(1), factor)[None]) in (["low detail"], [judging.SOFT])
    soft, sharp = (judging.fineness(grey(picture)) for picture in (enlarged(nature(1), factor), nature(1)))
    assert soft < judging.FINENESS < sharp


def test_a_blurred_picture_is_recognised():
    picture = torch.from_numpy(nature(2)).permute(2, 0, 1)[None] / 255
    blurred = (gaussian_blur(picture, 2.0) * 255).round().byte()[0].permute(1, 2, 0).numpy()
    assert reasons(blurred[None]) in (["low detail"], [judging.SOFT])


def test_blocks_are_seen_at_every_phase_and_natural_edges_are_not():
    gentle = ((nature(3).astype(float) - 128) * 0.4 + 128).astype(np.uint8)  # strong texture would hide them
    crushed = compress(gentle[None], codec="mpeg4", crf=31)[0]
    for shift in range(0, 8, 3):
        assert blocking(grey(crushed[shift:, shift:])) > judging.BLOCKS
    assert blocking(grey(gentle)) < 1.2
    assert "heavily compressed" in reasons(crushed[None])


def test_few_bits_are_heavy_compression_whatever_the_pictures_look_like():
    assert [f.reason for f in judging.faults(nature(4)[None], bits_per_pixel=0.01)] == ["heavily compressed"]
    assert judging.faults(nature(4)[None], bits_per_pixel=0.1) == []


def test_a_flat_picture_has_low_detail():
    assert reasons(np.full((1, 200, 200, 3), 90, np.uint8)) == ["low detail"]


@pytest.mark.parametrize(("top", "left"), [(40, 0), (0, 60), (30, 30), (0, 0)])
def test_bars_are_measured_within_two_lines(top, left):
    frames = moving(5, 4)
    height, width = frames.shape[1:3]
    noisy = np.random.default_rng(0).integers(14, 18, (4, height, width, 3), dtype=np.uint8)
    noisy[:, top : height - top, left : width - left] = np.maximum(
        frames[:, top : height - top, left : width - left], 30
    )
    x, y, w, h = judging.picture_area(noisy)
    assert top <= y <= top + 2 and left <= x <= left + 2
    assert height - 2 * top - 4 <= h <= height - 2 * top and width - 2 * left - 4 <= w <= width - 2 * left


def test_a_dark_frame_is_no_bar():
    dark = (moving(6, 3) // 16).astype(np.uint8)
    assert judging.picture_area(dark) == (0, 0, 320, 240)
    assert judging.picture_area(np.zeros((3, 240, 320, 3), np.uint8)) == (0, 0, 320, 240)


def test_a_bar_that_is_sometimes_picture_is_picture():
    frames = moving(7, 4)
    frames[:3, :50] = 16
    assert judging.picture_area(frames) == (0, 0, 320, 240)


def test_repeated_frames_are_not_fresh_even_after_a_codec():
    frames = moving(8, 6)
    repeated = frames[[0, 1, 1, 2, 2, 2, 3]]
    expected = [True, True, False, True, False, False, True]
    assert judging.fresh(repeated).tolist() == expected
    assert judging.fresh(compress(repeated, codec="h264", crf=18)).tolist() == expected


def test_a_small_thing_that_moves_makes_a_frame_fresh():
    frames = np.repeat(nature(9)[None], 2, axis=0)
    frames[1, 100:120, 100:120] = 255 - frames[1, 100:120, 100:120]
    assert judging.fresh(frames).tolist() == [True, True]


@pytest.mark.shared
def test_of_real_photos_few_are_called_unfit(shared):
    from vidgan.video import decode_all

    photos = sorted((shared / "data" / "train" / "photos").glob("*"))[::20]
    unfit = [photo.name for photo in photos if judging.faults(decode_all(photo))]
    assert len(unfit) <= 0.05 * len(photos), unfit
