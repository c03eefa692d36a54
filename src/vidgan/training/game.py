"""One step of each stage: tensors go in, the networks learn, numbers come out.

Letters: B batch, T frames, C colours, H W height and width of the large frame.
"""

import math
from dataclasses import dataclass
from types import EllipsisType
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.optim import Optimizer

from vidgan import losses, score
from vidgan.features import Lpips
from vidgan.training.run import Run

Numbers = dict[str, Tensor]
STAIRS = 4  # of a rate that falls in steps, each as long as the others
PIXEL_LOSSES = ("l1", "charbonnier", "low_pass_l1", "phase_l1", "temporal_difference", "focal_frequency")


@dataclass(frozen=True)
class Table:
    """What the game is played with beside the run itself."""

    perceptual: Lpips | None
    rng: torch.Generator
    half: bool  # convolutions in bfloat16


def learning_rate(run: Run) -> float:
    stage = run.stage
    progress = min(run.stage_step / stage.steps, 1.0)
    if stage.schedule == "step":
        stair = min(int(progress * STAIRS), STAIRS - 1)
        return stage.lr * (stage.lr_end / stage.lr) ** (stair / (STAIRS - 1))
    return stage.lr_end + (stage.lr - stage.lr_end) * 0.5 * (1 + math.cos(math.pi * progress))


def faithful_step(run: Run, low_BTCHW: Tensor, high_BTCHW: Tensor, table: Table) -> Numbers:
    """Close to the truth, pixel by pixel."""
    weights = run.stage.losses
    output, terms = made(run, low_BTCHW, table)
    terms |= pixel_terms(run, output, high_BTCHW)
    if weights.perceptual:
        t = int(torch.randint(high_BTCHW.shape[1], (), generator=table.rng))
        terms["perceptual"] = perceptual_term(table, output[:, t], high_BTCHW[:, t])
    descend(weighted(run, terms), run.generator_optimizer, learning_rate(run))
    update_average(run)
    return {name: term.detach() for name, term in terms.items()}


def realistic_step(run: Run, low_BTCHW: Tensor, high_BTCHW: Tensor, table: Table) -> Numbers:
    """Close to the truth, and not to be told from it: first the discriminator learns, then the generator."""
    output, terms = made(run, low_BTCHW, table)
    first = int(torch.randint(high_BTCHW.shape[1] - 2, (), generator=table.rng))
    cut = off_grid(high_BTCHW.shape[-1], table)
    real, fake = high_BTCHW[:, first : first + 3][cut], output[:, first : first + 3][cut]
    scale: int = run.generator.scale  # type: ignore[assignment]
    hint = F.interpolate(low_BTCHW[:, first + 1], scale_factor=scale, mode="bilinear")[cut]

    numbers = discriminator_step(run, real, fake.detach(), hint, table)
    terms |= pixel_terms(run, output, high_BTCHW)
    weights = run.stage.losses
    if weights.perceptual:
        t = int(torch.randint(high_BTCHW.shape[1], (), generator=table.rng))
        terms["perceptual"] = perceptual_term(table, output[:, t][cut], high_BTCHW[:, t][cut])
    if weights.game or weights.feature_matching:
        run.discriminator.requires_grad_(False)
        with torch.autocast("cpu", torch.bfloat16, enabled=table.half):
            fake_logits, fake_activations = run.discriminator(fake, hint)
            with torch.no_grad():
                real_logits, real_activations = run.discriminator(real, hint)
        run.discriminator.requires_grad_(True)
        terms["game"] = losses.generator_loss(
            run.recipe.game.kind, real_logits=real_logits, fake_logits=fake_logits
        )
        terms["feature_matching"] = losses.feature_matching(fake_activations, real_activations)
    descend(weighted(run, terms), run.generator_optimizer, learning_rate(run))
    update_average(run)
    return numbers | {name: term.detach() for name, term in terms.items()}


def made(run: Run, low_BTCHW: Tensor, table: Table) -> tuple[Tensor, Numbers]:
    """The generator's clip; and, where the recipe weighs it, how its way back differs from its way there."""
    memory, frames = rolled_in(run, low_BTCHW, table), low_BTCHW.shape[1]
    both_ways = bool(run.stage.losses.ping_pong)
    with torch.autocast("cpu", torch.bfloat16, enabled=table.half):
        shown = losses.there_and_back(low_BTCHW) if both_ways else low_BTCHW
        output: Tensor = run.generator(shown, memory)
    if not both_ways:
        return output, {}
    there, back = output[:, :frames], output[:, frames - 1 :]
    return there, {"ping_pong": losses.ping_pong(there, back)}


