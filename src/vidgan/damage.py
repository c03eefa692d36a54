"""How damaged a video looks before anything is made of it, and so what `enhance --restore` is where nobody says.

A small network looks at squares of a few frames and at what changes to the next one: blur, noise and a codec's traces
are there, whatever is shown. It was trained on clips and photos made small, clean or damaged as vidgan/degrade does
it; benchmarks/estimate.py trains and measures it.

Letters: B squares, h w height and width of the stored picture.
"""

from collections.abc import Iterable, Iterator
from contextlib import closing
from importlib import resources
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidgan import checkpoint, video
from vidgan.errors import BadVideo
from vidgan.pixels import as_tensor, luma
from vidgan.video import Source

PLACES = 5  # of a video that are looked at, evenly spread from its first frame on
SIDE = 96  # of a square, in stored pixels
ACROSS = 4  # squares side by side, and as many below each other, where the picture has room
FLAT = 4.0 / 255  # deviation of luma, of a range of 1, below which a square has nothing to tell
CERTAINTY = 2.0  # multiplies the mean logit: all squares together are surer than one
MOST = 0.5  # share for a video that is surely damaged: more costs truth and steadiness (docs/models.md)
STEPS = 4  # an estimate is a multiple of 1 / STEPS: a finer one would claim more than is known


class Estimator(nn.Module):
    """Two frames of luma -> a logit, higher for damaged; of any size, the mean over places."""

    def __init__(self, features: int = 32) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            [
                nn.Conv2d(3, 24, 3, padding=1),
                nn.Conv2d(24, features, 3, stride=2, padding=1),
                nn.Conv2d(features, features, 3, stride=2, padding=1),
                nn.Conv2d(features, features, 3, padding=1),
            ]
        )
        self.verdict = nn.Conv2d(features, 1, 3, padding=1)

    def forward(self, pair_B2hw: Tensor) -> Tensor:
        """(B, 2, h, w) luma in [0, 1], a frame and the next -> (B,)."""
        now, after = pair_B2hw.split(1, 1)
        # Colour is left out: all coded video has half of it, and that would be all there is to see.
        x = torch.cat((now - 0.5, 8 * fine(now), 8 * (after - now)), 1)
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.1)
        logits: Tensor = self.verdict(x)
        return logits.mean((1, 2, 3))


def fine(luma: Tensor) -> Tensor:
    """(B, 1, h, w) -> what a mean over 3x3 pixels takes away."""
    return luma - F.avg_pool2d(F.pad(luma, [1] * 4, mode="replicate"), 3, stride=1)


def load(path: Path | None = None) -> Estimator:
    """The one that comes with the package, or another file. Raises BadWeights."""
    tensors, _ = checkpoint.load_tensors(path or weights())
    estimator = Estimator()
    estimator.load_state_dict({name: value.float() for name, value in tensors.items()})
    return estimator.eval().requires_grad_(False)


def weights() -> Path:
    return Path(str(resources.files("vidgan") / "weights" / "damage" / "damage.safetensors"))


def estimate(source: Source, *, start: float = 0.0, duration: float | None = None) -> float:
    """Of the part shown in [start, start + duration), in seconds: 0 clean .. MOST damaged, in steps of 1 / STEPS.

    Raises BadVideo where it shows nothing.
    """
    return share_of(load(), _pairs(source, start, duration))


def told(share: float) -> str:
    """For whoever has a damaged video and did not say so."""
    looks = "damaged" if share == MOST else "somewhat damaged"
    return f"the video looks {looks}: --restore {share:g}; 0 repairs nothing, 1 more"


@torch.inference_mode()
def share_of(estimator: Estimator, pairs: Iterable[Tensor]) -> float:
    """Of pairs of frames (1, 2, h, w), luma in [0, 1]: 0 for clean .. MOST for damaged.

    A place's verdict is the mean of the logits of its squares, the video's that of its places: a dark or flat
    picture has no say, and where all of them are, the video counts as clean.
    """
    found = []
    for pair in pairs:
        squares = _squares(pair)
        if squares.shape[-1] == 1:  # a picture one pixel wide or high
            continue
        telling = squares[:, 0].flatten(1).std(1) > FLAT
        if telling.any():
            found.append(estimator(squares[telling]).mean())
    if not found:
        return 0.0
    share = MOST * (CERTAINTY * torch.stack(found).mean()).sigmoid()
    return round(float(share) * STEPS) / STEPS


def _squares(pair: Tensor) -> Tensor:
    """(1, 2, h, w) -> (B, 2, side, side), evenly spread; of a small picture the largest squares that fit."""
    height, width = pair.shape[-2:]
    side = min(SIDE, height, width)
    tops, lefts = (
        sorted({round(place) for place in np.linspace(0, length - side, min(ACROSS, -(-length // side)))})
        for length in (height, width)
    )
    return torch.cat([pair[..., top : top + side, left : left + side] for top in tops for left in lefts])


def _pairs(source: Source, start: float, duration: float | None) -> Iterator[Tensor]:
    """Two frames in a row at each place, or one twice: (1, 2, h, w), luma in [0, 1]."""
    found, failed = False, None
    for place in _places(source, start, duration):
        try:
            with closing(video.read(source, start=place, threads=1)) as frames:
                lumas = [_luma(frame.pixels) for frame in islice(frames, 2)]
        except BadVideo as error:  # broken there: enhancing it will say so
            failed = failed or error
            continue
        found = True
        yield torch.cat((lumas[0], lumas[-1]), 1)
    if not found and failed is not None:
        raise failed


def _places(source: Source, start: float, duration: float | None) -> list[float]:
    """Seconds; of a file that can only be read from its beginning the first alone."""
    length = source.duration_seconds
    ends = [float(end) for end in (length, None if duration is None else start + duration) if end is not None]
    if not ends or min(ends) <= start or not video.can_be_sought(source):
        return [start]
    shown = min(ends) - start
    return [start + shown * number / PLACES for number in range(PLACES)]


def _luma(pixels: np.ndarray) -> Tensor:
    """(h, w, 3) uint8 or uint16 -> (1, 1, h, w)."""
    return luma(as_tensor(pixels))
