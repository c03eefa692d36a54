"""What a file is, and is not: described before it is worked on."""

import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

import videos
from videos import Film
from vidgan.errors import BadVideo
from vidgan.video.probe import ORIENTATIONS, probe


def matrix_of(orientation: int) -> list[int]:
    a, b, c, d = next(key for key, number in ORIENTATIONS.items() if number == orientation)
    return [a * 65536, b * 65536, 0, c * 65536, d * 65536, 0, 0, 0, 1 << 30]


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".avi", ".ts"])
def test_a_plain_video_is_described_without_a_frame_count(tmp_path, suffix):
    source = probe(videos.write(tmp_path / f"a{suffix}", Film(width=80, height=46)))
    assert (source.width, source.height, source.codec) == (80, 46, "h264")
    assert (source.orientation, source.sample_aspect, source.bit_depth) == (1, 1, 8)
    assert source.average_rate == 25
    assert not source.interlaced and source.others == ()


@pytest.mark.parametrize("suffix", [".mkv", ".webm", ".mp4", ".ts"])
@pytest.mark.parametrize("begins", [0, 3, 36_000])
def test_a_film_is_as_long_whatever_its_clock_begins_at(tmp_path, suffix, begins):
    """As recorders and `ffmpeg -f segment` write them; Matroska's header tells where it ends, not how long it is."""
    times = range(begins * 25, begins * 25 + 50)
    codec = {"codec": "libvpx-vp9", "options": {"cpu-used": "8"}} if suffix == ".webm" else {}
    source = probe(videos.write(tmp_path / f"a{suffix}", Film(times=times, **codec)))
    assert source.duration_seconds == pytest.approx(2, abs=0.05)
    assert source.seconds_of(0.5, None) == pytest.approx(1.5, abs=0.05)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_display_matrix_is_read_as_an_exif_orientation(tmp_path, orientation):
    path = videos.write(tmp_path / "a.mp4", Film(display_matrix=matrix_of(orientation)))
    source = probe(path)
    assert source.orientation == orientation
    assert (source.width, source.height) == (64, 48)  # as stored


def test_ninety_degrees_clockwise_is_what_phones_write(tmp_path):
    """FFmpeg's own words for orientation 6: shown, the picture is turned by -90 degrees, counterclockwise."""
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        stream = videos.add_film(container, Film())
        stream.set_display_rotation(-90)
        videos.encode(container, stream, Film())
    assert probe(path).orientation == 6


def test_a_free_angle_in_the_matrix_is_refused(tmp_path):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        stream = videos.add_film(container, Film())
        stream.set_display_rotation(30)
        videos.encode(container, stream, Film())
    with pytest.raises(BadVideo, match="free angle"):
        probe(path)


def test_stretched_pixels_are_told(tmp_path):
    path = videos.write(tmp_path / "a.mp4", Film(sample_aspect=Fraction(64, 45)))
    assert probe(path).sample_aspect == Fraction(64, 45)


def test_depth_and_colours_come_from_the_tags(tmp_path):
    film = Film(pixel_format="yuv422p10le", matrix=9, primaries=9, transfer=16, full_range=False)
    source = probe(videos.write(tmp_path / "a.mkv", film))
    assert source.bit_depth == 10 and source.pixel_format == "yuv422p10le"
    colour = source.colour
    assert (colour.matrix, colour.primaries, colour.transfer) == ("bt2020nc", "bt2020", "smpte2084")
    assert not colour.full_range and colour.assumed == () and colour.is_hdr


@pytest.mark.parametrize(("size", "matrix"), [((640, 480), "smpte170m"), ((1280, 720), "bt709")])
def test_untagged_colours_are_those_of_the_resolution(tmp_path, size, matrix):
    film = Film(width=size[0], height=size[1], times=(0,))
    colour = probe(videos.write(tmp_path / "a.mp4", film)).colour
    assert colour.matrix == matrix and not colour.full_range
    assert set(colour.assumed) == {"matrix", "range"}


def test_full_range_is_seen(tmp_path):
    assert probe(videos.write(tmp_path / "a.mp4", Film(full_range=True))).colour.full_range


def test_company_is_described(tmp_path):
    source = probe(videos.write_in_company(tmp_path / "a.mkv"))
    kinds = [(other.kind, other.codec, other.language) for other in source.others]
    assert kinds[:4] == [
        ("audio", "aac", "eng"),
        ("audio", "aac", "ger"),
        ("subtitle", "subrip", "eng"),
        ("subtitle", "ass", "ger"),
    ]
    assert str(source.others[-1]).startswith("cover picture")


