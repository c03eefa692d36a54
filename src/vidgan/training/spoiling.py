"""Pictures that are wrong in a known way, for the discriminator to turn down: negative data augmentation.

A small discriminator takes fine contrast of any kind for detail, and a generator gives it what is cheapest: edges
that are too steep, and one pattern in every enlarged pixel. Shown both as made pictures, it has to look for more.

Letters: B batch, T frames, C colours, H W height and width of the large frame, S scale.
Source: Sinha et al. 2021, "Negative Data Augmentation"; which pictures are spoilt, and how, is ours.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

SHARPENING = (0.3, 1.5)  # times what a 3x3 mean takes away
GRID = (0.2, 1.0)  # a pattern's contrast, times the contrast that is there


def spoilt(
    made_BTCHW: Tensor, real_BTCHW: Tensor, scale: int, *, seed: int, of: int, samples: slice
) -> Tensor:
    """(B, T, C, H, W) in [0, 1]: of each sample the made frames sharpened too much, or real or made ones with a grid.

    of, samples  how many samples the global batch has, and which of them these are: each gets what it would get there
    """
    rng = torch.Generator().manual_seed(seed)
    kinds = torch.randint(3, (of, 1, 1, 1, 1), generator=rng)
    strengths = torch.rand((of, 1, 1, 1, 1), generator=rng)
    side = max(scale, 2)
    grey, coloured = (torch.randn((of, 1, count, side, side), generator=rng) for count in (1, 3))
    kinds, strengths, patterns = (
        drawn[samples].to(made_BTCHW.device) for drawn in (kinds, strengths, grey + coloured / 2)
    )
    made, real = made_BTCHW.float(), real_BTCHW.float()
    sharpened = made + _between(SHARPENING, strengths) * (made - _mean(made, 3))
    grid = _between(GRID, strengths) * _tiled(patterns, made.shape[-2], made.shape[-1]) * _contrast(real)
    return torch.where(kinds == 0, sharpened, torch.where(kinds == 1, real, made) + grid).clamp(0, 1)


def _between(ends: tuple[float, float], share: Tensor) -> Tensor:
    return ends[0] + (ends[1] - ends[0]) * share


def _tiled(patterns: Tensor, height: int, width: int) -> Tensor:
    """(B, 1, C, S, S) -> (B, 1, C, H, W): without a mean, of deviation 1, again and again."""
    patterns = patterns - patterns.mean((-2, -1), keepdim=True)
    patterns = patterns / patterns.std((-2, -1), keepdim=True)
    down, across = (-(-length // patterns.shape[-1]) for length in (height, width))
    return patterns.repeat(1, 1, 1, down, across)[..., :height, :width]


def _contrast(clip: Tensor) -> Tensor:
    """(B, T, 1, H, W): how far pixels are from those around them, there and nearby."""
    return _mean((clip - _mean(clip, 5)).abs(), 9).mean(2, keepdim=True)


def _mean(clip: Tensor, side: int) -> Tensor:
    """Of side x side pixels around each, mirrored at the edges."""
    frames = F.pad(clip.flatten(0, 1), [side // 2] * 4, mode="reflect")
    return F.avg_pool2d(frames, side, stride=1).unflatten(0, clip.shape[:2])
