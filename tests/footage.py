"""Footage whose properties are known: pictures with nature's spectrum, clips that move over them."""

import numpy as np

from vidgan.video.pictures import jpeg_bytes, png_bytes


def nature(seed: int, height: int = 240, width: int = 320) -> np.ndarray:
    """(H, W, 3) uint8: noise whose amplitude falls as 1/f, as in photographs, down to the finest detail."""
    rng = np.random.default_rng(seed)
    y, x = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]
    amplitude = 1 / np.maximum(np.hypot(y, x), 1 / max(height, width))
    planes = []
    for _ in range(3):
        phase = np.exp(2j * np.pi * rng.random((height, width // 2 + 1)))
        plane = np.fft.irfft2(amplitude * phase, s=(height, width))
        planes.append((plane - plane.mean()) / plane.std())
    common = planes[0][..., None] + 0.3 * np.stack(planes, -1)
    return np.clip(common * 45 + 128, 0, 255).astype(np.uint8)


def moving(seed: int, num_frames: int = 10, height: int = 240, width: int = 320) -> np.ndarray:
    """(T, H, W, 3): a camera that pans by a pixel a frame over one picture."""
    large = nature(seed, height, width + num_frames)
    return np.stack([large[:, t : t + width] for t in range(num_frames)])


def save(pixels: np.ndarray, path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(png_bytes(pixels) if path.suffix == ".png" else jpeg_bytes(pixels, quality=2))
