"""The recurrent upsampler with a memory that is moved along the motion: what frames before have shown is not lost.

It remembers no features, but the frame before and what was added to its enlargement. Both are moved to where
things are now before the stack sees them, the enlargement at the large size: between small pixels there is nothing
to be fetched. The motion is found in the small frames; the graph that `folded` is knows nothing of it.

Letters: B batch, T frames, H W height and width of the small frame, S scale.
Source: Sajjadi et al. 2018, "Frame-recurrent video super-resolution", without its network for the motion.
"""

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from vidgan import generators
from vidgan.generators import recurrent
from vidgan.motion import FLOATS, fetched, fetched_squares, motion, on_one_thread
from vidgan.pixels import luma

STRENGTH = 4.0  # of differences between enlargements, which are small beside features


@dataclass(frozen=True, kw_only=True)
class Config(recurrent.Config):
    """As the recurrent network's."""


class Memory(NamedTuple):
    """What one frame leaves for the next, at the size of the inner layers; None starts afresh."""

    frame: Tensor  # (B, 3 * fold * fold, H / fold, W / fold)
    added: Tensor  # (B, (S * fold)**2, H / fold, W / fold): to the enlargement, in luma


class Moved(NamedTuple):
    """That, where things are in this frame: as large, and in the same order."""

    frame: Tensor
    change: Tensor  # from this frame's enlargement to the large frame before, in luma, STRENGTH times


class Generator(recurrent.Generator):
    def __init__(self, config: Config = Config()) -> None:
        super().__init__(config, remembered=(config.scale * config.fold) ** 2)

    def forward(self, low_BTCHW: Tensor, memory: generators.Memory | None = None) -> Tensor:
        """(B, T, 3, H, W) in [0, 1] -> (B, T, 3, H * scale, W * scale), unclamped, in float32.

        memory  what the frame before the first one left
        """
        B, T = low_BTCHW.shape[:2]
        now, before = low_BTCHW[:, 1:].flatten(0, 1), low_BTCHW[:, :-1].flatten(0, 1)
        motions = [None, *motion(now, before).unflatten(0, (B, T - 1)).unbind(1)] if T > 1 else [None]
        high = []
        for frame, found in zip(low_BTCHW.unbind(1), motions, strict=True):
            picture, memory = self.step(frame, memory, found)
            high.append(picture)
        return torch.stack(high, 1)

    def step(
        self, frame: Tensor, memory: generators.Memory | None = None, found: Tensor | None = None
    ) -> tuple[Tensor, generators.Memory]:
        """A frame (B, 3, H, W) in [0, 1], what the one before left -> the large frame, what it leaves.

        found  (B, 2, H, W) the motion, where it is known
        """
        if memory is not None:
            memory = self.moved(memory, frame, found)
        folded, memory = self.folded(frame, memory)
        return F.pixel_shuffle(folded, self.scale), memory

    def moved(self, memory: generators.Memory, frame: Tensor, found: Tensor | None = None) -> Moved:
        """What the frame before left, where things are in this one: what folded takes. found as in step."""
        height, width = frame.shape[-2:]
        small, added = memory
        before = self._unfolded(small)[..., :height, :width]
        now = frame.to(small.dtype)  # as what is remembered, or its roundings would look like changes
        if found is None:
            alone = len(now) == 1 and now.device.type == "cpu"
            with on_one_thread() if alone else nullcontext():
                found = motion(now, before)
        inner = F.avg_pool2d(self._padded(found), self.fold) / self.fold
        with torch.autocast(frame.device.type, enabled=False):
            was = self._bright(before) + self._unfolded(added)[..., :height, :width]
            large = F.pixel_shuffle(was, self.scale)
            change = fetched_squares(large, found, self.scale, cubic=False) - self._bright(now)
            near = fetched(small.float(), inner).to(small.dtype, memory_format=torch.channels_last)
        return Moved(near, self._small(STRENGTH * change))

    def fresh(self, frame: Tensor) -> generators.Memory:
        """What a shot begins with, in the place of None: the frame once more, and no change."""
        small = self._small(frame)
        B, _, h, w = small.shape
        return Moved(small, small.new_zeros(B, (self.scale * self.fold) ** 2, h, w))

    def folded(
        self, frame: Tensor, memory: generators.Memory | None = None
    ) -> tuple[Tensor, generators.Memory]:
        """As step, the large frame's pixels still folded into channels: (B, 3 * S * S, H, W), float32.

        memory  as moved gives it
        """
        added, small, _ = self._added(frame, memory)
        bright = self._small(luma(added))
        return self._enlargement(frame).add_(added), Memory(small, bright)

    def bytes_to_move(self, itemsize: int) -> int:
        """Roughly what one input pixel needs in moved: the motion, and in float32 lumas and places."""
        return 4 * FLOATS + 7 * 4 * self.scale**2

    def _bright(self, picture: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, S * S, H, W): the luma of its enlargement."""
        kernels = self._kernels(picture.device)[: self.scale**2, :1]
        return recurrent.enlarge(luma(picture.float()), kernels)


def grow(smaller: Mapping[str, Tensor], config: recurrent.Config, larger: Generator) -> None:
    """Let a generator begin as a smaller one does, or as one without alignment; see recurrent.grow.

    Of the latter it hears what that hears in a shot's first frame: its features are not remembered.

    config  of the smaller: aligned or recurrent
    Raises ValueError as that does, and where an aligned one has another fold.
    """
    if not isinstance(config, recurrent.Config):
        raise ValueError("it is neither an aligned nor a recurrent network")
    weights, fold = dict(smaller), larger.config.fold
    if not isinstance(config, Config):
        weights["head.weight"] = weights["head.weight"][:, : 6 * config.fold**2]
    elif config.fold != fold:
        raise ValueError(f"an aligned network of fold {config.fold} does not become one of fold {fold}")
    recurrent.grow(weights, recurrent.Config(**asdict(config)), larger)
