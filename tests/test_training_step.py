"""One step: what it moves, by how much, and that shares, pieces and warps change nothing that they should not."""

import pytest
import torch
from torch import nn

from test_training import FAITHFUL, REALISTIC, recipe, stage, weights_of
from vidgan import losses
from vidgan.recipe import Augment, Game, Losses, Network
from vidgan.training import descent, game, loop
from vidgan.training import run as running


def table(half: bool = False) -> game.Table:
    return game.Table(precision=torch.bfloat16 if half else torch.float32)


def drawn(run: running.Run, frames: int = 4) -> game.Draw:
    return game.drawn(run, frames, 32)


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    return torch.rand(1, 4, 3, 8, 8), torch.rand(1, 4, 3, 32, 32)


def at_realistic(**changes) -> running.Run:
    run = running.create(recipe(**changes))
    run.step = run.recipe.faithful.steps + 1
    running.begin_realistic(run)
    return run


@pytest.mark.parametrize("half", [False, True])
def test_a_faithful_step_moves_every_weight_of_the_generator_alone(half):
    """Also where the memory was rolled in: its pass without gradients must not be the only one."""
    run = running.create(recipe(faithful=stage(FAITHFUL, roll_in=1.0)))
    before = {name: value.clone() for name, value in weights_of(run).items()}
    game.faithful_step(run, *batch(), table(half))
    moved = {name for name, value in weights_of(run).items() if not torch.equal(value, before[name])}
    assert moved == {name for name in before if not name.startswith("discriminator")}


@pytest.mark.parametrize("half", [False, True])
def test_a_realistic_step_moves_every_weight_of_both(half):
    run = at_realistic()
    before = {name: value.clone() for name, value in weights_of(run).items()}
    numbers = game.realistic_step(run, *batch(), table(half))
    moved = {name for name, value in weights_of(run).items() if not torch.equal(value, before[name])}
    # A bias under every logit alike makes no difference to a game of differences.
    assert moved >= set(before) - {"discriminator.verdict.bias"}
    assert numbers["resting"] == 0 and numbers["penalty"] > 0
    assert all(not number.requires_grad for number in numbers.values())
    assert all(weight.requires_grad for weight in run.discriminator.parameters())


def test_the_discriminator_rests_while_it_wins():
    run = at_realistic()
    run.accuracy = 0.97
    before = {name: value.clone() for name, value in weights_of(run).items()}
    numbers = game.realistic_step(run, *batch(), table())
    moved = {name for name, value in weights_of(run).items() if not torch.equal(value, before[name])}
    assert moved == {name for name in before if not name.startswith("discriminator")}
    assert numbers["resting"] == 1 and "penalty" not in numbers


@pytest.mark.parametrize("other", ["spoilt", "averaged"])
def test_the_discriminator_learns_from_other_made_pictures_where_the_recipe_weighs_them(other):
    """By their own loss alone: the generator's turn, and a discriminator that rests, do not see them."""
    torch.manual_seed(0)
    low, high = batch()
    steps = []
    for weight in (0.0, 0.5):
        run = at_realistic(game=Game(rest_above=1.0, **{other: weight}))
        run.generator_optimizer = torch.optim.SGD(run.generator.parameters(), lr=0.0)
        run.discriminator_optimizer = torch.optim.SGD(run.discriminator.parameters(), lr=1.0)
        before = weights_of(run)["discriminator.verdict.weight"].clone()
        numbers = game.realistic_step(run, low, high, table())
        assert (other in numbers) == (weight > 0)
        steps.append(weights_of(run)["discriminator.verdict.weight"] - before)
        run.accuracy = 2.0
        assert other not in game.realistic_step(run, low, high, table())
    assert not torch.allclose(*steps)


