"""Everything beside the film: sound, subtitles, fonts, covers, chapters, carried from file to file.

The source is opened a second time and its packets are walked along with the film's time, so that memory
holds no more of them than the muxer needs to interleave. Sound is copied packet by packet where that can be: a
cut falls on the first packet that begins at or after it (some 20 ms for AAC), and sync is exact.
"""

import io
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import av
from av.audio.codeccontext import AudioCodecContext
from av.container import OutputContainer
from av.stream import AttachmentStream, Discard, Disposition, Stream
from av.subtitles.stream import SubtitleStream

from vidgan.video.containers import CONTAINERS, Clock, Container
from vidgan.video.files import open_video, packets
from vidgan.video.probe import Source, codec_name, describe_other
from vidgan.video.routes import Copy, Route, Text, is_empty, seconds_of
from vidgan.video.sound import LAYOUTS, Sound
from vidgan.video.subtitles import TEXT_CODECS
from vidgan.video.tags import copy_labels, fresh
from vidgan.video.timing import Segment
from vidgan.words import amount

_LOOK_BACK = 10  # seconds before a cut where a subtitle that is still shown may begin
_LOOK_AHEAD = 5  # seconds after the end until which packets may still come out of order
_COVERS = {
    "mjpeg": ("cover.jpg", "image/jpeg"),
    "png": ("cover.png", "image/png"),
    "bmp": ("cover.bmp", "image/bmp"),
    "webp": ("cover.webp", "image/webp"),
    "gif": ("cover.gif", "image/gif"),
}


@dataclass(frozen=True, kw_only=True)
class Carried:
    """A stream that the output must hold in the end.

    num_packets, num_bytes  None where it has no packets of its own, as a font
    begins                  seconds on the output's clock; None where that is not to be checked
    """

    kind: str
    codec: str
    language: str | None
    num_packets: int | None = None
    num_bytes: int | None = None
    begins: Fraction | None = None


