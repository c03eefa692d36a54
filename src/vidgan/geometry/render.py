"""Pictures through a map, each resampled at most once.

Three ways, the first that fits:
  permuted  quarter turns, mirrors and whole-pixel crops at the network's own scale: pixels move, any type
  resized   the same with another scale: torch's antialiased bicubic (Keys, a = -1/2), half-pixel centres, the
            shown part taken as a whole picture
  warped    anything else: a piecewise cubic through the picture's pixels, read at each canvas pixel's centre;
            where the map shrinks, the pixels are first low-passed in place by the kernel of `resized`,
            stretched to the canvas's pixel. Borders within the canvas fade over one canvas pixel.

The piecewise cubic is the o-Moms of Blu, Thévenaz, Unser ("MOMS: maximal-order interpolation of minimal
support", 2001): a recursive filter's response turns pixels into coefficients, then 4 x 4 taps that are never
negative. It keeps more than Lanczos-3's 36 taps, and such taps are 4 bilinear reads (Sigg, Hadwiger, "Fast
third-order texture filtering", GPU Gems 2, 2005), which is quick in plain torch.

Letters: N leading sizes and colours together, H W sides of the picture, h w sides of a chunk of the canvas.
"""

import functools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from vidgan.geometry.affine import after as combine
from vidgan.geometry.affine import corners, floats, inverse, moved, scaled

if TYPE_CHECKING:
    from vidgan.geometry.map import Map

Window = tuple[int, int, int, int]

POLE = (math.sqrt(105) - 13) / 8  # of the filter that turns pixels into coefficients: 21 / (4 z + 13 + 4 / z)
CUBIC_RADIUS = 16  # its tail beyond is under 1e-7
BLOCK = 64  # filtered pixels per product with a banded matrix
CHUNK_PIXELS = 1 << 16  # small enough for a processor's cache, large enough that Python does not count
READ_BYTES = 12 * 4  # for each pixel of the canvas, in float32: four places, four weights
CACHE_BYTES = 1 << 29  # reads of a whole canvas are kept between frames up to here: 4k fits
WHOLE = 1e-6  # nearer than this to a whole pixel is whole


