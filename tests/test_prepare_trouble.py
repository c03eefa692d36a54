"""`vidgan prepare` where the disk, rights or names are in the way: nothing is lost for good, nothing is silent."""

import errno
from pathlib import Path

import pytest
from PIL import Image

from footage import moving
from test_prepare import prepared, video
from vidgan import cli
from vidgan.dataset import shards
from vidgan.preparation import prepare as preparing
from vidgan.preparation import sources


@pytest.fixture
def clip(tmp_path) -> Path:
    return video(tmp_path / "in" / "a.mp4", moving(0))


def failed(clip, folder) -> shards.Entry:
    assert cli.main(["prepare", str(clip), str(folder), "--quiet"]) == 1
    (entry,) = shards.read_index(folder).entries.values()
    return entry


def test_a_film_of_any_name_is_a_film(clip, tmp_path):
    clip.rename(clip.with_suffix(".mpeg"))
    for place in (clip.with_suffix(".mpeg"), clip.parent):
        assert [found.kind for found in sources.find((place,))] == ["video"]
    clip.with_suffix(".mpeg").rename(clip.with_suffix(".film"))
    assert [found.kind for found in sources.find((clip.with_suffix(".film"),))] == ["video"]


def test_a_named_picture_of_another_kind_is_no_film(tmp_path):
    place = tmp_path / "a.bmp"
    Image.fromarray(moving(0)[0]).save(place)
    assert [found.kind for found in sources.find((place,))] == ["photo"]


def test_a_set_that_was_copied_without_hidden_files_is_gone_on_with(clip, tmp_path):
    prepared(clip, tmp_path / "set")
    (tmp_path / "set" / ".lock").unlink()
    assert list(prepared(clip, tmp_path / "set").entries) == ["a.mp4"]


def test_a_disk_that_was_full_is_no_mark_on_the_source(clip, tmp_path, monkeypatch, capsys):
    real = Path.write_bytes

    def write(path, data):
        if path.parent.name == "thumbs":
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return real(path, data)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", write)
        assert cli.main(["prepare", str(clip), str(tmp_path / "set"), "--quiet"]) == 1
    told = capsys.readouterr().err
    assert "cannot be written: No space left" in told and len(told.strip().splitlines()) == 2
    (entry,) = prepared(clip, tmp_path / "set").entries.values()
    assert not entry.broken and entry.kept


def test_an_index_that_cannot_be_written_is_told_in_two_lines(clip, tmp_path, monkeypatch, capsys):
    def write(path, *_, **__):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(Path, "write_text", write)
    assert cli.main(["prepare", str(clip), str(tmp_path / "set"), "--quiet"]) == 1
    assert "index.json cannot be written: No space left" in capsys.readouterr().err
    assert not list((tmp_path / "set").glob("*.partial"))


def test_a_read_that_failed_is_tried_again(clip, tmp_path, monkeypatch):
    real = preparing._windows

    def fail(*words):
        yield next(real(*words))  # a clip is kept, and then the disk fails
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(preparing, "_windows", fail)
        (entry,) = prepared(clip, tmp_path / "set").entries.values()
        assert "Input/output error" in entry.broken and entry.kept
    (entry,) = prepared(clip, tmp_path / "set").entries.values()
    assert not entry.broken and entry.kept


def test_a_file_that_could_not_be_opened_is_tried_again(clip, tmp_path, monkeypatch):
    from vidgan.errors import BadVideo

    def fail(*_):
        raise BadVideo(f"{clip} cannot be read: Permission denied", "")

    with monkeypatch.context() as patch:
        patch.setattr(sources, "length", fail)
        assert failed(clip, tmp_path / "set").broken
    (entry,) = prepared(clip, tmp_path / "set").entries.values()
    assert not entry.broken and entry.kept


def test_a_folder_that_may_not_be_opened_is_named(clip, tmp_path, monkeypatch, capsys):
    (clip.parent / "shut").mkdir()
    real = Path.iterdir

    def look(path):
        if path.name == "shut":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(Path, "iterdir", look)
    assert cli.main(["prepare", str(clip.parent), str(tmp_path / "set"), "--quiet"]) == 1
    assert "shut may not be opened" in capsys.readouterr().err


def test_nothing_to_prepare_leaves_no_folder(tmp_path, capsys):
    (tmp_path / "in").mkdir()
    assert cli.main(["prepare", str(tmp_path / "in"), str(tmp_path / "set")]) == 1
    assert not (tmp_path / "set").exists()
