"""What each kind of output file can hold: looked up before a frame is worked on."""

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from vidgan.errors import BadOutput


class Clock(Enum):
    """How finely a container counts time."""

    ANY = "any"  # the source's own ticks
    MILLISECONDS = "milliseconds"
    FRAMES = "frames"  # a constant rate, frame after frame


@dataclass(frozen=True, kw_only=True)
class Container:
    format: str  # FFmpeg's muxer
    codecs: tuple[str, ...]  # the first is the default for 8 bits, where nothing else is said
    clock: Clock
    subtitles: str | None  # the form that text subtitles are converted to where they cannot be copied
    sound: str  # and sound
    plays_pcm: bool = True  # whether its players know uncompressed sound, beside its muxer
    attachments: bool = False  # fonts and other files; cover pictures become one of them
    covers: bool = False  # pictures as streams marked attached_pic
    chapters: bool = True
    colour_tags: bool = True
    negative_times: bool = True  # sound may start before zero (an encoder's run-in)
    orientation: bool = True  # a display matrix can be stored
    sample_aspect: bool = True  # also for codecs that cannot say it themselves
    options: tuple[tuple[str, str], ...] = ()


# Matroska would shift every stream where sound starts before zero; its blocks can say a negative time.
_MATROSKA_OPTIONS = (("avoid_negative_ts", "disabled"),)
_MP4 = Container(
    format="mp4",
    codecs=("h264", "hevc", "av1", "vp9", "mpeg4"),
    clock=Clock.ANY,
    subtitles="mov_text",
    sound="aac",
    plays_pcm=False,
    covers=True,
)

CONTAINERS = {
    ".mp4": _MP4,
    ".m4v": _MP4,
    ".mov": Container(
        format="mov",
        codecs=("h264", "hevc", "prores", "mpeg4"),
        clock=Clock.ANY,
        subtitles="mov_text",
        sound="aac",
    ),
    ".mkv": Container(
        format="matroska",
        codecs=("h264", "hevc", "av1", "vp9", "ffv1", "prores", "mpeg4"),
        clock=Clock.MILLISECONDS,
        subtitles="subrip",
        sound="flac",
        attachments=True,
        sample_aspect=False,
        options=_MATROSKA_OPTIONS,
    ),
    ".webm": Container(
        format="webm",
        codecs=("vp9", "av1"),
        clock=Clock.MILLISECONDS,
        subtitles="webvtt",
        sound="opus",
        sample_aspect=False,
        options=_MATROSKA_OPTIONS,
    ),
    ".avi": Container(
        format="avi",
        # AVI has no presentation times: H.264 comes back one frame late.
        codecs=("mpeg4", "ffv1"),
        clock=Clock.FRAMES,
        subtitles=None,
        sound="pcm_s16le",
        chapters=False,
        colour_tags=False,
        negative_times=False,
        orientation=False,
    ),
}


def container_for(path: Path) -> Container:
    """The container that the suffix of `path` names. Raises BadOutput for one that we do not write."""
    found = CONTAINERS.get(path.suffix.lower())
    if found is None:
        what = f"{path.suffix} files" if path.suffix else "a file without a suffix"
        raise BadOutput(
            f"{path}: vidgan does not write {what}", f"End the name in one of: {', '.join(CONTAINERS)}."
        )
    return found
