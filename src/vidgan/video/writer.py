"""Frames into a file: beside its final name first, under it when whole and verified.

Times are the source's own, in its own ticks, less the beginning of the part that was asked for. The other
streams travel along (streams.py); what is lost is said, one line for each thing.
"""

import os
import tempfile
from array import array
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import KW_ONLY, dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from zlib import crc32

import av
from av.codec.context import Flags
from av.container import OutputContainer
from av.stream import Stream
from av.video.stream import VideoStream

from vidgan.errors import BadOutput
from vidgan.frame import Frame
from vidgan.video.colour import Converter, to_tags
from vidgan.video.containers import Clock, container_for
from vidgan.video.encoders import Encoding, check_size, choose, size_multiple
from vidgan.video.files import url
from vidgan.video.probe import ORIENTATIONS, Source
from vidgan.video.reader import silent
from vidgan.video.streams import Companions
from vidgan.video.tags import copy_labels, merged, muxer_options
from vidgan.video.timing import segment
from vidgan.video.verify import Expected, verify


@dataclass
class Writer:
    """Writes one video. A context manager: nothing of it stays unless the block ends well.

    path           where it goes; the suffix names the container
    source         whose times, colours and other streams it carries on
    width, height  of the frames to come, multiples of `size_multiple`
    orientation    how a player should turn the pixels, 1..8 as in EXIF; 1 writes no matrix
    start, duration  the part of the source that is written, as given to `read`
    say            told what is not carried, rounded or lost, a line each
    metadata       tags to add to the source's; where it has the same one, both are kept
    alone          without the source's other streams and chapters

    Raises BadOption and BadOutput when made, before any work, for what cannot be written there; BadOutput
    later where the disk or the container fails, or the written file does not hold what it should.
    """

    path: Path
    _: KW_ONLY
    source: Source
    width: int
    height: int
    encoding: Encoding = field(default_factory=Encoding)
    orientation: int = 1
    sample_aspect: Fraction = Fraction(1)
    start: float = 0.0
    duration: float | None = None
    overwrite: bool = False
    say: Callable[[str], None] = silent
    metadata: Mapping[str, str] = field(default_factory=dict)
    alone: bool = False

    def __post_init__(self) -> None:
        self.path = Path(self.path)
        self._container = container_for(self.path)
        self._part = segment(self.source, self.start, self.duration)
        self._choice = choose(self.path, self.encoding, self.source)
        multiple = size_multiple(self.path, self.encoding, self.source)
        check_size(self.path, self._choice, self.width, self.height, multiple)
        _check_place(self.path, self.source.path, overwrite=self.overwrite)
        self._check_geometry()
        self._tick = self._choose_tick()
        # With the process, so that two writers never share one.
        self._partial = self.path.with_name(
            f".{_short(self.path.stem)}.{os.getpid()}.partial{self.path.suffix}"
        )
        self._colour = self.source.colour.as_yuv()
        if not self._container.colour_tags:
            self._colour = self._colour.untagged(self.width, self.height)
        self._converter = Converter(self._colour)
        self._times = array("q")  # of the frames written, in the source's ticks
        self._said_rounding = False
        self._last_number = 0  # of a frame, where the container counts frames
        self._output: OutputContainer | None = None
        self._film: VideoStream | None = None
        self._companions: Companions | None = None
        self._is_whole = False

    def __enter__(self) -> "Writer":
        try:
            self._open()
        except av.FFmpegError as error:
            self._discard()
            raise self._failed(error) from None
        except BaseException:
            self._discard()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._discard()
            return
        try:
            self.finish()
            self._check_still_free()
            self._partial.replace(self.path)
        except OSError as failure:
            self._discard()
            raise self._failed(failure) from None
        except BaseException:
            self._discard()
            raise

    def finish(self) -> None:
        """Make the file whole, still beside its final name, which it gets at the end of the block.

        The block's end does this by itself. Of files that appear together or not at all each is finished
        before the first of their blocks ends.
        """
        if self._is_whole:
            return
        try:
            self._finish()
        except (av.FFmpegError, OSError) as failure:
            raise self._failed(failure) from None
        self._is_whole = True

    def write(self, frame: Frame) -> None:
        """Encode one frame, with (height, width, 3) pixels and a time on the source's clock."""
        assert self._output is not None and self._film is not None and self._companions is not None
        assert frame.pixels.shape == (self.height, self.width, 3), frame.pixels.shape
        assert frame.time_base == self.source.time_base, frame.time_base
        if not self._times and self._container.clock == Clock.FRAMES:
            # Such a container begins with its first frame; sound from before it is left out.
            self._part = replace(self._part, zero=frame.seconds)
            self._companions.start_at(frame.seconds)
        picture = self._converter.from_rgb(frame.pixels, self._choice.pixel_format)
        picture.time_base = self._tick
        picture.pts = self._ticks(frame)
        picture.duration = round(frame.duration * frame.time_base / self._tick)
        try:
            self._output.mux(self._film.encode(picture))
            self._companions.advance(self._output, frame.seconds)
        except av.FFmpegError as error:
            raise self._failed(error) from None
        self._times.append(frame.pts)

    def _open(self) -> None:
        for note in (*self.source.notes, *self._choice.notes):
            self.say(note)
        companions = self._companions = Companions(
            self.source, self._part, self._container, self.say, alone=self.alone
        )
        tags = merged(companions.tags, self.metadata)
        options = muxer_options(self._container, tags, has_cover=companions.has_cover)
        if self._container.clock == Clock.ANY:
            # Where a film starts later than its sound, MP4 says so in ticks of the whole file: 1 ms by default.
            options["movie_timescale"] = str(self._tick.denominator)
        self._output = av.open(
            url(self._partial), "w", format=self._container.format, container_options=options
        )
        self._output.metadata.update(tags)
        companions.add_to(self._output, self._add_film)

    def _add_film(self, template: Stream) -> None:
        assert self._output is not None
        choice, context_tags = self._choice, to_tags(self._colour)
        rate = self.source.average_rate or Fraction(25)  # a hint for rate control, never a clock
        stream = self._output.add_stream(choice.encoder, rate=rate, options=dict(choice.options))
        assert isinstance(stream, VideoStream)
        context = stream.codec_context
        stream.time_base = context.time_base = self._tick
        context.width, context.height, context.pix_fmt = self.width, self.height, choice.pixel_format
        context.sample_aspect_ratio = self.sample_aspect
        context.colorspace, context.color_range = context_tags.matrix, context_tags.range
        context.color_primaries, context.color_trc = context_tags.primaries, context_tags.transfer
        context.thread_count = self.encoding.threads
        context.thread_type = "AUTO"  # PyAV's default would cut pictures into slices
        context.flags |= Flags.frame_duration
        if choice.quantiser is not None:
            context.qmin = context.qmax = choice.quantiser
        if choice.codec == "hevc" and self._container.clock == Clock.ANY:
            context.codec_tag = "hvc1"  # the form that Apple's players take
        if self.orientation != 1:
            stream.set_display_matrix(_display_matrix(self.orientation))
        copy_labels(template, stream)
        if self._part.begin is not None and stream.metadata.pop("timecode", ""):
            self.say("the time code is left out: it counts from the source's first frame")
        self._film = stream

    def _ticks(self, frame: Frame) -> int:
        """The frame's time in the encoder's ticks, from the output's zero."""
        seconds = frame.seconds - self._part.zero
        ticks = seconds / self._tick
        if self._container.clock == Clock.FRAMES:
            number = round(ticks)
            is_off = abs(seconds - number * self._tick) > frame.time_base
            if is_off or (self._times and number != self._last_number + 1):
                raise BadOutput(
                    f"{self.path}: the source's frames are not evenly spaced in time, which .avi cannot hold",
                    "End the output's name in .mkv or .mp4.",
                )
            self._last_number = number
            return number
        finest = Fraction(1, 1000) if self._container.clock == Clock.MILLISECONDS else self._tick
        if not self._said_rounding and (seconds / finest).denominator != 1:
            self._said_rounding = True
            suffix = self.path.suffix
            self.say(f"frame times are rounded to the nearest 1/{finest.denominator} s, as {suffix} counts")
        return round(ticks)

    def _choose_tick(self) -> Fraction:
        if self._container.clock == Clock.FRAMES:
            if self.source.average_rate is None:
                raise BadOutput(
                    f"{self.path}: .avi needs one frame rate, and the source says none",
                    "End the output's name in .mkv or .mp4.",
                )
            return 1 / self.source.average_rate
        if self._choice.codec == "mpeg4" and self.source.time_base.denominator > 65535:
            return Fraction(1, 60000)  # MPEG-4 writes its clock in 16 bits; this one divides all usual rates
        return self.source.time_base

    def _check_geometry(self) -> None:
        name = self.path.suffix
        if self.orientation != 1 and not self._container.orientation:
            raise BadOutput(
                f"{self.path}: {name} cannot say how a picture is to be turned",
                "Choose --orientation upright, or .mp4 or .mkv.",
            )
        says_itself = self._container.sample_aspect or self._choice.codec in ("h264", "hevc", "mpeg4")
        if self.sample_aspect != 1 and not says_itself:
            raise BadOutput(
                f"{self.path}: {self._choice.codec} in {name} cannot be written with stretched pixels",
                "Choose --orientation upright, which writes square ones, or .mp4.",
            )

    def _finish(self) -> None:
        assert self._output is not None and self._film is not None and self._companions is not None
        if not self._times:
            raise BadOutput(f"{self.path}: there was no frame to write", "Check --start and --duration.")
        self._output.mux(self._film.encode(None))
        self._companions.finish(self._output)
        self._output.close()
        with self._partial.open("rb+") as file:
            os.fsync(file.fileno())
        verify(
            self._partial,
            Expected(
                name=self.path,
                width=self.width,
                height=self.height,
                orientation=self.orientation,
                sample_aspect=self.sample_aspect,
                colour=self._colour,
                times=self._times,
                time_base=self.source.time_base,
                zero=self._part.zero,
                slack=self._tick / 2 if self._container.clock != Clock.FRAMES else self.source.time_base,
                streams=self._companions.carried(),
                tags=dict(self._output.metadata),
            ),
            self.say,
        )
        self._companions.close()
        self._check_still_free()

    def _check_still_free(self) -> None:
        if not self.overwrite and self.path.exists():
            raise BadOutput(
                f"{self.path} has come to exist meanwhile", "Add --overwrite, or choose another name."
            )

    def _discard(self) -> None:
        if self._companions is not None:
            self._companions.close()
        if self._output is not None:
            with suppress(av.FFmpegError, OSError, ValueError):
                self._output.close()
        self._partial.unlink(missing_ok=True)

    def _failed(self, error: Exception) -> BadOutput:
        reason = getattr(error, "strerror", None) or str(error)
        return BadOutput(
            f"{self.path} could not be written with {self._choice.encoder}: {reason}",
            "Check the space on the disk, or choose another --codec or suffix.",
        )


def _short(stem: str) -> str:
    """At most 40 letters, for names near the system's limit; names that differ stay different."""
    return stem if len(stem) <= 40 else f"{stem[:31]}-{crc32(os.fsencode(stem)):08x}"


def _check_place(path: Path, source: Path, *, overwrite: bool) -> None:
    """Raise BadOutput where a file cannot be made at `path`."""
    if path.is_dir():
        raise BadOutput(f"{path} is a folder", "Name a file in it, such as out.mp4.")
    if path.exists() and path.samefile(source):
        raise BadOutput(f"{path} is the input itself", "Choose another name for the output.")
    if path.exists() and not overwrite:
        raise BadOutput(f"{path} exists already", "Add --overwrite, or choose another name.")
    if not path.parent.is_dir():
        raise BadOutput(f"{path.parent} is no folder", "Make it first, or choose another.")
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise BadOutput(
            f"nothing can be written into {path.parent}: {error.strerror}", "Choose another folder."
        ) from None


def _display_matrix(orientation: int) -> list[int]:
    """FFmpeg's nine numbers: 16.16 fixed point, but for the last column in 2.30."""
    a, b, c, d = next(key for key, number in ORIENTATIONS.items() if number == orientation)
    return [a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30]
