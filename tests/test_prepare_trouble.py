"""`vidgan prepare` where the disk, rights or names are in the way: nothing is lost for good, nothing is silent."""

import errno
import os
from pathlib import Path

import pytest
from PIL import Image

from footage import moving
from test_prepare import prepared, video
from vidgan import cli
from vidgan.dataset import Store, shards
from vidgan.errors import BadVideo, VidganError
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


@pytest.mark.parametrize("damage", ["gone", "cut off", "empty"])
def test_clips_that_were_lost_are_named_and_made_again(clip, tmp_path, damage):
    prepared(clip, tmp_path / "set")
    (shard,) = (tmp_path / "set" / "clips").iterdir()
    whole = shard.read_bytes()
    if damage == "gone":
        shard.unlink()
    else:
        shard.write_bytes(whole[: len(whole) // 2] if damage == "cut off" else b"")
    with pytest.raises(BadVideo, match=r"lacks what was prepared of a\.mp4"):
        Store(tmp_path / "set")
    prepared(clip, tmp_path / "set")
    assert shard.read_bytes() == whole and len(Store(tmp_path / "set").shapes) == 1


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


def test_a_table_of_groups_that_names_no_source_is_refused_and_one_that_names_others_is_told(
    clip, tmp_path, capsys
):
    table = tmp_path / "groups.csv"
    words = ["prepare", str(clip), str(tmp_path / "set"), "--groups", str(table)]
    table.write_text("elsewhere/clip.mp4,gate\n")
    assert cli.main(words) == 2
    assert "names none of the sources, but elsewhere/clip.mp4" in capsys.readouterr().err
    assert not (tmp_path / "set").exists()
    table.write_text(f"{clip.name},gate\nanother.mp4,gate\n")
    assert cli.main(words) == 0
    assert "none of the sources: another.mp4" in " ".join(capsys.readouterr().err.split())
    (entry,) = shards.read_index(tmp_path / "set").entries.values()
    assert entry.group == "gate"


def test_copies_are_kept_where_all_is_to_be_kept(clip, tmp_path):
    folder = tmp_path / "both"
    folder.mkdir()
    for name in ("a.mp4", "b.mp4"):
        (folder / name).write_bytes(clip.read_bytes())
    for more, kept in (([], 1), (["--keep-all"], 2)):
        assert cli.main(["prepare", str(folder), str(tmp_path / "set"), "--quiet", *more]) == 0
        index = shards.read_index(tmp_path / "set")
        assert sum(bool(entry.kept) for entry in index.entries.values()) == kept


def test_no_more_than_a_clip_of_a_source_is_in_memory(tmp_path, monkeypatch):
    """Each is in the file before the next is looked at."""
    many = video(tmp_path / "many.mp4", moving(3, 60, 160, 192))
    monkeypatch.setattr(preparing.judging, "faults", lambda *told, **more: [])
    sizes, looked_at = [], preparing._judged

    def judged(*told):
        sizes.append(sum(file.stat().st_size for file in (tmp_path / "set" / "clips").iterdir()))
        return looked_at(*told)

    monkeypatch.setattr(preparing, "_judged", judged)
    settings = preparing.Settings(frames=15, spacing=0.1)
    index = preparing.prepare(
        (many,), tmp_path / "set", settings, shares=(0.1, 0.0), table={}, tick=lambda *told: None
    )
    (entry,) = index.entries.values()
    clip = 15 * 160 * 192 * 3
    before = [sum(number < index for number in entry.kept) for index in range(len(entry.clips))]
    assert [size // clip for size in sizes] == before and before[-1] >= 3


def test_a_name_that_is_no_text_is_written_out_and_the_set_can_be_read(clip, tmp_path):
    (clip.parent / os.fsdecode(b"b\xff.mp4")).write_bytes(clip.read_bytes())
    folder = tmp_path / "set"
    assert cli.main(["prepare", str(clip.parent), str(folder), "--quiet", "--keep-all"]) == 0
    assert list(shards.read_index(folder).entries) == ["in/a.mp4", "in/b\\udcff.mp4"]
    assert cli.main(["prepare", str(clip.parent), str(folder), "--quiet", "--keep-all"]) == 0


def test_pictures_that_may_not_be_read_end_nothing(clip, tmp_path, monkeypatch):
    frames = clip.parent / "frames"
    frames.mkdir()
    for number in range(6):
        Image.fromarray(moving(0)[number]).save(frames / f"{number:04}.png")
    honest = sources.decode_all

    def refused(path, **told):
        if path.parent == frames:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return honest(path, **told)

    monkeypatch.setattr(sources, "decode_all", refused)
    found = prepared(clip.parent, tmp_path / "set")
    assert sum("Permission denied" in entry.broken for entry in found.entries.values()) == 6
    assert any(entry.clips for entry in found.entries.values())


def test_a_damaged_index_is_said(clip, tmp_path):
    folder = tmp_path / "set"
    prepared(clip, folder)
    (folder / "index.json").write_text("{")
    with pytest.raises(VidganError, match="no index of a data set: Invalid JSON"):
        Store(folder)
    (folder / "index.json").write_text(
        '{"schema_version": 1, "entries": {"a/b.mp4": {"kind": "video", "size": -0.5}}}'
    )
    with pytest.raises(VidganError, match=r"entries\.a/b\.mp4\.size: Input should be a valid integer"):
        Store(folder)
