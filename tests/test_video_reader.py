"""Frames as they are, when they are."""

import shlex
import subprocess
from fractions import Fraction
from importlib.util import find_spec
from itertools import islice, pairwise
from pathlib import Path

import av
import numpy as np
import pytest

import videos
from videos import Film
from vidgan import ffmpeg
from vidgan.errors import BadOption, BadVideo
from vidgan.video.probe import probe
from vidgan.video.reader import Seen, read, read_after

MILLISECONDS = Fraction(1, 1000)


def presented(path: Path) -> list[Fraction]:
    """When each frame of the first video stream is shown, by PyAV."""
    with av.open(str(path)) as container:
        return [frame.pts * container.streams.video[0].time_base for frame in container.decode(video=0)]


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_unequal_times_come_out_as_they_are(tmp_path, suffix):
    film = Film(times=videos.UNEQUAL_TIMES, time_base=MILLISECONDS)
    path = videos.write(tmp_path / f"a{suffix}", film)
    frames = list(read(probe(path)))
    assert [frame.seconds for frame in frames] == [t * MILLISECONDS for t in videos.UNEQUAL_TIMES]


@pytest.mark.parametrize("suffix", [".mkv", ".webm", ".flv", ".ts", ".avi", ".mp4"])
def test_no_container_needs_a_frame_count(tmp_path, suffix):
    codec = "libvpx-vp9" if suffix == ".webm" else "mpeg4" if suffix == ".avi" else "libx264"
    options = {} if codec == "mpeg4" else {"crf": "20"}
    path = videos.write(tmp_path / f"a{suffix}", Film(codec=codec, options=options))
    frames = list(read(probe(path)))
    assert len(frames) == 10
    assert [frame.seconds for frame in frames] == presented(path)


def test_b_frames_come_in_the_order_they_are_shown(tmp_path):
    film = Film(times=tuple(range(20)), options={"crf": "12", "bf": "3", "preset": "medium"})
    frames = list(read(probe(videos.write(tmp_path / "a.mp4", film))))
    assert [frame.seconds for frame in frames] == [Fraction(i, 25) for i in range(20)]
    for index, frame in enumerate(frames):
        assert np.abs(frame.pixels.astype(int) - videos.picture(index, 64, 48)).mean() < 3


@pytest.mark.parametrize(
    ("start", "duration"), [(0.1, None), (0.0, 0.2), (0.25, 0.14), (0.301, 0.02), (0.433, 5.0)]
)
def test_a_part_is_what_is_shown_in_it(tmp_path, start, duration):
    film = Film(times=videos.UNEQUAL_TIMES, time_base=MILLISECONDS)
    path = videos.write(tmp_path / "a.mkv", film)
    end = float("inf") if duration is None else round(1000 * (start + duration), 6)
    wanted = [t for t in videos.UNEQUAL_TIMES if 1000 * start <= t < end]
    if not wanted:
        with pytest.raises(BadVideo, match="no frame"):
            list(read(probe(path), start=start, duration=duration))
        return
    frames = list(read(probe(path), start=start, duration=duration))
    assert [frame.pts for frame in frames] == wanted


def test_avi_without_presentation_times_is_read_in_order(tmp_path):
    """FFmpeg guesses the times of reordered H.264 in AVI wrong: 1, 4, 3, 5, 2, ..."""
    film = Film(times=tuple(range(20)), options={"crf": "12", "bf": "3", "preset": "medium"})
    frames = list(read(probe(videos.write(tmp_path / "a.avi", film))))
    assert [frame.seconds for frame in frames] == [Fraction(i, 25) for i in range(20)]
    for index, frame in enumerate(frames):
        assert np.abs(frame.pixels.astype(int) - videos.picture(index, 64, 48)).mean() < 3


