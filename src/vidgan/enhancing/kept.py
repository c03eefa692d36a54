"""What is kept of an output in the making: a hidden folder beside it, from which the same command goes on.

    .OUTPUT.vidgan/
        journal          the settings, then a line for every closed segment; a torn last line counts for nothing
        000000.output    its packets; 000000.trust those of the trust map
        000000.memory    what the networks remember at its end
        whole.mp4        the output while it is joined
        lock             held by the run that is at work

A line is written when what it tells of is safe on the disk.
"""

import hashlib
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO
from zlib import crc32

from pydantic import BaseModel, ConfigDict, ValidationError

from vidgan import disk, hardware, lock
from vidgan.errors import BadOutput, VidganError

JOURNAL, LOCK = "journal", "lock"
# Memories that are kept, should some be damaged: of the newest segments, of one in EVERY, of those behind the newest
# EVERY ** 2 of one in so many, and so on. So a long film has a few dozen; what must be made again because one of them
# is missing is no more than what has to be in any case, or EVERY segments.
NEWEST, EVERY = 2, 8
_PIECES, _PIECE = 64, 64 * 1024  # of a large file that is recognised


class Line(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Begun(Line):
    """The first line: what the output is made from and how, in the user's words."""

    settings: dict[str, str]


class Segment(Line):
    """A closed stretch of frames. The lists have an entry for each, but for what was not asked for."""

    files: dict[str, str]  # of each output, its SHA-256
    memory: str | None  # its SHA-256; None at the end of the film, where nothing comes after
    elapsed_seconds: float
    seen: list[tuple[int, int]]  # the last frames of the source: times and checksums
    pts: list[int]
    began_shot: list[bool]
    repeats: list[bool] = []
    consistency: list[float]
    invented: list[float]


class Kept:
    """The folder of one output, for one run at a time. A context manager.

    output      as it will be called
    settings    must be unchanged for a later run to resume
    start_over  discard whatever is there
    say         is told what a run resumes from, or what is lost
    Raises BadOutput where another run is at work, or the output was begun with other settings.
    When the block ends in an error, the closed segments stay; with none, or after `done`, the folder is removed.
    """

    def __init__(
        self, output: Path, settings: dict[str, str], *, start_over: bool, say: Callable[[str], None]
    ) -> None:
        self.output, self.folder = output, folder_for(output)
        self.segments: list[Segment] = []
        self.how = "the same command"  # goes on where an error ends the block
        self._settings, self._start_over, self._say = settings, start_over, say
        self._lock: IO[bytes] | None = None
        self._is_done = False

    @property
    def num_frames(self) -> int:
        return sum(len(segment.pts) for segment in self.segments)

    @property
    def has_ended(self) -> bool:
        """Whether the last segment is the film's last."""
        return bool(self.segments) and self.segments[-1].memory is None

    def place(self, number: int, kind: str) -> Path:
        return self.folder / f"{number:06}.{kind}"

    def __enter__(self) -> "Kept":
        is_new = not self.folder.exists()
        try:
            self.folder.mkdir(exist_ok=True)
            try:
                self._lock = _locked(self.folder / LOCK, self.output)
                self._open()
            except BaseException as error:  # also a signal
                if is_new and not isinstance(error, BadOutput):  # which says that it is another run's
                    self._take_away()
                elif self._lock is not None:
                    self._lock.close()
                raise
        except OSError as error:
            raise self.failed(error) from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._lock is not None
        stays = bool(self.segments) and not self._is_done and (self.folder / JOURNAL).exists()
        if stays:
            self._lock.close()
        else:
            self._take_away()
        if not self.segments and isinstance(error, KeyboardInterrupt | SystemExit):
            self._say("stopped before the first segment was whole: nothing is kept")
        if not stays or error is None:
            return
        told = f"{self.num_frames} frames are kept in {self.folder}"
        if not isinstance(error, VidganError):
            self._say(f"{told}: {self.how} goes on, and --start-over begins again")
        elif "--start-over" in error.remedy:  # the same command would end in the same way
            error.remedy = f"{error.remedy} {told}."
        else:
            error.remedy = f"{error.remedy} {told}: {self.how} goes on.".strip()

    def _take_away(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        if self._lock is not None:  # Windows has left its file, which was still open
            lock.leave(self._lock, self.folder / LOCK)
            with suppress(OSError):
                self.folder.rmdir()

    def done(self) -> None:
        """The output has its name: nothing needs to be kept when the block ends."""
        self._is_done = True

    def check_there(self) -> None:
        """Raise BadOutput where the folder has gone, before anything makes a new one of that name."""
        if not (self.folder / JOURNAL).is_file():
            raise self.failed(FileNotFoundError())

    def append(self, segment: Segment) -> None:
        """Note a segment whose files are whole."""
        try:
            _sync_folder(self.folder)
            with (self.folder / JOURNAL).open("rb+") as journal:  # which makes no new one
                journal.seek(0, os.SEEK_END)
                journal.write(_line(segment))
                journal.flush()
                os.fsync(journal.fileno())
        except OSError as error:
            raise self.failed(error) from None
        self.segments.append(segment)
        self._forget()

    def _forget(self) -> None:
        """Take away the memories that are now too old to be kept."""
        age, apart = NEWEST, EVERY
        while (number := len(self.segments) - age) > 0:  # from 1
            if number % apart:
                self.place(number - 1, "memory").unlink(missing_ok=True)
            age = apart = apart * EVERY

    def _open(self) -> None:
        begun, segments = _read(self.folder / JOURNAL)
        if begun is not None and segments and not self._start_over:
            self._check(begun, sum(len(segment.pts) for segment in segments))
            self.segments = segments[: self._num_whole(segments)]
            if self.segments:
                self._say(f"going on after {self.num_frames} frames, which are kept in {self.folder}")
        self._begin_anew()

    def _check(self, begun: Begun, num_frames: int) -> None:
        old, new = begun.settings, self._settings
        changed = [key for key in {**old, **new} if old.get(key) != new.get(key)]
        if changed:
            told = ", ".join(_difference(key, old.get(key), new.get(key)) for key in changed[:4])
            raise BadOutput(
                f"{self.output} was begun otherwise: {told}",
                f"Run the command as it was to go on, or add --start-over to throw its {num_frames} frames away.",
            )

    def _num_whole(self, segments: list[Segment]) -> int:
        """How many, from the first on, can be gone on from."""
        num = 0
        for segment in segments:
            if not all(_has(self.place(num, kind), digest) for kind, digest in segment.files.items()):
                break
            num += 1
        if num == len(segments) and segments[-1].memory is None:
            return num
        while num and not _has(self.place(num - 1, "memory"), segments[num - 1].memory):
            num -= 1
        if num < len(segments):
            self._say(
                f"segment {num + 1} of {len(segments)} is damaged: it is made again, with those after it"
            )
        return num

    def _begin_anew(self) -> None:
        """The journal with the segments that count, and no other file."""
        fresh = self.folder / f"{JOURNAL}.new"
        with fresh.open("wb") as journal:
            journal.write(b"".join(map(_line, (Begun(settings=self._settings), *self.segments))))
            journal.flush()
            os.fsync(journal.fileno())
        fresh.replace(self.folder / JOURNAL)
        counts = {self.folder / JOURNAL, self.folder / LOCK}
        for number, segment in enumerate(self.segments):
            counts |= {self.place(number, kind) for kind in (*segment.files, "memory")}
        for path in set(self.folder.iterdir()) - counts:
            path.unlink()
        _sync_folder(self.folder)

    def failed(self, error: OSError) -> BadOutput:
        if isinstance(error, FileNotFoundError):
            return BadOutput(
                f"{self.output} could not be written: {self.folder}, where its parts are kept, is gone",
                "Put the folder back, or begin again.",
            )
        return BadOutput(
            f"nothing can be kept in {self.folder}: {error.strerror or error}", "Check the space on the disk."
        )


def folder_for(output: Path) -> Path:
    return output.with_name(f".{disk.short(output.name)}.vidgan")


def begun_with(output: Path) -> dict[str, str]:
    """The settings of what is kept of an output; none where nothing is."""
    begun, segments = _read(folder_for(output) / JOURNAL)
    return begun.settings if begun is not None and segments else {}


def fingerprint(path: Path) -> str:
    """By which a file is recognised: its size, and a hash over all of it or, where it is large, over pieces of it."""
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as file:
        if size <= _PIECES * _PIECE:
            digest.update(file.read())
        else:
            for number in range(_PIECES):
                file.seek(number * (size - _PIECE) // (_PIECES - 1))
                digest.update(file.read(_PIECE))
    return digest.hexdigest()


def _line(line: Line) -> bytes:
    text = line.model_dump_json().encode()
    return b"%08x %s\n" % (crc32(text), text)


def _read(path: Path) -> tuple[Begun | None, list[Segment]]:
    """The settings and the segments up to the first line that is torn or damaged."""
    begun: Begun | None = None
    segments: list[Segment] = []
    try:
        for line in path.read_bytes().splitlines(keepends=True):
            checksum, _, text = line.rstrip(b"\n").partition(b" ")
            if not line.endswith(b"\n") or checksum != b"%08x" % crc32(text):
                break
            if begun is None:
                begun = Begun.model_validate_json(text)
            else:
                segments.append(Segment.model_validate_json(text))
    except (FileNotFoundError, ValidationError):  # another version's lines tell us nothing
        pass
    return begun, segments


def _has(path: Path, digest: str | None) -> bool:
    return digest is not None and path.is_file() and disk.sha256(path) == digest


def _difference(key: str, old: str | None, new: str | None) -> str:
    if old is None or new is None:
        return f"{'without' if old is None else 'with'} {key}"
    if len(old) == 64:
        return f"{key} is another"
    return f"{key} was {hardware.word_of(old)}, not {hardware.word_of(new)}"


def _sync_folder(folder: Path) -> None:
    with suppress(OSError):  # Windows opens no folders
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def _locked(path: Path, output: Path) -> IO[bytes]:
    if (file := lock.take(path)) is None:
        raise BadOutput(
            f"another vidgan is making {output}", "Wait for it, or choose another name for this one."
        )
    return file
