"""Frames out of a file, one by one, each with its own time: nothing is counted, rebuilt or held back.

A frame is shown until the next one: what packets say of it counts decoding, and files of a constant rate say nothing
of gaps. So one picture is decoded ahead. Memory is bounded by it and the decoder's few reference frames.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from fractions import Fraction
from math import floor
from typing import NamedTuple
from zlib import crc32

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream

from vidgan.errors import BadVideo
from vidgan.frame import Frame
from vidgan.silence import ignore
from vidgan.video.colour import Converter
from vidgan.video.deinterlacing import deinterlaced
from vidgan.video.files import MAX_PIXELS, open_video, packets
from vidgan.video.probe import Source
from vidgan.video.timing import clock_jumps_back, origin_of, segment
from vidgan.words import amount

_LONGEST_STEP_BACK = 1  # seconds; more is a clock that was reset, less is one encoder's mistake
# Containers whose packets lack some or all presentation times. FFmpeg guesses these correctly when it reads from the
# beginning; after a seek among reordered pictures, the first ones are lost and the others shown too early.
_READ_FROM_THE_BEGINNING = ("avi", "mpeg")
# Seconds: a picture that is shown for longer around an edge of a part is shown in part.
_LONG = Fraction(1, 5)
_SHORTFALL = Fraction(1, 2)  # seconds that may be missing at the end before the file counts as cut off

_Timed = tuple[int, av.VideoFrame]  # a picture after its pts, in ticks of the source
_Shown = tuple[int, av.VideoFrame | None]  # the same; None ends what is shown: that is when the last one goes
_Part = tuple[int | None, int | None]  # its beginning and its end in such ticks; None is open


def read(
    source: Source,
    *,
    start: float = 0.0,
    duration: float | None = None,
    say: Callable[[str], None] = ignore,
    threads: int = 0,
) -> Generator[Frame, None, None]:
    """Decode the frames shown in [start, start + duration), in order, as stored (not yet upright).

    start, duration  seconds, from the file's zero (source.start_seconds)
    say              told about damage: packets that do not decode, an end that comes too early
    threads          of the decoder, each with a frame in memory; 0 leaves it to FFmpeg
    Interlaced frames come out whole, one for one, through bwdif.
    Raises BadVideo where nothing can be decoded there, or the pictures change size or format on the way.
    """
    begin, end = _ticks_of(source, start, duration)
    frames = _frames(source, _pictures_from(source, begin, end, say, threads), begin, end)
    first = next(frames, None)
    if first is None:
        length = "" if source.duration_seconds is None else f"; it is {source.duration_seconds:.2f} s long"
        where = "" if begin is None and end is None else " in the part that is asked for"
        found = f"{source.path} shows no frame{where}{length}"
        raise BadVideo(found, "Check --start and --duration, or the file.")
    yield first
    yield from frames


class Seen(NamedTuple):
    """A frame by which a later run finds its place again."""

    pts: int
    checksum: int  # of the pixels

    @classmethod
    def of(cls, pixels: np.ndarray, pts: int) -> "Seen":
        return cls(pts, crc32(np.ascontiguousarray(pixels).data))


def read_after(
    source: Source,
    seen: Sequence[Seen],
    *,
    start: float = 0.0,
    duration: float | None = None,
    say: Callable[[str], None] = ignore,
    threads: int = 0,
) -> Iterator[Frame]:
    """What `read` gives after the frames that were seen last: the very same frames.

    seen  the last few of them, consecutive; the more, the surer that the place is right

    The file is sought to the first of these. Where that leads elsewhere or to other pixels, as bad indices and streams
    without key frames can cause, everything is decoded from the beginning; and so is an interlaced film always.
    Raises BadVideo where the pixels differ then as well.
    """
    begin, end = _ticks_of(source, start, duration)
    first = seen[0].pts
    ways = [_pictures_from(source, begin, end, say, threads)]
    # What becomes of interlaced frames depends on when the first of them was met, which may be long ago.
    if can_be_sought(source) and not source.interlaced:
        ways.insert(0, _pictures(source, (first, end), say, threads, seek=True))
    for pictures in ways:
        frames = _frames(source, pictures, first, end)
        if all(_is(next(frames, None), known) for known in seen):
            yield from frames
            return
        pictures.close()
    raise BadVideo(
        f"{source.path} is not what it was: its frame at {float(first * source.time_base):.2f} s is another",
        "Give the video as it was, or add --start-over.",
    )


def _is(frame: Frame | None, known: Seen) -> bool:
    return frame is not None and frame.pts == known.pts and Seen.of(frame.pixels, frame.pts) == known


def _ticks_of(source: Source, start: float, duration: float | None) -> tuple[int | None, int | None]:
    """Begin and end of a part, in the source's ticks; None is open."""
    part = segment(source, start, duration)
    begin = None if part.begin is None else int(part.begin / source.time_base)
    return begin, None if part.end is None else int(part.end / source.time_base)


