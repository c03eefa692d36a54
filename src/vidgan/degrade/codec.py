"""Real codecs, because no formula blurs, blocks and smears through time as they do."""

import torch
from torch import Tensor

from vidgan.pixels import bytes_of

FRAME_RATE = 25  # that a bit rate counts on


def encoded(
    frames: Tensor, codec: str, quality: float | None = None, *, bits_per_pixel: float | None = None
) -> Tensor:
    """Frames (T, 3, H, W) as they come back from a real encoder.

    codec           h264, hevc, mpeg4, mpeg2, vp9; or mjpeg, a JPEG for each frame
    quality         the codec's own constant: 0..51 (h264, hevc), 0..63 (vp9), 1..31 (mpeg4, mpeg2, mjpeg)
    bits_per_pixel  a bit rate instead, of h264 and hevc. The rate control of the others learns over more frames than
                    a training clip has, and would leave them untouched
    """
    # Only here: training from a packed store without this damage runs where PyAV is not installed.
    from vidgan.video.codec import compress

    assert bits_per_pixel is None or codec in ("h264", "hevc"), f"{codec} does not keep to a rate"
    pixels = bytes_of(frames)
    _, height, width, _ = pixels.shape
    rate = None if bits_per_pixel is None else max(1000, round(bits_per_pixel * height * width * FRAME_RATE))
    back = torch.from_numpy(compress(pixels, codec=codec, crf=quality, bit_rate=rate))
    return back.permute(0, 3, 1, 2).to(frames.dtype) / 255
