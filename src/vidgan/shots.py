"""Where a scene ends: what was remembered of the last one must not bleed into the next.

Source: the measure of FFmpeg's scdet filter. A cut is a large change that comes out of nowhere; a fast camera
changes the picture as much, but goes on doing so.
"""

import numpy as np

# Percent of full scale. On 55 training clips motion reached 6.8, on five held-out ones 8.1 (a pan from the first frame
# on, which nothing goes before); 918 cuts between clips began at 10.4.
THRESHOLD = 9.0
SIDE = 96  # the pictures are compared at about this height: noise averages out, and it costs nothing


class CutDetector:
    """Sees the frames of one video in order, and says of each whether a new shot begins with it."""

    def __init__(self, threshold: float = THRESHOLD) -> None:
        self.threshold = threshold
        self._last: np.ndarray | None = None
        self._last_change = 0.0

    @property
    def remembered(self) -> tuple[np.ndarray | None, float]:
        """What the frames so far left behind: the last one, small, and the last change. May be set again."""
        return self._last, self._last_change

    @remembered.setter
    def remembered(self, before: tuple[np.ndarray | None, float]) -> None:
        self._last, self._last_change = before

    def begins_shot(self, pixels: np.ndarray) -> bool:
        """pixels  (H, W, 3) uint8 or uint16. The first frame begins a shot."""
        small = thumbnail(pixels)
        if self._last is None or self._last.shape != small.shape:
            self._last, self._last_change = small, 0.0
            return True
        change = float(np.abs(small - self._last).mean()) * 100
        surprise = min(change, abs(change - self._last_change))
        self._last, self._last_change = small, change
        return surprise >= self.threshold


def thumbnail(pixels: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 or uint16 -> (h, w) in [0, 1]: green, which is most of luma, averaged over blocks."""
    step = max(1, min(pixels.shape[:2]) // SIDE)
    height, width = (side // step * step for side in pixels.shape[:2])
    blocks = pixels[:height, :width, 1].reshape(height // step, step, width // step, step)
    return blocks.mean((1, 3), dtype=np.float32) / np.iinfo(pixels.dtype).max
