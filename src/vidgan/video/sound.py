"""Sound in another form, where the container, or those who play it, do not know the source's."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from fractions import Fraction

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.container import OutputContainer
from av.stream import Stream

from vidgan.video.containers import Clock, Container
from vidgan.video.probe import codec_name, describe_other
from vidgan.video.timing import Segment
from vidgan.words import amount

# What so many channels are where nothing else is said.
LAYOUTS = {1: "mono", 2: "stereo", 3: "2.1", 4: "4.0", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
MOST_OFFSET = Fraction(1, 20)  # seconds that sound may be off its film: more is seen on lips

_ENCODERS = {"opus": "libopus"}  # where FFmpeg's own is no good
_RATE = 48000  # samples a second, where an encoder does not take the source's
# A second, of a channel, where something is lost: half as much again as FFmpeg's default for two.
_BITS = 96_000
_MOST_BITS_PER_SAMPLE = 6  # that AAC can spend on a channel
_SILENCE = 4096  # samples of a piece of it


class Sound:
    """Decoded and encoded anew, on the output's clock: a part is cut to the sample, and a pause is silence.

    say  told what could not be decoded
    Raises LookupError where nothing decodes it, or nothing encodes it or so many channels.
    """

    def __init__(
        self, output: OutputContainer, source: Stream, container: Container, say: Callable[[str], None]
    ) -> None:
        self.codec = container.sound
        self._name, self._say = describe_other(source), say
        opened = _opened(self.codec, source)
        self._decoder = source.codec_context
        self._rate = opened.sample_rate
        stream = output.add_stream(opened.name, rate=self._rate)
        assert isinstance(stream, av.AudioStream)
        self.stream = stream
        self._encoder = stream.codec_context
        self._encoder.format, self._encoder.layout = opened.format, opened.layout
        self._encoder.bit_rate = opened.bit_rate
        self._is_unbroken = container.clock == Clock.FRAMES  # from its beginning on, which is the film's
        self._converter: av.AudioResampler | None = None
        self._taken: tuple[object, ...] = ()  # the kind of frames that it converts
        self._part: Segment | None = None
        self._due: int | None = None  # the sample to be encoded next, counted from the output's zero
        self._num_damaged = 0
        self._is_torn = False  # whether packets that could not be decoded lie before the next frame

    def take(self, packet: av.Packet, part: Segment) -> Iterator[av.Packet]:
        self._part = part
        try:
            frames = packet.decode()
        except av.FFmpegError:
            # Packets are read from before the part on: nobody misses those.
            self._num_damaged += packet.pts is None or part.holds(packet.pts * packet.time_base)
            self._is_torn = True
            return
        for frame in frames:
            if isinstance(frame, av.AudioFrame):
                yield from self._converted(frame)

    def rest(self) -> Iterator[av.Packet]:
        if self._part is not None:
            yield from self._kept_back()
        yield from self._flushed()
        yield from self.stream.encode(None)
        if self._num_damaged:
            lost = amount(self._num_damaged, "packet")
            self._say(f"{self._name}: {lost} could not be decoded; silence fills the gap")

    def _kept_back(self) -> Iterator[av.Packet]:
        """What decoders give late: Windows Media's are a frame behind."""
        assert isinstance(self._decoder, AudioCodecContext)
        with suppress(av.FFmpegError):
            for frame in self._decoder.decode(None):
                yield from self._converted(frame)

    def _converted(self, frame: av.AudioFrame) -> Iterator[av.Packet]:
        """In the encoder's rate, channels and format, to whatever the source changes on its way."""
        kind = frame.format.name, frame.layout.name, frame.sample_rate, frame.time_base
        if kind != self._taken:
            yield from self._flushed()
            encoder, self._taken = self._encoder, kind
            self._converter = av.AudioResampler(encoder.format, encoder.layout, self._rate)
        assert self._converter is not None
        yield from self._placed(self._converter.resample(frame))

    def _flushed(self) -> Iterator[av.Packet]:
        if self._converter is not None:
            yield from self._placed(self._converter.resample(None))

    def _placed(self, frames: Iterable[av.AudioFrame]) -> Iterator[av.Packet]:
        """What of the frames is in the part, each sample when it is due."""
        assert self._part is not None
        part, most = self._part, MOST_OFFSET * self._rate
        for frame in frames:
            samples = frame.to_ndarray().reshape(self._planes, -1)
            if frame.pts is not None and frame.time_base is not None:
                begin = self._sample_at(frame.pts * frame.time_base)
            else:
                begin = self._due or 0
            if self._due is None:
                edge = 0 if self._is_unbroken else begin
                edge = edge if part.begin is None else max(edge, self._sample_at(part.begin))
                if begin + frame.samples <= edge:
                    continue
                self._due = edge if self._is_unbroken else max(begin, edge)
            elif -most <= begin - self._due <= (0 if self._is_torn else most):
                begin = self._due  # times are rounded: counted on, they do not jitter
            self._is_torn = False
            while self._due < begin and self._left(1):
                pause = min(begin - self._due, _SILENCE)
                yield from self._encoded(np.zeros((self._planes, pause * self._width), samples.dtype))
            yield from self._encoded(samples[:, (self._due - begin) * self._width :])

    def _encoded(self, samples: np.ndarray) -> Iterator[av.Packet]:
        """samples  (planes, width * samples), from the one that is due on; what is beyond the part is left out"""
        assert self._due is not None
        samples = samples[:, : self._left(samples.shape[1] // self._width) * self._width]
        if not samples.size:
            return
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(samples), format=self._encoder.format.name, layout=self._encoder.layout.name
        )
        frame.sample_rate, frame.time_base, frame.pts = self._rate, Fraction(1, self._rate), self._due
        self._due += frame.samples
        yield from self.stream.encode(frame)

    def _left(self, samples: int) -> int:
        """How many of so many samples, from the one that is due on, are in the part."""
        assert self._part is not None and self._due is not None
        end = self._part.end
        return samples if end is None else min(samples, max(self._sample_at(end) - self._due, 0))

    def _sample_at(self, seconds: Fraction) -> int:
        """On the source's clock."""
        assert self._part is not None
        return round((seconds - self._part.zero) * self._rate)

    @property
    def _planes(self) -> int:
        return self._encoder.layout.nb_channels if self._encoder.format.is_planar else 1

    @property
    def _width(self) -> int:
        """Numbers of a plane to one sample."""
        return self._encoder.layout.nb_channels // self._planes


def _opened(codec: str, source: Stream) -> AudioCodecContext:
    """An encoder as like the source's sound as it can be, tried out. Raises LookupError."""
    decoder = source.codec_context
    if not isinstance(decoder, AudioCodecContext):
        raise LookupError(f"nothing here decodes {codec_name(source)}")
    try:
        coder = av.Codec(_ENCODERS.get(codec, codec), "w")
    except ValueError:
        raise LookupError(f"nothing here encodes {codec}") from None
    rates, rate = coder.audio_rates, decoder.sample_rate
    if not rate or (rates and rate not in rates):
        rate = _RATE
    given = decoder.layout
    names = [LAYOUTS.get(given.nb_channels)]
    # Of channels that are only counted nobody knows how to mix them.
    if not given.name.endswith(" channels"):
        names = [given.name, *names, "stereo"]
    for layout in filter(None, dict.fromkeys(names)):
        encoder = av.CodecContext.create(coder, "w")
        assert isinstance(encoder, AudioCodecContext)
        try:
            encoder.layout, encoder.sample_rate = layout, rate
            encoder.format = _format(coder, decoder)
            encoder.bit_rate = encoder.layout.nb_channels * min(_BITS, _MOST_BITS_PER_SAMPLE * rate)
            encoder.time_base = Fraction(1, rate)
            encoder.open()
        except (av.FFmpegError, ValueError):
            continue
        return encoder
    raise LookupError(f"{codec} does not take its channels")


def _format(coder: av.Codec, decoder: AudioCodecContext) -> str:
    """The encoder's first, or its widest where more than 16 bits of every sample are the source's own."""
    formats = coder.audio_formats or [av.AudioFormat("s16")]
    is_wide = decoder.codec.lossless and decoder.format is not None and decoder.format.bits > 16
    return max(formats, key=lambda one: one.bits).name if is_wide else formats[0].name
