"""Which encoder writes the output, in which pixel format, how finely: everything of the choice in one place.

Defaults measured on a 960x536 clip (PSNR of luma, kbit and CPU time a frame): H.264 superfast at crf 17
and veryfast at crf 16 both reach 43.3 dB, with 290 and 218 kbit in 8 and 13 ms; HEVC superfast at crf 17
43.0 dB with 123 kbit in 46 ms; VP9 realtime 6 at crf 20 43.3 dB with 172 kbit in 16 ms. Beside a network
on the same cores, time decides.
"""

import os
from dataclasses import dataclass
from functools import cache
from math import log2
from pathlib import Path

import av

from vidgan.errors import BadOption, BadOutput
from vidgan.video.colour import Colour
from vidgan.video.containers import container_for
from vidgan.video.probe import Source


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """What the user may ask of the encoder; None is our default for the source and the container."""

    codec: str | None = None  # h264, hevc, av1, vp9, mpeg4, ffv1 or prores
    crf: float | None = None  # constant quality, on the codec's own scale; lower is better
    preset: str | None = None  # speed, in the codec's own words (x264, x265) or numbers (av1, vp9)
    threads: int = 0  # 0 leaves it to the encoder
    light: bool = False  # as little memory as the encoder can do with: nothing looked ahead at, one thread


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One encoder with its settings, and what it costs the picture."""

    codec: str
    encoder: str
    pixel_format: str
    options: dict[str, str]
    quantiser: int | None = None  # for encoders without constant quality
    threads: int = 0  # 0 leaves it to the encoder
    frames_ahead: int = 0  # that it holds before it codes the first of them
    frames_held: int = 0  # that it refers to and reorders
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _Encoder:
    name: str
    crf: float | None  # the default; None where quality is not to be chosen
    preset: str | None
    worst_crf: int = 51
    even_sides: bool = True  # where chroma is halved, the side must be even
    least: tuple[int, int] = (1, 1)  # width, height
    most: tuple[int, int] = (65535, 65535)


_ENCODERS = {
    "h264": _Encoder(name="libx264", crf=17, preset="superfast", most=(16384, 16384)),
    # x265 writes outside its memory at widths of 33 to 48, and gives up on films of 5000x16.
    "hevc": _Encoder(name="libx265", crf=17, preset="superfast", least=(64, 32)),
    # SVT-AV1 takes 4 and more, but waits for ever on films of 66x16 or 1024x16.
    "av1": _Encoder(name="libsvtav1", crf=20, preset="10", worst_crf=63, least=(32, 32), most=(16384, 8704)),
    "vp9": _Encoder(name="libvpx-vp9", crf=20, preset="6", worst_crf=63, even_sides=False),
    "mpeg4": _Encoder(name="mpeg4", crf=2, preset=None, worst_crf=31, even_sides=False, most=(8190, 8190)),
    "ffv1": _Encoder(name="ffv1", crf=None, preset=None, even_sides=False),
    "prores": _Encoder(name="prores_ks", crf=None, preset=None),
}
_ALIASES = {
    "x264": "h264", "libx264": "h264", "avc": "h264", "x265": "hevc", "libx265": "hevc", "h265": "hevc",
    "libsvtav1": "av1", "svtav1": "av1", "libvpx-vp9": "vp9", "prores_ks": "prores",
}  # fmt: skip
_X26X_PRESETS = (
    "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow", "placebo",
)  # fmt: skip
# Frames that are looked ahead at, by preset: x264's and x265's own tables.
_X264_AHEAD = dict(zip(_X26X_PRESETS, (0, 0, 10, 20, 30, 40, 50, 60, 60, 60), strict=True))
_X265_AHEAD = dict(zip(_X26X_PRESETS, (5, 10, 15, 15, 15, 20, 25, 40, 40, 60), strict=True))
# Reference frames plus B-frames in a row, by preset: from the same tables.
_HELD = {
    "h264": dict(zip(_X26X_PRESETS, (1, 4, 4, 5, 5, 6, 8, 11, 24, 32), strict=True)),
    "hevc": dict(zip(_X26X_PRESETS, (4, 4, 4, 4, 5, 7, 8, 13, 13, 13), strict=True)),
}
_LEAST_HEVC_AHEAD, _LEAST_HEVC_B = 4, 3  # x265 looks further ahead than it reorders
_AV1_AHEAD, _VP9_AHEAD = 40, 25


def choose(path: Path, encoding: Encoding, source: Source) -> Choice:
    """The encoder for `path`.

    Raises BadOption for settings it does not know, BadOutput for what `path` cannot hold.
    """
    codec = _codec(path, encoding, source.bit_depth)
    encoder = _ENCODERS[codec]
    pixel_format = _pixel_format(_formats(encoder.name), source)
    layout = av.VideoFormat(pixel_format, 64, 64)
    depth = layout.components[0].bits
    if source.colour.is_hdr and (depth < 10 or not container_for(path).colour_tags):
        raise BadOutput(
            f"{path}: {source.path.name} is HDR, which {codec} in {path.suffix} cannot hold ({depth} bits)",
            "Choose --codec hevc in .mp4 or .mkv, or av1 in .webm.",
        )
    notes = []
    if depth < source.bit_depth:
        notes.append(f"{source.bit_depth} bits are written as {depth}: {codec} has no more")
    if _chroma(layout) > _chroma(av.VideoFormat(source.pixel_format, 64, 64)):
        notes.append(f"{source.pixel_format} is written as {pixel_format}: {codec} has no finer colours")
    quantiser = round(_crf(encoding, codec)) if codec == "mpeg4" else None
    return Choice(
        codec=codec,
        encoder=encoder.name,
        pixel_format=pixel_format,
        options=_options(codec, encoding, source.colour),
        quantiser=quantiser,
        threads=1 if encoding.light else encoding.threads,
        frames_ahead=_frames_ahead(codec, encoding),
        frames_held=_HELD.get(codec, {}).get(encoding.preset or encoder.preset or "", 0),
        notes=tuple(notes),
    )


def check_any(path: Path, encoding: Encoding) -> None:
    """Raise, as `choose` would, where `path` and the encoding suit no source at all."""
    sdr = Colour(matrix="bt709", primaries=None, transfer=None, full_range=False)
    refused: list[BadOption] = []
    codecs = dict.fromkeys(_codec(path, encoding, bit_depth) for bit_depth in (8, 10))
    for codec in codecs:
        try:
            _options(codec, encoding, sdr)
        except BadOption as error:
            refused.append(error)
    if len(refused) == len(codecs):
        raise refused[0]


def size_multiple(path: Path, encoding: Encoding, source: Source) -> tuple[int, int]:
    """(width, height) of the least block that the output's sides must be multiples of: (2, 2) for 4:2:0."""
    choice = choose(path, encoding, source)
    if not _ENCODERS[choice.codec].even_sides:
        return 1, 1
    across, down = _chroma(av.VideoFormat(choice.pixel_format, 64, 64))
    return 2**across, 2**down