def test_a_part_far_into_a_long_film_is_exact(tmp_path):
    film = Film(times=tuple(range(120)), options={"crf": "20", "g": "30", "bf": "2"})
    source = probe(videos.write(tmp_path / "a.mp4", film))
    frames = list(read(source, start=3.0, duration=0.2))
    assert [frame.seconds for frame in frames] == [Fraction(75 + i, 25) for i in range(5)]
    whole = list(read(source))
    for frame, same in zip(frames, whole[75:80], strict=True):
        np.testing.assert_array_equal(frame.pixels, same.pixels)


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("a.avi", "mpeg4", {"bf": "2", "g": "12"}),
        ("a.avi", "libx264", {"bf": "2", "g": "12", "x264-params": "open-gop=1"}),
        ("a.mpg", "mpeg2video", {"bf": "2", "g": "12"}),
    ],
)
def test_a_part_of_a_file_without_presentation_times_is_that_of_the_whole(tmp_path, name, codec, options):
    film = Film(codec=codec, times=tuple(range(60)), options=options)
    source = probe(videos.write(tmp_path / name, film))
    whole = list(read(source))
    for start in (0.5, 1.52):
        wanted = [frame for frame in whole if float(frame.seconds - whole[0].seconds) >= start]
        found = list(read(source, start=start))
        assert [frame.pts for frame in found] == [frame.pts for frame in wanted]
        assert all(map(np.array_equal, (f.pixels for f in found), (f.pixels for f in wanted)))
        after = list(read_after(source, [Seen.of(wanted[0].pixels, wanted[0].pts)]))
        assert [frame.pts for frame in after] == [frame.pts for frame in wanted[1:]]


def damaged_at(frame: int, path: Path) -> Path:
    """An AVI of thirty frames, one of which is nothing but zeros."""
    film = Film(codec="mjpeg", pixel_format="yuvj420p", times=tuple(range(30)), options={})
    videos.write(path, film)
    with av.open(str(path)) as container:
        places = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    data = bytearray(path.read_bytes())
    begin, size = places[frame]
    data[begin : begin + size] = bytes(size)
    path.write_bytes(data)
    return path


def test_a_damaged_packet_of_an_avi_moves_no_other_frame(tmp_path):
    path = damaged_at(10, tmp_path / "a.avi")
    said: list[str] = []
    frames = list(read(probe(path), say=said.append))
    assert [frame.seconds * 25 for frame in frames] == [*range(10), *range(11, 30)]
    assert any("1 damaged packet could" in line for line in said)


def test_damage_in_a_part_is_said_and_not_that_beyond_it(tmp_path):
    path = damaged_at(10, tmp_path / "a.avi")
    said: list[str] = []
    assert len(list(read(probe(path), duration=0.8, say=said.append))) == 19
    assert len(said) == 1 and "1 damaged packet could not be decoded, the first at 0.40 s" in said[0]
    said.clear()
    for part in ({"duration": 0.2}, {"start": 0.8}, {"start": 0.6, "duration": 0.2}):
        assert list(read(probe(path), say=said.append, **part))
        assert said == []


@pytest.mark.parametrize(("start", "duration"), [(-1.0, None), (0.0, 0.0), (0.0, -2.0), (float("nan"), None)])
def test_impossible_parts_are_refused(tmp_path, start, duration):
    source = probe(videos.write(tmp_path / "a.mp4"))
    with pytest.raises(BadOption):
        list(read(source, start=start, duration=duration))


def test_frames_come_one_by_one(tmp_path):
    """The first frame is there before the last is decoded: a damaged end does not matter to it."""
    path = videos.write(tmp_path / "a.mkv", Film(times=tuple(range(200))))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    assert [frame.pts for frame in islice(read(probe(path)), 3)] == [0, 40, 80]


# H.273 by hand: red in BT.709 has luma 0.2126, Cb = (0 - 0.2126) / 1.8556, Cr = (1 - 0.2126) / 1.5748.
RED = {
    (1, False): (16 + 219 * 0.2126, 128 - 224 * 0.2126 / 1.8556, 128 + 224 * 0.5),
    (1, True): (255 * 0.2126, 128 - 255 * 0.2126 / 1.8556, 255),
    (6, False): (16 + 219 * 0.299, 128 - 224 * 0.299 / 1.772, 128 + 224 * 0.5),
    (6, True): (255 * 0.299, 128 - 255 * 0.299 / 1.772, 255),
    (9, False): (16 + 219 * 0.2627, 128 - 224 * 0.2627 / 1.8814, 128 + 224 * 0.5),
    (9, True): (255 * 0.2627, 128 - 255 * 0.2627 / 1.8814, 255),
}