def test_the_averaged_pictures_are_those_of_the_averaged_network():
    run = at_realistic(game=Game(averaged=0.5))
    with torch.no_grad():
        for weight in run.ema.parameters():
            weight.add_(0.05)
    (piece,) = game.pieces(run, *batch(), table())
    draw = drawn(run)
    output = run.generator(piece.low)
    ((name, weight, pictures),) = game.others(run, output, piece, draw, table())
    expected = run.ema(piece.low, game.rolled_in(run.ema, piece.low, draw.history))
    assert (name, weight) == ("averaged", 0.5)
    torch.testing.assert_close(pictures, draw.seen(expected[:, draw.first : draw.first + 3]))


def test_the_discriminator_learns_to_tell_real_from_made():
    run = at_realistic(game=Game(lr=1e-3, rest_above=1.0), realistic=stage(REALISTIC, steps=100))
    low, high = torch.rand(2, 3, 3, 8, 8), torch.rand(2, 3, 3, 32, 32)
    (piece,) = game.pieces(run, low, high, table())
    made = torch.full_like(high, 0.5), {}
    seen = [game.discriminator_turn(run, [piece], made, drawn(run, 3), table()) for _ in range(25)]
    assert seen[-1]["discriminator"] < seen[0]["discriminator"]
    assert seen[-1]["accuracy"] > 0.9


def down(loss: torch.Tensor, optimizer: torch.optim.Optimizer, lr: float) -> float:
    loss.backward()
    return float(descent.descend(optimizer, running.no_scalers()["generator"], lr))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_moves_nothing(value):
    layer = nn.Linear(2, 2)
    optimizer = torch.optim.Adam(layer.parameters(), lr=1.0)
    before = layer.weight.clone()
    down(layer(torch.full((1, 2), value)).sum(), optimizer, 1.0)
    assert torch.equal(layer.weight, before)


def test_a_gradient_that_is_not_finite_moves_nothing():
    """The root of nothing is nothing, but its slope is not."""
    layer = nn.Linear(2, 2)
    optimizer = torch.optim.Adam(layer.parameters(), lr=1.0)
    before = layer.weight.clone()
    loss = (layer(torch.ones(1, 2)) * 0).sqrt().sum()
    assert torch.isfinite(loss)
    down(loss, optimizer, 1.0)
    assert torch.equal(layer.weight, before)


def test_a_scaled_loss_that_overflows_moves_nothing_lowers_the_scale_and_is_no_trouble():
    layer = nn.Linear(2, 2)
    optimizer = torch.optim.SGD(layer.parameters(), lr=1.0)
    scaler = torch.amp.GradScaler("cpu", init_scale=1e38)
    before = layer.weight.clone()
    scaler.scale(100 * layer(torch.ones(1, 2)).sum()).backward()
    assert float(descent.descend(optimizer, scaler, 1.0)) == 0
    assert torch.equal(layer.weight, before) and scaler.get_scale() < 1e38
    small = torch.amp.GradScaler("cpu", init_scale=1024.0)
    small.scale(layer(torch.ones(1, 2)).sum()).backward()
    assert float(descent.descend(optimizer, small, 1.0)) == pytest.approx(6**0.5)
    assert not torch.equal(layer.weight, before)


def test_a_step_down_is_no_longer_than_its_rate():
    layer = nn.Linear(2, 2)
    optimizer = torch.optim.SGD(layer.parameters(), lr=99.0)
    before = layer.weight.clone()
    length = down(1e6 * layer(torch.ones(1, 2)).sum(), optimizer, 0.1)
    assert 0 < (layer.weight - before).norm() <= 0.1 + 1e-6  # the gradient is clipped to a length of 1
    assert length == pytest.approx(1e6 * 6**0.5)  # two outputs, each with two weights and a bias


def test_a_broken_step_is_left_out_of_the_means_and_counted():
    means = loop.Means()
    for value in (1.0, float("nan"), 3.0):
        means.add({"charbonnier": value, "game": 1.0})
    assert means.taken() == {"charbonnier": 2.0, "game": 1.0, "skipped": 1}


def test_the_rate_falls_as_a_cosine_in_each_stage():
    run = running.create(recipe())
    rates = []
    for run.step in range(8):
        rates.append(descent.learning_rate(run))
    assert rates[0] == rates[4] == 1e-3
    assert rates[2] == rates[6] == pytest.approx((1e-3 + 1e-4) / 2)
    run.step = 8
    assert descent.learning_rate(run) == pytest.approx(1e-4)


