"""What goes in comes out: times, colours, turns, and nothing half-written."""

import subprocess
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

import videos
from videos import Film
from vidgan import video
from vidgan.errors import BadOutput
from vidgan.frame import Frame
from vidgan.video.probe import ORIENTATIONS

MILLISECONDS = Fraction(1, 1000)
LOSSLESS = video.Encoding(codec="ffv1")


def copy(
    source_path: Path, path: Path, *, start: float = 0.0, duration: float | None = None, **asked
) -> list[str]:
    """The identity: read, and write at the same size. What was said."""
    source, said = video.probe(source_path), []
    size = {"width": source.width, "height": source.height}
    part = {"start": start, "duration": duration}
    with video.Writer(path, source=source, say=said.append, **size, **part, **asked) as writer:
        for frame in video.read(source, say=said.append, **part):
            writer.write(frame)
    return said


def presented(path: Path) -> list[Fraction]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return [frame.pts * stream.time_base for frame in container.decode(stream)]


def planes(path: Path) -> list[list[np.ndarray]]:
    """Every frame's samples, as they are stored."""
    with av.open(str(path)) as container:
        decoded = list(container.decode(video=0))
    kind = np.uint16 if decoded[0].format.components[0].bits > 8 else np.uint8
    return [
        [
            np.frombuffer(memoryview(p), kind).reshape(p.height, -1)[:, : p.width].astype(int)
            for p in frame.planes
        ]
        for frame in decoded
    ]


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm"])
@pytest.mark.parametrize(
    ("times", "tick"),
    [
        (videos.UNEQUAL_TIMES, MILLISECONDS),
        (tuple(range(7, 19)), Fraction(1, 25)),  # starts late
        ((0, 1, 2, 3, 5, 6, 10), Fraction(1, 50)),  # drops frames
    ],
)
def test_times_come_out_exactly_where_the_container_can_hold_them(tmp_path, suffix, times, tick):
    path = videos.write(tmp_path / "in.mkv", Film(times=times, time_base=tick))
    said = copy(path, tmp_path / f"out{suffix}")
    assert presented(tmp_path / f"out{suffix}") == presented(path) == [t * tick for t in times]
    assert said == []


def test_ntsc_times_are_exact_in_mp4_and_rounded_once_in_matroska(tmp_path):
    film = Film(times=tuple(range(30)), time_base=Fraction(1001, 30000), rate=Fraction(30000, 1001))
    path = videos.write(tmp_path / "in.mp4", film)
    exact = [i * Fraction(1001, 30000) for i in range(30)]
    assert copy(path, tmp_path / "out.mp4") == []
    assert presented(tmp_path / "out.mp4") == exact
    said = copy(path, tmp_path / "out.mkv")
    assert said == ["frame times are rounded to the nearest 1/1000 s, as .mkv counts"]
    for rounded, time in zip(presented(tmp_path / "out.mkv"), exact, strict=True):
        assert abs(rounded - time) <= MILLISECONDS / 2


def test_the_last_frame_is_shown_as_long_as_it_was(tmp_path):
    path = tmp_path / "in.mp4"
    film = Film(times=(0, 40, 200), time_base=MILLISECONDS)
    with av.open(str(path), "w") as container:
        stream = videos.add_film(container, film)
        stream.codec_context.flags |= av.codec.context.Flags.frame_duration
        for time, length in zip(film.times, (40, 160, 700), strict=True):
            frame = videos.to_yuv(videos.picture(0, 64, 48), film, time)
            frame.duration = length
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    copy(path, tmp_path / "out.mp4")
    assert float(video.probe(tmp_path / "out.mp4").duration_seconds) == pytest.approx(0.9, abs=0.002)


def test_avi_holds_even_times_and_refuses_others(tmp_path):
    path = videos.write(tmp_path / "even.mp4")
    copy(path, tmp_path / "out.avi")
    assert presented(tmp_path / "out.avi") == presented(path)
    film = Film(times=videos.UNEQUAL_TIMES, time_base=MILLISECONDS)
    path = videos.write(tmp_path / "uneven.mp4", film)
    before = left_in(tmp_path)
    with pytest.raises(BadOutput, match="evenly") as caught:
        copy(path, tmp_path / "bad.avi")
    assert ".mkv" in caught.value.remedy
    assert left_in(tmp_path) == before


def test_avi_says_no_colours_and_gets_those_it_is_taken_for(tmp_path):
    path = videos.write(tmp_path / "in.mkv", Film(matrix=1, full_range=True))
    copy(path, tmp_path / "out.avi")
    difference = video.decode_all(tmp_path / "out.avi").astype(int) - video.decode_all(path)
    assert np.abs(difference).mean() < 3


