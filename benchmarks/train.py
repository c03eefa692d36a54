"""Where a training step's time goes: both stages in float32 and bfloat16, beside what the machine can do at most.

    python benchmarks/train.py recipes/fast.toml [--crop 128] [--batch 8] [--rounds 10] [--data FOLDER] [--json FILE]

Operations are counted while a step runs, forward and backward, not quoted. Each round runs every contender once,
and two controls: a square matrix product, and a stack of 48-channel convolutions at full size, which is the most
that networks of this kind can hope for. A share of the peak below one half says that crops are too small.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import timing
import torch
from enhance import commit, cpu, versions
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torch.utils.flop_counter import FlopCounterMode

from vidgan import dataset, recipe
from vidgan.features import has_lpips, load_lpips
from vidgan.training import game, ground
from vidgan.training import run as running


def main() -> None:
    options = _options()
    torch.set_num_threads(options.threads)
    chosen = ground.playable(_sized(recipe.read(options.recipe), options), print)
    steps = {
        f"{stage} {name}": _step(chosen, stage, dtype)
        for stage in ("faithful", "realistic")
        for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16))
    }
    gflop = {name: _counted(step) for name, step in steps.items()}
    parts = _parts(chosen)
    stacks = {"convolutions fp32": _stack(torch.float32), "convolutions bf16": _stack(torch.bfloat16)}
    gflop |= {name: _counted(run) for name, run in stacks.items()}
    times = timing.interleaved({**steps, **parts, **stacks}, rounds=options.rounds)
    report = {
        "recipe": chosen.name,
        "sizes": {stage: _sizes(getattr(chosen, stage)) for stage in ("faithful", "realistic")},
        "threads": options.threads,
        "machine": cpu(),
        "commit": commit(),
        "versions": versions(),
        "gflop": gflop,
        "times_ms": times,
    }
    if options.data:
        report["loader"] = _loader(chosen, options.data, times["faithful bf16"]["median"])
    _print(report)
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--crop", type=int, help="instead of the recipe's, in both stages")
    parser.add_argument("--batch", type=int, help="instead of the recipe's, in both stages")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--data", type=Path, help="a prepared dataset or a folder: times the loader too")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def _sized(chosen: recipe.Recipe, options: argparse.Namespace) -> recipe.Recipe:
    changed = {name: getattr(options, name) for name in ("crop", "batch") if getattr(options, name)}
    stages = {name: getattr(chosen, name).model_copy(update=changed) for name in ("faithful", "realistic")}
    return chosen.model_copy(update=stages)


def _sizes(stage: recipe.Stage) -> dict[str, int]:
    return {"batch": stage.batch, "frames": stage.frames, "crop": stage.crop}


def _run_at(chosen: recipe.Recipe, stage: str) -> running.Run:
    run = running.create(chosen)
    if stage == "realistic":
        run.step = chosen.faithful.steps + chosen.game.ramp
        running.begin_realistic(run)
    return run


def _table(chosen: recipe.Recipe, dtype: torch.dtype) -> game.Table:
    weighed = chosen.faithful.losses.perceptual or chosen.realistic.losses.perceptual
    network = load_lpips("vgg", taps=4) if weighed and has_lpips("vgg") else None
    return game.Table(perceptual=network, precision=dtype)


def _clips(stage: recipe.Stage, scale: int) -> tuple[Tensor, Tensor]:
    low = torch.rand(stage.batch, stage.frames, 3, stage.crop // scale, stage.crop // scale)
    return low, torch.rand(stage.batch, stage.frames, 3, stage.crop, stage.crop)


def _step(chosen: recipe.Recipe, stage: str, dtype: torch.dtype) -> Callable[[], object]:
    run, table = _run_at(chosen, stage), _table(chosen, dtype)
    low, high = _clips(getattr(chosen, stage), int(run.generator.scale))  # type: ignore[arg-type]
    return partial(game.realistic_step if stage == "realistic" else game.faithful_step, run, low, high, table)


def _parts(chosen: recipe.Recipe) -> dict[str, Callable[[], object]]:
    """The pieces that a realistic step is made of, each forwards and backwards, in bfloat16."""
    run, table, stage = _run_at(chosen, "realistic"), _table(chosen, torch.bfloat16), chosen.realistic
    low, high = _clips(stage, int(run.generator.scale))  # type: ignore[arg-type]
    side = stage.crop - 16
    output = torch.rand(stage.batch, 3, 3, side, side, requires_grad=True)

    def generator() -> None:
        with torch.autocast("cpu", torch.bfloat16):
            made = run.generator(low)
        made.mean().backward()

    def perceptual() -> None:
        with torch.autocast("cpu", torch.bfloat16):
            game.perceptual_term(table, output[:, 0], high[:, 0, :, :side, :side]).backward()

    def discriminator() -> None:
        with torch.autocast("cpu", torch.bfloat16):
            logits, _ = run.discriminator(output, output[:, 1].detach())
        logits.float().mean().backward()

    parts: dict[str, Callable[[], object]] = {"generator, there and back": generator}
    if table.perceptual is not None:
        parts["LPIPS-VGG, there and back"] = perceptual
    return parts | {"discriminator, there and back": discriminator}


def _stack(dtype: torch.dtype) -> Callable[[], object]:
    layers = nn.Sequential(*(nn.Conv2d(48, 48, 3, padding=1) for _ in range(12))).to(dtype)
    layers = layers.to(memory_format=torch.channels_last).requires_grad_(False)  # type: ignore[call-overload]
    picture = torch.rand(1, 48, 180, 320, dtype=dtype).contiguous(memory_format=torch.channels_last)
    return partial(layers, picture)


def _counted(run: Callable[[], object]) -> float:
    """GFLOP of one call, both passes: a multiplication and an addition are two."""
    with FlopCounterMode(display=False) as counter:
        run()
    return float(counter.get_total_flops()) / 1e9


def _loader(chosen: recipe.Recipe, data: Path, step_ms: float) -> dict[str, float]:
    """Milliseconds for a batch of the faithful stage from one loading process, the trainer standing still."""
    store = dataset.pack([data], data / "benchmark.store", say=print)
    scale = int(running.create(chosen).generator.scale)  # type: ignore[arg-type]
    small = store.smaller_than(chosen.faithful.crop + 2 * dataset.MARGIN * scale)
    batches = dataset.Batches(store=store.without(small), recipe=chosen, stage=chosen.faithful, scale=scale)
    loader = DataLoader(batches, batch_size=None, sampler=range(60), num_workers=1, prefetch_factor=4)
    moments = [time.perf_counter() for _ in loader][10:]  # the first were made while the process started
    taken = (moments[-1] - moments[0]) * 1000 / (len(moments) - 1)
    return {"batch_ms": taken, "steps_it_could_feed": step_ms / taken}


def _print(report: dict[str, object]) -> None:
    times, gflop = report["times_ms"], report["gflop"]
    peaks = {
        name: times[f"control {name}"]["gflops"] for name in ("fp32", "bf16") if f"control {name}" in times
    }
    print("| | ms, median (quartiles) | GFLOP | GFLOP/s | of the matrix peak |\n|---|---|---|---|---|")
    for name, taken in times.items():
        cells = [name, f"{taken['median']:.0f} ({taken['q1']:.0f} - {taken['q3']:.0f})", "", "", ""]
        if name in gflop:
            rate = gflop[name] / taken["median"] * 1000
            peak = peaks.get(
                "fp32" if name.endswith("fp32") else "bf16"
            )  # none where there is no such product
            cells[2:] = [f"{gflop[name]:.0f}", f"{rate:.0f}", f"{rate / peak:.0%}" if peak else ""]
        elif "gflops" in taken:
            cells[3] = f"{taken['gflops']:.0f}"
        print("|", " | ".join(cells), "|")
    if "loader" in report:
        print(report["loader"], file=sys.stderr)


if __name__ == "__main__":
    main()
