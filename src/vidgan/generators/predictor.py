"""A frame that is still to come, predicted from the last four: what moves goes on as it did in training.

It enlarges nothing: shown a frame, it gives the one that follows `ahead` frames later, as that frame and what changes
in it. Trained on nothing but normal footage it predicts what is normal well and the rest badly, and that is what it
is for (anomaly.py). It looks at squares of pixels, without colour; dilated convolutions see as far as things go.

Letters: B batch, T frames, F features, H W height and width of the frame, h w in squares of fold by fold pixels.
Sources: the prediction of frames of Liu et al. 2018, "Future frame prediction for anomaly detection"; dilated
convolutions in place of a U-Net's reductions as in Yu and Koltun 2016.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vidgan import generators
from vidgan.generators.recurrent import SLOPE, Block, begin_small

SEEN = 4  # frames
GAIN = 8  # of what changes from frame to frame: a hundredth of the range tells how things move
GROWTH = 2  # of the distance between a block's taps, from block to block


@dataclass(frozen=True, kw_only=True)
class Config:
    ahead: int = 1  # frames from the last that is seen to the one that is predicted
    features: int = 48  # width of every inner layer; multiples of 16 run fastest
    blocks: int = 3  # residual blocks of two convolutions each; each sees twice as far as the one before
    fold: int = 4  # pixels, each side, that one place of the inner layers stands for


class Memory(NamedTuple):
    """The frames before the last one, without colour and in squares; None repeats the first frame of a shot.

    Where the frame's sides are no multiples of the fold, its last row or column is repeated.
    """

    before: Tensor  # (B, fold * fold, h, w)
    second: Tensor
    third: Tensor


class Generator(generators.VideoGenerator):
    scale = 1

    def __init__(self, config: Config = Config()) -> None:
        super().__init__()
        if config.ahead < 1:
            raise ValueError(f"it predicts 1 frame ahead or more, not {config.ahead}")
        self.config = config
        self.ahead, self.fold = config.ahead, config.fold
        self.reach = config.fold * (2 + 2 * sum(GROWTH**k for k in range(config.blocks)))
        squares = config.fold**2
        self.head = nn.Conv2d(SEEN * squares, config.features, 3, padding=1)
        self.blocks = nn.Sequential(*(Block(config.features, GROWTH**k) for k in range(config.blocks)))
        self.tail = nn.Conv2d(config.features, squares, 3, padding=1)
        begin_small(self, self.tail)

    def bytes_per_pixel(self, itemsize: int) -> int:
        """Roughly what one pixel needs while a frame is computed: ten layers' features, and the frame six times."""
        return 10 * self.config.features * itemsize // self.fold**2 + 6 * 4 * 3

    def forward(self, frames_BTCHW: Tensor, memory: generators.Memory | None = None) -> Tensor:
        """(B, T, 3, H, W) in [0, 1] -> as many, each the one `ahead` frames later, unclamped, in float32.

        memory  what the frame before the first one left
        """
        made = []
        for frame in frames_BTCHW.unbind(1):
            picture, memory = self.step(frame, memory)
            made.append(picture)
        return torch.stack(made, 1)

    def step(self, frame: Tensor, memory: generators.Memory | None = None) -> tuple[Tensor, Memory]:
        """A frame (B, 3, H, W) in [0, 1], what the one before left -> the frame to come, what this one leaves."""
        return self.folded(frame, memory)

    def fresh(self, frame: Tensor) -> Memory:
        """What a shot begins with, in the place of None: the frame, three times more."""
        now = self._squares(frame)
        return Memory(now, now, now)

    def folded(self, frame: Tensor, memory: generators.Memory | None = None) -> tuple[Tensor, Memory]:
        """As step: a picture of the frame's own size has nothing to unfold."""
        features, memory = self.understood(frame, memory)
        return self.drawn(frame, features), memory

    def understood(self, frame: Tensor, memory: generators.Memory | None = None) -> tuple[Tensor, Memory]:
        """What is seen in the last four frames: (B, F, h, w), and what this frame leaves."""
        now = self._squares(frame)
        if memory is None:
            memory = Memory(now, now, now)
        before, second, third = memory
        changes = now - before, before - second, second - third
        x = torch.cat((now - 0.5, *(change * GAIN for change in changes)), 1)
        return self.blocks(F.leaky_relu_(self.head(x), SLOPE)), Memory(now, memory[0], memory[1])

    def drawn(self, frame: Tensor, features: Tensor) -> Tensor:
        """The frame to come: this one, and what changes alike in its three colours. In float32."""
        H, W = frame.shape[-2:]
        return frame.float() + F.pixel_shuffle(self.tail(features), self.fold)[..., :H, :W]

    def _squares(self, frame: Tensor) -> Tensor:
        """The frame as the inner layers see it: without colour, in squares of pixels, in their precision."""
        H, W = frame.shape[-2:]
        rest = -W % self.fold, -H % self.fold
        grey = frame.mean(1, keepdim=True)
        grey = F.pad(grey, (0, rest[0], 0, rest[1]), mode="replicate") if any(rest) else grey
        now = F.pixel_unshuffle(grey, self.fold)
        return now.to(self.head.weight.dtype, memory_format=torch.channels_last)
