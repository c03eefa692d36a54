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


def test_the_target_within_the_source_is_left_out_whole(place: Path) -> None:
    assert [
        task.source for task in naming.tasks(place, place / "below", "", is_marked=lambda path: False).tasks
    ] == [place / "a.mp4"]


def test_a_test_set_may_be_made_of_links_to_clips(place: Path, tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "clip").symlink_to(place / "below", target_is_directory=True)
    (tmp_path / "set" / "circle").symlink_to(tmp_path / "set", target_is_directory=True)
    assert set(footage._clips(tmp_path / "set")) == {"clip/B", "clip/c"}


def test_a_link_that_leads_nowhere_is_a_video_that_fails(place: Path) -> None:
    (place / "gone.mp4").symlink_to(place / "elsewhere.mp4")
    found = naming.tasks(place, place.parent / "out", "", is_marked=lambda path: False)
    assert place / "gone.mp4" in {task.source for task in found.tasks}
    assert place / "gone.mp4" not in {file for _, file in files([place])}


def test_a_folder_that_may_not_be_opened_is_told(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may open everything: the system is made to refuse."""
    iterdir, scandir = Path.iterdir, os.scandir
    closed = {str(place / "below")}

    def refuse(folder: object) -> None:
        if str(folder) in closed:
            raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr(Path, "iterdir", lambda folder: refuse(folder) or iterdir(folder))
    monkeypatch.setattr(os, "scandir", lambda folder: refuse(folder) or scandir(folder))
    with pytest.raises(BadVideo, match="below may not be opened: Permission denied"):
        list(folders.walked(place))
    found = naming.tasks(place, place.parent / "out", "", is_marked=lambda path: False)
    assert found.closed == [place / "below"] and [task.source for task in found.tasks] == [place / "a.mp4"]
    closed.add(str(place))
    with pytest.raises(BadVideo, match="in may not be opened"):
        naming.tasks(place, place.parent / "out", "", is_marked=lambda path: False)
