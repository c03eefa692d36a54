"""Clips made once and shown several times, each time another window, turned otherwise.

Imitating a codec costs a processor core more than an accelerator needs to learn from the result. So a step brings
only a few new clips, a little larger than a crop, into a pool on the accelerator, where they take the places of the
oldest; and its batch is drawn from all that are there. What a step gets is still a function of the recipe's seed and
the step alone: a run that goes on fills its pool with the very clips that it held.

Letters: B batch, T frames, h w H W height and width of the small and the large frame.
"""

from collections.abc import Iterable, Iterator

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
    """How many steps' new clips a pool holds."""
    return -(-recipe.data.pool // feed(recipe, stage).batch)


def pooled(
    chunks: Iterable[Pair],
    steps: range,
    *,
    recipe: Recipe,
    stage: Stage,
    scale: int,
    samples: range,
    attempt: int,
    device: torch.device,
) -> Iterator[Pair]:
    """A batch for each of the steps, on the device.

    chunks   what a loader makes of feed(...), from number steps.start on: a pool full, then one for each further step
    samples  which of the stage's batch are this process's
    """
    incoming, held = iter(chunks), chunks_held(recipe, stage)
    pool: Pair | None = None
    for step in steps:
        missing = range(step, step + held) if pool is None else range(step + held - 1, step + held)
        for chunk in missing:
            fresh = next(incoming)
            if pool is None:
                pool = tuple(  # type: ignore[assignment]
                    torch.empty((held * len(clips), *clips.shape[1:]), dtype=torch.uint8, device=device)
                    for clips in fresh
                )
            place = chunk % held * len(fresh[0])
            for kept, clips in zip(pool, fresh, strict=True):  # type: ignore[arg-type]
                kept[place : place + len(clips)].copy_(clips, non_blocking=True)
        yield _drawn(pool, step, recipe, stage, scale, samples, attempt)  # type: ignore[arg-type]


def _drawn(
    pool: Pair, step: int, recipe: Recipe, stage: Stage, scale: int, samples: range, attempt: int
) -> Pair:
    shown = [
        _shown(pool, np.random.default_rng((recipe.seed, attempt, step, sample, DRAW)), recipe, stage, scale)
        for sample in samples
    ]
    return torch.stack([low for low, _ in shown]), torch.stack([high for _, high in shown])


def _shown(pool: Pair, rng: np.random.Generator, recipe: Recipe, stage: Stage, scale: int) -> Pair:
    """A crop of one of the pool's clips, (T, 3, h, w) and (T, 3, H, W), as it is or turned: views, not copies."""
    number = int(rng.integers(len(pool[0])))
    y, x = rng.integers(ROOM // scale + 1, size=2).tolist()
    side = stage.crop // scale
    low = pool[0][number][..., y : y + side, x : x + side]
    high = pool[1][number][..., y * scale : (y + side) * scale, x * scale : (x + side) * scale]
    if recipe.augment.oriented:
        return low, high
    up, left, swapped = (rng.random(3) < 0.5).tolist()
    dims = [dim for dim, drawn in ((-2, up), (-1, left)) if drawn]
    low, high = low.flip(dims), high.flip(dims)
    return (low.transpose(-1, -2), high.transpose(-1, -2)) if swapped else (low, high)
