"""Frames into a file: beside its final name first, under it when whole and verified.

Times are the source's own, in its own ticks, less the beginning of the part that was asked for. The other
streams travel along (streams.py); what is lost is said, one line for each thing.
"""

import os
import tempfile
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import KW_ONLY, dataclass, field, replace
from fractions import Fraction
from math import ceil
from pathlib import Path
from types import TracebackType

import av
from av.container import OutputContainer
from av.stream import Stream
from av.video.stream import VideoStream

from vidgan import disk
from vidgan.errors import BadOutput
from vidgan.frame import Frame
from vidgan.silence import ignore
from vidgan.video.coding import Coding, Pictures, tick_for
from vidgan.video.containers import Clock, container_for
from vidgan.video.encoders import Encoding, check_size, choose, size_multiple
from vidgan.video.ending import Ending
from vidgan.video.files import url
from vidgan.video.probe import ORIENTATIONS, Source
from vidgan.video.reader import read
from vidgan.video.segments import as_packet, decoding_ticks, header_of, packets
from vidgan.video.streams import Companions
from vidgan.video.tags import copy_labels, merged, muxer_options
from vidgan.video.timing import segment
from vidgan.video.verify import Expected, verify

_TIMECODE_RATE = 255.5  # frames a second from which MP4 and MOV fail at their end: they count in a byte
_X265_DELAY = 2  # pictures that x265 holds back to reorder them: never more, with any preset or parameters


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
    partial        where the file is made; None for a name beside its final one

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
    say: Callable[[str], None] = ignore
    metadata: Mapping[str, str] = field(default_factory=dict)
    alone: bool = False
    partial: Path | None = None

    def __post_init__(self) -> None:
        self.path = Path(self.path)
        self._container = container_for(self.path)
        self._part = segment(self.source, self.start, self.duration)
        # With the process, so that two writers never share one.
        self._partial = self.partial or self.path.with_name(
            f".{disk.short(self.path.stem)}.{os.getpid()}.partial{self.path.suffix}"
        )
        self.coding = self._coding()
        self._pictures = self.pictures()
        self._ending = Ending(counts_decoding=self._container.clock == Clock.ANY)
        self._times = array("q")  # of the frames written, in the source's ticks
        self._is_joined = False  # whether its packets came from segments
        self._output: OutputContainer | None = None
        self._film: VideoStream | None = None
        self._companions: Companions | None = None
        self._is_whole = False

    def __enter__(self) -> "Writer":
        try:
            self._open()
        except (av.FFmpegError, OSError) as error:
            self._discard()
            raise self.coding.failed(error) from None
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
            raise self.coding.failed(failure) from None
        except BaseException:
            self._discard()
            raise

    def finish(self) -> None:
        """Make the file whole, still beside its final name, which it gets at the end of the block.

        The end of the block does this by itself. Call it where several files must appear together or not at all:
        finish each of them before the first of their blocks ends.
        """
        if self._is_whole:
            return
        try:
            self._finish()
        except (av.FFmpegError, OSError) as failure:
            raise self.coding.failed(failure) from None
        self._is_whole = True

    def write(self, frame: Frame) -> None:
        """Encode one frame, with (height, width, 3) pixels and a time on the source's clock."""
        assert self._output is not None and self._film is not None and self._companions is not None
        if not self._times:
            self._begin(frame.seconds)
        picture = self._pictures.of(frame)
        try:
            self._output.mux(self._ending.seen(self._pictures.lasting(self._film.encode(picture))))
            self._companions.advance(self._output, frame.seconds)
        except av.FFmpegError as error:
            raise self.coding.failed(error) from None
        self._times.append(frame.pts)

    def pictures(self) -> Pictures:
        """What makes frames into pictures for segments of this file. It must be told when the first is shown."""
        return Pictures(self.coding, self._part.zero, self.say)

    def rehearse(self, begun: Path | None = None) -> None:
        """Open the file and throw it away: what is lost is said, and what cannot be is refused, before any work.

        begun  an earlier run's first segment, which this one's must fit
        """
        try:
            self._open()
            assert self._output is not None
            self._output.start_encoding()
            if begun is not None:
                self._check_headers([begun])
            elif self._container.clock == Clock.FRAMES:  # which has no times: sound must be without a pause
                first = next(read(self.source, start=self.start, duration=self.duration, threads=1))
                self._begin(first.seconds)
                assert self._companions is not None
                self._companions.rehearse()
        except (av.FFmpegError, OSError) as error:
            raise self.coding.failed(error) from None
        finally:
            self._discard()
            self._output = self._film = self._companions = None

    def join(self, segments: Sequence[Path], times: "array[int]", *, between: Callable[[], None]) -> None:
        """Mux the packets of closed segments in place of frames.

        times    of all their frames, on the source's clock
        between  called between two packets; may raise
        """
        assert self._output is not None and self._film is not None and self._companions is not None
        try:
            self._output.start_encoding()
            self._check_headers(segments)
            for number, packet in enumerate(self._ending.last(self._packets(segments, times))):
                between()
                self._output.mux(packet)
                self._companions.advance(self._output, times[number] * self.source.time_base)
        except (av.FFmpegError, OSError) as error:
            raise self.coding.failed(error) from None
        self._times, self._is_joined = times, True

    def _check_headers(self, segments: Sequence[Path]) -> None:
        assert self._film is not None
        header = self._film.codec_context.extradata or b""
        if any(header_of(path) != header for path in segments):
            raise BadOutput(
                f"{self.path} was begun with another version of {self.coding.choice.encoder}",
                "Add --start-over to make all of it with this one.",
            )

    def _packets(self, segments: Sequence[Path], times: "array[int]") -> Iterator[av.Packet]:
        """Those of all segments, in the order of decoding."""
        if times:
            self._begin(times[0] * self.source.time_base)
        shown = array("q", (self._pictures.ticks(time * self.source.time_base) for time in times))
        decoded = iter(decoding_ticks(segments, shown))
        for path in segments:
            for kept in packets(path):
                packet = as_packet(kept, self.coding.tick)
                packet.dts, packet.stream = next(decoded), self._film
                yield packet

    def _begin(self, first: Fraction) -> None:
        """With the second of the source at which the first frame is shown."""
        assert self._companions is not None
        self._pictures.begin(first)
        # In a container that begins with its first frame, sound from before it is left out.
        self._part = replace(self._part, zero=self._pictures.zero)
        self._companions.start_at(self._pictures.zero)

    def _open(self) -> None:
        for note in (*self.source.notes, *self.coding.choice.notes):
            self.say(note)
        companions = self._companions = Companions(
            self.source, self._part, self._container, self.say, alone=self.alone
        )
        tags = merged(companions.tags, self.metadata)
        options = muxer_options(self._container, tags, has_cover=companions.has_cover)
        if self._container.clock == Clock.ANY:
            # Where film or sound starts later, MP4 says so in ticks of the whole file: the film's, none above 1 ms.
            ticks = self.coding.tick.denominator
            options["movie_timescale"] = str(ticks * ceil(1000 / ticks))
        self._output = av.open(
            url(self._partial), "w", format=self._container.format, container_options=options
        )
        self._output.metadata.update(tags)
        companions.add_to(self._output, self._add_film)

    def _add_film(self, template: Stream) -> None:
        assert self._output is not None
        coding, choice = self.coding, self.coding.choice
        stream = self._output.add_stream(choice.encoder, rate=coding.rate, options=dict(choice.options))
        assert isinstance(stream, VideoStream)
        stream.time_base = coding.tick
        coding.prepare(stream.codec_context)
        if self.orientation != 1:
            stream.set_display_matrix(_display_matrix(self.orientation))
        copy_labels(template, stream)
        self._film = stream
        if self._part.begin is not None:
            self._drop_timecode("it counts from the source's first frame")
        elif coding.rate >= _TIMECODE_RATE and self._container.clock == Clock.ANY:
            self._drop_timecode(f"{self.path.suffix} counts up to 255 frames a second")

    def _drop_timecode(self, why: str) -> None:
        assert self._output is not None and self._film is not None
        is_dropped = False
        for tags in (self._film.metadata, self._output.metadata):
            for key in [key for key in tags if key.lower() == "timecode"]:  # Matroska's names are in capitals
                del tags[key]
                is_dropped = True
        if is_dropped:
            self.say(f"the time code is left out: {why}")

    def _coding(self) -> Coding:
        choice = choose(self.path, self.encoding, self.source)
        multiple = size_multiple(self.path, self.encoding, self.source)
        check_size(self.path, choice, self.width, self.height, multiple)
        check_place(self.path, self.source.path, overwrite=self.overwrite)
        self._check_geometry(choice.codec)
        source, container, colour = self.source, self._container, self.source.colour.as_yuv()
        if not container.colour_tags:
            colour = colour.untagged(self.width, self.height)
        elif choice.codec == "prores" or (choice.codec == "mpeg4" and container.format in ("mp4", "mov")):
            colour = replace(colour, full_range=False)  # which these cannot say, so nobody would know
        return Coding(
            path=self.path,
            container=container,
            choice=choice,
            width=self.width,
            height=self.height,
            sample_aspect=self.sample_aspect,
            colour=colour,
            source_tick=source.time_base,
            tick=tick_for(self.path, container, choice, source.average_rate, source.time_base),
            rate=source.average_rate or Fraction(25),
            threads=choice.threads,
        )

    def _check_geometry(self, codec: str) -> None:
        name = self.path.suffix
        if self.orientation != 1 and not self._container.orientation:
            raise BadOutput(
                f"{self.path}: {name} cannot say how a picture is to be turned",
                "Choose --orientation upright, or .mp4 or .mkv.",
            )
        says_itself = self._container.sample_aspect or codec in ("h264", "hevc", "mpeg4")
        if self.sample_aspect != 1 and not says_itself:
            raise BadOutput(
                f"{self.path}: {codec} in {name} cannot be written with stretched pixels",
                "Choose --orientation upright, which writes square ones, or .mp4.",
            )

    def _last_packets(self, film: VideoStream) -> list[av.Packet]:
        last = self._pictures.lasting(film.encode(None))
        if self.coding.choice.codec == "hevc" and len(self._times) <= _X265_DELAY:
            # x265 learns how long it delays decoding from the frame after those that it holds back: in a shorter film
            # it subtracts whatever the memory held. So few pictures are not reordered.
            for packet in last:
                packet.dts = packet.pts
        return list(self._ending.last(last))

    def _finish(self) -> None:
        assert self._output is not None and self._film is not None and self._companions is not None
        if not self._times:
            raise BadOutput(f"{self.path}: there was no frame to write", "Check --start and --duration.")
        if not self._is_joined:
            self._output.mux(self._last_packets(self._film))
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
                colour=self.coding.colour,
                times=self._times,
                time_base=self.source.time_base,
                end=None if self._ending.end is None else self._ending.end * self.coding.tick,
                zero=self._part.zero,
                slack=self.coding.tick / 2
                if self._container.clock != Clock.FRAMES
                else self.source.time_base,
                streams=self._companions.carried(),
                tags=dict(self._output.metadata),
                film=self._companions.films_before,
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
        with suppress(OSError):  # as where its folder is gone
            self._partial.unlink(missing_ok=True)


def check_place(path: Path, source: Path, *, overwrite: bool) -> None:
    """Raise BadOutput where a file cannot be made at `path`."""
    if path.is_dir():
        raise BadOutput(f"{path} is a folder", "Name a file in it, such as out.mp4.")
    if path.exists() and path.samefile(source):
        raise BadOutput(f"{path} is the input itself", "Choose another name for what is written.")
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