@pytest.mark.parametrize("depth", [8, 10])
@pytest.mark.parametrize(("matrix", "full_range"), RED)
def test_red_is_red_in_every_matrix_and_range(tmp_path, matrix, full_range, depth):
    film = Film(
        times=(0, 1), codec="ffv1", options={}, matrix=matrix, full_range=full_range,
        pixel_format="yuv420p" if depth == 8 else "yuv420p10le",
    )  # fmt: skip
    path = tmp_path / "red.mkv"
    scale = 2 ** (depth - 8)
    with av.open(str(path), "w") as container:
        stream = videos.add_film(container, film)
        for time in film.times:
            frame = av.VideoFrame(64, 48, film.pixel_format)
            for plane, value in zip(frame.planes, RED[matrix, full_range], strict=True):
                samples = np.frombuffer(memoryview(plane), np.uint8 if depth == 8 else np.uint16)
                samples[:] = min(round(value * scale), 2**depth - 1)
            frame.pts, frame.time_base = time, film.time_base
            frame.colorspace, frame.color_range = matrix, 2 if full_range else 1
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    frame = next(read(probe(path)))
    assert frame.pixels.dtype == (np.uint8 if depth == 8 else np.uint16)
    top = 255 if depth == 8 else 65535
    wanted = np.array([top, 0, 0])
    assert np.abs(frame.pixels.astype(int) - wanted).max() <= 2.5 * top / 255


def test_a_cut_off_file_gives_what_it_holds_and_says_so(tmp_path):
    path = videos.write(tmp_path / "a.mkv", Film(times=tuple(range(100))))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    said: list[str] = []
    frames = list(read(probe(path), say=said.append))
    assert 20 < len(frames) < 90
    assert len(said) == 1 and "cut off" in said[0]


def test_an_mp4_that_lost_its_pictures_says_so(tmp_path):
    """Index first, as for the web, and then cut in the pictures."""
    film, path = Film(times=tuple(range(100))), tmp_path / "a.mp4"
    with av.open(str(path), "w", container_options={"movflags": "faststart"}) as container:
        videos.encode(container, videos.add_film(container, film), film)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    said: list[str] = []
    frames = list(read(probe(path), say=said.append))
    assert 20 < len(frames) < 90
    assert any("cut off" in line for line in said)


def test_noise_in_the_middle_is_reported_and_the_rest_is_read(tmp_path):
    path = videos.write(tmp_path / "a.mkv", Film(times=tuple(range(100)), options={"crf": "12", "g": "10"}))
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 600] = bytes(600)
    path.write_bytes(data)
    said: list[str] = []
    frames = list(read(probe(path), say=said.append))
    assert len(frames) > 60 and frames[-1].pts == 3960
    assert any("damaged" in line for line in said)


def test_a_film_that_changes_its_size_is_refused(tmp_path):
    path = tmp_path / "a.ts"
    for number, width in enumerate((64, 96)):
        film = Film(width=width, times=tuple(range(10 * number, 10 * number + 10)))
        videos.write(tmp_path / f"{number}.ts", film)
    path.write_bytes((tmp_path / "0.ts").read_bytes() + (tmp_path / "1.ts").read_bytes())
    with pytest.raises(BadVideo, match="64x48 yuv420p to 96x48"):
        list(read(probe(path)))


def test_a_file_that_was_exchanged_meanwhile_is_noticed(tmp_path):
    source = probe(videos.write(tmp_path / "a.mkv"))
    videos.write(tmp_path / "a.mkv", Film(width=96))
    with pytest.raises(BadVideo):
        list(read(source))


def follow_advice(remedy: str, path: Path) -> None:
    """Run the command that an error gives, in the folder of `path`."""
    names = {"IN": path.name, "OUT": "OUT.mp4"}
    words = [names.get(word, word) for word in shlex.split(remedy[remedy.index("ffmpeg ") :])]
    command = [ffmpeg.program(), "-v", "fatal", "-nostdin", *words[1:]]
    subprocess.run(command, cwd=path.parent, check=True)


needs_ffmpeg = pytest.mark.skipif(not find_spec("imageio_ffmpeg"), reason="no ffmpeg")
WITH_B_FRAMES = {"preset": "medium", "bf": "2", "x264-params": "b-adapt=0"}


@needs_ffmpeg
@pytest.mark.parametrize("options", [{"bf": "0"}, WITH_B_FRAMES], ids=["in order", "B-frames"])
def test_a_film_that_changes_size_can_be_split_as_the_error_says(tmp_path, options):
    sizes = (64, 48), (96, 64)
    parts = [
        videos.write(
            tmp_path / f"{number}.ts",
            Film(width=size[0], height=size[1], times=range(20 * number, 20 * number + 20), options=options),
        )
        for number, size in enumerate(sizes)
    ]
    (tmp_path / "in.ts").write_bytes(b"".join(part.read_bytes() for part in parts))
    with pytest.raises(BadVideo, match="changes from 64x48 yuv420p to 96x64") as changed:
        list(read(probe(tmp_path / "in.ts")))
    follow_advice(changed.value.remedy, tmp_path / "in.ts")
    for number, (width, height) in enumerate(sizes):
        frames = list(read(probe(tmp_path / f"PART{number}.mkv")))
        assert [frame.pixels.shape for frame in frames] == [(height, width, 3)] * 20


