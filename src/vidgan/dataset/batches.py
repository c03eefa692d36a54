"""A packed store -> batches of training clips: cropped, turned, made small and damaged.

A batch is a function of the recipe's seed and the step alone, so that a run that was killed goes on exactly.

Letters: B batch, T frames, C colours, H W height and width.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from vidgan.dataset.store import Store
from vidgan.degrade import encoded, gaussian_blur, gaussian_noise, shrink
from vidgan.recipe import Damage, Recipe, Stage

MARGIN = 4  # small pixels around a crop while it is shrunk and damaged, so that its border is not special


@dataclass(frozen=True)
class Batches(Dataset[tuple[Tensor, Tensor]]):
    """batches[step] = (low (B, T, 3, h, w), high (B, T, 3, H, W)), both uint8."""

    store: Store
    recipe: Recipe
    stage: Stage
    scale: int

    def __getitem__(self, step: int) -> tuple[Tensor, Tensor]:
        rng = np.random.default_rng((self.recipe.seed, step))
        pairs = [self._pair(rng) for _ in range(self.stage.batch)]
        return torch.stack([low for low, _ in pairs]), torch.stack([high for _, high in pairs])

    def _pair(self, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        side = self.stage.crop + 2 * MARGIN * self.scale
        high = turned(self._clip(rng, side), rng).permute(0, 3, 1, 2)
        low = damaged(high.float() / 255, self.recipe.damage, self.scale, rng)
        low = (low[..., MARGIN:-MARGIN, MARGIN:-MARGIN] * 255).round().byte()
        cut = MARGIN * self.scale
        return low.contiguous(), high[..., cut:-cut, cut:-cut].contiguous()

    def _clip(self, rng: np.random.Generator, side: int) -> Tensor:
        """(T, side, side, 3): a window of a video, or a photo under a moving camera."""
        store, frames = self.store, self.stage.frames
        moving = store.videos and (not store.photos or rng.random() >= self.recipe.data.photos)
        name = str(rng.choice(store.videos if moving else store.photos))
        length, height, width, _ = store.shapes[name]
        if moving and length >= frames:
            start = int(rng.integers(length - frames + 1))
            y, x = int(rng.integers(height - side + 1)), int(rng.integers(width - side + 1))
            return store.read(name, slice(start, start + frames), slice(y, y + side), slice(x, x + side))
        path = camera_path(rng, frames, (height - side, width - side), self.recipe.data.pan)
        top, left = path.min(0)
        bottom, right = path.max(0) + side
        picture = store.read(name, slice(0, 1), slice(int(top), int(bottom)), slice(int(left), int(right)))[0]
        return torch.stack([picture[y - top : y - top + side, x - left : x - left + side] for y, x in path])


def camera_path(rng: np.random.Generator, frames: int, room: tuple[int, int], fastest: int) -> np.ndarray:
    """(T, 2) top left corners in whole pixels, inside [0, room]: a start, a speed, and a little wandering."""
    speed = rng.uniform(-fastest, fastest, 2) * rng.random()
    wander = rng.normal(0, 0.3, (frames, 2)).cumsum(0) * rng.random()
    path = (np.arange(frames)[:, None] * speed + wander).round()
    path -= path.min(0)
    limits = np.asarray(room)
    path = np.minimum(path, limits)
    return (path + (rng.random(2) * (limits - path.max(0) + 1)).astype(int)).astype(int)


def turned(clip: Tensor, rng: np.random.Generator) -> Tensor:
    """One of the eight quarter turns and mirrors, and half of the time backwards: the same for every frame.

    clip  (T, S, S, 3), square
    """
    dims = [dim for dim in (0, 1, 2) if rng.random() < 0.5]
    clip = clip.flip(dims)
    return clip.transpose(1, 2) if rng.random() < 0.5 else clip


def damaged(high: Tensor, damage: Damage, scale: int, rng: np.random.Generator) -> Tensor:
    """(T, 3, H, W) in [0, 1] -> the same clip small, and for the recipe's share of clips also damaged."""
    if rng.random() >= damage.share:
        return shrink(high, scale)
    low = shrink(gaussian_blur(high, scale * rng.uniform(*damage.blur)), scale)
    low = gaussian_noise(low, rng.uniform(*damage.noise), rng)
    if rng.random() < damage.codec_share:
        low = encoded(low, "h264", rng.uniform(*damage.crf))
    return low
