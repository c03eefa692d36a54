"""Clips through a generator, held against the truth: one row of numbers. Training and testing share it.

Letters: T frames, H W height and width.
"""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from vidgan import discriminators, hardware, metrics
from vidgan.dataset import grey
from vidgan.degrade import shrink
from vidgan.generators import VideoGenerator
from vidgan.metrics import Metric
from vidgan.pixels import rounded


@dataclass(frozen=True)
class Pair:
    """A small clip and the truth that it came from: (T, 3, h, w) and (T, 3, H, W), in [0, 1]."""

    low: Tensor
    high: Tensor


def pairs(clips: Sequence[Tensor], scale: int, *, frames: int, ahead: int = 0) -> list[Pair]:
    """(T, H, W, 3) uint8 clips -> pairs for the clean case: antialiased bicubic, rounded to 8 bits.

    ahead  frames from what is shown to what is to be given, where a network predicts: pairs without colour
    """
    made = []
    for clip in clips:
        height, width = (side // scale * scale for side in clip.shape[1:3])
        clip = grey(clip[: frames + ahead]) if ahead else clip[:frames]
        high = clip[:, :height, :width].permute(0, 3, 1, 2).float() / 255
        low = rounded(shrink(high, scale))
        made.append(Pair(low[: len(low) - ahead], high[ahead:]))
    return made


def enhanced(
    generator: VideoGenerator, low_TCHW: Tensor, *, precision: torch.dtype = torch.float32
) -> Tensor:
    """A whole clip, frame by frame with its memory, as 8-bit video would hold it: (T, 3, H, W) in [0, 1].

    It is computed where the generator is, and given back where the clip is.
    """
    memory, high = None, []
    place = hardware.place_of(generator)
    with torch.inference_mode(), hardware.autocast(place, precision):
        for frame in low_TCHW.to(place).split(1):
            picture, memory = generator.step(frame, memory)
            high.append(rounded(picture.float()).to(low_TCHW.device))
    return torch.cat(high)


def score(
    generator: VideoGenerator,
    clips: Sequence[Pair],
    *,
    measures: Mapping[str, Metric] | None = None,
    precision: torch.dtype = torch.float32,
) -> dict[str, float]:
    """Means over clips: PSNR-Y (dB), temporal error, the metrics that are given, and milliseconds a frame."""
    return means(rows(generator, clips, measures=measures, precision=precision))


def rows(
    generator: VideoGenerator,
    clips: Sequence[Pair],
    *,
    measures: Mapping[str, Metric] | None = None,
    precision: torch.dtype = torch.float32,
) -> list[dict[str, float]]:
    """As score, each clip's own row."""
    found = []
    for clip in clips:
        started = time.perf_counter()
        output = enhanced(generator, clip.low, precision=precision)
        row = {"ms_per_frame": (time.perf_counter() - started) * 1000 / len(clip.low)}
        # Measured where the generator is: beside a GPU, processors have enough to do with the next batches.
        output, high = (pictures.to(hardware.place_of(generator)) for pictures in (output, clip.high))
        row |= {"psnr_y": metrics.psnr_y(output, high), "temporal": metrics.temporal_error(output, high)}
        row |= {name: metric(output, high) for name, metric in (measures or {}).items()}
        found.append(row)
    return found


def means(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Of each number over the rows that have it: a photo has no motion to be measured."""
    names = dict.fromkeys(name for row in rows for name in row)
    found = {name: metrics.mean([row[name] for row in rows if name in row]) for name in names}
    return {name: value for name, value in found.items() if not math.isnan(value)}


def accuracy(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Share of patches where the real clip gets a higher logit than the made one: 0.5 is guessing.

    A draw counts half: half precision has few logits, and many pairs get the same one.
    """
    real, fake = real_logits.detach().float(), fake_logits.detach().float()
    return ((real > fake).float() + (real == fake).float() / 2).mean()


def judged(
    generator: VideoGenerator,
    discriminator: nn.Module,
    clips: Sequence[Pair],
    *,
    precision: torch.dtype = torch.float32,
) -> list[dict[str, float]]:
    """What the discriminator says about the first three frames of each clip.

    accuracy  see above
    margin    how much higher the real clip's logits are, in the mean
    """
    found = []
    for clip in clips:
        real_logits, fake_logits = verdict(generator, discriminator, clip, precision=precision)
        margin = (real_logits - fake_logits).mean()
        found.append({"accuracy": float(accuracy(real_logits, fake_logits)), "margin": float(margin)})
    return found


def verdict(
    generator: VideoGenerator,
    discriminator: nn.Module,
    clip: Pair,
    *,
    precision: torch.dtype = torch.float32,
    first: int = 0,
) -> tuple[Tensor, Tensor]:
    """What the discriminator says of three frames, `first` and the next two: logits of the real and of the made."""
    place = hardware.place_of(generator)
    with torch.inference_mode(), hardware.autocast(place, precision):
        seen = slice(first, first + discriminators.FRAMES)
        low, high = (frames[None, seen].to(place) for frames in (clip.low, clip.high))
        height, width = (side - side % discriminators.BLOCK for side in high.shape[-2:])
        fake = generator(low).clamp(0, 1)[..., :height, :width]
        hint = discriminators.enlarged(low, 0, generator.scale)[..., :height, :width]
        real_logits, _ = discriminator(high[..., :height, :width], hint)
        fake_logits, _ = discriminator(fake, hint)
    return real_logits.float().cpu(), fake_logits.float().cpu()
