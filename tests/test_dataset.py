"""Clips for training: where they come from, what is done to them, and that a step always gets the same."""

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import videos
from vidgan import dataset
from vidgan.degrade import shrink
from vidgan.errors import BadVideo
from vidgan.recipe import Augment, Damage, Data, Losses, Network, Recipe, Stage

CLEAN = Damage(clean=1.0, mild=0.0)
MILD = Damage(clean=0.0, mild=1.0)
PLAIN = Augment()


def stage(**changes) -> Stage:
    told = {"steps": 4, "batch": 2, "frames": 3, "crop": 32, "lr": 1e-3, "lr_end": 1e-4} | changes
    return Stage(**told, losses=Losses(charbonnier=1.0))


def recipe(
    *, seed: int = 1, damage: Damage = CLEAN, photos: float = 0.5, pan: int = 6, augment: Augment = PLAIN
) -> Recipe:
    return Recipe(
        name="tiny",
        seed=seed,
        generator=Network(name="recurrent"),
        discriminator=Network(name="triplet"),
        data=Data(train=[], val=[], photos=photos, pan=pan),
        augment=augment,
        damage=damage,
        faithful=stage(),
        realistic=stage(),
    )


@pytest.fixture
def store(tmp_path) -> dataset.Store:
    """Two videos, one of them short, and a photo; each pixel says which clip and frame it is from."""
    clips = {}
    for number, (name, frames) in enumerate({"long.mp4": 8, "short.mp4": 2, "photo.png": 1}.items()):
        clip = torch.randint(0, 256, (frames, 80, 96, 3), dtype=torch.uint8)
        clip[..., 0] = number * 64
        clip[..., 1] = torch.arange(frames, dtype=torch.uint8).view(-1, 1, 1) * 16
        clips[name] = clip
    save_file(clips, tmp_path / "train.store")
    return dataset.Store(tmp_path / "train.store")


def batches(store: dataset.Store, **changes) -> dataset.Batches:
    return dataset.Batches(store=store, recipe=recipe(**changes), stage=stage(), scale=4)


def same(a, b) -> bool:
    return all(torch.equal(one, other) for one, other in zip(a, b, strict=True))


def test_a_batch_is_a_pair_of_a_small_and_a_large_clip(store):
    low, high = batches(store)[0]
    assert low.shape == (2, 3, 3, 8, 8) and high.shape == (2, 3, 3, 32, 32)
    assert low.dtype == high.dtype == torch.uint8


@pytest.mark.parametrize("damage", [CLEAN, MILD])
def test_a_batch_is_a_function_of_seed_and_step(store, damage):
    first, again = batches(store, damage=damage), batches(dataset.Store(store.path), damage=damage)
    later = first[5]
    assert same(first[2], again[2]) and same(later, again[5])
    assert not same(first[2], later)
    assert not same(first[2], batches(store, seed=2, damage=damage)[2])


def test_an_undamaged_small_clip_is_the_shrunk_large_one(store):
    """Away from the border, which has seen what is outside of the crop."""
    for step in range(6):
        low, high = batches(store)[step]
        shrunk = (shrink(high.flatten(0, 1).float() / 255, 4) * 255).round().unflatten(0, (2, 3))
        inner = (..., slice(2, -2), slice(2, -2))
        assert (low[inner].float() - shrunk[inner]).abs().max() <= 1


def test_a_damaged_clip_differs_from_the_shrunk_one(store):
    low, high = batches(store, damage=MILD)[0]
    shrunk = (shrink(high.flatten(0, 1).float() / 255, 4) * 255).unflatten(0, (2, 3))
    assert (low.float() - shrunk).abs().mean() > 2


