"""How real three frames look to a discriminator: beside what its own generator makes of them, shrunk.

A relativistic discriminator only ever learns differences: its bare verdict has no zero. So the frames are shrunk as
they were in training, the generator enlarges them again, and the verdict on the frames is held against the verdict on
those: sigmoid of the difference, 1 for real, 0.5 for what is as real as the generator's own work.
It is the protocol by which `vidgan evaluate` judges a discriminator, and the frames stay at their own scale.

Letters: H W height and width of a frame, upright.
"""

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import nn

from vidgan import hardware, score
from vidgan.discriminators import FRAMES
from vidgan.generators import VideoGenerator
from vidgan.pixels import as_tensor
from vidgan.score import Kind, Scale
from vidgan.video import turn_upright

CELL = 32  # pixels, about, of the map's cells
LIMIT = 0.5  # by what the number means: less real than what the network makes

SCALE = Scale(
    name="realism",
    title="realism",
    unit="",
    protocol="mean over places of sigmoid(verdict on three frames - verdict on the generator's enlargement of the same "
    f"frames, shrunk): 1 is real, {LIMIT} as real as what the network makes; each frame is judged once",
    digits=3,
)
KIND = Kind(
    name="unreal",
    title="unrealistic",
    unit="realism",
    protocol=f"realism of {LIMIT} or less: no more real than what the generator makes",
    digits=3,
)


@dataclass(frozen=True)
class Verdict:
    """On one frame: the mean, and a map (rows, columns) over the frame as displayed."""

    score: float
    map: np.ndarray


@dataclass
class Judge:
    """Takes the frames of one video in order, and judges three at a time: every frame once, none across a cut."""

    generator: VideoGenerator
    discriminator: nn.Module
    device: torch.device
    orientation: int
    every: int = 1  # of so many threes one is judged
    _frames: list[torch.Tensor] = field(default_factory=list)  # (1, 3, H, W), the last three of this shot
    _waiting: int = 0  # frames without a verdict yet
    _threes: int = 0

    def see(self, pixels: np.ndarray) -> list[Verdict | None]:
        """The verdicts on the last frames, once there are three: one for each that waited."""
        upright = turn_upright(pixels, self.orientation)
        self._frames = [*self._frames, as_tensor(upright)][-FRAMES:]
        self._waiting += 1
        return self._told() if self._waiting == FRAMES else []

    def end_shot(self) -> list[Verdict | None]:
        """The verdicts on what still waits: with frames before it that were judged already, where there are any."""
        told = self._told() if self._waiting else []
        self._frames = []
        return told

    def _told(self) -> list[Verdict | None]:
        waited, self._waiting = self._waiting, 0
        if len(self._frames) < FRAMES:
            return [None] * waited
        self._threes += 1
        if (self._threes - 1) % self.every:
            return [None] * waited
        return [self._judged()] * waited

    def _judged(self) -> Verdict:
        high = torch.cat(self._frames)
        clip = (high * 255).round().byte().permute(0, 2, 3, 1)  # bytes_of would lay it out otherwise
        (pair,) = score.pairs([clip], self.generator.scale, frames=FRAMES)
        precision = hardware.quick_precision(self.device)
        real, fake = score.verdict(self.generator, self.discriminator, pair, precision=precision)
        places = torch.sigmoid(real - fake)[0, 0]
        rows, columns = (max(1, round(side / CELL)) for side in high.shape[-2:])
        cells = torch.nn.functional.adaptive_avg_pool2d(places[None, None], (rows, columns))[0, 0]
        return Verdict(float(places.mean()), cells.numpy())