def _frames(
    source: Source, pictures: Iterator[_Shown], begin: int | None, end: int | None
) -> Iterator[Frame]:
    """The pictures shown from `begin` to `end`, converted; of one that is shown for long, what of it falls between."""
    converter, deep = Converter(source.colour), source.bit_depth > 8
    most = _LONG / source.time_base

    def frame(picture: av.VideoFrame, pts: int, until: int) -> Frame:
        until = end if end is not None and until - end > most else until
        pixels = converter.to_rgb(picture, deep=deep)
        return Frame(pixels=pixels, pts=pts, duration=until - pts, time_base=source.time_base)

    waiting: _Timed | None = None
    for until, following in pictures:
        if waiting is not None:
            pts, picture = waiting
            if begin is None or pts >= begin:
                yield frame(picture, pts, until)
            elif until - begin > most:
                yield frame(picture, begin, until)
        waiting = None if following is None else (until, following)


def _pictures_from(
    source: Source, begin: int | None, end: int | None, say: Callable[[str], None], threads: int
) -> Generator[_Shown, None, None]:
    """Whole pictures in order of time, from `begin` or somewhat before it to `end`, and when the last of them goes."""
    if begin is not None and can_be_sought(source):
        pictures = _pictures(source, (begin, end), say, threads, seek=True)
        first = next(pictures, None)
        # Some indices lead past the frame they were asked for; then the file is read from its beginning.
        if first is not None and first[0] <= begin:
            yield first
            yield from pictures
            return
        pictures.close()
    yield from _pictures(source, (begin, end), say, threads, seek=False)


def can_be_sought(source: Source) -> bool:
    """Whether a frame is found without those before it."""
    return source.container not in _READ_FROM_THE_BEGINNING


def _pictures(
    source: Source, part: _Part, say: Callable[[str], None], threads: int, *, seek: bool
) -> Generator[_Shown, None, None]:
    """Whole pictures up to the part's end, from its beginning or somewhat before where it is sought.

    After them comes when the last of them goes: with the first one beyond the end, or where the film ends.
    """
    begin, end = part
    with open_video(source.path) as container:
        stream = _stream(container, source)
        stream.codec_context.thread_count = threads
        if seek and begin is not None:
            try:
                container.seek(begin, stream=stream)
            except av.FFmpegError:
                return
        decoded = _Decoded(container, stream, source, part, say)
        until: int | None = None  # as the last picture says
        for pts, picture in _in_order(deinterlaced(decoded.pictures(), source, say), source, say):
            if end is not None and pts >= end:
                decoded.report_damage()
                if until is not None:
                    yield pts, None
                return
            until = pts + (picture.duration or 0)
            yield pts, picture
        if until is not None:
            until = decoded.end_of_film(pts, until)
        decoded.report_damage()
        decoded.report_end(until)
        if until is not None:
            yield until, None


def _stream(container: InputContainer, source: Source) -> VideoStream:
    streams = [s for s in container.streams.video if s.index == source.video_index]
    if not streams or streams[0].time_base != source.time_base or streams[0].codec_context is None:
        raise BadVideo(f"{source.path} has changed since it was looked at", "Run the command again.")
    streams[0].thread_type = "AUTO"
    streams[0].codec_context.options = {"max_pixels": str(max(MAX_PIXELS, 2 * source.width * source.height))}
    return streams[0]


