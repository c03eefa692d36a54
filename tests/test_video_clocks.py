"""Files whose clock is another than it seems: frames keep the times at which they were shown."""

from fractions import Fraction
from itertools import pairwise

import av
import numpy as np
import pytest

import videos
from videos import Film
from vidgan.frame import Frame
from vidgan.video.probe import probe
from vidgan.video.reader import Seen, read, read_after
from vidgan.video.writer import Writer


@pytest.mark.parametrize("first", range(129010, 129019))
def test_a_stream_may_begin_between_two_microseconds(tmp_path, first):
    """FFmpeg says where a file begins in whole microseconds, rounded up or down."""
    path = tmp_path / "in.ts"
    with av.open(str(path), "w", options={"muxdelay": "0", "mpegts_copyts": "1"}) as container:
        stream = container.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 90000)
        for index in range(10):
            picture = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 20 * index, np.uint8), format="rgb24")
            picture.pts, picture.time_base = first + 3600 * index, Fraction(1, 90000)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    source = probe(path)
    assert len(list(read(source, duration=0.2))) == 5
    assert [round(frame.pixels.mean() / 20) for frame in read(source, start=0.2)] == [5, 6, 7, 8, 9]
    with Writer(tmp_path / "out.mp4", source=source, width=64, height=48) as writer:
        for frame in read(source):
            writer.write(frame)
    assert next(read(probe(tmp_path / "out.mp4"))).seconds == 0


def test_a_frame_that_an_encoder_dropped_moves_no_other(tmp_path):
    """MPEG-4 in AVI, as Xvid writes it: a packet that says "as before" has a time and no picture."""
    coder = av.CodecContext.create("mpeg4", "w")
    coder.width, coder.height, coder.pix_fmt, coder.time_base = 64, 64, "yuv420p", Fraction(1, 25)
    coder.framerate, coder.gop_size, coder.max_b_frames = Fraction(25), 12, 0
    made = []
    for index in range(40):
        grey = np.full((64, 64, 3), 4 * index + 20, np.uint8)
        picture = av.VideoFrame.from_ndarray(grey, format="rgb24").reformat(format="yuv420p")
        picture.pts, picture.time_base = index, Fraction(1, 25)
        made += coder.encode(picture)
    made += coder.encode(None)
    with av.open(str(tmp_path / "in.avi"), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        container.start_encoding()
        for index, packet in enumerate(made):
            if 15 <= index < 23:
                # Type P, no second more, a marker, the time in 5 bits, a marker, "not coded"; then padding.
                bits = f"0101{index:05b}100".ljust(16, "1")
                packet = av.Packet(b"\0\0\1\xb6" + int(bits, 2).to_bytes(2, "big"))
                packet.pts = packet.dts = index
                packet.time_base = Fraction(1, 25)
            packet.stream = stream
            container.mux(packet)
    shown = {frame.pts: round((frame.pixels[5, 5, 1] - 20) / 4) for frame in read(probe(tmp_path / "in.avi"))}
    assert shown == {index: index for index in range(40) if not 15 <= index < 23}


@pytest.mark.parametrize(
    ("part", "shown"),
    [
        ({}, [(0, 0, 4), (4, 1, 4), (8, 2, 4), (12, 3, 4), (16, 4, None)]),
        ({"start": 5}, [(5, 1, 3), (8, 2, 4), (12, 3, 4), (16, 4, None)]),
        ({"start": 5, "duration": 2}, [(5, 1, 2)]),
        ({"start": 13}, [(13, 3, 3), (16, 4, None)]),
        ({"duration": 5}, [(0, 0, 4), (4, 1, 1)]),
        ({"start": 8, "duration": 4}, [(8, 2, 4)]),
        ({"start": 3.9}, [(4, 1, 4), (8, 2, 4), (12, 3, 4), (16, 4, None)]),
    ],
    ids=str,
)
def test_a_picture_that_is_shown_for_seconds_is_shown_in_part(tmp_path, part, shown):
    """As in slide shows and recorded screens; what is left of one by a fifth of a second is not."""
    film = Film(times=(0, 100, 200, 300, 400), options={"crf": "4", "g": "1"})
    frames = [np.full((48, 64, 3), 50 * number + 20, np.uint8) for number in range(5)]
    source = probe(videos.write(tmp_path / "in.mp4", film, frames))
    found = list(read(source, **part))
    ticks = float(source.time_base)
    told = [
        (float(frame.seconds), round((frame.pixels.mean() - 20) / 50), frame.duration * ticks)
        for frame in found
    ]
    for (seconds, number, lasts), (at, which, expected) in zip(told, shown, strict=True):
        assert (seconds, number) == (pytest.approx(at), which)
        assert expected is None or lasts == pytest.approx(expected)
    known = [Seen.of(frame.pixels, frame.pts) for frame in found]
    for number in range(len(found)):
        again = list(read_after(source, known[number : number + 1], **part))
        assert [frame.pts for frame in again] == [frame.pts for frame in found[number + 1 :]]


@pytest.mark.parametrize("rate", [
    Fraction(10_000_000, 333_333), Fraction(10_000_000, 333_667), Fraction(10_000_000, 417_083),
    Fraction(120_000, 1001),
])  # fmt: skip
def test_an_avi_counted_in_100_nanoseconds_becomes_another(tmp_path, rate):
    """As capture tools write them; MPEG-4, which AVI holds if nothing else is said, has 16 bits for its clock."""
    with av.open(str(tmp_path / "in.avi"), "w") as container:
        stream = container.add_stream("mjpeg", rate=rate)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        for index in range(8):
            picture = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 20 * index, np.uint8), format="rgb24")
            picture.pts, picture.time_base = index, 1 / rate
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    source = probe(tmp_path / "in.avi")
    with Writer(tmp_path / "out.avi", source=source, width=64, height=48) as writer:
        for frame in read(source):
            writer.write(frame)
    there, made = (list(read(probe(tmp_path / name))) for name in ("in.avi", "out.avi"))
    assert len(made) == 8
    for one, other in zip(there, made, strict=True):
        assert abs(one.seconds - other.seconds) < Fraction(1, 10_000)


