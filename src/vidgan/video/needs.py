"""How much memory a decoder and an encoder take, in bytes, before either is opened.

Nothing tells it beforehand, so that encoders were measured, each in a process of its own, on coarse noise at 360p to
1080p: depths, threads, and the presets of x264 and x265. Frames held are linear in those that are looked ahead at,
those that are referred to, and threads; the numbers below lie above every measurement.
"""

import os
from dataclasses import dataclass

import av

from vidgan.video.encoders import Choice
from vidgan.video.probe import Source

MEBI = 1 << 20
MOST_DECODING_THREADS = 16  # of FFmpeg's choice
MOST_REFERENCES = 16  # frames that a stream may refer to, by H.264 and HEVC
REFERENCE_PIXELS = 184_320 * 256  # that they may have together at level 5.2 of H.264, which is for 4K
LEAST_REFERENCES = 6  # beyond 4K
IN_FILTERS = 4  # frames that bwdif and the converter hold


@dataclass(frozen=True, kw_only=True)
class _Held:
    """What an encoder holds, in frames of its pixel format; `fixed` is what does not depend on their size."""

    fixed: int  # MiB
    own: float = 0.0
    a_frame_held: float = 0.0
    a_frame_ahead: float = 0.0
    a_thread: float = 0.0  # beyond the first


_HELD = {
    "h264": _Held(fixed=9, own=6, a_frame_held=8, a_frame_ahead=2.7, a_thread=12),
    "hevc": _Held(fixed=42, own=18, a_frame_held=12.5, a_frame_ahead=2.8, a_thread=11),
    "av1": _Held(fixed=45, own=80, a_frame_ahead=1.5),
    "vp9": _Held(fixed=33, own=56, a_frame_ahead=1.6),
    "mpeg4": _Held(fixed=7, own=9, a_thread=10),
    "ffv1": _Held(fixed=5, own=28, a_thread=2),
    "prores": _Held(fixed=5, own=10, a_thread=3),
}


def frame_bytes(pixel_format: str, width: int, height: int) -> int:
    """Of one frame as codecs hold it."""
    layout = av.VideoFormat(pixel_format, 64, 64)
    colours = 2 * layout.chroma_width(64) * layout.chroma_height(64) if len(layout.components) > 2 else 0
    sample = 2 if layout.components[0].bits > 8 else 1
    return width * height * sample * (64 * 64 + colours) // (64 * 64)


def of_decoder(source: Source, *, threads: int) -> int:
    """threads  0 for as many as FFmpeg takes"""
    pixels = source.width * source.height
    references = min(MOST_REFERENCES, max(LEAST_REFERENCES, REFERENCE_PIXELS // pixels))
    threads = threads or min((os.cpu_count() or 1) + 1, MOST_DECODING_THREADS)
    return (references + threads + IN_FILTERS) * frame_bytes(source.pixel_format, source.width, source.height)


def of_encoder(choice: Choice, width: int, height: int) -> int:
    held = _HELD[choice.codec]
    threads = choice.threads or _own_choice(choice.codec)
    frames = held.own + held.a_frame_held * choice.frames_held + held.a_frame_ahead * choice.frames_ahead
    frames += held.a_thread * (threads - 1)
    return held.fixed * MEBI + round(frames * frame_bytes(choice.pixel_format, width, height))


def _own_choice(codec: str) -> int:
    """How many threads with pictures of their own an encoder starts where nobody says."""
    cores = os.cpu_count() or 1
    if codec == "h264":
        return cores * 3 // 2
    if codec == "hevc":  # pictures that it codes at once; all cores work on each
        return next(
            number for least, number in ((32, 6), (16, 5), (8, 4), (4, 3), (2, 2), (0, 1)) if cores >= least
        )
    return cores