def off_grid(side: int, table: Table) -> tuple[EllipsisType, slice, slice]:
    """A window anywhere in a square crop, 16 pixels smaller.

    The pooling of the perceptual network and the strides of the discriminator would else meet the generator's
    pixel shuffle at the same phase in every step, and leave their grid in flat surfaces.
    """
    y, x = torch.randint(17, (2,), generator=table.rng).tolist()
    return ..., slice(y, y + side - 16), slice(x, x + side - 16)


@torch.no_grad()
def rolled_in(run: Run, low_BTCHW: Tensor, table: Table) -> Any:
    """A memory that is several frames old when the clip begins, or none: what a long video is made of.

    Seen backwards up to its second frame, once or there and back again, the clip leads into itself.
    """
    if float(torch.rand((), generator=table.rng)) >= run.stage.roll_in:
        return None
    backwards = list(low_BTCHW.flip(1).unbind(1)[:-1])
    history = backwards
    if float(torch.rand((), generator=table.rng)) < 0.5:
        history = backwards + list(low_BTCHW.unbind(1)[:-1]) + backwards
    memory = None
    for frame in history:
        _, memory = run.generator.folded(frame, memory)  # type: ignore[operator]
    return memory


def discriminator_step(run: Run, real: Tensor, fake: Tensor, hint: Tensor, table: Table) -> Numbers:
    """Learn to tell real from fake, unless it does so too well already: a won game teaches nothing.

    real, fake  (B, 3, C, H, W); hint  (B, C, H, W), the middle frame's enlarged input
    """
    game = run.recipe.game
    with torch.autocast("cpu", torch.bfloat16, enabled=table.half):
        real_logits, _ = run.discriminator(real, hint)
        fake_logits, _ = run.discriminator(fake, hint)
        now = score.accuracy(real_logits, fake_logits)
        run.accuracy += 0.02 * (float(now) - run.accuracy)
        verdict = losses.discriminator_loss(game.kind, real_logits=real_logits, fake_logits=fake_logits)
        numbers = {"discriminator": verdict.detach(), "accuracy": now}
        if run.accuracy > game.rest_above:
            return numbers | {"resting": torch.ones(())}
        penalty = penalty_term(run, real, real_logits, hint, table)
        penalty = penalty + penalty_term(run, fake, fake_logits, hint, table)
    fade = learning_rate(run) / run.recipe.realistic.lr
    descend(verdict + game.penalty * penalty, run.discriminator_optimizer, game.lr * fade)
    return numbers | {"penalty": penalty.detach(), "resting": torch.zeros(())}


def penalty_term(run: Run, pictures: Tensor, logits: Tensor, hint: Tensor, table: Table) -> Tensor:
    """How steep the verdict is around the pictures, as the recipe's game measures it."""
    game = run.recipe.game
    if game.penalty_kind == "exact":
        with torch.autocast("cpu", enabled=False):
            pictures = pictures.float().detach().requires_grad_(True)
            return losses.gradient_penalty(run.discriminator(pictures, hint.float())[0], pictures)

    def judge(moved: Tensor) -> Tensor:
        verdict: Tensor = run.discriminator(moved, hint)[0]
        return verdict

    return losses.smoothness(judge, pictures, logits, sigma=game.sigma, rng=table.rng)


def pixel_terms(run: Run, output: Tensor, target: Tensor) -> Numbers:
    weights = run.stage.losses
    terms = {}
    for name in PIXEL_LOSSES:
        if getattr(weights, name):
            terms[name] = getattr(losses, name)(output, target)
    return terms


def perceptual_term(table: Table, output: Tensor, target: Tensor) -> Tensor:
    assert table.perceptual is not None, "the loop brings the network where the recipe weighs it"
    with torch.autocast("cpu", torch.bfloat16, enabled=table.half):
        return losses.perceptual(table.perceptual, output, target)


def weighted(run: Run, terms: Numbers) -> Tensor:
    weights = run.stage.losses.model_dump()
    if run.recipe.game.ramp and run.realistic:
        weights["game"] *= min(1.0, run.stage_step / run.recipe.game.ramp)
    return torch.stack([weights[name] * term.float() for name, term in terms.items()]).sum()


def descend(loss: Tensor, optimizer: Optimizer, lr: float) -> None:
    """One step down; a loss or a gradient that is not finite moves nothing."""
    optimizer.zero_grad(set_to_none=True)
    if not torch.isfinite(loss):
        return
    loss.backward()
    for group in optimizer.param_groups:
        group["lr"] = lr
        if not torch.isfinite(torch.nn.utils.clip_grad_norm_(group["params"], 1.0)):
            return
    optimizer.step()


@torch.no_grad()
def update_average(run: Run) -> None:
    """Move the average towards the weights; faster at first, when they are still far from anything."""
    decay = min(run.recipe.ema, (run.step + 1) / (run.step + 10))
    for average, weight in zip(run.ema.parameters(), run.generator.parameters(), strict=True):
        average.lerp_(weight, 1 - decay)
