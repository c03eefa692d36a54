"""The losses, by values that are known by hand."""

import math

import pytest
import torch
from torch.nn import functional as F

from vidgan import losses
from vidgan.losses import motion


def noise(pictures: torch.Tensor, seed: int = 0) -> torch.Tensor:
    return torch.randn(pictures.shape, generator=torch.Generator().manual_seed(seed))


def test_l1_is_the_mean_distance():
    torch.testing.assert_close(
        losses.l1(torch.tensor([0.0, 0.5]), torch.tensor([0.25, 1.0])), torch.tensor(0.375)
    )


def test_charbonnier_is_l1_far_from_zero_and_epsilon_at_zero():
    x = torch.rand(2, 3, 3, 8, 8)
    torch.testing.assert_close(losses.charbonnier(x, x, epsilon=1e-3), torch.tensor(1e-3))
    torch.testing.assert_close(losses.charbonnier(x + 0.5, x), torch.tensor(0.5), atol=2e-6, rtol=0)


def test_charbonnier_has_a_gradient_of_zero_where_nothing_is_wrong():
    x = torch.rand(4, requires_grad=True)
    losses.charbonnier(x, x.detach()).backward()
    assert torch.equal(x.grad, torch.zeros(4))


@pytest.mark.parametrize("size", [2, 4])
def test_low_pass_l1_ignores_a_checkerboard(size):
    target = torch.rand(1, 2, 3, 16, 16)
    board = (torch.arange(16)[:, None] + torch.arange(16)) % 2 * 0.2 - 0.1
    torch.testing.assert_close(
        losses.low_pass_l1(target + board, target, size), torch.tensor(0.0), atol=1e-7, rtol=0
    )


def test_low_pass_l1_sees_a_shift_in_colour_whole():
    target = torch.rand(1, 2, 3, 16, 16)
    torch.testing.assert_close(losses.low_pass_l1(target + 0.1, target), torch.tensor(0.1))


def test_temporal_difference_ignores_a_constant_offset():
    target = torch.rand(1, 4, 3, 8, 8)
    offset = torch.rand(1, 1, 3, 8, 8)
    torch.testing.assert_close(
        losses.temporal_difference(target + offset, target), torch.tensor(0.0), atol=1e-6, rtol=0
    )


def test_temporal_difference_of_a_flicker_is_twice_its_height():
    still = torch.full((1, 5, 3, 4, 4), 0.5)
    flicker = still + 0.1 * torch.tensor([1.0, -1.0, 1.0, -1.0, 1.0]).view(1, 5, 1, 1, 1)
    torch.testing.assert_close(losses.temporal_difference(flicker, still), torch.tensor(0.2))


def test_relativistic_at_equal_logits_is_log_two():
    x = torch.randn(2, 1, 4, 4)
    torch.testing.assert_close(losses.relativistic(x, x), torch.tensor(math.log(2)))


def test_relativistic_is_won_and_lost_linearly():
    high, low = torch.full((3,), 30.0), torch.full((3,), -30.0)
    assert losses.relativistic(high, low) < 1e-6
    torch.testing.assert_close(losses.relativistic(low, high), torch.tensor(60.0))


def test_relativistic_looks_at_the_difference_alone():
    a, b = torch.randn(8), torch.randn(8)
    torch.testing.assert_close(losses.relativistic(a + 5, b + 5), losses.relativistic(a, b))


def test_relativistic_does_not_overflow_in_half_precision():
    a = torch.full((2,), 6e4, dtype=torch.float16)
    torch.testing.assert_close(losses.relativistic(-a, a), torch.tensor(2 * float(a[0])))


def test_smoothness_of_a_linear_judge_is_its_squared_slope():
    """E (w . n)^2 = |w|^2 for white noise n: 3^2 + 4^2 = 25."""
    slope = torch.tensor([3.0, 4.0])
    pictures = torch.rand(40_000, 2)
    found = losses.smoothness(
        lambda x: x @ slope, pictures, pictures @ slope, sigma=0.1, noise=noise(pictures)
    )
    torch.testing.assert_close(found, torch.tensor(25.0), rtol=0.03, atol=0)


@pytest.mark.parametrize("sigma", [0.01, 0.3])
def test_smoothness_of_a_linear_judge_does_not_depend_on_the_noise(sigma):
    slope, pictures = torch.tensor([3.0, 4.0]), torch.rand(1000, 2, dtype=torch.float64)
    slope = slope.double()
    found = losses.smoothness(
        lambda x: x @ slope, pictures, pictures @ slope, sigma=sigma, noise=noise(pictures)
    )
    again = losses.smoothness(
        lambda x: x @ slope, pictures, pictures @ slope, sigma=0.1, noise=noise(pictures)
    )
    torch.testing.assert_close(found, again, rtol=1e-3, atol=0)


