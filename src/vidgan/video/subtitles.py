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
        self._now = 0  # milliseconds: whatever is shown before this has been handed over
        self._shown: list[_Line] = []  # the lines that are shown from then on

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
        line = _Line(begin + max(round(duration * 1000), 1), fields[0][1:-1], text)
        if self._one_at_a_time:
            yield from self._until(begin)
            self._shown.append(line)
        else:
            yield self._encoded(begin, line.end, [line])

    def rest(self) -> Iterator[av.Packet]:
        """What is still shown when the last line has come."""
        yield from self._until(max((line.end for line in self._shown), default=self._now))

    def _until(self, time: int) -> Iterator[av.Packet]:
        """What is shown before `time`: MP4 shows one text at a time, so that lines that overlap become one of both."""
        while self._shown and self._now < time:
            end = min(time, *(line.end for line in self._shown))
            if end > self._now:
                yield self._encoded(self._now, end, self._shown)
            self._now = max(self._now, end)
            self._shown = [line for line in self._shown if line.end > self._now]
        self._now = max(self._now, time)

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
    end: int  # milliseconds
    fields: list[str]  # of ASS, between its number and its text
    text: str