@needs_ffmpeg
@pytest.mark.parametrize(("suffix", "codec", "header"), [
    ("ts", "libx264", 0), ("mpg", "mpeg2video", 0), ("flv", "flv", 13)
])  # fmt: skip
def test_a_clock_that_jumps_back_can_be_mended_as_the_error_says(tmp_path, suffix, codec, header):
    film = Film(codec=codec, times=range(40), options={})
    part = videos.write(tmp_path / f"part.{suffix}", film).read_bytes()
    (tmp_path / f"in.{suffix}").write_bytes(part + part[header:])
    with pytest.raises(BadVideo, match="jumps back") as reset:
        list(read(probe(tmp_path / f"in.{suffix}")))
    follow_advice(reset.value.remedy, tmp_path / f"in.{suffix}")
    seconds = [frame.seconds for frame in read(probe(tmp_path / "OUT.mkv"))]
    steps = [later - sooner for sooner, later in pairwise(seconds)]
    assert steps == [Fraction(1, 25)] * 79


@needs_ffmpeg
def test_a_film_whose_clock_is_counted_anew_where_its_size_changes_can_be_split_in_two_steps(tmp_path):
    """Recordings that were put behind each other as they are."""
    for number, size in enumerate([(64, 48), (96, 64)]):
        videos.write(tmp_path / f"{number}.ts", Film(width=size[0], height=size[1], times=range(40)))
    (tmp_path / "in.ts").write_bytes(b"".join((tmp_path / f"{number}.ts").read_bytes() for number in (0, 1)))
    with pytest.raises(BadVideo, match="jumps back") as reset:
        list(read(probe(tmp_path / "in.ts")))
    follow_advice(reset.value.remedy, tmp_path / "in.ts")
    with pytest.raises(BadVideo, match="changes from 64x48 yuv420p to 96x64") as changed:
        list(read(probe(tmp_path / "OUT.mkv")))
    follow_advice(changed.value.remedy, tmp_path / "OUT.mkv")
    assert [len(list(read(probe(tmp_path / f"PART{number}.mkv")))) for number in (0, 1)] == [40, 40]


@needs_ffmpeg
@pytest.mark.parametrize(("suffix", "codec"), [("mov", "png"), ("webm", "libvpx-vp9")])
def test_a_transparent_film_can_be_laid_over_black_as_the_error_says(tmp_path, suffix, codec):
    path = tmp_path / f"in.{suffix}"
    red = "color=red:size=64x48:rate=25:duration=0.2,format=rgba,colorchannelmixer=aa=0.3,format=yuva420p"
    command = [ffmpeg.program(), "-v", "fatal", "-nostdin", "-f", "lavfi", "-i", red, "-c:v", codec]
    subprocess.run([*command, str(path)], check=True)
    with pytest.raises(BadVideo, match="transparent") as seen_through:
        probe(path)
    follow_advice(seen_through.value.remedy, path)
    for frame in read(probe(tmp_path / "OUT.mp4")):
        assert frame.pixels.mean(axis=(0, 1)) == pytest.approx([0.3 * 255, 0, 0], abs=6)


def test_pixels_that_change_their_shape_on_the_way_are_said(tmp_path):
    path = tmp_path / "in.ts"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg2video", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        container.start_encoding()
        for first, aspect in ((0, Fraction(4, 3)), (20, Fraction(1))):
            coder = av.CodecContext.create("mpeg2video", "w")
            coder.width, coder.height, coder.pix_fmt, coder.time_base = 64, 64, "yuv420p", Fraction(1, 25)
            coder.framerate, coder.gop_size, coder.max_b_frames = Fraction(25), 5, 0
            coder.sample_aspect_ratio = aspect
            made = []
            for index in range(first, first + 20):
                picture = av.VideoFrame(64, 64, "yuv420p")
                picture.pts, picture.time_base = index, Fraction(1, 25)
                made += coder.encode(picture)
            for packet in [*made, *coder.encode(None)]:
                packet.stream, packet.time_base = stream, Fraction(1, 25)
                container.mux(packet)
    said: list[str] = []
    assert len(list(read(probe(path), say=said.append))) == 40
    assert [line for line in said if "change their shape" in line] == [
        f"{path}: its pixels change their shape on the way; 4/3 counts for all"
    ]
