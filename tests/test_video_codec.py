"""Clips through real codecs in memory, and files as arrays."""

from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

import videos
from videos import Film
from vidgan.errors import BadOption, BadVideo
from vidgan.video.codec import compress, decode_all, in_eight_bits, turn_upright
from vidgan.video.probe import ORIENTATIONS

CODECS = ["h264", "hevc", "mpeg4", "mpeg2", "vp9"]


def clip(num_frames: int = 5, width: int = 64, height: int = 48) -> np.ndarray:
    return np.stack([videos.picture(i, width, height) for i in range(num_frames)])


def error(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.abs(first.astype(int) - second).mean())


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize(("height", "width"), [(32, 32), (33, 47), (17, 64), (48, 40)])
def test_any_size_comes_back_as_it_went_in(codec, height, width):
    frames = clip(3, width, height)
    damaged = compress(frames, codec=codec, crf=4)
    assert damaged.shape == frames.shape and damaged.dtype == np.uint8
    assert 0 < error(damaged, frames) < 8


@pytest.mark.parametrize(
    ("codec", "good", "bad"),
    [("h264", 15, 45), ("hevc", 15, 45), ("mpeg4", 2, 31), ("mpeg2", 2, 31), ("vp9", 15, 60)],
)
def test_a_worse_quality_harms_more(codec, good, bad):
    frames = clip()
    fine, coarse = (error(compress(frames, codec=codec, crf=crf), frames) for crf in (good, bad))
    assert fine < coarse


def test_frames_stay_in_order_where_the_codec_reorders_them():
    frames = np.stack([np.full((32, 32, 3), 20 * i, np.uint8) for i in range(12)])
    damaged = compress(frames, codec="h264", crf=10, preset="medium")
    assert np.abs(damaged.mean(axis=(1, 2, 3)) - 20 * np.arange(12)).max() < 3


@pytest.mark.parametrize("codec", CODECS)
def test_one_frame_is_a_clip(codec):
    assert compress(clip(1), codec=codec, bit_rate=100_000).shape == (1, 48, 64, 3)


def test_an_unknown_codec_is_refused_with_the_known_ones():
    with pytest.raises(BadOption) as caught:
        compress(clip(1), codec="h266", crf=20)
    assert "h264" in caught.value.remedy


@pytest.mark.parametrize("orientation", range(1, 9))
def test_upright_is_what_ffmpeg_turns_it_to(tmp_path, orientation):
    """Against FFmpeg's own filters, which follow the meaning of EXIF's numbers."""
    filters = {
        2: "hflip",
        3: "hflip,vflip",
        4: "vflip",
        5: "transpose=0",
        6: "transpose=1",
        7: "transpose=3",
        8: "transpose=2",
    }
    pixels = videos.picture(0, 48, 32)
    graph = av.filter.Graph()
    nodes = [
        graph.add_buffer(
            width=48, height=32, format=av.VideoFormat("rgb24", 48, 32), time_base=Film().time_base
        )
    ]
    for name in filters.get(orientation, "null").split(","):
        word, _, argument = name.partition("=")
        nodes.append(graph.add(word, argument or None))
    nodes.append(graph.add("buffersink"))
    graph.link_nodes(*nodes).configure()
    graph.vpush(av.VideoFrame.from_ndarray(pixels, format="rgb24"))
    np.testing.assert_array_equal(turn_upright(pixels, orientation), graph.vpull().to_ndarray(format="rgb24"))


@pytest.mark.parametrize("orientation", [1, 3, 6, 7])
def test_videos_are_decoded_upright(tmp_path, orientation):
    a, b, c, d = next(key for key, number in ORIENTATIONS.items() if number == orientation)
    matrix = [a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30]
    path = videos.write(tmp_path / "a.mp4", Film(display_matrix=matrix))
    frames = decode_all(path, limit=3)
    wanted = np.stack([turn_upright(videos.picture(i, 64, 48), orientation) for i in range(3)])
    assert frames.shape == wanted.shape and error(frames, wanted) < 3


def test_deep_videos_are_decoded_to_eight_bits(tmp_path):
    path = videos.write(tmp_path / "a.mkv", Film(pixel_format="yuv420p10le"))
    frames = decode_all(path)
    assert frames.dtype == np.uint8 and error(frames, clip(10)) < 3


def test_sixteen_bits_become_the_nearest_of_eight():
    """A ramp through all codes: every multiple of 257 comes back, and none is darker than it was in the mean."""
    ramp = np.arange(65536, dtype=np.uint16)
    found = in_eight_bits(ramp)
    assert found.dtype == np.uint8 and np.array_equal(found, np.rint(ramp / 257))
    assert np.array_equal(in_eight_bits(found), found)


@pytest.mark.parametrize(
    ("name", "codec", "pixel_format"),
    [("a.png", "png", "rgb24"), ("a.jpg", "mjpeg", "yuvj444p"), ("a.webp", "libwebp", "yuv420p")],
)
def test_photos_are_one_frame(tmp_path, name, codec, pixel_format):
    pixels = videos.picture(0, 64, 48)
    context = av.CodecContext.create(codec, "w")
    context.width, context.height, context.pix_fmt = 64, 48, pixel_format
    context.time_base, context.options = (
        Film().time_base,
        {"qmin": "1", "qmax": "1"} if codec == "mjpeg" else {},
    )
    frame = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format=pixel_format, dst_colorspace=5)
    packets = context.encode(frame) + context.encode(None)
    (tmp_path / name).write_bytes(b"".join(bytes(packet) for packet in packets))
    photo = decode_all(tmp_path / name)
    assert photo.shape == (1, 48, 64, 3)
    assert error(photo[0], pixels) < (0.1 if codec == "png" else 5)


def test_a_damaged_photo_is_refused(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(b"\xff\xd8\xff" + bytes(200))
    with pytest.raises(BadVideo, match="damaged"):
        decode_all(path)


@pytest.mark.shared
def test_every_training_photo_and_clip_can_be_decoded(shared: Path):
    for path in sorted((shared / "data/train/photos").iterdir())[:5]:
        assert decode_all(path).shape == (1, 480, 480, 3)
    for path in sorted((shared / "data/train/clips").iterdir())[:2]:
        assert decode_all(path, limit=2).shape[0] == 2


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_a_photo_with_a_camera_s_notes_is_read_upright(tmp_path, suffix):
    """FFmpeg hands EXIF on in a kind that PyAV does not list."""
    notes = Image.Exif()
    notes[0x010F], notes[0x0112] = "a maker", 6  # to be turned clockwise
    pixels = np.zeros((32, 48, 3), np.uint8)
    pixels[:, :8] = 200  # the left side as stored, and so the top
    Image.fromarray(pixels).save(tmp_path / f"a{suffix}", exif=notes)
    (found,) = decode_all(tmp_path / f"a{suffix}")
    assert found.shape == (48, 32, 3) and found[:6].mean() > 150 and found[12:].mean() < 20


def test_a_photo_that_announces_billions_of_pixels_is_refused(tmp_path):
    path = tmp_path / "bomb.png"
    Image.new("1", (9000, 9000)).save(path)
    assert path.stat().st_size < 100_000
    with pytest.raises(BadVideo, match="damaged picture"):
        decode_all(path)