def test_smoothness_of_a_constant_judge_is_zero():
    pictures = torch.rand(4, 3, 8, 8)
    assert (
        losses.smoothness(lambda x: torch.ones(4), pictures, torch.ones(4), sigma=0.1, noise=noise(pictures))
        == 0
    )


def test_smoothness_teaches_the_judge():
    weight = torch.tensor([2.0, 0.0], requires_grad=True)
    pictures = torch.rand(4000, 2)
    losses.smoothness(
        lambda x: x @ weight, pictures, pictures @ weight, sigma=0.1, noise=noise(pictures)
    ).backward()
    torch.testing.assert_close(weight.grad[0], torch.tensor(4.0), rtol=0.1, atol=0)  # d w^2 / dw = 2 w


def test_the_same_dice_give_the_same_smoothness():
    pictures = torch.rand(4, 3, 8, 8)

    def judge(x):
        return x.square().mean((1, 2, 3))

    first, again, other = (
        losses.smoothness(judge, pictures, judge(pictures), sigma=0.1, noise=noise(pictures, seed))
        for seed in (1, 1, 2)
    )
    assert first == again != other


def test_feature_matching_is_relative_to_the_real_size():
    real = [torch.rand(2, 4, 8, 8) + 0.1, 100 * torch.rand(2, 8, 4, 4) + 10]
    twice = [2 * layer for layer in real]
    torch.testing.assert_close(losses.feature_matching(twice, real), torch.tensor(1.0), rtol=1e-4, atol=0)


def test_feature_matching_of_a_batch_is_the_mean_of_its_samples():
    """Or a batch that is shared out would not cost what it costs whole."""
    fake, real = (
        torch.rand(3, 4, 5, 5),
        torch.rand(3, 4, 5, 5) * torch.tensor([1.0, 5.0, 30.0]).view(-1, 1, 1, 1),
    )
    each = [losses.feature_matching([one[None]], [two[None]]) for one, two in zip(fake, real, strict=True)]
    torch.testing.assert_close(losses.feature_matching([fake], [real]), torch.stack(each).mean())


def test_feature_matching_moves_the_made_one_alone():
    fake, real = (torch.rand(1, 2, 4, 4, requires_grad=True) for _ in range(2))
    losses.feature_matching([fake], [real]).backward()
    assert fake.grad.any() and real.grad is None


def test_feature_matching_needs_as_many_layers_of_both():
    with pytest.raises(ValueError, match="zip"):
        losses.feature_matching([torch.rand(1, 2)], [torch.rand(1, 2), torch.rand(1, 2)])


def test_perceptual_is_the_mean_over_the_batch():
    def network(output, target):
        return (output - target).abs().mean((1, 2, 3))

    output = torch.stack([torch.full((3, 4, 4), 0.2), torch.full((3, 4, 4), 0.4)])
    torch.testing.assert_close(losses.perceptual(network, output, torch.zeros(2, 3, 4, 4)), torch.tensor(0.3))


@pytest.mark.parametrize(
    "name", ["charbonnier", "focal_frequency", "l1", "low_pass_l1", "temporal_difference"]
)
def test_pixel_losses_pull_the_output_towards_the_target(name):
    target = F.interpolate(torch.rand(6, 3, 4, 4), scale_factor=4, mode="bilinear").unflatten(0, (2, 3))
    output = (target + 0.1 * torch.randn_like(target)).requires_grad_()
    loss = getattr(losses, name)(output, target)
    loss.backward()
    with torch.no_grad():
        better = getattr(losses, name)(output - output.grad * 0.1 / output.grad.abs().mean() * 0.1, target)
    assert better < loss


def test_the_list_of_losses_is_what_a_recipe_can_weigh():
    from vidgan.recipe import Losses

    weighed = set(Losses.model_fields)
    assert weighed - {"game"} <= set(losses.__all__)


def test_phase_l1_sees_a_grid_and_not_a_texture():
    target = torch.full((1, 2, 3, 32, 32), 0.5)
    grid = target.clone()
    grid[..., ::4, ::4] += 0.16  # one place of the sixteen
    torch.testing.assert_close(losses.phase_l1(grid, target), torch.tensor(0.01))
    texture = target + 0.16 * torch.tensor([1.0, -1.0]).repeat_interleave(4).repeat(4).view(1, 1, 1, 1, 32)
    torch.testing.assert_close(losses.phase_l1(texture, target), torch.tensor(0.0))


