"""Pictures through a codec in memory, and whole files as arrays: what training needs.

`compress` is a degradation: the blocks, ringing and mosquito noise of a real encoder. One thread,
no file and no container, so that many workers can run it at once.
"""

from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import numpy as np

from vidgan.errors import BadOption, BadVideo
from vidgan.video.colour import Colour, Converter
from vidgan.video.files import MAX_PIXELS
from vidgan.video.probe import orientation_of, probe
from vidgan.video.reader import read

# name -> (FFmpeg's encoder, FFmpeg's decoder)
_CODECS = {
    "h264": ("libx264", "h264"),
    "hevc": ("libx265", "hevc"),
    "mpeg4": ("mpeg4", "mpeg4"),
    "mpeg2": ("mpeg2video", "mpeg2video"),
    "vp9": ("libvpx-vp9", "vp9"),
    "mjpeg": ("mjpeg", "mjpeg"),
}

# (multiple, least) of the sides that an encoder is given. x265 writes outside its memory at widths
# of 33 to 48 pixels.
_BLOCK = {"hevc": (8, 64)}
_TV_COLOUR = Colour(matrix="bt709", primaries=None, transfer=None, full_range=False)
_JPEG_COLOUR = Colour(matrix="smpte170m", primaries=None, transfer=None, full_range=True)
_PHOTO_MAGIC = {b"\xff\xd8\xff": "mjpeg", b"\x89PNG": "png", b"RIFF": "webp"}


