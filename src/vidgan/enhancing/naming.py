"""What an output is called where only its folder is named, and what a folder of videos becomes."""

import os
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from vidgan.errors import BadOption, BadOutput, BadVideo
from vidgan.folders import is_hidden, is_video

# An output that we name ourselves keeps these; from any other it becomes .mkv, which holds every stream.
KEPT_SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".webm")


@dataclass(frozen=True)
class Task:
    source: Path
    output: Path


@dataclass(frozen=True)
class Found:
    tasks: list[Task]
    others: list[Path]  # files that are no videos by their names
    closed: list[Path]  # folders that may not be opened
    made: list[Path]  # videos that say so, or that are what another one of the folder becomes


def name_for(source: Path, word: str) -> str:
    """<source>_<word>.<suffix>; with an empty word, without the _<word>.

    A suffix outside KEPT_SUFFIXES stays in the name and .mkv is added: a.mkv and a.avi become a_out.mkv and
    a.avi_out.mkv. A suffix also stays where the name would still end like a video without it, as in a.avi.mkv. So no
    two videos get the same name, and no name depends on the other files of the folder.
    Raises BadOption for a word that would lead into another folder.
    """
    if any(sign in word for sign in ("/", "\0", os.sep, os.altsep or os.sep)):
        raise BadOption(
            f"--suffix {word} is no part of a file's name: it leads into another folder",
            "Name the folder as OUTPUT, and give letters and digits as the suffix.",
        )
    container = source.suffix if source.suffix.lower() in KEPT_SUFFIXES else ".mkv"
    is_plain = container == source.suffix and not is_video(Path(source.stem))
    return f"{source.stem if is_plain else source.name}{'_' if word else ''}{word}{container}"


def tasks(folder: Path, target: Path, word: str, *, is_marked: Callable[[Path], bool]) -> Found:
    """Every video at or below a folder, with its place at or below the target: subfolders are mirrored.

    is_marked  whether a file says that it was made by vidgan: it is no source then, where the target lies in the folder
    Hidden files and folders are passed over, links to folders are not followed, and neither is the target itself.
    Raises BadVideo where there is no video or the folder may not be opened, BadOutput where the target is a file,
    BadOption where it is called like one, and where names would be those of the sources themselves or differ in case
    alone.
    """
    if target.exists() and not target.is_dir():
        raise BadOutput(f"{target} is no folder", f"{folder} is one: name a folder for its videos.")
    if not word and target.resolve() == folder.resolve():
        raise BadOption(
            "the outputs would be the inputs themselves", "Name another folder, or give a --suffix."
        )
    videos, others, closed = _files(folder, target)
    if folder in closed:
        raise BadVideo(f"{folder} may not be opened", "Allow it, or name another folder.")
    if not videos:
        kinds = ", ".join(sorted(KEPT_SUFFIXES))
        raise BadVideo(
            f"there is no video in {folder}", f"Videos are known by their suffix: {kinds} and others."
        )
    if is_video(target) and not target.is_dir():
        raise BadOption(
            f"{folder} is a folder, and {target} is called like one video",
            "Name a folder for all of them; one that is called so has to be there already.",
        )
    places = {
        source: target / source.relative_to(folder).parent / name_for(source, word) for source in videos
    }
    # Where both folders are one, what an earlier run made is no source of this one, also without its mark.
    ours = {place.resolve() for source, place in places.items() if source.resolve() != place.resolve()}
    is_within = target.resolve().is_relative_to(folder.resolve())  # elsewhere a second pass is meant
    is_made = {source: source.resolve() in ours or (is_within and is_marked(source)) for source in videos}
    found = [Task(source, place) for source, place in places.items() if not is_made[source]]
    if not found:
        raise BadVideo(
            f"all videos in {folder} were made by earlier runs",
            "To enhance one again, name it instead of its folder.",
        )
    _check_apart(found)
    return Found(found, others, closed, made=[source for source in videos if is_made[source]])


def _check_apart(found: list[Task]) -> None:
    """Raise BadOption where two outputs would be one on a disk that does not tell A from a, whatever this disk does."""
    before: dict[str, Task] = {}
    for task in found:
        other = before.setdefault(unicodedata.normalize("NFC", str(task.output)).casefold(), task)
        if other is not task:
            raise BadOption(
                f"{other.source} and {task.source} would become {other.output} and {task.output}, "
                "which are one file on many disks",
                "Rename one of the two.",
            )


def _files(folder: Path, target: Path) -> tuple[list[Path], list[Path], list[Path]]:
    """Videos, other files, and folders that may not be opened: one, as of a disk's own, does not stop the others."""
    videos: list[Path] = []
    others: list[Path] = []
    closed: list[Path] = []
    # Not by folders.walked: a link that leads nowhere is a video here, which fails and is listed.
    for root, below, names in os.walk(folder, onerror=lambda error: closed.append(Path(error.filename))):
        place = Path(root)
        below[:] = sorted(name for name in below if not is_hidden(name) and not _is(place / name, target))
        for name in sorted(name for name in names if not is_hidden(name)):
            (videos if is_video(Path(name)) else others).append(place / name)
    return videos, others, closed


def _is(one: Path, other: Path) -> bool:
    return other.exists() and one.samefile(other)
