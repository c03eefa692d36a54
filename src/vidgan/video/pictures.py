"""Single pictures as PNG and JPEG bytes: thumbnails, samples, strips."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from vidgan import disk
from vidgan.video.colour import Colour, Converter

_JPEG_COLOUR = Colour(matrix="smpte170m", primaries=None, transfer=None, full_range=True)


def png_bytes(pixels: np.ndarray) -> bytes:
    """(H, W, 3) uint8 RGB as a PNG, exactly."""
    return _encoded("png", av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24"))


def jpeg_bytes(pixels: np.ndarray, *, quality: int = 5) -> bytes:
    """(H, W, 3) uint8 RGB as a JPEG.

    quality  the quantiser of FFmpeg's encoder: 2 is best, 31 is worst
    """
    picture = Converter(_JPEG_COLOUR).from_rgb(np.ascontiguousarray(pixels), "yuvj420p")
    return _encoded("mjpeg", picture, quality)


def write_png(pixels: np.ndarray, path: Path) -> None:
    """The whole file or none."""
    with disk.replacing(path) as partial:
        partial.write_bytes(png_bytes(pixels))


def _encoded(codec: str, picture: av.VideoFrame, quality: int | None = None) -> bytes:
    encoder = av.CodecContext.create(codec, "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = picture.width, picture.height, picture.format.name
    encoder.time_base, encoder.thread_count = Fraction(1, 25), 1
    if codec == "mjpeg":
        encoder.color_range = 2  # full, as JPEG always is
    if quality is not None:
        encoder.qmin = encoder.qmax = quality
    picture.pts = 0
    return b"".join(bytes(packet) for packet in [*encoder.encode(picture), *encoder.encode(None)])
