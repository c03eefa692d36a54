"""Runs frames through a generator in order: recurrent memory carried along, reset at cuts; tiles where RAM is short.

The recurrent memory is one buffer for the whole frame. A tile reads frame and memory with a halo as wide as one
frame's output can depend on, and keeps only its own centre: there are no seams, and no effect of a tile's border.

Letters: H W height and width of the small frame, S scale.
"""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import EllipsisType
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from vidgan import backends, hardware, steady
from vidgan.errors import BadOption, BadWeights, VidganError
from vidgan.frame import Frame
from vidgan.generators import Memory, VideoGenerator, as_generator
from vidgan.geometry import Map
from vidgan.pixels import as_array, as_codes, as_pixels, as_tensor
from vidgan.shots import CutDetector
from vidgan.words import one

SMALLEST_TILE = 64
AUTO_TILE = 512
COUNTED = 64  # side of the small picture that operations are counted on
# By their bytes; of torch's types, those that it moves.
WORDS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
Window = tuple[int, int, int, int]  # x, y, width, height
Place = tuple[EllipsisType, slice, slice]  # of rows and columns


@dataclass(frozen=True, kw_only=True)
class Settings:
    device: torch.device
    precision: torch.dtype
    tile: int | None = None  # small pixels; None for whole frames until memory runs out
    steady: float = 0.0  # share of the frame before, moved along the motion, in the next; 0 for none
    backend: backends.Name = "torch"


def settings_of(device: str, precision: str, tile: str) -> Settings:
    """The settings in the words of the command line. Raises BadOption for those that cannot be."""
    place = hardware.device_of(device)
    numbers = hardware.precision_of(precision, place)
    if tile in ("auto", "off", "0"):  # 0 as Real-ESRGAN's users write it, from Python too
        return Settings(device=place, precision=numbers)
    if not (tile.isascii() and tile.isdecimal()) or int(tile) < SMALLEST_TILE:
        raise BadOption(f"--tile {tile} is no size for a tile", f"Use auto, off, or {SMALLEST_TILE} or more.")
    return Settings(device=place, precision=numbers, tile=int(tile))


def checked(generator: nn.Module) -> VideoGenerator:
    """The same module, the shelf's or the user's own. Raises BadOption where it lacks what streaming asks of it."""
    parts = ("scale", "reach", "bytes_per_pixel", "folded")
    if missing := [part for part in parts if not hasattr(generator, part)]:
        raise BadOption(
            f"{one(type(generator).__name__)} is no generator that can enhance: it has no {missing[0]}",
            "Make one with vidgan.create_generator.",
        )
    network = as_generator(generator)
    if network.ahead:
        raise BadOption(
            "this model predicts frames that are to come, and enhances none",
            "Use it with: vidgan analyze VIDEO --normal MODEL",
        )
    return network


def gflop_per_pixel(generator: VideoGenerator) -> float:
    """What one small pixel costs, counted over a frame that follows another; a multiplication and an addition are two.

    generator  in float32, wherever it is
    """
    place = hardware.place_of(generator)
    frame = torch.zeros(1, 3, COUNTED, COUNTED, device=place)
    with torch.inference_mode():
        _, memory = generator.folded(frame)
        with FlopCounterMode(display=False) as counter:
            generator.folded(frame, memory)
    return counter.get_total_flops() / 1e9 / COUNTED**2


class Needs(NamedTuple):
    """The memory that a network needs, in bytes per small pixel."""

    computed: int  # while a frame is computed
    left: int  # kept for the next frame
    moved: int  # extra, while what was kept is moved along the motion