REORDERED = {"crf": "12", "preset": "medium", "bf": "2", "x264-params": "b-adapt=0"}
WITH_A_GAP = (0, 1, 2, 3, 4, 254, 256, 257, 258, 259)  # 25ths of a second: the fifth is shown for ten seconds


def shown(frames: list[Frame]) -> list[tuple[float, float]]:
    """From when until when, in seconds after the first."""
    zero = frames[0].seconds
    return [
        (float(frame.seconds - zero), float(frame.seconds + frame.duration * frame.time_base - zero))
        for frame in frames
    ]


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".ts", ".nut"])
@pytest.mark.parametrize("options", [REORDERED, {"bf": "0"}], ids=["B-frames", "in order"])
def test_a_frame_is_shown_until_the_next_whatever_its_packet_says(tmp_path, suffix, options):
    """With B-frames MP4 tells how long it is until the next one is decoded; the others tell of a constant rate."""
    source = probe(videos.write(tmp_path / f"in{suffix}", Film(times=WITH_A_GAP, options=options)))
    whole = list(read(source))
    times = [time / 25 for time in (*WITH_A_GAP, 260)]
    assert shown(whole) == [pytest.approx(both, abs=2e-3) for both in pairwise(times)]
    for part, expected in (
        ({"start": 5, "duration": 2}, [(0, 2)]),
        ({"duration": 5}, [*pairwise(times[:5]), (0.16, 5)]),
        ({"start": 10.28}, [(0, 0.04), (0.04, 0.08), (0.08, 0.12)]),
    ):
        frames = list(read(source, **part))
        assert shown(frames) == [pytest.approx(both, abs=2e-3) for both in expected]
    for number in range(len(whole)):
        rest = list(read_after(source, [Seen.of(whole[number].pixels, whole[number].pts)]))
        assert [(frame.pts, frame.duration) for frame in rest] == [
            (frame.pts, frame.duration) for frame in whole[number + 1 :]
        ]


@pytest.mark.parametrize("times", [WITH_A_GAP, (0, 1, 2, 3, 4, 254), (0, 250, 251, 252, 253)], ids=str)
@pytest.mark.parametrize("name", ["in.mp4", "late.mp4"])
def test_the_last_frame_of_reordered_ones_goes_when_the_film_ends(tmp_path, name, times):
    late = 25 if name == "late.mp4" else 0
    film = Film(times=[time + late for time in times], options=REORDERED)
    path = videos.write(tmp_path / name, film)
    for start in (0, times[-2] / 25):
        last = list(read(probe(path), start=start))[-1]
        assert float(last.seconds) == (times[-1] + late) / 25
        assert last.duration * last.time_base == Fraction(1, 25)
    with Writer(tmp_path / "out.mkv", source=probe(path), width=64, height=48) as writer:
        for frame in read(probe(path)):
            writer.write(frame)
    with av.open(str(tmp_path / "out.mkv")) as container:
        assert container.duration / 1e6 == pytest.approx((times[-1] + 1 + late) / 25)
