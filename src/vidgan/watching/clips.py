"""Events, each cut out of the video as a file of its own: a second more on both sides, sound and all.

A copy of packets could begin at key frames alone, up to ten seconds too early; so the frames are coded again, in the
source's own colours and at their own times, and exactly those that were asked for.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from vidgan import video
from vidgan.disk import try_to_write
from vidgan.errors import BadOutput
from vidgan.score import Event
from vidgan.video import CONTAINERS, Encoding, Source, Writer

MARGIN = 1.0  # seconds before and after an event
AT_ONCE = 1e-9  # seconds: a start that leaves nothing out
MOST = 100  # files; of more events the longest are cut out
OURS = re.compile(r"\d{4,}-[a-z]+-\d+m\d\ds\.[a-z0-9]+")


def check_folder(folder: Path, *, overwrite: bool) -> None:
    """Before any work: raises BadOutput where clips cannot go."""
    if folder.exists() and not folder.is_dir():
        raise BadOutput(f"{folder} is a file", "Name a folder for the clips.")
    if not folder.is_dir() and not folder.resolve().parent.is_dir():
        raise BadOutput(f"{folder.resolve().parent} is no folder", "Make it first, or choose another.")
    try:
        try_to_write(folder if folder.is_dir() else folder.resolve().parent)
    except OSError as error:
        raise BadOutput(f"{folder} cannot be written: {error.strerror}", "Choose another folder.") from None
    if not overwrite and folder.is_dir() and any(OURS.fullmatch(file.name) for file in folder.iterdir()):
        raise BadOutput(f"{folder} holds clips already", "Add --overwrite, or choose another folder.")


def chosen(events: Sequence[Event], kinds: Sequence[str]) -> list[tuple[int, Event]]:
    """The events of these kinds, at most MOST, with their numbers, from 1."""
    numbered = [(number, event) for number, event in enumerate(events, 1) if event.kind in kinds]
    longest = sorted(numbered, key=lambda each: each[1].start - each[1].end)[:MOST]
    return sorted(longest, key=lambda each: each[0])


def cut(
    source: Source,
    events: Sequence[tuple[int, Event]],
    folder: Path,
    *,
    overwrite: bool,
    say: Callable[[str], None],
) -> Iterator[tuple[int, str]]:
    """Make one file after the other; gives the event's number and the file's name when it is there.

    Raises BadOutput where the disk or the encoder fails: then that file is not there, and those before it are whole.
    """
    suffix, encoding = _form(source)
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise BadOutput(f"{folder} cannot be made: {error.strerror}", "Choose another folder.") from None
    for number, event in events:
        path = folder / f"{number:04}-{event.kind}-{_clock(event.start)}{suffix}"
        start, duration = _part(source, event)
        writer = Writer(
            path,
            source=source,
            width=source.width,
            height=source.height,
            encoding=encoding,
            orientation=source.orientation,
            sample_aspect=source.sample_aspect,
            start=start,
            duration=duration,
            overwrite=overwrite,
            say=say,
        )
        with writer:
            for frame in video.read(source, start=start, duration=duration):
                writer.write(frame)
        yield number, path.name


def _part(source: Source, event: Event) -> tuple[float, float]:
    """Start and duration of the event with its margins.

    Half a tick earlier than the frames: seconds in binary are never exact, and a frame on the edge must not be lost.
    """
    half = float(source.time_base) / 2
    # A part begins at 0; all of a recording would keep its clock, and show nothing for the hours before it.
    keeps_clock = video.origin_of(source) > 0 and not source.clock_is_arbitrary
    start = max(event.start - MARGIN - half, AT_ONCE if keeps_clock else 0.0)
    return start, event.end + MARGIN - half - start


def _form(source: Source) -> tuple[str, Encoding]:
    """The suffix and the encoding that keep most: the source's own container, where it takes any times."""
    suffix = source.path.suffix.lower()
    if source.sample_aspect != 1 and (source.width % 2 or source.height % 2):
        return ".mp4", Encoding(codec="vp9")  # which Matroska and WebM hold with square pixels only
    if source.sample_aspect != 1 and suffix == ".webm":
        return ".mkv", Encoding()
    if source.width % 2 or source.height % 2:  # H.264 in 4:2:0 would have to lose a column or a row
        return (".webm" if suffix == ".webm" else ".mkv"), Encoding(codec="vp9")
    return (suffix if suffix in CONTAINERS and suffix != ".avi" else ".mkv"), Encoding()


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes:02}m{rest:02}s"
