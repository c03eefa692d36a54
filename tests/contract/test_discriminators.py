"""What every discriminator must do, whichever it is: a new file on the shelf is tested the day it arrives."""

import dataclasses
from types import ModuleType

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidgan import discriminators, losses, shelf

SHELF = "vidgan.discriminators"
SMALL = {"features": 8}  # whichever of these a Config has


@pytest.fixture(params=shelf.names(SHELF))
def module(request) -> ModuleType:
    return shelf.take(SHELF, request.param)


@pytest.fixture
def fresh(module) -> nn.Module:
    return seeing(module)


def seeing(module: ModuleType, **view: int) -> nn.Module:
    fields = {field.name for field in dataclasses.fields(module.Config)}
    config = module.Config(**{name: value for name, value in SMALL.items() if name in fields}, **view)
    torch.manual_seed(0)
    return module.Discriminator(config).eval()  # spectral normalisation goes on estimating while it trains


def frames(batch: int = 2, side: int = 32) -> Tensor:
    return torch.rand(batch, 3, 3, side, side)


def test_it_gives_a_verdict_for_every_patch_of_every_clip(fresh):
    logits, _ = fresh(frames(2, 48), torch.rand(2, 3, 48, 48))
    _, _, height, width = logits.shape
    assert logits.shape[:2] == (2, 1) and height == width and 48 % height == 0
    assert logits.isfinite().all()


def test_it_takes_any_sides_of_whole_blocks(fresh):
    height, width = 3 * discriminators.BLOCK, 5 * discriminators.BLOCK
    shown = torch.rand(1, discriminators.FRAMES, 3, height, width)
    logits, _ = fresh(shown, torch.rand(1, 3, height, width))
    assert logits.shape[2] * width == logits.shape[3] * height


def test_its_hint_is_the_middle_frame_s_input_as_large_as_the_frames():
    low = torch.rand(2, 5, 3, 6, 4)
    hint = discriminators.enlarged(low, 2, 4)
    assert torch.equal(hint, F.interpolate(low[:, 3], scale_factor=4, mode="bilinear"))
    assert hint.shape == (2, 3, 24, 16)


def test_beside_their_own_version_frames_are_judged_alike_whatever_they_were_made_from(module):
    net, shown = seeing(module, own=4), frames()
    dark, bright = (torch.full((2, 3, 32, 32), grey) for grey in (0.2, 0.8))
    assert torch.equal(net(shown, dark)[0], net(shown, bright)[0])
    middle = discriminators.softened(shown[:, 1], 4)
    assert torch.equal(net(shown, dark)[0], seeing(module)(shown, middle)[0])


def test_made_smaller_it_does_not_see_what_single_pixels_do(module):
    """A checkerboard is gone from pictures of half the size, and the verdict on a flat surface with it."""
    flat, hint = torch.full((1, 3, 3, 64, 64), 0.5), torch.full((1, 3, 64, 64), 0.5)
    board = flat + 0.2 * ((-1.0) ** (torch.arange(64)[:, None] + torch.arange(64)))
    here, halved = ((net(board, hint)[0] - net(flat, hint)[0]).abs().amax() for net in (
        seeing(module), seeing(module, smaller=2),
    ))  # fmt: skip
    assert halved < 0.02 * here


def test_made_smaller_it_takes_any_sides_and_judges_whole_blocks(module):
    small = seeing(module, smaller=2)
    shown, hint = torch.rand(1, 3, 3, 71, 90), torch.rand(1, 3, 71, 90)
    halved = discriminators.reduced(torch.cat((shown[0], hint)), 2)[..., :32, :40]
    assert torch.equal(small(shown, hint)[0], seeing(module)(halved[None, :3], halved[3:])[0])


@pytest.mark.parametrize("view", [{"own": -1}, {"smaller": 0}, {"smaller": 5}])
def test_a_view_of_nothing_is_refused(module, view):
    with pytest.raises(ValueError, match="own is 0 or more, smaller 1 to 4"):
        module.Config(**view)


