"""What can make a clip larger, by one signature: interpolation, networks of ours and of others, filters of FFmpeg."""

import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from vidgan import blending, ffmpeg, hardware, steady, stream
from vidgan.degrade import lanczos
from vidgan.errors import BadOption
from vidgan.measuring import ncnn
from vidgan.pixels import bytes_of, floats_of
from vidgan.silence import ignore

BASELINES = ("bicubic", "lanczos")  # in every table


@dataclass(frozen=True, kw_only=True)
class Method:
    """A way to enlarge.

    enlarge  (T, 3, h, w) in [0, 1] -> (T, 3, H, W), unrounded, on the processor; one shot, memory carried
    """

    name: str
    title: str
    scale: int | None  # None where any will do
    enlarge: Callable[[Tensor, int], Tensor]  # the second is the scale
    device: str = "cpu"
    precision: str = "fp32"
    parameters: int | None = None
    gflop_per_pixel: float | None = None  # of the small picture


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where our own networks run."""

    device: torch.device
    precision: torch.dtype
    threads: int


def method(word: str, place: Place) -> Method:
    """bicubic, lanczos, a model's name or file, ncnn:NAME, or ffmpeg:FILTER.

    A model may be followed by settings of `enhance`, in this order: NAME+0.5 is --restore 0.5, NAME@0.3 is --fidelity
    0.3, NAME~0.4 is --steady 0.4. Raises VidganError for a method that is not known or not installed.
    """
    if word == "bicubic":
        return Method(name=word, title="bicubic", scale=None, enlarge=_bicubic)
    if word == "lanczos":
        return Method(name=word, title="Lanczos-3", scale=None, enlarge=_lanczos)
    if word.startswith("ncnn:"):
        return _peer(word, place)
    if word.startswith("ffmpeg:"):
        return _filter(word)
    return _network(word, place)


def _bicubic(low: Tensor, scale: int) -> Tensor:
    return F.interpolate(low, scale_factor=scale, mode="bicubic", antialias=True)


def _lanczos(low: Tensor, scale: int) -> Tensor:
    height, width = (side * scale for side in low.shape[2:])
    return torch.stack([lanczos(frame, height, width) for frame in low])


def _network(word: str, place: Place) -> Method:
    model, shares = parted(word)
    told = ", ".join(f"{name} {share:g}" for name, share in shares.items() if share)
    steadiness = steady.share_of(shares.pop("steady", 0.0), asked=word)
    generator = stream.checked(blending.load(model, **shares))
    settings = stream.Settings(device=place.device, precision=place.precision, steady=steadiness)
    upscaler = stream.Upscaler(generator, settings, ignore)

    def enlarge(low: Tensor, scale: int) -> Tensor:
        upscaler.forget()
        return torch.cat([stream.unfolded(upscaler.folded(frame), scale).cpu() for frame in low.split(1)])

    plain = Path(model).stem if Path(model).suffix else model
    return Method(
        name=word,
        title=f"{plain}, {told}" if told else plain,
        scale=generator.scale,
        enlarge=enlarge,
        device=place.device.type,
        precision=hardware.word_of(place.precision),
        parameters=sum(weight.numel() for weight in generator.parameters()),
        gflop_per_pixel=stream.gflop_per_pixel(generator),
    )


def parted(word: str) -> tuple[str, dict[str, float]]:
    """NAME+0.5@0.3~0.4 -> the model, and of restore, fidelity and steady those that are there. Raises BadOption."""
    share = r"([\d.]+)"
    found = re.fullmatch(rf"(.+?)(?:\+{share})?(?:@{share})?(?:~{share})?", word)
    if found is None or Path(word).exists():
        return word, {}
    told = zip(("restore", "fidelity", "steady"), found.groups()[1:], strict=True)
    try:
        return found[1], {name: float(share) for name, share in told if share is not None}
    except ValueError:
        raise BadOption(f"{word}: one of its shares is no number", "Give numbers from 0 to 1.") from None


def _peer(word: str, place: Place) -> Method:
    found = ncnn.peer(word.removeprefix("ncnn:"))
    network = ncnn.Network(found, threads=place.threads)
    gflop, weights = ncnn.cost(found)

    def enlarge(low: Tensor, scale: int) -> Tensor:
        return torch.stack([torch.from_numpy(network.floats(frame.numpy())) for frame in low])

    return Method(
        name=word,
        title=found.title,
        scale=found.scale,
        enlarge=enlarge,
        parameters=weights,
        gflop_per_pixel=gflop,
    )


def _filter(word: str) -> Method:
    """A filter chain of FFmpeg's: {scale}, {width} and {height} stand for the factor and the large size."""
    chain = word.removeprefix("ffmpeg:")
    if not chain or any(sign in chain for sign in ";[]") or "movie" in chain:
        raise BadOption(
            f"{word} is no chain of filters that can be used",
            "Write ffmpeg:xbr=4 or ffmpeg:scale={width}:{height}.",
        )
    program = ffmpeg.program()

    def enlarge(low: Tensor, scale: int) -> Tensor:
        height, width = (side * scale for side in low.shape[2:])
        filled = (
            chain.replace("{scale}", str(scale))
            .replace("{width}", str(width))
            .replace("{height}", str(height))
        )
        words = [program, "-v", "error", "-f", "rawvideo", "-pix_fmt", "rgb24"]
        words += ["-s", f"{low.shape[3]}x{low.shape[2]}", "-i", "-", "-vf", filled]
        words += ["-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
        done = subprocess.run(words, input=bytes_of(low).tobytes(), capture_output=True, check=False)
        expected = len(low) * height * width * 3
        if done.returncode or len(done.stdout) != expected:
            said = done.stderr.decode(errors="replace").strip().splitlines()
            reason = said[-1] if said else f"it gave {len(done.stdout)} bytes for {expected}"
            raise BadOption(
                f"FFmpeg cannot enlarge {scale} times with {chain}: {reason}", "Give another filter."
            )
        made = np.frombuffer(done.stdout, np.uint8).reshape(len(low), height, width, 3)
        return floats_of(made.copy())

    return Method(name=word, title=f"FFmpeg {chain}", scale=None, enlarge=enlarge)
