"""Decoded uint8 pictures by name: of a packed store, or of data sets that `vidgan prepare` made.

Both are safetensors: read without PyAV, a crop at a time, never whole.

Letters: T frames, H W height and width.
"""

import copy
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from safetensors import safe_open
from torch import Tensor

from vidgan.dataset import shards
from vidgan.errors import BadVideo

SHARE = 10  # of so many videos one is held out
MOST_OPEN = 256  # mapped files at a time: a system allows about a thousand


class Store:
    """Decoded clips by name; a photo is a clip of one frame.

    path   a packed store, or the folder of a prepared data set
    split  which side of a prepared data set; a packed store has only one
    Raises BadVideo where clips of a prepared data set are gone or damaged.
    """

    def __init__(self, path: Path, split: str = "train") -> None:
        self.path = path
        self.sides = {split}  # that hold a video
        self.shapes: dict[str, tuple[int, ...]] = {}
        self._places: dict[str, tuple[Path, str]] = {}  # of each clip: its file, and its name in there
        if path.is_dir():
            index = shards.read_index(path)
            self.sides = {
                entry.split
                for entry in index.entries.values()
                if any(entry.clips[number].shape[0] > 1 for number in entry.kept)
            }
            for source, entry in index.entries.items():
                if entry.split != split or not entry.kept:
                    continue
                shard = shards.shard_of(source, path)
                held = shards.clips_in(shard)
                for number in entry.kept:
                    name, clip = f"{source}#{number}", f"clip{number}"
                    if clip not in held:
                        raise BadVideo(
                            f"{path} lacks what was prepared of {source}: {shard.name} is gone or damaged",
                            "Give the command again that prepared it; or copy the whole folder again.",
                        )
                    self.shapes[name] = entry.clips[number].shape
                    self._places[name] = shard, clip
        else:
            with safe_open(path, framework="pt") as file:
                for name in file.keys():  # noqa: SIM118 - safe_open is not a mapping
                    self.shapes[name] = tuple(file.get_slice(name).get_shape())
                    self._places[name] = path, name
        self._open: dict[Path, Any] = {}
        self._sort()

    def _sort(self) -> None:
        self.photos = [name for name, shape in self.shapes.items() if shape[0] == 1]
        self.videos = [name for name, shape in self.shapes.items() if shape[0] > 1]

    def joined(self, other: "Store") -> "Store":
        """Both in one; a clip of the other gets its folder's name in front where its own is taken."""
        both = copy.copy(self)
        both.sides = self.sides | other.sides
        both.shapes, both._places = dict(self.shapes), dict(self._places)
        for name, shape in other.shapes.items():
            new = name
            while new in both.shapes:
                new = f"{other.path.name}/{new}"
            both.shapes[new], both._places[new] = shape, other._places[name]
        both._sort()
        return both

    def smaller_than(self, side: int) -> list[str]:
        """The names of clips and photos with a shorter side."""
        return [name for name, (_, height, width, _) in self.shapes.items() if min(height, width) < side]

    def shorter_than(self, frames: int) -> list[str]:
        """The names of videos, not photos, with fewer frames."""
        return [name for name in self.videos if self.shapes[name][0] < frames]

    def without(self, names: list[str]) -> "Store":
        """The same store as if it did not hold these. Raises BadVideo if nothing is left."""
        rest = copy.copy(self)
        gone = set(names)
        rest.shapes = {name: shape for name, shape in self.shapes.items() if name not in gone}
        rest._sort()
        if not rest.photos and not rest.videos:
            raise BadVideo(
                "every clip and photo is smaller than a crop and its margin",
                "Choose a smaller crop, or larger videos.",
            )
        return rest

    def split(self, *, say: Callable[[str], None]) -> tuple["Store", "Store"]:
        """A part to train on, and a part to judge by: one video in ten, at least one, chosen by hashes of names.

        A store with a single video is judged by what it trains on, which is said. Raises BadVideo if it has none.
        """
        if not self.videos:
            raise BadVideo("there is no video to validate on", "Name some under [data] val.")
        order = sorted(
            self.videos, key=lambda name: hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()
        )
        held_out = order[: max(1, len(order) // SHARE)]
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
