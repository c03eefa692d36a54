"""Small odd videos for tests, made with PyAV: unequal times, turned, stretched, deep, in company.

Nothing here goes through vidgan: what a test expects comes from this file and from PyAV.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.subtitles.stream import SubtitleStream
from av.subtitles.subtitle import SubtitleSet
from av.video.reformatter import ColorRange, Interpolation

EVEN_TIMES = tuple(range(10))
UNEQUAL_TIMES = (0, 40, 95, 100, 133, 250, 251, 300, 420, 433)  # milliseconds


@dataclass(frozen=True, kw_only=True)
class Film:
    """The film of a test video; the defaults are a plain one of ten frames at 25 a second."""

    width: int = 64
    height: int = 48
    times: Sequence[int] = EVEN_TIMES  # in ticks of time_base
    time_base: Fraction = Fraction(1, 25)
    rate: Fraction = Fraction(25)
    codec: str = "libx264"
    pixel_format: str = "yuv420p"
    matrix: int = 2  # H.273 numbers; 2 is unspecified
    primaries: int = 2
    transfer: int = 2
    full_range: bool | None = None  # None is untagged
    display_matrix: Sequence[int] | None = None
    sample_aspect: Fraction | None = None
    options: Mapping[str, str] = field(default_factory=lambda: {"crf": "12", "preset": "ultrafast"})
    metadata: Mapping[str, str] = field(default_factory=dict)


def picture(index: int, width: int, height: int) -> np.ndarray:
    """(H, W, 3) uint8: soft slopes, a square that moves right, and another colour in each corner.

    No turn and no flip of it is itself.
    """
    y, x = np.mgrid[0:height, 0:width]
    pixels = np.stack([40 + 120 * x / width, 40 + 120 * y / height, np.full(x.shape, 90.0)], axis=-1)
    side = min(width, height) // 4
    left = side + (2 * index) % max(width - 3 * side, 1)
    pixels[side : 2 * side, left : left + side] = (220, 210, 60)
    pixels[:side, :side] = (200, 40, 40)
    pixels[:side, -side:] = (40, 200, 40)
    pixels[-side:, :side] = (40, 40, 200)
    return np.rint(pixels).astype(np.uint8)


def write(path: Path, film: Film | None = None, frames: Iterable[np.ndarray] | None = None) -> Path:
    """A file with nothing but `film`; `frames` are (H, W, 3) uint8 RGB, else `picture`s."""
    film = film or Film()
    with av.open(str(path), "w") as container:
        encode(container, add_film(container, film), film, frames)
    return path


def add_film(container: av.container.OutputContainer, film: Film) -> av.VideoStream:
    stream = container.add_stream(film.codec, rate=film.rate, options=dict(film.options))
    stream.width, stream.height, stream.pix_fmt = film.width, film.height, film.pixel_format
    stream.time_base = stream.codec_context.time_base = film.time_base
    context = stream.codec_context
    context.colorspace, context.color_primaries, context.color_trc = (
        film.matrix,
        film.primaries,
        film.transfer,
    )
    if film.full_range is not None:
        context.color_range = ColorRange.JPEG if film.full_range else ColorRange.MPEG
    if film.sample_aspect is not None:
        context.sample_aspect_ratio = film.sample_aspect
    if film.display_matrix is not None:
        stream.set_display_matrix(film.display_matrix)
    stream.metadata.update(film.metadata)
    return stream


def encode(
    container: av.container.OutputContainer,
    stream: av.VideoStream,
    film: Film,
    frames: Iterable[np.ndarray] | None = None,
) -> None:
    if frames is None:
        frames = (picture(i, film.width, film.height) for i in range(len(film.times)))
    for time, pixels in zip(film.times, frames, strict=True):
        container.mux(stream.encode(to_yuv(pixels, film, time)))
    container.mux(stream.encode(None))


def to_yuv(pixels: np.ndarray, film: Film, time: int = 0) -> av.VideoFrame:
    name = "rgb48le" if pixels.dtype == np.uint16 else "rgb24"
    matrix = {1: 1, 9: 9}.get(film.matrix, 5)
    frame = av.VideoFrame.from_ndarray(pixels, format=name).reformat(
        format=film.pixel_format,
        dst_colorspace=matrix,
        src_color_range=ColorRange.JPEG,
        dst_color_range=ColorRange.JPEG if film.full_range else ColorRange.MPEG,
        interpolation=Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT,
    )
    frame.pts, frame.time_base = time, film.time_base
    frame.colorspace, frame.color_primaries, frame.color_trc = film.matrix, film.primaries, film.transfer
    frame.color_range = ColorRange.UNSPECIFIED
    if film.full_range is not None:
        frame.color_range = ColorRange.JPEG if film.full_range else ColorRange.MPEG
    return frame


def write_in_company(path: Path, *, subtitles: Sequence[str] = ("subrip", "ass"), audio: str = "aac") -> Path:
    """Two seconds of film, sound and subtitles in two languages, chapters and tags; in MKV a font and a cover."""
    film = Film(times=tuple(range(50)), metadata={"language": "jpn", "title": "The film"})
    is_matroska = path.suffix == ".mkv"
    with av.open(str(path), "w") as container:
        container.metadata.update(title="A walk", artist="Nobody", comment="made for a test")
        video = add_film(container, film)
        sounds = [add_sound(container, audio, language) for language in ("eng", "ger")]
        texts = [
            add_text(container, codec, lang) for codec, lang in zip(subtitles, ("eng", "ger"), strict=True)
        ]
        sounds[0].disposition = av.stream.Disposition.default
        sounds[1].disposition = av.stream.Disposition.comment
        if is_matroska:
            texts[1].disposition = av.stream.Disposition.forced
            container.add_attachment("font.ttf", "application/x-truetype-font", b"not really a font" * 20)
            container.add_attachment("cover.png", "image/png", png(picture(0, 32, 24)))
        container.set_chapters([chapter(1, 0, 900, "Out"), chapter(2, 900, 2000, "Back")])
        for stream in sounds:
            encode_tone(container, stream, seconds=2)
        for stream in texts:
            encode_text(container, stream)
        encode(container, video, film)
    return path


def png(pixels: np.ndarray) -> bytes:
    context = av.CodecContext.create("png", "w")
    context.width, context.height, context.pix_fmt = pixels.shape[1], pixels.shape[0], "rgb24"
    context.time_base = Fraction(1, 25)
    packets = context.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")) + context.encode(None)
    return b"".join(bytes(packet) for packet in packets)


def chapter(number: int, start: int, end: int, title: str) -> dict[str, object]:
    tick = Fraction(1, 1000)
    return {"id": number, "start": start, "end": end, "time_base": tick, "metadata": {"title": title}}


def add_sound(container: av.container.OutputContainer, codec: str, language: str) -> av.AudioStream:
    stream = container.add_stream(codec, rate=48000)
    stream.layout = "mono"
    stream.metadata["language"] = language
    return stream


def encode_tone(container: av.container.OutputContainer, stream: av.AudioStream, *, seconds: int) -> None:
    """A click every half second: silence, and a burst of 10 ms at 0.5, 1.0, 1.5 s."""
    size = 960
    for start in range(0, 48000 * seconds, size):
        t = np.arange(start, start + size)
        samples = np.where((t % 24000 < 480) & (t >= 24000), 0.5 * np.sin(t * 0.2), 0).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48000, start, Fraction(1, 48000)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def add_text(container: av.container.OutputContainer, codec: str, language: str) -> SubtitleStream:
    stream = container.add_stream(codec)
    stream.codec_context.subtitle_header = ASS_HEADER
    stream.codec_context.time_base = stream.time_base = Fraction(1, 1000)
    stream.metadata["language"] = language
    return stream


ASS_HEADER = b"""[Script Info]
ScriptType: v4.00+
PlayResX: 384
PlayResY: 288

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, \
Underline, StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, \
MarginV, Encoding
Style: Default,Arial,16,&Hffffff,&Hffffff,&H0,&H0,0,0,0,0,100,100,0,0,1,1,0,2,10,10,10,1

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
"""
TEXTS = ((200, 700, "Good morning"), (1000, 1600, "Zwei\\NZeilen \u00fc"))  # from, to in milliseconds


def encode_text(container: av.container.OutputContainer, stream: SubtitleStream) -> None:
    for number, (start, end, text) in enumerate(TEXTS):
        line = f"{number},0,Default,,0,0,0,,{text}".encode()
        subtitle = SubtitleSet.create(line, 0, end - start, start)
        packet = stream.codec_context.encode_subtitle(subtitle)
        packet.stream, packet.time_base = stream, Fraction(1, 1000)
        packet.pts = packet.dts = start
        packet.duration = end - start
        container.mux(packet)