@dataclass(frozen=True)
class Straight:
    """A map along the axes that fits whole pixels.

    part    left, top, right, bottom of the shown part, in picture pixels of the whole source
    placed  left, top, right, bottom of where it lands on the canvas
    swaps   whether x and y change places; then mirrors_x and mirrors_y, on the canvas
    """

    part: tuple[int, int, int, int]
    placed: tuple[int, int, int, int]
    swaps: bool
    mirrors_x: bool
    mirrors_y: bool

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of what is placed, before x and y change places."""
        width, height = self.placed[2] - self.placed[0], self.placed[3] - self.placed[1]
        return (width, height) if self.swaps else (height, width)

    @property
    def is_permutation(self) -> bool:
        return self.size == (self.part[3] - self.part[1], self.part[2] - self.part[0])


@functools.lru_cache(maxsize=64)
def straight(map: "Map", factor: int) -> Straight | None:
    """How the map moves whole pixels into whole pixels; None where it does not."""
    (a, b, _), (d, e, _) = map.matrix
    swaps = a == 0 == e
    if not swaps and not (b == 0 == d):
        return None
    part = _whole(side * factor for side in map.content)
    placed = _whole(float(side) for side in corners(map.matrix, map.content))
    if part is None or placed is None:
        return None
    core = (map.width - map.padding[0], map.height - map.padding[1])
    if min(placed[:2]) < 0 or placed[2] > core[0] or placed[3] > core[1]:
        return None  # only a part of it is on the canvas: the warp knows how to clip
    return Straight(part, placed, swaps, (b if swaps else a) < 0, (d if swaps else e) < 0)


def _whole(values: Iterable[float]) -> tuple[int, int, int, int] | None:
    exact = tuple(values)
    near = tuple(round(value) for value in exact)
    if any(abs(value - whole) > WHOLE for value, whole in zip(exact, near, strict=True)):
        return None
    return near[0], near[1], near[2], near[3]


def reach(map: "Map") -> int:
    """Stored pixels beside a point that its warped value depends on, at any factor of 1 or more."""
    return CUBIC_RADIUS + 3 + math.ceil(2 * max(1.0, *(1 / stretch for stretch in _stretches(map))))


def _stretches(map: "Map") -> tuple[float, float]:
    """Canvas pixels per stored pixel along the stored x and y."""
    (a, b, _), (d, e, _) = map.matrix
    return math.hypot(a, d), math.hypot(b, e)


def render(map: "Map", picture: Tensor, *, factor: int, window: Window | None) -> Tensor:
    """See Map.render."""
    window = window or (0, 0, map.source_width, map.source_height)
    assert picture.shape[-2:] == (window[3] * factor, window[2] * factor), (picture.shape, window, factor)
    found = straight(map, factor)
    if found is None:
        core = _warp(map, _at_least_float32(picture), factor, window)
    else:
        core = _permute_or_resize(map, found, picture, (window[0] * factor, window[1] * factor))
    return _repeat_edges(core, map.padding)


def _at_least_float32(picture: Tensor) -> Tensor:
    assert picture.is_floating_point(), f"{picture.dtype} pixels can be permuted, not resampled"
    return picture.float() if picture.dtype in (torch.float16, torch.bfloat16) else picture


def _repeat_edges(core: Tensor, padding: tuple[int, int]) -> Tensor:
    for dim, count in ((-1, padding[0]), (-2, padding[1])):
        if count:
            last = core.narrow(dim, core.shape[dim] - 1, 1)
            core = torch.cat([core, *[last] * count], dim)
    return core


# -- permuted, resized ------------------------------------------------------------------------------


def _permute_or_resize(map: "Map", found: Straight, picture: Tensor, origin: tuple[int, int]) -> Tensor:
    left, top, right, bottom = found.part
    shown = picture[..., top - origin[1] : bottom - origin[1], left - origin[0] : right - origin[0]]
    assert shown.shape[-2:] == (bottom - top, right - left), "the window does not hold all that the map shows"
    if not found.is_permutation:
        flat = _at_least_float32(shown).reshape(1, -1, *shown.shape[-2:])
        flat = F.interpolate(flat, size=found.size, mode="bicubic", align_corners=False, antialias=True)
        shown = flat.view(*shown.shape[:-2], *found.size)
    if found.swaps:
        shown = shown.transpose(-1, -2)
    mirrored = [dim for dim, mirrors in ((-1, found.mirrors_x), (-2, found.mirrors_y)) if mirrors]
    if mirrored:
        shown = _flip(shown, mirrored)
    width, height = map.width - map.padding[0], map.height - map.padding[1]
    left, top, right, bottom = found.placed
    if (left, top, right, bottom) == (0, 0, width, height):
        return shown.contiguous()
    canvas = shown.new_zeros(*shown.shape[:-2], height, width)
    canvas[..., top:bottom, left:right] = shown
    return canvas


def _flip(pixels: Tensor, dims: list[int]) -> Tensor:
    if pixels.dtype == torch.uint16:  # which torch cannot flip
        return pixels.view(torch.int16).flip(dims).view(torch.uint16)
    return pixels.flip(dims)


# -- warped -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Chunk:
    """Where a piece of the canvas reads the coefficients.

    rows, columns  of the canvas
    grid           (1, 4 h, w, 2) the places of four bilinear reads, one above the other
    weights        (4, h, w) of the reads, with the share of the pixel that the content covers
    """

    rows: slice
    columns: slice
    grid: Tensor
    weights: Tensor


def _warp(map: "Map", picture: Tensor, factor: int, window: Window) -> Tensor:
    """(..., H, W) float -> (..., canvas height, canvas width)."""
    *leading, _, _ = picture.shape
    flat_NHW = picture.reshape(-1, *picture.shape[-2:])
    x_stretch, y_stretch = _stretches(map)
    coefficients = _filtered(flat_NHW, _taps(x_stretch / factor), _taps(y_stretch / factor)).unsqueeze(0)
    width, height = map.width - map.padding[0], map.height - map.padding[1]
    canvas = picture.new_zeros(flat_NHW.shape[0], height, width)
    bytes_a_pixel = 12 * picture.element_size()
    chunks = _kept_chunks if width * height * bytes_a_pixel <= CACHE_BYTES else _chunks
    for chunk in chunks(map, factor, window, picture.device, picture.dtype):
        reads = F.grid_sample(coefficients, chunk.grid, padding_mode="border", align_corners=False)
        reads_N4hw = reads.view(-1, *chunk.weights.shape)
        piece = reads_N4hw[:, 0] * chunk.weights[0]
        for i in (1, 2, 3):
            piece = torch.addcmul(piece, reads_N4hw[:, i], chunk.weights[i])
        canvas[:, chunk.rows, chunk.columns] = piece
    return canvas.view(*leading, height, width)


@functools.lru_cache(maxsize=64)
def _taps(stretch: float) -> tuple[float, ...]:
    """The filter from pixels to the cubic's coefficients, low-passed where the canvas's pixel is the larger.

    stretch  canvas pixels per picture pixel
    """
    cubic = POLE ** torch.arange(-CUBIC_RADIUS, CUBIC_RADIUS + 1, dtype=torch.float64).abs()
    cubic /= cubic.sum()
    if stretch >= 1:
        return tuple(cubic.tolist())
    radius = math.ceil(2 / stretch)
    t = torch.arange(-radius, radius + 1, dtype=torch.float64).abs() * stretch
    low_pass = torch.where(t < 1, (1.5 * t - 2.5) * t * t + 1, ((2.5 - 0.5 * t) * t - 4) * t + 2)
    low_pass = torch.where(t < 2, low_pass, 0.0)
    low_pass /= low_pass.sum()
    both = F.conv1d(cubic.view(1, 1, -1), low_pass.view(1, 1, -1), padding=2 * radius)
    return tuple(both.flatten().tolist())


def _filtered(picture_NHW: Tensor, x_taps: tuple[float, ...], y_taps: tuple[float, ...]) -> Tensor:
    """Both filters: (N, H, W) -> (N, H + 4, W + 4), as if the edge pixels went on for ever.

    As products of overlapping blocks with a banded matrix: on a CPU 8 times as fast as conv2d.
    """
    count, height, width = picture_NHW.shape
    left, top = len(x_taps) // 2 + 2, len(y_taps) // 2 + 2
    right, bottom = left + -(width + 4) % BLOCK, top + -(height + 4) % BLOCK
    padded = F.pad(picture_NHW.unsqueeze(0), (left, right, top, bottom), mode="replicate")[0]
    x_band, y_band = _band(x_taps, padded), _band(y_taps, padded)
    blocks = padded.unfold(-1, len(x_band), BLOCK)  # (N, rows, blocks, pixels of a block)
    across = (blocks.reshape(-1, len(x_band)) @ x_band).view(count, padded.shape[-2], -1)
    blocks = across.unfold(-2, len(y_band), BLOCK)  # (N, blocks, columns, pixels of a block)
    return (y_band.mT @ blocks.mT).flatten(1, 2)[:, : height + 4, : width + 4]


def _band(taps: tuple[float, ...], like: Tensor) -> Tensor:
    """The matrix that turns BLOCK + len(taps) - 1 pixels into BLOCK filtered ones."""
    band = torch.zeros(BLOCK, BLOCK + len(taps), dtype=like.dtype)
    band[:, : len(taps)] = torch.tensor(taps, dtype=like.dtype)
    # Rows cut one shorter than they were made shift each next copy by one.
    return band.flatten()[: BLOCK * (BLOCK + len(taps) - 1)].view(BLOCK, -1).mT.contiguous().to(like.device)


@functools.lru_cache(maxsize=1)  # one video has one map; a second would only hold memory
def _kept_chunks(
    map: "Map", factor: int, window: Window, device: torch.device, dtype: torch.dtype
) -> tuple[Chunk, ...]:
    return tuple(_chunks(map, factor, window, device, dtype))


def _chunks(
    map: "Map", factor: int, window: Window, device: torch.device, dtype: torch.dtype
) -> Iterator[Chunk]:
    """Every piece of the canvas that shows something. The places are found in float64, then rounded once."""
    width, height = map.width - map.padding[0], map.height - map.padding[1]
    finding = torch.device("cpu") if device.type == "mps" else device  # which has no float64
    rows = max(1, CHUNK_PIXELS // width)
    for top in range(0, height, rows):
        # Kept tensors must be of use to training too, even if the first frame came under inference_mode.
        with torch.inference_mode(False), torch.no_grad():
            chunk = _chunk(map, factor, window, slice(top, min(top + rows, height)), finding)
            if chunk is None:
                continue
            grid, weights = chunk.grid.to(dtype).to(device), chunk.weights.to(dtype).to(device)
        yield Chunk(chunk.rows, chunk.columns, grid, weights)


def _chunk(map: "Map", factor: int, window: Window, rows: slice, device: torch.device) -> Chunk | None:
    width = map.width - map.padding[0]
    ys = torch.arange(rows.start, rows.stop, dtype=torch.float64, device=device)[:, None] + 0.5
    xs = torch.arange(width, dtype=torch.float64, device=device)[None] + 0.5
    cover = _cover(map, xs, ys)
    shown = cover.amax(0).nonzero()
    if not len(shown):
        return None
    columns = slice(int(shown[0]), int(shown[-1]) + 1)
    xs, cover = xs[:, columns], cover[:, columns]
    # Canvas -> stored -> the window's picture pixels -> indices of their centres.
    to_window = combine(moved(-window[0], -window[1]), inverse(map.matrix))
    (a, b, c), (d, e, f) = floats(combine(scaled(factor, factor), to_window))
    x_reads = _two_reads(a * xs + b * ys + c - 0.5, window[2] * factor)
    y_reads = _two_reads(d * xs + e * ys + f - 0.5, window[3] * factor)
    grids, weights = [], []
    for y_place, y_weight in y_reads:
        for x_place, x_weight in x_reads:
            grids.append(torch.stack([x_place, y_place], -1))
            weights.append(x_weight * y_weight * cover)
    return Chunk(rows, columns, torch.cat(grids).unsqueeze(0), torch.stack(weights))


def _cover(map: "Map", xs: Tensor, ys: Tensor) -> Tensor:
    """The share of each canvas pixel that the content covers: a ramp one pixel wide across each border."""
    left, top, right, bottom = map.content
    cover = torch.ones((), dtype=xs.dtype, device=xs.device)
    rows = floats(inverse(map.matrix))
    for (p, q, r), near, far in zip(rows, (left, top), (right, bottom), strict=True):
        stored, per_pixel = p * xs + q * ys + r, math.hypot(p, q)
        cover = cover * ((stored - near) / per_pixel + 0.5).clamp(0, 1)
        cover = cover * ((far - stored) / per_pixel + 0.5).clamp(0, 1)
    return cover


def _two_reads(index: Tensor, count: int) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """The cubic's four taps as two linear reads: ((place, weight), (place, weight)).

    index  into `count` pixels, of which _filtered has put two more on each side
    place  as grid_sample wants it, in [-1, 1]
    """
    index = index.clamp(-1, count - 1e-3)
    first = index.floor()
    t = index - first
    taps = (_outer(1 + t), _inner(t), _inner(1 - t), _outer(2 - t))
    reads = []
    for shift, near, far in ((-1, taps[0], taps[1]), (1, taps[2], taps[3])):
        place = first + shift + far / (near + far) + 2
        reads.append(((2 * place + 1) / (count + 4) - 1, near + far))
    return reads[0], reads[1]


def _inner(t: Tensor) -> Tensor:
    """The o-Moms kernel within a pixel of its middle, 0 <= t <= 1."""
    return ((t / 2 - 1) * t + 1 / 14) * t + 13 / 21


def _outer(t: Tensor) -> Tensor:
    """The o-Moms kernel beyond, 1 <= t <= 2."""
    return ((1 - t / 6) * t - 85 / 42) * t + 29 / 21
