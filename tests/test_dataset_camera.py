"""How clips are seen: where the camera goes, what it may turn, and that small and large see the same."""

import numpy as np
import torch
from safetensors.torch import save_file

from test_dataset import MILD, batches, recipe, same, stage, store
from vidgan import dataset
from vidgan.dataset import camera
from vidgan.dataset.batches import damaged
from vidgan.degrade import shrink
from vidgan.recipe import Augment, Damage

__all__ = ["store"]  # a fixture


def test_the_camera_stays_inside_and_within_its_speed():
    for seed in range(200):
        rng = np.random.default_rng(seed)
        room = tuple(int(side) for side in rng.integers(0, 60, 2))
        path = camera.camera_path(rng, 6, room, 6)
        assert path.shape == (6, 2) and path.dtype == int
        assert (path >= 0).all() and (path <= room).all()
        assert np.abs(np.diff(path, axis=0)).max() <= 6 + 3  # and its wandering, of 0.3 pixels a frame


def test_a_camera_that_has_no_room_stands_still():
    path = camera.camera_path(np.random.default_rng(0), 5, (0, 0), 6)
    assert not path.any()


def test_a_turn_is_the_same_for_every_frame_and_eight_ways_are_taken():
    picture = torch.arange(16, dtype=torch.uint8).view(1, 4, 4, 1)
    ways, backwards = set(), 0
    for seed in range(100):
        clip = torch.cat([picture, picture + 100]).expand(2, 4, 4, 3)
        turned = camera.turned(clip, np.random.default_rng(seed))
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


def samples_of(tmp_path, monkeypatch, number: int, augment: Augment) -> torch.Tensor:
    """Their large clips; what becomes of the small ones is nobody's question here, and takes a third of the time."""
    save_file({"a.mp4": marked(8), "b.png": marked(1)}, tmp_path / "m")
    monkeypatch.setattr(dataset.batches, "damaged", lambda high, *_: high[..., ::2, ::2])
    made = dataset.Batches(
        store=dataset.Store(tmp_path / "m"),
        recipe=recipe(augment=augment),
        stage=stage(batch=number),
        scale=2,
    )
    return made[0][1]


def test_of_ten_thousand_oriented_samples_none_is_mirrored_or_turned(tmp_path, monkeypatch):
    """With everything else that moves a picture switched on."""
    augment = Augment(oriented=True, free=0.1, zoom=(0.5, 1.0), brightness=0.1)
    red, green = directions(samples_of(tmp_path, monkeypatch, 10_000, augment))
    assert len(red) == 30_000
    assert np.abs(red).max() < 1, "red does not grow to the right everywhere"
    assert np.abs(green - 90).max() < 1, "green does not grow downwards everywhere"


def test_without_the_switch_every_direction_is_seen(tmp_path, monkeypatch):
    red, green = directions(samples_of(tmp_path, monkeypatch, 400, Augment(free=0.5)))
    assert all(((red > start) & (red <= start + 30)).any() for start in range(-180, 180, 30))
    mirrored = np.isclose((green - red) % 360, 270, atol=2)
    assert np.isclose((green - red) % 360, 90, atol=2).sum() + mirrored.sum() == len(red)
    assert 0.4 < mirrored.mean() < 0.6


def test_a_free_view_sees_nothing_outside_and_never_enlarges():
    rng, fitted = np.random.default_rng(0), 0
    for _ in range(500):
        size = tuple(int(side) for side in rng.integers(40, 200, 2))
        view = camera.free_view(rng, size, 64, (0.5, 1.0), turns=True)
        if view is None:
            continue
        fitted += 1
        for seen in camera.free_path(rng, view, size, 64, 6, 6):
            corners = seen.map(size, 64).inverse().boxes(np.array([[0, 0, 64, 64]]))[0]
            assert (
                corners[:2].min() >= -1e-6 and corners[2] <= size[1] + 1e-6 and corners[3] <= size[0] + 1e-6
            )
            assert seen.zoom <= 1
    assert fitted > 100


def test_a_free_view_without_a_turn_at_its_own_size_is_the_crop():
    picture = torch.randint(0, 256, (80, 96, 3), dtype=torch.uint8)
    view = camera.View(40.0, 30.0, 0.0, 1.0)
    seen = camera.rendered(picture, view, (80, 96), 32, (0, 0))
    assert (seen.int() - picture[14:46, 24:56].int()).abs().max() <= 1


def test_a_free_view_of_a_part_is_that_of_the_whole():
    picture = torch.randint(0, 256, (120, 140, 3), dtype=torch.uint8)
    view = camera.View(70.0, 60.0, 33.0, 0.8)
    x, y, wide, high = camera.window_of([view], (120, 140), 32)
    assert wide < 140 and high < 120
    part = camera.rendered(picture[y : y + high, x : x + wide], view, (120, 140), 32, (x, y))
    whole = camera.rendered(picture, view, (120, 140), 32, (0, 0))
    assert (part.int() - whole.int()).abs().max() <= 1  # one code value, of rounding


def test_a_picture_that_is_too_small_for_a_turn_is_cropped():
    assert camera.free_view(np.random.default_rng(1), (64, 64), 64, (0.5, 1.0), turns=True) is None


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
            damaged(high, Damage(clean=3.0, mild=1.0), 4, np.random.default_rng(seed)),
            shrink(high, 4),
        )
        for seed in range(200)
    )
    assert 0.65 < clean / 200 < 0.85