def test_avi_begins_with_its_first_frame(tmp_path):
    path = videos.write(tmp_path / "in.mkv", Film(times=tuple(range(3, 13))))
    copy(path, tmp_path / "out.avi")
    assert presented(tmp_path / "out.avi") == [Fraction(i, 25) for i in range(10)]


def test_a_part_starts_at_its_own_zero(tmp_path):
    path = videos.write(tmp_path / "in.mp4", Film(times=tuple(range(50)), options={"crf": "20", "bf": "2"}))
    copy(path, tmp_path / "out.mp4", start=0.7, duration=0.5)
    # 0.7 s is 17.5 frames: the first frame in it is the 18th, 0.02 s later
    assert presented(tmp_path / "out.mp4") == [Fraction(i, 25) + Fraction(1, 50) for i in range(12)]


def test_a_transport_stream_starts_at_zero_in_mp4(tmp_path):
    path = videos.write(tmp_path / "in.ts", Film(times=tuple(range(100, 110))))
    origin = presented(path)[0]
    assert origin == 4
    copy(path, tmp_path / "out.mp4")
    assert presented(tmp_path / "out.mp4") == [time - origin for time in presented(path)]


@pytest.mark.parametrize(
    ("suffix", "orientation"),
    [*((".mp4", number) for number in range(2, 9)), (".mov", 8), (".mkv", 6), (".mkv", 5), (".webm", 6)],
)
def test_an_orientation_that_is_kept_is_written(tmp_path, suffix, orientation):
    path = videos.write(tmp_path / "in.mp4", Film(times=(0, 1)))
    out = tmp_path / f"out{suffix}"
    copy(path, out, orientation=orientation)
    assert video.probe(out).orientation == orientation


def test_an_upright_output_carries_no_matrix(tmp_path):
    a, b, c, d = next(key for key, number in ORIENTATIONS.items() if number == 6)
    matrix = [a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30]
    path = videos.write(tmp_path / "in.mp4", Film(display_matrix=matrix))
    source = video.probe(path)
    assert source.orientation == 6
    with video.Writer(tmp_path / "out.mp4", source=source, width=48, height=64) as writer:
        for frame in video.read(source):
            turned = np.rot90(frame.pixels, -1)
            writer.write(Frame(pixels=turned, pts=frame.pts, duration=0, time_base=frame.time_base))
    assert video.probe(tmp_path / "out.mp4").orientation == 1
    difference = video.decode_all(tmp_path / "out.mp4").astype(int) - video.decode_all(path)
    assert np.abs(difference).mean() < 3


def test_a_pixel_aspect_is_written_or_refused(tmp_path):
    path = videos.write(tmp_path / "in.mp4", Film(sample_aspect=Fraction(4, 3)))
    for suffix in (".mp4", ".mkv", ".avi"):
        copy(path, tmp_path / f"out{suffix}", sample_aspect=Fraction(4, 3))
        assert video.probe(tmp_path / f"out{suffix}").sample_aspect == Fraction(4, 3)
    with pytest.raises(BadOutput, match="stretched"):
        copy(path, tmp_path / "out.webm", sample_aspect=Fraction(4, 3))


