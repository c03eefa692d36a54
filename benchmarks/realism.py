"""What the discriminator that comes with vidgan says of the same frames, real and spoilt.

    python benchmarks/realism.py [--realism judge|RUN] [--clips FOLDER]

The first three frames of each clip, cut to whole squares of 32 pixels, at their own scale: as they are, noisy, through
H.264, blurred, and small and large again by bicubic, by `fast` and by its faithful twin. 1 is real, 0.5 as real as what
the discriminator's own generator makes.
"""

import argparse
import statistics
from collections.abc import Callable
from pathlib import Path

import clips
import numpy as np
import torch
from enhance import SHARED, commit
from torch import Tensor
from torch.nn import functional as F

from vidgan import checkpoint, degrade, score
from vidgan.discriminators import FRAMES
from vidgan.watching.realism import Judge

BLOCK = 32


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--realism", type=Path, default=Path(checkpoint.JUDGE))
    parser.add_argument("--clips", type=Path, default=SHARED / "data" / "val")
    options = parser.parse_args()
    players = checkpoint.load_players(options.realism)
    paths = sorted(options.clips.glob("*.mp4"))
    sharp = [_whole(clips.to_floats(clips.read(path)[:FRAMES])) for path in paths]
    print(f"commit {commit()}, {options.realism}, {FRAMES} frames of {len(paths)} clips")
    print("| | mean | " + " | ".join(path.stem for path in paths) + " |\n|---|" + "---|" * (len(paths) + 1))
    for name, spoil in _ways().items():
        found = [_realism(players, spoil(frames)) for frames in sharp]
        row = " | ".join(f"{value:.3f}" for value in found)
        print(f"| {name} | {statistics.mean(found):.3f} | {row} |", flush=True)


def _whole(frames: Tensor) -> Tensor:
    height, width = (side // BLOCK * BLOCK for side in frames.shape[-2:])
    return frames[..., :height, :width]


def _ways() -> dict[str, Callable[[Tensor], Tensor]]:
    rng = np.random.default_rng(0)
    networks = {name: checkpoint.load_generator(name) for name in ("fast", "fast-faithful")}

    def large(frames: Tensor) -> Tensor:
        return F.interpolate(degrade.shrink(frames, 4), scale_factor=4, mode="bicubic")

    return {
        "as they are": lambda frames: frames,
        "noise of sigma 10": lambda frames: degrade.gaussian_noise(frames, 10.0, rng),
        "H.264, crf 23": lambda frames: degrade.encoded(frames, "h264", 23),
        "H.264, crf 34": lambda frames: degrade.encoded(frames, "h264", 34),
        "blurred by sigma 1": lambda frames: degrade.gaussian_blur(frames, 1.0),
        "blurred by sigma 2": lambda frames: degrade.gaussian_blur(frames, 2.0),
        "shrunk, and enlarged by bicubic": large,
        **{
            f"shrunk, and enlarged by `{name}`": lambda frames, network=network: score.enhanced(
                network, degrade.shrink(frames, 4).clamp(0, 1)
            )
            for name, network in networks.items()
        },
    }


def _realism(players: tuple[torch.nn.Module, torch.nn.Module], frames: Tensor) -> float:
    court = Judge(*players, torch.device("cpu"), 1)
    pixels = (frames.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).numpy()
    verdicts = [verdict for picture in pixels for verdict in court.see(picture)]
    assert verdicts[0] is not None
    return verdicts[0].score


if __name__ == "__main__":
    main()
