"""The ways of a packet from the source into the output: as it is, or as text in another form; sound.py has another."""

from collections.abc import Iterator
from fractions import Fraction
from typing import Protocol

import av
from av.audio.codeccontext import AudioCodecContext
from av.container import OutputContainer
from av.stream import Stream
from av.subtitles.stream import SubtitleStream

from vidgan.errors import BadOutput
from vidgan.video.containers import Clock, Container
from vidgan.video.probe import codec_name, describe_other
from vidgan.video.sound import MOST_OFFSET
from vidgan.video.subtitles import TextConverter
from vidgan.video.timing import Segment


class Route(Protocol):
    codec: str  # in the output

    def take(self, packet: av.Packet, part: Segment) -> Iterator[av.Packet]:
        """The packets to mux for this one: none where it is outside the part."""
        ...

    def rest(self) -> Iterator[av.Packet]:
        """Those that had to wait until nothing more comes: how long a text is shown alone depends on the next one."""
        ...


def seconds_of(packet: av.Packet) -> Fraction:
    """When a packet is shown, or decoded where it does not say."""
    time = packet.dts if packet.pts is None else packet.pts
    assert time is not None
    return time * packet.time_base


def is_empty(packet: av.Packet) -> bool:
    """Whether there is nothing to show in it: MP4 fills the gaps between its texts with texts of length 0."""
    return not packet.size or (packet.size == 2 and codec_name(packet.stream) == "mov_text")


class Copy:
    """Packets as they are, on the output's clock."""

    def __init__(self, source: Stream, target: Stream, container: Container) -> None:
        self.codec = codec_name(source)
        self._target = target
        self._begins_anywhere = source.type != "video"
        self._may_be_negative = container.negative_times
        self._last_dts: int | None = None
        self._sound = _SoundClock.of(source) if container.clock == Clock.ANY else None
        self._run = _Run(source, container) if container.clock == Clock.FRAMES else None

    def take(self, packet: av.Packet, part: Segment) -> Iterator[av.Packet]:
        if not part.holds(seconds_of(packet)) and not _is_shown_across(packet, part):
            return
        if not self._begins_anywhere and not packet.is_keyframe:
            return
        self._begins_anywhere = True
        shift = round(part.zero / packet.time_base)
        packet.pts = None if packet.pts is None else packet.pts - shift
        packet.dts = packet.pts if packet.dts is None else packet.dts - shift
        if self._target.type == "subtitle" and packet.pts is not None and packet.pts < 0:
            packet.duration = (packet.duration or 0) + packet.pts
            packet.pts = packet.dts = 0
        if self._target.type == "subtitle" and packet.pts is not None and part.end is not None:
            rest = int((part.end - part.zero) / packet.time_base) - packet.pts
            # Or the file would last as long as the text.
            packet.duration = max(min(packet.duration or 0, rest), 0)
        assert packet.dts is not None
        if not self._may_be_negative and packet.dts < 0:
            return
        if self._run is not None:
            self._run.follow(packet)
        # Muxers refuse what some recorders write: two packets for one moment.
        if self._last_dts is not None and packet.dts <= self._last_dts:
            packet.dts = self._last_dts + 1
            packet.pts = packet.pts if packet.pts is None else max(packet.pts, packet.dts)
        if not packet.duration and self._last_dts is not None and packet.stream.type in ("audio", "video"):
            # MP4 would end before the last one, and players leave that out.
            packet.duration = packet.dts - self._last_dts
        self._last_dts = packet.dts
        if self._sound is not None:
            self._sound.refine(packet)
        packet.stream = self._target
        yield packet

    def rest(self) -> Iterator[av.Packet]:
        return iter(())


class Text:
    """Text subtitles in another form."""

    def __init__(self, output: OutputContainer, source: SubtitleStream, codec: str) -> None:
        self.codec = codec
        self._converter = TextConverter(output, source, codec)
        self.stream: Stream = self._converter.stream

    def take(self, packet: av.Packet, part: Segment) -> Iterator[av.Packet]:
        begin = seconds_of(packet)
        if part.holds(begin) or _is_shown_across(packet, part):
            shown = max(begin, part.zero if part.begin is not None else begin)
            until = begin + (packet.duration or 0) * packet.time_base
            left = (until if part.end is None else min(until, part.end)) - shown
            yield from self._converter.convert(packet, shown - part.zero, left)

    def rest(self) -> Iterator[av.Packet]:
        yield from self._converter.rest()


