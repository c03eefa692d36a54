"""What a file says about itself, before its pictures are worked on.

One frame is decoded: sizes, colours and orientation are those of the decoded picture, not of the
header, since headers of padded, rotated or re-tagged videos disagree with their pictures. No frame
count is asked for.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from struct import unpack

import av
from av.container import InputContainer
from av.sidedata.sidedata import Type as SideDataType
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from vidgan.errors import BadVideo, printable
from vidgan.video.colour import UNSUPPORTED_MATRICES, Colour, Tags, interpret, side_data, tags_of
from vidgan.video.files import MAX_PIXELS, PICTURES, main_video, open_video, packets

# (a, b, c, d) of the display matrix, x' = a x + c y and y' = b x + d y -> how stored pixels become
# upright, numbered as in EXIF.
ORIENTATIONS = {
    (1, 0, 0, 1): 1,
    (-1, 0, 0, 1): 2,
    (-1, 0, 0, -1): 3,
    (1, 0, 0, -1): 4,
    (0, 1, 1, 0): 5,
    (0, 1, -1, 0): 6,
    (0, -1, -1, 0): 7,
    (0, -1, 1, 0): 8,
}

# Codecs of single pictures: only the container can say that their frames are interlaced.
HEADER_ONLY_INTERLACE = {"mjpeg", "rawvideo", "v210", "ffv1", "huffyuv", "ffvhuff", "utvideo", "jpeg2000"}

# For the ffmpeg command that lays a transparent film over black, and its decoders that see what is transparent.
_ON_BLACK = '"split[b][f];[b]drawbox=c=black:t=fill:replace=1[b];[b][f]overlay,format=yuv420p"'
_SEES_ALPHA = {"vp8": "libvpx", "vp9": "libvpx-vp9"}

_MATROSKA_DURATION = re.compile(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)")
_MAX_UNDECODABLE_PACKETS = 500  # before the first picture; a file that yields none by then is no video


@dataclass(frozen=True, kw_only=True)
class OtherStream:
    """A stream beside the film: to be carried, not worked on."""

    index: int
    kind: str  # audio, subtitle, attachment, data or video
    codec: str
    language: str | None
    title: str | None
    dispositions: tuple[str, ...]  # default, forced, attached_pic, ...

    def __str__(self) -> str:
        kind = "cover picture" if "attached_pic" in self.dispositions else self.kind
        details = ", ".join(part for part in (self.codec, self.language, self.title) if part)
        return printable(f"{kind} stream {self.index} ({details})")


@dataclass(frozen=True, kw_only=True)
class Source:
    """Everything known about an input before its frames are read."""

    path: Path
    container: str  # FFmpeg's name of the demuxer, such as mov,mp4,m4a,3gp,3g2,mj2
    codec: str
    width: int  # of decoded frames, as stored: before the orientation and the sample aspect are applied
    height: int
    orientation: int  # 1..8 as in EXIF: how stored pixels become upright; 1 is as stored
    sample_aspect: Fraction  # width of a pixel over its height; 1 where the file does not say
    bit_depth: int
    pixel_format: str
    colour: Colour
    time_base: Fraction  # seconds, the unit of every pts
    average_rate: Fraction | None  # frames a second, where the file says
    interlaced: bool
    field_order: str | None  # "top" or "bottom" field first, where interlaced
    start_seconds: Fraction  # the file's zero on the clock of its pts
    clock_is_arbitrary: bool  # whether that zero means nothing, as in MPEG streams
    duration_seconds: float | None
    stream_seconds: Fraction | None  # what the header says of this stream alone
    video_index: int
    others: tuple[OtherStream, ...]
    notes: tuple[str, ...] = ()  # what cannot be kept and should be said, such as Dolby Vision metadata

    def seconds_of(self, start: float, duration: float | None) -> float | None:
        """How long a part is; where the file does not say its end, as long as was asked for."""
        if self.duration_seconds is None:
            return duration
        rest = max(self.duration_seconds - start, 0.0)
        return rest if duration is None else min(rest, duration)


def probe(path: Path, *, max_pixels: int = MAX_PIXELS, film: int | None = None) -> Source:
    """Describe the video in `path`.

    Raises BadVideo where it is missing, empty, a folder, a playlist, a text, cut off, without video or
    frames, larger than max_pixels, or in colours that would not survive (transparency, matrices that
    cannot be converted exactly).
    """
    path = Path(path)
    with open_video(path, max_pixels=max_pixels) as container:
        stream = main_video(container, film)
        if stream is None:
            kinds = sorted({str(s.type) for s in container.streams if not s.disposition & PICTURES})
            only = f", only {' and '.join(kinds)}" if kinds else ""
            raise BadVideo(f"{path} holds no video{only}", "Give a file with a video.")
        if stream.codec_context is None:
            raise BadVideo(f"{path} is coded in a way that is unknown here", "Convert it to H.264 first.")
        _check_size(path, stream.codec_context.width, stream.codec_context.height, max_pixels)
        stream.codec_context.options = {"max_pixels": str(max_pixels)}
        frame = _first_frame(container, stream, path)
        _check_size(path, frame.width, frame.height, max_pixels)
        return _describe(path, container, stream, frame)


def metadata(path: Path) -> dict[str, str]:
    """The words that a file's header says about it: title, comment and others. Raises BadVideo."""
    with open_video(path, header_only=True) as container:
        return dict(container.metadata)