class _Decoded:
    """Pictures as the decoder gives them, and an account of what it could not decode."""

    def __init__(
        self,
        container: InputContainer,
        stream: VideoStream,
        source: Source,
        part: _Part,
        say: Callable[[str], None],
    ) -> None:
        self._container, self._stream, self._source, self._say = container, stream, source, say
        # Damage elsewhere is nobody's concern; before its beginning, pictures may lack what they refer to.
        self._part = part
        self._num_bad_packets = 0
        self._num_bad_frames = 0
        # AVI holds no presentation times and FFmpeg guesses them wrong where frames were reordered: there the
        # frames, which come in the order they are shown, take the packets' times in turn.
        self._turns: deque[int] | None = deque() if source.container == "avi" else None
        self._first_bad: Fraction | None = None
        self._stopped_by: Exception | None = None
        self._last: tuple[int, int] | None = None  # when the last packet was due, and for how long, in ticks
        self._num_indexed = len(stream.index_entries)
        self._said_until: Fraction | None = None  # by any picture: how far the file knows of
        self._at: Fraction | None = None  # when the picture before is shown
        self._aspect: Fraction | None = None  # of a pixel, as the decoder last said

    def pictures(self) -> Iterator[av.VideoFrame]:
        waiting = packets(self._container, self._stream)
        while True:
            try:
                packet = next(waiting, None)
            except av.FFmpegError as error:
                self._stopped_by = error
                packet = None
            if self._turns is not None and packet is not None and packet.size and packet.dts is not None:
                self._turns.append(packet.dts)
            try:
                frames = self._stream.decode(packet) if packet is not None or self._stopped_by else []
            except EOFError:
                frames = []
            except MemoryError:  # FFmpeg's, which is no damage: the frame would be lost
                raise BadVideo(
                    f"{self._source.path}: not enough memory to decode it",
                    "Close other programs, or give --memory.",
                ) from None
            except av.FFmpegError:
                frames = []
                if self._turns:  # the frame's that is missing; or all after it would be shown early
                    self._turns.popleft()
                self._note_bad(packet)
            else:
                if packet is not None and packet.dts is not None:
                    self._last = packet.dts, packet.duration or 0
            for frame in frames:
                if self._turns is not None:
                    self._give_time(frame)
                self._check(frame)
                yield frame
            if packet is None:
                return

    def _note_bad(self, packet: av.Packet | None) -> None:
        pts = None if packet is None else packet.dts if packet.pts is None else packet.pts
        if not self._matters(pts):
            return
        self._num_bad_packets += 1
        if self._first_bad is None and pts is not None:
            self._first_bad = pts * self._source.time_base

    def _matters(self, pts: int | None) -> bool:
        begin, end = self._part
        return pts is None or ((begin is None or pts >= begin) and (end is None or pts < end))

    def report_damage(self) -> None:
        """Say once what did not decode of all that was asked for."""
        path = self._source.path
        if self._num_bad_packets:
            where = "" if self._first_bad is None else f", the first at {float(self._first_bad):.2f} s"
            bad = amount(self._num_bad_packets, "damaged packet")
            self._say(f"{path}: {bad} could not be decoded{where}; frames are missing")
        if self._num_bad_frames:
            bad = amount(self._num_bad_frames, "damaged frame")
            self._say(f"{path}: {bad}, shown as far as possible")

    def end_of_film(self, pts: int, until: int) -> int:
        """In ticks, when the last picture goes that decodes, shown from `pts` on; it says itself until `until`."""
        stream, index = self._stream, self._stream.index_entries
        counts_decoding = self._source.container.startswith("mov")
        if not counts_decoding or not index or self._last is None or stream.start_time is None:
            return until
        due, duration = self._last
        # MP4 and MOV count from one decoding to the next, and the picture that is shown last need not be the one that
        # is decoded last. All packets together last as long as the film, which begins later than its decoding.
        end = due + duration + stream.start_time - index[0].timestamp
        if stream.duration:
            whole = stream.start_time + stream.duration
            # For VP9 FFmpeg says the usual duration of any packet. A file that is cut off ends where it ends.
            is_whole = due == index[-1].timestamp and len(index) == self._num_indexed
            end = whole if is_whole else min(end, whole)
        return end if end > pts else until

    def report_end(self, until: int | None) -> None:
        """Say whether the file goes on as long as it says, when all that decodes has been given out.

        until  when the last picture goes, in ticks; None where there was none
        """
        path, expected, reached = self._source.path, self._source.stream_seconds, self._said_until
        if until is not None:
            end = until * self._source.time_base
            reached = max(end, reached or end)
        missing = Fraction(0)
        if expected is not None and reached is not None:
            origin = self._source.start_seconds if self._source.clock_is_arbitrary else 0
            missing = expected + origin - reached
        if self._stopped_by is not None or missing > _SHORTFALL:
            seconds = f"{float(reached or 0):.2f} s"
            length = "" if expected is None else f" of {float(expected):.2f} s"
            self._say(f"{path} is cut off or damaged: it can be read up to {seconds}{length}")

    def _give_time(self, frame: av.VideoFrame) -> None:
        assert self._turns is not None
        turn = self._turns.popleft() if self._turns else None
        # A packet may hold no picture, where an encoder dropped one, and its turn would go to the next. Where no frame
        # is reordered, the packet's own time, which the frame knows, is right.
        in_order = not self._stream.codec_context.has_b_frames and frame.dts is not None
        frame.pts = frame.dts if in_order else frame.pts if turn is None else turn

    def _check(self, frame: av.VideoFrame) -> None:
        source = self._source
        found, expected = (frame.width, frame.height), (source.width, source.height)
        if found != expected or frame.format.name != source.pixel_format:
            when = (frame.pts or 0) * source.time_base
            if self._at is not None and self._at - when > _LONGEST_STEP_BACK:
                # A time that was counted anew is no place to split at.
                raise clock_jumps_back(source, self._at)
            # Not after it, or it would fall to the part before.
            at = f"{max(floor((when - origin_of(source)) * 1000), 0) / 1000:.3f}"
            raise BadVideo(
                f"{source.path} changes from {source.width}x{source.height} {source.pixel_format} to "
                f"{frame.width}x{frame.height} {frame.format.name} at {at} s",
                f"Split it there, and enhance the parts one by one: ffmpeg -i IN -map 0 -c copy -f segment "
                f"-segment_times {at} -reset_timestamps 1 PART%d.mkv",
            )
        aspect = self._stream.codec_context.sample_aspect_ratio or self._aspect
        if self._aspect not in (None, aspect):
            self._say(
                f"{source.path}: its pixels change their shape on the way; {source.sample_aspect} counts for all"
            )
        self._aspect = aspect
        if frame.pts is not None:
            self._num_bad_frames += frame.is_corrupt and self._matters(frame.pts)
            end = (frame.pts + (frame.duration or 0)) * source.time_base
            self._said_until = max(end, self._said_until or end)
            self._at = frame.pts * source.time_base


def _in_order(
    pictures: Iterator[av.VideoFrame], source: Source, say: Callable[[str], None]
) -> Iterator[_Timed]:
    """Every picture with its time, each later than the one before."""
    last: int | None = None
    num_moved = 0
    for picture in pictures:
        pts = picture.dts if picture.pts is None else picture.pts
        if pts is None:
            raise BadVideo(
                f"{source.path} holds frames without times",
                "Put it into a container first: ffmpeg -i IN -c copy OUT.mkv",
            )
        if last is not None and pts <= last:
            if (last - pts) * source.time_base > _LONGEST_STEP_BACK:
                raise clock_jumps_back(source, last * source.time_base)
            pts = last + 1
            num_moved += 1
        last = pts
        yield pts, picture
    if num_moved:
        say(
            f"{source.path}: {amount(num_moved, 'frame')} had a time not after the one before; moved by one tick"
        )
