"""Down the slope: rates, scaled and clipped steps, and the average that trails behind."""

import math

import torch
from torch import Tensor
from torch.amp import GradScaler
from torch.optim import Optimizer

from vidgan.training import distributed
from vidgan.training.run import Run

STAIRS = 4  # of a rate that falls in steps, each as long as the others
LONGEST = 1.0  # gradient, before a step


def learning_rate(run: Run) -> float:
    """The generator's, as the stage's schedule and the supervisor have it."""
    stage = run.stage
    progress = min(run.stage_step / stage.steps, 1.0)
    if stage.schedule == "step":
        stair = min(int(progress * STAIRS), STAIRS - 1)
        rate = stage.lr * (stage.lr_end / stage.lr) ** (stair / (STAIRS - 1))
    else:
        rate = stage.lr_end + (stage.lr - stage.lr_end) * 0.5 * (1 + math.cos(math.pi * progress))
    return rate * run.cooling


def discriminator_rate(run: Run) -> float:
    """Falls as the generator's does."""
    return run.recipe.game.lr * learning_rate(run) / run.recipe.realistic.lr


def descend(optimizer: Optimizer, scaler: GradScaler, lr: float) -> Tensor:
    """One step down the gradients that are there, and none are left. Gives the gradient's length before clipping.

    A gradient that is not finite in any process moves nothing in all of them. Where losses are scaled that is how the
    scaler finds its scale, and no trouble: the length is then given as 0.
    """
    (group,) = optimizer.param_groups
    distributed.average_gradients(group["params"])
    # After the average, so that a process that has found an infinity has told the others.
    scaler.unscale_(optimizer)
    length = torch.nn.utils.clip_grad_norm_(group["params"], LONGEST)
    group["lr"] = lr
    if torch.isfinite(length):
        scaler.step(optimizer)
    if scaler.is_enabled():
        scaler.update()
    optimizer.zero_grad(set_to_none=True)
    searching = scaler.is_enabled() and not torch.isfinite(length)
    return torch.zeros_like(length) if searching else length.detach()


@torch.no_grad()
def update_average(run: Run) -> None:
    """Move the average towards the weights; faster at first, when they are still far from anything."""
    decay = min(run.recipe.ema, (run.step + 1) / (run.step + 10))
    for average, weight in zip(run.ema.parameters(), run.generator.parameters(), strict=True):
        average.lerp_(weight, 1 - decay)
    for kept, now in zip(run.ema.buffers(), run.generator.buffers(), strict=True):
        kept.copy_(now)  # counts and running statistics are averages already
