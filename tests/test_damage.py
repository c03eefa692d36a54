"""How damaged a video looks: real footage that the estimate was not trained on, and what has nothing to tell."""

import warnings
from pathlib import Path

import pytest
import torch

import videos
from vidgan import damage, degrade, pixels, video
from vidgan.errors import BadVideo

BUNNY = Path(__file__).parent.parent / "examples" / "media" / "bunny.mp4"


@pytest.fixture(scope="module")
def estimator():
    return damage.load()


@pytest.fixture(scope="module")
def small():
    """(10, 3, 90, 160): the sample at half its size, which hides what its own codec did."""
    clip = torch.from_numpy(video.decode_all(BUNNY)[10:20]).permute(0, 3, 1, 2).float() / 255
    return degrade.shrink(clip, 2)


def pairs(clip):
    luma = pixels.luma(clip)[:, 0]
    return [luma[first : first + 2][None] for first in range(0, len(luma) - 1, 2)]


def test_the_more_a_codec_takes_the_more_damaged_it_looks(estimator, small):
    shares = [
        damage.share_of(estimator, pairs(degrade.encoded(small, "h264", crf))) for crf in (8, 20, 26, 32)
    ]
    assert shares == sorted(shares)
    assert shares[:2] == [0, 0] and shares[-1] == damage.MOST


def test_noise_and_a_soft_lens_are_damage_too(estimator, small):
    assert damage.share_of(estimator, pairs(small)) == 0
    noise = 24 / 255 * torch.randn(small.shape, generator=torch.Generator().manual_seed(1))
    assert damage.share_of(estimator, pairs((small + noise).clamp(0, 1))) > 0
    for sigma in (0.9, 1.2, 2.0):
        assert damage.share_of(estimator, pairs(degrade.gaussian_blur(small, sigma))) == damage.MOST


def test_a_share_is_one_of_a_few_and_what_is_flat_has_no_say(estimator, small):
    flat = torch.full((1, 2, 90, 160), 0.3)
    assert damage.share_of(estimator, [flat]) == 0
    assert damage.share_of(estimator, []) == 0
    worst = pairs(degrade.encoded(small, "h264", 34))
    assert damage.share_of(estimator, [flat, *worst, flat]) == damage.share_of(estimator, worst)
    assert damage.share_of(estimator, worst) == damage.MOST
    for crf in (20, 22, 24):
        share = damage.share_of(estimator, pairs(degrade.encoded(small, "h264", crf)))
        assert (share * damage.STEPS).is_integer() and 0 <= share <= damage.MOST


@pytest.mark.parametrize("size", [(3, 5), (48, 64), (96, 96), (97, 300), (1000, 30)])
def test_squares_lie_inside_and_reach_every_edge(size):
    height, width = size
    places = torch.arange(height * width).view(1, 1, height, width).expand(1, 2, -1, -1).float()
    squares = damage._squares(places)
    side = min(damage.SIDE, height, width)
    assert squares.shape[1:] == (2, side, side) and 1 <= len(squares) <= damage.ACROSS**2
    assert squares.min() == 0 and squares.max() == height * width - 1


def test_a_file_is_looked_at_in_several_places_of_the_part_that_is_asked_for(tmp_path, monkeypatch):
    source = video.probe(BUNNY)
    asked = []
    read = video.read
    monkeypatch.setattr(
        video, "read", lambda source, *, start, threads: asked.append(start) or read(source, start=start)
    )
    assert damage.estimate(source) == 0
    assert len(asked) == damage.PLACES and asked == sorted(asked)
    assert asked[0] == 0 and asked[-1] < source.duration_seconds
    asked.clear()
    damage.estimate(source, start=0.5, duration=0.5)
    assert len(asked) == damage.PLACES and asked[0] == 0.5 and asked[-1] < 1.0


def test_each_place_is_looked_at_by_two_frames_in_a_row():
    film = video.decode_all(BUNNY)
    lumas = torch.from_numpy(film).float().div(255) @ torch.tensor(pixels.LUMA)
    found = list(damage._pairs(video.probe(BUNNY), 0.0, None))
    firsts = [int((lumas - pair[0, 0]).abs().amax((1, 2)).argmin()) for pair in found]
    assert firsts == [0, 12, 24, 36, 48]
    for pair, first in zip(found, firsts, strict=True):
        torch.testing.assert_close(pair[0], lumas[first : first + 2], atol=1e-5, rtol=0)


@pytest.mark.parametrize("suffix", [".mp4", ".avi"])
@pytest.mark.parametrize("frames", [1, 2, 3])
def test_a_video_of_few_frames_is_looked_at_too(tmp_path, frames, suffix):
    film = videos.Film(times=tuple(range(frames)), codec="mpeg4", options={})
    path = videos.write(tmp_path / f"short{suffix}", film)
    assert 0 <= damage.estimate(video.probe(path)) <= damage.MOST


def test_a_part_that_shows_nothing_is_an_error():
    source = video.probe(BUNNY)
    with pytest.raises(BadVideo, match="shows no frame"):
        damage.estimate(source, start=1e4)


def test_a_picture_one_pixel_wide_has_nothing_to_tell(estimator):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert damage.share_of(estimator, [torch.rand(1, 2, 1, 1), torch.rand(1, 2, 90, 1)]) == 0


def test_a_start_beyond_the_end_is_told_as_it_is_without_the_estimate():
    source = video.probe(BUNNY)
    with pytest.raises(BadVideo) as plain:
        next(video.read(source, start=1000))
    with pytest.raises(BadVideo) as caught:
        damage.estimate(source, start=1000)
    assert str(caught.value) == str(plain.value) and "s long" in str(plain.value)
