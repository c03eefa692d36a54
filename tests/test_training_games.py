"""Every game, penalty, schedule and start that a recipe can name is played as it says."""

import json

import pytest
import torch

from test_training import FAITHFUL, folder, pack, play, recipe, stage
from test_training_step import at_realistic, batch, drawn, table
from vidgan import checkpoint
from vidgan.errors import BadRecipe, BadWeights
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


def test_a_start_from_a_model_takes_its_generator(folder):
    play(recipe(), folder)
    run = running.create(recipe(seed=7, start=str(folder / "checkpoints" / "last.safetensors")))
    kept = running.create(recipe(start=str(folder / "checkpoints" / "last.safetensors")))
    for name, weight in run.generator.named_parameters():
        assert torch.equal(weight, kept.generator.get_parameter(name))
        assert torch.equal(weight, run.ema.get_parameter(name))


def test_a_partial_start_takes_what_fits(folder, tmp_path):
    """As from x4 to x2 over squares of pixels: the first layer sees other channels, the rest is the same."""
    play(recipe(), folder)
    start = str(folder / "checkpoints" / "last.safetensors")
    other = recipe().generator.model_copy(
        update={"config": recipe().generator.config | {"scale": 2, "fold": 2}}
    )
    with pytest.raises(BadRecipe, match="holds other networks"):
        running.create(recipe(generator=other, start=start))
    run = running.create(recipe(generator=other, start=start, partly=True))
    fresh, kept = running.create(recipe(generator=other)), running.create(recipe(start=start))
    for name, weight in run.generator.named_parameters():
        source = fresh if name == "head.weight" else kept
        assert torch.equal(weight, source.generator.get_parameter(name)), name
    layers = len({name.rpartition(".")[0] for name in run.generator.state_dict()})
    count = f"{layers - 1} of {layers} layers of the generator"
    assert run.taken == f"taken from {start}: {count}; the others begin from nothing"
    said = []
    pack(tmp_path / "next")
    play(recipe(generator=other, start=start, partly=True), tmp_path / "next", said=said)
    assert run.taken in said


def test_a_partial_start_of_which_nothing_fits_is_refused(folder):
    play(recipe(), folder)
    wider = Network(name="recurrent", config={"features": 32, "blocks": 1})
    start = str(folder / "checkpoints" / "last.safetensors")
    with pytest.raises(BadRecipe, match="no layer of the generator"):
        running.create(recipe(generator=wider, start=start, partly=True))


def test_a_start_of_a_version_whose_recipe_had_other_entries_is_refused_in_a_line(folder, tmp_path):
    trained = play(recipe(), folder)
    tensors, header = checkpoint.load_tensors(folder / "checkpoints" / "state.safetensors")
    told = json.loads(header["recipe"]) | {"speed": 3}
    checkpoint.save_tensors(tensors, header | {"recipe": json.dumps(told)}, tmp_path / "old.safetensors")
    with pytest.raises(BadWeights, match="another version") as caught:
        running.networks_of(str(tmp_path / "old.safetensors"))
    assert len(str(caught.value).splitlines()) == 2 and trained.step == 8


def test_a_start_from_another_runs_state_takes_both_networks(folder):
    trained = play(recipe(), folder)
    run = running.create(recipe(seed=7, start=str(folder / "checkpoints" / "state.safetensors")))
    assert run.step == 0
    for name, weight in trained.discriminator.named_parameters():
        assert torch.equal(weight, run.discriminator.get_parameter(name))
    for name, weight in trained.ema.named_parameters():
        assert torch.equal(weight, run.generator.get_parameter(name))


def test_the_networks_of_a_start_are_read_off_it(folder):
    play(recipe(), folder)
    both = running.networks_of(str(folder / "checkpoints" / "state.safetensors"))
    assert both == {"generator": recipe().generator, "discriminator": recipe().discriminator}
    alone = running.networks_of(str(folder / "checkpoints" / "last.safetensors"))
    assert alone.keys() == {"generator"} and alone["generator"].config["features"] == 16


def test_a_start_that_cannot_be_is_refused(folder):
    play(recipe(), folder)
    wider = Network(name="recurrent", config={"features": 32, "blocks": 1})
    with pytest.raises(BadRecipe, match="other networks"):
        running.create(recipe(generator=wider, start=str(folder / "checkpoints" / "state.safetensors")))
    with pytest.raises(BadRecipe, match="other networks"):
        running.create(recipe(generator=wider, start=str(folder / "checkpoints" / "last.safetensors")))
    with pytest.raises(BadWeights):
        running.create(recipe(start="nothing"))


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
