"""What a training begins with: another network's weights, whole, partly, or grown."""

import json
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from test_training import REALISTIC, folder, pack, play, recipe, stage
from vidgan import checkpoint, runs
from vidgan.errors import BadRecipe, BadWeights
from vidgan.generators import recurrent
from vidgan.recipe import Network
from vidgan.training import run as running

__all__ = ["folder"]  # a fixture

SMALL = recurrent.Config(features=8, blocks=2)


def trained_like(config: recurrent.Config) -> recurrent.Generator:
    """A generator whose every weight counts, as after a training."""
    network = recurrent.Generator(config)
    with torch.no_grad():
        for weight in network.parameters():
            weight.normal_(std=0.1)
    return network


def detail(network: recurrent.Generator, low_BTCHW: torch.Tensor) -> torch.Tensor:
    """What it adds to the enlargement."""
    plain = [
        F.pixel_shuffle(recurrent.enlarge(frame, network.kernels), network.scale)
        for frame in low_BTCHW.unbind(1)
    ]
    return network(low_BTCHW) - torch.stack(plain, 1)


def test_it_grows_onto_squares_and_wider_at_once():
    small = trained_like(SMALL)
    clip = torch.rand(1, 3, 3, 6, 7)
    squares = clip.repeat_interleave(2, 3).repeat_interleave(2, 4)
    grown = trained_like(recurrent.Config(features=16, blocks=3, scale=2, fold=2))
    recurrent.grow(small.state_dict(), SMALL, grown)
    torch.testing.assert_close(detail(grown, squares), detail(small, clip), rtol=0, atol=1e-5)


@pytest.mark.parametrize("larger", [{"features": 12}, {"blocks": 3}, {"features": 16, "blocks": 5}])
def test_a_grown_network_begins_as_the_smaller_one(larger):
    small = trained_like(SMALL)
    grown = trained_like(recurrent.Config(**{"features": 8, "blocks": 2} | larger))
    recurrent.grow(small.state_dict(), SMALL, grown)
    clip = torch.rand(1, 3, 3, 9, 10)
    torch.testing.assert_close(grown(clip), small(clip), rtol=0, atol=1e-5)


def test_what_is_new_in_a_grown_network_learns():
    """From the end backwards: what nobody hears yet has no slope in the first step."""
    grown = recurrent.Generator(recurrent.Config(features=12, blocks=3))
    recurrent.grow(trained_like(SMALL).state_dict(), SMALL, grown)
    began = {name: weight.clone() for name, weight in grown.state_dict().items()}
    optimizer = torch.optim.SGD(grown.parameters(), lr=0.01)
    for _ in range(4):
        optimizer.zero_grad()
        grown(torch.rand(1, 3, 3, 8, 8)).square().mean().backward()
        optimizer.step()
    for name, weight in grown.named_parameters():
        moved = (weight != began[name]).float().mean()
        assert moved > 0.9, f"{name}: {moved:.0%} of the weights have moved"


def test_a_network_grown_onto_squares_adds_what_the_smaller_adds_to_their_means():
    small = trained_like(SMALL)
    grown = recurrent.Generator(recurrent.Config(features=8, blocks=2, scale=2, fold=2))
    recurrent.grow(small.state_dict(), SMALL, grown)
    clip = torch.rand(1, 3, 3, 6, 7)
    squares = clip.repeat_interleave(2, 3).repeat_interleave(2, 4)
    torch.testing.assert_close(detail(grown, squares), detail(small, clip), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "other", [{"features": 6}, {"blocks": 1}, {"scale": 2}, {"scale": 2, "fold": 4}, {"scale": 8, "fold": 2}]
)
def test_nothing_grows_into_a_network_with_less_of_something_or_another_scale(other):
    with pytest.raises(ValueError, match="do not"):
        recurrent.grow(
            recurrent.Generator(SMALL).state_dict(),
            SMALL,
            recurrent.Generator(recurrent.Config(**{"features": 8, "blocks": 2} | other)),
        )


def test_a_recipe_grows_its_generator_and_takes_a_discriminator_that_fits(folder):
    trained = play(recipe(), folder)
    wider = Network(name="recurrent", config={"features": 32, "blocks": 2})
    clip = torch.rand(1, 3, 3, 8, 8)
    for name in ("last", "state"):
        start = str(folder / "checkpoints" / f"{name}.safetensors")
        run = running.create(recipe(generator=wider, start=start, grown=True))
        assert run.generator.config.features == 32
        with torch.no_grad():  # a model file has half precision
            torch.testing.assert_close(run.generator(clip), trained.ema(clip), rtol=0, atol=1e-3)
            torch.testing.assert_close(run.ema(clip), run.generator(clip), rtol=0, atol=0)
    assert torch.equal(run.discriminator.verdict.weight, trained.discriminator.verdict.weight)
    assert run.taken == f"grown from {start}; 5 of 5 layers of the discriminator were taken"


def test_an_aligned_network_grows_out_of_a_recurrent_one_and_learns(folder):
    trained = play(recipe(), folder)
    start = str(folder / "checkpoints" / "state.safetensors")
    moved = Network(name="aligned", config=recipe().generator.config)
    run = running.create(recipe(generator=moved, start=start, grown=True))
    frame = torch.rand(1, 1, 3, 8, 8)
    with torch.no_grad():
        torch.testing.assert_close(run.generator(frame), trained.ema(frame), rtol=0, atol=1e-5)
    new = run.generator.head.weight[:, 6:22]
    assert not new.any()
    run.generator(torch.rand(1, 3, 3, 8, 8)).square().mean().backward()
    assert run.generator.head.weight.grad[:, 6:22].any()


