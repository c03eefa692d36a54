"""Footage in which it is known what happens when, for the tests of `vidgan analyze`."""

from pathlib import Path

import numpy as np

import videos
from footage import moving
from videos import Film

WIDTH, HEIGHT = 192, 128
RATE = 25


def lossless(path: Path, frames: np.ndarray, **changes) -> Path:
    """Frames as they are, but for the rounding of YUV."""
    height, width = frames.shape[1:3]
    told = {"codec": "ffv1", "pixel_format": "yuv444p", "full_range": True, "options": {}}
    film = Film(**({"width": width, "height": height, "times": range(len(frames))} | told | changes))
    return videos.write(path, film, frames)


def pan(seed: int, count: int) -> np.ndarray:
    """(T, H, W, 3): a camera that pans by a pixel a frame, away from black and from white.

    A little soft: texture of a single pixel would be noise, and a step over it a cut.
    """
    frames = moving(seed, count, HEIGHT + 2, WIDTH + 2).astype(np.float32)
    frames = (frames[:, :-2] + 2 * frames[:, 1:-1] + frames[:, 2:]) / 4
    frames = (frames[:, :, :-2] + 2 * frames[:, :, 1:-1] + frames[:, :, 2:]) / 4
    return (20 + frames * 0.85).astype(np.uint8)


def black(count: int) -> np.ndarray:
    return np.zeros((count, HEIGHT, WIDTH, 3), np.uint8)


def with_events() -> np.ndarray:
    """At 25 frames a second: black 20..29; still 50..74; a copy of 84 at 85; black for one frame at 95."""
    shown = pan(1, 72)
    still = np.repeat(shown[40:41], 25, axis=0)
    frames = np.concatenate([shown[:20], black(10), shown[20:40], still, shown[41:72]])
    frames[85], frames[95] = frames[84], 0
    return frames
