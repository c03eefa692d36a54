"""The kinds of footage that training imitates, on the sample: the picture in docs/training.md.

    python benchmarks/damage.py [--seed 4] docs/images/damage.jpg

Two rows of three: clean, mild, heavy; phone, surveillance, tape. Half the sample's size, each pixel shown as four.
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from vidgan import degrade
from vidgan.video import decode_all, jpeg_bytes

SAMPLE = Path(__file__).resolve().parent.parent / "examples" / "media" / "bunny.mp4"
FRAMES, SHOWN = 8, 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument("output", type=Path)
    options = parser.parse_args()
    clip = torch.from_numpy(decode_all(SAMPLE, limit=FRAMES)).permute(0, 3, 1, 2).float() / 255
    clip = clip[..., : clip.shape[-2] // 4 * 4, : clip.shape[-1] // 4 * 4]
    pictures = []
    for preset in degrade.PRESETS.values():
        low = degrade.degraded(clip, preset, 2, np.random.default_rng(options.seed))[SHOWN]
        pictures.append(low.repeat_interleave(2, 1).repeat_interleave(2, 2))
    rows = [torch.cat(pictures[start : start + 3], 2) for start in (0, 3)]
    sheet = (torch.cat(rows, 1) * 255).round().byte().permute(1, 2, 0).contiguous().numpy()
    options.output.write_bytes(jpeg_bytes(sheet, quality=3))


if __name__ == "__main__":
    main()
