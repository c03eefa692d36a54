"""Training: both stages learn, a killed run goes on as if nothing had happened, and what goes wrong is said."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

from vidgan import checkpoint, losses
from vidgan.errors import BadOption, BadRecipe, BadVideo, BadWeights, VidganError
from vidgan.recipe import Damage, Data, Game, Losses, Network, Recipe, Stage
from vidgan.training import game, loop
from vidgan.training import run as running

FAITHFUL = Losses(charbonnier=1.0, temporal_difference=0.2)
REALISTIC = Losses(charbonnier=1.0, low_pass_l1=0.5, feature_matching=0.1, game=0.05)


def stage(weights: Losses, steps: int = 4, **changes) -> Stage:
    told = {"batch": 1, "frames": 3, "crop": 32, "lr": 1e-3, "lr_end": 1e-4, "roll_in": 0.5} | changes
    return Stage(steps=steps, losses=weights, **told)


def recipe(**changes) -> Recipe:
    told = {
        "name": "tiny",
        "generator": Network(name="recurrent", config={"features": 16, "blocks": 1}),
        "discriminator": Network(name="triplet", config={"features": 8}),
        "data": Data(train=[Path("nowhere")], val=[Path("nowhere")]),
        "damage": Damage(clean=1.0, mild=0.0),
        "faithful": stage(FAITHFUL),
        "realistic": stage(REALISTIC),
        "game": Game(ramp=2),
        "validate_every": 3,
        "save_every": 2,
    }
    return Recipe(**(told | changes))


def moving(frames: int, side: int, seed: int = 0) -> torch.Tensor:
    """Smooth shapes that move: (T, side, side, 3) uint8."""
    coarse = torch.rand(
        1, 3, side // 8 + 1, (side + 2 * frames) // 8 + 1, generator=torch.Generator().manual_seed(seed)
    )
    wide = F.interpolate(coarse, scale_factor=8, mode="bicubic").clamp(0, 1)[0].permute(1, 2, 0)
    return torch.stack([wide[:side, 2 * t : 2 * t + side] for t in range(frames)]).mul(255).byte()


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """Where a run finds its packed clips, and no LPIPS weights."""
    monkeypatch.setenv("VIDGAN_WEIGHTS", str(tmp_path / "no weights"))
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    pack(tmp_path / "run")
    return tmp_path / "run"


def pack(folder: Path) -> None:
    folder.mkdir()
    save_file({"a": moving(6, 80), "b": moving(1, 96, 1)}, folder / "train.store")
    save_file({"c": moving(4, 48, 2)}, folder / "val.store")


def still(done: float, total: float | None, note: str) -> None:
    pass


def play(made: Recipe, folder: Path, *, said=None, tick=still, half: bool = False) -> running.Run:
    say = (said if said is not None else []).append
    return loop.train(running.create(made), folder, say=say, tick=tick, half=half)


def weights_of(run: running.Run) -> dict[str, torch.Tensor]:
    return {
        f"{name}.{key}": value
        for name in ("generator", "ema", "discriminator")
        for key, value in getattr(run, name).state_dict().items()
    }


def log_of(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("half", [False, True])
def test_a_whole_run_leaves_its_files_and_its_log(folder, half):
    said = []
    run = play(recipe(), folder, said=said, half=half)
    assert run.step == 8
    names = {file.name for file in folder.iterdir()}
    assert names == {
        "train.store", "val.store", "log.jsonl", "state.safetensors",
        "faithful.safetensors", "best.safetensors", "last.safetensors",
    }  # fmt: skip
    rows = log_of(folder)
    assert [row["step"] for row in rows] == [0, 3, 4, 6, 8]
    assert {"charbonnier", "temporal_difference", "val_psnr_y"} <= rows[1].keys()
    assert {"game", "accuracy", "penalty", "resting", "val_accuracy", "low_pass_l1"} <= rows[-1].keys()
    assert "game" not in rows[1]
    for row in rows[1:]:
        assert any(line.startswith(f"step {row['step']}  ") for line in said)


def test_what_it_leaves_can_be_used_and_says_how_it_was_made(folder):
    run = play(recipe(), folder)
    last = checkpoint.load_generator(folder / "last.safetensors")
    low = torch.rand(1, 2, 3, 8, 8)
    torch.testing.assert_close(last(low), run.ema(low), atol=2e-3, rtol=0)
    _, header = checkpoint.load_tensors(folder / "best.safetensors")
    card = checkpoint.read_card(header, folder)
    assert (
        card.recipe["name"] == "tiny" and "train" not in card.recipe["data"]
    )  # no path of anybody's machine
    assert card.results["val_psnr_y"] == max(row["val_psnr_y"] for row in log_of(folder) if row["step"] >= 4)


class Killed(Exception):
    pass


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> running.Run:
    """A run that nothing has interrupted."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    pack(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VIDGAN_WEIGHTS", str(folder))
        patch.setattr(Path, "home", lambda: folder)
        return play(recipe(), folder)


