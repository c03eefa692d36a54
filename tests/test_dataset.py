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
from vidgan.dataset import camera
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


def test_the_camera_stays_inside_and_within_its_speed():
    for seed in range(200):
        rng = np.random.default_rng(seed)
        room = tuple(int(side) for side in rng.integers(0, 60, 2))
        path = dataset.camera_path(rng, 6, room, 6)
        assert path.shape == (6, 2) and path.dtype == int
        assert (path >= 0).all() and (path <= room).all()
        assert np.abs(np.diff(path, axis=0)).max() <= 6 + 3  # and its wandering, of 0.3 pixels a frame


def test_a_camera_that_has_no_room_stands_still():
    path = dataset.camera_path(np.random.default_rng(0), 5, (0, 0), 6)
    assert not path.any()


def test_a_turn_is_the_same_for_every_frame_and_eight_ways_are_taken():
    picture = torch.arange(16, dtype=torch.uint8).view(1, 4, 4, 1)
    ways, backwards = set(), 0
    for seed in range(100):
        clip = torch.cat([picture, picture + 100]).expand(2, 4, 4, 3)
        turned = dataset.turned(clip, np.random.default_rng(seed))
        first, second = turned.flip(0) if turned[0].max() >= 100 else turned
        assert torch.equal(second, first + 100)
        ways.add(tuple(first[..., 0].flatten().tolist()))
        backwards += int(turned[0].max() >= 100)
    assert len(ways) == 8
    assert 30 < backwards < 70


def marked(frames: int) -> torch.Tensor:
    """(T, 96, 96, 3): red grows to the right, green downwards, blue with time: a crop shows its turn."""
    clip = torch.zeros(frames, 96, 96, 3, dtype=torch.uint8)
    clip[..., 0] = torch.arange(96).view(1, 1, -1) * 2
    clip[..., 1] = torch.arange(96).view(1, -1, 1) * 2
    clip[..., 2] = torch.arange(frames).view(-1, 1, 1) * 8
    return clip