def compress(
    frames: np.ndarray,
    *,
    codec: str,
    crf: float | None = None,
    bit_rate: int | None = None,
    preset: str = "veryfast",
) -> np.ndarray:
    """Encode and decode a clip: (T, H, W, 3) uint8 RGB in, the same shape out, with the codec's damage.

    codec     h264, hevc, mpeg4, mpeg2, vp9, or mjpeg: a JPEG for each frame
    crf       constant quality: 0..51 (h264, hevc), 0..63 (vp9), or a quantiser 1..31 (mpeg4, mpeg2, mjpeg)
    bit_rate  bits a second at 25 frames a second, instead of crf; mpeg4, mpeg2 and vp9 come near it only in clips
              that are much longer than those of training
    The same clip gives the same damage again.
    preset    of x264 and x265; the other codecs have one setting here
    Sides that the codec cannot take are padded by their last row or column and cut again.
    Raises BadOption for an unknown codec.
    """
    assert frames.ndim == 4 and frames.shape[3] == 3 and frames.dtype == np.uint8, frames.shape
    if codec not in _CODECS:
        raise BadOption(
            f"there is no codec {codec!r} to compress with", f"Choose one of: {', '.join(_CODECS)}."
        )
    assert (crf is None) != (bit_rate is None), "give a quality or a bit rate"
    num_frames, height, width, _ = frames.shape
    multiple, least = _BLOCK.get(codec, (2, 16))
    bottom = max(-(-height // multiple) * multiple, least) - height
    right = max(-(-width // multiple) * multiple, least) - width
    padded = np.pad(frames, ((0, 0), (0, bottom), (0, right), (0, 0)), mode="edge")
    encoder = _encoder(codec, padded.shape[2], padded.shape[1], crf, bit_rate, preset)
    decoder = av.CodecContext.create(_CODECS[codec][1], "r")
    assert isinstance(decoder, av.VideoCodecContext)
    decoder.thread_count = 1
    converter = Converter(_JPEG_COLOUR if codec == "mjpeg" else _TV_COLOUR)
    packets = []
    for index, pixels in enumerate(padded):
        picture = converter.from_rgb(pixels, str(encoder.pix_fmt))
        picture.pts = index
        packets += encoder.encode(picture)
    packets += encoder.encode(None)
    decoded = [picture for packet in packets for picture in decoder.decode(packet)] + decoder.decode(None)
    assert len(decoded) == num_frames, f"{codec} gave {len(decoded)} frames for {num_frames}"
    return np.stack([converter.to_rgb(picture, deep=False)[:height, :width] for picture in decoded])


def decode_all(path: Path, *, limit: int | None = None) -> np.ndarray:
    """Every frame of a video, or the one of a photo (JPEG, PNG, WebP), upright: (T, H, W, 3) uint8 RGB.

    limit  frames to stop after
    For data that fits in memory. Transparency of photos is dropped. Raises BadVideo for anything else.
    """
    return np.stack(list(islice(decode(path), limit)))


def decode(path: Path) -> Iterator[np.ndarray]:
    """The same a frame at a time, (H, W, 3) uint8 RGB of one size: for what may not fit in memory. Raises BadVideo."""
    path = Path(path)
    photo = _decode_photo(path) if path.is_file() else None
    if photo is not None:
        yield photo
        return
    source = probe(path)
    for frame in read(source):
        yield turn_upright(in_eight_bits(frame.pixels), source.orientation)


def in_eight_bits(pixels: np.ndarray) -> np.ndarray:
    """uint8 as it is, uint16 to the nearer code value: cut off, blacks would come out half a code value darker."""
    return pixels if pixels.dtype == np.uint8 else ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)


def turn_upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """(H, W, C) as stored -> as it should be shown; orientation 1..8 as in EXIF. An exact permutation."""
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def _decode_photo(path: Path) -> np.ndarray | None:
    with path.open("rb") as file:
        data = file.read(12)  # of a film, which may be larger than memory, no more is looked at
        codec = next((codec for magic, codec in _PHOTO_MAGIC.items() if data.startswith(magic)), None)
        if codec is None or (codec == "webp" and data[8:12] != b"WEBP"):
            return None
        data += file.read()
    decoder = av.CodecContext.create(codec, "r")
    assert isinstance(decoder, av.VideoCodecContext)
    decoder.thread_count = 1
    decoder.options = {"max_pixels": str(MAX_PIXELS)}  # a few bytes may announce any size
    try:
        pictures = decoder.decode(av.Packet(data)) + decoder.decode(None)
    except av.FFmpegError as error:
        raise BadVideo(f"{path} is a damaged picture ({error})", "Copy or download it again.") from None
    if not pictures:
        raise BadVideo(f"{path} is a damaged picture", "Copy or download it again.")
    picture = pictures[0]
    # JPEG and WebP are BT.601 by definition; of the two only JPEG is in full range.
    is_rgb = picture.format.is_rgb or picture.format.has_palette
    matrix, full_range = ("rgb", True) if is_rgb else ("smpte170m", codec != "webp")
    colour = Colour(matrix=matrix, primaries=None, transfer=None, full_range=full_range)
    pixels = Converter(colour).to_rgb(picture, deep=False)
    return turn_upright(pixels, orientation_of(path, picture))


def _encoder(
    codec: str, width: int, height: int, crf: float | None, bit_rate: int | None, preset: str
) -> av.VideoCodecContext:
    encoder = av.CodecContext.create(_CODECS[codec][0], "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    if codec == "mjpeg":
        encoder.pix_fmt, encoder.color_range = "yuvj420p", 2  # full, as JPEG always is
    encoder.framerate = Fraction(25)
    encoder.thread_count = 1
    options: dict[str, str] = {}
    if codec in ("h264", "hevc"):
        options["preset"] = preset
    if codec == "h264":
        # With its assembly, the same small clip came back differently one time in six; this costs 1 ms a clip.
        options["x264-params"] = "asm=0"
    if codec == "hevc":
        # Blocks of 64 read beside pictures that are not much larger, and never the same.
        options["x265-params"] = "log-level=none:pools=none:frame-threads=1:ctu=32"
    if codec == "vp9":
        options |= {"deadline": "realtime", "cpu-used": "6", "lag-in-frames": "0"}
    if bit_rate is not None:
        encoder.bit_rate = bit_rate
    elif codec in ("mpeg4", "mpeg2", "mjpeg"):
        assert crf is not None
        encoder.qmin = encoder.qmax = round(min(max(crf, 1), 31))
    else:
        options["crf"] = str(crf)
    encoder.options = options
    return encoder
