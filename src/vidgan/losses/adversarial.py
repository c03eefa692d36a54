"""The game between generator and discriminator.

Logits are higher for real; every term is taken in float32 and is the mean over all logits.

Sources: the relativistic pairing of Jolicoeur-Martineau 2018 with both gradient penalties, as in R3GAN, Huang
et al. 2024; the penalties by finite differences, as in SeedVR2, Wang et al. 2025: no second derivative is
needed, so that bfloat16 and every layout of memory work. The other games: vanilla, Goodfellow et al. 2014, with
the generator's side that does not saturate; least squares, Mao et al. 2017; hinge, Lim and Ye 2017.
"""

from collections.abc import Callable
from typing import Literal, assert_never

import torch
import torch.nn.functional as F
from torch import Tensor

Game = Literal["relativistic", "hinge", "vanilla", "least_squares"]


def discriminator_loss(game: Game, *, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Small where the discriminator tells real from made; both of one shape."""
    real, fake = real_logits.float(), fake_logits.float()
    match game:
        case "relativistic":
            return relativistic(real, fake)
        case "hinge":
            return F.relu(1 - real).mean() + F.relu(1 + fake).mean()
        case "vanilla":
            return F.softplus(-real).mean() + F.softplus(fake).mean()
        case "least_squares":
            return ((real - 1).square().mean() + fake.square().mean()) / 2
    assert_never(game)


def generator_loss(game: Game, *, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Small where the made pictures pass for real; both of one shape. Only the relativistic game asks the real."""
    real, fake = real_logits.float(), fake_logits.float()
    match game:
        case "relativistic":
            return relativistic(fake, real)
        case "hinge":
            return -fake.mean()
        case "vanilla":
            return F.softplus(-fake).mean()
        case "least_squares":
            return (fake - 1).square().mean() / 2
    assert_never(game)


def relativistic(preferred_logits: Tensor, other_logits: Tensor) -> Tensor:
    """Small where the preferred of each pair gets the higher logit.

    The discriminator prefers the real one of a pair, the generator its own. Both of one shape.
    """
    return F.softplus(other_logits.float() - preferred_logits.float()).mean()


def smoothness(
    judge: Callable[[Tensor], Tensor], pictures: Tensor, logits: Tensor, *, noise: Tensor, sigma: float
) -> Tensor:
    """How much the verdict moves when noise of standard deviation sigma is added, over sigma squared.

    Approximates the squared norm of the logits' gradient: R1 on real pictures, R2 on made ones.
    logits  what judge(pictures) gave
    noise   normal, of standard deviation 1, of the pictures' shape
    """
    moved = judge(pictures + sigma * noise.to(pictures)).float() - logits.float()
    return moved.square().mean() / sigma**2


def gradient_penalty(logits: Tensor, pictures: Tensor) -> Tensor:
    """The squared slope of the verdict, by double backward: R1 on real pictures, R2 on made ones.

    |d(sum of logits) / d(pictures)|^2, summed over pixels, over the number of logits. With one logit a picture it
    is the R1 of Mescheder et al. 2018, and what `smoothness` tends to for small sigma and many draws. With many
    patches a picture it is so where no two patches see the same pixel; where they do, this counts also the
    products of their slopes, which `smoothness` does not.

    logits    what the discriminator gave for the pictures, in float32: run it outside autocast
    pictures  require a gradient
    """
    assert pictures.requires_grad, "the pictures need requires_grad before the discriminator sees them"
    assert logits.dtype not in (torch.bfloat16, torch.float16), f"{logits.dtype} is too coarse for a slope"
    (slope,) = torch.autograd.grad(logits.sum(), pictures, create_graph=True)
    return slope.square().sum() / logits.numel()


def feature_matching(fake_activations: list[Tensor], real_activations: list[Tensor]) -> Tensor:
    """L1 between the discriminator's activations, each divided by the real one's mean magnitude (Wang et al. 2018).

    Activations are (B, ...). The magnitude is taken per sample, so that a batch's loss is the mean of its samples'.
    """
    terms = []
    for fake, real in zip(fake_activations, real_activations, strict=True):
        real = real.detach().float().flatten(1)
        distance = (fake.float().flatten(1) - real).abs().mean(1)
        terms.append((distance / (real.abs().mean(1) + 1e-6)).mean())
    return torch.stack(terms).mean()
