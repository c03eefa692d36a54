"""The game between generator and discriminator.

Sources: the relativistic pairing of Jolicoeur-Martineau 2018 with both gradient penalties, as in R3GAN, Huang
et al. 2024; the penalties by finite differences, as in SeedVR2, Wang et al. 2025: no second derivative is
needed, so that bfloat16 and every layout of memory work.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor


def relativistic(preferred_logits: Tensor, other_logits: Tensor) -> Tensor:
    """Small where the preferred of each pair gets the higher logit.

    The discriminator prefers the real one of a pair, the generator its own. Both of one shape.
    """
    return F.softplus(other_logits.float() - preferred_logits.float()).mean()


def smoothness(
    judge: Callable[[Tensor], Tensor], pictures: Tensor, logits: Tensor, *, sigma: float, rng: torch.Generator
) -> Tensor:
    """How much the verdict moves when noise of standard deviation sigma is added, over sigma squared.

    Approximates the squared norm of the logits' gradient: R1 on real pictures, R2 on made ones.
    logits  what judge(pictures) gave
    """
    noise = torch.randn(pictures.shape, generator=rng, device=rng.device).to(pictures)
    moved = judge(pictures + sigma * noise).float() - logits.float()
    return moved.square().mean() / sigma**2


def feature_matching(fake_activations: list[Tensor], real_activations: list[Tensor]) -> Tensor:
    """L1 between the discriminator's activations, each over the real one's mean size (Wang et al. 2018)."""
    terms = []
    for fake, real in zip(fake_activations, real_activations, strict=True):
        real = real.detach().float()
        terms.append((fake.float() - real).abs().mean() / (real.abs().mean() + 1e-6))
    return torch.stack(terms).mean()