def test_there_and_back_turns_at_the_last_frame():
    clip = torch.arange(4.0).view(1, 4, 1, 1, 1)
    assert losses.there_and_back(clip).flatten().tolist() == [0, 1, 2, 3, 2, 1, 0]


def test_ping_pong_of_a_memoryless_generator_is_zero():
    clip = torch.rand(2, 4, 3, 8, 8)
    output = losses.there_and_back(clip).square()
    assert losses.ping_pong(output[:, :4], output[:, 3:]) == 0


def test_ping_pong_of_a_drift_is_its_mean_height():
    """Frame t is 0.1 t too bright on the way, counted in steps: off by 6, 4, 2 steps for t = 0, 1, 2."""
    drift = 0.1 * torch.arange(7.0).view(1, 7, 1, 1, 1)
    output = losses.there_and_back(torch.rand(1, 4, 3, 4, 4)) + drift
    torch.testing.assert_close(losses.ping_pong(output[:, :4], output[:, 3:]), torch.tensor(0.4))


def test_ping_pong_moves_both_ways_but_not_the_turning_point():
    there, back = (torch.rand(1, 3, 3, 4, 4, requires_grad=True) for _ in range(2))
    losses.ping_pong(there, back).backward()
    assert there.grad[:, :2].all() and back.grad[:, 1:].all()
    assert not there.grad[:, 2].any() and not back.grad[:, 0].any()


def wave(cycles: int, height: float) -> torch.Tensor:
    """(1, 2, 3, 16, 16): a cosine along the width."""
    return height * torch.cos(2 * math.pi * cycles * torch.arange(16) / 16).expand(1, 2, 3, 16, 16)


def test_focal_frequency_with_an_alpha_of_zero_is_the_mean_squared_error():
    output, target = torch.rand(2, 3, 3, 12, 10), torch.rand(2, 3, 3, 12, 10)
    found = losses.focal_frequency(output, target, alpha=0)
    torch.testing.assert_close(found, (output - target).square().mean())


@pytest.mark.parametrize("alpha", [0.5, 1.0, 2.0])
def test_focal_frequency_weighs_the_smaller_of_two_waves_down(alpha):
    """A cosine's mean square is half its height's: 0.4^2 / 2 whole, 0.1^2 / 2 by (0.1 / 0.4)^alpha."""
    target = torch.full((1, 2, 3, 16, 16), 0.5)
    found = losses.focal_frequency(target + wave(2, 0.4) + wave(5, 0.1), target, alpha)
    torch.testing.assert_close(found, torch.tensor(0.08 + 0.005 * 0.25**alpha), rtol=1e-4, atol=0)


def test_focal_frequency_of_equal_pictures_is_zero_with_a_gradient_of_zero():
    target = torch.rand(1, 2, 3, 8, 8)
    output = target.clone().requires_grad_()
    loss = losses.focal_frequency(output, target)
    loss.backward()
    assert loss == 0 and torch.equal(output.grad, torch.zeros_like(target))


def test_focal_frequency_of_half_precision_inside_autocast_is_taken_in_float32():
    output, target = torch.rand(1, 2, 3, 32, 32).bfloat16().requires_grad_(), torch.rand(1, 2, 3, 32, 32)
    with torch.autocast("cpu", torch.bfloat16):
        found = losses.focal_frequency(output, target)
    found.backward()
    assert found.dtype == torch.float32 and output.grad.isfinite().all() and output.grad.any()
    torch.testing.assert_close(found, losses.focal_frequency(output.float(), target))


