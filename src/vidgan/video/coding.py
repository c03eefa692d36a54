"""How one film is coded and timed: decided before its first frame, the same for a whole file and for its segments."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.codec.context import Flags
from av.format import Flags as FormatFlags

from vidgan.errors import BadOutput
from vidgan.frame import Frame
from vidgan.video.colour import Colour, Converter, to_tags
from vidgan.video.containers import Clock, Container
from vidgan.video.encoders import Choice

MPEG4_TICKS = 65535  # to the second: MPEG-4 writes its clock in 16 bits
_VPX_TICKS = 10_000_000  # to the second, in which libvpx counts
_SVT_RATE = Fraction(240)  # frames a second, the most that SVT-AV1 takes for a hint


@dataclass(frozen=True, kw_only=True)
class Coding:
    path: Path  # of the output, for messages
    container: Container
    choice: Choice
    width: int
    height: int
    sample_aspect: Fraction
    colour: Colour  # of the coded pictures
    source_tick: Fraction  # seconds, the unit of every frame's time
    tick: Fraction  # seconds, the unit in which the encoder counts
    rate: Fraction  # frames a second: a hint for rate control, never a clock
    threads: int = 0

    def new_encoder(self) -> av.VideoCodecContext:
        """An encoder that stands alone, as the container would have it."""
        context = av.CodecContext.create(self.choice.encoder, "w")
        assert isinstance(context, av.VideoCodecContext)
        context.options = dict(self.choice.options)
        context.bit_rate = 0  # as the streams of a container begin
        if FormatFlags(av.ContainerFormat(self.container.format, "w").flags) & FormatFlags.global_header:
            context.flags |= Flags.global_header
        self.prepare(context)
        return context

    def prepare(self, context: av.VideoCodecContext) -> None:
        """Tell an encoder, before it is opened, what it will be given."""
        tags = to_tags(self.colour)
        context.time_base = self.tick
        context.framerate = min(self.rate, _SVT_RATE) if self.choice.codec == "av1" else self.rate
        context.width, context.height, context.pix_fmt = self.width, self.height, self.choice.pixel_format
        context.sample_aspect_ratio = self.sample_aspect
        context.colorspace, context.color_range = tags.matrix, tags.range
        context.color_primaries, context.color_trc = tags.primaries, tags.transfer
        context.thread_count = self.threads
        context.thread_type = "AUTO"  # PyAV's default would cut pictures into slices
        context.flags |= Flags.frame_duration
        if self.choice.quantiser is not None:
            context.qmin = context.qmax = self.choice.quantiser
        if self.choice.codec == "hevc" and self.container.clock == Clock.ANY:
            context.codec_tag = "hvc1"  # the form that Apple's players take

    def failed(self, error: Exception) -> BadOutput:
        reason = getattr(error, "strerror", None) or str(error)
        if isinstance(error, FileNotFoundError):
            return BadOutput(f"{self.path} could not be written: its folder is gone", "Put the folder back.")
        if isinstance(error, MemoryError):  # which FFmpeg's is, too
            return BadOutput(
                f"{self.path}: not enough memory for {self.choice.encoder}",
                "Close other programs, or give --memory, which makes the encoder fit.",
            )
        return BadOutput(
            f"{self.path} could not be written with {self.choice.encoder}: {reason}",
            "Check the space on the disk, or choose another --codec or suffix.",
        )


def tick_for(
    path: Path, container: Container, choice: Choice, rate: Fraction | None, tick: Fraction
) -> Fraction:
    """In which unit the encoder counts the frames of a source, whose own unit is `tick`, in seconds."""
    if container.clock == Clock.FRAMES:
        if rate is None:
            raise BadOutput(
                f"{path}: .avi needs one frame rate, and the source says none",
                "End the output's name in .mkv or .mp4.",
            )
        # The nearest clock that MPEG-4 can write is off by a second in a week where a rate is counted in 100 ns.
        return (1 / rate).limit_denominator(MPEG4_TICKS) if choice.codec == "mpeg4" else 1 / rate
    if choice.codec == "mpeg4" and tick.denominator > MPEG4_TICKS:
        return Fraction(1, 60000)  # this one divides all usual rates
    if choice.codec == "vp9" and tick.denominator > _VPX_TICKS // 2:
        return Fraction(1, _VPX_TICKS)  # a finer one it would give back otherwise
    return tick


class Pictures:
    """Frames as the encoder takes them: in its colours, at their times in its own ticks.

    zero  the second of the source that becomes 0
    say   told, once, where times are rounded
    """

    def __init__(self, coding: Coding, zero: Fraction, say: Callable[[str], None]) -> None:
        self.coding, self.zero = coding, zero
        self._say = say
        self._converter = Converter(coding.colour)
        self._said_rounding = False
        self._durations: dict[int, int] = {}  # of the frames that an encoder holds, by their times
        self._last_number: int | None = None  # of a frame, where the container counts frames

    def begin(self, first: Fraction) -> None:
        """With the second of the source at which the first frame is shown: some containers begin there."""
        if self.coding.container.clock == Clock.FRAMES:
            self.zero = first

    def of(self, frame: Frame) -> av.VideoFrame:
        """frame  (height, width, 3) pixels and a time on the source's clock"""
        coding = self.coding
        assert frame.pixels.shape == (coding.height, coding.width, 3), frame.pixels.shape
        assert frame.time_base == coding.source_tick, frame.time_base
        picture = self._converter.from_rgb(frame.pixels, coding.choice.pixel_format)
        picture.time_base = coding.tick
        picture.pts = self.ticks(frame.seconds)
        picture.duration = round(frame.duration * frame.time_base / coding.tick)
        self._durations[picture.pts] = picture.duration
        return picture

    def lasting(self, packets: Sequence[av.Packet]) -> Sequence[av.Packet]:
        """What an encoder made of these pictures, each lasting as long as its frame: some encoders forget it."""
        for packet in packets:
            duration = 0 if packet.pts is None else self._durations.pop(packet.pts, 0)
            if duration:
                packet.duration = duration
        return packets

    def ticks(self, when: Fraction) -> int:
        """The time of a frame of the source, which comes after all before it, in the encoder's ticks."""
        coding = self.coding
        seconds = when - self.zero
        ticks = seconds / coding.tick
        if coding.container.clock == Clock.FRAMES:
            number = round(ticks)
            is_off = abs(seconds - number * coding.tick) > coding.source_tick
            if is_off or (self._last_number is not None and number != self._last_number + 1):
                raise BadOutput(
                    f"{coding.path}: the source's frames are not evenly spaced in time, which .avi cannot hold",
                    "End the output's name in .mkv or .mp4.",
                )
            self._last_number = number
            return number
        finest = Fraction(1, 1000) if coding.container.clock == Clock.MILLISECONDS else coding.tick
        if not self._said_rounding and (seconds / finest).denominator != 1:
            self._said_rounding = True
            suffix = coding.path.suffix
            self._say(f"frame times are rounded to the nearest 1/{finest.denominator} s, as {suffix} counts")
        return round(ticks)
