"""Opening a file as a video and as nothing else.

FFmpeg opens far more than videos: playlists that name other files or addresses, scripts, numbered
pictures, devices. An input here is one ordinary local file in a real container, whatever its name
says. The demuxers are listed (`format_whitelist`) and so is the only protocol (`file`): the protocol
alone is not enough, since an ffconcat script opens other local files. FFmpeg passes both lists on to
whatever a demuxer opens in turn.
"""

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
from av.container import InputContainer
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from vidgan.errors import BadVideo

CONTAINERS = (
    "mov",
    "matroska",
    "avi",
    "mpegts",
    "mpeg",
    "flv",
    "asf",
    "ogg",
    "ivf",
    "mxf",
    "nut",
    "dv",
    "yuv4mpegpipe",
)
MAX_PIXELS = 8192 * 8192  # a file of a few bytes may announce any size; this is 8K by 8K
MOST_STREAMS = 256  # fonts are streams, too; FFmpeg would open a thousand, each with a decoder
OPEN_SECONDS = 60.0  # until a file has said what it is
READ_SECONDS = 120.0  # for one packet: between two of a subtitle, gigabytes of film may have to be read

PICTURES = Disposition.attached_pic | Disposition.timed_thumbnails  # streams that are no films

_PROBE_BYTES = 16 * 1024 * 1024
_PROBE_MICROSECONDS = 10_000_000
_HEADER_BYTES = 64 * 1024  # of what is read beyond the header, which is read whole

# What else people hand over by mistake, told from its first bytes: only the message depends on it.
_NOT_VIDEOS = (
    (b"#EXTM3U", "is an HLS playlist, which names other files"),
    (b"ffconcat", "is an ffconcat script, which names other files"),
    (b"<?xml", "is an XML text"),
    (b"<MPD", "is a DASH playlist, which names other files"),
    (b"v=0", "is an SDP description of a network stream"),
    (b"\x89PNG", "is a picture"),
    (b"\xff\xd8\xff", "is a picture"),
    (b"GIF8", "is an animated picture"),
    (b"%PDF", "is a PDF document"),
)


def url(path: Path) -> str:
    """The name under which FFmpeg takes `path` literally: no protocol, pattern or option is read into it."""
    return f"file:{path.absolute()}"


@contextmanager
def open_video(
    path: Path, *, max_pixels: int = MAX_PIXELS, header_only: bool = False
) -> Iterator[InputContainer]:
    """Open `path` for reading. Raises BadVideo where it is not a local file in one of CONTAINERS.

    header_only  no film is looked at: its streams may stay unknown
    """
    _check_is_file(path)
    options = {
        "format_whitelist": ",".join(CONTAINERS),
        "protocol_whitelist": "file",
        "probesize": str(_HEADER_BYTES if header_only else _PROBE_BYTES),
        "analyzeduration": str(1 if header_only else _PROBE_MICROSECONDS),
        "max_pixels": str(max_pixels),
        "max_streams": str(MOST_STREAMS + 1),  # some demuxers leave out what is more, and say nothing
    }
    timeout = (OPEN_SECONDS, READ_SECONDS)
    try:
        # Tags in the wild are not always UTF-8; a broken title is no reason to refuse a video.
        container = av.open(url(path), "r", options=options, metadata_errors="replace", timeout=timeout)
    except (av.FFmpegError, ValueError, UnicodeError) as error:
        raise _unreadable(path, error) from None
    with container:
        if len(container.streams) > MOST_STREAMS:
            raise _too_many_streams(path)
        yield container


def packets(container: InputContainer, *streams: Stream) -> Iterator[av.Packet]:
    """The packets of `streams`, of all where none is named.

    Raises BadVideo where the file gives none for READ_SECONDS, and FFmpegError where it is damaged.
    """
    try:
        yield from container.demux(*streams)
    except av.ExitError:
        raise _stuck(Path(container.name.removeprefix("file:")), READ_SECONDS) from None


def main_video(container: InputContainer, film: int | None = None) -> VideoStream | None:
    """The stream that is the film: FFmpeg's choice, never a cover picture. None where there is none.

    film  its place among those that are no pictures, where it is known: FFmpeg goes by bit rates
    """
    if film is not None:
        films = [stream for stream in container.streams.video if not stream.disposition & PICTURES]
        return films[film] if film < len(films) else None
    stream = container.streams.best("video")
    if stream is None or stream.disposition & PICTURES:
        return None
    assert isinstance(stream, VideoStream)
    return stream


def _check_is_file(path: Path) -> None:
    try:
        status = path.stat()
    except FileNotFoundError:
        raise BadVideo(f"{path} does not exist", "Check the name and the folder.") from None
    except (OSError, ValueError) as error:
        raise BadVideo(f"{path} cannot be opened: {error}", "Check the name and your rights to it.") from None
    if stat.S_ISDIR(status.st_mode):
        raise BadVideo(f"{path} is a folder", "Name one video file in it.")
    if not stat.S_ISREG(status.st_mode):
        raise BadVideo(f"{path} is not an ordinary file", "Save the video to a file first.")
    if status.st_size == 0:
        raise BadVideo(f"{path} is empty", "Copy or download it again.")


def _too_many_streams(path: Path) -> BadVideo:
    return BadVideo(
        f"{path} holds more than {MOST_STREAMS} streams",
        "Keep those that you need: ffmpeg -i IN -map 0:v:0 -map 0:a? -c copy OUT",
    )


def _stuck(path: Path, seconds: float) -> BadVideo:
    return BadVideo(
        f"{path} has given nothing for {seconds:g} s: it is damaged, or what it lies on is very slow",
        "Copy it to a local disk, and try again.",
    )


def _unreadable(path: Path, error: Exception) -> BadVideo:
    if isinstance(error, av.ExitError):
        return _stuck(path, OPEN_SECONDS)
    if isinstance(error, MemoryError):  # what demuxers say of a stream too many, and of a table without end
        return BadVideo(
            f"{path} announces more than {MOST_STREAMS} streams, or more than fits into memory",
            "Copy or download it again; it looks damaged.",
        )
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError as reason:
        return BadVideo(f"{path} cannot be opened: {reason}", "Check your rights to it.")
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    for magic, what in _NOT_VIDEOS:
        if start.startswith(magic):
            return BadVideo(f"{path} {what}, not a video file", "Give the video file itself.")
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"):
        return BadVideo(
            f"{path} is an MP4 or MOV whose index is missing or damaged; it looks cut off",
            "Copy or download it again; a recording that was interrupted can often be repaired with untrunc.",
        )
    if b"\0" not in head and head.isascii():
        return BadVideo(f"{path} is a text file, not a video", "Give a video file.")
    kinds = "MP4, MOV, MKV, WebM, AVI, MPEG, FLV, ASF, OGG, MXF"
    said = getattr(error, "strerror", None) or error
    return BadVideo(f"{path} is no video that can be read ({said})", f"Give a whole video file: {kinds}.")
