"""Training and testing as two calls, for a first look: the recipe is made here, from the networks as they are."""

from dataclasses import asdict
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

from vidgan import dataset, hardware, recipe, score
from vidgan.errors import BadVideo
from vidgan.features import has_lpips
from vidgan.metrics import psnr_y
from vidgan.training import loop
from vidgan.training.run import assemble
from vidgan.video import decode_all


def train(
    generator: nn.Module,
    discriminator: nn.Module,
    videos: Path,
    *,
    out: Path,
    steps: tuple[int, int],
    held_out: Path | None,
    crop: int,
    batch: int,
) -> Path:
    """See vidgan.train."""
    stage = {"batch": batch, "frames": 5, "crop": crop, "lr_end": 2e-5}
    perceptual = 1.0 if has_lpips("vgg") else 0.0
    chosen = recipe.Recipe(
        name=out.name,
        generator=_network(generator),
        discriminator=_network(discriminator),
        data=recipe.Data(train=[videos], val=[held_out or videos]),
        damage=recipe.Damage(share=0.0),
        faithful=recipe.Stage(
            **stage, steps=steps[0], lr=1e-3, losses=recipe.Losses(charbonnier=1.0, temporal_difference=0.2)
        ),
        realistic=recipe.Stage(
            **stage,
            steps=steps[1],
            lr=2e-4,
            losses=recipe.Losses(
                charbonnier=1.0, temporal_difference=0.2, perceptual=perceptual, feature_matching=0.1, game=0.01
            ),
        ),
        validate_every=max(sum(steps), 1),
        save_every=max(sum(steps), 1),
    )
    run = loop.train(assemble(chosen, generator, discriminator), out, say=_mute, tick=_still, half=_half())
    generator.load_state_dict(run.ema.state_dict())
    return out / "last.safetensors"


def test(generator: nn.Module, discriminator: nn.Module, videos: Path, *, frames: int) -> dict[str, float]:
    """See vidgan.test."""
    clips = [torch.from_numpy(decode_all(file, limit=frames)) for _, file in dataset.files([videos])]
    pairs = score.pairs([clip for clip in clips if len(clip) >= 3], generator.scale, frames=frames)  # type: ignore[arg-type]
    if not pairs:
        raise BadVideo(f"{videos} holds no video of three frames or more", "Name a video, or a folder of some.")
    numbers = score.score(generator, pairs, with_lpips=has_lpips("alex"), half=_half())
    numbers["bicubic_psnr_y"] = sum(psnr_y(_bicubic(pair), pair.high) for pair in pairs) / len(pairs)
    numbers["accuracy"] = score.judged(generator, discriminator, pairs, half=_half())
    return numbers


def _network(network: nn.Module) -> recipe.Network:
    return recipe.Network(name=type(network).__module__.rpartition(".")[2], config=asdict(network.config))  # type: ignore[arg-type]


def _bicubic(pair: score.Pair) -> torch.Tensor:
    large = F.interpolate(pair.low, size=pair.high.shape[-2:], mode="bicubic", antialias=True)
    return (large.clamp(0, 1) * 255).round() / 255


def _half() -> bool:
    return hardware.quick_precision(torch.device("cpu")) is torch.bfloat16


def _mute(line: str) -> None:
    pass


def _still(done: float, total: float | None, note: str) -> None:
    pass