def test_growing_that_cannot_be_is_refused(folder):
    play(recipe(), folder)
    start = str(folder / "checkpoints" / "last.safetensors")
    for network in (
        Network(name="recurrent", config={"features": 8, "blocks": 1}),
        Network(name="compact", config={}),
    ):
        # Both together are refused, below.
        with pytest.raises(BadRecipe, match=r"(?s)grows from.*partly in place of grown") as caught:
            running.create(recipe(generator=network, start=start, grown=True))
        assert len(str(caught.value).splitlines()) == 2
    with pytest.raises(ValueError, match="two ways"):
        recipe(start=start, grown=True, partly=True)
    with pytest.raises(ValueError, match="a start to grow from"):
        recipe(grown=True)


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


def test_a_state_that_asks_for_networks_larger_than_itself_is_refused(folder, tmp_path):
    play(recipe(), folder)
    tensors, header = checkpoint.load_tensors(runs.state_of(folder))
    for player in ("generator", "discriminator"):
        told = json.loads(header["recipe"])
        told[player]["config"]["features"] = 4000
        path = tmp_path / f"{player}.safetensors"
        checkpoint.save_tensors(tensors, header | {"recipe": json.dumps(told)}, path)
        with pytest.raises(BadWeights, match="more weights than it holds"):
            running.networks_of(str(path))


@pytest.mark.parametrize(("name", "kind", "setting", "value"), [
    ("recurrent", "Generator", "scale", 0), ("recurrent", "Generator", "fold", -1),
    ("recurrent", "Generator", "features", 0), ("compact", "Generator", "blocks", -1),
    ("rrdb", "Generator", "growth", 1.5), ("aligned", "Generator", "features", True),
    ("triplet", "Discriminator", "features", 0), ("unet", "Discriminator", "own", -1),
])  # fmt: skip
def test_a_network_of_nothing_is_refused_by_the_name_of_its_setting(name, kind, setting, value):
    with pytest.raises(BadRecipe, match=rf"{name}: {setting} is {value}") as caught:
        running.network(f"vidgan.{kind.lower()}s", kind, name, {setting: value})
    assert "a whole number of" in caught.value.remedy


def test_a_start_that_cannot_be_is_refused(folder):
    play(recipe(), folder)
    wider = Network(name="recurrent", config={"features": 32, "blocks": 1})
    with pytest.raises(BadRecipe, match="other networks"):
        running.create(recipe(generator=wider, start=str(folder / "checkpoints" / "state.safetensors")))
    with pytest.raises(BadRecipe, match="other networks"):
        running.create(recipe(generator=wider, start=str(folder / "checkpoints" / "last.safetensors")))
    with pytest.raises(BadWeights):
        running.create(recipe(start="nothing"))


def same(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    return all(
        torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    )


def test_a_game_begins_with_a_discriminator_that_has_played(folder):
    first = play(recipe(seed=3), folder)
    run = running.create(recipe(opponent=str(folder)))
    fresh = running.create(recipe())
    assert same(run.discriminator, first.discriminator) and same(run.generator, fresh.generator)
    of_ours = recipe(opponent="judge", discriminator=Network(name="triplet", config={"features": 48}))
    assert same(running.create(of_ours).discriminator, checkpoint.load_players(Path("judge"))[1])


def test_the_discriminator_of_a_start_comes_before_the_opponent(folder, tmp_path):
    first = play(recipe(seed=3), folder)
    state = runs.state_of(folder)
    told = recipe(start=str(state), opponent=str(tmp_path / "gone"))
    assert same(running.create(told).discriminator, first.discriminator)
    told = recipe(start=str(folder / "checkpoints" / "best.safetensors"), opponent=str(folder))
    run = running.create(told)
    assert same(run.discriminator, first.discriminator)
    running.save(run, tmp_path / "next")
    gone = recipe(opponent=str(tmp_path / "gone"))
    assert running.create(gone, tmp_path / "next").step == 0, "a run that goes on needs it no more"


def test_an_opponent_that_cannot_be_is_refused(tmp_path):
    with pytest.raises(BadRecipe, match="another network than the recipe's"):
        running.create(recipe(opponent="judge"))
    with pytest.raises(BadWeights, match="no training state"):
        running.create(recipe(opponent=str(tmp_path / "gone")))


def test_settings_that_no_shape_tells_are_the_runs_all_the_same(folder):
    play(recipe(), folder)
    longer = stage(REALISTIC, steps=5)
    other = Network(name="triplet", config={"features": 8, "own": 4})
    with pytest.raises(BadRecipe, match=r"discriminator\.config\.own was 0, not 4"):
        play(recipe(discriminator=other, realistic=longer), folder)
    written_out = Network(name="triplet", config={"features": 8, "own": 0, "smaller": 1})
    assert play(recipe(discriminator=written_out, realistic=longer), folder).step == 9
    assert (
        play(recipe(discriminator=other, realistic=stage(REALISTIC, steps=6)), folder, change=True).step == 10
    )
