"""Pictures of where a training stands: bicubic, made and true, side by side.

Letters: H W height and width.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from vidgan import score
from vidgan.generators import VideoGenerator
from vidgan.pixels import bytes_of

ROWS = 3  # clips
FRAME = 3  # of each: late enough for the memory to have filled
SIDE = 320  # most of each picture that is shown, pixels
FOLDER = "strips"


def write(
    generator: VideoGenerator, clips: Sequence[score.Pair], path: Path, *, precision: torch.dtype
) -> None:
    """A PNG with a row for each of the first clips: enlarged by bicubic, by the generator, and the truth."""
    # Only here: training from a prepared set runs where PyAV is not installed.
    from vidgan.video import write_png

    rows = []
    for clip in clips[:ROWS]:
        frame = min(FRAME, len(clip.low) - 1)
        made = score.enhanced(generator, clip.low[: frame + 1], precision=precision)[-1]
        bicubic = F.interpolate(clip.low[frame][None], size=made.shape[-2:], mode="bicubic")[0]
        rows.append(torch.cat([_middle(picture) for picture in (bicubic, made, clip.high[frame])], 2))
    width = max(row.shape[2] for row in rows)
    strip = torch.cat([F.pad(row, (0, width - row.shape[2])) for row in rows], 1)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_png(bytes_of(strip), path)


def _middle(picture_CHW: Tensor) -> Tensor:
    top, left = (max(0, (side - SIDE) // 2) for side in picture_CHW.shape[1:])
    return picture_CHW[:, top : top + SIDE, left : left + SIDE]
