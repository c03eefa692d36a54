"""A film for a web page: H.264 in MP4, in memory, that every browser plays and that can be sought anywhere."""

import io
from fractions import Fraction

import av
import numpy as np

from vidgan.video.colour import Colour, Converter

TICKS = 90_000  # a second
QUALITY = "16"  # x264's crf
SEEKABLE = 12  # frames between those that can be sought at once
_COLOUR = Colour(matrix="bt709", primaries="bt709", transfer="bt709", full_range=False)


class Film:
    """Takes pictures with their times; bytes() ends it. Sides must be even."""

    def __init__(self, width: int, height: int) -> None:
        assert width % 2 == 0 == height % 2, (width, height)
        self._memory = io.BytesIO()
        self._container = av.open(self._memory, "w", format="mp4")
        self._stream = self._container.add_stream(
            "libx264", rate=25, options={"crf": QUALITY, "preset": "veryfast", "g": str(SEEKABLE), "bf": "0"}
        )
        self._stream.width, self._stream.height, self._stream.pix_fmt = width, height, "yuv420p"
        self._stream.time_base = self._stream.codec_context.time_base = Fraction(1, TICKS)
        self._converter = Converter(_COLOUR)
        self._last = -1

    def add(self, pixels: np.ndarray, seconds: float) -> None:
        """pixels  (H, W, 3) uint8 RGB; seconds  later than the last."""
        picture = self._converter.from_rgb(pixels, "yuv420p")
        self._last = max(round(seconds * TICKS), self._last + 1)
        picture.pts, picture.time_base = self._last, Fraction(1, TICKS)
        self._container.mux(self._stream.encode(picture))

    def bytes(self) -> bytes:
        self._container.mux(self._stream.encode(None))
        self._container.close()
        return self._memory.getvalue()

    def close(self) -> None:
        """Let go of the encoder; nothing is kept."""
        self._container.close()
