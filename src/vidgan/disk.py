"""Files: written whole or not at all, known by their bytes, kept for the next time."""

import hashlib
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from zlib import crc32


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A name beside `path` to write to; it becomes `path` when the block ends well, and is gone when it does not.

    A kill or a power cut leaves the old file or the new one, whole, and at most a hidden rest that the next writing
    replaces. For one writer at a time. Raises OSError where the file cannot get its name.
    """
    partial = path.with_name(f".{short(path.name)}.partial")
    try:
        yield partial
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def try_to_write(folder: Path) -> None:
    """Raises OSError where no file can be made in a folder: before hours of work, not after."""
    with tempfile.TemporaryFile(dir=folder):
        pass


def short(name: str) -> str:
    """At most 40 letters, for names near the system's limit; names that differ stay different."""
    return name if len(name) <= 40 else f"{name[:31]}-{crc32(os.fsencode(name)):08x}"


def sha256(path: Path) -> str:
    """Of a file's bytes, in hexadecimal. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def cache() -> Path:
    """Where to keep what can be fetched or found again: $VIDGAN_CACHE, else as the system has it."""
    if named := os.environ.get("VIDGAN_CACHE"):
        return Path(named)
    if sys.platform == "darwin":
        place = Path.home() / "Library" / "Caches"
    elif sys.platform == "win32":
        place = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    else:
        place = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return place / "vidgan"
