"""What the tests of `vidgan enhance` share: two tiny networks, soft pictures, and how outputs are looked at.

What an output must be comes from the source by way of PyAV and torch's own resize, not from our code.
"""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
import torch
from torch.nn import functional as F

import videos
from videos import Film
from vidgan import checkpoint, cli
from vidgan.generators.recurrent import Config, Generator

Door = Callable[..., int]


def make_models(folder: Path) -> Path:
    """tiny.safetensors, which makes things up; zero.safetensors, which adds nothing to bicubic."""
    torch.manual_seed(0)
    generator = Generator(Config(features=16, blocks=1))
    checkpoint.save_generator(generator, checkpoint.card_of(generator), folder / "tiny.safetensors")
    torch.nn.init.zeros_(generator.tail.weight)
    checkpoint.save_generator(generator, checkpoint.card_of(generator), folder / "zero.safetensors")
    return folder


def door(models: Path) -> Door:
    """vidgan enhance WORDS in this process; gives the exit code."""

    def enhance(*words: object, model: str = "zero") -> int:
        return cli.main(["enhance", *map(str, words), "--model", str(models / f"{model}.safetensors")])

    return enhance


def soft(index: int, width: int, height: int) -> np.ndarray:
    """(H, W, 3) uint8: waves that travel, in colours that 4:2:0 can hold. No turn and no flip of it is itself."""
    y, x = np.mgrid[0:height, 0:width]
    wave = 45 * np.sin((x - 4 * index) / 5) + 25 * np.sin(y / 4 + x / 20)
    colour = 20 * np.stack([x / width, y / height, np.zeros(x.shape)], axis=-1)
    return np.rint(100 + wave[..., None] + colour + 30 * (y / height)[..., None]).astype(np.uint8)


def write_soft(path: Path | str, film: Film | None = None) -> Path:
    film = film or Film()
    frames = [soft(i, film.width, film.height) for i in range(len(film.times))]
    return videos.write(Path(path), film, frames)


class Shown(NamedTuple):
    seconds: list[Fraction]
    pixels: np.ndarray  # (T, H, W, 3) uint8, as stored


def shown(path: Path | str) -> Shown:
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    return Shown(
        [frame.pts * frame.time_base for frame in frames],
        np.stack([frame.to_ndarray(format="rgb24") for frame in frames]),
    )


def bicubic(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """torch's own antialiased resize: (T, H, W, 3) uint8 -> the same, larger."""
    low = torch.from_numpy(pixels.copy()).permute(0, 3, 1, 2).float()
    large = F.interpolate(low, size=(height, width), mode="bicubic", antialias=True)
    return large.round().clamp(0, 255).byte().permute(0, 2, 3, 1).numpy()


def apart(found: np.ndarray, expected: np.ndarray) -> float:
    """The mean difference in codes, away from the edges."""
    inside = (slice(None), slice(8, -8), slice(8, -8))
    return float(np.abs(found[inside].astype(int) - expected[inside].astype(int)).mean())


def names() -> list[str]:
    """What lies in the current folder."""
    return sorted(path.name for path in Path().iterdir())
