"""Colours: what a stream's tags say, and the exact way from its samples to RGB and back.

RGB here is in full range (0..255, 0..65535) and keeps the source's primaries and transfer curve:
the network sees the numbers that a display would get, and the output carries the same tags. Only
the matrix and the range are undone and done again, so that an untouched picture comes back as it was.

Numbers are those of ITU-T H.273, which FFmpeg uses as they are.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from struct import unpack_from
from typing import Any, cast

import av
import numpy as np
from av.sidedata.sidedata import Type as SideDataType
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter

MATRICES = {0: "rgb", 1: "bt709", 4: "fcc", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 9: "bt2020nc"}
PRIMARIES = {
    1: "bt709", 4: "bt470m", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 8: "film", 9: "bt2020",
    10: "smpte428", 11: "smpte431", 12: "smpte432", 22: "ebu3213",
}  # fmt: skip
TRANSFERS = {
    1: "bt709", 4: "gamma22", 5: "gamma28", 6: "smpte170m", 7: "smpte240m", 8: "linear", 9: "log100",
    10: "log316", 11: "iec61966-2-4", 12: "bt1361e", 13: "iec61966-2-1", 14: "bt2020-10",
    15: "bt2020-12", 16: "smpte2084", 17: "smpte428", 18: "arib-std-b67",
}  # fmt: skip
UNSPECIFIED = 2

# Matrices that swscale would silently treat as another one.
UNSUPPORTED_MATRICES = {
    8: "YCgCo", 10: "BT.2020 constant luminance", 11: "Y'D'zD'x", 12: "chromaticity-derived",
    13: "chromaticity-derived", 14: "ICtCp", 15: "IPT-C2 (Dolby Vision profile 5)", 16: "YCgCo-R",
    17: "YCgCo-R",
}  # fmt: skip

# Codecs of single pictures hold grey in full range where they say nothing; codecs of films do not.
_PICTURE_CODECS = {
    "mjpeg",
    "png",
    "jpeg2000",
    "jpegls",
    "tiff",
    "bmp",
    "webp",
    "rawvideo",
    "ffv1",
    "huffyuv",
    "ffvhuff",
}

# Without full chroma and accurate rounding swscale is off by 1 to 2 code values in luma. Of its
# kernels Lanczos gives 4:2:0 chroma back best after up and down: a mean error of 0.05 code values
# against 0.2 (bicubic) and 0.4 (bilinear).
_ACCURATE = (
    Interpolation.LANCZOS
    | Interpolation.FULL_CHR_H_INT
    | Interpolation.FULL_CHR_H_INP
    | Interpolation.ACCURATE_RND
)

# Weights of red and blue in luma (H.273 table 4), for the conversions that are done here.
_LUMA_WEIGHTS = {
    "bt709": (0.2126, 0.0722), "fcc": (0.30, 0.11), "bt470bg": (0.299, 0.114), "smpte170m": (0.299, 0.114),
    "smpte240m": (0.212, 0.087), "bt2020nc": (0.2627, 0.0593),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Colour:
    """How numbers stand for colours. None where the file does not say and nothing need be assumed."""

    matrix: str  # one of MATRICES
    primaries: str | None
    transfer: str | None
    full_range: bool
    assumed: tuple[str, ...] = ()  # of "matrix" and "range": what the file left open and we filled in
    mastering: str | None = None  # the display it was graded on, in x265's notation
    light_level: tuple[int, int] | None = None  # brightest pixel, brightest frame average, in cd/m2

    @property
    def is_hdr(self) -> bool:
        return self.transfer in ("smpte2084", "arib-std-b67")

    def as_yuv(self) -> "Colour":
        """The same colours for a codec without RGB: BT.709 in limited range where this is RGB."""
        return self if self.matrix != "rgb" else replace(self, matrix="bt709", full_range=False)

    def untagged(self, width: int, height: int) -> "Colour":
        """What a player takes a video of this size for that says nothing about its colours."""
        return Colour(matrix=default_matrix(width, height), primaries=None, transfer=None, full_range=False)


@dataclass(frozen=True, kw_only=True)
class Tags:
    """The four numbers that a stream or a frame carries."""

    matrix: int
    primaries: int
    transfer: int
    range: int


def tags_of(stream_or_frame: object) -> Tags:
    """Read the tags of a PyAV stream, codec context or frame."""
    read = lambda name: int(getattr(stream_or_frame, name))  # noqa: E731
    return Tags(
        matrix=read("colorspace"),
        primaries=read("color_primaries"),
        transfer=read("color_trc"),
        range=read("color_range"),
    )


def interpret(tags: Tags, frame: av.VideoFrame, codec: str) -> Colour:
    """Fill in what the tags leave open, as players do: the matrix by resolution, limited range for YUV."""
    assumed = []
    is_rgb = frame.format.is_rgb or frame.format.has_palette
    if is_rgb:
        matrix = "rgb"
    elif tags.matrix in MATRICES and tags.matrix != 0:
        matrix = MATRICES[tags.matrix]
    else:
        matrix = default_matrix(frame.width, frame.height)
        assumed.append("matrix")
    is_grey = len(frame.format.components) == 1
    if is_rgb:
        full_range = tags.range != ColorRange.MPEG
    elif frame.format.name.startswith("yuvj") or tags.range in (ColorRange.MPEG, ColorRange.JPEG):
        full_range = tags.range == ColorRange.JPEG or frame.format.name.startswith("yuvj")
    else:
        full_range = is_grey and codec in _PICTURE_CODECS
        assumed.append("range")
    return Colour(
        matrix=matrix,
        primaries=PRIMARIES.get(tags.primaries),
        transfer=TRANSFERS.get(tags.transfer),
        full_range=full_range,
        assumed=tuple(assumed),
        mastering=_mastering(frame),
        light_level=_light_level(frame),
    )


def default_matrix(width: int, height: int) -> str:
    """The matrix of a video of this size that names none: BT.709 from 720 lines on, BT.601 below."""
    return "bt709" if height >= 720 or width >= 1280 else "smpte170m"


def to_tags(colour: Colour) -> Tags:
    """The numbers to write for `colour`; what it leaves open stays unspecified."""
    return Tags(
        matrix=_number(MATRICES, colour.matrix),
        primaries=_number(PRIMARIES, colour.primaries),
        transfer=_number(TRANSFERS, colour.transfer),
        range=ColorRange.JPEG if colour.full_range else ColorRange.MPEG,
    )


class Converter:
    """Turns decoded frames into RGB arrays and back; keeps swscale's tables between frames, on one thread.

    swscale converts all but one case: deep samples in full range, where its 15-bit sums are off by
    1.5 code values of 10 bits. There it only resamples the chroma, and the matrix is applied here in
    floating point.
    """

    def __init__(self, colour: Colour) -> None:
        self._colour = colour
        self._matrix = _swscale_matrix(colour.matrix)
        self._range = ColorRange.JPEG if colour.full_range else ColorRange.MPEG
        self._reformatter = VideoReformatter()

    def to_rgb(self, frame: av.VideoFrame, *, deep: bool) -> np.ndarray:
        """(H, W, 3) RGB in full range, uint16 where `deep`, else uint8."""
        if deep and self._is_deep_full_range(frame.format.name):
            return self._to_rgb_in_float(frame)
        rgb = self._reformatter.reformat(
            frame,
            format="rgb48le" if deep else "rgb24",
            src_colorspace=self._matrix,
            src_color_range=self._range,
            dst_color_range=ColorRange.JPEG,
            interpolation=_ACCURATE,
            threads=1,
        )
        return rgb.to_ndarray()

    def from_rgb(self, pixels: np.ndarray, pixel_format: str) -> av.VideoFrame:
        """(H, W, 3) RGB in full range, uint8 or uint16 -> a frame in `pixel_format`, with its tags."""
        assert pixels.dtype in (np.uint8, np.uint16), pixels.dtype
        if pixels.dtype == np.uint16 and self._is_deep_full_range(pixel_format):
            frame = self._from_rgb_in_float(pixels, pixel_format)
        else:
            frame = self._reformatter.reformat(
                _framed(pixels),
                format=pixel_format,
                src_color_range=ColorRange.JPEG,
                dst_colorspace=self._matrix,
                dst_color_range=self._range,
                interpolation=_ACCURATE,
                threads=1,
            )
        tags = to_tags(self._colour)
        frame.colorspace, frame.color_range = tags.matrix, tags.range
        frame.color_primaries, frame.color_trc = tags.primaries, tags.transfer
        return frame

    def _is_deep_full_range(self, pixel_format: str) -> bool:
        layout = av.VideoFormat(pixel_format, 2, 2)
        deep_planes = (
            pixel_format.startswith("yuv") and pixel_format.endswith("le") and layout.components[0].bits > 8
        )
        return self._colour.full_range and deep_planes and self._colour.matrix in _LUMA_WEIGHTS

    def _resample_chroma(self, frame: av.VideoFrame, pixel_format: str) -> av.VideoFrame:
        same = {"src_color_range": self._range, "dst_color_range": self._range}
        matrices = {"src_colorspace": self._matrix, "dst_colorspace": self._matrix}
        return self._reformatter.reformat(
            frame, format=pixel_format, interpolation=_ACCURATE | Interpolation.BITEXACT, **same, **matrices
        )

    def _to_rgb_in_float(self, frame: av.VideoFrame) -> np.ndarray:
        bits = frame.format.components[0].bits
        full = self._resample_chroma(frame, f"yuv444p{bits}le")
        luma, blue, red = (plane.astype(np.float32) for plane in _planes(full))
        kr, kb = _LUMA_WEIGHTS[self._colour.matrix]
        red, blue = (red - 2 ** (bits - 1)) * (2 - 2 * kr), (blue - 2 ** (bits - 1)) * (2 - 2 * kb)
        green = -(kr * red + kb * blue) / (1 - kr - kb)
        rgb = (luma[..., None] + np.stack([red, green, blue], axis=-1)) * (65535 / (2**bits - 1))
        return np.clip(np.rint(rgb), 0, 65535).astype(np.uint16)

    def _from_rgb_in_float(self, pixels: np.ndarray, pixel_format: str) -> av.VideoFrame:
        bits = av.VideoFormat(pixel_format, 2, 2).components[0].bits
        top, middle = 2**bits - 1, 2 ** (bits - 1)
        kr, kb = _LUMA_WEIGHTS[self._colour.matrix]
        red, green, blue = np.moveaxis(pixels.astype(np.float32) * (top / 65535), -1, 0)
        luma = kr * red + (1 - kr - kb) * green + kb * blue
        chroma = [(blue - luma) / (2 - 2 * kb) + middle, (red - luma) / (2 - 2 * kr) + middle]
        full = av.VideoFrame(pixels.shape[1], pixels.shape[0], f"yuv444p{bits}le")
        for plane, values in zip(_planes(full), (luma, *chroma), strict=True):
            plane[:] = np.clip(np.rint(values), 0, top)
        return self._resample_chroma(full, pixel_format)


def _framed(pixels: np.ndarray) -> av.VideoFrame:
    """(H, W, 3) RGB as a frame; where each colour is a plane in memory already, as three planes, which is quicker."""
    if pixels.dtype == np.uint16 or not pixels.transpose(2, 0, 1).flags.c_contiguous:
        name = "rgb48le" if pixels.dtype == np.uint16 else "rgb24"
        return av.VideoFrame.from_numpy_buffer(np.ascontiguousarray(pixels), format=name)
    height, width, _ = pixels.shape
    frame = av.VideoFrame(width, height, "gbrp")
    for plane, colour in zip(frame.planes, (1, 2, 0), strict=True):
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
        rows[:, :width] = pixels[..., colour]
    return frame


def _planes(frame: av.VideoFrame) -> list[np.ndarray]:
    """Views of the 16-bit planes of a frame, without the padding of their rows."""
    return [
        np.frombuffer(memoryview(plane), np.uint16).reshape(plane.height, plane.line_size // 2)[
            :, : plane.width
        ]
        for plane in frame.planes
    ]


def _swscale_matrix(matrix: str) -> int:
    """swscale names matrices as H.273 does, except that it knows BT.601 by one number."""
    return {"bt709": 1, "fcc": 4, "bt470bg": 5, "smpte170m": 5, "smpte240m": 7, "bt2020nc": 9, "rgb": 5}[
        matrix
    ]


def _number(names: Mapping[int, str], name: str | None) -> int:
    return next((number for number, known in names.items() if known == name), UNSPECIFIED)


def _mastering(frame: av.VideoFrame) -> str | None:
    """AVMasteringDisplayMetadata as x265 writes it: points in 1/50000, luminances in 1/10000 cd/m2."""
    data = side_data(frame, SideDataType.MASTERING_DISPLAY_METADATA)
    if data is None:
        return None
    numbers = unpack_from("=22i", data)
    values = [Fraction(numbers[i], numbers[i + 1] or 1) for i in range(0, 20, 2)]
    has_primaries, has_luminance = numbers[20:22]
    if not (has_primaries and has_luminance):
        return None
    red, green, blue, white = [tuple(round(v * 50000) for v in values[i : i + 2]) for i in range(0, 8, 2)]
    darkest, brightest = (round(v * 10000) for v in values[8:10])
    points = "".join(
        f"{letter}({x},{y})"
        for letter, (x, y) in zip(("G", "B", "R", "WP"), (green, blue, red, white), strict=True)
    )
    return f"{points}L({brightest},{darkest})"


def _light_level(frame: av.VideoFrame) -> tuple[int, int] | None:
    data = side_data(frame, SideDataType.CONTENT_LIGHT_LEVEL)
    if data is None:
        return None
    brightest, average = unpack_from("=2I", data)
    return int(brightest), int(average)


def side_data(frame: av.VideoFrame, kind: SideDataType) -> bytes | None:
    """What travels with a frame beside its pixels, in FFmpeg's own layout."""
    held: Any = frame.side_data  # PyAV's stub gives it another type than it has
    return bytes(held[kind]) if kind in held else None


def _unknown(cls: type[SideDataType], value: object) -> SideDataType:
    """A kind that FFmpeg knows and PyAV does not list, as EXIF of photos and the views of spatial films.

    Without it PyAV gives none of a frame's side data where one is of such a kind, but a ValueError.
    """
    kind: Any = object.__new__(cls)
    kind._name_, kind._value_ = f"UNKNOWN_{value}", value
    return cast(SideDataType, kind)


SideDataType._missing_ = classmethod(_unknown)  # type: ignore[assignment,method-assign]
