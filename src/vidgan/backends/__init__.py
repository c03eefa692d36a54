"""Runtimes that compute a generator: one file each, and the file's name is the runtime's name.

Each offers

    is_here(device)     whether it is installed and can compute on the device
    precisions(device)  the number types that it can compute in there, the quickest first
    load(generator, device=, precision=) -> Running

In float32 each differs from torch by at most a twentieth of a code value (of 255) in every pixel, with the memory
carried over 20 frames; in bfloat16 it stays above 50 dB (docs/speed.md). Memories are always torch tensors, so they are
saved, tiled and cleared in the same way for all.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from vidgan import hardware, shelf
from vidgan.errors import BadOption
from vidgan.generators import Memory, VideoGenerator

Name = Literal["torch", "openvino", "onnxruntime"]
NAMES: tuple[Name, ...] = get_args(Name)
SHELF = "vidgan.backends"

Step = Callable[..., tuple[Tensor, Memory]]


@dataclass(frozen=True, kw_only=True)
class Running:
    """A generator as a runtime computes it: what streaming asks of a generator."""

    folded: Step  # (frame (1, 3, H, W) float32, memory or None) -> ((1, 3 * S * S, H, W) float32, memory)
    moved: Callable[[Memory, Tensor], Memory]  # torch's, whatever computes
    scale: int
    reach: int
    fold: int


def running(generator: VideoGenerator, folded: Step) -> Running:
    """generator  in the precision in which its memories are"""
    return Running(
        folded=folded,
        moved=generator.moved,
        scale=generator.scale,
        reach=generator.reach,
        fold=generator.fold,
    )


def is_here(name: Name, device: torch.device) -> bool:
    """Whether it is installed, and computes on the device."""
    return bool(shelf.take(SHELF, name).is_here(device))


def precision_of(name: Name, word: str, device: torch.device) -> torch.dtype:
    """auto, fp32, bf16, fp16 -> the precision; auto is the quickest that it has there. Raises BadOption."""
    able: tuple[torch.dtype, ...] = shelf.take(SHELF, name).precisions(device)
    precision = able[0] if word == "auto" else hardware.precision_of(word, device)
    if precision not in able:
        words = ", ".join(key for key, value in hardware.PRECISIONS.items() if value in able)
        raise BadOption(
            f"{name} does not compute in {word} on {device.type}",
            f"Use --precision {words}, or leave it out.",
        )
    return precision


def load(name: Name, generator: VideoGenerator, *, device: torch.device, precision: torch.dtype) -> Running:
    """A copy of the generator, ready to compute. Raises MissingExtra, or BadOption where the device is not its own."""
    made: Running = shelf.take(SHELF, name).load(generator, device=device, precision=precision)
    return made
