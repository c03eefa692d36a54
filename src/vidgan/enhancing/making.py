"""Frames into closed segments, and these into the output: stopped anywhere, the same command goes on.

Three threads overlap: one decodes, one runs the network and renders, one encodes. An uninterrupted run goes the same
way as a resumed one, so that both give the same frames.
"""

import time
from array import array
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace

from vidgan import pipeline, video
from vidgan.enhancing import memory
from vidgan.enhancing.job import Job, state_of
from vidgan.enhancing.kept import Kept, Segment
from vidgan.enhancing.telling import Written, recalled
from vidgan.errors import BadVideo
from vidgan.frame import Frame
from vidgan.interrupt import Asked, remembered
from vidgan.progress import Tick
from vidgan.shots import CutDetector
from vidgan.video import Seen, SegmentWriter
from vidgan.words import amount

# So many are made again at most after a kill. The key frame of each segment makes the file about 5 % larger than one
# segment would be; at half the length it is 8 to 11 % (docs/reliability.md).
SEGMENT_FRAMES = 96
NUM_SEEN = 8  # frames of the source by which a later run finds its place
KINDS = ("output", "trust")

# Decoded frames, what is known of those made so far, the cuts seen so far -> the frames of each output, in turn.
Enhance = Callable[[Iterator[Frame], Written, CutDetector], Iterator[list[Frame]]]


@dataclass(frozen=True, kw_only=True)
class _End:
    """Of a segment: what goes into the journal beside its checksums, but its files."""

    memory: memory.Memory | None
    rows: slice
    seen: list[Seen]


def make(job: Job, kept: Kept, enhance: Enhance, tick: Tick) -> Written:
    """Make what is missing of the output, then the output itself, under its name.

    A first Ctrl-C or polite kill is answered when the frame at work is done; the closed segments are kept.
    """
    written, asked = recalled(kept), Asked()
    with remembered(asked):
        for kind, writer in zip(KINDS, job.writers, strict=False):
            writer.rehearse(kept.place(0, kind) if kept.segments else None)
        if not kept.has_ended:
            written = _make_segments(job, kept, enhance, written, tick, asked)
        _check_source(job)
        started = time.monotonic()
        _join(job, kept, written, asked)
    return replace(written, joining_seconds=time.monotonic() - started)


def _make_segments(
    job: Job, kept: Kept, enhance: Enhance, written: Written, tick: Tick, asked: Asked
) -> Written:
    cuts, seen = CutDetector(), deque[Seen](maxlen=NUM_SEEN)
    networks = [job.upscaler, *([] if job.trust is None else [job.trust.twin])]
    if kept.segments:
        memory.restore(kept.place(len(kept.segments) - 1, "memory"), networks, cuts)
        seen.extend(Seen(*frame) for frame in kept.segments[-1].seen)
    segments = _Segments(job, kept, written)
    first_frame_at, begin = None, written.num_kept
    failure: BaseException | None = None
    try:
        with (
            pipeline.ahead(_frames(job, list(seen)), depth=job.budget.between) as decoded,
            pipeline.behind(segments.take, depth=job.budget.between) as hand_over,
        ):
            try:
                for made in enhance(_watched(decoded, seen), written, cuts):
                    count = len(written.pts)
                    is_last = count - begin == SEGMENT_FRAMES
                    remembers = memory.remembered(networks, cuts) if is_last else None
                    end = _End(memory=remembers, rows=slice(begin, count), seen=list(seen))
                    begin = count if is_last else begin
                    hand_over((made, end if is_last else None))
                    first_frame_at = first_frame_at or time.monotonic()
                    _tell(job, written, first_frame_at, tick)
                    asked.leave()
            # Kept until what is on its way is written: a segment may end with it.
            except BaseException as error:
                failure = error
        if failure is not None:
            raise failure
        if begin < len(written.pts):
            segments.close(_End(memory=None, rows=slice(begin, len(written.pts)), seen=[]))
    finally:
        segments.discard()
    return replace(written, first_frame_at=first_frame_at)


