"""Every game, penalty, schedule and start that a recipe can name is played as it says."""

import pytest
import torch

from test_training import FAITHFUL, REALISTIC, folder, pack, play, recipe, stage, weights_of
from test_training_step import at_realistic, batch, drawn, table
from vidgan import discriminators
from vidgan.errors import BadRecipe
from vidgan.recipe import Game, Losses, Network
from vidgan.training import descent, game
from vidgan.training import run as running

__all__ = ["folder"]  # a fixture


@pytest.mark.parametrize("kind", ["relativistic", "hinge", "vanilla", "least_squares"])
@pytest.mark.parametrize("penalty_kind", ["differences", "exact"])
def test_both_networks_learn_in_every_game(kind, penalty_kind):
    run = at_realistic(game=Game(kind=kind, penalty_kind=penalty_kind, ramp=0))
    before = [
        {name: weight.clone() for name, weight in network.named_parameters()}
        for network in (run.generator, run.discriminator)
    ]
    numbers = game.realistic_step(run, *batch(), table())
    assert all(torch.isfinite(number) for number in numbers.values())
    for network, old in zip((run.generator, run.discriminator), before, strict=True):
        moved = [name for name, weight in network.named_parameters() if not torch.equal(weight, old[name])]
        assert len(moved) >= len(old) - 1  # the bias of a relativistic verdict has no say


def test_the_way_back_costs_nothing_where_it_agrees_and_something_where_it_does_not():
    run = at_realistic(realistic=stage(Losses(charbonnier=1.0, ping_pong=1.0), roll_in=0.0))
    with torch.no_grad():
        low = batch()[0]
        output, terms = game.made(run, low, drawn(run), table())
        assert output.shape[1] == low.shape[1] and terms["ping_pong"] > 0
        for weight in run.generator.parameters():
            weight.zero_()
        assert game.made(run, low, drawn(run), table())[1]["ping_pong"] == 0


def test_a_rate_falls_in_four_stairs_of_one_ratio():
    stairs = stage(FAITHFUL, steps=8, schedule="step", lr=8e-3, lr_end=1e-3)
    run = running.create(recipe(faithful=stairs))
    rates = []
    for step in range(8):
        run.step = step
        rates.append(descent.learning_rate(run))
    assert rates == pytest.approx([8e-3, 8e-3, 4e-3, 4e-3, 2e-3, 2e-3, 1e-3, 1e-3])


def test_the_u_net_plays_and_goes_on_exactly_after_a_kill(folder, tmp_path):
    made = recipe(
        discriminator=Network(name="unet", config={"features": 8}),
        game=Game(kind="hinge", penalty=0.0, ramp=2),
    )

    class Killed(Exception):
        pass

    def kill(done, total, note):
        if done == 6:
            raise Killed

    with pytest.raises(Killed):
        play(made, folder, tick=kill)
    resumed = play(made, folder)
    pack(tmp_path / "whole")
    whole = play(made, tmp_path / "whole")
    for name, value in whole.discriminator.state_dict().items():
        assert torch.equal(value, resumed.discriminator.state_dict()[name]), name


def test_the_game_climbs_its_ramp_and_fades():
    told = Game(ramp=100, fade=0.25)
    shares = [game.course(told, step, 500) for step in (0, 50, 100, 300, 500)]
    assert shares == pytest.approx([0, 0.5, 1, 0.625, 0.25])
    assert game.course(Game(ramp=0), 0, 10) == game.course(Game(ramp=0), 9, 10) == 1


def test_how_often_is_validated_changes_nothing_of_the_training(folder):
    """Spectral normalisation moves with every forward pass of a network in training."""
    unet = Network(name="unet", config={"features": 8})
    runs = []
    for every in (2, 100):
        place = folder.with_name(f"every {every}")
        pack(place)
        runs.append(play(recipe(discriminator=unet, validate_every=every), place))
    for name, weight in weights_of(runs[0]).items():
        assert torch.equal(weight, weights_of(runs[1])[name]), name


def test_a_discriminator_that_shrinks_a_picture_to_nothing_is_refused():
    told = Network(name="triplet", config={"features": 8, "own": 200})
    with pytest.raises(BadRecipe, match=r"own is 200, and a crop of 64"):
        running.create(recipe(discriminator=told, realistic=stage(REALISTIC, crop=64)))
    assert discriminators.softened(torch.rand(1, 3, 48, 48), 200).shape == (1, 3, 48, 48)


def test_a_part_of_the_discriminator_that_somebody_froze_stays_as_it_is():
    run = at_realistic()
    first = next(run.discriminator.parameters()).requires_grad_(False)
    before = [weight.clone() for weight in run.discriminator.parameters()]
    for _ in range(3):
        game.realistic_step(run, *batch(), table())
    assert not first.requires_grad and torch.equal(first, before[0])
    assert any(not torch.equal(*pair) for pair in zip(run.discriminator.parameters(), before, strict=True))
