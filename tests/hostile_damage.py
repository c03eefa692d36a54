"""What is done to a whole file: bits flipped, cut, spliced, and numbers at the edge of what a field holds."""

import re
from collections.abc import Callable

import numpy as np

NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x7FFFFFFFFFFFFFFF)
WORDS = (
    b"-1", b"0", b"3", b"17", b"4096", b"1000000", b"9999999999", b"9" * 25, b"9" * 5000, b"1e400", b"nan", b"2.5",
    b"[" * 3000, b'"x"', b"[]", b"{}", b"true", b"a.b." * 3000, b"\x1b[2J", b"\\u001b[2J",
)  # fmt: skip


def _somewhere(data: bytes, rng: np.random.Generator) -> int:
    """Headers are met as often as all the rest."""
    length = max(len(data), 1)
    return int(rng.integers(length if rng.random() < 0.5 else min(length, 600)))


def flip(data: bytes, other: bytes, rng: np.random.Generator) -> bytes:
    changed = bytearray(data)
    for _ in range(int(rng.integers(1, 17)) if changed else 0):
        changed[_somewhere(data, rng)] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def truncate(data: bytes, other: bytes, rng: np.random.Generator) -> bytes:
    return data[: _somewhere(data, rng)]


def splice(data: bytes, other: bytes, rng: np.random.Generator) -> bytes:
    """The head of another file on the rest of this one."""
    return other[: _somewhere(other, rng)] + data[_somewhere(data, rng) :]


def overwrite(data: bytes, other: bytes, rng: np.random.Generator) -> bytes:
    """A number at the edge of what a field holds."""
    at, size = _somewhere(data, rng), int(rng.choice([1, 2, 4, 8]))
    number = NUMBERS[rng.integers(len(NUMBERS))] & (256**size - 1)
    written = number.to_bytes(size, "big" if rng.random() < 0.5 else "little")
    return data[:at] + written + data[at + size :]


def delete(data: bytes, other: bytes, rng: np.random.Generator) -> bytes:
    at = _somewhere(data, rng)
    return data[:at] + data[at + int(rng.integers(1, 200)) :]


def repeat(data: bytes, other: bytes, rng: np.random.Generator) -> bytes:
    at = _somewhere(data, rng)
    part = data[at : at + int(rng.integers(1, 400))]
    return data[:at] + part * int(rng.integers(2, 60)) + data[at:]


def renumber(data: bytes, other: bytes, rng: np.random.Generator) -> bytes:
    """Another number, or something else, in the place of one that is written in digits."""
    places = [found.span() for found in re.finditer(rb"\d+", data[:4000])]
    if not places:
        return data
    begin, end = places[rng.integers(len(places))]
    told = WORDS[rng.integers(len(WORDS))]
    changed = data[:begin] + told + data[end:]
    length = int.from_bytes(data[:8], "little")
    if data[8:9] == b"{" and begin >= 8:  # safetensors: the length of the header stands before it
        changed = (length + len(told) - (end - begin)).to_bytes(8, "little") + changed[8:]
    return changed


DAMAGES: tuple[Callable[[bytes, bytes, np.random.Generator], bytes], ...] = (
    flip, flip, truncate, splice, overwrite, overwrite, delete, repeat,
)  # fmt: skip
