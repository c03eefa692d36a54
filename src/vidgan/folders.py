"""What a folder holds: files that are taken for videos or for photos by their names; what they are is seen later."""

from collections.abc import Iterator
from pathlib import Path

from vidgan.errors import BadVideo

VIDEO_SUFFIXES = {
    ".mp4", ".m4v", ".mov", ".qt", ".3gp", ".3g2", ".mkv", ".webm", ".avi", ".divx", ".ts", ".mts", ".m2ts", ".mpg",
    ".mpeg", ".vob", ".flv", ".f4v", ".wmv", ".asf", ".ogv", ".ogg", ".ivf", ".mxf", ".nut", ".dv", ".y4m",
}  # fmt: skip
PHOTO_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}


def is_video(file: Path) -> bool:
    return file.suffix.lower() in VIDEO_SUFFIXES


def is_photo(file: Path) -> bool:
    return file.suffix.lower() in PHOTO_SUFFIXES


def is_hidden(name: str) -> bool:
    """Of thumbnails, of other systems' notes, and of what an interrupted run left."""
    return name.startswith(".")


def walked(place: Path, *, links: bool = False) -> Iterator[tuple[Path, list[Path]]]:
    """Each folder at or below a place, itself first, with its files in order; hidden ones are passed over.

    links  whether a link to a folder counts as a folder; those inside it are left out, since links may form a circle
    Raises BadVideo for a folder that may not be opened: what it holds would be missing without a word.
    """
    # Written out, since Path.walk is younger than Python 3.11, and os.walk passes over what may not be opened.
    try:
        entries = sorted(entry for entry in place.iterdir() if not is_hidden(entry.name))
        files = [entry for entry in entries if entry.is_file()]
    except OSError as error:
        raise BadVideo(
            f"{place} may not be opened: {error.strerror}", "Allow it, or put it elsewhere."
        ) from None
    yield place, files
    for entry in entries:
        if entry.is_dir() and not entry.is_symlink():
            yield from walked(entry, links=links)
        elif entry.is_dir() and links and not place.resolve().is_relative_to(entry.resolve()):
            yield next(walked(entry))
