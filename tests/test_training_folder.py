"""The folder of a run: what is written into it, and what is said where it cannot be."""

import errno
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import footage
from test_lock import open_locks_stay
from test_prepare import video
from test_training import FAITHFUL, REALISTIC, folder, play, recipe, stage, still
from vidgan import checkpoint, runs
from vidgan.errors import BadOption, BadOutput, BadRecipe, BadVideo, BadWeights, VidganError
from vidgan.generators import recurrent
from vidgan.recipe import Data, Losses, Recipe, read, to_toml
from vidgan.training import folder as place
from vidgan.training import loop, same
from vidgan.training import run as running
from vidgan.verbs import train

__all__ = ["folder", "open_locks_stay"]  # fixtures


def test_the_recipe_that_is_left_plays_again_from_anywhere(folder, tmp_path, monkeypatch):
    """What was seen from where the command ran is the same place, wherever the next one runs."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "w.safetensors").touch()
    data = Data(train=[Path("videos"), Path("/far/away")], val=[Path("run/data")], replay=[Path("../old")])
    place.write_recipe(recipe(data=data, start="w.safetensors"), Path("run"))
    monkeypatch.chdir("/")
    again = read(folder / "recipe.toml")
    assert again.data.train == [tmp_path / "videos", Path("/far/away")]
    assert again.data.val == [folder / "data"]
    assert again.data.replay[0].resolve() == tmp_path.parent / "old"
    assert again.start == str(tmp_path / "w.safetensors")
    moved = folder.rename(tmp_path / "moved")  # with the data set that lies in it
    assert read(moved / "recipe.toml").data.val == [moved / "data"]
    place.write_recipe(recipe(start="fast"), moved)
    assert read(moved / "recipe.toml").start == "fast"


def test_a_run_writes_the_recipe_so(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    play(recipe(), Path("run"))
    assert read(folder / "recipe.toml").data.train == [tmp_path / "nowhere"]


def test_a_disk_that_fills_up_leaves_the_recipe_before_whole(tmp_path, monkeypatch):
    place.write_recipe(recipe(seed=1), tmp_path)

    def full(self, text, encoding):
        self.write_bytes(text[:100].encode())
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(BadOutput, match="No space left"), place.writable(tmp_path):
        place.write_recipe(recipe(seed=2), tmp_path)
    assert read(tmp_path / "recipe.toml").seed == 1
    assert [file.name for file in tmp_path.iterdir()] == ["recipe.toml"]


def test_nothing_stays_of_a_new_folder_where_no_open_file_can_be_taken_away(tmp_path, open_locks_stay):
    with pytest.raises(BadVideo), place.alone(tmp_path / "run"):
        raise BadVideo("nothing to train on")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("below", ["", "run", "deep/run"])
def test_a_file_in_the_place_of_the_folder_is_said_before_anything_is_done(tmp_path, below):
    (tmp_path / "file").touch()
    with pytest.raises(BadOutput, match="Not a directory") as caught:
        play(recipe(), tmp_path / "file" / below)
    assert "--out" in caught.value.remedy and "room" not in caught.value.remedy


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.ENOTDIR, errno.ENOENT, errno.EEXIST])
def test_a_place_that_cannot_be_written_to_asks_for_another_one_and_not_for_room(tmp_path, number):
    with pytest.raises(BadOutput, match="cannot be written to") as caught, place.writable(tmp_path / "run"):
        raise OSError(number, os.strerror(number), str(tmp_path / "run" / "log.jsonl"))
    assert "--out" in caught.value.remedy and "room" not in caught.value.remedy


def test_a_place_that_may_not_be_written_to_is_said_first(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(BadOutput, match="Permission denied"), place.writable(tmp_path / "run"):
        pytest.fail("it must not come so far")


def test_a_video_that_went_away_is_not_the_folder_s_fault(tmp_path):
    with pytest.raises(FileNotFoundError), place.writable(tmp_path / "run"):
        (tmp_path / "videos" / "a.mp4").stat()


def test_a_run_goes_on_without_the_file_that_it_began_from(folder, tmp_path):
    """Its state holds all that came of it."""
    play(recipe(), folder)
    start = (folder / "checkpoints" / "last.safetensors").rename(tmp_path / "start.safetensors")
    told = recipe(start=str(start))
    running.save(running.create(told), tmp_path / "next")
    for name in ("train.store", "val.store"):
        os.link(folder / name, tmp_path / "next" / name)
    start.unlink()
    setup = loop.Setup(say=lambda line: None, tick=still)
    assert loop.train(running.create(told, tmp_path / "next"), tmp_path / "next", setup).step == 8


def test_the_command_goes_on_without_that_file_too(folder, tmp_path, monkeypatch):
    """A recipe of ours takes its networks from the start; or from the state, once there is one."""
    monkeypatch.chdir(tmp_path)
    play(recipe(), folder)
    told = ("start=gone.safetensors", 'data.train=["nowhere"]', 'data.val=["nowhere else"]')
    options = train.Options(
        recipe="finetune", overrides=(*told, "faithful.steps=4", "realistic.steps=4"), out=folder
    )
    assert train.run(options) == folder
    with pytest.raises(BadWeights, match=r"gone\.safetensors"):
        train.run(replace(options, out=tmp_path / "another"))


def test_a_recipe_of_ours_that_grows_keeps_the_larger_network(folder, capsys):
    play(recipe(), folder)
    start = folder / "checkpoints" / "last.safetensors"
    small = [
        f"{name}.{key}" for name in ("faithful", "realistic") for key in ("batch=1", "frames=3", "crop=32")
    ]
    told = (f"start={start}", "grown=true", "generator.config={features=32, blocks=2}", *small)
    train.run(train.Options(recipe="finetune", overrides=told, dry_run=True))
    larger = recurrent.Generator(recurrent.Config(features=32, blocks=2))
    count = sum(weight.numel() for weight in larger.parameters()) / 1e6
    assert f"recurrent, {count:.3f} M parameters" in capsys.readouterr().err


def test_the_command_prepares_nothing_for_a_folder_that_cannot_be(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(BadOutput, match="Not a directory"):
        train.run(train.Options(videos=(tmp_path / "videos",), out=tmp_path / "file" / "run"))


def test_a_recipe_without_footage_to_judge_by_is_said(folder, tmp_path):
    told = tmp_path / "no_val.toml"
    told.write_text(to_toml(recipe(data=Data(train=[tmp_path], val=[]))))
    with pytest.raises(BadOption, match="nothing to judge by"):
        train.run(train.Options(recipe=told, out=tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_two_trainings_into_one_folder_are_refused(folder, tmp_path):
    (tmp_path / "out").mkdir()
    with place.alone(tmp_path / "out"), pytest.raises(BadOutput, match="another process trains"):
        train.run(train.Options(videos=(folder,), out=tmp_path / "out"))
    assert list((tmp_path / "out").iterdir()) == []


def test_a_folder_of_which_nothing_came_goes_again(tmp_path):
    with pytest.raises(BadOption, match="nothing to train on"):
        train.run(train.Options(out=tmp_path / "out"))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("header", [
    {}, {"progress": "{}"}, {"progress": "no json"}, {"progress": "[]"},
    {"progress": "[" * 100_000}])  # fmt: skip
def test_a_state_of_another_version_is_said(folder, header):
    checkpoint.save_tensors({"ema.head.bias": torch.zeros(1)}, header, runs.state_of(folder))
    with pytest.raises(BadWeights, match="not the training state of this version"):
        running.resume(running.create(recipe()), folder)


def test_a_state_whose_step_is_no_number_is_said(folder):
    made = running.create(recipe())
    running.save(made, folder)
    tensors, header = checkpoint.load_tensors(runs.state_of(folder))
    progress = json.loads(header["progress"]) | {"step": "3"}
    checkpoint.save_tensors(tensors, header | {"progress": json.dumps(progress)}, runs.state_of(folder))
    with pytest.raises(BadWeights, match="not the training state of this version"):
        running.resume(running.create(recipe()), folder)


@pytest.mark.parametrize(("changes", "told"), [
    ({"seed": 7}, "seed was 1, not 7"),
    ({"faithful": {"batch": 3}}, "faithful.batch was 1, not 3"),
    ({"realistic": {"losses": {"game": 0.5}}}, "realistic.losses.game was"),
])  # fmt: skip
def test_a_run_goes_on_as_it_was_begun_unless_told_otherwise(folder, changes, told):
    begun = recipe()
    run = interrupted(begun, folder)
    assert begun.seed == 1 and begun.faithful.batch == 1
    other = Recipe.model_validate(merged(begun.model_dump(), changes))
    with pytest.raises(BadRecipe, match=told):
        running.resume(running.create(other, folder), folder)
    assert running.resume(running.create(other, folder), folder, change=True).step == run.step


def interrupted(begun: Recipe, folder: Path) -> running.Run:
    """A run whose last step is still to be played."""
    run = play(begun, folder)
    run.step -= 1
    running.save(run, folder)
    return run


def merged(tree: dict, changes: dict) -> dict:
    return tree | {
        key: merged(tree[key], value) if isinstance(value, dict) else value for key, value in changes.items()
    }


def test_a_start_that_comes_too_late_is_told_and_is_not_what_the_recipe_tells(folder, tmp_path):
    first = recipe(start=str(play(recipe(), folder) and runs.weights_of(folder, "last")))
    run = interrupted(first, folder)
    assert running.resume(running.create(first, folder), folder).taken == ""
    moved = recipe(start=str(tmp_path / "elsewhere" / "last.safetensors"))
    assert (
        running.resume(running.create(moved, folder), folder).taken != ""
    )  # the old one is there: another file
    other, said = recipe(start="fast", opponent="judge"), []
    loop.train(running.create(other, folder), folder, loop.Setup(say=said.append, tick=still))
    (line,) = [line for line in said if "its own networks" in line]
    assert line.endswith("start = fast, opponent = judge is not used") and said[
        said.index(line) - 1
    ].startswith("going on")
    told = read(folder / runs.RECIPE)
    assert (told.start, told.opponent) == (first.start, "") and run.step < first.steps


def test_minutes_that_come_too_late_are_told(folder, monkeypatch, tmp_path):
    interrupted(recipe(), folder)
    place.write_recipe(recipe(), folder)
    said, played = [], []
    monkeypatch.setattr(loop, "train", lambda run, *rest: played.append(run.recipe) or run)
    told = loop.Setup(say=said.append, tick=still)
    for where in (folder, tmp_path / "fresh"):
        train._train(recipe(), where, train.Options(minutes=5.0), told)
    assert len([line for line in said if "--minutes plans a run when it begins" in line]) == 1
    assert played[0].steps == recipe().steps


def test_a_run_does_not_go_on_with_other_videos_unsaid(tmp_path):
    """As by the default --out, which a run with other videos has had before."""
    one, other = (
        video(tmp_path / name / f"{name}.mp4", footage.moving(n)) for n, name in enumerate(("one", "two"))
    )
    out = tmp_path / "run"
    steps = (
        "faithful.steps=1",
        "realistic.steps=0",
        "faithful.crop=64",
        "faithful.batch=1",
        "faithful.frames=3",
    )
    options = train.Options(videos=(one.parent,), out=out, overrides=steps)
    train.run(options)
    longer = replace(options, overrides=("faithful.steps=2", *steps[1:]))
    kept = {file.name: file.read_bytes() for file in (out / "data" / "clips").iterdir()}
    with pytest.raises(BadOption, match=r"begun with other videos: one\.mp4"):
        train.run(replace(longer, videos=(other.parent,)))
    assert {file.name: file.read_bytes() for file in (out / "data" / "clips").iterdir()} == kept
    more = one.parent.rename(tmp_path / "renamed")
    (more / "two.mp4").write_bytes(other.read_bytes())
    train.run(replace(longer, videos=(more,)))
    assert read(out / "recipe.toml").faithful.steps == 2
    train.run(
        replace(longer, videos=(other.parent,), overrides=("faithful.steps=3", *steps[1:]), change=True)
    )
    assert read(out / "recipe.toml").faithful.steps == 3


def test_a_run_may_be_longer_and_its_first_stage_no_other_once_it_is_over(folder):
    begun = recipe()
    step = play(begun, folder).step
    assert step == begun.steps
    longer = begun.model_copy(
        update={"realistic": begun.realistic.model_copy(update={"steps": begun.realistic.steps + 2})}
    )
    assert running.resume(running.create(longer, folder), folder).step == step
    for steps in (step + 5, begun.faithful.steps - 1):
        other = begun.model_copy(update={"faithful": begun.faithful.model_copy(update={"steps": steps})})
        longer = other.model_copy(update={"realistic": longer.realistic})
        with pytest.raises(BadRecipe, match="cannot become one of"):
            running.resume(running.create(longer, folder), folder, change=True)


def test_a_faithful_run_may_be_prolonged(folder):
    begun = recipe(realistic=stage(Losses(charbonnier=1.0), steps=0))
    step = play(begun, folder).step
    longer = begun.model_copy(update={"faithful": begun.faithful.model_copy(update={"steps": step + 3})})
    assert play(longer, folder).step == step + 3


@pytest.mark.parametrize(
    "entry", ["data.replay_share", "realistic.lr", "discriminator.config", "validate_every"]
)
def test_only_what_spoils_nothing_may_be_another(folder, entry):
    begun = recipe()
    tree = begun.model_dump()
    section, _, key = entry.rpartition(".")
    (tree[section] if section else tree)[key] = {"features": 8} if key == "config" else 1
    is_free = entry in ("validate_every", "discriminator.config")
    found = same._differences(begun.model_dump(), Recipe.model_validate(tree).model_dump())
    assert (found == []) == is_free


def test_a_planned_run_keeps_its_plan_and_says_what_else_is_another(folder):
    planned = recipe(validate_every=2, save_every=2)
    place.write_recipe(planned, folder)
    running.save(running.create(planned), folder)
    asked = recipe(realistic=stage(REALISTIC, steps=50, lr=1e-7), faithful=stage(FAITHFUL, steps=70))
    found = train._as_planned(asked, planned)
    assert (found.faithful.steps, found.realistic.steps) == (planned.faithful.steps, planned.realistic.steps)
    assert (found.validate_every, found.realistic.lr) == (2, 1e-7)


def test_the_page_is_written_once_more_when_the_last_weights_are_there(folder, monkeypatch):
    pytest.importorskip("av")
    play(recipe(validate_every=100), folder, after=train._report)
    html = (folder / "report.html").read_text()
    assert "best.safetensors" in html and "last.safetensors" in html


def test_a_page_of_a_run_that_was_given_up_on_says_so(folder, monkeypatch):
    pytest.importorskip("av")
    honest = loop.validate
    monkeypatch.setattr(
        loop, "validate", lambda run, ground: honest(run, ground) | {"val_temporal": float("nan")}
    )
    with pytest.raises(VidganError, match="gave up"):
        play(recipe(), folder, after=train._report)
    assert "gave up" in (folder / "report.html").read_text()


def test_other_videos_do_not_replace_the_data_of_a_finished_run(tmp_path, capsys):
    pytest.importorskip("av")
    for seed, name in enumerate(("one", "other")):
        video(tmp_path / name / f"{name}.mp4", footage.moving(seed))
    small = [
        *(f"{part}.{key}" for part in ("faithful", "realistic") for key in ("batch=1", "frames=3", "crop=32")),
        "faithful.steps=1", "realistic.steps=0", "generator.config={features=16, blocks=1}",
    ]  # fmt: skip

    def trained(name: str, *more: str) -> None:
        train.run(train.Options(videos=(tmp_path / name,), overrides=(*small, *more), out=tmp_path / "run"))

    trained("one")
    index = (tmp_path / "run" / "data" / "index.json").read_bytes()
    trained("other")
    assert "this run is finished" in capsys.readouterr().err
    with pytest.raises(BadRecipe, match="begun otherwise"):
        trained("other", "faithful.steps=2", "seed=9")
    assert (tmp_path / "run" / "data" / "index.json").read_bytes() == index


@pytest.mark.parametrize("told", ["teacher=gone.safetensors", "teacher=fast-x2", "start=gone.safetensors"])
def test_what_cannot_be_played_is_refused_before_the_videos_are_prepared(tmp_path, told):
    video(tmp_path / "one" / "one.mp4", footage.moving(0))
    with pytest.raises(VidganError):
        train.run(train.Options(videos=(tmp_path / "one",), overrides=(told,), out=tmp_path / "run"))
    assert not (tmp_path / "run").exists()
