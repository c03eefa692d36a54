"""Folders of videos and photos -> a packed store -> batches of training clips.

The store is one safetensors file of decoded uint8 pictures: read without PyAV, a crop at a time, never whole.
A batch is a function of the recipe's seed and the step alone, so that a run that was killed goes on exactly.

Letters: B batch, T frames, C colours, H W height and width.
"""

import copy
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.utils.data import Dataset

from vidgan.degrade import encoded, gaussian_blur, gaussian_noise, shrink
from vidgan.errors import BadVideo, VidganError
from vidgan.recipe import Damage, Recipe, Stage

VIDEO_SUFFIXES = {".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".mpg", ".ts"}
PHOTO_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
MARGIN = 4  # small pixels around a crop while it is shrunk and damaged, so that its border is not special


class Store:
    """Decoded clips by name; a photo is a clip of one frame."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.shapes: dict[str, tuple[int, ...]] = {}
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118 - safe_open is not a mapping
                self.shapes[name] = tuple(file.get_slice(name).get_shape())
        self.photos = [name for name, shape in self.shapes.items() if shape[0] == 1]
        self.videos = [name for name, shape in self.shapes.items() if shape[0] > 1]

    def smaller_than(self, side: int) -> list[str]:
        """The names of clips and photos with a shorter side."""
        return [name for name, (_, height, width, _) in self.shapes.items() if min(height, width) < side]

    def without(self, names: list[str]) -> "Store":
        """The same store as if it did not hold these. Raises BadVideo if nothing is left."""
        rest = copy.copy(self)
        rest.photos = [name for name in self.photos if name not in names]
        rest.videos = [name for name in self.videos if name not in names]
        if not rest.photos and not rest.videos:
            raise BadVideo(
                "every clip and photo is smaller than a crop and its margin",
                "Choose a smaller crop, or larger videos.",
            )
        return rest

    def read(self, name: str, t: slice, y: slice, x: slice) -> Tensor:
        """(T, H, W, 3) uint8."""
        if not hasattr(self, "_file"):  # opened late: every loading process maps the file for itself
            self._file = safe_open(self.path, framework="pt")
        return self._file.get_slice(name)[t, y, x]

    def __getstate__(self) -> dict[str, object]:
        return {key: value for key, value in self.__dict__.items() if key != "_file"}


def pack(folders: list[Path], path: Path, *, say: Callable[[str], None]) -> Store:
    """Decode every video and photo below the folders into a store at path, unless it holds just these already.

    A store that travelled without its folders is used as it is: that machine may lack PyAV, too.
    A file that does not decode is left out and said. Raises BadVideo if none does.
    """
    if path.exists() and not any(folder.exists() for folder in folders):
        return Store(path)
    found = list(files(folders))
    contents = json.dumps([(str(file), file.stat().st_size, file.stat().st_mtime_ns) for _, file in found])
    if path.exists():
        with safe_open(path, framework="pt") as store:
            if (store.metadata() or {}).get("contents") == contents:
                return Store(path)
    from vidgan.video.codec import decode_all

    tensors: dict[str, Tensor] = {}
    for folder, file in found:
        try:
            picture = torch.from_numpy(decode_all(file))
        except VidganError as error:
            say(f"left out: {error.found}")
            continue
        name = file.relative_to(folder).as_posix()
        while name in tensors:  # two folders may hold files of one name
            name = f"{folder.name}/{name}"
        tensors[name] = picture
    if not tensors:
        raise BadVideo(
            f"no video or photo in {', '.join(map(str, folders))} could be read",
            "Name folders that hold some.",
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    save_file(tensors, partial, metadata={"contents": contents})
    os.replace(partial, path)
    say(f"packed {len(tensors)} clips and photos into {path}")
    return Store(path)


def files(places: list[Path]) -> Iterator[tuple[Path, Path]]:
    """Every video and photo at or below each place, with the folder it was found from. Raises BadVideo."""
    for place in places:
        if not place.exists():
            raise BadVideo(f"there is no {place}", "Name a video, a photo, or a folder of them.")
        found = sorted(place.rglob("*")) if place.is_dir() else [place]
        for file in found:
            if file.suffix.lower() in VIDEO_SUFFIXES | PHOTO_SUFFIXES and file.is_file():
                yield place if place.is_dir() else place.parent, file


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
