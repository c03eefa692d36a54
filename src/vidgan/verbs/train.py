"""`vidgan train RECIPE`: from folders of videos and photos to a generator that one can use."""

from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console

from vidgan import hardware, progress, recipe
from vidgan.errors import BadOption
from vidgan.training import loop
from vidgan.training import run as running


@dataclass(frozen=True, kw_only=True)
class Options:
    recipe: Path
    out: Path | None = None  # runs/<the recipe's name> where None
    overrides: tuple[str, ...] = ()  # "section.key=value"
    device: str = "auto"
    threads: int = 0  # 0: as many as torch finds
    dry_run: bool = False  # check the recipe and show the networks, train nothing


def run(options: Options) -> Path:
    """Train, or go on with a training that was stopped. Gives the folder that now holds the weights."""
    console = Console(stderr=True)
    if options.device not in ("auto", "cpu"):
        raise BadOption(
            f"training on {options.device!r} is not built yet", "Leave --device out: it trains on the CPU."
        )
    hardware.keep_memory()
    if options.threads:
        torch.set_num_threads(options.threads)
    chosen = recipe.read(options.recipe, options.overrides)
    folder = options.out or Path("runs") / chosen.name
    if options.dry_run:
        _describe(chosen, console)
        return folder
    half = hardware.quick_precision(torch.device("cpu")) is torch.bfloat16
    with progress.bar(console) as tick:
        loop.train(
            running.create(chosen),
            folder,
            say=lambda line: console.print(line, highlight=False),
            tick=tick,
            half=half,
        )
    console.print(f"The weights are in {folder / 'best.safetensors'}; use them with --model.")
    return folder


def _describe(chosen: recipe.Recipe, console: Console) -> None:
    made = running.create(chosen)
    for name in ("generator", "discriminator"):
        count = sum(parameter.numel() for parameter in getattr(made, name).parameters())
        console.print(f"{name}: {getattr(chosen, name).name}, {count / 1e6:.3f} M parameters")
    console.print(f"{chosen.faithful.steps} faithful and {chosen.realistic.steps} realistic steps")
