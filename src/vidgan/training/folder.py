"""The folder of a run: its recipe is written whole, and what cannot be written is told in a user's words."""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from vidgan import disk, lock, runs
from vidgan.errors import BadOutput
from vidgan.recipe import Recipe, anchored, to_toml

LOCK = ".training.lock"
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
# Of a place that is a file, or inside of one, or not ours to write to.
UNFIT = {
    *(errno.EACCES, errno.EEXIST, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG),
    *(errno.ENOENT, errno.ENOTDIR, errno.EPERM, errno.EROFS),
}


@contextlib.contextmanager
def writable(folder: Path) -> Iterator[None]:
    """See whether the folder can be there, then write into it. Raises BadOutput: that is the user's to mend."""
    try:
        nearest = next(place for place in (folder, *folder.absolute().parents) if place.exists())
        if not nearest.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(nearest))
        if not os.access(nearest, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(nearest))
        yield
    except OSError as error:
        if error.errno in FULL:
            # The last state is whole, since each is written beside it first.
            remedy = (
                "Make room and give the same command again: it goes on from the last state that was saved."
            )
        elif error.errno in UNFIT and _concerns(error, folder):
            remedy = "Name another folder with --out, or mend this one."
        else:
            raise
        raise BadOutput(f"{folder} cannot be written to: {error.strerror}", remedy) from None


def _concerns(error: OSError, folder: Path) -> bool:
    """Whether it is about the folder, what it holds or what holds it; not about a video that went away."""
    if not isinstance(error.filename, str | Path):
        return False
    place, folder = Path(error.filename).absolute(), folder.absolute()
    return place.is_relative_to(folder) or folder.is_relative_to(place)


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """No other process trains into it meanwhile; a new folder goes again where nothing came of it.

    Raises BadOutput where another one does, or the folder cannot be written.
    """
    is_new = not folder.exists()
    with writable(folder):
        folder.mkdir(parents=True, exist_ok=True)
        held = lock.take(folder / LOCK)
    if held is None:
        raise BadOutput(
            f"another process trains into {folder}", "Wait for it, or name another folder with --out."
        )
    try:
        yield
    finally:
        lock.leave(held, folder / LOCK)
        if is_new:
            with contextlib.suppress(OSError):
                folder.rmdir()  # where it is empty


def write_recipe(recipe: Recipe, folder: Path) -> None:
    """What was played, so that the file plays it again from wherever it is started; the old file or the new, whole."""
    with disk.replacing(folder / runs.RECIPE) as partial:
        partial.write_text(to_toml(anchored(recipe, folder)), encoding="utf-8")
