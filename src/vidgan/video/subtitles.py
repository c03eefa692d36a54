"""Text subtitles from one container's form to another's: SubRip, ASS, WebVTT, plain and MP4's timed text."""

from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

import av
from av.container import OutputContainer
from av.subtitles.stream import SubtitleStream
from av.subtitles.subtitle import AssSubtitle, SubtitleSet

TEXT_CODECS = {"subrip", "srt", "ass", "ssa", "webvtt", "mov_text", "text"}
_TICK = Fraction(1, 1000)
_NUM_FIELDS = 9  # of a line of ASS inside a container


class TextConverter:
    """Decodes the packets of one stream into lines of ASS, FFmpeg's common form, and encodes them anew."""

    def __init__(self, output: OutputContainer, template: SubtitleStream, codec: str) -> None:
        self._decoder = template.codec_context
        self._decoder.open(strict=False)  # so that it has its header
        stream = output.add_stream(codec)
        assert isinstance(stream, SubtitleStream)
        self.stream: SubtitleStream = stream
        self.stream.codec_context.subtitle_header = self._decoder.subtitle_header
        self.stream.codec_context.time_base = self.stream.time_base = _TICK
        self._num_lines = 0
        self._one_at_a_time = codec == "mov_text"
        self._on: list[_Line] = []  # lines that are shown

    def convert(self, packet: av.Packet, start: Fraction, duration: Fraction) -> Iterator[av.Packet]:
        """Packets for `stream`, shown from `start` for `duration` (seconds, on the output's clock)."""
        shown = self._decoder.decode2(packet)
        lines = [rect.ass.decode("utf-8", "replace") for rect in shown or () if isinstance(rect, AssSubtitle)]
        # ReadOrder,Layer,Style,Name,MarginL,MarginR,MarginV,Effect,Text
        fields = [line.split(",", _NUM_FIELDS - 1) for line in lines if line.count(",") >= _NUM_FIELDS - 1]
        text = r"\N".join(field[-1] for field in fields if field[-1].strip())
        if not text:
            return  # MP4 fills its gaps with empty texts
        begin = round(start * 1000)
        line = _Line(begin, begin + max(round(duration * 1000), 1), fields[0][1:-1], text)
        if not self._one_at_a_time:
            yield self._encoded(line.begin, line.end, [line])
            return
        yield from self._until(line.begin)
        self._on.append(line)

    def rest(self) -> Iterator[av.Packet]:
        """What is still shown when the last line has come."""
        yield from self._until(max((line.end for line in self._on), default=0))

    def _until(self, now: int) -> Iterator[av.Packet]:
        """What is shown before `now`: MP4 shows one text at a time, so that lines that overlap become one of both."""
        while self._on:
            begin = max(line.begin for line in self._on)
            end = min(now, *(line.end for line in self._on))
            if end > begin:
                yield self._encoded(begin, end, self._on)
            if end == now:
                break
            self._on = [line._replace(begin=end) for line in self._on if line.end > end]
        self._on = [line._replace(begin=max(line.begin, now)) for line in self._on if line.end > now]

    def _encoded(self, begin: int, end: int, lines: list["_Line"]) -> av.Packet:
        text = r"\N".join(line.text for line in lines)
        line = ",".join([str(self._num_lines), *lines[0].fields, text])
        self._num_lines += 1
        encoded = self.stream.codec_context.encode_subtitle(SubtitleSet.create(line.encode(), 0, end - begin))
        encoded.stream, encoded.time_base = self.stream, _TICK
        encoded.pts = encoded.dts = begin
        encoded.duration = end - begin
        return encoded


class _Line(NamedTuple):
    begin: int  # milliseconds
    end: int
    fields: list[str]  # of ASS, between its number and its text
    text: str
