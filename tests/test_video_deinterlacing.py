"""Frames that were made of two moments become frames of one, wherever reading begins."""

from fractions import Fraction
from pathlib import Path

import av
import av.filter
import numpy as np
import pytest

import videos
from videos import Film
from vidgan.video.probe import probe
from vidgan.video.reader import Seen, read, read_after

TICK = Fraction(1, 25)


def test_interlaced_frames_are_deinterlaced_one_for_one(tmp_path):
    """Two moments woven into a frame make a comb at every edge; it goes, and no frame does."""
    film = Film(width=96, height=96, times=tuple(range(12)), options={"crf": "8", "x264-params": "tff=1"})
    woven = []
    for index in range(12):
        pixels = np.full((96, 96, 3), 40, np.uint8)
        for field in (0, 1):
            left = 10 + 3 * (2 * index + field)
            pixels[field::2, left : left + 12] = 200
        woven.append(pixels)
    path = videos.write(tmp_path / "a.mp4", film, woven)
    said: list[str] = []
    frames = list(read(probe(path), say=said.append))
    assert [frame.seconds for frame in frames] == [Fraction(i, 25) for i in range(12)]
    assert said == [f"{path} is interlaced: its frames are deinterlaced by bwdif"]

    def comb(pixels: np.ndarray) -> float:
        luma = pixels[..., 1].astype(float)
        return float(np.abs(2 * luma[1:-1] - luma[:-2] - luma[2:]).mean())

    assert comb(frames[6].pixels) < 0.2 * comb(woven[6])


def mixed(path: Path, *stretches: tuple[str, int]) -> Path:
    """Stripes and a bar that moves, MPEG-2 in stretches of so many frames: tff for interlaced ones, prog for others."""
    first = 0
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg2video", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        container.start_encoding()
        for mode, count in stretches:
            for packet in coded(mode, first, count):
                packet.stream, packet.time_base = stream, TICK
                container.mux(packet)
            first += count
    return path


def coded(mode: str, first: int, count: int) -> list[av.Packet]:
    coder = av.CodecContext.create("mpeg2video", "w")
    coder.width, coder.height, coder.pix_fmt, coder.framerate, coder.time_base = (
        64,
        64,
        "yuv420p",
        1 / TICK,
        TICK,
    )
    coder.gop_size, coder.max_b_frames, coder.qmin, coder.qmax = 5, 0, 2, 2
    if mode == "tff":
        coder.flags |= 1 << 18 | 1 << 29  # interlaced transforms and motion
    made = []
    for index in range(first, first + count):
        pixels = np.zeros((64, 64, 3), np.uint8)
        pixels[::2] = 220
        pixels[:, 2 * index % 56 :][:, :8] = 120
        picture = flagged(av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format="yuv420p"), mode)
        picture.pts, picture.time_base = index, TICK
        made += coder.encode(picture)
    return [*made, *coder.encode(None)]


def flagged(picture: av.VideoFrame, mode: str) -> av.VideoFrame:
    graph = av.filter.Graph()
    given = graph.add_buffer(
        width=picture.width, height=picture.height, format=picture.format, time_base=TICK
    )
    graph.link_nodes(given, graph.add("setfield", mode=mode), graph.add("buffersink")).configure()
    graph.vpush(picture)
    return graph.vpull()


def test_frames_without_the_flag_are_left_alone_wherever_one_begins(tmp_path):
    source = probe(mixed(tmp_path / "mixed.mkv", ("tff", 20), ("prog", 20)))
    whole = {frame.pts: frame.pixels for frame in read(source)}
    later = {frame.pts: frame.pixels for frame in read(source, start=1.4)}
    assert source.interlaced and len(later) == 5
    for pts, pixels in later.items():
        assert np.array_equal(pixels, whole[pts])
        assert np.abs(np.diff(pixels[..., 1].astype(int), axis=0)).mean() > 100


@pytest.mark.parametrize("last", [3, 7, 12, 17, 22])
def test_it_goes_on_with_the_very_same_frames_where_some_are_interlaced(tmp_path, last):
    """What becomes of an interlaced frame depends on when the first of them was met."""
    source = probe(mixed(tmp_path / "mixed.mkv", ("tff", 5), ("prog", 15), ("tff", 10)))
    whole = list(read(source))
    seen = [Seen.of(frame.pixels, frame.pts) for frame in whole[last - 2 : last + 1]]
    again = list(read_after(source, seen))
    assert [frame.pts for frame in again] == [frame.pts for frame in whole[last + 1 :]]
    for frame, expected in zip(again, whole[last + 1 :], strict=True):
        assert np.array_equal(frame.pixels, expected.pixels), frame.pts
