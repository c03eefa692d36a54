"""The pictures that every method is given: sharp clips, and their small versions.

Letters: T frames, H W height and width of the sharp clip, h w of the small one.
"""

import io
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

SCALE = 4


@dataclass(frozen=True, kw_only=True)
class Damage:
    """In the order of a camera: optics, sensor, codec."""

    blur: float  # sigma, small pixels
    noise: float  # sigma, code values of 255, independent in each colour and frame
    crf: int


DAMAGE = Damage(blur=0.5, noise=2.0, crf=20)  # of the damaged version
NOISE_SEED = 20260
# Plain C and one thread: with its assembly the same pictures gave other bytes from one run to the next.
X264 = {"preset": "medium", "x264-params": "threads=1:lookahead-threads=1:asm=0"}

PROTOCOL = {
    "scale": SCALE,
    "clean": "antialiased bicubic (a = -0.5) to a quarter of each side, rounded to 8 bits",
    "damaged": (
        f"clean before rounding, Gaussian blur of sigma {DAMAGE.blur} px, Gaussian noise of sigma "
        f"{DAMAGE.noise}/255 (seed {NOISE_SEED}), rounded to 8 bits, then x264 yuv420p crf {DAMAGE.crf} "
        f"preset {X264['preset']}"
    ),
}


def read(path: Path, *, num_frames: int | None = None) -> np.ndarray:
    """The first frames of a clip, (T, H, W, 3) RGB uint8, cut to sides that SCALE divides."""
    with av.open(str(path)) as container:
        pictures = []
        for frame in container.decode(video=0):
            if num_frames is not None and len(pictures) == num_frames:
                break
            pictures.append(frame.to_ndarray(format="rgb24"))
    clip = np.stack(pictures)
    height, width = (side // SCALE * SCALE for side in clip.shape[1:3])
    return np.ascontiguousarray(clip[:, :height, :width])


def clean(sharp: np.ndarray, scale: int = SCALE) -> np.ndarray:
    """(T, H, W, 3) -> (T, h, w, 3), both RGB uint8."""
    return to_bytes(_smaller(sharp, scale))


def damaged(sharp: np.ndarray, scale: int = SCALE, damage: Damage = DAMAGE) -> np.ndarray:
    """(T, H, W, 3) -> (T, h, w, 3), both RGB uint8: slightly blurred, slightly noisy, compressed."""
    random = torch.Generator().manual_seed(NOISE_SEED)
    blurred = _smaller(sharp, scale)
    if damage.blur:
        blurred = _blur(blurred, damage.blur)
    noise = torch.randn(blurred.shape, generator=random) * (damage.noise / 255)
    return _through_x264(to_bytes(blurred + noise), damage.crf)


DEGRADATIONS = {"clean": clean, "damaged": damaged}


def to_floats(pictures: np.ndarray) -> Tensor:
    """(T, H, W, 3) uint8 -> (T, 3, H, W) in [0, 1]."""
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).contiguous().float() / 255


def to_bytes(pictures: Tensor) -> np.ndarray:
    """(T, 3, H, W) in about [0, 1] -> (T, H, W, 3) uint8, clipped and rounded."""
    whole = pictures.detach().float().clamp(0, 1).mul(255).round().to(torch.uint8)
    return np.ascontiguousarray(whole.permute(0, 2, 3, 1).cpu().numpy())


def _smaller(sharp: np.ndarray, scale: int) -> Tensor:
    return F.interpolate(to_floats(sharp), scale_factor=1 / scale, mode="bicubic", antialias=True)


def _blur(pictures: Tensor, sigma: float) -> Tensor:
    radius = round(4 * sigma)
    taps = torch.exp(-0.5 * (torch.arange(-radius, radius + 1) / sigma) ** 2)
    taps = (taps / taps.sum()).repeat(3, 1)
    pictures = F.pad(pictures, [radius] * 4, mode="reflect")
    pictures = F.conv2d(pictures, taps.view(3, 1, -1, 1), groups=3)
    return F.conv2d(pictures, taps.view(3, 1, 1, -1), groups=3)


def _through_x264(pictures: np.ndarray, crf: int) -> np.ndarray:
    memory = io.BytesIO()
    with av.open(memory, "w", format="matroska") as container:
        stream = container.add_stream("libx264", rate=24, options={"crf": str(crf), **X264})
        stream.height, stream.width = pictures.shape[1:3]
        stream.pix_fmt = "yuv420p"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    memory.seek(0)
    with av.open(memory) as container:
        decoded = np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])
    assert decoded.shape == pictures.shape, f"{decoded.shape} came back for {pictures.shape}"
    return decoded
