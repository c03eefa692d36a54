"""Clips made once and shown several times, each time another window, turned otherwise.

Imitating a codec costs a processor core more than an accelerator needs to learn from the result. So a step brings
only a few new clips, a little larger than a crop, into a pool on the accelerator, where they take the places of the
oldest; and its batch is drawn from all that are there. What a step gets is still a function of the recipe's seed and
the step alone: a run that goes on fills its pool with the very clips that it held.

Letters: B batch, T frames, h w H W height and width of the small and the large frame.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vidgan.recipe import Recipe, Stage

ROOM = 64  # pixels that a clip of the pool is larger than a crop, each way
DRAW = 1  # tells the draws of a pool from those that make its clips

Pair = tuple[Tensor, Tensor]  # (B, T, 3, h, w) and (B, T, 3, H, W), uint8


def feed(recipe: Recipe, stage: Stage) -> Stage:
    """The stage as a loader is to see it: a step's new clips, with room around the crop."""
    return stage.model_copy(update={"batch": -(-stage.batch // recipe.data.reuse), "crop": stage.crop + ROOM})


def chunks_held(recipe: Recipe, stage: Stage) -> int:
    """How many steps' new clips a pool holds: no more clips than the stage shows in all."""
    clips = min(recipe.data.pool, stage.steps * stage.batch)
    return -(-clips // feed(recipe, stage).batch)


@dataclass(frozen=True, kw_only=True)
class Pool:
    """Whose clips, and what is made of them.

    samples  which of the stage's batch are this process's
    attempt  another one gives other draws
    """

    recipe: Recipe
    stage: Stage
    scale: int
    samples: range
    attempt: int
    device: torch.device

    def batches(self, chunks: Iterable[Pair], steps: range) -> Iterator[Pair]:
        """A batch for each of the steps, on the device.

        chunks  what a loader makes of feed(...), from number steps.start on: as many as chunks_held, and one more for
                each step but the first
        """
        incoming, held = iter(chunks), chunks_held(self.recipe, self.stage)
        kept: Pair | None = None
        for step in steps:
            for chunk in range(step if kept is None else step + held - 1, step + held):
                fresh = next(incoming)
                kept = kept or self._room(fresh, held)
                place = chunk % held * len(fresh[0])
                for old, new in zip(kept, fresh, strict=True):
                    old[place : place + len(new)].copy_(new, non_blocking=True)
            assert kept is not None
            yield self._batch(kept, step)

    def _room(self, fresh: Pair, held: int) -> Pair:
        low, high = (
            torch.empty((held * len(clips), *clips.shape[1:]), dtype=torch.uint8, device=self.device)
            for clips in fresh
        )
        return low, high

    def _batch(self, kept: Pair, step: int) -> Pair:
        seeds = [(self.recipe.seed, self.attempt, step, sample, DRAW) for sample in self.samples]
        shown = [self._shown(kept, np.random.default_rng(seed)) for seed in seeds]
        return torch.stack([low for low, _ in shown]), torch.stack([high for _, high in shown])

    def _shown(self, kept: Pair, rng: np.random.Generator) -> Pair:
        """A crop of one of the clips, (T, 3, h, w) and (T, 3, H, W), as it is or turned: views, nothing is copied."""
        number = int(rng.integers(len(kept[0])))
        scale, side = self.scale, self.stage.crop // self.scale
        y, x = rng.integers(ROOM // scale + 1, size=2).tolist()
        low = kept[0][number][..., y : y + side, x : x + side]
        high = kept[1][number][..., y * scale : (y + side) * scale, x * scale : (x + side) * scale]
        if self.recipe.augment.oriented:
            return low, high
        up, left, swapped = (rng.random(3) < 0.5).tolist()
        dims = [dim for dim, drawn in ((-2, up), (-1, left)) if drawn]
        low, high = low.flip(dims), high.flip(dims)
        return (low.transpose(-1, -2), high.transpose(-1, -2)) if swapped else (low, high)