@pytest.mark.parametrize("times", [2, 3, 4])
def test_what_is_softened_keeps_its_size_and_its_means_and_loses_its_detail(times):
    picture = torch.rand(2, 3, 36, 48)
    soft = discriminators.softened(picture, times)
    assert soft.shape == picture.shape
    assert soft.std() < 0.6 * picture.std()
    flat = torch.full((1, 3, 32, 48), 0.3)
    torch.testing.assert_close(discriminators.softened(flat, times), flat)


def test_a_taller_picture_gets_taller_verdicts(fresh):
    logits, _ = fresh(torch.rand(1, 3, 3, 64, 32), torch.rand(1, 3, 64, 32))
    assert logits.shape[2] == 2 * logits.shape[3]


def test_it_shows_its_activations_for_feature_matching(fresh):
    shown, hint = frames(), torch.rand(2, 3, 32, 32)
    _, activations = fresh(shown, hint)
    assert len(activations) >= 2
    assert losses.feature_matching(activations, fresh(shown, hint)[1]) == 0
    assert losses.feature_matching(activations, fresh(1 - shown, hint)[1]) > 0


@pytest.mark.parametrize("place", [0, 1, 2])
def test_each_of_the_three_frames_counts(fresh, place):
    shown, hint = frames(), torch.rand(2, 3, 32, 32)
    changed = shown.clone()
    changed[:, place] = 1 - changed[:, place]
    assert (fresh(changed, hint)[0] - fresh(shown, hint)[0]).abs().mean() > 1e-3


def test_the_order_of_the_frames_counts(fresh):
    shown, hint = frames(), torch.rand(2, 3, 32, 32)
    assert (fresh(shown.flip(1), hint)[0] - fresh(shown, hint)[0]).abs().mean() > 1e-3


def test_the_enlarged_input_counts(fresh):
    shown, hint = frames(), torch.rand(2, 3, 32, 32)
    assert (fresh(shown, 1 - hint)[0] - fresh(shown, hint)[0]).abs().mean() > 1e-3


def test_clips_of_a_batch_do_not_see_each_other(fresh):
    shown, hint = frames(), torch.rand(2, 3, 32, 32)
    alone = fresh(shown[:1], hint[:1])[0]
    torch.testing.assert_close(fresh(shown, hint)[0][:1], alone, atol=1e-5, rtol=1e-5)


def test_every_weight_learns(fresh):
    hint = torch.rand(2, 3, 32, 32)
    fresh(frames(), hint)[0].square().mean().backward()
    idle = [name for name, weight in fresh.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert idle == []


def test_the_picture_feels_the_verdict(fresh):
    """Else a generator would learn nothing from it."""
    shown = frames().requires_grad_()
    fresh(shown, torch.rand(2, 3, 32, 32))[0].mean().backward()
    assert all(shown.grad[:, place].any() for place in range(3))


def test_half_precision_stays_close(fresh):
    shown, hint = frames(), torch.rand(2, 3, 32, 32)
    exact = fresh(shown, hint)[0]
    with torch.autocast("cpu", torch.bfloat16):
        close = fresh(shown, hint)[0].float()
    assert (close - exact).square().mean().sqrt() < 0.03 * exact.square().mean().sqrt() + 0.01


def test_it_learns_to_tell_a_sharp_clip_from_a_blurred_one(fresh):
    optimizer = torch.optim.Adam(fresh.parameters(), lr=2e-3, betas=(0.0, 0.99))
    hint = torch.full((1, 3, 32, 32), 0.5)
    fresh.train()
    for _ in range(15):
        real = frames(1)
        fake = F.avg_pool2d(real.flatten(0, 1), 3, 1, 1).unflatten(0, (1, 3))
        game = losses.relativistic(fresh(real, hint)[0], fresh(fake, hint)[0])
        optimizer.zero_grad()
        game.backward()
        optimizer.step()
    real = frames(1)
    fake = F.avg_pool2d(real.flatten(0, 1), 3, 1, 1).unflatten(0, (1, 3))
    assert (fresh(real, hint)[0] > fresh(fake, hint)[0]).float().mean() > 0.9


def test_its_state_goes_through_a_file(fresh, module):
    again = module.Discriminator(fresh.config).eval()
    again.load_state_dict(fresh.state_dict())
    shown, hint = frames(), torch.rand(2, 3, 32, 32)
    assert torch.equal(again(shown, hint)[0], fresh(shown, hint)[0])