class Companions:
    """The source's other streams on their way into the output; alone, none of them. Close it when done."""

    def __init__(
        self,
        source: Source,
        part: Segment,
        container: Container,
        say: Callable[[str], None],
        *,
        alone: bool = False,
    ) -> None:
        self._source, self._part, self._container, self._say = source, part, container, say
        self._alone = alone
        self._stack = ExitStack()
        self._input = self._stack.enter_context(open_video(source.path))
        self._routes: dict[int, Route] = {}
        self._num_sent, self._bytes_sent = Counter[int](), Counter[int]()
        self._begins: dict[int, Fraction] = {}  # of sound, where the container keeps times
        self._attached: list[Carried] = []
        self._covers: list[av.Packet] = []
        self._packets: Iterator[av.Packet] = iter(())
        self._waiting: av.Packet | None = None

    def close(self) -> None:
        self._stack.close()

    def start_at(self, zero: Fraction) -> None:
        """Move the output's zero, before any packet is handed over."""
        self._part = replace(self._part, zero=zero)

    @property
    def tags(self) -> dict[str, str]:
        """The source's own tags, without what its muxer said about itself."""
        return fresh(self._input.metadata)

    @property
    def has_cover(self) -> bool:
        return not self._alone and any(
            stream.disposition & Disposition.attached_pic for stream in self._input.streams
        )

    def carried(self) -> list[Carried]:
        """What the output must hold, with the packets that were handed over so far."""
        return self._attached + [
            Carried(
                kind=self._input.streams[index].type,
                codec=route.codec,
                language=self._input.streams[index].metadata.get("language"),
                num_packets=self._num_sent[index],
                num_bytes=self._bytes_sent[index],
                begins=self._begins.get(index),
            )
            for index, route in self._routes.items()
        ]

    @property
    def films_before(self) -> int:
        """Streams that a reader of the output takes for films, before the film."""
        before = [
            index
            for index in self._routes
            if index < self._source.video_index and self._input.streams[index].type == "video"
        ]
        if self._container.clock == Clock.ANY:  # MP4 and MOV, which write no track for nothing
            before = [index for index in before if self._num_sent[index]]
        return len(before)

    def add_to(self, output: OutputContainer, add_video: Callable[[Stream], None]) -> None:
        """Make the output's streams in the source's order; `add_video` makes the film's, in its turn."""
        for stream in self._input.streams:
            if stream.index == self._source.video_index:
                add_video(stream)
                continue
            reason = None if self._alone else self._add(output, stream)
            if reason is not None:
                self._say(f"{describe_other(stream)} is not carried: {reason}")
        chapters = self._chapters()
        if chapters and not self._container.chapters:
            lost = amount(len(chapters), "chapter")
            self._say(f"{lost} not carried: {self._container.format} has no room for chapters")
        output.set_chapters(chapters if self._container.chapters else [])
        for stream in self._input.streams:
            if stream.index not in self._routes:
                stream.discard = Discard.all
        self._packets = self._demux()

    def advance(self, output: OutputContainer, until: Fraction) -> None:
        """Hand over the packets of before `until`, in seconds on the source's clock."""
        while self._covers:
            output.mux(self._covers.pop())
        while (packet := self._waiting or next(self._packets, None)) is not None:
            self._waiting = packet if seconds_of(packet) > until else None
            if self._waiting is not None:
                return
            self._send(output, packet)

    def finish(self, output: OutputContainer) -> None:
        """Hand over the rest, up to the end of the part that was asked for."""
        self.advance(output, self._far)
        for index, route in self._routes.items():
            self._mux(output, index, route.rest())

    @property
    def _far(self) -> Fraction:
        return Fraction(10**9) if self._part.end is None else self._part.end + _LOOK_AHEAD

    def rehearse(self) -> None:
        """Hand over nothing, and raise BadOutput for what the container could not play in step with the film."""
        for packet in self._packets:
            if seconds_of(packet) > self._far:
                return
            route = self._routes[packet.stream.index]
            if isinstance(route, Copy):
                for _ in route.take(packet, self._part):
                    pass

    def _demux(self) -> Iterator[av.Packet]:
        streams = [self._input.streams[index] for index in self._routes]
        if not streams:
            return
        if self._part.begin is not None:
            earlier = max(self._part.begin - _LOOK_BACK, Fraction(0))
            with suppress(av.FFmpegError):  # then the packets before the part are read and left out
                self._input.seek(int(earlier * av.time_base))
        try:
            for packet in packets(self._input, *streams):
                if not is_empty(packet) and (packet.pts is not None or packet.dts is not None):
                    yield packet
        except av.FFmpegError:
            return  # cut off: the reader, which meets the same damage, says so

    def _send(self, output: OutputContainer, packet: av.Packet) -> None:
        index = packet.stream.index
        self._mux(output, index, self._routes[index].take(packet, self._part))

    def _mux(self, output: OutputContainer, index: int, ready: Iterator[av.Packet]) -> None:
        is_sound = self._input.streams[index].type == "audio"
        for packet in ready:
            if is_sound and self._container.clock != Clock.FRAMES:
                self._begins.setdefault(index, seconds_of(packet))
            self._num_sent[index] += 1
            self._bytes_sent[index] += packet.size
            output.mux(packet)

    def _add(self, output: OutputContainer, stream: Stream) -> str | None:
        """Make the output's stream for `stream`; gives the reason where that cannot be."""
        if stream.type == "attachment":
            assert isinstance(stream, AttachmentStream)
            if not self._container.attachments:
                return f"{self._container.format} has no room for files"
            mimetype = stream.mimetype or "application/octet-stream"
            output.add_attachment(stream.name or "attachment", mimetype, stream.data)
            self._attached.append(Carried(kind="attachment", codec=mimetype, language=None))
            return None
        if stream.disposition & Disposition.attached_pic:
            return self._add_cover(output, stream)
        if self._is_told_otherwise(stream):
            return None
        if stream.type == "subtitle" and codec_name(stream) in TEXT_CODECS:
            return self._add_text(output, stream)
        return self._add_copy(output, stream)

    def _add_copy(self, output: OutputContainer, stream: Stream) -> str | None:
        is_sound = stream.type == "audio"
        if (is_sound and not self._is_known(stream)) or not _can_hold(self._container, stream):
            return self._add_sound(output, stream) if is_sound else f"{self._container.format} cannot hold it"
        target = output.add_stream_from_template(stream, opaque=True)
        _name_channels(target)
        copy_labels(stream, target)
        self._routes[stream.index] = Copy(stream, target, self._container)
        return None

    def _is_known(self, stream: Stream) -> bool:
        """Whether those who play the container know this sound, or met it where it comes from."""
        container, codec = self._container, codec_name(stream)
        if codec.startswith("pcm_") and not container.plays_pcm:
            return CONTAINERS.get(self._source.path.suffix.lower()) == container
        # AVI is told how long a packet is, and ADPCM's are written a little too long: seconds in an hour.
        return container.clock != Clock.FRAMES or not codec.startswith("adpcm_")

    def _add_sound(self, output: OutputContainer, stream: Stream) -> str | None:
        try:
            route = Sound(output, stream, self._container, self._say)
        except LookupError as error:
            return f"{self._container.format} cannot hold it, and {error}"
        copy_labels(stream, route.stream)
        self._routes[stream.index] = route
        self._say(f"{describe_other(stream)} is written as {route.codec}")
        return None

    def _add_text(self, output: OutputContainer, stream: Stream) -> str | None:
        assert isinstance(stream, SubtitleStream)
        form = self._container.subtitles
        if form is None:
            return f"{self._container.format} has no room for subtitles"
        # Matroska's table lists MP4's form too, but players do not know it there.
        if (codec_name(stream) == "mov_text") == (form == "mov_text") and _can_hold(self._container, stream):
            return self._add_copy(output, stream)
        route = Text(output, stream, form)
        copy_labels(stream, route.stream)
        self._routes[stream.index] = route
        self._say(f"{describe_other(stream)} is written as {form}")
        return None

    def _add_cover(self, output: OutputContainer, stream: Stream) -> str | None:
        codec, data = codec_name(stream), _cover_of(self._source, stream.index)
        if data is None:
            return "it is empty"
        if self._container.attachments and codec in _COVERS:
            name, mimetype = _COVERS[codec]
            output.add_attachment(stream.metadata.get("filename", name), mimetype, data)
            self._attached.append(Carried(kind="video", codec=codec, language=None))
            return None
        if not self._container.covers or not _can_hold(self._container, stream):
            return f"{self._container.format} has no room for cover pictures"
        target = output.add_stream_from_template(stream, opaque=True)
        target.disposition = Disposition.attached_pic
        packet = av.Packet(data)
        packet.stream, packet.time_base = target, Fraction(1, 1000)
        packet.pts, packet.dts, packet.is_keyframe = 0, 0, True
        self._covers.append(packet)
        self._attached.append(Carried(kind="video", codec=codec, language=None))
        return None

    def _is_told_otherwise(self, stream: Stream) -> bool:
        """Whether it holds MP4's chapter titles or time code, which are carried as chapters and as metadata instead."""
        if stream.type != "data":
            return False
        is_chapters = stream.discard == Discard.all and bool(self._input.chapters())
        return is_chapters or "timecode" in stream.metadata

    def _chapters(self) -> list[Any]:
        """The chapters of the part, on the output's clock."""
        part = self._part
        kept: list[Any] = []
        for chapter in () if self._alone else self._input.chapters():
            tick = chapter["time_base"] or Fraction(1, av.time_base)
            begin, end = chapter["start"] * tick, chapter["end"] * tick
            first, last = part.begin or part.zero, part.end if part.end is not None else end
            # One of no length marks an instant.
            is_here = first <= begin and part.holds(begin) if begin == end else first < end and begin < last
            if not is_here:
                continue
            times = {
                "start": round((max(begin, first) - part.zero) * 1000),
                "end": round((min(end, last) - part.zero) * 1000),
                "time_base": Fraction(1, 1000),
            }
            kept.append({"id": len(kept) + 1, "metadata": dict(chapter["metadata"]), **times})
        return kept


