"""What `--restore` gives at several levels of damage: 0, 0.5, 1, and left out.

    python benchmarks/restore.py [--model fast] [--clips FOLDER] [--frames 3]

The held-out clips of enhance.py, or those of a folder, made small by four and damaged more or less.
"""

import argparse
import os
from pathlib import Path

import clips
import numpy as np
import torch
from clips import Damage
from methods import looks_damaged
from torch import Tensor

from vidgan import blending, metrics

SHARED = Path(os.environ.get("VIDGAN_SHARED") or Path(__file__).resolve().parents[2] / "shared")
LEVELS = {
    "none": None,
    "crf 28": Damage(blur=0.0, noise=0.0, crf=28),
    "crf 32": Damage(blur=0.0, noise=0.0, crf=32),
    "README's": clips.DAMAGE,
    "mid": Damage(blur=0.6, noise=3.0, crf=26),
    "harsh": Damage(blur=0.7, noise=4.0, crf=32),
}
MEASURES = {"PSNR-Y": "psnr_y", "LPIPS": "lpips", "tOF": "tof", "tRes": "tres"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="fast")
    parser.add_argument("--clips", type=Path, default=SHARED / "data" / "val")
    parser.add_argument("--frames", type=int, default=3)
    asked = parser.parse_args()
    os.environ.setdefault("VIDGAN_WEIGHTS", str(SHARED / "weights"))
    sharp = [clips.read(path, num_frames=asked.frames) for path in sorted(asked.clips.glob("*.mp4"))]
    print(f"| damage | restore | {' | '.join(MEASURES)} |")
    print(f"|---|---|{'---|' * len(MEASURES)}")
    for level, damage in LEVELS.items():
        small = [
            clips.clean(clip) if damage is None else clips.damaged(clip, damage=damage) for clip in sharp
        ]
        found = [looks_damaged(clip) for clip in small]
        told = ", ".join(f"{share:g}" for share in found)
        fixed = {f"{share:g}": [share] * len(sharp) for share in (0.0, 0.5, 1.0)}
        for name, shares in {**fixed, f"left out: {told}": found}.items():
            rows = [measured(asked.model, *each) for each in zip(small, sharp, shares, strict=True)]
            cells = " | ".join(f"{value:.4g}" for value in np.mean(rows, 0))
            print(f"| {level} | {name} | {cells} |", flush=True)


@torch.inference_mode()
def measured(model: str, small: np.ndarray, sharp: np.ndarray, share: float) -> list[float]:
    made: Tensor = blending.load(model, restore=share)(clips.to_floats(small)[None])[0]
    output, target = clips.to_floats(clips.to_bytes(made)), clips.to_floats(sharp)
    return [float(getattr(metrics, measure)(output, target)) for measure in MEASURES.values()]


if __name__ == "__main__":
    main()
