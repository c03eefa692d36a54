"""What an output is called where only its folder is named, and what a folder of videos becomes."""

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from vidgan.errors import BadOption, BadOutput, BadVideo

# An output that we name ourselves keeps these; from any other it becomes .mkv, which holds every stream.
KEPT_SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".webm")
# Files of other names are left out of a folder; each of these is looked at, whatever it turns out to be.
VIDEO_SUFFIXES = {
    ".mp4", ".m4v", ".mov", ".qt", ".3gp", ".3g2", ".mkv", ".webm", ".avi", ".divx", ".ts", ".mts", ".m2ts", ".mpg",
    ".mpeg", ".vob", ".flv", ".f4v", ".wmv", ".asf", ".ogv", ".ogg", ".ivf", ".mxf", ".nut", ".dv", ".y4m",
}  # fmt: skip


@dataclass(frozen=True)
class Task:
    source: Path
    output: Path


@dataclass(frozen=True)
class Found:
    tasks: list[Task]
    others: list[Path]  # files that are no videos by their names
    made: list[Path]  # videos that are what another one of the folder becomes


def name_for(source: Path, word: str, *, whole: bool = False) -> str:
    """<source>_word.suffix; the bare name where the word is empty. whole: with the source's own suffix in it."""
    container = source.suffix if source.suffix.lower() in KEPT_SUFFIXES else ".mkv"
    return f"{source.name if whole else source.stem}{'_' if word else ''}{word}{container}"


def tasks(folder: Path, target: Path, word: str) -> Found:
    """Every video at or below a folder, with its place at or below the target: subfolders are mirrored.

    Hidden files and folders are passed over, links to folders are not followed, and neither is the target itself.
    Raises BadVideo where there is no video, BadOutput where the target is a file, BadOption where names would be those
    of the sources themselves.
    """
    if target.exists() and not target.is_dir():
        raise BadOutput(f"{target} is no folder", f"{folder} is one: name a folder for its videos.")
    if not word and target.resolve() == folder.resolve():
        raise BadOption(
            "the outputs would be the inputs themselves", "Name another folder, or give a --suffix."
        )
    videos, others = _files(folder, target)
    plain = {source: _place(source, folder, target, word) for source in videos}
    shared = {place for place, count in Counter(plain.values()).items() if count > 1}  # a.avi and a.mkv
    places = {
        source: _place(source, folder, target, word, whole=True) if place in shared else place
        for source, place in plain.items()
    }
    # Where both folders are one, what an earlier run made is no source of this one.
    ours = {place.resolve() for source, place in places.items() if source.resolve() != place.resolve()}
    made = [source for source in videos if source.resolve() in ours]
    found = [Task(source, place) for source, place in places.items() if source not in made]
    if not found:
        kinds = ", ".join(sorted(KEPT_SUFFIXES))
        raise BadVideo(
            f"there is no video in {folder}", f"Videos are known by their suffix: {kinds} and others."
        )
    return Found(found, others, made)


def _files(folder: Path, target: Path) -> tuple[list[Path], list[Path]]:
    videos: list[Path] = []
    others: list[Path] = []
    for root, below, names in os.walk(folder):
        place = Path(root)
        below[:] = sorted(name for name in below if name[0] != "." and not _is(place / name, target))
        for name in sorted(name for name in names if name[0] != "."):
            (videos if Path(name).suffix.lower() in VIDEO_SUFFIXES else others).append(place / name)
    return videos, others


def _is(one: Path, other: Path) -> bool:
    return other.exists() and one.samefile(other)


def _place(source: Path, folder: Path, target: Path, word: str, *, whole: bool = False) -> Path:
    return target / source.relative_to(folder).parent / name_for(source, word, whole=whole)
