"""Folders of videos and photos -> a packed store: one safetensors file of decoded uint8 pictures.

Frames are written as they are decoded (growing.py), so that a film of hours needs no more memory than one frame of it.
"""

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial, reduce
from pathlib import Path
from typing import IO

from safetensors import SafetensorError, safe_open

from vidgan import disk
from vidgan.dataset import shards
from vidgan.dataset.growing import Growing
from vidgan.dataset.store import Store
from vidgan.errors import BadOption, BadOutput, BadVideo, VidganError
from vidgan.folders import is_photo, is_video, walked

RATE = 25  # frames a second of what does not say: of folders of frames, and of some videos

NUMBERED = re.compile(r"^(.*?)(\d+)$")

Say = Callable[[str], None]


def pack(
    folders: Sequence[Path], path: Path, *, say: Say, split: str = "train", without: Sequence[Path] = ()
) -> Store:
    """Decode every video and photo below the folders into a store at path, unless it holds just these already.

    folders  of footage; or data sets that `vidgan prepare` made, which are read in place: their side `split`
    without  places whose files are left out because they are validated on; `say` is told which

    Where none of the folders exists, as on another machine, which may lack PyAV, a store at path is used as it is.
    A file that does not decode is left out, and `say` is told. Raises BadVideo if none does, BadOption where prepared
    data sets and footage are mixed or nothing is left to train on, BadOutput where the store cannot be written.
    """
    folders = list(dict.fromkeys(folders))
    if prepared := [folder for folder in folders if shards.is_prepared(folder)]:
        if len(prepared) < len(folders):
            raise shards.no_footage(prepared[0])
        return _prepared(prepared, split)
    if path.exists() and not any(folder.exists() for folder in folders):
        return Store(path)
    found = _but(list(files(folders)), without, say)
    contents = json.dumps([(str(file), file.stat().st_size, file.stat().st_mtime_ns) for _, file in found])
    if path.exists():
        # A damaged one is packed again.
        with suppress(SafetensorError), safe_open(path, framework="pt") as store:
            if (store.metadata() or {}).get("contents") == contents:
                return Store(path)
    _check_room([file for _, file in found], path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with disk.replacing(path) as unfinished:
            packed = _write(_named(found), unfinished, contents, say)
            if not packed:
                raise BadVideo(
                    f"no video or photo in {', '.join(map(str, folders))} could be read",
                    "Name folders that hold some.",
                )
    except OSError as error:
        raise BadOutput(
            f"{path} cannot be written: {error.strerror}", "Make room, or choose another --out."
        ) from None
    say(f"clips and photos packed into {path}: {packed}")
    return Store(path)


def files(places: Sequence[Path]) -> Iterator[tuple[Path, Path]]:
    """Every video and photo at or below each place, with the folder it was found from.

    Raises BadVideo for a place that is not there, BadOption for a prepared data set within one.
    """
    for place in places:
        if not place.exists():
            raise BadVideo(f"there is no {place}", "Name a video, a photo, or a folder of them.")
        found = list(walked(place)) if place.is_dir() else [(place.parent, [place])]
        if place.is_dir() and (prepared := [folder for folder, _ in found if shards.is_prepared(folder)]):
            raise shards.no_footage(prepared[0])
        footage = sorted(file for _, inner in found for file in inner if is_video(file) or is_photo(file))
        yield from ((found[0][0], file) for file in footage)


def numbered(file: Path) -> tuple[str, int] | None:
    """A picture's name before its last number, and that number: 2.png comes before 10.png. None where it has none."""
    found = NUMBERED.match(file.stem)
    return (found[1], int(found[2])) if found else None


def _prepared(folders: Sequence[Path], split: str) -> Store:
    store = reduce(Store.joined, [Store(folder, split) for folder in folders])
    if store.shapes:
        return store
    told = ", ".join(map(str, folders))
    if not any(entry.kept for folder in folders for entry in shards.read_index(folder).entries.values()):
        raise BadVideo(
            f"everything in {told} was left out when it was prepared",
            f"{folders[0] / 'report.html'} says why; `vidgan prepare --keep-all` keeps it all the same.",
        )
    raise BadVideo(
        f"{told} has nothing in its side '{split}'",
        "Add sources and prepare it again, with a larger share for this side.",
    )


def _but(found: list[tuple[Path, Path]], places: Sequence[Path], say: Say) -> list[tuple[Path, Path]]:
    """Without what lies at or below the places."""
    kept_apart = [place.resolve() for place in places]
    rest = [
        (folder, file)
        for folder, file in found
        if not any(file.resolve().is_relative_to(place) for place in kept_apart)
    ]
    if found and not rest:
        raise BadOption(
            f"all that there is to train on is also in {', '.join(map(str, places))}, to validate on",
            "Name other footage to validate on; or the very same under both, and some of it is held out.",
        )
    if len(rest) < len(found):
        apart = [file.name for _, file in found if file not in {kept for _, kept in rest}]
        say(f"not trained on, because it is validated on: {', '.join(apart)}")
    return rest


def _named(found: list[tuple[Path, Path]]) -> dict[str, Path]:
    named: dict[str, Path] = {}
    for folder, file in found:
        # The header is UTF-8, and a file's name may be no text at all.
        name = os.fsencode(file.relative_to(folder).as_posix()).decode("utf-8", "replace")
        while name in named:  # two folders may hold files of one name
            name = f"{folder.name}/{name}"
        named[name] = file
    return named


def _check_room(found: list[Path], path: Path) -> None:
    """Raises BadOutput where the videos, decoded, are larger than the disk has room. Photos are not counted."""
    from vidgan.video import probe

    needed = 0.0
    for file in found:
        if is_video(file):
            try:
                source = probe(file)
            except VidganError:
                continue  # said when it is left out
            frames = (source.duration_seconds or 0.0) * float(source.average_rate or RATE)
            needed += frames * source.width * source.height * 3
    place = next(folder for folder in path.absolute().parents if folder.exists())
    if needed > (free := shutil.disk_usage(place).free):
        raise BadOutput(
            f"decoded, these videos are {needed / 1e9:.1f} GB, and {place} has room for {free / 1e9:.1f} GB",
            "Prepare them first: `vidgan prepare SOURCE... DATASET` keeps 60 short clips of each at most.",
        )


def _write(named: dict[str, Path], path: Path, contents: str, say: Say) -> int:
    """The number of clips that were written; a file that does not decode to its end leaves nothing behind."""
    with path.open("wb") as out:
        growing = Growing(out, named, {"contents": contents})
        for name, file in named.items():
            try:
                growing.add(name, partial(_decoded, file))
            except (VidganError, OSError) as error:
                if isinstance(error, OSError) and error.filename != str(file):
                    raise  # of the store
                say(f"left out: {error.found if isinstance(error, VidganError) else error}")
        growing.finish()
    return growing.num_clips


def _decoded(file: Path, out: IO[bytes]) -> tuple[int, int, int, int]:
    """Append the frames of a video or photo. Gives (T, H, W, 3). Raises BadVideo."""
    from vidgan.video import decode

    count, size = 0, (0, 0, 0)
    for pixels in decode(file):
        out.write(pixels.data)
        count, size = count + 1, pixels.shape
    return (count, *size)
