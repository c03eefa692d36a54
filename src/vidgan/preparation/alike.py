"""Which files belong together, so that no scene stands on both sides of a split.

Three things join files into a group: a table that the user wrote, a name that differs only behind its last
underscore, and pictures that are nearly the same. A group goes to one side of the split as a whole, first by the
hash of its name; sides.py keeps it there.

Source of the fingerprint: the perceptual hash of Zauner 2010, signs of the lowest cosine coefficients.
"""

import csv
import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np

from vidgan.errors import VidganError

Split = Literal["train", "val", "test"]

SIDE = 32  # the picture is brought to this side before its cosines are taken
KEPT = 8  # lowest frequencies each way: 64 signs
NEAR = 6  # of the 64 signs, the most that differ between two pictures of the same scene
COPY = 2  # the most that differ between copies of one frame: a still camera shows one scene for hours
PLAIN = 4.0  # code values: a picture that varies less than this has no fingerprint
BANDS = 8  # of 8 bits: two fingerprints 6 signs apart share at least two of them
# What cameras and scrapers call everything: such a prefix says nothing about the scene.
COUNTED = re.compile(r"(?i)^(img|dsc[fn]?|pxl|mvi|vid|gopr|gx\d*|pic|photo|image|video|clip|frame|scan)$")


def fingerprint(pixels_HWC: np.ndarray) -> int:
    """64 signs that survive scaling, compression and small changes of colour; 0 for a picture without content.

    pixels  (H, W, 3) uint8
    """
    grey = _shrunken(pixels_HWC)
    if grey.std() < PLAIN:
        return 0
    low = _cosines()[:KEPT] @ grey @ _cosines()[:KEPT].T
    flat = low.ravel()
    signs = flat > np.median(flat[1:])  # without the mean, which is brightness alone
    return int("".join("1" if sign else "0" for sign in signs), 2)


def distance(ours: int, theirs: int) -> int:
    """How many of the 64 signs differ."""
    return (ours ^ theirs).bit_count()


def group_by_name(names: Sequence[str]) -> dict[str, str]:
    """Name -> the part of its path before the last underscore, or all of it without the suffix.

    names  relative paths with forward slashes
    A word that cameras put before every number (IMG_0001, DSC_0002) is no scene: such files stand alone.
    """
    groups = {}
    for name in names:
        path = PurePosixPath(name)
        prefix, underscore, _ = path.stem.rpartition("_")
        telling = underscore and prefix and not COUNTED.match(prefix)
        groups[name] = (path.parent / (prefix if telling else path.stem)).as_posix()
    return groups