def _describe(path: Path, container: InputContainer, stream: VideoStream, frame: av.VideoFrame) -> Source:
    tags = _merge(tags_of(frame), tags_of(stream.codec_context))
    _check_colours(path, stream, frame, tags)
    interlaced, field_order = _interlace(stream, frame)
    start = Fraction(container.start_time or 0, av.time_base)
    assert stream.time_base is not None
    return Source(
        path=path,
        container=container.format.name,
        codec=stream.codec_context.codec.canonical_name,
        width=frame.width,
        height=frame.height,
        orientation=orientation_of(path, frame),
        sample_aspect=stream.sample_aspect_ratio or Fraction(1),
        bit_depth=max(component.bits for component in frame.format.components),
        pixel_format=frame.format.name,
        colour=interpret(tags, frame, stream.codec_context.codec.canonical_name),
        time_base=stream.time_base,
        average_rate=_rate(stream),
        interlaced=interlaced,
        field_order=field_order,
        start_seconds=start,
        clock_is_arbitrary=bool(av.format.Flags(container.format.flags) & av.format.Flags.ts_discont),
        duration_seconds=_duration(container, stream, start),
        stream_seconds=_stream_seconds(stream),
        video_index=stream.index,
        others=tuple(describe_other(other) for other in container.streams if other.index != stream.index),
        notes=tuple(_notes(frame)),
    )


def _first_frame(container: InputContainer, stream: VideoStream, path: Path) -> av.VideoFrame:
    for frame in _decodable(container, stream):
        if frame is not None:
            return frame
    raise BadVideo(
        f"{path} holds no picture that can be decoded ({stream.codec_context.name})",
        "It may be cut off or damaged: copy or download it again.",
    )


def _decodable(container: InputContainer, stream: VideoStream) -> Iterator[av.VideoFrame | None]:
    """Frames, and None for each packet that gives none; ends at the damage, the end or the limit."""
    waiting = packets(container, stream)
    for _ in range(_MAX_UNDECODABLE_PACKETS):
        try:
            packet = next(waiting)
        except (StopIteration, av.FFmpegError):
            return
        try:
            frames = packet.decode()
        except av.FFmpegError:
            frames = []
        yield from frames
        yield None