def test_the_game_s_weight_grows_from_nothing():
    run = running.create(recipe(game=Game(ramp=4)))
    terms = {"charbonnier": torch.tensor(1.0), "game": torch.tensor(1.0)}
    for step, weight in ((4, 0.0), (5, 0.0125), (8, 0.05), (9, 0.05)):
        run.step = step
        assert float(game.weighted(run, terms)) == pytest.approx(1.0 + weight)


def test_the_average_follows_the_weights_fast_at_first():
    run = running.create(recipe(ema=0.999))
    with torch.no_grad():
        for weight in run.generator.parameters():
            weight.fill_(1.0)
        for average in run.ema.parameters():
            average.fill_(0.0)
    descent.update_average(run)
    assert all(torch.allclose(average, torch.tensor(0.9)) for average in run.ema.parameters())  # decay 1 / 10
    run.step = 1_000_000
    descent.update_average(run)
    assert all(torch.allclose(average, torch.tensor(0.9001)) for average in run.ema.parameters())


def test_the_average_has_the_buffers_of_now():
    run = running.create(recipe(ema=0.999))
    for network in (run.generator, run.ema):
        network.register_buffer("mean", torch.zeros(2))
    run.generator.mean += 3
    descent.update_average(run)
    assert run.ema.mean.tolist() == [3, 3]


def test_lpips_takes_part_where_it_is_weighed():
    class Distance(nn.Module):
        def forward(self, output, target):
            return (output - target).square().mean((1, 2, 3))

    heavy = REALISTIC.model_copy(update={"perceptual": 1.0})
    run = at_realistic(realistic=stage(heavy))
    setup = game.Table(perceptual=Distance())
    assert game.realistic_step(run, *batch(), setup)["perceptual"] > 0
    assert "perceptual" not in game.realistic_step(at_realistic(), *batch(), table())


def test_every_loss_of_the_recipe_is_played():
    """A weight that nothing reads would be a promise not kept."""
    weighed = {name: 1.0 for name in Losses.model_fields if name != "perceptual"}
    numbers = game.realistic_step(at_realistic(realistic=stage(Losses(**weighed))), *batch(), table())
    assert weighed.keys() <= numbers.keys()
    assert set(Losses.model_fields) - {"game"} <= set(losses.__all__)


@pytest.mark.parametrize("scale", [1, 2, 3, 4, 8])
def test_a_grid_of_enlarged_pixels_is_seen_at_every_scale(scale):
    network = Network(name="recurrent", config={"features": 8, "blocks": 1, "scale": scale})
    told = stage(Losses(phase_l1=1.0), crop=96)
    run = running.create(recipe(generator=network, faithful=told, realistic=told))
    flat = torch.full((1, 3, 3, 96, 96), 0.5)
    grid = torch.zeros_like(flat)
    grid[..., :: max(scale, 2), :: max(scale, 2)] = 0.1
    grid -= grid.mean()
    found = game.pixel_terms(run, flat + grid, flat)["phase_l1"]
    torch.testing.assert_close(found, grid.abs().mean(), rtol=1e-3, atol=0)


# -- pieces and warps -------------------------------------------------------------------------------


