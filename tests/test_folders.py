"""Which files of a folder count, for every verb that is given one."""

import os
from pathlib import Path

import pytest

from vidgan import folders
from vidgan.dataset.packing import files
from vidgan.enhancing import naming
from vidgan.errors import BadVideo
from vidgan.measuring import footage
from vidgan.preparation import sources


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Two videos and a photo that count, and what thumbnails, interrupted runs and other systems leave beside them."""
    root = tmp_path / "in"
    for name in (
        "a.mp4",
        "below/B.MOV",
        "below/c.jpg",
        ".thumbnails/t.jpg",
        "._a.mp4",
        ".out.mp4.vidgan/whole.mp4",
        ".a.1234.partial.mp4",
        "notes.txt",
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")
    (root / "circle").symlink_to(root, target_is_directory=True)
    return root


def test_every_verb_takes_the_same_files(place: Path) -> None:
    videos, photo = {place / "a.mp4", place / "below/B.MOV"}, place / "below/c.jpg"
    footed = {file for clip in footage._clips(place).values() for file in clip}
    assert {file for _, file in files([place])} == footed == videos | {photo}
    assert {entry.files[0] for entry in sources.find((place,))} == videos | {photo}
    found = naming.tasks(place, place.parent / "out", "", is_marked=lambda path: False)
    assert {task.source for task in found.tasks} == videos
    assert set(found.others) == {photo, place / "notes.txt"}


def test_a_folder_that_is_left_out_is_left_out_whole(place: Path) -> None:
    assert [folder for folder, _ in folders.walked(place, but=place / "below")] == [place]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may open everything")
def test_a_folder_that_may_not_be_opened_is_told(place: Path) -> None:
    (place / "below").chmod(0)
    try:
        with pytest.raises(BadVideo, match="below may not be opened"):
            list(folders.walked(place))
    finally:
        (place / "below").chmod(0o755)