@pytest.mark.parametrize("killed_after", [3, 4, 7])
def test_a_killed_run_goes_on_to_the_same_weights_to_the_bit(folder, whole, killed_after):
    def kill(done, total, note):
        if done == killed_after:
            raise Killed

    with pytest.raises(Killed):
        play(recipe(), folder, tick=kill)
    torch.manual_seed(12345)  # a new process knows nothing of the old one
    said = []
    again = play(recipe(), folder, said=said)
    assert said[0].startswith("going on from step")
    for name, weight in weights_of(whole).items():
        assert torch.equal(weights_of(again)[name], weight), name
    assert again.accuracy == whole.accuracy
    assert again.best["val_psnr_y"] == whole.best["val_psnr_y"]


def test_a_finished_run_is_not_run_again(folder, whole):
    running.save(whole, folder)
    steps = []
    play(recipe(), folder, tick=lambda done, total, note: steps.append(done))
    assert steps == []


def test_a_state_of_other_networks_is_refused(folder, whole):
    running.save(whole, folder)
    wider = Network(name="recurrent", config={"features": 32, "blocks": 1})
    with pytest.raises(BadWeights, match="other networks"):
        play(recipe(generator=wider), folder)


def test_faithful_training_lowers_the_loss(folder):
    made = recipe(
        faithful=stage(FAITHFUL, steps=40, batch=2, lr=3e-3, roll_in=0.0), damage=Damage(clean=1.0, mild=0.0),
        realistic=stage(REALISTIC, steps=1), validate_every=10, save_every=100,
    )  # fmt: skip
    play(made, folder)
    rows = log_of(folder)
    assert rows[4]["charbonnier"] < 0.95 * rows[1]["charbonnier"]
    assert rows[4]["val_psnr_y"] > rows[0]["val_psnr_y"]


def table(half: bool = False) -> game.Table:
    return game.Table(perceptual=None, rng=torch.Generator().manual_seed(0), half=half)


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


def test_the_discriminator_learns_to_tell_real_from_made():
    run = at_realistic(game=Game(lr=1e-3, rest_above=1.0), realistic=stage(REALISTIC, steps=100))
    real, fake, hint = (
        torch.rand(2, 3, 3, 32, 32),
        torch.full((2, 3, 3, 32, 32), 0.5),
        torch.rand(2, 3, 32, 32),
    )
    seen = [game.discriminator_step(run, real, fake, hint, table()) for _ in range(25)]
    assert seen[-1]["discriminator"] < seen[0]["discriminator"]
    assert seen[-1]["accuracy"] > 0.9


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_moves_nothing(value):
    layer = nn.Linear(2, 2)
    optimizer = torch.optim.Adam(layer.parameters(), lr=1.0)
    before = layer.weight.clone()
    game.descend(layer(torch.full((1, 2), value)).sum(), optimizer, 1.0)
    assert torch.equal(layer.weight, before)


def test_a_gradient_that_is_not_finite_moves_nothing():
    """The root of nothing is nothing, but its slope is not."""
    layer = nn.Linear(2, 2)
    optimizer = torch.optim.Adam(layer.parameters(), lr=1.0)
    before = layer.weight.clone()
    loss = (layer(torch.ones(1, 2)) * 0).sqrt().sum()
    assert torch.isfinite(loss)
    game.descend(loss, optimizer, 1.0)
    assert torch.equal(layer.weight, before)


def test_a_step_down_is_no_longer_than_its_rate():
    layer = nn.Linear(2, 2)
    optimizer = torch.optim.SGD(layer.parameters(), lr=99.0)
    before = layer.weight.clone()
    game.descend(1e6 * layer(torch.ones(1, 2)).sum(), optimizer, 0.1)
    assert 0 < (layer.weight - before).norm() <= 0.1 + 1e-6  # the gradient is clipped to a length of 1