@pytest.mark.parametrize("chroma", ["420", "422", "444"])
@pytest.mark.parametrize("depth", [8, 10])
@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("matrix", [1, 6, 9])
def test_the_identity_keeps_every_sample_within_one_code_value(tmp_path, matrix, full_range, depth, chroma):
    name = f"yuv{chroma}p" + ("10le" if depth == 10 else "")
    film = Film(
        times=(0, 1), codec="ffv1", options={}, pixel_format=name, matrix=matrix, full_range=full_range
    )
    frames = [smooth(64, 48, seed) for seed in range(2)]
    path = videos.write(tmp_path / "in.mkv", film, frames if depth == 10 else [f // 257 for f in frames])
    # For 8 bits the encoder's own loss counts too; at 10 bits it would be larger than a code value.
    encoding = LOSSLESS if depth == 10 else video.Encoding(codec="h264", crf=1, preset="medium")
    copy(path, tmp_path / "out.mkv", encoding=encoding)
    written = video.probe(tmp_path / "out.mkv")
    assert written.pixel_format == name or written.pixel_format == name.replace("yuv", "yuvj")
    assert written.colour.full_range == full_range and written.colour.assumed == ()
    for before, after in zip(planes(path), planes(tmp_path / "out.mkv"), strict=True):
        for plane, same in zip(before, after, strict=True):
            assert np.abs(plane - same).mean() < 1


def smooth(width: int, height: int, seed: int) -> np.ndarray:
    """(H, W, 3) uint16: soft colours inside the gamut, as pictures are."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width] / 16
    waves = [0.5 + 0.3 * np.sin(rng.uniform(0, 6) + a * x + b * y) for a, b in rng.uniform(0.2, 1, (3, 2))]
    return (np.stack(waves, axis=-1) * 65535).astype(np.uint16) // 257 * 257


def test_ten_bits_become_hevc_of_ten_bits(tmp_path):
    film = Film(width=96, height=64, pixel_format="yuv420p10le", times=(0, 1, 2))
    path = videos.write(tmp_path / "in.mkv", film, [smooth(96, 64, i) for i in range(3)])
    assert copy(path, tmp_path / "out.mp4") == []
    written = video.probe(tmp_path / "out.mp4")
    assert (written.codec, written.bit_depth) == ("hevc", 10)
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.streams.video[0].codec_context.codec_tag == "hvc1"
    # 10 bits through the network: more levels than 8 bits have
    assert len(np.unique(next(video.read(written)).pixels[..., 1])) > 256


LIGHT = (
    "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50):max-cll=1000,400"
)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm"])
def test_hdr_keeps_its_depth_tags_and_light(tmp_path, suffix):
    film = Film(
        width=96, height=64, times=(0, 1, 2), codec="libx265", pixel_format="yuv420p10le", matrix=9, primaries=9,
        transfer=16, full_range=False, options={"x265-params": f"log-level=none:{LIGHT}"},
    )  # fmt: skip
    path = videos.write(tmp_path / "in.mkv", film)
    before = video.probe(path).colour
    assert before.is_hdr and before.mastering is not None and before.light_level == (1000, 400)
    copy(path, tmp_path / f"out{suffix}")
    written = video.probe(tmp_path / f"out{suffix}")
    assert written.bit_depth == 10
    assert written.colour == before


def test_hdr_into_eight_bits_is_refused(tmp_path):
    film = Film(pixel_format="yuv420p10le", matrix=9, primaries=9, transfer=16)
    path = videos.write(tmp_path / "in.mkv", film)
    with pytest.raises(BadOutput, match="HDR"):
        copy(path, tmp_path / "out.mp4", encoding=video.Encoding(codec="mpeg4"))


def test_a_coarser_codec_says_what_it_loses(tmp_path):
    path = videos.write(tmp_path / "in.mkv", Film(pixel_format="yuv444p10le"))
    said = copy(path, tmp_path / "out.mp4", encoding=video.Encoding(codec="mpeg4"))
    assert len(said) == 3 or len(said) == 2
    assert "10 bits are written as 8" in said[0] and "yuv444p10le is written as yuv420p" in said[1]


@pytest.mark.parametrize(
    ("codec", "suffix", "size"),
    [("h264", ".mp4", (2, 2)), ("hevc", ".mkv", (2, 2)), ("vp9", ".webm", (1, 1)), ("ffv1", ".mkv", (1, 1))],
)
def test_the_size_multiple_is_just_enough(tmp_path, codec, suffix, size):
    path = videos.write(tmp_path / "in.mp4", Film(width=64, times=(0, 1)))
    source, encoding = video.probe(path), video.Encoding(codec=codec)
    out = tmp_path / f"out{suffix}"
    assert video.size_multiple(out, encoding, source) == size
    width, height = 67 // size[0] * size[0], 67 // size[1] * size[1]
    with video.Writer(out, source=source, width=width, height=height, encoding=encoding) as writer:
        for frame in video.read(source):
            pixels = videos.picture(0, width, height)
            writer.write(Frame(pixels=pixels, pts=frame.pts, duration=0, time_base=frame.time_base))
    assert video.decode_all(out).shape == (2, height, width, 3)


@pytest.mark.parametrize("count", [1, 2])
def test_a_film_shorter_than_x265_delays_is_decoded_when_it_is_shown(tmp_path, count):
    path = videos.write(tmp_path / "in.mp4", Film(width=96, height=64, times=range(count)))
    for number in range(10):  # x265 leaves these times to what the memory holds
        out = tmp_path / f"{number}.mov"  # which keeps them, and no absurd ones
        copy(path, out, encoding=video.Encoding(codec="hevc"))
        with av.open(str(out)) as file:
            times = [(packet.pts, packet.dts) for packet in file.demux(video=0) if packet.size]
        assert times == [(0, 0), (512, 512)][:count]


@pytest.mark.parametrize("codec", ["h264", "hevc", "av1", "vp9", "mpeg4", "ffv1", "prores"])
def test_every_codec_writes_what_can_be_read(tmp_path, codec):
    path = videos.write(tmp_path / "in.mp4", Film(width=96, height=64))
    copy(path, tmp_path / "out.mkv", encoding=video.Encoding(codec=codec))
    assert video.probe(tmp_path / "out.mkv").codec == codec
    difference = video.decode_all(tmp_path / "out.mkv").astype(int) - video.decode_all(path)
    assert np.abs(difference).mean() < 3


def test_ffmpeg_itself_shows_the_output_as_we_do(tmp_path):
    """The program, not the library: it turns frames by their matrix and reads colours by their tags."""
    imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg")
    path = videos.write(tmp_path / "in.mkv", Film(matrix=1, full_range=True))
    copy(path, tmp_path / "out.mp4", orientation=6)
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(tmp_path / "out.mp4")]
    command += ["-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    shown = subprocess.run(command, capture_output=True, check=True).stdout
    frames = np.frombuffer(shown, np.uint8).reshape(10, 64, 48, 3)
    assert np.abs(frames.astype(int) - video.decode_all(tmp_path / "out.mp4")).mean() < 3


@pytest.mark.parametrize(("codec", "width", "height", "remedy"), [
    ("av1", 2, 2, "--codec h264"), ("av1", 66, 16, "--codec h264"), ("av1", 16, 8706, "--codec h264"),
    ("hevc", 48, 64, "--codec h264"), ("hevc", 12000, 16, "--codec h264"),
    ("h264", 16386, 16, "--codec vp9"), ("mpeg4", 8192, 16, "--codec h264"),
])  # fmt: skip
def test_a_size_that_an_encoder_cannot_take_is_refused_before_any_work(
    tmp_path, codec, width, height, remedy
):
    film = Film(width=width, height=height, times=range(2), codec="ffv1", options={})
    path = videos.write(tmp_path / "in.mkv", film)
    encoding = video.Encoding(codec=codec)
    with pytest.raises(BadOutput, match=f"{codec} takes pictures from .* not {width}x{height}") as refused:
        copy(path, tmp_path / "out.mkv", encoding=encoding)
    assert remedy in refused.value.remedy
    other = video.Encoding(codec=remedy.split()[-1])  # which is true advice
    copy(path, tmp_path / "out.mkv", encoding=other)
    assert len(presented(tmp_path / "out.mkv")) == 2


@pytest.mark.parametrize(("codec", "width", "height"), [
    ("av1", 32, 32), ("av1", 1024, 32), ("hevc", 64, 32), ("hevc", 6000, 32), ("h264", 2, 2),
    ("mpeg4", 8190, 2), ("vp9", 1, 1),
])  # fmt: skip
def test_the_least_and_longest_pictures_that_an_encoder_takes_are_written(tmp_path, codec, width, height):
    pixel_format = "yuv444p" if width == 1 else "yuv420p"
    film = Film(
        width=width, height=height, times=range(4), codec="ffv1", options={}, pixel_format=pixel_format
    )
    path = videos.write(tmp_path / "in.mkv", film, [np.full((height, width, 3), 90, np.uint8)] * 4)
    copy(path, tmp_path / "out.mkv", encoding=video.Encoding(codec=codec))
    assert len(presented(tmp_path / "out.mkv")) == 4


@pytest.mark.parametrize(
    ("suffix", "codec"), [(".mov", "prores"), (".mkv", "prores"), (".mp4", "mpeg4"), (".mkv", "ffv1")]
)
def test_full_range_is_kept_or_made_limited_where_nothing_could_say_it(tmp_path, suffix, codec):
    grey = [np.full((64, 64, 3), value, np.uint8) for value in (6, 129, 251)]
    film = Film(width=64, height=64, times=(0, 1, 2), full_range=True, options={"crf": "4"})
    out = tmp_path / f"out{suffix}"
    copy(videos.write(tmp_path / "in.mp4", film, grey), out, encoding=video.Encoding(codec=codec))
    frames = [frame.pixels for frame in video.read(video.probe(out))]
    codes = [pixels.mean() / (np.iinfo(pixels.dtype).max / 255) for pixels in frames]
    assert codes == pytest.approx([6, 129, 251], abs=2)
