"""What a discriminator says of a video: laws known by hand for networks whose verdicts are known by hand."""

import math
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import vidgan
from vidgan import checkpoint, cli, degrade, score, video
from vidgan.discriminators import FRAMES
from vidgan.errors import VidganError
from vidgan.watching.realism import Judge
from watched import lossless, pan

SAMPLE = Path(__file__).resolve().parent.parent / "examples" / "media" / "bunny.mp4"


class Nearest(nn.Module):
    """A generator that only repeats pixels."""

    scale = 4

    def forward(self, low: torch.Tensor) -> torch.Tensor:
        return low.repeat_interleave(4, -1).repeat_interleave(4, -2)


class Detail(nn.Module):
    """A discriminator to whom detail of a single pixel is real: its logit is the mean step to the right."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[torch.Tensor] = []

    def forward(self, frames: torch.Tensor, hint: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        self.seen.append(frames)
        steps = (frames[:, 1, :, :, 1:] - frames[:, 1, :, :, :-1]).abs().mean(1, keepdim=True)
        return F.avg_pool2d(F.pad(100 * steps, (0, 1)), 8), []


def judge() -> Judge:
    return Judge(Nearest(), Detail(), torch.device("cpu"), 1)


def test_what_the_generator_would_have_made_itself_is_a_draw():
    flat = np.full((64, 64, 3), 90, np.uint8)
    court = judge()
    verdicts = [verdict for _ in range(3) for verdict in court.see(flat)]
    assert [verdict.score for verdict in verdicts] == [0.5] * 3
    assert verdicts[0].map.shape == (2, 2) and (verdicts[0].map == 0.5).all()


def test_realism_is_the_sigmoid_of_the_difference_where_it_is():
    """Stripes of a pixel on the right half: 100 * 20 / 255 there, and nothing after shrinking."""
    frame = np.full((64, 64, 3), 90, np.uint8)
    frame[:, 32::2] += 20
    court = judge()
    verdict = next(verdict for _ in range(3) for verdict in court.see(frame))
    real = 1 / (1 + math.exp(-100 * 20 / 255))
    assert verdict.map[0].tolist() == pytest.approx([0.5, real], abs=0.04), "the border is of both"
    assert verdict.score == pytest.approx((real + 0.5) / 2, abs=0.04)


@pytest.mark.parametrize(
    ("lengths", "judged"), [((6,), [3, 3]), ((7,), [3, 3, 1]), ((5, 4), [3, 2, 3, 1]), ((2, 3), [2, 3])]
)
def test_every_frame_is_judged_once_and_no_three_cross_a_cut(lengths, judged):
    """A shot of under three frames cannot be judged."""
    court, told = judge(), []
    for shot, length in enumerate(lengths):
        for _ in range(length):
            told.append(court.see(np.full((48, 48, 3), 40 * (shot + 1), np.uint8)))
        told.append(court.end_shot())
    assert [len(verdicts) for verdicts in told if verdicts] == judged
    assert [verdict is None for verdicts in told for verdict in verdicts].count(True) == (
        2 if lengths[0] == 2 else 0
    )
    for frames in court.discriminator.seen:
        assert (frames == frames[:, :1]).all(), "three frames of one shot"


@pytest.fixture(scope="module")
def state(tmp_path_factory) -> Path:
    """What a training run of two small networks leaves."""
    folder = tmp_path_factory.mktemp("run")
    generator, discriminator = (
        vidgan.create_generator(features=16, blocks=1),
        vidgan.create_discriminator(features=8),
    )
    clip = lossless(folder / "clip.mkv", pan(1, 8))
    vidgan.train(
        generator, discriminator, clip, out=folder / "out", faithful_steps=1, realistic_steps=1, batch=1
    )
    return folder / "out"


def test_a_training_run_judges_a_video(state, tmp_path):
    path = lossless(tmp_path / "in.mkv", pan(2, 8))
    found = vidgan.analyze(path, realism=state)
    assert all(0 < value < 1 for value in found.scores["realism"])
    assert len({round(value, 6) for value in found.scores["realism"]}) == 3, (
        "three threes, the last one overlapping"
    )
    half = vidgan.analyze(path, realism=state, realism_every=2)
    assert [math.isnan(value) for value in half.scores["realism"]] == [False] * 3 + [True] * 3 + [False] * 2


def test_a_video_without_three_frames_of_one_shot_is_not_judged_and_says_so(state, tmp_path, capsys):
    two = lossless(tmp_path / "two.mkv", pan(2, 2))
    assert vidgan.analyze(two, realism=state).left_out == {"realism": "needs 3 frames of one shot"}
    assert cli.main(["analyze", str(two), "--realism", str(state)]) == 0
    assert "Left out: realism: needs 3 frames of one shot" in capsys.readouterr().out
    assert not vidgan.analyze(lossless(tmp_path / "three.mkv", pan(2, 3)), realism=state).left_out


def test_of_threes_the_first_is_judged_whatever_shots_too_short_come_before():
    court, told = judge(), []
    court.every = 10
    for shot, length in enumerate((2, 1, 3, 3)):
        for _ in range(length):
            told += court.see(np.full((48, 48, 3), 40 * (shot + 1), np.uint8))
        told += court.end_shot()
    assert [verdict is None for verdict in told] == [True] * 3 + [False] * 3 + [True] * 3


def test_the_judge_that_comes_with_vidgan_tells_the_sample_from_its_enlargements():
    source = video.probe(SAMPLE)
    frames = [frame.pixels[:160, :160] for frame in islice(video.read(source), FRAMES)]
    clip = torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2).float() / 255
    small = degrade.shrink(clip, 4)
    bicubic = F.interpolate(small, scale_factor=4, mode="bicubic").clamp(0, 1)
    made = score.enhanced(checkpoint.load_generator("fast"), small.clamp(0, 1))

    def realism(clip: torch.Tensor) -> float:
        court = Judge(*checkpoint.load_players(Path("judge")), torch.device("cpu"), 1)
        pixels = (clip * 255).round().byte().permute(0, 2, 3, 1).numpy()
        return next(verdict.score for picture in pixels for verdict in court.see(picture))

    assert realism(clip) > 0.5 > max(realism(bicubic), realism(made))


def test_a_judge_that_is_no_run_and_no_name_is_said(tmp_path):
    with pytest.raises(VidganError, match="nobody"):
        checkpoint.load_players(tmp_path / "nobody")
