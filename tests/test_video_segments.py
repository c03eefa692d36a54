"""Closed segments: what an encoder gives, kept as it is and joined in time."""

import itertools
from array import array
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

import videos
from test_video_writer import copy, presented
from videos import Film
from vidgan import video
from vidgan.errors import BadOutput, BadVideo
from vidgan.video import segments

CASES = [
    ("h264", "mp4"), ("h264", "mkv"), ("hevc", "mp4"), ("av1", "webm"), ("vp9", "webm"), ("mpeg4", "avi"),
    ("mpeg4", "mp4"), ("ffv1", "mkv"), ("ffv1", "avi"), ("prores", "mov"),
]  # fmt: skip


def write_source(path: Path, times: object = range(13), tick: Fraction = Fraction(1, 25)) -> Path:
    return videos.write(path, Film(width=96, height=64, times=times, time_base=tick))


def in_segments(source_path: Path, path: Path, codec: str, length: int) -> list[Path]:
    """The identity, in segments of so many frames; gives their files."""
    source = video.probe(source_path)
    size = {"width": source.width, "height": source.height, "overwrite": True}
    writer = video.Writer(path, source=source, encoding=video.Encoding(codec=codec), **size)
    pictures, frames, parts = writer.pictures(), list(video.read(source)), []
    pictures.begin(frames[0].seconds)
    for start in range(0, len(frames), length):
        parts.append(path.with_name(f"{start:03}.part"))
        segment = video.SegmentWriter(parts[-1], pictures)
        for frame in frames[start : start + length]:
            segment.write(frame)
        segment.close()
    with writer:
        writer.join(parts, array("q", (frame.pts for frame in frames)), between=lambda: None)
    return parts


def packets(path: Path) -> list[tuple[int, int, bool, bytes]]:
    with av.open(str(path)) as container:
        return [(p.pts, p.duration, p.is_keyframe, bytes(p)) for p in container.demux(video=0) if p.size]


@pytest.mark.parametrize(("codec", "suffix"), CASES)
def test_one_segment_holds_the_packets_of_a_file_that_was_written_at_once(tmp_path, codec, suffix):
    source = write_source(tmp_path / "in.mkv")
    copy(source, tmp_path / f"whole.{suffix}", encoding=video.Encoding(codec=codec))
    in_segments(source, tmp_path / f"joined.{suffix}", codec, 99)
    assert packets(tmp_path / f"joined.{suffix}") == packets(tmp_path / f"whole.{suffix}")


@pytest.mark.parametrize(("codec", "suffix"), CASES)
@pytest.mark.parametrize("times", ["even", "unequal"])
def test_joined_segments_show_every_frame_at_its_time_and_decode_in_order(tmp_path, codec, suffix, times):
    if suffix == "avi" and times == "unequal":
        pytest.skip("AVI holds none")
    uneven = {"times": (*videos.UNEQUAL_TIMES, 2000, 2001, 2100), "tick": Fraction(1, 1000)}
    source = write_source(tmp_path / "in.mkv", **(uneven if times == "unequal" else {}))
    path = tmp_path / f"out.{suffix}"
    assert len(in_segments(source, path, codec, 4)) == 4
    assert presented(path) == presented(source)
    difference = video.decode_all(path).astype(int) - video.decode_all(source)
    assert np.abs(difference).mean() < 3
    with av.open(str(path)) as container:
        decoded = [p.dts for p in container.demux(video=0) if p.size and p.dts is not None]
        assert all(before < after for before, after in itertools.pairwise(decoded))
    assert sum(is_key for *_, is_key, _ in packets(path)) >= 4


def test_decoding_times_of_pictures_that_were_held_back(monkeypatch):
    """I P B B, shown at 0, 40, 95, 100, twice: none is held back by more than one picture."""
    orders = {"first": (0, 100, 40, 95), "second": (200, 300, 240, 295)}
    monkeypatch.setattr(
        segments,
        "packets",
        lambda path, times_only: (segments.Packet(pts, 0, False, b"") for pts in orders[str(path)]),
    )
    shown = array("q", (0, 40, 95, 100, 200, 240, 295, 300))
    found = segments.decoding_ticks([Path("first"), Path("second")], shown)
    assert list(found) == [-40, 0, 40, 95, 100, 200, 240, 295]


def test_a_header_says_nothing_of_the_processor_so_that_another_may_go_on(tmp_path):
    source = write_source(tmp_path / "in.mkv")
    part = in_segments(source, tmp_path / "out.mkv", "hevc", 99)[0]
    header = segments.header_of(part)
    assert len(header) > 50 and b"x265" not in header and b"cpuid" not in header


@pytest.mark.parametrize("size", [10, 40, -1])
def test_a_segment_that_is_cut_off_is_an_error(tmp_path, size):
    source = write_source(tmp_path / "in.mkv")
    part = in_segments(source, tmp_path / "out.mkv", "ffv1", 99)[0]
    part.write_bytes(part.read_bytes()[:size])
    with pytest.raises(BadOutput, match="damaged"):
        list(segments.packets(part))


def test_a_segment_of_another_encoder_is_refused(tmp_path):
    source = write_source(tmp_path / "in.mkv")
    part = in_segments(source, tmp_path / "other.mkv", "ffv1", 99)[0]
    writer = video.Writer(tmp_path / "out.mkv", source=video.probe(source), width=96, height=64)
    with pytest.raises(BadOutput, match="another version") as caught, writer:
        writer.join([part], array("q", range(13)), between=lambda: None)
    assert "--start-over" in caught.value.remedy and not (tmp_path / "out.mkv").exists()


def test_reading_goes_on_after_frames_that_were_seen(tmp_path):
    source = video.probe(write_source(tmp_path / "in.mkv"))
    frames = list(video.read(source))
    seen = [video.Seen.of(frame.pixels, frame.pts) for frame in frames]
    for first, last in ((0, 1), (3, 7), (9, 13)):
        rest = list(video.read_after(source, seen[first:last]))
        assert [frame.pts for frame in rest] == [frame.pts for frame in frames[last:]]
        assert all((one.pixels == other.pixels).all() for one, other in zip(rest, frames[last:], strict=True))


def test_reading_goes_on_nowhere_after_other_pixels(tmp_path):
    source = video.probe(write_source(tmp_path / "in.mkv"))
    frame = next(video.read(source))
    with pytest.raises(BadVideo, match="not what it was"):
        list(video.read_after(source, [video.Seen.of(255 - frame.pixels, frame.pts)]))


@pytest.mark.slow
@pytest.mark.parametrize("codec", ["h264", "hevc", "av1", "vp9", "mpeg4", "ffv1", "prores"])
def test_an_encoder_of_several_threads_gives_the_same_packets_each_time(tmp_path, codec):
    """30 frames of 1280x720, three times."""
    sample = video.probe(Path(__file__).parents[1] / "examples" / "media" / "bunny.mp4")
    encoding = video.Encoding(codec=codec, threads=4)
    writer = video.Writer(tmp_path / "out.mkv", source=sample, width=1280, height=720, encoding=encoding)
    found = set()
    for _ in range(3):
        segment = video.SegmentWriter(tmp_path / "part", writer.pictures())
        for frame in itertools.islice(video.read(sample), 30):
            pixels = frame.pixels.repeat(4, 0).repeat(4, 1)
            segment.write(replace(frame, pixels=pixels))
        found.add(segment.close())
    assert len(found) == 1