def surface(side: int = 192, seed: int = 0) -> torch.Tensor:
    """A picture with detail of several sizes: (3, side, side) in [0, 1]."""
    rng = torch.Generator().manual_seed(seed)
    coarse, middle, fine = (
        F.interpolate(
            torch.rand(1, 3, side // n, side // n, generator=rng), size=(side, side), mode="bicubic"
        )
        for n in (32, 8, 3)
    )
    return (0.5 * coarse + 0.3 * middle + 0.2 * fine)[0].clamp(0, 1)


def panned(picture: torch.Tensor, step: tuple[int, int], frames: int = 4, side: int = 96) -> torch.Tensor:
    """(1, T, 3, side, side) of a camera that moves by `step` (x, y) pixels a frame."""
    x, y = (40 if move >= 0 else 40 - move * (frames - 1) for move in step)
    windows = ((x + step[0] * t, y + step[1] * t) for t in range(frames))
    return torch.stack([picture[:, top : top + side, left : left + side] for left, top in windows])[None]


@pytest.mark.parametrize("step", [(0, 0), (3, -2), (-7, 5)])
def test_the_motion_of_a_pan_is_found_to_the_pixel(step):
    clip = panned(surface(), step)
    now, before = clip[0, 1:], clip[0, :-1]
    found = motion.motion(now, before)[..., 12:-12, 12:-12]
    off = (found - torch.tensor(step).view(1, 2, 1, 1)).norm(dim=1)
    assert (off < 0.05).float().mean() > 0.95


def test_motion_by_parts_of_a_pixel_is_found_within_a_tenth():
    picture = surface()
    large = F.interpolate(
        picture[None], scale_factor=2, mode="bicubic"
    )  # half a pixel of the small one is one here
    clip = [F.avg_pool2d(large[..., 60 + t : 252 + t], 2)[..., 40:136, :] for t in (0, 1)]
    found = motion.motion(clip[1], clip[0])[0, :, 12:-12, 12:-12]
    assert (found[0] - 0.5).abs().median() < 0.1 and found[1].abs().median() < 0.05


def test_temporal_residual_lets_texture_travel_and_punishes_what_boils():
    clip, texture = panned(surface(), (4, 2)), panned(surface(seed=1) * 0.1, (4, 2))
    boiling = torch.rand(clip.shape, generator=torch.Generator().manual_seed(2)) * 0.1
    travelling = losses.temporal_residual(clip + texture, clip)
    assert travelling < 0.1 * losses.temporal_difference(clip + texture, clip)
    # Less than all of it: what comes in at the edges counts less, and between pixels noise is averaged.
    assert losses.temporal_residual(clip + boiling, clip) > 0.5 * losses.temporal_difference(
        clip + boiling, clip
    )


def test_temporal_residual_of_a_flicker_is_its_whole_height_where_nothing_moves():
    clip = panned(surface(), (0, 0), frames=2)
    flicker = torch.tensor([0.0, 0.1]).view(1, 2, 1, 1, 1)
    torch.testing.assert_close(
        losses.temporal_residual(clip + flicker, clip), torch.tensor(0.1), atol=1e-4, rtol=0
    )


def test_temporal_residual_trusts_no_motion_across_a_cut():
    cut = torch.stack([surface(seed=3)[:, :96, :96], surface(seed=4)[:, :96, :96]])[None]
    flicker = torch.tensor([0.0, 0.1]).view(1, 2, 1, 1, 1)
    assert losses.temporal_residual(cut + flicker, cut) < 0.03


def test_gradient_difference_is_the_height_that_steps_lack():
    """A step of 0.4 between two columns of four, made half as high: each row lacks 0.2 of three steps across."""
    target = torch.tensor([0.0, 0.0, 0.4, 0.4]).repeat(4, 1)
    torch.testing.assert_close(losses.gradient_difference(target / 2, target), torch.tensor(0.2 / 3))
    torch.testing.assert_close(losses.gradient_difference(target.T / 2, target.T), torch.tensor(0.2 / 3))


def test_gradient_difference_ignores_an_offset_and_a_step_s_direction():
    target = torch.rand(2, 3, 3, 8, 8)
    torch.testing.assert_close(
        losses.gradient_difference(target + 0.2, target), torch.tensor(0.0), atol=1e-6, rtol=0
    )
    torch.testing.assert_close(
        losses.gradient_difference(1 - target, target), torch.tensor(0.0), atol=1e-6, rtol=0
    )


@pytest.mark.parametrize("lag", [0.25, 0.5, 1.0])
def test_motion_difference_is_how_far_things_went_astray(lag):
    """Waves of 32 pixels each way: one that should have gone a pixel further on is that much behind."""
    y, x = torch.meshgrid(*[torch.arange(96, dtype=torch.float32)] * 2, indexing="ij")

    def waves(shift: float) -> torch.Tensor:
        return 0.5 + 0.2 * torch.sin((x - shift) * math.pi / 16) + 0.2 * torch.sin(y * math.pi / 16)

    target = torch.stack([waves(0), waves(1)])[None, :, None]
    output = torch.stack([waves(0), waves(1 - lag)])[None, :, None]
    found = losses.motion_difference(output, target)
    torch.testing.assert_close(
        found, torch.tensor(lag / 2), rtol=0.1, atol=0
    )  # of across and down, down is right
    assert losses.motion_difference(target, target) == 0


def test_motion_difference_leads_back_to_where_things_should_be():
    clip = panned(surface(), (1, 0), frames=2)
    output = clip.clone()
    output[:, 1] = clip[:, 0]
    output.requires_grad_()
    losses.motion_difference(output, clip).backward()
    assert output.grad[:, 1].abs().sum() > 0 and output.grad.isfinite().all()
