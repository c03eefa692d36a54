"""Whether anything builds up in a long video: a clip played to and fro for hundreds of frames.

    python benchmarks/drift.py --model fast [--frames 300] [--clips FOLDER]

The same source frame comes again and again, forwards and backwards, so that the truth is known at every moment. A
network whose memory drifts gives it back worse, or in other colours, each time. Reported for the first pass and for the
last one: PSNR-Y and LPIPS against the truth, and how far the mean of a colour is off at most, in code values.
"""

import argparse
import os
from pathlib import Path

import clips
import torch
from enhance import SHARED, commit

from vidgan import checkpoint, metrics, score

SIDE = 64  # of the small window: drift needs many frames, not large ones


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--model", default="fast")
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--clips", type=Path, default=SHARED / "data" / "val")
    options = parser.parse_args()
    os.environ.setdefault("VIDGAN_WEIGHTS", str(SHARED / "weights"))
    generator = checkpoint.load_generator(options.model)
    print(f"commit {commit()}, {options.model}, {options.frames} frames of {SIDE}x{SIDE}, x{clips.SCALE}")
    print("| clip | PSNR-Y first, last | LPIPS first, last | colour off, first, last |\n|---|---|---|---|")
    for path in sorted(options.clips.glob("*.mp4")):
        sharp = clips.read(path)
        low = _window(clips.to_floats(clips.clean(sharp)), SIDE)
        high = _window(clips.to_floats(sharp), SIDE * clips.SCALE)
        order = _to_and_fro(len(low), options.frames)
        made = score.enhanced(generator, low[order])
        passes = [_judged(made, high, order, last=last) for last in (False, True)]
        print(
            f"| {path.stem} | " + " | ".join(f"{a:.4g}, {b:.4g}" for a, b in zip(*passes, strict=True)) + " |"
        )
        assert torch.equal(made[: len(low)], score.enhanced(generator, low)), (
            "a fresh start is no fresh start"
        )


def _window(pictures: torch.Tensor, side: int) -> torch.Tensor:
    top, left = ((length - side) // 2 // side * side for length in pictures.shape[-2:])
    return pictures[..., top : top + side, left : left + side]


def _to_and_fro(count: int, frames: int) -> list[int]:
    """0 1 ... n-1 n-2 ... 1 0 1 ...: so many frames, and on to the end of a pass forwards."""
    period = 2 * (count - 1)
    total = -(-frames // period) * period + count
    return [min(t % period, period - t % period) for t in range(total)]


def _judged(made: torch.Tensor, high: torch.Tensor, order: list[int], *, last: bool) -> list[float]:
    """Of one pass forwards over the clip, its first frame left out: there the first pass has no memory."""
    count = len(high)
    start = len(order) - count if last else 0
    output, target = made[start + 1 : start + count], high[1:]
    assert order[start : start + count] == list(range(count))
    off = (output - target).mean((0, 2, 3)).abs().max() * 255
    return [metrics.psnr_y(output, target), metrics.lpips(output, target), float(off)]


if __name__ == "__main__":
    main()