def test_one_broken_step_is_left_out_and_counted_and_many_end_the_run(tmp_path):
    means = loop.Means()
    for value in (1.0, float("nan"), 3.0):
        means.add({"charbonnier": torch.tensor(value), "game": torch.tensor(1.0)})
    assert means.taken("step 3", tmp_path) == {"charbonnier": 2.0, "game": 1.0, "skipped": 1}
    for _ in range(2):
        means.add({"charbonnier": torch.tensor(float("inf"))})
    with pytest.raises(VidganError, match="not finite at step 5"):
        means.taken("step 5", tmp_path)


def test_the_rate_falls_as_a_cosine_in_each_stage():
    run = running.create(recipe())
    rates = []
    for run.step in range(8):
        rates.append(game.learning_rate(run))
    assert rates[0] == rates[4] == 1e-3
    assert rates[2] == rates[6] == pytest.approx((1e-3 + 1e-4) / 2)
    run.step = 8
    assert game.learning_rate(run) == pytest.approx(1e-4)


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
    game.update_average(run)
    assert all(torch.allclose(average, torch.tensor(0.9)) for average in run.ema.parameters())  # decay 1 / 10
    run.step = 1_000_000
    game.update_average(run)
    assert all(torch.allclose(average, torch.tensor(0.9001)) for average in run.ema.parameters())


def test_the_realistic_stage_begins_from_the_average():
    run = running.create(recipe())
    with torch.no_grad():
        for weight in run.generator.parameters():
            weight.add_(1.0)
    running.begin_realistic(run)
    assert all(
        torch.equal(a, b) for a, b in zip(run.generator.parameters(), run.ema.parameters(), strict=True)
    )
    assert not run.generator_optimizer.state


def test_without_lpips_weights_it_says_so_and_judges_by_psnr(folder, whole):
    said = []
    running.save(whole, folder)
    run = play(recipe(), folder, said=said)
    assert any("no LPIPS in the validation" in line for line in said)
    assert "val_lpips" not in run.best and run.best["val_psnr_y"] > 0


def test_a_recipe_that_weighs_lpips_needs_its_weights(folder):
    heavy = REALISTIC.model_copy(update={"perceptual": 1.0})
    with pytest.raises(BadWeights, match="LPIPS"):
        play(recipe(realistic=stage(heavy)), folder)


def test_lpips_takes_part_where_it_is_weighed():
    class Distance(nn.Module):
        def forward(self, output, target):
            return (output - target).square().mean((1, 2, 3))

    heavy = REALISTIC.model_copy(update={"perceptual": 1.0})
    run = at_realistic(realistic=stage(heavy))
    setup = game.Table(perceptual=Distance(), rng=torch.Generator().manual_seed(0), half=False)
    assert game.realistic_step(run, *batch(), setup)["perceptual"] > 0
    assert "perceptual" not in game.realistic_step(at_realistic(), *batch(), table())


def test_nothing_to_validate_on_is_an_error(folder):
    save_file({"photo": moving(1, 64)}, folder / "val.store")
    with pytest.raises(BadVideo, match="validate"):
        play(recipe(), folder)


def test_clips_that_are_too_small_are_said(folder):
    save_file({"a": moving(6, 80), "tiny": moving(3, 40)}, folder / "train.store")
    said = []
    play(recipe(faithful=stage(FAITHFUL, steps=1), realistic=stage(REALISTIC, steps=1)), folder, said=said)
    assert any("too small" in line and "tiny" in line for line in said)


@pytest.mark.parametrize(("network", "error"), [
    (Network(name="recurent"), BadOption),
    (Network(name="recurrent", config={"depth": 3}), BadRecipe),
    (Network(name="recurrent", config={"features": -1}), BadRecipe),
    (Network(name="recurrent", config={"features": 1.5}), BadRecipe),
])  # fmt: skip
def test_a_network_that_cannot_be_is_refused(network, error):
    with pytest.raises(error):
        running.create(recipe(generator=network))


def test_a_seed_gives_the_same_networks_again():
    first, again, other = (weights_of(running.create(recipe(seed=seed))) for seed in (1, 1, 2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["generator.head.weight"], other["generator.head.weight"])


def test_every_loss_of_the_recipe_is_played():
    """A weight that nothing reads would be a promise not kept."""
    weighed = {name: 1.0 for name in Losses.model_fields if name != "perceptual"}
    numbers = game.realistic_step(at_realistic(realistic=stage(Losses(**weighed))), *batch(), table())
    assert weighed.keys() <= numbers.keys()
    assert set(Losses.model_fields) - {"game"} <= set(losses.__all__)