def directions(high: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Degrees in which red and green grow, of every frame of (B, T, 3, H, W), from x towards y."""
    inner = high.flatten(0, 1)[:, :2, 4:-4, 4:-4].double()
    across, down = inner.diff(dim=-1).mean((-1, -2)), inner.diff(dim=-2).mean((-1, -2))
    angles = torch.rad2deg(torch.atan2(down, across)).numpy()
    return angles[:, 0], angles[:, 1]


def samples_of(tmp_path, number: int, augment: Augment) -> torch.Tensor:
    save_file({"a.mp4": marked(8), "b.png": marked(1)}, tmp_path / "m")
    made = dataset.Batches(
        store=dataset.Store(tmp_path / "m"),
        recipe=recipe(augment=augment),
        stage=stage(batch=number),
        scale=4,
    )
    return made[0][1]


def test_of_ten_thousand_oriented_samples_none_is_mirrored_or_turned(tmp_path):
    """With everything else that moves a picture switched on."""
    augment = Augment(oriented=True, free=0.1, zoom=(0.5, 1.0), brightness=0.1)
    red, green = directions(samples_of(tmp_path, 10_000, augment))
    assert len(red) == 30_000
    assert np.abs(red).max() < 1, "red does not grow to the right everywhere"
    assert np.abs(green - 90).max() < 1, "green does not grow downwards everywhere"


def test_without_the_switch_every_direction_is_seen(tmp_path):
    red, green = directions(samples_of(tmp_path, 400, Augment(free=0.5)))
    assert all(((red > start) & (red <= start + 30)).any() for start in range(-180, 180, 30))
    mirrored = np.isclose((green - red) % 360, 270, atol=2)
    assert np.isclose((green - red) % 360, 90, atol=2).sum() + mirrored.sum() == len(red)
    assert 0.4 < mirrored.mean() < 0.6


def test_a_free_view_sees_nothing_outside_and_never_enlarges():
    rng, fitted = np.random.default_rng(0), 0
    for _ in range(500):
        size = tuple(int(side) for side in rng.integers(40, 200, 2))
        view = dataset.free_view(rng, size, 64, (0.5, 1.0), turns=True)
        if view is None:
            continue
        fitted += 1
        for seen in dataset.free_path(rng, view, size, 64, 6, 6):
            corners = seen.map(size, 64).inverse().boxes(np.array([[0, 0, 64, 64]]))[0]
            assert (
                corners[:2].min() >= -1e-6 and corners[2] <= size[1] + 1e-6 and corners[3] <= size[0] + 1e-6
            )
            assert seen.zoom <= 1
    assert fitted > 100


def test_a_free_view_without_a_turn_at_its_own_size_is_the_crop():
    picture = torch.randint(0, 256, (80, 96, 3), dtype=torch.uint8)
    view = dataset.View(40.0, 30.0, 0.0, 1.0)
    seen = camera.rendered(picture, view, (80, 96), 32, (0, 0))
    assert (seen.int() - picture[14:46, 24:56].int()).abs().max() <= 1


def test_a_free_view_of_a_part_is_that_of_the_whole():
    picture = torch.randint(0, 256, (120, 140, 3), dtype=torch.uint8)
    view = dataset.View(70.0, 60.0, 33.0, 0.8)
    x, y, wide, high = camera.window_of([view], (120, 140), 32)
    assert wide < 140 and high < 120
    part = camera.rendered(picture[y : y + high, x : x + wide], view, (120, 140), 32, (x, y))
    whole = camera.rendered(picture, view, (120, 140), 32, (0, 0))
    assert (part.int() - whole.int()).abs().max() <= 1  # one code value, of rounding


def test_a_picture_that_is_too_small_for_a_turn_is_cropped():
    assert dataset.free_view(np.random.default_rng(1), (64, 64), 64, (0.5, 1.0), turns=True) is None


def test_the_small_clip_is_the_shrunk_large_one_under_every_augmentation(store):
    """The same map for input and target, always."""
    augment = Augment(free=1.0, zoom=(0.9, 1.0), brightness=0.2)
    for step in range(6):
        low, high = batches(store, augment=augment)[step]
        shrunk = (shrink(high.flatten(0, 1).float() / 255, 4) * 255).round().unflatten(0, (2, 3))
        inner = (..., slice(2, -2), slice(2, -2))
        assert (low[inner].float() - shrunk[inner]).abs().max() <= 1


def test_brightness_is_one_factor_a_clip():
    clip = torch.full((3, 4, 4, 3), 100, dtype=torch.uint8)
    seen = set()
    for seed in range(100):
        bright = camera.brightened(clip, np.random.default_rng(seed), 0.2)
        assert len(bright.unique()) == 1
        seen.add(int(bright[0, 0, 0, 0]))
    assert min(seen) >= 80 and max(seen) <= 120 and max(seen) - min(seen) > 30


def test_a_share_of_the_batch_is_that_part_of_the_whole(store):
    """What many processes rely on."""
    whole = dataset.Batches(store=store, recipe=recipe(damage=MILD), stage=stage(batch=4), scale=4)
    part = dataset.Batches(
        store=store, recipe=recipe(damage=MILD), stage=stage(batch=4), scale=4, samples=range(1, 3)
    )
    assert same(part[3], [tensor[1:3] for tensor in whole[3]])


def test_another_attempt_gives_other_samples(store):
    again = dataset.Batches(store=store, recipe=recipe(), stage=stage(), scale=4, attempt=1)
    assert not same(again[0], batches(store)[0])


def test_replay_mixes_a_second_store_in(store, tmp_path):
    save_file({"old.png": torch.full((1, 80, 80, 3), 250, dtype=torch.uint8)}, tmp_path / "old")
    mixed = dataset.Batches(
        store=store, recipe=recipe(), stage=stage(batch=200), scale=4, replay=dataset.Store(tmp_path / "old")
    )
    share = np.mean([bool((clip == 250).all()) for clip in mixed[0][1]])
    assert 0.15 < share < 0.35  # the recipe's 0.25


def test_each_kind_of_damage_is_drawn_as_often_as_it_weighs():
    high = torch.rand(2, 3, 32, 32)
    clean = sum(
        torch.equal(
            dataset.damaged(high, Damage(clean=3.0, mild=1.0), 4, np.random.default_rng(seed)),
            shrink(high, 4),
        )
        for seed in range(200)
    )
    assert 0.65 < clean / 200 < 0.85


def test_small_clips_are_left_out_and_named(tmp_path):
    clips = {"large.mp4": torch.zeros(3, 70, 70, 3), "small.png": torch.zeros(1, 60, 90, 3)}
    save_file({name: clip.byte() for name, clip in clips.items()}, tmp_path / "s")
    store = dataset.Store(tmp_path / "s")
    assert store.smaller_than(64) == ["small.png"]
    rest = store.without(["small.png"])
    assert rest.photos == [] and batches(rest)[0][0].shape[0] == 2
    with pytest.raises(BadVideo, match="smaller than a crop"):
        store.without(store.smaller_than(100))


def folder_of(tmp_path: Path, *names: str) -> Path:
    folder = tmp_path / "clips"
    folder.mkdir()
    for name in names:
        videos.write(folder / name)
    return folder


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
from vidgan.dataset import camera
store = dataset.pack([Path("nowhere")], Path({str(store.path)!r}), say=print)
assert store.read("long.mp4", slice(2), slice(3), slice(4)).shape == (2, 3, 4, 3)
try:
    import av
except ImportError:
    print("no PyAV")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "no PyAV\n"), done.stderr
