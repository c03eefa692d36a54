"""Clips against the truth: the numbers that training and testing share."""

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from vidgan import score
from vidgan.generators.recurrent import Config, Generator


class Repeat(nn.Module):
    """An upscaler whose result is known: it counts frames in its memory."""

    scale = 2

    def step(self, frame, memory=None):
        seen = (memory or 0) + 1
        return F.interpolate(frame, scale_factor=2), seen

    def forward(self, low):
        return F.interpolate(low.flatten(0, 1), scale_factor=2).unflatten(0, low.shape[:2])


def blocky(frames: int = 4, side: int = 48) -> torch.Tensor:
    """(T, H, W, 3) uint8, each 4x4 block of one colour: shrinking by 2 then repeating is nearly exact."""
    return (
        torch.randint(0, 256, (frames, side // 8, side // 8, 3))
        .repeat_interleave(8, 1)
        .repeat_interleave(8, 2)
        .byte()
    )


def test_a_pair_is_cut_to_sides_that_the_scale_divides_and_to_so_many_frames():
    (pair,) = score.pairs([torch.zeros(9, 50, 47, 3).byte()], 4, frames=5)
    assert pair.high.shape == (5, 3, 48, 44) and pair.low.shape == (5, 3, 12, 11)


def test_the_small_clip_is_rounded_as_a_file_would_hold_it():
    (pair,) = score.pairs([torch.randint(0, 256, (2, 16, 16, 3)).byte()], 4, frames=2)
    torch.testing.assert_close(pair.low * 255, (pair.low * 255).round(), atol=1e-4, rtol=0)
    assert torch.equal(
        (pair.high * 255).round().byte().permute(0, 2, 3, 1)[0, 0, 0],
        (pair.high * 255).round().byte()[0, :, 0, 0],
    )


def test_the_pair_of_a_predictor_is_a_clip_and_what_comes_later():
    clip = torch.arange(9, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 16, 16, 3)
    (pair,) = score.pairs([clip], 1, frames=5, ahead=2)
    assert (pair.low[:, 0, 0, 0] * 255).round().tolist() == [0, 1, 2, 3, 4]
    assert (pair.high[:, 0, 0, 0] * 255).round().tolist() == [2, 3, 4, 5, 6]


def test_enhanced_frames_are_those_of_the_network_rounded():
    generator = Generator(Config(features=16, blocks=1)).eval().requires_grad_(False)
    low = torch.rand(3, 3, 8, 10)
    expected = (generator(low[None])[0].clamp(0, 1) * 255).round() / 255
    torch.testing.assert_close(score.enhanced(generator, low), expected, atol=1.01 / 255, rtol=0)
    assert score.enhanced(generator, low, precision=torch.bfloat16).dtype == torch.float32


def test_a_perfect_network_has_the_highest_psnr():
    flat = score.Pair(torch.full((3, 3, 12, 12), 0.2), torch.full((3, 3, 24, 24), 0.2))
    assert score.score(Repeat(), [flat])["psnr_y"] == 100


def test_psnr_of_a_known_error():
    """Luma runs from 16 to 235: an error of 51 codes of grey is one of 51 * 219 / 255 = 43.8 in it, 15.3 dB."""
    pair = score.Pair(torch.full((2, 3, 12, 12), 0.4), torch.full((2, 3, 24, 24), 0.2))
    assert score.score(Repeat(), [pair])["psnr_y"] == pytest.approx(15.301, abs=2e-3)


def test_every_clip_weighs_the_same():
    near = score.Pair(torch.full((9, 3, 12, 12), 0.22), torch.full((9, 3, 24, 24), 0.2))
    far = score.Pair(torch.full((1, 3, 12, 12), 0.6), torch.full((1, 3, 24, 24), 0.2))
    each = [score.score(Repeat(), [pair])["psnr_y"] for pair in (near, far)]
    both = score.score(Repeat(), [near, far])
    assert both["psnr_y"] == pytest.approx(sum(each) / 2)
    assert both["ms_per_frame"] > 0 and "lpips" not in both


def test_other_metrics_are_taken_where_they_are_given():
    pair = score.Pair(torch.rand(2, 3, 12, 12), torch.rand(2, 3, 24, 24))
    row = score.score(Repeat(), [pair], measures={"mine": lambda output, target: 0.25})
    assert row["mine"] == 0.25 and row["temporal"] > 0


def test_calibration_is_known_by_hand():
    """Nine of ten right and sure with 0.9: calibrated; always right and sure with 0.9: a tenth off."""
    sure = math.log(9)  # sigmoid gives 0.9
    apart = torch.tensor([sure] * 9 + [-sure])
    bins, error = score.calibration(apart, torch.zeros(10))
    assert error == pytest.approx(0, abs=1e-6)
    assert bins == [(pytest.approx(0.9), pytest.approx(0.9), 10)]
    _, error = score.calibration(torch.full((10,), sure), torch.zeros(10))
    assert error == pytest.approx(0.1)
    _, guessing = score.calibration(torch.zeros(10), torch.zeros(10))
    assert guessing == 0  # of draws half are right, and it is sure with a half


def test_a_discriminator_that_guesses_is_right_half_the_time_in_half_precision():
    real, made = (2 + 0.02 * torch.randn(2, 20_000)).bfloat16()
    assert (real == made).float().mean() > 0.1
    assert score.accuracy(real, made) == pytest.approx(0.5, abs=0.01)
    assert score.accuracy(made, made) == 0.5
    assert score.accuracy(made * float("nan"), made) == 0  # no number that training would never be rid of
    assert score.accuracy(torch.tensor([1.0, 0.0, 2.0]), torch.tensor([0.0, 1.0, 1.0])) == pytest.approx(
        2 / 3
    )


def test_the_interval_over_clips_shrinks_with_their_number():
    rng = np.random.default_rng(0)
    few, many = (score.interval(rng.normal(5, 1, size)) for size in (5, 500))
    assert few.low < few.value < few.high
    assert many.high - many.low == pytest.approx(2 * 1.96 / math.sqrt(500), rel=0.15)
    assert score.interval([3.0]) == score.Interval(3.0, None, None)
