"""The frame that is shown last stays for as long as it should, in every container and with every encoder."""

from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from struct import unpack

import av
import pytest

import videos
from test_video_segments import in_segments
from test_video_writer import copy, presented
from videos import Film
from vidgan import video

MILLISECONDS = Fraction(1, 1000)
# When frames are shown and the last one goes, in milliseconds: one stays for seconds, where encoders reorder or do not.
CASES = {
    "last": (0, 40, 80, 120, 160, 5000),
    "last but one": (0, 40, 80, 120, 160, 10160, 10200),
    "last but one, decoded last": (0, 40, 80, 120, 160, 200, 240, 10240, 10280),
    "near the end": (0, 40, 80, 120, 160, 200, 240, 5240, 5280, 5320, 5360),
    "first": (0, 5000, 5040, 5080, 5120, 5160, 5200),
    "late": (2000, 2040, 2080, 2120, 2160, 7000),
    "alone": (0, 5000),
    "two": (0, 40, 5000),
    "even": tuple(range(0, 640, 40)),
}
ENCODERS = [
    ("h264", "mp4"), ("h264", "mov"), ("h264", "mkv"), ("hevc", "mp4"), ("av1", "mp4"), ("av1", "mkv"),
    ("av1", "webm"), ("vp9", "mp4"), ("vp9", "webm"), ("mpeg4", "mp4"), ("prores", "mov"), ("ffv1", "mkv"),
]  # fmt: skip


def write_source(path: Path, times: tuple[int, ...]) -> Path:
    film = Film(width=96, height=64, times=times[:-1], time_base=MILLISECONDS, codec="mpeg4", options={})
    with av.open(str(path), "w") as container:
        stream = videos.add_film(container, film)
        stream.codec_context.flags |= av.codec.context.Flags.frame_duration
        for number, (time, until) in enumerate(pairwise(times)):
            frame = videos.to_yuv(videos.picture(number, 96, 64), film, time)
            frame.duration = until - time
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def header_says(path: Path) -> Fraction:
    """The length of the whole film in seconds, with what is before its first frame: what players show."""
    data = path.read_bytes()
    ticks_a_second, length = unpack(">II", data[data.index(b"mvhd") + 16 :][:8])
    return Fraction(length, ticks_a_second)


def check(path: Path, times: tuple[int, ...]) -> None:
    """By PyAV: each frame's time, when the film ends, and, where a packet says it, how long its frame is shown."""
    assert presented(path) == [time * MILLISECONDS for time in times[:-1]]
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        tick = stream.time_base
        packets = [packet for packet in container.demux(stream) if packet.size]
        # FFmpeg counts an MP4's late beginning as no part of it.
        begins = times[0] if path.suffix in (".mp4", ".mov") else 0
        assert container.duration / 1e6 == pytest.approx((times[-1] - begins) / 1000, abs=1e-6)
        decoded = [packet.dts for packet in packets if packet.dts is not None]
        assert all(before < after for before, after in pairwise(decoded))
        assert all(packet.dts is None or packet.dts <= packet.pts for packet in packets)
        if path.suffix in (".mp4", ".mov"):
            assert stream.start_time + stream.duration == times[-1] * MILLISECONDS / tick
            assert header_says(path) == times[-1] * MILLISECONDS
        else:
            told = sorted((packet.pts * tick, (packet.pts + packet.duration) * tick) for packet in packets)
            assert told == [(one * MILLISECONDS, other * MILLISECONDS) for one, other in pairwise(times)]


@pytest.mark.parametrize("times", CASES.values(), ids=CASES)
@pytest.mark.parametrize(("codec", "suffix"), ENCODERS)
def test_the_last_frame_stays_for_as_long_as_in_the_source(tmp_path, codec, suffix, times):
    source = write_source(tmp_path / "in.mp4", times)
    assert copy(source, tmp_path / f"whole.{suffix}", encoding=video.Encoding(codec=codec)) == []
    check(tmp_path / f"whole.{suffix}", times)
    for length in (4, 99):
        in_segments(source, tmp_path / f"joined.{suffix}", codec, length)
        check(tmp_path / f"joined.{suffix}", times)
    source = video.probe(tmp_path / f"joined.{suffix}")
    last = list(video.read(source))[-1]
    assert last.seconds + last.duration * last.time_base == times[-1] * MILLISECONDS


def test_an_end_that_the_container_cannot_say_is_told(tmp_path):
    source = write_source(tmp_path / "in.mkv", CASES["last"])
    said = copy(source, tmp_path / "out.avi")
    assert said == ["the last frame is shown until 0.200 s, and should be until 5.000 s"]
