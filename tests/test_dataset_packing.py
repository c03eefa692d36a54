"""Footage written into a store as it is decoded, data sets joined, what does not belong together refused."""

import os
import sys
import tracemalloc
from collections import namedtuple

import numpy as np
import pytest
import torch
from safetensors import safe_open

import videos
from footage import nature, save
from vidgan import dataset
from vidgan.dataset import packing, shards
from vidgan.errors import BadOption, BadOutput
from vidgan.video import decode_all

WHOLE = (slice(None), slice(None), slice(None))


def quiet(line: str) -> None:
    pass


def made(folder, **clips: int) -> None:
    """A data set as `vidgan prepare` leaves it: on each side one source, of so many frames."""
    from safetensors.torch import save_file

    (folder / "clips").mkdir(parents=True)
    index = shards.Index()
    for side, frames in clips.items():
        clip = torch.full((frames, 40, 40, 3), len(str(folder)), dtype=torch.uint8)
        name = f"in/{side}.mp4"
        save_file({"clip0": clip}, shards.shard_of(name, folder))
        entry = shards.Entry(kind="video", size=1, changed=1, group=name, split=side)
        entry.clips.append(shards.Clip(start=0, shape=clip.shape))
        index.entries[name] = entry
    shards.write_index(index, folder)


def test_what_is_stored_is_what_is_decoded_and_a_damaged_file_leaves_nothing(tmp_path):
    place = tmp_path / "in"
    place.mkdir()
    videos.write(place / "ä.mp4")
    (place / "b.mp4").write_bytes(b"no video")
    videos.write(place / "c.mkv", videos.Film(width=80))
    save(nature(1, 50, 70), place / "d.png")
    said = []
    store = dataset.pack([place], tmp_path / "s", say=said.append)
    assert set(store.shapes) == {"ä.mp4", "c.mkv", "d.png"} and any("b.mp4" in line for line in said)
    for name in store.shapes:
        assert (store.read(name, *WHOLE).numpy() == decode_all(place / name)).all()


@pytest.mark.skipif(sys.platform != "linux", reason="names that are no text")
def test_a_name_that_is_no_text_is_packed_and_a_damaged_store_is_packed_again(tmp_path):
    folder, path = tmp_path / "in", tmp_path / "train.store"
    folder.mkdir()
    videos.write(folder / "a.mkv").rename(folder / os.fsdecode(b"x\xff.mkv"))
    store = dataset.pack([folder], path, say=quiet)
    assert len(store.videos) == 1 and store.read(store.videos[0], *WHOLE).shape == (10, 48, 64, 3)
    path.write_bytes(b"\x08\0\0\0\0\0\0\0nothing!")
    assert dataset.pack([folder], path, say=quiet).videos == store.videos


def test_other_people_s_index_is_no_data_set(tmp_path):
    folder = tmp_path / "in"
    (folder / "clips").mkdir(parents=True)
    (folder / "index.json").write_text('{"videos": []}')
    videos.write(folder / "clips" / "a.mkv")
    assert dataset.pack([folder], tmp_path / "train.store", say=quiet).videos == ["clips/a.mkv"]


def test_a_file_that_breaks_off_half_way_leaves_nothing(tmp_path, monkeypatch):
    from vidgan import video
    from vidgan.errors import BadVideo

    for name in ("a.mp4", "b.mp4"):
        videos.write(tmp_path / name)
    whole = video.decode

    def broken(file):
        for count, pixels in enumerate(whole(file)):
            if file.name == "a.mp4" and count == 3:
                raise BadVideo("broken")
            yield pixels

    monkeypatch.setattr(video, "decode", broken)
    store = dataset.pack([tmp_path], tmp_path / "s", say=quiet)
    assert (store.read("b.mp4", *WHOLE).numpy() == decode_all(tmp_path / "b.mp4")).all()
    with safe_open(tmp_path / "s", framework="pt") as file:
        assert list(file.keys()) == ["b.mp4"]


def test_a_file_that_cannot_be_read_is_left_out_and_is_no_full_disk(tmp_path, monkeypatch):
    place, decode, said = tmp_path / "in", packing._decoded, []
    place.mkdir()
    videos.write(place / "a.mkv")
    videos.write(place / "b.mkv")

    def failing(file, out):
        if file.name == "a.mkv":
            raise OSError(5, "Input/output error", str(file))
        return decode(file, out)

    monkeypatch.setattr(packing, "_decoded", failing)
    assert dataset.pack([place], tmp_path / "s", say=said.append).videos == ["b.mkv"]
    assert any("a.mkv" in line and "Input/output error" in line for line in said)


