"""Stretches of a film, each coded by an encoder of its own: closed files of packets that need no other.

A long video is made of them, so that what is done stays done. Joined, their packets go into the output as they are.
The file is ours and no container's, since a container would change packets and round times: a magic word and the
encoder's header, then the packets in the order of decoding, each behind its times, in ticks of the encoder.
"""

import hashlib
import io
import os
from array import array
from collections.abc import Iterator, Sequence
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from struct import Struct
from typing import IO, NamedTuple

import av

from vidgan.errors import BadOutput
from vidgan.frame import Frame
from vidgan.video.coding import Pictures

_MAGIC = b"vidgan segment 1"
_LENGTH = Struct("<I")
_PACKET = Struct("<qqI?")  # presentation time, duration, bytes, whether it is a key frame


class Packet(NamedTuple):
    pts: int
    duration: int
    is_key: bool
    data: bytes  # empty where only times were asked for


class SegmentWriter:
    """Writes one segment. `close` makes it whole and safe on the disk; `discard` takes it away.

    pictures  go on counting from segment to segment
    Raises BadOutput where the disk or the encoder fails.
    """

    def __init__(self, path: Path, pictures: Pictures) -> None:
        self.path = path
        self._pictures, self._coding = pictures, pictures.coding
        self._digest = hashlib.sha256()
        self._file: IO[bytes] | None = None
        try:
            self._encoder = self._coding.new_encoder()
            self._encoder.open()
            self._file = path.open("wb")
            header = self._encoder.extradata or b""
            self._put(_MAGIC + _LENGTH.pack(len(header)) + header)
        except (av.FFmpegError, OSError) as error:
            self.discard()
            raise self._coding.failed(error) from None

    def write(self, frame: Frame) -> None:
        picture = self._pictures.of(frame)
        try:
            self._put_packets(self._encoder.encode(picture))
        except (av.FFmpegError, OSError) as error:
            raise self._coding.failed(error) from None

    def close(self) -> str:
        """End the segment; gives the SHA-256 of its file."""
        assert self._file is not None
        try:
            self._put_packets(self._encoder.encode(None))
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
        except (av.FFmpegError, OSError) as error:
            raise self._coding.failed(error) from None
        return self._digest.hexdigest()

    def discard(self) -> None:
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
        with suppress(OSError):
            self.path.unlink(missing_ok=True)

    def _put_packets(self, packets: Sequence[av.Packet]) -> None:
        for packet in self._pictures.lasting(packets):
            assert packet.pts is not None
            data = bytes(packet)
            self._put(_PACKET.pack(packet.pts, packet.duration or 0, len(data), packet.is_keyframe) + data)

    def _put(self, data: bytes) -> None:
        assert self._file is not None
        self._file.write(data)
        self._digest.update(data)


def header_of(path: Path) -> bytes:
    """What the encoder put before its packets: sequence and picture parameters."""
    with path.open("rb") as file:
        return _header(file, path)


def packets(path: Path, *, times_only: bool = False) -> Iterator[Packet]:
    """The packets of a segment in the order of decoding. Raises BadOutput where the file is not whole."""
    with path.open("rb") as file:
        _header(file, path)
        while head := file.read(_PACKET.size):
            if len(head) < _PACKET.size:
                raise _not_whole(path)
            pts, duration, size, is_key = _PACKET.unpack(head)
            if times_only:
                file.seek(size, io.SEEK_CUR)
            data = b"" if times_only else file.read(size)
            if not times_only and len(data) != size:
                raise _not_whole(path)
            yield Packet(pts, duration, is_key, data)


def decoding_ticks(segments: Sequence[Path], shown: "array[int]") -> "array[int]":
    """The decoding time of each packet of the joined segments: as late as possible, and no time twice.

    shown  when the frames are shown, in their order
    Each segment's encoder counted from its own first frame; where frame times are unequal, the times after a join might
    lie before those reached before it. So all are assigned anew: the n-th packet takes the time of the frame that is
    shown n - delay-th, where delay is the most places that a packet is decoded after its place in the order of showing.
    """
    place = {time: number for number, time in enumerate(shown)}
    order = (place[packet.pts] for path in segments for packet in packets(path, times_only=True))
    delay = max((number - rank for number, rank in enumerate(order)), default=0)
    before = (time - shown[delay] + shown[0] for time in shown[:delay])
    return array("q", (*before, *shown[: len(shown) - delay]))


def as_packet(packet: Packet, tick: Fraction) -> av.Packet:
    """Ready to be muxed but for its stream and the time at which it is decoded."""
    made = av.Packet(packet.data)
    made.time_base = tick
    made.pts, made.duration, made.is_keyframe = packet.pts, packet.duration, packet.is_key
    return made


def _header(file: IO[bytes], path: Path) -> bytes:
    start = file.read(len(_MAGIC) + _LENGTH.size)
    if not start.startswith(_MAGIC) or len(start) < len(_MAGIC) + _LENGTH.size:
        raise _not_whole(path)
    (size,) = _LENGTH.unpack(start[len(_MAGIC) :])
    header = file.read(size)
    if len(header) < size:
        raise _not_whole(path)
    return header


def _not_whole(path: Path) -> BadOutput:
    return BadOutput(f"{path} is damaged", "Run the same command again: it is made anew.")
