"""What a folder holds: videos, folders of numbered frames, and photos; each gives its pictures in order, upright.

Letters: H W height and width.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Literal

import numpy as np

from vidgan.dataset import RATE, numbered, shards
from vidgan.errors import BadOption, BadVideo, VidganError, printable
from vidgan.folders import is_photo, is_video, walked
from vidgan.preparation.alike import distance, fingerprint
from vidgan.shots import CutDetector
from vidgan.video import decode_all, in_eight_bits, origin_of, probe, read, turn_upright

Kind = Literal["video", "frames", "photo"]
LEAST_FRAMES = 5  # numbered pictures that can be a clip; Vimeo-90K has 7
NEAR = 16  # differing signs of 64 between the fingerprints of neighbouring frames, see alike.py


@dataclass(frozen=True)
class Found:
    """Footage, before it was opened."""

    name: str  # of the data set's entry: the source folder's name and the path below it, with forward slashes
    kind: Kind
    files: tuple[Path, ...]  # one; of a folder of frames, all of them in order

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.stat().st_size for file in self.files)

    @property
    def changed(self) -> int:
        """When the youngest file was written, in nanoseconds."""
        return max(file.stat().st_mtime_ns for file in self.files)


def find(places: tuple[Path, ...]) -> list[Found]:
    """Everything at or below the places, by name.

    Hidden files and folders are passed over, and links to folders are not followed. A prepared data set is refused:
    it holds copies, and thumbnails that look like photos.
    Raises BadOption for a place that is not there, BadVideo for a folder that may not be opened.
    """
    found: list[Found] = []
    for place in places:
        if not place.exists():
            raise BadOption(f"there is no {place}", "Name a video, a photo, or a folder of them.")
        if place.is_file():
            found.append(
                Found(place.name, "video" if is_video(place) or _shows_film(place) else "photo", (place,))
            )
            continue
        root = place.resolve().name
        for folder, files in walked(place):
            if shards.is_prepared(folder):
                raise shards.no_footage(folder)
            below = "/".join((root, *folder.relative_to(place).parts))
            found += (Found(f"{below}/{file.name}", "video", (file,)) for file in files if is_video(file))
            photos = [file for file in files if is_photo(file)]
            runs = _frame_runs(photos)
            taken = {file for run in runs for file in run}
            for run in runs:
                name = below if len(taken) == len(run) else f"{below}/{run[0].stem}"
                found.append(Found(name, "frames", tuple(run)))
            found += (Found(f"{below}/{file.name}", "photo", (file,)) for file in photos if file not in taken)
    by_name: dict[str, Found] = {}
    for entry in found:
        entry = replace(entry, name=printable(entry.name))  # also of bytes that are no text
        if entry.name in by_name and by_name[entry.name].files != entry.files:
            raise BadOption(
                f"{entry.files[0]} and {by_name[entry.name].files[0]} would have one name, {entry.name}",
                "Rename one of the two source folders.",
            )
        by_name[entry.name] = entry
    return [by_name[name] for name in sorted(by_name)]


def pictures(entry: Found) -> Iterator[tuple[Fraction, np.ndarray]]:
    """(seconds, (H, W, 3) uint8 RGB, upright), in order, one at a time. Raises BadVideo."""
    if entry.kind == "video":
        source = probe(entry.files[0])
        origin = origin_of(source)
        for frame in read(source):
            yield frame.seconds - origin, turn_upright(in_eight_bits(frame.pixels), source.orientation)
        return
    shape = None
    for index, file in enumerate(entry.files):
        pixels = decode_all(file, limit=1)[0]
        if shape not in (None, pixels.shape):
            raise BadVideo(f"{file} has another size than the frames before it", "Put it elsewhere.")
        shape = pixels.shape
        yield Fraction(index, RATE), pixels


@dataclass(frozen=True)
class Length:
    """As the file says; 0 where it does not."""

    seconds: float
    frames: float


def length(entry: Found) -> Length:
    """About how long it takes to play, and how many frames that is. Raises BadVideo."""
    if entry.kind == "video":
        source = probe(entry.files[0])
        seconds = source.duration_seconds or 0.0
        return Length(seconds, seconds * float(source.average_rate or RATE))
    return Length(len(entry.files) / RATE, len(entry.files))


def _shows_film(file: Path) -> bool:
    """Whether a file that the user named, whose suffix is no video's, can be opened as a video all the same."""
    if is_photo(file):
        return False
    try:
        probe(file)
    except VidganError:
        return False
    return True


def _frame_runs(photos: list[Path]) -> list[list[Path]]:
    """The runs of consecutive numbers among a folder's pictures that are frames of one scene.

    A camera numbers its photos, too: a run is a clip only if its first pictures have one size, look alike one after
    the other, and none of them would count as a cut.
    """
    series: dict[tuple[str, str], list[tuple[int, Path]]] = defaultdict(list)
    for file in photos:
        if found := numbered(file):
            name, number = found
            series[name, file.suffix.lower()].append((number, file))
    runs = []
    for numbers in series.values():
        numbers.sort()
        run: list[tuple[int, Path]] = []
        for number, file in [*numbers, (-1, Path())]:
            if run and number != run[-1][0] + 1:
                if len(run) >= LEAST_FRAMES and _one_scene([path for _, path in run[:LEAST_FRAMES]]):
                    runs.append([path for _, path in run])
                run = []
            run.append((number, file))
    return runs


def _one_scene(files: list[Path]) -> bool:
    detector = CutDetector()
    try:
        looks = [decode_all(file, limit=1)[0] for file in files]
    except (VidganError, OSError):  # told of each by itself, as a photo
        return False
    if len({look.shape for look in looks}) > 1:
        return False
    marks = [fingerprint(look) for look in looks]
    near = all(distance(one, other) <= NEAR for one, other in pairwise(marks))
    return near and [detector.begins_shot(look) for look in looks] == [True] + [False] * (len(looks) - 1)