def needs(generator: VideoGenerator, precision: torch.dtype) -> Needs:
    place = hardware.place_of(generator)
    with torch.inference_mode():
        _, memory = generator.folded(torch.zeros(1, 3, COUNTED, COUNTED, device=place))
    left = sum(part.numel() for part in memory) * precision.itemsize
    size = precision.itemsize
    return Needs(generator.bytes_per_pixel(size), -(-left // COUNTED**2), generator.bytes_to_move(size))


class Upscaler:
    """A generator at work on one video.

    say is told, once each, of what had to be done differently: another precision, smaller tiles.
    """

    def __init__(self, generator: VideoGenerator, settings: Settings, say: Callable[[str], None]) -> None:
        self._generator = generator  # in float32, and not ours to change
        self._exact: backends.Running | None = None
        self._network = backends.load(
            settings.backend, generator, device=settings.device, precision=settings.precision
        )
        self.settings = settings
        self.tile = settings.tile
        self.say = say
        self.num_repaired = 0  # frames computed again in float32
        self.network_seconds = 0.0  # of all frames: with moving the memory, --steady, waiting for the device
        self.num_frames = 0
        self._left: Memory | None = None  # the network's memory of the last frame; None where a shot begins
        self._before: steady.Before | None = None  # the last frame, to be mixed into the next; likewise

    @property
    def scale(self) -> int:
        return self._network.scale

    @property
    def memory(self) -> Memory | None:
        """What the last frame left for the next; None where a shot begins."""
        return None if self._left is None else (*self._left, *(self._before or ()))

    @memory.setter
    def memory(self, parts: Memory | None) -> None:
        self._left, self._before = parts, None
        if parts is not None and self.settings.steady:
            own = len(parts) - len(steady.Before._fields)
            self._left, self._before = parts[:own], steady.Before(*parts[own:])

    def forget(self) -> None:
        """Begin a new shot."""
        self.memory = None

    def folded(self, frame: Tensor) -> Tensor:
        """(1, 3, H, W) in [0, 1] -> the large frame, its pixels folded: (1, 3 * S * S, H, W), float32."""
        started = time.perf_counter()
        with torch.inference_mode():
            frame = frame.to(self.settings.device)
            before = self._moved(frame)
            large, self._left = self._run(self._network, frame, before)
            if not _all_finite(large):  # which waits for an accelerator to be done
                large, self._left = self._repair(frame, before)
            if self.settings.steady:
                large, led = steady.steadied(large, frame, self._before, self.settings.steady)
                self._before = None if self._left is None else led
        self.network_seconds += time.perf_counter() - started
        self.num_frames += 1
        return large

    def _moved(self, frame: Tensor) -> Memory | None:
        """What the frame before left, where things are in this one. Of two such memories only one is held."""
        left, self._left = self._left, None
        return None if left is None else self._network.moved(left, frame)

    def _repair(self, frame: Tensor, before: Memory | None) -> tuple[Tensor, Memory | None]:
        """The same frame in float32: half precision overflowed."""
        if self.settings.precision is torch.float32:
            raise _not_finite()
        if not self.num_repaired:
            word = hardware.word_of(self.settings.precision)
            self.say(f"a frame was not finite in {word}: computed again in fp32")
            self._exact = backends.load(
                "torch", self._generator, device=self.settings.device, precision=torch.float32
            )
        assert self._exact is not None
        self.num_repaired += 1
        before = before and tuple(part.float() for part in before)
        large, memory = self._run(self._exact, frame, before)
        if not _all_finite(large):
            raise _not_finite()
        kept = tuple(part.to(self.settings.precision) for part in memory)
        return large, kept if all(map(_all_finite, kept)) else None

    def _run(self, network: backends.Running, frame: Tensor, memory: Memory | None) -> tuple[Tensor, Memory]:
        while True:
            try:
                if self.tile is None:
                    return network.folded(frame, memory)
                return _tiled(network, frame, memory, self.tile)
            except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
                if not hardware.is_out_of_memory(error):
                    raise
            # Outside the handler: there, the traceback would keep the failed attempt's tensors alive.
            self.tile = _smaller(self.tile, frame)
            if self.settings.device.type == "cuda":
                torch.cuda.empty_cache()
            self.say(f"out of memory: going on in tiles of {self.tile} pixels")


class Enlarged(NamedTuple):
    frame: Frame
    begins: bool  # a shot
    # Its window's enlargement, as Upscaler.folded gives it; None: as the frame before, to the pixel.
    folded: Tensor | None


def upscale(
    frames: Iterator[Frame],
    upscaler: Upscaler,
    *,
    window: Window,
    cuts: CutDetector,
    segment: int | None = None,
) -> Iterator[Enlarged]:
    """Each frame with its enlargement. A repeated frame shares that of the one before and leaves the memory unchanged.

    segment  length in frames; the first frame of each segment is computed even if it is a repeat, because a run that
             resumes there does not know the frame before it
    """
    x, y, width, height = window
    last: Frame | None = None
    for number, frame in enumerate(frames):
        stands_alone = last is None or (segment is not None and number % segment == 0)
        if last is not None and not stands_alone and _are_equal(frame.pixels, last.pixels):
            yield Enlarged(frame, False, None)
        else:
            if begins := cuts.begins_shot(frame.pixels):
                upscaler.forget()
            small = as_tensor(frame.pixels[y : y + height, x : x + width], upscaler.settings.device)
            # Nothing here holds the enlargement: of a 4K frame it takes gigabytes while the next one is made.
            yield Enlarged(frame, begins, upscaler.folded(small))
        last = frame


def _are_equal(pixels: np.ndarray, others: np.ndarray) -> bool:
    """A few rows first: pictures of a film that moves differ in them already."""
    return np.array_equal(pixels[::16], others[::16]) and np.array_equal(pixels, others)


def unfolded(folded: Tensor, scale: int) -> Tensor:
    """(1, 3 * S * S, H, W) -> (1, 3, H * S, W * S)."""
    return F.pixel_shuffle(folded, scale)


def unfolded_codes(folded: Tensor, scale: int, depth: np.dtype) -> Tensor:
    """unfolded(...) in code values, rounded first: a quarter (uint8) or half (uint16) of the bytes have to be moved.

    (1, 3 * S * S, H, W) floats -> (1, 3, H * S, W * S) uint8, or int16 that holds uint16's bits. The S pixels of a row
    lie side by side already, and are moved as one word: 20 times as fast as one by one.
    """
    codes = as_codes(folded, depth)
    codes = codes if depth == np.uint8 else codes.to(torch.int16)
    word = WORDS.get(scale * codes.element_size())
    _, _, height, width = codes.shape
    if word is None or height * width == 1:  # of one pixel, torch keeps strides that cannot be seen as words
        return F.pixel_shuffle(codes, scale)
    rows = codes.permute(0, 2, 3, 1).contiguous().view(word).view(1, height, width, 3, scale)
    planes = rows.permute(0, 3, 1, 4, 2).contiguous().view(codes.dtype)
    return planes.view(1, 3, height * scale, width * scale)


def rendered(folded: Tensor, plan: Map, window: Window, depth: np.dtype) -> np.ndarray:
    """A window's folded enlargement on the plan's canvas: moved where that is all it takes, else resampled once.

    (1, 3 * S * S, h, w), about [0, 1] -> (height, width, 3) uint8 or uint16, each colour a plane in memory.
    """
    scale = math.isqrt(folded.shape[1] // 3)
    if plan.is_permutation(scale):
        canvas = plan.render(unfolded_codes(folded, scale, depth), factor=scale, window=window)
        return canvas[0].cpu().numpy().view(depth).transpose(1, 2, 0)
    with torch.inference_mode():
        if plan.kept_bytes(scale) is not None:  # a warp: its places are found once for all colours
            return as_pixels(plan.render(unfolded(folded, scale), factor=scale, window=window), depth)
        # Resized colour by colour: of a 4K frame, enlarged, one unfolded copy takes 1.5 GiB.
        colours = (unfolded(colour, scale) for colour in folded.split(scale**2, dim=1))
        codes = [as_codes(plan.render(colour, factor=scale, window=window), depth) for colour in colours]
        return as_array(torch.cat(codes, dim=1), depth)


def choose_tile(
    generator: VideoGenerator, width: int, height: int, settings: Settings, budget: int
) -> int | None:
    """A tile's side for frames of this size, or None where a whole frame fits the budget in bytes."""
    needed = width * height * generator.bytes_per_pixel(settings.precision.itemsize)
    return AUTO_TILE if needed > budget else None


def _tiled(
    network: backends.Running, frame: Tensor, memory: Memory | None, tile: int
) -> tuple[Tensor, Memory]:
    height, width = frame.shape[-2:]
    fold = network.fold  # how much smaller the memory is than the frame, each side
    large = frame.new_empty(1, 3 * network.scale**2, height, width)
    after: Memory | None = None
    tile += -tile % fold
    for top in range(0, height, tile):
        for left in range(0, width, tile):
            rows, inner_rows = _spans(top, tile, height, network.reach)
            columns, inner_columns = _spans(left, tile, width, network.reach)
            around: Place = (..., slice(*rows), slice(*columns))
            centre: Place = (..., slice(*inner_rows), slice(*inner_columns))
            own: Place = (..., slice(top, min(top + tile, height)), slice(left, min(left + tile, width)))
            part = memory and tuple(whole[_of_memory(around, fold)] for whole in memory)
            enlarged, left_behind = network.folded(frame[around], part)
            if after is None:
                size = -(-height // fold), -(-width // fold)
                after = tuple(new.new_empty((*new.shape[:2], *size)) for new in left_behind)
            large[own] = enlarged[centre]
            for whole, new in zip(after, left_behind, strict=True):
                whole[_of_memory(own, fold)] = new[_of_memory(centre, fold)]
    assert after is not None
    return large, after


def _of_memory(place: Place, fold: int) -> Place:
    """The same place in a memory that is smaller than the frame; starts are multiples of the fold."""
    _, *spans = place
    rows, columns = (slice(span.start // fold, -(-span.stop // fold)) for span in spans)
    return ..., rows, columns


def _spans(start: int, tile: int, length: int, reach: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Along one side: the tile with its halo, inside the frame; and where in it the tile's own pixels are."""
    stop = min(start + tile, length)
    first, last = max(0, start - reach), min(length, stop + reach)
    return (first, last), (start - first, stop - first)


def _smaller(tile: int | None, frame: Tensor) -> int:
    smaller = (max(frame.shape[-2:]) if tile is None else tile) // 2
    if smaller < SMALLEST_TILE:
        raise VidganError(
            f"not enough memory even in tiles of {SMALLEST_TILE} pixels",
            "Close other programs, or use --device cpu.",
        )
    return smaller


def _not_finite() -> BadWeights:
    return BadWeights("the network gives pixels that are not finite", "Its weights are damaged: use others.")


def _all_finite(tensor: Tensor) -> bool:
    return bool(torch.isfinite(tensor.sum(dtype=torch.float32)))