def _name_channels(target: Stream) -> None:
    """Say which channels these are where only their number is known, as of PCM: MP4 refuses it, at the very end."""
    context = target.codec_context
    if isinstance(context, AudioCodecContext) and context.layout.name.endswith(" channels"):
        usual = LAYOUTS.get(context.layout.nb_channels)
        if usual is not None:
            context.layout = usual


def _can_hold(container: Container, stream: Stream) -> bool:
    """Whether the muxer takes `stream`, tried on a file in memory: tables promise too much."""
    memory = io.BytesIO()
    try:
        with av.open(memory, "w", format=container.format) as trial:
            target = trial.add_stream_from_template(stream, opaque=True)
            trial.start_encoding()
            if stream.type == "data":
                packet = av.Packet(bytes(64))
                packet.stream, packet.time_base, packet.is_keyframe = target, Fraction(1, 1000), True
                packet.pts, packet.dts, packet.duration = 0, 0, 1000
                trial.mux(packet)
        if stream.type != "data":
            return True
        # Of data a header promises too much as well: what was written must be found again.
        memory.seek(0)
        with av.open(memory, "r", format=container.format) as written:
            return [codec_name(other) for other in written.streams] == [codec_name(stream)]
    except (av.FFmpegError, ValueError, NotImplementedError):
        return False


def _cover_of(source: Source, index: int) -> bytes | None:
    """The bytes of a cover picture; FFmpeg hands it out as the first packet of its stream."""
    with open_video(source.path) as container:
        for packet in packets(container, container.streams[index]):
            return bytes(packet) or None
    return None
