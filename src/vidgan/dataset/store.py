"""Folders of videos and photos -> a packed store of decoded uint8 pictures.

The store is one safetensors file: read without PyAV, a crop at a time, never whole.

Letters: T frames, H W height and width.
"""

import copy
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from vidgan.errors import BadVideo, VidganError

VIDEO_SUFFIXES = {".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".mpg", ".ts"}
PHOTO_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}


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