def _check_size(path: Path, width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise BadVideo(
            f"{path} is {width}x{height}, more than {max_pixels} pixels a frame",
            "Scale it down first, if it really is that large.",
        )


def _check_colours(path: Path, stream: VideoStream, frame: av.VideoFrame, tags: Tags) -> None:
    has_alpha = any(component.is_alpha for component in frame.format.components)
    if has_alpha or stream.metadata.get("alpha_mode") == "1":
        codec = stream.codec_context.codec.canonical_name
        decoder = f"-c:v {_SEES_ALPHA[codec]} " if codec in _SEES_ALPHA else ""
        raise BadVideo(
            f"{path} is transparent in places ({frame.format.name}), which enhancing would lose",
            f"Lay it over a background first, here black: ffmpeg {decoder}-i IN -vf {_ON_BLACK} OUT",
        )
    if tags.matrix in UNSUPPORTED_MATRICES and not frame.format.is_rgb:
        raise BadVideo(
            f"{path} holds its colours as {UNSUPPORTED_MATRICES[tags.matrix]}, which is not understood here",
            "Convert it to BT.709 or BT.2020 (non-constant luminance) first.",
        )
    if frame.format.name.startswith(("xyz", "bayer")):
        raise BadVideo(f"{path} holds its colours as {frame.format.name}", "Convert it to YUV or RGB first.")


def _merge(first: Tags, second: Tags) -> Tags:
    """The frame's tags; the header's where the frame is silent."""
    return Tags(
        matrix=second.matrix if first.matrix in (2, 3) else first.matrix,
        primaries=second.primaries if first.primaries in (0, 2, 3) else first.primaries,
        transfer=second.transfer if first.transfer in (0, 2, 3) else first.transfer,
        range=first.range or second.range,
    )


def _interlace(stream: VideoStream, frame: av.VideoFrame) -> tuple[bool, str | None]:
    """Whether frames hold two moments: by the frame; by the header where frames cannot say.

    A header alone is no proof: films on DVD are whole frames in a stream that is marked as interlaced.
    AV_FIELD_TT and TB (2, 4) show the top field first; BB and BT (3, 5) the bottom one.
    """
    order = {2: "top", 4: "top", 3: "bottom", 5: "bottom"}.get(stream.codec_context.field_order)
    by_header = order is not None and stream.codec_context.codec.canonical_name in HEADER_ONLY_INTERLACE
    return frame.interlaced_frame or by_header, order


def orientation_of(path: Path, frame: av.VideoFrame) -> int:
    data = side_data(frame, SideDataType.DISPLAYMATRIX)
    if data is None:
        return 1
    matrix = unpack("=9i", data)
    a, b, c, d = matrix[0], matrix[1], matrix[3], matrix[4]
    largest = max(abs(a), abs(b), abs(c), abs(d), 1)
    key = tuple(round(value / largest) for value in (a, b, c, d))
    slack = max(abs(value / largest - whole) for value, whole in zip((a, b, c, d), key, strict=True))
    if key not in ORIENTATIONS or slack > 0.02:
        raise BadVideo(
            f"{path} asks to be turned by a free angle ({frame.rotation} degrees) when shown",
            "Clear that first (ffmpeg -display_rotation 0 -i IN -c copy OUT) and turn it with --rotate.",
        )
    return ORIENTATIONS[key]


def _rate(stream: VideoStream) -> Fraction | None:
    """Frames a second. Of raw DV FFmpeg gives its clock's ticks as the average."""
    average, base = stream.average_rate, stream.base_rate
    if average and base and stream.time_base and base < average == 1 / stream.time_base:
        return base
    return average or None


def _duration(container: InputContainer, stream: VideoStream, start: Fraction) -> float | None:
    """From the file's zero to its end; start is that zero on the clock of its pts."""
    seconds = _stream_seconds(stream)
    if seconds is None and container.duration is not None:
        seconds = Fraction(container.duration, av.time_base)
    # Matroska's are mostly ends on that clock, and some programs' lengths: what ends before it begins is a length.
    if seconds is not None and stream.duration is None and "matroska" in container.format.name:
        seconds -= start if 0 < start < seconds else 0
    return None if seconds is None else float(seconds)


def _stream_seconds(stream: VideoStream) -> Fraction | None:
    if stream.duration is not None and stream.time_base is not None:
        return stream.duration * stream.time_base
    written = _MATROSKA_DURATION.fullmatch(stream.metadata.get("DURATION", ""))
    if written is None:
        return None
    hours, minutes, seconds = written.groups()
    return int(hours) * 3600 + int(minutes) * 60 + Fraction(seconds)


def describe_other(stream: Stream) -> OtherStream:
    """A stream in words, for the list of what travels along."""
    return OtherStream(
        index=stream.index,
        kind=stream.type,
        codec=codec_name(stream),
        language=stream.metadata.get("language"),
        title=stream.metadata.get("title"),
        dispositions=tuple(flag.name or "" for flag in Disposition(stream.disposition)),
    )


def codec_name(stream: Stream) -> str:
    """The codec's name, whatever kind of stream it is."""
    if stream.codec_context is not None:
        return stream.codec_context.codec.canonical_name
    if stream.type == "attachment":
        return stream.metadata.get("mimetype") or "file"
    return getattr(stream, "name", None) or "unknown"


def _notes(frame: av.VideoFrame) -> Iterator[str]:
    kinds = SideDataType
    if side_data(frame, kinds.DOVI_METADATA) or side_data(frame, kinds.DOVI_RPU_BUFFER):
        yield "Dolby Vision metadata describes the old pictures and is not carried; the base layer's HDR is"
    if side_data(frame, kinds.DYNAMIC_HDR_PLUS):
        yield "HDR10+ metadata describes the old pictures and is not carried; static HDR10 metadata is"
    if side_data(frame, kinds.A53_CC):
        yield "closed captions inside the video stream are not carried"
