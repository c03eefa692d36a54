"""Training and testing as two calls, for a first look: the recipe is made here, to fit the networks."""

import copy
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from vidgan import dataset, discriminators, hardware, metrics, recipe, runs, score
from vidgan.errors import BadOption, BadVideo
from vidgan.features import has_lpips
from vidgan.generators import as_generator
from vidgan.pixels import rounded
from vidgan.silence import ignore
from vidgan.training import loop
from vidgan.training.folder import alone
from vidgan.training.run import assemble
from vidgan.video import decode_all
from vidgan.words import one


@dataclass(frozen=True, kw_only=True)
class Options:
    """See vidgan.train."""

    videos: Path
    out: Path
    faithful_steps: int
    realistic_steps: int
    held_out: Path | None
    crop: int
    batch: int


def train(generator: nn.Module, discriminator: nn.Module, options: Options) -> Path:
    """See vidgan.train."""
    _check_roles(generator, discriminator)
    place = hardware.place_of(generator)
    chosen = _recipe(generator, discriminator, options)
    run = assemble(chosen, as_generator(generator), discriminator)
    # No workers: where processes are spawned, a script without a __main__ guard could not use them.
    setup = loop.Setup(
        say=ignore,
        tick=ignore,
        change=True,
        device=place,
        precision=hardware.quick_precision(place),
        workers=0,
    )
    with alone(options.out):
        run = loop.train(run, options.out, setup)
    generator.load_state_dict(run.ema.state_dict())
    made = "last" if options.realistic_steps else "faithful"
    return runs.weights_of(options.out, made)


def _recipe(generator: nn.Module, discriminator: nn.Module, options: Options) -> recipe.Recipe:
    stage = {"batch": options.batch, "frames": 5, "crop": options.crop, "lr_end": 2e-5}
    losses = {"charbonnier": 1.0, "temporal_difference": 0.2}
    game = {"perceptual": 1.0, "feature_matching": 0.1, "game": 0.01}
    steps = options.faithful_steps + options.realistic_steps
    tree = {
        "name": options.out.name,
        "generator": _network(generator),
        "discriminator": _network(discriminator),
        "data": {"train": [options.videos], "val": [options.held_out or options.videos]},
        "damage": {"clean": 1.0, "mild": 0.0},
        "faithful": stage | {"steps": options.faithful_steps, "lr": 1e-3, "losses": losses},
        "realistic": stage | {"steps": options.realistic_steps, "lr": 2e-4, "losses": losses | game},
        "validate_every": max(steps, 1),
        "save_every": max(steps, 1),
    }
    return recipe.parse(tree, "vidgan.train")


def test(generator: nn.Module, discriminator: nn.Module, videos: Path, *, frames: int) -> dict[str, float]:
    """See vidgan.test."""
    _check_roles(generator, discriminator)
    if frames < discriminators.FRAMES:
        raise BadOption(
            f"frames={frames} is too few: the discriminator looks at three in a row",
            f"Give {discriminators.FRAMES} or more.",
        )
    clips = [torch.from_numpy(decode_all(file, limit=frames)) for _, file in dataset.files([videos])]
    player = as_generator(generator)
    seen = [clip for clip in clips if len(clip) >= discriminators.FRAMES]
    pairs = score.pairs(seen, player.scale, frames=frames)
    if not pairs:
        raise BadVideo(
            f"{videos} holds no video of three frames or more", "Name a video, or a folder of some."
        )
    precision = hardware.quick_precision(hardware.place_of(generator))
    judges = {"lpips": metrics.lpips} if has_lpips("alex") else {}
    numbers = score.score(player, pairs, measures=judges, precision=precision)
    numbers["bicubic_psnr_y"] = sum(metrics.psnr_y(_bicubic(pair), pair.high) for pair in pairs) / len(pairs)
    # Or judging would move what normalises a unet's weights.
    judge = copy.deepcopy(discriminator).eval()
    verdicts = score.judged(player, judge, pairs, precision=precision)
    return numbers | {"accuracy": score.means(verdicts)["accuracy"]}


def _check_roles(generator: nn.Module, discriminator: nn.Module) -> None:
    for network, role in ((generator, "generator"), (discriminator, "discriminator")):
        other = "discriminator" if role == "generator" else "generator"
        if type(network).__module__.startswith(f"vidgan.{other}s."):
            raise BadOption(
                f"a {other} is given as the {role}", "Give the generator first, then the discriminator."
            )


def _network(network: nn.Module) -> dict[str, Any]:
    """As a recipe tells it. Raises BadOption for what no recipe could make again."""
    config = getattr(network, "config", None)
    if not is_dataclass(config) or isinstance(config, type):
        raise BadOption(
            f"{one(type(network).__name__)} is no network of vidgan's shelf: it has no config",
            "Make one with vidgan.create_generator or create_discriminator, or put yours there: CONTRIBUTING.md.",
        )
    return {"name": type(network).__module__.rpartition(".")[2], "config": asdict(config)}


def _bicubic(pair: score.Pair) -> torch.Tensor:
    return rounded(F.interpolate(pair.low, size=pair.high.shape[-2:], mode="bicubic", antialias=True))
