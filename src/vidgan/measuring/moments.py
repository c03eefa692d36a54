"""The frames of several videos that are shown at the same time.

Times count from each video's own first frame: containers begin their clocks where they like.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction

from vidgan import pipeline, video
from vidgan.errors import BadVideo
from vidgan.frame import Frame
from vidgan.silence import ignore
from vidgan.video import Source
from vidgan.words import amount

SAME_MOMENT = Fraction(1, 1000)  # seconds: two containers may each have rounded a time to milliseconds
MOST_ALONE = 0.05  # share of a video's frames that the others may miss before they count as different
LOOKED_AT = 25  # frames before that is judged
DEPTH = 2  # frames that are decoded ahead of the moment, of each video


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """What of a video is joined with the others."""

    source: Source
    name: str  # for errors
    start: float = 0.0  # seconds
    duration: float | None = None  # None: to its end


def joined(
    stretches: Sequence[Stretch], stack: ExitStack, *, partial: bool, say: Callable[[str], None]
) -> "Join":
    """The stretches, each decoded in a thread of its own until the stack is closed."""
    frames = [
        video.read(each.source, start=each.start, duration=each.duration, say=say) for each in stretches
    ]
    streams = [stack.enter_context(pipeline.ahead(each, depth=DEPTH)) for each in frames]
    return Join(streams, [each.name for each in stretches], partial=partial, say=say)


class Join:
    """Iterates over moments, each a tuple of one frame of each video; num_moments counts them.

    names    of the videos, for errors
    partial  whether any number of frames that the others do not show is passed over
    say      is told at the end how many were passed over
    Raises BadVideo where there is no moment in common, and unless partial for another frame rate or length.
    """

    def __init__(
        self,
        videos: Sequence[Iterator[Frame]],
        names: Sequence[str],
        *,
        partial: bool,
        say: Callable[[str], None] = ignore,
    ) -> None:
        self._videos, self._names, self._partial, self._say = videos, names, partial, say
        self._seen = [0] * len(videos)
        self._alone = [0] * len(videos)
        self.num_moments = 0

    def __iter__(self) -> Iterator[tuple[Frame, ...]]:
        heads = [self._next(index) for index in range(len(self._videos))]
        if any(head is None for head in heads):
            return
        starts = [head.seconds for head in heads if head is not None]
        while True:
            now = [
                head.seconds - start for head, start in zip(heads, starts, strict=True) if head is not None
            ]
            if len(now) < len(heads):
                break
            latest = max(now)
            if latest - min(now) <= SAME_MOMENT:
                self.num_moments += 1
                yield tuple(head for head in heads if head is not None)
                heads = [self._next(index) for index in range(len(heads))]
                continue
            for index, time in enumerate(now):
                if latest - time > SAME_MOMENT:
                    self._alone[index] += 1
                    heads[index] = self._next(index)
            self._check(LOOKED_AT)
        self._finish(heads)

    def _next(self, index: int) -> Frame | None:
        frame = next(self._videos[index], None)
        self._seen[index] += frame is not None
        return frame

    def _check(self, least: int) -> None:
        """Frames that fall between the others': another frame rate, or another cut."""
        if self._partial:
            return
        for index, (seen, alone) in enumerate(zip(self._seen, self._alone, strict=True)):
            if seen >= least and alone > max(MOST_ALONE * seen, 1):
                raise BadVideo(
                    f"{self._names[index]} shows {alone} of its first {seen} frames at times at which "
                    f"{self._others(index)} shows none: another frame rate",
                    "Compare videos with the same frames, or add --partial to take those that all show.",
                )

    def _finish(self, heads: Sequence[Frame | None]) -> None:
        """Some are at their end: how much of the others is left?"""
        self._check(1)
        ended = [index for index, head in enumerate(heads) if head is None]
        if not self.num_moments:
            raise BadVideo(
                f"{' and '.join(self._names)} show no frame at the same time",
                "Compare a video with one that was made from it.",
            )
        if self._partial:
            return
        for index, head in enumerate(heads):
            rest = 0 if head is None else 1 + sum(1 for _ in self._videos[index])
            if rest > max(1, MOST_ALONE * self.num_moments):
                raise BadVideo(
                    f"{self._names[index]} goes on for {rest} frames after {self._names[ended[0]]} has ended "
                    f"at frame {self._seen[ended[0]]}: another length",
                    "Compare whole videos, or add --partial to take the part that all show.",
                )
            if left := self._alone[index] + rest:
                told = f"{amount(left, 'frame')} of {self._names[index]}"
                self._say(f"{told} at times at which {self._others(index)} shows none: not compared")

    def _others(self, index: int) -> str:
        return " or ".join(name for other, name in enumerate(self._names) if other != index)


def num_moments(videos: Sequence[Source], every: int) -> int | None:
    """About how many moments there will be, of which one in so many counts; None where no file says."""
    found = [
        known.duration_seconds * float(known.average_rate)
        for known in videos
        if known.duration_seconds is not None and known.average_rate is not None
    ]
    return max(round(min(found) / every), 1) if found else None
