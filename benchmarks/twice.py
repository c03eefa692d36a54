"""Twice as large: `fast-x2` beside `fast`, whose picture is halved, and bicubic. Quality and the bare networks' time.

    python benchmarks/twice.py [--frames 6] [--rounds 5] [--models fast-x2@0.5 ...]

The held-out clips at half their size, whole frames, clean and damaged as in benchmarks/clips.py. The times are for one
input picture of 1280x720, the networks taking turns.
"""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

import clips
import numpy as np
import timing
import torch
from enhance import COLUMNS, SHARED, commit, cpu
from torch import Tensor
from torch.nn import functional as F

from vidgan import blending, metrics, stream
from vidgan.checkpoint import load_generator
from vidgan.measuring.methods import parted

MODELS = ("fast", "fast-faithful", "fast-x2", "fast-x2-faithful", "fast-x2@0.5")
LARGE = (720, 1280)  # height, width of the input picture that is timed

Enlarge = Callable[[Tensor], Tensor]  # (T, 3, h, w) -> (T, 3, 2h, 2w)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--clips", type=Path, default=SHARED / "data" / "val")
    parser.add_argument("--frames", type=int, default=6, help="the first of each clip")
    parser.add_argument("--rounds", type=int, default=5, help="of timing; 0 leaves it out")
    parser.add_argument(
        "--models", nargs="+", default=MODELS, help="NAME, NAME+0.5 restoring by half, NAME@0.4 at a fidelity"
    )
    options = parser.parse_args()
    os.environ.setdefault("VIDGAN_WEIGHTS", str(SHARED / "weights"))
    paths = sorted(options.clips.glob("*.mp4")) or sys.exit(f"there are no .mp4 clips in {options.clips}")
    enlarge = {"bicubic": bicubic, **{model: twice(model) for model in options.models}}
    print(
        f"Commit {commit()}, {cpu()}, {torch.get_num_threads()} threads; x2, {options.frames} frames of {len(paths)}"
    )
    for name, made_small in clips.DEGRADATIONS.items():
        print(f"\n| {name} | " + " | ".join(title for title, _ in COLUMNS.values()) + " |")
        print("|---" * (len(COLUMNS) + 1) + "|")
        pairs = []
        for path in paths:
            sharp = clips.read(path)
            pairs.append((made_small(sharp, 2)[: options.frames], sharp[: options.frames]))
        for model, function in enlarge.items():
            rows = [scored(function, *pair) for pair in pairs]
            cells = [f"{mean:.{d}f}" for mean, (_, d) in zip(np.mean(rows, 0), COLUMNS.values(), strict=True)]
            print(f"| {model} | {' | '.join(cells)} |", flush=True)
    if options.rounds:
        told(options.models, options.rounds)


def bicubic(small: Tensor) -> Tensor:
    return F.interpolate(small, scale_factor=2, mode="bicubic", antialias=True)


def twice(model: str) -> Enlarge:
    """The network's enlargement; that of one which does more is made smaller again."""
    name, shares = parted(model)
    network = blending.load(name, **shares)

    def enlarged(small: Tensor) -> Tensor:
        with torch.inference_mode():
            large: Tensor = network(small[None])[0]
        by = 2 / network.scale
        return large if by == 1 else F.interpolate(large, scale_factor=by, mode="bicubic", antialias=True)

    return enlarged


def scored(function: Enlarge, small: np.ndarray, sharp: np.ndarray) -> list[float]:
    output, target = clips.to_floats(clips.to_bytes(function(clips.to_floats(small)))), clips.to_floats(sharp)
    return [getattr(metrics, column)(output, target) for column in COLUMNS]


def told(models: list[str], rounds: int) -> None:
    """Milliseconds and operations of the bare networks, whatever they enlarge by."""
    networks = {
        model: load_generator(model)
        for model in models
        if not set("+@") & set(model) and "faithful" not in model
    }
    picture = torch.rand(1, 3, *LARGE)

    @torch.inference_mode()
    def run(network: torch.nn.Module) -> object:
        return network.folded(picture, None)

    times = timing.interleaved(
        {name: lambda network=network: run(network) for name, network in networks.items()}, rounds=rounds
    )
    print(f"\n{LARGE[1]}x{LARGE[0]}, the bare network in float32, medians of {rounds} rounds:")
    for name, network in networks.items():
        gflop = stream.gflop_per_pixel(network) * LARGE[0] * LARGE[1]
        taken = times[name]
        spread = f"{taken['q1']:.0f} to {taken['q3']:.0f}"
        print(f"{name}: {taken['median']:.0f} ms ({spread}), {gflop:.0f} GFLOP")


if __name__ == "__main__":
    main()
