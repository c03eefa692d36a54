"""Which part of a file is asked for, and where the clock of the output starts."""

from dataclasses import dataclass
from fractions import Fraction
from math import ceil

from vidgan.errors import BadOption, BadVideo
from vidgan.video.probe import Source


@dataclass(frozen=True, kw_only=True)
class Segment:
    """A stretch of a file, in seconds on the clock of its pts.

    begin, end  what is shown in [begin, end) belongs to it; None is open
    zero        the instant that becomes 0 in the output
    """

    begin: Fraction | None
    end: Fraction | None
    zero: Fraction

    def holds(self, seconds: Fraction) -> bool:
        return (self.begin is None or seconds >= self.begin) and (self.end is None or seconds < self.end)


def origin_of(source: Source) -> Fraction:
    """What counts as 0 where seconds are asked for or told, on the clock of the source's pts."""
    # A little sound before zero is an encoder's run-in, and no part of what is shown.
    return source.start_seconds if source.clock_is_arbitrary else max(source.start_seconds, Fraction(0))


def clock_jumps_back(source: Source, at: Fraction) -> BadVideo:
    """What is told of a clock that is counted anew after this time, in seconds of the source's pts."""
    # FFmpeg mends the clocks of broadcasts by itself; elsewhere pictures and sound are counted anew.
    how = (
        "ffmpeg -fflags +genpts -i IN -c copy OUT.mkv"
        if source.clock_is_arbitrary
        else "ffmpeg -i IN -vf setpts=N/FRAME_RATE/TB -af asetpts=N/SR/TB -c:v ffv1 OUT.mkv"
    )
    return BadVideo(
        f"{source.path}: its clock jumps back at {float(at):.2f} s", f"Mend its clock first: {how}"
    )


LONGEST_SECONDS = 1e9  # thirty years: more is a slip of the pen
_ROUNDED = Fraction(1, 2_000_000)  # half of the microsecond to which FFmpeg rounds where a file starts


def segment(source: Source, start: float = 0.0, duration: float | None = None) -> Segment:
    """The stretch [start, start + duration), counted from the file's zero, cut on whole ticks of the video.

    Without a start the output keeps the source's clock, but for formats whose clock starts anywhere
    (MPEG streams).
    Raises BadOption for a negative or endless start or duration, and for an empty duration.
    """
    if not 0 <= start < LONGEST_SECONDS:
        raise BadOption(f"the start is {start} s", "Give 0 or more seconds from the beginning.")
    if duration is not None and not 0 < duration < LONGEST_SECONDS:
        raise BadOption(f"the duration is {duration} s", "Give more than 0 seconds, or leave it out.")
    origin = origin_of(source)
    asked = Fraction(start).limit_denominator(1_000_000)
    begin = _next_tick(origin + asked, source.time_base) if start > 0 else None
    end = None
    if duration is not None:
        end = _next_tick(origin + asked + Fraction(duration).limit_denominator(1_000_000), source.time_base)
    if begin is not None:
        return Segment(begin=begin, end=end, zero=begin)
    kept = _next_tick(origin, source.time_base) if source.clock_is_arbitrary else Fraction(0)
    return Segment(begin=None, end=end, zero=kept)


def _next_tick(seconds: Fraction, time_base: Fraction) -> Fraction:
    return ceil((seconds - _ROUNDED) / time_base) * time_base
