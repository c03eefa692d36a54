"""Files are there whole or not at all, and known by their bytes."""

import hashlib
from pathlib import Path

import pytest

from vidgan import disk


def test_a_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "name.txt"
    path.write_text("old")
    with disk.replacing(path) as partial:
        partial.write_text("new")
        assert path.read_text() == "old"
        assert partial.parent == tmp_path and partial.name.startswith(
            "."
        )  # the same disk; passed over by walks
    assert path.read_text() == "new" and list(tmp_path.iterdir()) == [path]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "name.txt"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), disk.replacing(path) as partial:  # noqa: PT012 - the block is the test
        partial.write_text("half")
        raise KeyboardInterrupt
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_a_name_near_the_systems_limit_has_room_for_its_partial(tmp_path: Path) -> None:
    path = tmp_path / ("é" * 120 + ".json")  # 245 bytes of 255
    with disk.replacing(path) as partial:
        partial.write_text("{}")
    assert path.read_text() == "{}"


def test_short_names_stay_and_long_ones_stay_different() -> None:
    assert disk.short("a" * 40) == "a" * 40
    one, other = disk.short("a" * 60 + "1"), disk.short("a" * 60 + "2")
    assert len(one) == len(other) == 40 and one != other


def test_the_digest_is_that_of_the_bytes(tmp_path: Path) -> None:
    path = tmp_path / "abc"
    path.write_bytes(b"abc")  # FIPS 180-2, appendix B.1
    assert disk.sha256(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert disk.sha256(path) == hashlib.sha256(b"abc").hexdigest()


@pytest.mark.parametrize(
    ("system", "place"),
    [("linux", ".cache/vidgan"), ("darwin", "Library/Caches/vidgan"), ("win32", "AppData/Local/vidgan")],
)
def test_the_cache_is_where_the_system_has_it(
    system: str, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("VIDGAN_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.platform", system)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert disk.cache() == tmp_path / place


def test_the_cache_can_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.delenv("VIDGAN_CACHE", raising=False)
    assert disk.cache() == tmp_path / "xdg" / "vidgan"
    monkeypatch.setenv("VIDGAN_CACHE", str(tmp_path / "scratch"))
    assert disk.cache() == tmp_path / "scratch"