def test_an_interrupted_packing_leaves_nothing_behind(tmp_path, monkeypatch):
    from vidgan import video

    def interrupted(file):
        yield np.zeros((4, 4, 3), np.uint8)
        raise KeyboardInterrupt

    videos.write(tmp_path / "a.mp4")
    monkeypatch.setattr(video, "decode", interrupted)
    with pytest.raises(KeyboardInterrupt):
        dataset.pack([tmp_path / "a.mp4"], tmp_path / "run" / "s", say=quiet)
    assert not any((tmp_path / "run").iterdir())


def test_packing_does_not_hold_a_video_in_memory(tmp_path):
    film = videos.Film(width=160, height=128, times=tuple(range(300)))
    frame = videos.picture(0, 160, 128)
    with videos.write(tmp_path / "a.mp4", film, [frame] * 300).open("ab") as file:
        file.write(
            (64 << 20).to_bytes(4, "big") + b"free"
        )  # nor the file itself, which is as large as it likes
        file.truncate(file.tell() + (64 << 20) - 8)
    dataset.pack([tmp_path], tmp_path / "warm", say=quiet)  # what is imported and kept the first time
    tracemalloc.start()
    store = dataset.pack([tmp_path], tmp_path / "s", say=quiet)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert store.shapes["a.mp4"] == (300, 128, 160, 3)
    assert most < 300 * frame.size / 4


def test_what_the_disk_has_no_room_for_is_refused_before_it_is_decoded(tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    videos.write(tmp_path / "in" / "a.mp4")  # 10 frames of 64x48: 92,160 bytes
    usage = namedtuple("usage", "total used free")
    for free, fits in ((92_000, False), (93_000, True)):
        monkeypatch.setattr(packing.shutil, "disk_usage", lambda place, free=free: usage(0, 0, free))
        if fits:
            assert dataset.pack([tmp_path / "in"], tmp_path / "run" / "s", say=quiet).videos == ["a.mp4"]
        else:
            with pytest.raises(BadOutput, match="has room for") as refused:
                dataset.pack([tmp_path / "in"], tmp_path / "run" / "s", say=quiet)
            assert "vidgan prepare" in refused.value.remedy
            assert not (tmp_path / "run").exists()


def test_data_sets_are_joined_and_what_has_one_name_is_kept_twice(tmp_path):
    made(tmp_path / "a", train=4, val=5)
    made(tmp_path / "bb", train=6)
    both = [tmp_path / "a", tmp_path / "bb", tmp_path / "a"]
    store = dataset.pack(both, tmp_path / "s", say=quiet)
    assert {name: shape[0] for name, shape in store.shapes.items()} == {
        "in/train.mp4#0": 4, "bb/in/train.mp4#0": 6
    }  # fmt: skip
    first, second = (int(store.read(name, *WHOLE)[0, 0, 0, 0]) for name in store.videos)
    assert second == first + 1, "each from its own folder"
    assert store.sides == {"train", "val"}
    assert dataset.pack(both, tmp_path / "s", say=quiet, split="val").videos == ["in/val.mp4#0"]
    assert not (tmp_path / "s").exists()


def test_a_data_set_beside_other_footage_or_within_it_is_refused(tmp_path):
    made(tmp_path / "in" / "set", train=4)
    videos.write(tmp_path / "a.mp4")
    for places in ([tmp_path / "in" / "set", tmp_path / "a.mp4"], [tmp_path / "in"], [tmp_path]):
        with pytest.raises(BadOption, match="set is a prepared data set"):
            dataset.pack(places, tmp_path / "s", say=quiet)
    assert not (tmp_path / "s").exists()


def test_what_is_judged_by_is_not_trained_on_and_that_is_said(tmp_path):
    place = tmp_path / "two"
    place.mkdir()
    for name in ("va.mp4", "vb.mp4"):
        videos.write(place / name)
    said = []
    for without in ([place / "va.mp4"], [place / ".." / "two" / "va.mp4"]):
        store = dataset.pack([place], tmp_path / "s", say=said.append, without=without)
        assert store.videos == ["vb.mp4"] and "validated on: va.mp4" in said[0]
    with pytest.raises(BadOption, match="is also in"):
        dataset.pack([place / "va.mp4"], tmp_path / "s", say=said.append, without=[place])


@pytest.mark.parametrize(("name", "found"), [
    ("10.png", ("", 10)), ("frame_002.jpg", ("frame_", 2)), ("a1b.png", None), ("x.png", None),
])  # fmt: skip
def test_a_picture_s_number_is_the_last_thing_in_its_name(tmp_path, name, found):
    assert dataset.numbered(tmp_path / name) == found


def test_clips_too_short_for_a_window_are_known(tmp_path):
    from safetensors.torch import save_file

    save_file({str(n): torch.zeros(n, 8, 8, 3).byte() for n in (1, 2, 6, 7)}, tmp_path / "s")
    assert dataset.Store(tmp_path / "s").shorter_than(7) == ["2", "6"]