@pytest.mark.parametrize("realistic", [False, True])
def test_a_batch_in_pieces_takes_the_same_step(realistic):
    low, high = torch.rand(4, 4, 3, 8, 8), torch.rand(4, 4, 3, 32, 32)
    found = []
    for pieces in (1, 2, 3):
        sized = stage(Losses(**{name: 1.0 for name in Losses.model_fields if name != "perceptual"}), batch=4,
                      accumulate=pieces)  # fmt: skip
        run = at_realistic(realistic=sized, game=Game(rest_above=1.0, spoilt=0.5, averaged=0.5))
        if not realistic:
            run.step = 1
            quiet = sized.losses.model_copy(update={"game": 0.0, "feature_matching": 0.0})
            faithful = sized.model_copy(update={"losses": quiet})
            run.recipe = run.recipe.model_copy(update={"faithful": faithful})
        # Adam's first step is as long for a gradient of 1e-9 as for one of 1: it would compare roundings.
        run.generator_optimizer = torch.optim.SGD(run.generator.parameters(), lr=1.0)
        run.discriminator_optimizer = torch.optim.SGD(run.discriminator.parameters(), lr=1.0)
        play = game.realistic_step if realistic else game.faithful_step
        numbers = play(run, low, high, table())
        found.append((weights_of(run), numbers))
    (whole, numbers), *others = found
    for weights, theirs in others:
        for name, weight in whole.items():
            torch.testing.assert_close(weights[name], weight, atol=2e-6, rtol=1e-4, msg=name)
        for name, number in numbers.items():
            torch.testing.assert_close(theirs[name], number, atol=1e-5, rtol=1e-4, msg=name)


def test_the_discriminator_judges_warped_frames_as_often_as_the_recipe_says():
    run = at_realistic(augment=Augment(warped=0.25))
    maps = []
    for run.step in range(5, 405):
        maps.append(drawn(run).map)
    assert 0.18 < sum(map is not None for map in maps) / len(maps) < 0.32
    run.step = 1
    assert all(drawn(run).map is None for run.step in range(4)), "the faithful stage has no judge"


def test_a_warped_window_shows_nothing_outside_and_every_discriminator_takes_it():
    white = torch.ones(1, 1, 112, 112)
    angles, scales = set(), []
    for seed in range(200):
        turn, size, mirror = torch.rand(3, generator=torch.Generator().manual_seed(seed)).tolist()
        map = game.drawn_map(112, turn=360 * turn, size=size, mirror=mirror < 0.5)
        seen = map.render(white, factor=1)
        assert seen.shape[-1] == seen.shape[-2] and seen.shape[-1] % 16 == 0 and 32 <= seen.shape[-1] <= 112
        torch.testing.assert_close(seen, torch.ones_like(seen), atol=1e-3, rtol=0)
        (a, b, _), _ = map.matrix
        scales.append((a * a + b * b) ** 0.5)
        angles.add(round(turn * 12))
    assert len(angles) == 13 and min(scales) < 0.6 and max(scales) > 1.3


@pytest.mark.parametrize("name", ["triplet", "unet"])
def test_a_warped_step_moves_both_networks(name):
    run = at_realistic(
        augment=Augment(warped=1.0),
        discriminator=Network(name=name, config={"features": 8}),
        game=Game(ramp=0),
    )
    before = {key: value.clone() for key, value in weights_of(run).items()}
    numbers = game.realistic_step(run, torch.rand(1, 4, 3, 16, 16), torch.rand(1, 4, 3, 64, 64), table())
    assert all(torch.isfinite(number) for number in numbers.values())
    moved = {key for key, value in weights_of(run).items() if not torch.equal(value, before[key])}
    assert any(key.startswith("generator.") for key in moved) and any(
        key.startswith("discr") for key in moved
    )


def test_half_precision_does_not_give_away_which_pictures_are_spoilt(monkeypatch):
    """A spoilt picture that is no other than the real one is shown as that is: warped in float32, not in bfloat16."""
    run = at_realistic(augment=Augment(warped=1.0), game=Game(spoilt=0.5, penalty=0.0, rest_above=1.0))
    monkeypatch.setattr(game.spoiling, "spoilt", lambda made, real, *_, **__: real)
    shown = []
    run.discriminator.register_forward_pre_hook(lambda _, inputs: shown.append(inputs[0]))
    low, high = torch.rand(1, 4, 3, 16, 16), torch.rand(1, 4, 3, 64, 64)
    (piece,) = game.pieces(run, low, high, table(half=True))
    game.verdict(run, torch.rand_like(high), piece, game.drawn(run, 4, 64), table(half=True))
    real, _, spoilt = shown
    assert torch.equal(spoilt, real)
