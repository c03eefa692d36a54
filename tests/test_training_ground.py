"""What a run is played on: nothing on both sides unsaid, nothing shown in another way than it seems."""

import pytest
import torch
from safetensors.torch import save_file

import videos
from footage import moving as panned
from test_prepare import video
from test_training import FAITHFUL, REALISTIC, folder, play, recipe, stage, still
from vidgan import recipe as recipes
from vidgan.errors import BadOption, BadRecipe
from vidgan.recipe import Data
from vidgan.training import ground, loop
from vidgan.training import run as running
from vidgan.verbs import train

__all__ = ["folder"]  # a fixture


def quiet(line: str) -> None:
    pass


@pytest.fixture
def two(tmp_path):
    place = tmp_path / "two"
    place.mkdir()
    for name in ("va.mp4", "vb.mp4"):
        videos.write(place / name)
    return place


def test_what_is_named_to_judge_by_is_taken_from_what_is_trained_on(two, tmp_path):
    said = []
    data = Data(train=[two], val=[two / "va.mp4"])
    store, judges = ground.stores(data, tmp_path / "run", said.append)
    assert store.videos == ["vb.mp4"] and judges.videos == ["va.mp4"]
    assert any("not trained on" in line and "va.mp4" in line for line in said)


def test_the_same_footage_under_both_is_split_however_it_is_written(two, tmp_path):
    data = Data(train=[two], val=[two.parent / "two" / ".." / "two"])
    store, judges = ground.stores(data, tmp_path / "run", quiet)
    assert sorted(store.videos + judges.videos) == ["va.mp4", "vb.mp4"] and len(judges.videos) == 1


def test_clips_that_are_shown_as_photos_are_counted(folder):
    clips = {f"short{n}": torch.zeros(3, 64, 64, 3).byte() for n in range(2)}
    save_file(clips | {"long": torch.zeros(6, 64, 64, 3).byte()}, folder / "train.store")
    said = []
    made = recipe(faithful=stage(FAITHFUL, frames=5), realistic=stage(REALISTIC, frames=3))
    ground.prepared(running.create(made), folder, loop.Setup(say=said.append, tick=still))
    (line,) = [line for line in said if "shorter than" in line]
    assert line.startswith("2 of 3 clips are shorter than 5 frames") and "short0, short1" in line


# --videos


def with_videos(folder, *places, val=None):
    """The recipe as `vidgan train --videos` makes it, of one that has a val of its own."""
    overrides = (f"data.val=['{val}']",) if val else ()
    options = train.Options(videos=places, overrides=overrides)
    chosen = recipes.read("default", overrides)
    if not val:
        data = Data(train=[folder / "its own"], val=[folder / "its own val"])
        chosen = chosen.model_copy(update={"data": data})
    return train._with_videos(chosen, options, folder / "run", loop.Setup(say=quiet, tick=still)).data


def test_videos_are_judged_by_themselves_unless_set_says_otherwise(tmp_path):
    for name in ("a", "b"):
        video(tmp_path / "in" / f"{name}.mp4", panned(ord(name)))
    place = tmp_path / "run" / "data"
    assert with_videos(tmp_path, tmp_path / "in").val == [place]
    data = with_videos(tmp_path, tmp_path / "in", val=tmp_path / "other")
    assert (data.train, data.val) == ([place], [tmp_path / "other"])
    # Several data sets are taken as they are; beside other footage one is refused.
    again = tmp_path / "again"
    place.rename(again)
    data = with_videos(tmp_path, again, again)
    assert data.train == data.val == [again, again]
    with pytest.raises(BadOption, match="is a prepared data set"):
        with_videos(tmp_path, again, tmp_path / "in")
    assert not place.exists() or not any(place.iterdir())


def test_videos_that_hold_the_run_or_its_judges_are_refused(two, tmp_path):
    with pytest.raises(BadOption, match="inside its own videos"):
        with_videos(tmp_path, tmp_path)
    for judge in (two / "va.mp4", two, tmp_path):
        with pytest.raises(BadOption, match="trained on as part of"):
            with_videos(tmp_path, two, val=judge)


def test_videos_that_others_judge_are_all_trained_on(tmp_path):
    for name in ("a", "b"):
        video(tmp_path / "in" / f"{name}.mp4", panned(ord(name)))
    video(tmp_path / "judge" / "c.mp4", panned(ord("c")))
    for _ in range(2):  # also when it goes on
        data = with_videos(tmp_path, tmp_path / "in", val=tmp_path / "judge")
        store, judges = ground.stores(data, tmp_path / "run", quiet)
        assert len(store.shapes) == 2 and len(judges.shapes) == 1


def test_a_recipe_of_ours_takes_the_starts_generator_unless_another_is_asked_for(monkeypatch, tmp_path):
    played = []
    monkeypatch.setattr(train, "_train", lambda chosen, *rest: played.append(chosen.generator.config))
    monkeypatch.setattr(train, "_describe", lambda chosen, *rest: played.append(chosen.generator.config))

    def asked(*overrides):
        told = train.Options(
            recipe="default", overrides=("start=fast", *overrides), dry_run=True, out=tmp_path / "run"
        )
        train.run(told)
        return played.pop()

    assert asked()["features"] == asked("generator.config.features=48")["features"] == 48
    for other in ("generator.config.features=32", "generator.config.depth=3", "generator.name=compact"):
        with pytest.raises(BadRecipe, match="another generator than that of the start"):
            asked(other)
    assert asked("generator.config.features=32", "partly=true")["features"] == 32
    assert asked("generator.config.features=64", "grown=true")["features"] == 64


def test_a_discriminator_that_is_asked_for_beside_that_of_a_start_is_refused(monkeypatch, folder, tmp_path):
    play(recipe(), folder)
    played = []
    monkeypatch.setattr(train, "_describe", lambda chosen, *rest: played.append(chosen.discriminator.config))
    state = folder / "checkpoints" / "state.safetensors"

    def asked(*overrides, start=state, out=tmp_path / "next"):
        told = (f"start={start}", *overrides)
        train.run(train.Options(recipe="default", overrides=told, dry_run=True, out=out))
        return played.pop()

    own, other = recipe().discriminator.config["features"], "discriminator.config.features=24"
    assert own != 24 and asked()["features"] == own
    for entry in (other, "discriminator.name=unet", "discriminator={name='unet'}"):
        with pytest.raises(BadRecipe, match="another discriminator than that of the start"):
            asked(entry)
    assert asked(other, "partly=true")["features"] == 24
    assert asked(other, start=folder / "checkpoints" / "last.safetensors")["features"] == 24
    with pytest.raises(BadRecipe, match="another discriminator than that of the run in"):
        asked(other, out=folder)