class _SoundClock:
    """Sound from a container of coarse ticks, counted in samples again, as it was before it was rounded.

    Matroska rounds packets of 1024 samples to 21 and 22 ms; written like that into MP4 they would jitter.
    """

    def __init__(self, rate: int, frame_size: int, tick: Fraction) -> None:
        self._sample, self._size, self._tick = Fraction(1, rate), frame_size, tick
        self._next: Fraction | None = None

    @classmethod
    def of(cls, stream: Stream) -> "_SoundClock | None":
        if not isinstance(stream, av.AudioStream) or stream.codec_context is None:
            return None
        rate, size = stream.codec_context.sample_rate, stream.codec_context.frame_size
        is_coarse = bool(rate) and stream.time_base is not None and stream.time_base > Fraction(1, rate)
        return cls(rate, size, stream.time_base or Fraction(1)) if size and is_coarse else None

    def refine(self, packet: av.Packet) -> None:
        time = seconds_of(packet)
        if self._next is None or abs(self._next - time) > self._tick:
            self._next = time
        packet.time_base = self._sample
        packet.pts = packet.dts = round(self._next / self._sample)
        packet.duration = self._size
        self._next += self._size * self._sample


class _Run:
    """Packets in a container without times: played from its beginning on, one right after the other.

    Where the source begins later, or pauses, all that comes after would be early.
    """

    def __init__(self, stream: Stream, container: Container) -> None:
        self._name, self._format = describe_other(stream), container.format
        self._begins_only = stream.type != "audio"  # AVI repeats pictures, but not before the first
        self._context = stream.codec_context
        self._is_exact: bool | None = None  # whether the codec knows a packet's length better than its source
        self._due: Fraction | None = None  # when the next packet will be heard, on the output's clock

    def follow(self, packet: av.Packet) -> None:
        """Raise BadOutput where this packet, on the output's clock, would be heard at another moment."""
        begin, long = seconds_of(packet), self._seconds(packet)
        is_first, due = self._due is None, self._due or Fraction(0)
        if not is_first and (self._begins_only or not long):
            return
        # Counted on and never set back to the source's clock, whose jitter would add up. Only lengths that are rounded
        # themselves add up the other way.
        if not is_first and not self._is_exact and abs(begin - due) <= 2 * packet.time_base:
            due = begin
        self._due = due + long
        if abs(begin - due) <= max(long, MOST_OFFSET):
            return
        how = "begins" if is_first else f"breaks off at {float(due):.2f} s and goes on"
        raise BadOutput(
            f"{self._name} {how} at {float(begin):.2f} s, which .{self._format} cannot hold: it would be out of step",
            "End the output's name in .mkv or .mp4.",
        )

    def _seconds(self, packet: av.Packet) -> Fraction:
        """How long it is heard. MP4 counts a pause after a packet to the packet."""
        told = (packet.duration or 0) * packet.time_base
        context = self._context
        if not isinstance(context, AudioCodecContext) or not context.sample_rate:
            return told
        if context.frame_size:
            exact = Fraction(context.frame_size, context.sample_rate)
        elif self._is_raw and context.bit_rate:
            exact = Fraction(8 * packet.size, context.bit_rate)
        else:
            return told
        if self._is_exact is None:  # what codecs say of themselves is not always so: HE-AAC, for one
            self._is_exact = abs(exact - told) <= packet.time_base
        return exact if self._is_exact else told

    @property
    def _is_raw(self) -> bool:
        return self._context is not None and self._context.name.startswith("pcm_")


def _is_shown_across(packet: av.Packet, part: Segment) -> bool:
    """Whether a subtitle began before the part and is still shown in it."""
    if packet.stream.type != "subtitle" or part.begin is None:
        return False
    begin = seconds_of(packet)
    return begin < part.begin < begin + (packet.duration or 0) * packet.time_base
