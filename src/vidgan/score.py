"""Clips through a generator, held against the truth: one row of numbers. Training and testing share it.

Letters: T frames, H W height and width.
"""

import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from vidgan.degrade import shrink
from vidgan.metrics import lpips, psnr_y


@dataclass(frozen=True)
class Pair:
    """A small clip and the truth that it came from: (T, 3, h, w) and (T, 3, H, W), in [0, 1]."""

    low: Tensor
    high: Tensor


def pairs(clips: Sequence[Tensor], scale: int, *, frames: int) -> list[Pair]:
    """(T, H, W, 3) uint8 clips -> pairs for the clean case: antialiased bicubic, rounded to 8 bits."""
    made = []
    for clip in clips:
        height, width = (side // scale * scale for side in clip.shape[1:3])
        high = clip[:frames, :height, :width].permute(0, 3, 1, 2).float() / 255
        made.append(Pair((shrink(high, scale) * 255).round() / 255, high))
    return made


def enhanced(generator: nn.Module, low_TCHW: Tensor, *, half: bool) -> Tensor:
    """A whole clip, frame by frame with its memory, as 8-bit video would hold it: (T, 3, H, W) in [0, 1]."""
    memory, high = None, []
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16) if half else nullcontext():
        for frame in low_TCHW.split(1):
            picture, memory = generator.step(frame, memory)  # type: ignore[operator]
            high.append((picture.float().clamp(0, 1) * 255).round() / 255)
    return torch.cat(high)


def score(
    generator: nn.Module, clips: Sequence[Pair], *, with_lpips: bool, half: bool = False
) -> dict[str, float]:
    """Means over clips: PSNR-Y (dB), LPIPS-Alex where asked for, and milliseconds a frame."""
    rows = []
    for clip in clips:
        started = time.perf_counter()
        output = enhanced(generator, clip.low, half=half)
        row = {"ms_per_frame": (time.perf_counter() - started) * 1000 / len(clip.low)}
        row["psnr_y"] = psnr_y(output, clip.high)
        if with_lpips:
            row["lpips"] = lpips(output, clip.high)
        rows.append(row)
    return {name: sum(row[name] for row in rows) / len(rows) for name in rows[0]}
