"""A teacher: a share of what is learnt is its picture of the small clip, and the rest is the truth."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from test_training import FAITHFUL, REALISTIC, Killed, folder, log_of, moving, play, recipe, stage, weights_of
from vidgan import checkpoint
from vidgan.errors import BadRecipe, BadWeights
from vidgan.generators import recurrent, rrdb
from vidgan.recipe import Data, Network
from vidgan.training import feeding, game, ground, loop, planning
from vidgan.training import run as running

__all__ = ["folder"]  # a fixture


def saved(network, place: Path) -> str:
    checkpoint.save_generator(network, checkpoint.card_of(network, recipe={}, results={}, step=0), place)
    return str(place)


def with_clips_of(like: Path, place: Path) -> Path:
    place.mkdir()
    for name in ("train.store", "val.store"):
        (place / name).write_bytes((like / name).read_bytes())
    return place


@pytest.fixture
def teacher(tmp_path) -> str:
    """A network that looks at each frame by itself, so that what it makes of a crop can be told from its inside."""
    torch.manual_seed(3)
    return saved(
        rrdb.Generator(rrdb.Config(features=8, blocks=1, growth=4)), tmp_path / "teacher.safetensors"
    )


def shown(folder: Path, steps: int = 3, first: int = 0, **changes) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """What the steps of the first stage are given; a pool wants larger clips than the folder's."""
    save_file({"a": moving(6, 136), "b": moving(1, 144, 1)}, folder / "train.store")
    run = running.create(recipe(faithful=stage(FAITHFUL, batch=2), **changes))
    found = ground.prepared(run, folder, loop.Setup(say=print, tick=print, workers=0))
    return list(feeding.batches(run, found, range(first, steps)))


def pooled(reuse: int) -> Data:
    return Data(train=[Path("nowhere")], val=[Path("nowhere else")], reuse=reuse, pool=4)


@pytest.mark.parametrize("reuse", [1, 2])
def test_a_target_is_so_much_of_the_teachers_picture_and_the_rest_is_the_truth(folder, teacher, reuse):
    truth = shown(folder, data=pooled(reuse))
    alone = shown(folder, data=pooled(reuse), teacher=teacher, taught=1.0)
    both = shown(folder, data=pooled(reuse), teacher=teacher, taught=0.25)
    none = shown(folder, data=pooled(reuse), teacher=teacher, taught=0.0)
    assert len(truth) == 3
    for (low, high), (same_low, theirs), (_, mixed), (_, still) in zip(truth, alone, both, none, strict=True):
        assert torch.equal(low, same_low) and torch.equal(high, still)
        assert theirs.dtype == mixed.dtype == torch.uint8
        assert (theirs.float() - high.float()).abs().mean() > 5
        expected = 0.25 * theirs.float() + 0.75 * high.float()
        torch.testing.assert_close(mixed.float(), expected, atol=1.01, rtol=0)


def test_the_teacher_draws_the_very_clip_that_the_pupil_sees(folder, teacher):
    network = checkpoint.load_generator(teacher)
    for low, high in shown(folder, data=pooled(1), teacher=teacher, taught=1.0):
        with torch.no_grad():
            drawn = network(low.float() / 255).clamp(0, 1) * 255
        torch.testing.assert_close(high.float(), drawn.float(), atol=0.51, rtol=0)


@pytest.mark.parametrize("reuse", [1, 2])
def test_a_run_that_goes_on_is_taught_the_same(folder, teacher, reuse):
    whole = shown(folder, 5, data=pooled(reuse), teacher=teacher)
    rest = shown(folder, 5, 3, data=pooled(reuse), teacher=teacher)
    for one, other in zip(whole[3:], rest, strict=True):
        assert torch.equal(one[0], other[0]) and torch.equal(one[1], other[1])