def check_size(path: Path, choice: Choice, width: int, height: int, multiple: tuple[int, int]) -> None:
    """Raise BadOutput where the encoder cannot take this size."""
    if width % multiple[0] or height % multiple[1]:
        raise BadOutput(
            f"{path}: {choice.codec} ({choice.pixel_format}) needs sides that are multiples of "
            f"{multiple[0]} and {multiple[1]}, not {width}x{height}",
            "Choose such a size, or --codec vp9 in .mkv or .webm.",
        )
    if not _takes(choice.codec, width, height):
        least, most = _ENCODERS[choice.codec].least, _ENCODERS[choice.codec].most
        raise BadOutput(
            f"{path}: {choice.codec} takes pictures from {least[0]}x{least[1]} to {most[0]}x{most[1]}, "
            f"not {width}x{height}",
            f"Choose another --size, or {_other_codec(path, width, height)}",
        )


def _takes(codec: str, width: int, height: int) -> bool:
    least, most = _ENCODERS[codec].least, _ENCODERS[codec].most
    return least[0] <= width <= most[0] and least[1] <= height <= most[1]


def _other_codec(path: Path, width: int, height: int) -> str:
    """One that takes this size, in the same container where that can be."""
    codecs = [codec for codec in ("h264", "vp9", "ffv1") if _takes(codec, width, height)]
    here = [codec for codec in codecs if codec in container_for(path).codecs]
    return f"--codec {here[0]}." if here else f"--codec {codecs[0] if codecs else 'ffv1'} in .mkv."


