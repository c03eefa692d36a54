"""One process at a time in a place. The lock ends with its process, however that ends."""

import errno
import os
from contextlib import suppress
from pathlib import Path
from typing import IO
from weakref import WeakSet

# Errors of file systems without locks, as on some clusters: there the user must see that only one process runs.
WITHOUT = {errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK}
_held: WeakSet[IO[bytes]] = WeakSet()


def take(path: Path) -> IO[bytes] | None:
    """The lock's file, which holds it until it is closed; None where another process has it, or just ended with it.

    Raises OSError where the file cannot be made.
    """
    file = path.open("ab")
    try:
        _lock(file)
    except OSError as error:
        if error.errno not in WITHOUT:
            file.close()
            return None
    if not _is_at(file, path):  # whoever held it may just have taken the folder away
        file.close()
        return None
    _held.add(file)
    return file


def leave(file: IO[bytes], path: Path) -> None:
    """Let the lock go, and take its file away if it is still there: another's of that name stays."""
    with file, suppress(OSError):
        if not _is_at(file, path):
            return
        try:
            path.unlink()
        except PermissionError:  # Windows takes no open file away
            file.close()
            path.unlink()  # unless another has opened it meanwhile


def _is_at(file: IO[bytes], path: Path) -> bool:
    return path.exists() and os.path.samestat(os.fstat(file.fileno()), path.stat())


def _lock(file: IO[bytes]) -> None:
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        return
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _let_go() -> None:
    """A loading process that outlives a killed training by a second must not hold its lock."""
    for file in list(_held):
        file.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)
