"""Sources -> a data set: each is decoded once, judged, and kept or left out with a reason; then all are grouped.

What was done of a source is on disk before the next one begins, so that the same command goes on after a kill, and
looks only at what is new or has changed.

Letters: T frames, H W height and width.
"""

import math
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import IO

import numpy as np
import torch
import torch.nn.functional as F

from vidgan import disk
from vidgan.dataset import shards
from vidgan.dataset.growing import Growing
from vidgan.errors import BadOption, BadOutput, VidganError
from vidgan.preparation import alike, judging, sources
from vidgan.preparation.sides import sides
from vidgan.progress import Tick
from vidgan.shots import CutDetector
from vidgan.video import jpeg_bytes

THUMB = 160  # longest side of what the report shows, pixels
SAVE_EVERY = 5.0  # seconds between two writings of the index


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a source is judged by; a change of these looks at every source again."""

    min_frames: int = 7  # of a clip, after repeats are left out; Vimeo-90K has 7
    min_side: int = 160  # pixels
    frames: int = 32  # of a clip at most
    spacing: float = 10.0  # seconds from the start of one clip to the next within a shot
    most: int = 60  # clips of one source, spread over its length
    keep_all: bool = False  # judge, and keep what can be read all the same


def prepare(
    places: tuple[Path, ...],
    folder: Path,
    settings: Settings,
    *,
    shares: tuple[float, float],
    table: Mapping[str, str],
    tick: Tick,
) -> shards.Index:
    """Bring the data set in the folder up to date with the places, and give back its index.

    shares  of validation and of test
    table   file -> group, over the name rule
    Raises VidganError where a place is missing, the table names no source, or the folder cannot be written; a source
    that cannot be read is noted in the index, and the rest goes on.
    """
    found = sources.find(places)
    if not found:
        raise VidganError(
            f"there is no video and no photo in {', '.join(map(str, places))}", "Name folders that hold some."
        )
    if table and len(strangers(table, [entry.name for entry in found])) == len(table):
        raise BadOption(
            f"the table of groups names none of the sources, but {next(iter(table))}",
            f"Name files as the report does, such as {found[0].name}, or without their first folder.",
        )
    for name in ("clips", "thumbs"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    wanted = {key: float(value) for key, value in asdict(settings).items()}
    index = shards.read_index(folder) if shards.is_prepared(folder) else shards.Index(settings=wanted)
    known = index.entries
    if index.settings != wanted:  # every source is to be looked at again, and keeps its side
        known = {name: old.model_copy(update={"changed": 0}) for name, old in known.items()}
    # Also of sources that gave nothing: a copy may one day be the only file left, and a broken file may be mended.
    before = {name: old.split for name, old in known.items() if old.group}
    if index.shares not in (None, shares):
        before = {}  # another split was asked for
    index = shards.Index(settings=wanted, shares=index.shares)
    saved = time.monotonic()
    try:
        for number, entry in enumerate(found):
            tick(number, len(found), entry.name)
            index.entries[entry.name] = _unchanged(known, entry, folder) or _looked_at(
                entry, folder, settings, known.get(entry.name)
            )
            if time.monotonic() - saved > SAVE_EVERY:
                # What was known of the sources still to come is kept: a kill must not forget it.
                rest = {name: old for name, old in known.items() if name not in index.entries}
                shards.write_index(index.model_copy(update={"entries": index.entries | rest}), folder)
                saved = time.monotonic()
    finally:
        if len(index.entries) < len(found):
            shards.write_index(index.model_copy(update={"entries": known | index.entries}), folder)
    _group(index, shares, table, before, keep_copies=settings.keep_all)
    index.shares = shares
    shards.write_index(index, folder)
    _tidy(index, folder)
    return index


def strangers(table: Mapping[str, str], names: Iterable[str]) -> list[str]:
    """The files of a table of groups that are none of the sources."""
    known = {key for name in names for key in _keys(name)}
    return [file for file in table if file not in known]


def _keys(name: str) -> tuple[str, str]:
    """By what a source may be named in a table: with the folder that it was found in, and without."""
    return name, name.partition("/")[2]


def _unchanged(known: Mapping[str, shards.Entry], entry: sources.Found, folder: Path) -> shards.Entry | None:
    old = known.get(entry.name)
    if old is None or (old.kind, old.size, old.changed) != (entry.kind, entry.size, entry.changed):
        return None
    if old.broken and not old.clips:  # it is quickly seen, and may have been for want of rights
        return None
    kept = {f"clip{number}" for number, clip in enumerate(old.clips) if clip.kept}
    there = not kept or kept <= shards.clips_in(shards.shard_of(entry.name, folder))
    return old if there else None


def _looked_at(
    entry: sources.Found, folder: Path, settings: Settings, old: shards.Entry | None
) -> shards.Entry:
    """Decode and judge one source, and write what is kept of it; after a kill it still has the side of the old one."""
    made = shards.Entry(kind=entry.kind, size=entry.size, changed=entry.changed)
    if old is not None:
        made.group, made.split = old.group, old.split
    shard = shards.shard_of(entry.name, folder)
    kept = _kept(entry, folder, settings, made)
    if (first := next(kept, None)) is None:
        shard.unlink(missing_ok=True)
        return made
    try:
        with disk.replacing(shard) as unfinished, unfinished.open("wb") as out:
            growing = Growing(out, map(_clip_name, range(settings.most)))
            for number, frames in chain([first], kept):
                growing.add(_clip_name(number), partial(_written, frames))
            growing.finish()
    except OSError as error:
        raise shards.unwritable(shard, error) from None
    return made


def _kept(
    entry: sources.Found, folder: Path, settings: Settings, made: shards.Entry
) -> Iterator[tuple[int, np.ndarray]]:
    """(number, (T, H, W, 3)) of each clip that is kept; all are noted in the entry that is made."""
    try:
        length = sources.length(entry)
        for start, frames in _windows(entry, settings, length.seconds):
            clip, frames = _judged(frames, start, settings, entry, length)
            if not made.clips:
                _write_thumb(_thumb(frames[0]), folder, entry.name)
            made.clips.append(clip)
            if clip.kept:
                yield len(made.clips) - 1, frames
            if len(made.clips) >= settings.most:
                break
    except BadOutput:  # of the thumbnail
        raise
    except VidganError as error:
        made.broken = error.found
    except OSError as error:
        made.broken = f"{entry.files[0]} cannot be read: {error.strerror}"
        made.changed = 0  # the disk's fault or that of rights, and may be over the next time


def _written(frames: np.ndarray, out: IO[bytes]) -> tuple[int, ...]:
    out.write(np.ascontiguousarray(frames).data)
    return frames.shape


def _clip_name(number: int) -> str:
    return f"clip{number}"


def _write_thumb(thumb: bytes, folder: Path, name: str) -> None:
    path = folder / "thumbs" / f"{shards.id_of(name)}.jpg"
    try:
        path.write_bytes(thumb)
    except OSError as error:
        raise shards.unwritable(path, error) from None


def _windows(entry: sources.Found, settings: Settings, seconds: float) -> Iterator[tuple[float, np.ndarray]]:
    """(start in seconds, (T, H, W, 3)) of the clips of a source: at the start of shots, and at intervals within."""
    apart = seconds / settings.most  # at least, so that a long source gives clips from all of its length
    detector, held, begun, last = CutDetector(), list[np.ndarray](), 0.0, -math.inf
    for moment, pixels in sources.pictures(entry):
        at, new_shot = float(moment), detector.begins_shot(pixels)
        if held and (new_shot or len(held) == settings.frames):
            yield begun, np.stack(held)
            held = []
        if not held and at - last >= (apart if new_shot else max(settings.spacing, apart)):
            begun = last = at
            held.append(pixels)
        elif held:
            held.append(pixels)
    if held:
        yield begun, np.stack(held)


def _judged(
    frames: np.ndarray, start: float, settings: Settings, entry: sources.Found, length: sources.Length
) -> tuple[shards.Clip, np.ndarray]:
    """The verdict on a clip, and what is left of its frames when bars and repeats are gone."""
    remarks, faults, original = [], [], frames
    x, y, width, height = judging.picture_area(frames)
    if (height, width) != frames.shape[1:3]:
        remarks.append(f"bars cut off: {width}x{height} of {frames.shape[2]}x{frames.shape[1]}")
        frames = frames[:, y : y + height, x : x + width]
    if len(frames) > 1:
        fresh = judging.fresh(frames)
        if repeats := int((~fresh).sum()):
            remarks.append(f"{repeats} repeated frames left out")
        frames = frames[fresh]
        if len(frames) < settings.min_frames:
            reason = "frozen" if repeats > len(frames) else "too short"
            detail = f"{len(frames)} different frames of {len(fresh)}, {settings.min_frames} are needed"
            faults.append(judging.Fault(reason, detail))
    elif entry.kind != "photo":
        faults.append(judging.Fault("too short", "a single frame"))
    if min(frames.shape[1:3]) < settings.min_side:
        size = f"{frames.shape[2]}x{frames.shape[1]}"
        faults.append(judging.Fault("too small", f"{size}, {settings.min_side} pixels are needed"))
    if not faults:
        # A photo has as many bits as it has: what is too few depends on its codec.
        pixels = frames[0, ..., 0].size * length.frames
        bits = 8 * entry.size / pixels if entry.kind == "video" and length.seconds >= 1 else None
        faults = judging.faults(frames, bits_per_pixel=bits)
        if [fault.reason for fault in faults] == [judging.SOFT]:
            smaller = _halved(frames)
            if min(smaller.shape[1:3]) >= settings.min_side and not judging.faults(smaller):
                remarks.append("made half as large: it has no finer detail")
                frames, faults = smaller, []
    if settings.keep_all and faults:
        remarks = [f"{fault.reason}: kept all the same" for fault in faults]  # what was cut off is back
        frames, faults = original, []
    looks = frames[:: max(1, len(frames) // 2)][:2]
    clip = shards.Clip(
        start=round(start, 3),
        shape=frames.shape,
        faults=[(fault.reason, fault.detail) for fault in faults],
        remarks=remarks,
        prints=[alike.fingerprint(look) for look in looks],
    )
    return clip, frames


def _halved(frames: np.ndarray) -> np.ndarray:
    height, width = (side // 2 * 2 for side in frames.shape[1:3])
    whole = torch.from_numpy(frames[:, :height, :width]).permute(0, 3, 1, 2)
    parts = [
        F.interpolate(part.float(), scale_factor=0.5, mode="bicubic", antialias=True)
        for part in whole.split(1)
    ]
    return torch.cat(parts).clamp(0, 255).round().byte().permute(0, 2, 3, 1).contiguous().numpy()


def _thumb(pixels: np.ndarray) -> bytes:
    picture = torch.from_numpy(pixels).permute(2, 0, 1)[None].float()
    height, width = pixels.shape[:2]
    scale = min(1.0, THUMB / max(height, width))
    size = [max(2, round(side * scale / 2) * 2) for side in (height, width)]
    small = F.interpolate(picture, size=size, mode="bilinear", antialias=True)
    return jpeg_bytes(small[0].permute(1, 2, 0).clamp(0, 255).round().byte().numpy())


def _group(
    index: shards.Index,
    shares: tuple[float, float],
    table: Mapping[str, str],
    before: Mapping[str, alike.Split],
    *,
    keep_copies: bool,
) -> None:
    """Give every source its group and its side, and find the copies."""
    prints = {
        name: [mark for clip in entry.clips if clip.kept for mark in clip.prints]
        for name, entry in index.entries.items()
    }
    named = {name: table[key] for name in index.entries for key in _keys(name) if key in table}
    groups = alike.groups(list(index.entries), fingerprints=prints, table=named)
    # The better of two copies has the larger frames, and of equal ones the more bytes.
    weights = {
        name: (float(max((math.prod(clip.shape[1:]) for clip in entry.clips), default=0)), float(entry.size))
        for name, entry in index.entries.items()
    }
    copies = alike.copies(prints, weights)
    for name, entry in index.entries.items():
        entry.group = groups[name]
        entry.copy_of = "" if keep_copies else copies.get(name, "")
    footage = {
        name: sum(frames for frames, *_ in (entry.clips[number].shape for number in entry.kept) if frames > 1)
        for name, entry in index.entries.items()
    }
    side_of = sides(groups, footage=footage, before=before, shares=shares)
    for entry in index.entries.values():
        entry.split = side_of[entry.group]


def _tidy(index: shards.Index, folder: Path) -> None:
    """Take away the clips of sources that are gone."""
    ids = {shards.id_of(name) for name in index.entries}
    for part in ("clips", "thumbs"):
        for file in (folder / part).iterdir():
            if file.stem not in ids:
                file.unlink()