def _codec(path: Path, encoding: Encoding, bit_depth: int) -> str:
    container = container_for(path)
    if encoding.codec is None:
        if bit_depth <= 8:
            return container.codecs[0]
        return next((codec for codec in ("hevc", "av1") if codec in container.codecs), container.codecs[0])
    codec = _ALIASES.get(encoding.codec.lower(), encoding.codec.lower())
    if codec not in _ENCODERS:
        raise BadOption(f"there is no codec {encoding.codec!r}", f"Choose one of: {', '.join(_ENCODERS)}.")
    if codec not in container.codecs:
        raise BadOutput(
            f"{path}: {codec} does not go into {path.suffix} files",
            f"Choose one of: {', '.join(container.codecs)}; or another suffix.",
        )
    return codec


@cache
def _formats(encoder: str) -> tuple[str, ...]:
    formats = av.Codec(encoder, "w").video_formats or []
    return tuple(f.name for f in formats if f.name.startswith("yuv4") and not f.name.endswith("be"))


def _chroma(layout: av.VideoFormat) -> tuple[int, int]:
    """log2 of how much coarser than luma the colours are, across and down: (1, 1) for 4:2:0."""
    if len(layout.components) == 1 and not layout.is_rgb:
        return (1, 1) if not layout.has_palette else (0, 0)  # grey has no colours to lose
    return int(log2(64 // layout.chroma_width(64))), int(log2(64 // layout.chroma_height(64)))


def _pixel_format(formats: tuple[str, ...], source: Source) -> str:
    """The format that loses least of the source's depth, then of its chroma, and then adds least."""
    wanted = _chroma(av.VideoFormat(source.pixel_format, 64, 64))

    def cost(name: str) -> tuple[int, int, int, int]:
        layout = av.VideoFormat(name, 64, 64)
        depth, chroma = layout.components[0].bits, _chroma(layout)
        lost_chroma = sum(max(0, here - there) for here, there in zip(chroma, wanted, strict=True))
        more_chroma = sum(max(0, there - here) for here, there in zip(chroma, wanted, strict=True))
        return max(0, source.bit_depth - depth), lost_chroma, max(0, depth - source.bit_depth), more_chroma

    return min(formats, key=cost)


def _crf(encoding: Encoding, codec: str) -> float:
    encoder = _ENCODERS[codec]
    assert encoder.crf is not None
    crf = encoder.crf if encoding.crf is None else encoding.crf
    if not 0 <= crf <= encoder.worst_crf:
        raise BadOption(
            f"--crf {crf:g} is out of range for {codec}", f"Give 0 to {encoder.worst_crf}; lower is better."
        )
    return max(crf, 1) if codec == "mpeg4" else crf


def _options(codec: str, encoding: Encoding, colour: Colour) -> dict[str, str]:
    encoder = _ENCODERS[codec]
    if encoder.crf is None and encoding.crf is not None:
        raise BadOption(f"--crf means nothing to {codec}", "Leave it out.")
    if encoder.preset is None and encoding.preset is not None:
        raise BadOption(f"--preset means nothing to {codec}", "Leave it out.")
    crf = f"{_crf(encoding, codec):g}" if encoder.crf is not None else ""
    preset = encoding.preset or encoder.preset or ""
    if codec in ("h264", "hevc"):
        if preset not in _X26X_PRESETS:
            raise BadOption(
                f"{codec} has no preset {preset!r}", f"Choose one of: {', '.join(_X26X_PRESETS)}."
            )
        # x265 would write the processor's abilities into the header: no other machine could go on with the film.
        x265 = ["log-level=error", "info=0", *_x265_light(colour)]
        params = _x264_light(colour) if codec == "h264" else x265
        params += _short_sighted(codec) if encoding.light else []
        options = {"crf": crf, "preset": preset}
        return options | (
            {f"x{codec[1:] if codec == 'h264' else '265'}-params": ":".join(params)} if params else {}
        )
    if codec in ("av1", "vp9"):
        most = 13 if codec == "av1" else 8
        if not preset.isdecimal() or int(preset) > most:
            raise BadOption(
                f"{codec} has no preset {preset!r}", f"Give a number from 0 (slow) to {most} (fast)."
            )
        if codec == "vp9":
            options = {"crf": crf, "deadline": "realtime", "cpu-used": preset, "row-mt": "1"}
            return options | ({"lag-in-frames": "0"} if encoding.light else {})
        os.environ.setdefault("SVT_LOG", "1")  # SVT-AV1 greets on stderr; it listens to nothing else
        light = _svt_light(colour) + (_short_sighted(codec) if encoding.light else [])
        return {"crf": crf, "preset": preset} | ({"svtav1-params": ":".join(light)} if light else {})
    return {"level": "3", "slicecrc": "1"} if codec == "ffv1" else {}


def _short_sighted(codec: str) -> list[str]:
    """What makes an encoder look no further ahead than it must."""
    return {
        "h264": ["rc-lookahead=0"],
        "hevc": [f"rc-lookahead={_LEAST_HEVC_AHEAD}", f"bframes={_LEAST_HEVC_B}"],
        "av1": ["lp=1", "lookahead=0"],
    }[codec]


def _frames_ahead(codec: str, encoding: Encoding) -> int:
    preset = encoding.preset or _ENCODERS[codec].preset or ""
    if encoding.light:
        return _LEAST_HEVC_AHEAD if codec == "hevc" else 0
    if codec in ("h264", "hevc"):
        return (_X264_AHEAD if codec == "h264" else _X265_AHEAD)[preset]
    return {"av1": _AV1_AHEAD, "vp9": _VP9_AHEAD}.get(codec, 0)


def _x264_light(colour: Colour) -> list[str]:
    mastering = [f"mastering-display={colour.mastering}"] if colour.mastering else []
    return mastering + ([f"cll={_pair(colour.light_level)}"] if colour.light_level else [])


def _x265_light(colour: Colour) -> list[str]:
    mastering = [f"master-display={colour.mastering}"] if colour.mastering else []
    return mastering + ([f"max-cll={_pair(colour.light_level)}"] if colour.light_level else [])


def _svt_light(colour: Colour) -> list[str]:
    """SVT-AV1 takes the numbers of x265 as fractions: points as they are, light in cd/m2."""
    level = [f"content-light={_pair(colour.light_level)}"] if colour.light_level else []
    if not colour.mastering:
        return level
    points, light = colour.mastering.split("L")
    for letters in ("G", "B", "R", "WP"):
        head, _, rest = points.partition(f"{letters}(")
        x, y = rest[: rest.index(")")].split(",")
        points = f"{head}{letters}({int(x) / 50000:g},{int(y) / 50000:g}){rest[rest.index(')') + 1 :]}"
    brightest, darkest = light.strip("()").split(",")
    return [f"mastering-display={points}L({int(brightest) / 10000:g},{int(darkest) / 10000:g})", *level]


def _pair(numbers: tuple[int, int]) -> str:
    return f"{numbers[0]},{numbers[1]}"
