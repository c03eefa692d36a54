"""Reading an output back before it gets its name: every frame at its time, every stream, every packet.

Packets are counted, not decoded, but for the first picture: the check costs one pass over the file.
"""

from array import array
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from av.container import InputContainer
from av.stream import Disposition, Stream

from vidgan.errors import BadOutput, BadVideo
from vidgan.video.colour import Colour
from vidgan.video.files import open_video, packets
from vidgan.video.probe import Source, codec_name, probe
from vidgan.video.routes import is_empty, seconds_of
from vidgan.video.streams import Carried

_MOST_SHIFT = Fraction(1, 50)  # seconds: what containers round, and no more than a packet
_ANY_SIZE = 2**31 - 1  # FFmpeg counts pixels in 32 bits


_ONE_NAME = {"mp1": "mp3", "mp2": "mp3"}  # MP4 has one name for all layers of MPEG sound


@dataclass
class _Size:
    num_packets: int = 0
    num_bytes: int = 0
    begins: Fraction | None = None  # seconds


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What the output must hold."""

    name: Path  # its final one, for messages
    width: int
    height: int
    orientation: int
    sample_aspect: Fraction
    colour: Colour
    times: "array[int]"  # of every frame, on the source's clock
    time_base: Fraction  # of times
    end: Fraction | None  # the second of the output at which the last frame goes; None where nobody knows
    zero: Fraction  # the source's second that became 0
    slack: Fraction  # seconds that a time may be off beside the rounding to the output's own tick
    streams: Sequence[Carried]
    tags: Mapping[str, str]
    film: int = 0  # its place among the streams that are films


def verify(path: Path, expected: Expected, say: Callable[[str], None]) -> None:
    """Check the file at `path`. Says what small things were lost; raises BadOutput for frames and streams."""
    try:
        written = probe(path, max_pixels=_ANY_SIZE, film=expected.film)
        with open_video(path, max_pixels=_ANY_SIZE) as container:
            _check_picture(written, expected, say)
            times, end, sizes = _walk(container, written.video_index)
            _check_times(times, written.time_base, expected)
            _check_end(_end_of(container.streams[written.video_index], end), written.time_base, expected, say)
            others = [s for s in container.streams if s.index != written.video_index]
            _check_streams(others, sizes, expected, say)
            _check_tags(container, expected, say)
    except BadVideo as error:
        raise _wrong(expected, f"it cannot be read back ({error.found})") from None


def _walk(container: InputContainer, video_index: int) -> "tuple[array[int], int, dict[int, _Size]]":
    """The times of the film's frames in order, when the last packet of it goes, and what every stream holds."""
    times, end, sizes = array("q"), 0, defaultdict[int, _Size](_Size)
    for packet in packets(container):
        if is_empty(packet):
            continue
        size = sizes[packet.stream.index]
        size.num_packets += 1
        size.num_bytes += packet.size
        if size.begins is None and (packet.pts is not None or packet.dts is not None):
            size.begins = seconds_of(packet)
        if packet.stream.index == video_index and packet.pts is not None:
            times.append(packet.pts)
            end = max(end, packet.pts + (packet.duration or 0))
    return array("q", sorted(times)), end, sizes


def _end_of(film: Stream, end: int) -> int:
    """When the last frame goes, in ticks. MP4 and MOV say it of the whole film alone."""
    if film.container.format.name.startswith("mov") and film.start_time is not None and film.duration:
        return film.start_time + film.duration
    return end


def _check_picture(written: Source, expected: Expected, say: Callable[[str], None]) -> None:
    size = (written.width, written.height)
    if size != (expected.width, expected.height):
        raise _wrong(expected, f"its frames are {size[0]}x{size[1]}, not {expected.width}x{expected.height}")
    if written.orientation != expected.orientation or written.sample_aspect != expected.sample_aspect:
        raise _wrong(
            expected,
            f"it says orientation {written.orientation} and pixel aspect {written.sample_aspect}, "
            f"not {expected.orientation} and {expected.sample_aspect}",
        )
    lost = [
        name
        for name in ("matrix", "primaries", "transfer", "full_range")
        if getattr(expected.colour, name) not in (None, getattr(written.colour, name))
    ]
    if lost:
        say(f"{expected.name.suffix} with {written.codec} does not keep these colour tags: {', '.join(lost)}")


def _check_times(times: "array[int]", tick: Fraction, expected: Expected) -> None:
    if len(times) != len(expected.times):
        raise _wrong(expected, f"it holds {len(times)} frames, not {len(expected.times)}")
    allowed = tick / 2 + expected.slack
    for number, (found, asked) in enumerate(zip(times, expected.times, strict=True)):
        wanted = asked * expected.time_base - expected.zero
        if abs(found * tick - wanted) > allowed:
            raise _wrong(
                expected, f"frame {number} is shown at {float(found * tick):.6f} s, not {float(wanted):.6f} s"
            )


def _check_end(end: int, tick: Fraction, expected: Expected, say: Callable[[str], None]) -> None:
    if expected.end is not None and abs(end * tick - expected.end) > tick + expected.slack:
        # No reason to hold back hours of work: every frame is there, at its time.
        say(
            f"the last frame is shown until {float(end * tick):.3f} s, and should be until "
            f"{float(expected.end):.3f} s"
        )


def _check_streams(
    found: Sequence[Stream], sizes: "Mapping[int, _Size]", expected: Expected, say: Callable[[str], None]
) -> None:
    left = list(found)
    for stream in expected.streams:
        match = next((s for s in left if _is_same(s, stream, sizes.get(s.index, _Size()))), None)
        if match is None and stream.num_packets == 0:  # MP4 and MOV write no track for it
            say(
                f"the {stream.kind} stream ({stream.codec}) has nothing in this part: "
                f"{expected.name.suffix} leaves it out"
            )
            continue
        if match is None:
            raise _wrong(expected, f"its {stream.kind} stream ({stream.codec}) is missing or not whole")
        left.remove(match)
        begins = sizes[match.index].begins if match.index in sizes else None
        if stream.begins is not None and begins is not None and abs(begins - stream.begins) > _MOST_SHIFT:
            # No reason to hold back hours of work: the frames are right.
            say(
                f"the {stream.kind} stream ({stream.codec}) begins at {float(begins):.3f} s, and should at "
                f"{float(stream.begins):.3f} s: look whether it is in step"
            )
        language = match.metadata.get("language")
        if stream.language not in (None, "und", language):
            kept_by = expected.name.suffix
            say(f"the language of a {stream.kind} stream ({stream.language}) is not kept by {kept_by}")


def _is_same(found: Stream, expected: Carried, size: "_Size") -> bool:
    if found.type != expected.kind:
        return False
    if expected.num_packets is None:
        return found.type == "attachment" or bool(found.disposition & Disposition.attached_pic)
    names = [_ONE_NAME.get(name, name) for name in (codec_name(found), expected.codec)]
    # MP4 cuts uncompressed sound anew, and takes the headers off AAC: one of the two stays.
    return names[0] == names[1] and (
        size.num_packets == expected.num_packets or size.num_bytes == expected.num_bytes
    )


def _check_tags(container: InputContainer, expected: Expected, say: Callable[[str], None]) -> None:
    held = {key.lower() for key in container.metadata}
    lost = sorted(key for key in expected.tags if key.lower() not in held)
    if lost:
        say(f"{expected.name.suffix} does not keep these tags: {', '.join(lost)}")


def _wrong(expected: Expected, what: str) -> BadOutput:
    return BadOutput(
        f"{expected.name} was not written: {what}",
        "Choose another container, such as .mkv; if it happens there too, it is our mistake: please report it.",
    )