def test_interlace_is_told_by_the_frames(tmp_path):
    film = Film(width=96, height=96, options={"preset": "ultrafast", "x264-params": "tff=1"})
    assert probe(videos.write(tmp_path / "a.mp4", film)).interlaced


def _text(path: Path) -> None:
    path.write_text("not a video at all\n" * 100)


def _cut_before_the_index(path: Path) -> None:
    whole = videos.write(path.with_name("whole.mp4"))
    path.write_bytes(whole.read_bytes()[:3000])


def _sound_only(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=48000)
        stream.layout = "mono"
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 48000, 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _no_frames(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = videos.add_film(container, Film())
        stream.codec_context.open()
        container.start_encoding()


def _concat(path: Path) -> None:
    videos.write(path.with_name("secret.mp4"))
    path.write_text("ffconcat version 1.0\nfile secret.mp4\n")


def _hls(path: Path) -> None:
    videos.write(path.with_name("secret.ts"))
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nsecret.ts\n#EXT-X-ENDLIST\n")


def _dash(path: Path) -> None:
    path.write_text('<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"></MPD>')


def _photo(path: Path) -> None:
    path.write_bytes(videos.png(videos.picture(0, 64, 48)))


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.m3u8", "a.jpg"])
@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda path: None, "does not exist"),
        (Path.mkdir, "folder"),
        (Path.touch, "empty"),
        (os.mkfifo, "ordinary file"),
        (_text, "text"),
        (_hls, "HLS playlist"),
        (_concat, "ffconcat script"),
        (_dash, "XML"),
        (_photo, "picture"),
    ],
)
def test_what_is_no_video_is_refused_under_any_name(tmp_path, name, make, word):
    make(tmp_path / name)
    with pytest.raises(BadVideo, match=word) as caught:
        probe(tmp_path / name)
    assert caught.value.remedy


def test_the_concat_script_of_these_tests_would_open_another_file(tmp_path):
    """Else the refusal above would prove nothing."""
    _concat(tmp_path / "a.mp4")
    with av.open(str(tmp_path / "a.mp4"), options={"protocol_whitelist": "file"}) as container:
        assert container.format.name == "concat" and len(list(container.decode(video=0))) == 10


@pytest.mark.parametrize(
    ("make", "word"),
    [(_cut_before_the_index, "cut off"), (_sound_only, "no video"), (_no_frames, "no (picture|video)")],
)
def test_a_container_without_pictures_is_refused(tmp_path, make, word):
    make(tmp_path / "a.mp4")
    with pytest.raises(BadVideo, match=word):
        probe(tmp_path / "a.mp4")


@pytest.mark.parametrize(
    "name", ["a:b.mp4", "-i.mp4", "%03d.mp4", "http:x.mp4", "concat:a.mp4", "\u00fc \u4e2d.mp4"]
)
def test_names_mean_nothing_but_themselves(tmp_path, name, monkeypatch):
    monkeypatch.chdir(tmp_path)
    videos.write(tmp_path / "plain.mp4").rename(tmp_path / name)
    assert probe(Path(name)).width == 64


def test_more_pixels_than_allowed_are_refused(tmp_path):
    path = videos.write(tmp_path / "a.mp4")
    assert probe(path, max_pixels=64 * 64).width == 64
    with pytest.raises(BadVideo, match="64x48"):
        probe(path, max_pixels=64 * 48 - 1)


def test_transparency_is_refused(tmp_path):
    path = videos.write(tmp_path / "a.mkv", Film(codec="ffv1", pixel_format="yuva420p", options={}))
    with pytest.raises(BadVideo, match="transparent"):
        probe(path)


@pytest.mark.parametrize("matrix", [8, 10, 14])
def test_matrices_that_cannot_be_converted_are_refused(tmp_path, matrix):
    path = videos.write(tmp_path / "a.mkv", Film(matrix=matrix))
    with pytest.raises(BadVideo, match="colours"):
        probe(path)


@pytest.mark.parametrize(
    ("pixel_format", "codec"), [("gray", "libx264"), ("gbrp", "libx265"), ("bgr0", "ffv1")]
)
def test_grey_and_rgb_are_welcome(tmp_path, pixel_format, codec):
    options = {"x265-params": "log-level=none"} if codec == "libx265" else {}
    source = probe(
        videos.write(tmp_path / "a.mkv", Film(codec=codec, pixel_format=pixel_format, options=options))
    )
    assert source.colour.matrix == ("smpte170m" if pixel_format == "gray" else "rgb")