def test_a_taught_run_plays_both_stages_and_goes_on_exactly_after_a_kill(folder, teacher, tmp_path):
    whole = play(recipe(teacher=teacher), folder)
    assert log_of(folder)[-1]["step"] == 8

    def until_five(done, total, note):
        if done == 5:
            raise Killed

    again = with_clips_of(folder, tmp_path / "again")
    with pytest.raises(Killed):
        play(recipe(teacher=teacher), again, tick=until_five)
    rest = play(recipe(teacher=teacher), again)
    untaught = play(recipe(), with_clips_of(folder, tmp_path / "untaught"))
    for name, weight in weights_of(whole).items():
        assert torch.equal(weight, weights_of(rest)[name]), name
    assert any(
        not torch.equal(weight, weights_of(untaught)[name]) for name, weight in weights_of(whole).items()
    )
    with pytest.raises(BadRecipe, match="teacher was"):
        play(recipe(realistic=stage(FAITHFUL, steps=9)), folder)


def test_who_waits_for_the_teacher_is_told(folder, teacher):
    save_file({"a": moving(6, 136), "b": moving(1, 144, 1)}, folder / "train.store")
    ticks = []
    run = running.create(recipe(data=pooled(2), teacher=teacher))
    setup = loop.Setup(say=print, tick=lambda *told: ticks.append(told), workers=0)
    list(feeding.batches(run, ground.prepared(run, folder, setup), range(2)))
    assert ticks == [(0, None, f"the teacher looks at clips first: {number} of 4") for number in (1, 2, 3, 4)]


def test_a_card_names_the_teacher_and_no_folder(folder, teacher):
    play(recipe(teacher=teacher, taught=0.7), folder)
    _, header = checkpoint.load_tensors(folder / "checkpoints" / "last.safetensors")
    told = checkpoint.read_card(header, folder).recipe
    assert (told["teacher"], told["taught"]) == ("teacher.safetensors", 0.7)


def test_a_teacher_that_cannot_teach_is_refused_before_anything_is_packed(folder, tmp_path):
    (folder / "train.store").unlink()
    other = saved(
        recurrent.Generator(recurrent.Config(features=8, blocks=1, scale=2)), tmp_path / "x2.safetensors"
    )
    with pytest.raises(BadRecipe, match=r"x2\.safetensors enlarges by 2, .* enlarges by 4"):
        play(recipe(teacher=other), folder)
    with pytest.raises(BadWeights):
        play(recipe(teacher=str(tmp_path / "gone.safetensors")), folder)
    guess = Network(name="predictor", config={"features": 8})
    with pytest.raises(BadRecipe, match="predicts"):
        play(recipe(teacher="fast", generator=guess), folder)
    assert {file.name for file in folder.iterdir()} <= {"val.store", "checkpoints"}


def test_a_plan_counts_what_the_teacher_does(teacher):
    setup = loop.Setup(say=print, tick=print)
    told = recipe(teacher=teacher)
    alone = planning.cost(recipe(), "faithful", game.Table(), steps=1, count=True)
    taught = planning.cost(told, "faithful", ground.table_of(told, setup), steps=1, count=True)
    assert taught.gflop > alone.gflop


def test_a_teacher_may_be_moved_and_another_is_refused(folder, teacher, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    play(recipe(teacher=Path(teacher).name), folder)
    longer = stage(REALISTIC, steps=5)
    other = tmp_path / "other.safetensors"
    other.write_bytes(Path(teacher).read_bytes())
    with pytest.raises(BadRecipe, match=r"teacher was teacher\.safetensors, not other\.safetensors"):
        play(recipe(teacher=str(other), realistic=longer), folder)
    assert play(recipe(teacher=teacher, realistic=longer), folder).step == 9


def test_a_plan_shares_out_what_is_new_in_a_pool_as_the_run_does(teacher, monkeypatch):
    monkeypatch.setattr(planning.distributed, "world", lambda: 2)
    told = recipe(data=pooled(8), faithful=stage(FAITHFUL, batch=8))
    low, high = planning._fresh(told, told.faithful, 4)
    assert len(low) == len(high) == 1
