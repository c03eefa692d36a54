"""The games and the exact gradient penalty, by values that are known by hand."""

import math
from typing import get_args

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from vidgan import losses

GAMES = get_args(losses.Game)
LOG_TWO = math.log(2)

every_game = pytest.mark.parametrize("game", GAMES)


def both(game, real, fake):
    """The two sides of a game at one real and one made logit."""
    logits = {"real_logits": torch.tensor([real]), "fake_logits": torch.tensor([fake])}
    return losses.discriminator_loss(game, **logits), losses.generator_loss(game, **logits)


@pytest.mark.parametrize(("game", "real", "fake", "discriminator", "generator"), [
    ("relativistic", 0.0, 0.0, LOG_TWO, LOG_TWO),
    ("relativistic", 1.0, -1.0, math.log1p(math.exp(-2)), math.log1p(math.exp(2))),
    ("hinge", 0.0, 0.0, 2.0, 0.0),
    ("hinge", 0.5, 3.0, 4.5, -3.0),
    ("hinge", 2.0, -2.0, 0.0, 2.0),
    ("vanilla", 0.0, 0.0, 2 * LOG_TWO, LOG_TWO),
    ("vanilla", 50.0, -50.0, 0.0, 50.0),
    ("least_squares", 1.0, 0.0, 0.0, 0.5),
    ("least_squares", 3.0, 2.0, 4.0, 0.5),
])  # fmt: skip
def test_each_side_of_a_game_has_its_known_value(game, real, fake, discriminator, generator):
    found = torch.stack(both(game, real, fake))
    torch.testing.assert_close(found, torch.tensor([discriminator, generator]), atol=1e-6, rtol=1e-5)


def test_vanilla_is_the_cross_entropy_of_torch():
    real, fake = torch.randn(6), torch.randn(6)
    expected = F.binary_cross_entropy_with_logits(real, torch.ones(6))
    expected = expected + F.binary_cross_entropy_with_logits(fake, torch.zeros(6))
    found = losses.discriminator_loss("vanilla", real_logits=real, fake_logits=fake)
    torch.testing.assert_close(found, expected)


@every_game
def test_the_two_sides_pull_the_made_logit_apart(game):
    real, fake = torch.zeros(3), torch.zeros(3, requires_grad=True)
    if game == "least_squares":
        fake = torch.full((3,), 0.5, requires_grad=True)  # between its two goals, 0 and 1
    (down,) = torch.autograd.grad(losses.discriminator_loss(game, real_logits=real, fake_logits=fake), fake)
    (up,) = torch.autograd.grad(losses.generator_loss(game, real_logits=real, fake_logits=fake), fake)
    assert (down > 0).all() and (up < 0).all()


@every_game
def test_a_game_in_half_precision_is_taken_in_float32(game):
    real, fake = torch.full((2,), 300.0).half(), torch.full((2,), -300.0).half()
    logits = {"real_logits": fake, "fake_logits": real}  # lost by far; 300^2 overflows in float16
    for side in (losses.discriminator_loss, losses.generator_loss):
        found = side(game, **logits)
        assert found.dtype == torch.float32 and found.isfinite()


@every_game
def test_a_losing_generator_still_learns(game):
    """None saturates for it: the slope at a hopeless logit is no smaller than at an even one."""
    slopes = []
    for logit in (0.0, -20.0):
        fake = torch.tensor([logit], requires_grad=True)
        losses.generator_loss(game, real_logits=torch.zeros(1), fake_logits=fake).backward()
        slopes.append(float(fake.grad.abs()))
    assert slopes[1] >= slopes[0] > 0


SLOPE = torch.tensor([3.0, 4.0])


def test_gradient_penalty_of_a_linear_critic_is_its_squared_slope():
    x = torch.rand(5, 2, requires_grad=True)
    torch.testing.assert_close(losses.gradient_penalty(x @ SLOPE, x), torch.tensor(25.0))


def test_gradient_penalty_of_a_parabola_is_the_mean_over_pictures():
    """D = |x|^2 / 2 has the slope x: (3^2 + 4^2 + 0 + 1) / 2 pictures = 13."""
    x = torch.tensor([[3.0, 4.0], [0.0, 1.0]], requires_grad=True)
    found = losses.gradient_penalty(x.square().sum(1) / 2, x)
    torch.testing.assert_close(found, torch.tensor(13.0))


def test_gradient_penalty_teaches_the_critic():
    weight, x = torch.tensor([2.0, 0.0], requires_grad=True), torch.rand(4, 2, requires_grad=True)
    losses.gradient_penalty(x @ weight, x).backward()
    torch.testing.assert_close(weight.grad, torch.tensor([4.0, 0.0]))  # d w^2 / dw = 2 w


def test_both_penalties_agree_where_patches_see_pixels_of_their_own():
    """A convolution that steps by its size: every logit's squared slope is the kernel's own."""
    judge = nn.Conv2d(3, 1, 4, stride=4).requires_grad_(False)
    x = torch.rand(64, 3, 32, 32, requires_grad=True)
    expected = judge.weight.square().sum()
    torch.testing.assert_close(losses.gradient_penalty(judge(x), x), expected)
    rng = torch.Generator().manual_seed(0)
    estimate = losses.smoothness(
        judge, x.detach(), judge(x.detach()), sigma=0.1, noise=torch.randn(x.shape, generator=rng)
    )
    torch.testing.assert_close(estimate, expected, rtol=0.1, atol=0)


def test_gradient_penalty_counts_what_overlapping_patches_share():
    """Two logits that are one: |2 w|^2 over two logits, twice what each has alone."""
    x = torch.rand(5, 2, requires_grad=True)
    twice = (x @ SLOPE)[:, None].expand(5, 2)
    torch.testing.assert_close(losses.gradient_penalty(twice, x), torch.tensor(50.0))


def test_gradient_penalty_refuses_half_precision_and_pictures_without_a_gradient():
    x = torch.rand(5, 2, requires_grad=True)
    with pytest.raises(AssertionError, match="too coarse"):
        losses.gradient_penalty((x @ SLOPE).bfloat16(), x)
    with pytest.raises(AssertionError, match="requires_grad"):
        losses.gradient_penalty(x @ SLOPE, x.detach())
