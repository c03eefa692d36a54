"""What canvas a free angle gets, on the sample: the picture in docs/geometry.md.

    python benchmarks/canvas.py docs/images/canvas.jpg

The sample as it is, then turned by -12 degrees with expand, keep and inscribed; each at its own size.
"""

import argparse
from pathlib import Path

import torch
from torch.nn import functional as F

from vidgan.geometry import Canvas, Stored, Wish, plan
from vidgan.video import decode_all, jpeg_bytes

SAMPLE = Path(__file__).resolve().parent.parent / "examples" / "media" / "bunny.mp4"
DEGREES, GAP, PAPER = -12, 12, 1.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("output", type=Path)
    options = parser.parse_args()
    frame = torch.from_numpy(decode_all(SAMPLE, limit=1)).permute(0, 3, 1, 2)[0].float() / 255
    stored = Stored(width=frame.shape[2], height=frame.shape[1])
    wishes = [Wish(scale=1, rotate=DEGREES, canvas=canvas) for canvas in Canvas]
    turned = [plan(wish, stored).render(frame, factor=1) for wish in wishes]
    tallest = max(picture.shape[1] for picture in (frame, *turned))
    row = []
    for picture in (frame, *turned):
        above = (tallest - picture.shape[1]) // 2
        room = (GAP, GAP, GAP + above, GAP + tallest - picture.shape[1] - above)
        row.append(F.pad(picture.clamp(0, 1), room, value=PAPER))
    sheet = (torch.cat(row, 2) * 255).round().byte().permute(1, 2, 0).contiguous().numpy()
    options.output.write_bytes(jpeg_bytes(sheet, quality=3))


if __name__ == "__main__":
    main()