def test_a_video_s_frames_stay_together_in_order_or_reversed(store):
    seen = set()
    for step in range(12):
        for clip in batches(store, photos=0.0)[step][1]:
            times = (clip[:, 1, 0, 0] // 16).tolist()
            if clip[0, 0, 0, 0] == 0:  # the long one
                assert times in (
                    [times[0], times[0] + 1, times[0] + 2],
                    [times[0], times[0] - 1, times[0] - 2],
                )
                seen.add(times[0] < times[1])
            else:
                assert times == [0, 0, 0]  # too short: its first frame, as a photo
    assert seen == {True, False}


@pytest.mark.parametrize(("photos", "numbers"), [(1.0, {128}), (0.0, {0, 64})])
def test_the_share_of_photos_is_the_recipe_s(store, photos, numbers):
    seen = {int(clip[0, 0, 0, 0]) for step in range(10) for clip in batches(store, photos=photos)[step][1]}
    assert seen == numbers


def test_a_photo_moves_by_whole_pixels(store):
    """So that nothing is blurred: every frame's inner part is somewhere in the first frame's picture."""
    picture = store.read("photo.png", slice(None), slice(None), slice(None))[0, ..., 2].numpy()
    rng = np.random.default_rng(0)
    clip = batches(store, photos=1.0)._clip(rng, 32)[..., 2].numpy()
    windows = np.lib.stride_tricks.sliding_window_view(picture, (32, 32))
    for frame in clip:
        assert (windows == frame).all((2, 3)).any()


def test_small_clips_are_left_out_and_named(tmp_path):
    clips = {"large.mp4": torch.zeros(3, 70, 70, 3), "small.png": torch.zeros(1, 60, 90, 3)}
    save_file({name: clip.byte() for name, clip in clips.items()}, tmp_path / "s")
    store = dataset.Store(tmp_path / "s")
    assert store.smaller_than(64) == ["small.png"]
    rest = store.without(["small.png"])
    assert rest.smaller_than(64) == []
    assert rest.photos == [] and batches(rest)[0][0].shape[0] == 2
    with pytest.raises(BadVideo, match="smaller than a crop"):
        store.without(store.smaller_than(100))


def folder_of(tmp_path: Path, *names: str) -> Path:
    folder = tmp_path / "clips"
    folder.mkdir()
    for name in names:
        videos.write(folder / name)
    return folder


def test_a_store_is_split_into_clips_to_train_on_and_others_to_judge_by(tmp_path):
    clips = {f"{n}.mp4": torch.zeros(3, 8, 8, 3).byte() for n in range(25)} | {
        "p.png": torch.zeros(1, 8, 8, 3).byte()
    }
    save_file(clips, tmp_path / "s")
    said = []
    rest, held_out = dataset.Store(tmp_path / "s").split(say=said.append)
    assert (
        len(held_out.videos) == 2 and len(rest.videos) == 23 and not set(rest.videos) & set(held_out.videos)
    )
    assert rest.photos == ["p.png"] and held_out.photos == []
    assert all(name in said[0] for name in held_out.videos)


def test_a_single_clip_is_judged_by_itself_and_that_is_said(tmp_path):
    save_file({"a.mp4": torch.zeros(3, 8, 8, 3).byte()}, tmp_path / "s")
    said = []
    rest, held_out = dataset.Store(tmp_path / "s").split(say=said.append)
    assert rest.videos == held_out.videos == ["a.mp4"] and "nothing is held out" in said[0]
    save_file({"a.png": torch.zeros(1, 8, 8, 3).byte()}, tmp_path / "photos")
    with pytest.raises(BadVideo, match="no video to validate on"):
        dataset.Store(tmp_path / "photos").split(say=said.append)


def test_pack_decodes_what_it_can_and_says_what_it_left_out(tmp_path):
    folder, said = folder_of(tmp_path, "a.mp4", "b.mkv"), []
    (folder / "broken.mp4").write_bytes(b"this is no video")
    (folder / "notes.txt").write_text("nor is this")
    store = dataset.pack([folder], tmp_path / "out" / "train.store", say=said.append)
    assert store.videos == ["a.mp4", "b.mkv"] and store.photos == []
    assert store.shapes["a.mp4"] == (10, 48, 64, 3)
    assert [line for line in said if "left out" in line and "broken.mp4" in line]
    decoded = store.read("a.mp4", slice(None), slice(None), slice(None)).numpy()
    assert np.abs(decoded[3].astype(int) - videos.picture(3, 64, 48)).mean() < 8
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["train.store"]


def test_pack_takes_a_store_that_travelled_without_its_folders(store):
    assert dataset.pack([Path("nowhere")], store.path, say=print).shapes == store.shapes


def test_files_of_one_name_in_two_folders_are_both_kept(tmp_path):
    first, second = folder_of(tmp_path, "a.mp4"), tmp_path / "more"
    second.mkdir()
    videos.write(second / "a.mp4", videos.Film(width=80))
    store = dataset.pack([first, second], tmp_path / "train.store", say=print)
    assert sorted(shape[2] for shape in store.shapes.values()) == [64, 80]


def test_a_single_video_can_stand_for_a_folder(tmp_path):
    folder = folder_of(tmp_path, "a.mp4", "b.mp4")
    assert dataset.pack([folder / "a.mp4"], tmp_path / "s", say=print).videos == ["a.mp4"]


def test_nothing_to_train_on_is_an_error(tmp_path):
    (tmp_path / "broken.mp4").write_bytes(b"no")
    with pytest.raises(BadVideo, match="could be read"):
        dataset.pack([tmp_path], tmp_path / "s", say=lambda line: None)
    with pytest.raises(BadVideo, match="nowhere"):
        dataset.pack([tmp_path / "nowhere"], tmp_path / "s", say=lambda line: None)
    assert not (tmp_path / "s").exists()


def test_a_store_travels_to_another_process(store):
    store.read("photo.png", slice(1), slice(4), slice(4))
    again = pickle.loads(pickle.dumps(store))
    assert same(batches(again)[0], batches(store)[0])


def test_a_folder_that_changed_is_packed_again(tmp_path):
    folder, said = folder_of(tmp_path, "a.mp4"), []
    path = tmp_path / "train.store"
    assert dataset.pack([folder], path, say=said.append).videos == ["a.mp4"]
    dataset.pack([folder], path, say=said.append)
    assert len(said) == 1, "packed twice though nothing had changed"
    videos.write(folder / "b.mp4")
    assert dataset.pack([folder], path, say=said.append).videos == ["a.mp4", "b.mp4"]


def test_a_store_is_read_where_there_is_no_pyav(store):
    """A machine with an accelerator may lack it."""
    code = f"""
import sys
sys.modules["av"] = None  # importing it now fails
from pathlib import Path
from vidgan import dataset
store = dataset.pack([Path("nowhere")], Path({str(store.path)!r}), say=print)
assert store.read("long.mp4", slice(2), slice(3), slice(4)).shape == (2, 3, 4, 3)
try:
    import av
except ImportError:
    print("no PyAV")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "no PyAV\n"), done.stderr


def test_what_is_to_be_predicted_lies_ahead_of_what_is_shown(tmp_path):
    clip = torch.arange(12, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 64, 64, 3) * 20
    save_file({"a": clip.contiguous()}, tmp_path / "train.store")
    plain = recipe(augment=Augment(oriented=True, reverse=0.0))
    made = dataset.Batches(
        store=dataset.Store(tmp_path / "train.store"), recipe=plain, stage=stage(), scale=1, ahead=4
    )
    starts = set()
    for step in range(12):
        low, high = made[step]
        assert low.shape == high.shape == (2, 3, 3, 32, 32)
        assert ((high.int() - low.int()) == 80).all()
        assert (low[:, 1:].int() - low[:, :-1].int() == 20).all()
        starts |= set(low[:, 0, 0, 0, 0].tolist())
    assert starts == {0, 20, 40, 60, 80, 100}, "every place where a clip of three and four ahead begins"


def test_a_predictor_sees_no_colour(tmp_path):
    clip = torch.randint(0, 256, (8, 64, 64, 3), dtype=torch.uint8)
    save_file({"a": clip}, tmp_path / "train.store")
    store = dataset.Store(tmp_path / "train.store")
    for seen in dataset.Batches(store=store, recipe=recipe(), stage=stage(), scale=1, ahead=1)[0]:
        assert torch.equal(seen[:, :, 0], seen[:, :, 1]) and torch.equal(seen[:, :, 0], seen[:, :, 2])
    assert torch.equal(
        dataset.grey(torch.tensor([[[[10, 20, 31]]]], dtype=torch.uint8)).unique(),
        torch.tensor([20], dtype=torch.uint8),
    )


def test_the_busiest_of_many_windows_is_where_something_moves(tmp_path):
    clip = torch.full((8, 80, 320, 3), 90, dtype=torch.uint8)
    clip[:, :, 240:] = torch.randint(0, 256, (8, 80, 80, 3), dtype=torch.uint8)
    save_file({"a": clip}, tmp_path / "train.store")
    told = recipe(augment=Augment(oriented=True))

    def share(busiest_of: int) -> float:
        data = told.data.model_copy(update={"busiest_of": busiest_of})
        made = dataset.Batches(
            store=dataset.Store(tmp_path / "train.store"),
            recipe=told.model_copy(update={"data": data}),
            stage=stage(),
            scale=1,
        )
        return float(np.mean([(clip != 90).any() for step in range(30) for clip in made[step][1]]))

    assert share(1) < 0.55 and share(8) > 0.8