def _tell(job: Job, written: Written, first_frame_at: float, tick: Tick) -> None:
    """How far it is."""
    length = job.source.seconds_of(job.options.start, job.options.duration)
    done = float((written.pts[-1] - written.pts[0]) * job.source.time_base)
    elapsed = time.monotonic() - first_frame_at
    rate = (len(written.pts) - written.num_kept - 1) / elapsed if elapsed > 0 else 0.0
    note = f"{amount(len(written.pts), 'frame')}, {rate:.1f} a second"
    tick(min(done, length) if length else done, length, note)


def _frames(job: Job, seen: list[Seen]) -> Iterator[Frame]:
    options, threads = job.options, job.budget.decoding_threads
    part = {"start": options.start, "duration": options.duration, "threads": threads}
    if not seen:
        return video.read(job.source, say=job.say, **part)  # type: ignore[arg-type]
    return video.read_after(job.source, seen, say=job.say, **part)  # type: ignore[arg-type]


def _watched(frames: Iterator[Frame], seen: deque[Seen]) -> Iterator[Frame]:
    """The same frames; those by which a later run finds its place are noted."""
    for number, frame in enumerate(frames):
        if number % SEGMENT_FRAMES >= SEGMENT_FRAMES - NUM_SEEN:
            seen.append(Seen.of(frame.pixels, frame.pts))
        yield frame


class _Segments:
    """Frames on their way into the segments that are missing: the last thread's work."""

    def __init__(self, job: Job, kept: Kept, written: Written) -> None:
        self._job, self._kept, self._written = job, kept, written
        self._pictures = [writer.pictures() for writer in job.writers]
        self._open: dict[str, SegmentWriter] = {}
        self._started = time.monotonic()

    def take(self, item: tuple[list[Frame], _End | None]) -> None:
        made, end = item
        if not self._open:
            self._begin(made[0])
        for segment, frame in zip(self._open.values(), made, strict=True):
            segment.write(frame)
        if end is not None:
            self.close(end)

    def close(self, end: _End) -> None:
        """Make the segment that is open safe, then note it."""
        files = {kind: segment.close() for kind, segment in self._open.items()}
        number, written = len(self._kept.segments), self._written
        self._kept.check_there()
        try:
            path = self._kept.place(number, "memory")
            digest = None if end.memory is None else memory.save(end.memory, path)
        except OSError as error:
            raise self._kept.failed(error) from None
        now = time.monotonic()
        segment = Segment(
            files=files,
            memory=digest,
            elapsed_seconds=now - self._started,
            seen=[tuple(frame) for frame in end.seen],
            pts=written.pts[end.rows],
            began_shot=written.began_shot[end.rows],
            repeats=written.repeats[end.rows],
            consistency=written.consistency[end.rows],
            invented=written.invented[end.rows],
        )
        _check_source(self._job)
        self._kept.append(segment)
        self._open, self._started = {}, now

    def discard(self) -> None:
        """Take away what is not whole."""
        for segment in self._open.values():
            segment.discard()

    def _begin(self, frame: Frame) -> None:
        number = len(self._kept.segments)
        for kind, pictures in zip(KINDS, self._pictures, strict=False):
            pictures.begin(self._written.pts[0] * frame.time_base)
            self._open[kind] = SegmentWriter(self._kept.place(number, kind), pictures)


def _check_source(job: Job) -> None:
    """Raise BadVideo where the source's file is no longer what it was: frames would be of two videos."""
    path = job.options.input
    if state_of(path) != job.state:
        raise BadVideo(f"{path} was changed while it was read", "Put it back as it was.")


def _join(job: Job, kept: Kept, written: Written, asked: Asked) -> None:
    times = array("q", written.pts)
    with ExitStack() as files:
        for kind, writer in zip(KINDS, job.writers, strict=False):
            files.enter_context(writer)
            places = [kept.place(number, kind) for number in range(len(kept.segments))]
            writer.join(places, times, between=asked.leave)
        for writer in job.writers:
            writer.finish()  # all of them, before the first gets its name