def groups(
    names: Sequence[str],
    *,
    fingerprints: Mapping[str, Sequence[int]],
    table: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Name -> the group that it belongs to: the smallest of the names of everything that was joined.

    fingerprints  of each file's sampled pictures; a file without any is joined by name alone
    table         file -> group, as the user has it; it wins over the name rule for the files in it
    """
    table = table or {}
    by_name = group_by_name(names)
    own = {name: table.get(name, by_name[name]) for name in names}
    leader = {group: group for group in own.values()}

    def root(group: str) -> str:
        while leader[group] != group:
            leader[group] = leader[leader[group]]
            group = leader[group]
        return group

    for ours, theirs in near_duplicates(fingerprints):
        if ours in own and theirs in own:
            first, second = sorted((root(own[ours]), root(own[theirs])))
            leader[second] = first
    return {name: root(own[name]) for name in names}


def copies(
    fingerprints: Mapping[str, Sequence[int]], weights: Mapping[str, tuple[float, ...]]
) -> dict[str, str]:
    """Name of a copy -> the better file that is kept instead: it shows everything that the copy shows.

    weights  name -> what decides which of two files is better, compared in order: pixels first; larger is better
    """
    matched: dict[tuple[str, str], None] = {}
    for ours, theirs in near_duplicates(fingerprints):
        matched[ours, theirs] = matched[theirs, ours] = None
    found: dict[str, str] = {}
    for copy, original in matched:
        if original in found or copy in found:
            continue
        worse = (weights[copy], original) < (weights[original], copy)  # of two equals the first name stays
        marks = [mark for mark in fingerprints[copy] if mark]
        if worse and all(
            any(distance(mark, other) <= COPY for other in fingerprints[original] if other) for mark in marks
        ):
            found[copy] = original
    return found


def near_duplicates(fingerprints: Mapping[str, Sequence[int]]) -> Iterable[tuple[str, str]]:
    """Pairs of files that share nearly the same picture; only fingerprints with two equal bands are compared."""
    entries = [(name, mark) for name in sorted(fingerprints) for mark in fingerprints[name] if mark]
    shelves: dict[tuple[int, int, int, int], list[int]] = defaultdict(list)
    for index, (_, mark) in enumerate(entries):
        bands = mark.to_bytes(8, "big")
        for first in range(BANDS):
            for second in range(first + 1, BANDS):
                shelves[first, second, bands[first], bands[second]].append(index)
    seen: set[tuple[str, str]] = set()
    for shelf in shelves.values():
        for place, ours in enumerate(shelf):
            for theirs in shelf[
                place + 1 : place + 1 + 64
            ]:  # a shelf of many is one scene, or is no evidence
                (name, mark), (other, other_mark) = entries[ours], entries[theirs]
                if name != other and (name, other) not in seen and distance(mark, other_mark) <= NEAR:
                    seen.add((name, other))
                    yield name, other


def split_of(group: str, *, shares: tuple[float, float] = (0.1, 0.05)) -> Split:
    """The side of a group, by the hash of its name: the same today and after a thousand files more.

    shares  of validation and of test
    """
    number = number_of(group)
    val, test = shares
    return "val" if number < val else "test" if number < val + test else "train"


def number_of(group: str) -> float:
    """A number in [0, 1) that belongs to this name everywhere and for ever."""
    return int.from_bytes(hashlib.sha256(group.encode("utf-8", "surrogatepass")).digest()[:8], "big") / 2**64


def read_groups(path: Path) -> dict[str, str]:
    """A table of `file,group` lines; a first line with just these words is a heading. Raises VidganError."""
    try:
        rows = list(csv.reader(path.read_text(encoding="utf-8-sig").splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise VidganError(
            f"{path} cannot be read as a table: {error}", "Write lines of file,group."
        ) from None
    table: dict[str, str] = {}
    for number, row in enumerate(rows, start=1):
        cells = [cell.strip() for cell in row]
        if not any(cells) or (number == 1 and [cell.lower() for cell in cells] == ["file", "group"]):
            continue
        if len(cells) != 2 or not all(cells):
            raise VidganError(
                f"line {number} of {path} is {','.join(row)!r}, not a file and its group",
                "Write lines of file,group.",
            )
        table[cells[0]] = cells[1]
    return table


def _shrunken(pixels: np.ndarray) -> np.ndarray:
    """(H, W, 3) -> (SIDE, SIDE) luma in code values, each the mean of its own area."""
    grey = pixels @ np.array([0.299, 0.587, 0.114], np.float32)
    for axis in (0, 1):
        edges = np.linspace(0, grey.shape[axis], SIDE + 1)
        total = np.concatenate([np.zeros_like(grey.take([0], axis)), grey.cumsum(axis, np.float64)], axis)
        whole = np.minimum(edges.astype(int), grey.shape[axis] - 1)
        part = np.expand_dims(edges - whole, 1 - axis)
        at = total.take(whole, axis) + part * grey.take(whole, axis)
        grey = np.diff(at, axis=axis) / (grey.shape[axis] / SIDE)
    return grey


def _cosines() -> np.ndarray:
    """(SIDE, SIDE) the cosine transform's rows, orthonormal."""
    k, n = np.arange(SIDE)[:, None], np.arange(SIDE)[None]
    rows = np.cos(np.pi * k * (2 * n + 1) / (2 * SIDE)) * np.sqrt(2 / SIDE)
    rows[0] /= np.sqrt(2)
    return rows
