"""Folders of videos and photos -> a packed store of decoded uint8 pictures.

The store is one safetensors file: read without PyAV, a crop at a time, never whole.

Letters: T frames, H W height and width.
"""

import copy
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from vidgan.dataset import shards
from vidgan.errors import BadVideo, VidganError

VIDEO_SUFFIXES = {".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".mpg", ".ts"}
MOST_OPEN = 256  # mapped files at a time: a system allows about a thousand
PHOTO_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}


class Store:
    """Decoded clips by name; a photo is a clip of one frame.

    path   a packed store, or the folder of a prepared data set
    split  which side of a prepared data set; a packed store has only one
    """

    def __init__(self, path: Path, split: str = "train") -> None:
        self.path = path
        self.sides = {split}  # that hold anything
        self.shapes: dict[str, tuple[int, ...]] = {}
        self._places: dict[str, tuple[Path, str]] = {}  # of each clip: its file, and its name in there
        if path.is_dir():
            index = shards.read_index(path)
            self.sides = {entry.split for entry in index.entries.values() if entry.kept}
            for source, entry in index.entries.items():
                for number in entry.kept if entry.split == split else []:
                    name = f"{source}#{number}"
                    self.shapes[name] = entry.clips[number].shape
                    self._places[name] = shards.shard_of(source, path), f"clip{number}"
        else:
            with safe_open(path, framework="pt") as file:
                for name in file.keys():  # noqa: SIM118 - safe_open is not a mapping
                    self.shapes[name] = tuple(file.get_slice(name).get_shape())
                    self._places[name] = path, name
        self.photos = [name for name, shape in self.shapes.items() if shape[0] == 1]
        self.videos = [name for name, shape in self.shapes.items() if shape[0] > 1]
        self._open: dict[Path, Any] = {}

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

    def split(self, *, say: Callable[[str], None], share: int = 10) -> tuple["Store", "Store"]:
        """A part to train on, and a part to judge by: one video in `share`, at least one, chosen by hashes of names.

        A store with a single video is judged by what it trains on, which is said. Raises BadVideo if it has none.
        """
        if not self.videos:
            raise BadVideo("there is no video to validate on", "Name some under [data] val.")
        order = sorted(
            self.videos, key=lambda name: hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()
        )
        held_out = order[: max(1, len(order) // share)]
        if len(order) == 1:
            say(
                f"nothing is held out: {held_out[0]} is the only clip, and over-training on it will not be seen"
            )
            return self, self.without(self.photos)
        say(f"held out to validate on, from the same sources: {', '.join(held_out)}")
        rest = [name for name in self.videos if name not in held_out]
        return self.without(held_out), self.without([*self.photos, *rest])

    def read(self, name: str, t: slice, y: slice, x: slice) -> Tensor:
        """(T, H, W, 3) uint8."""
        path, key = self._places[name]
        if path not in self._open:  # late: every loading process maps the files for itself
            if len(self._open) >= MOST_OPEN:
                self._open.pop(next(iter(self._open)))
            self._open[path] = safe_open(path, framework="pt")
        picture: Tensor = self._open[path].get_slice(key)[t, y, x]
        return picture

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_open": {}}


def pack(folders: list[Path], path: Path, *, say: Callable[[str], None], split: str = "train") -> Store:
    """Decode every video and photo below the folders into a store at path, unless it holds just these already.

    A single folder that `vidgan prepare` made is a store as it is: its side `split` is taken.

    A store that travelled without its folders is used as it is: that machine may lack PyAV, too.
    A file that does not decode is left out and said. Raises BadVideo if none does.
    """
    if len(folders) == 1 and shards.is_prepared(folders[0]):
        if not (store := Store(folders[0], split)).shapes:
            raise BadVideo(
                f"{folders[0]} has nothing in its side '{split}'",
                "Add sources and prepare it again, with a larger share for this side.",
            )
        return store
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
