"""Clips through a generator, held against the truth: one row of numbers. Training and testing share it.

Letters: T frames, H W height and width.
"""

import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

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


def accuracy(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Share of patches where the real clip gets a higher logit than the made one: 0.5 is guessing."""
    return (real_logits.detach().float() > fake_logits.detach().float()).float().mean()


def judged(
    generator: nn.Module, discriminator: nn.Module, clips: Sequence[Pair], *, half: bool = False
) -> float:
    """The discriminator's accuracy over the first three frames of each clip."""
    shares = []
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16) if half else nullcontext():
        for clip in clips:
            height, width = (side // 8 * 8 for side in clip.high.shape[-2:])
            fake = generator(clip.low[None, :3]).clamp(0, 1)[..., :height, :width]
            hint = F.interpolate(clip.low[1:2], scale_factor=generator.scale, mode="bilinear")  # type: ignore[arg-type]
            hint = hint[..., :height, :width]
            real_logits, _ = discriminator(clip.high[None, :3, :, :height, :width], hint)
            fake_logits, _ = discriminator(fake, hint)
            shares.append(float(accuracy(real_logits, fake_logits)))
    return sum(shares) / len(shares)
