"""A packed store -> batches of training clips: cropped, turned, made small and damaged.

A sample is a function of the recipe's seed, the step and its number in the batch alone, so that a run that was killed
goes on exactly, and many processes share a batch without a word.

Letters: B batch, T frames, C colours, H W height and width.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from vidgan.dataset.camera import (
    View,
    brightened,
    camera_path,
    free_path,
    free_view,
    rendered,
    turned,
    window_of,
)
from vidgan.dataset.store import Store
from vidgan.degrade import PRESETS, degraded
from vidgan.recipe import Damage, Recipe, Stage

MARGIN = 4  # small pixels around a crop while it is shrunk and damaged, so that its border is not special


@dataclass(frozen=True, kw_only=True)
class Batches(Dataset[tuple[Tensor, Tensor]]):
    """batches[step] = (low (B, T, 3, h, w), high (B, T, 3, H, W)), both uint8.

    ahead    frames by which the target is later than the input, for a network that predicts; its clips have no colour
    replay   a second store that some samples come from
    samples  which samples of the stage's batch to make; None for all
    attempt  another number gives other samples, so that a run that was rolled back does not meet the same ones again
    """

    store: Store
    recipe: Recipe
    stage: Stage
    scale: int
    ahead: int = 0
    replay: Store | None = None
    samples: range | None = None
    attempt: int = 0

    def __getitem__(self, step: int) -> tuple[Tensor, Tensor]:
        samples: Iterable[int] = self.samples if self.samples is not None else range(self.stage.batch)
        pairs = [
            self._pair(np.random.default_rng((self.recipe.seed, self.attempt, step, sample)))
            for sample in samples
        ]
        return torch.stack([low for low, _ in pairs]), torch.stack([high for _, high in pairs])

    def _pair(self, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        side = self.stage.crop + 2 * MARGIN * self.scale
        augment = self.recipe.augment
        clip = turned(self._clip(rng, side), rng, reverse=augment.reverse, oriented=augment.oriented)
        clip = brightened(clip, rng, augment.brightness)
        high = (grey(clip) if self.ahead else clip).permute(0, 3, 1, 2)
        low = damaged(high.float() / 255, self.recipe.damage, self.scale, rng)
        low = (low[..., MARGIN:-MARGIN, MARGIN:-MARGIN] * 255).round().byte()
        cut = MARGIN * self.scale
        low, high = low[: self.stage.frames], high[self.ahead :, ..., cut:-cut, cut:-cut]
        return low.contiguous(), high.contiguous()

    def _clip(self, rng: np.random.Generator, side: int) -> Tensor:
        """(T, side, side, 3): a window of a video, or a photo under a moving camera."""
        data, augment, frames = self.recipe.data, self.recipe.augment, self.stage.frames + self.ahead
        replays = self.replay is not None and rng.random() < data.replay_share
        store = self.replay if self.replay is not None and replays else self.store
        moving = store.videos and (not store.photos or rng.random() >= data.photos)
        name = str(rng.choice(store.videos if moving else store.photos))
        length, height, width, _ = store.shapes[name]
        view = None
        if rng.random() < augment.free:
            view = free_view(rng, (height, width), side, augment.zoom, turns=not augment.oriented)
        if moving and length >= frames:
            start = int(rng.integers(length - frames + 1))
            if view is not None:
                return _seen(store, name, [view] * frames, range(start, start + frames), side)
            window = self._window(rng, (store, name), range(start, start + frames), side)
            return store.read(name, slice(start, start + frames), *window)
        if view is not None:
            views = free_path(rng, view, (height, width), side, frames, data.pan)
            return _seen(store, name, views, range(1), side)
        path = camera_path(rng, frames, (height - side, width - side), data.pan)
        top, left = path.min(0)
        bottom, right = path.max(0) + side
        picture = store.read(name, slice(0, 1), slice(int(top), int(bottom)), slice(int(left), int(right)))[0]
        return torch.stack([picture[y - top : y - top + side, x - left : x - left + side] for y, x in path])

    def _window(
        self, rng: np.random.Generator, clip: tuple[Store, str], frames: range, side: int
    ) -> tuple[slice, slice]:
        """Rows and columns of a video; where the recipe draws several, those in which most changes."""
        store, name = clip
        _, height, width, _ = store.shapes[name]
        windows = []
        for _ in range(self.recipe.data.busiest_of):
            y, x = int(rng.integers(height - side + 1)), int(rng.integers(width - side + 1))
            windows.append((slice(y, y + side), slice(x, x + side)))
        if len(windows) == 1:
            return windows[0]
        return max(windows, key=lambda window: _moves(store, name, frames, window))


def _moves(store: Store, name: str, frames: range, window: tuple[slice, slice]) -> float:
    first, last = (store.read(name, slice(t, t + 1), *window).float() for t in (frames[0], frames[-1]))
    return float((last - first).abs().mean())


def _seen(store: Store, name: str, views: list[View], frames: range, side: int) -> Tensor:
    """(T, side, side, 3): each frame of a clip through its view, or the one frame through all."""
    _, height, width, _ = store.shapes[name]
    x, y, wide, high = window_of(views, (height, width), side)
    clip = store.read(name, slice(frames.start, frames.stop), slice(y, y + high), slice(x, x + wide))
    pictures = clip if len(clip) == len(views) else clip.expand(len(views), -1, -1, -1)
    return torch.stack(
        [
            rendered(picture, view, (height, width), side, (x, y))
            for picture, view in zip(pictures, views, strict=True)
        ]
    )


def grey(clip: Tensor) -> Tensor:
    """(T, H, W, 3) uint8 -> the same clip without its colours: the mean of the three."""
    return clip.float().mean(-1, keepdim=True).round().byte().expand_as(clip)


def damaged(high: Tensor, damage: Damage, scale: int, rng: np.random.Generator) -> Tensor:
    """(T, 3, H, W) in [0, 1] -> the same clip small, as footage of one of the recipe's kinds."""
    weights = damage.model_dump()
    shares = np.array(list(weights.values())) / sum(weights.values())
    kind = list(weights)[int(rng.choice(len(shares), p=shares))]
    return degraded(high, PRESETS[kind], scale, rng)
