import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from footage import nature
from vidgan.errors import VidganError
from vidgan.preparation import alike
from vidgan.video.codec import compress

names = st.lists(st.text("abc_/", min_size=1, max_size=8), min_size=1, max_size=12, unique=True)


def test_a_fingerprint_survives_a_codec_scaling_and_brightness():
    picture = nature(1)
    mark = alike.fingerprint(picture)
    crushed = compress(picture[None], codec="h264", crf=35)[0]
    small = F.interpolate(
        torch.from_numpy(picture).permute(2, 0, 1)[None].float(), size=(97, 131), mode="area"
    )
    small = small[0].permute(1, 2, 0).byte().numpy()
    darker = (picture * 0.7).astype(np.uint8)
    for same in (crushed, small, darker):
        assert alike.distance(mark, alike.fingerprint(same)) <= alike.NEAR


def test_different_pictures_are_far_apart():
    marks = [alike.fingerprint(nature(seed)) for seed in range(30)]
    distances = [alike.distance(a, b) for i, a in enumerate(marks) for b in marks[i + 1 :]]
    assert min(distances) > 2 * alike.NEAR and 28 < np.mean(distances) < 36


def test_a_flat_picture_is_like_nothing():
    flat = alike.fingerprint(np.full((90, 90, 3), 7, np.uint8))
    assert flat == 0 and not list(alike.near_duplicates({"a.png": [flat], "b.png": [flat]}))


@pytest.mark.parametrize(("name", "group"), [
    ("clips/dog_120.mp4", "clips/dog"),
    ("clips/dog_hd200.mp4", "clips/dog"),
    ("clips/01_dog_2.mp4", "clips/01_dog"),
    ("clips/dog.mp4", "clips/dog"),
    ("IMG_0001.jpg", "IMG_0001"),
    ("holiday/DSC_0042.JPG", "holiday/DSC_0042"),
    ("_x.png", "_x"),
])  # fmt: skip
def test_what_stands_before_the_last_underscore_is_the_scene(name, group):
    assert alike.group_by_name([name]) == {name: group}


def test_the_table_wins_over_the_name_and_pictures_join_both():
    files = ["a_1.mp4", "a_2.mp4", "b_1.mp4", "c.mp4"]
    marks = {"b_1.mp4": [0xF0F0F0F0F0F0F0F0], "c.mp4": [0xF0F0F0F0F0F0F0F1]}
    found = alike.groups(files, fingerprints=marks, table={"a_2.mp4": "z"})
    assert found == {"a_1.mp4": "a", "a_2.mp4": "z", "b_1.mp4": "b", "c.mp4": "b"}


def test_being_alike_is_passed_on():
    base = 0x123456789ABCDEF0
    marks = {"x.mp4": [base], "y.mp4": [base ^ 0b111111], "z.mp4": [base ^ 0b111111 ^ (0b111111 << 40)]}
    assert alike.distance(marks["x.mp4"][0], marks["z.mp4"][0]) == 12
    assert set(alike.groups(list(marks), fingerprints=marks).values()) == {"x"}


@given(st.integers(1, 2**64 - 1), st.sets(st.integers(0, 63), max_size=alike.NEAR))
def test_every_near_duplicate_is_found(mark, flipped):
    other = mark
    for bit in flipped:
        other ^= 1 << bit
    pairs = list(alike.near_duplicates({"a": [mark], "b": [other]}))
    assert pairs == ([("a", "b")] if other else [])


@given(names, names)
def test_adding_files_moves_no_other_to_another_side(first, more):
    before = alike.groups(first, fingerprints={})
    after = alike.groups(list(dict.fromkeys(first + more)), fingerprints={})
    assert all(alike.split_of(after[name]) == alike.split_of(before[name]) for name in first)


def test_the_sides_have_about_their_shares():
    sides = [alike.split_of(f"group {i}", shares=(0.2, 0.1)) for i in range(5000)]
    assert abs(sides.count("val") / 5000 - 0.2) < 0.02 and abs(sides.count("test") / 5000 - 0.1) < 0.02


def test_a_hash_is_the_same_everywhere():
    # The first eight bytes of sha256("dog"), by coreutils' sha256sum.
    assert alike.number_of("dog") == pytest.approx(0xCD6357EFDD966DE8 / 2**64)


def test_of_two_copies_the_better_one_stays():
    mark = 0x0123456789ABCDEF
    marks = {"a": [mark], "b": [mark], "c": [mark, mark ^ 0xFFFF]}
    assert alike.copies(marks, {"a": (1.0,), "b": (2.0,), "c": (2.0,)}) == {"a": "b"}


def test_a_file_that_shows_more_is_no_copy():
    mark = 0x0123456789ABCDEF
    assert alike.copies({"a": [mark, mark ^ 0xFFFFFF], "b": [mark]}, {"a": (1.0,), "b": (2.0,)}) == {}


def test_groups_csv(tmp_path):
    table = tmp_path / "groups.csv"
    table.write_text("file,group\na.mp4, one\n\nb.mp4,one\n", encoding="utf-8-sig")
    assert alike.read_groups(table) == {"a.mp4": "one", "b.mp4": "one"}
    table.write_text("a.mp4,one\nb.mp4\n")
    with pytest.raises(VidganError, match="line 2"):
        alike.read_groups(table)
