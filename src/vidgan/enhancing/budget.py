"""`--memory`: estimates the peak memory of an enhancement before the first frame, and makes it fit a cap.

The estimate is a sum of parts, each the most that was measured for it: the process with its libraries and weights, the
decoder, the frames between the threads, the frame being processed (network, then rendering, one after the other), the
encoders, and what grows with the film. `python benchmarks/memory.py --grid` compares the sum with whole runs.
"""

import math
from dataclasses import dataclass, replace

from vidgan import geometry, hardware, steady, stream, video
from vidgan.errors import BadOption, VidganError
from vidgan.generators import VideoGenerator
from vidgan.pipeline import FRAMES_BETWEEN
from vidgan.video import Source

MEBI = 1 << 20
UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
ROUNDED_TO = 50 * MEBI  # the smallest cap that would do is told in steps of this
# Of Python, torch, FFmpeg and torch's kernels, with a CPU build of torch; a process that already holds more is counted
# at what it holds.
PROCESS = 350 * MEBI
FRAME_OF_FILM = 800  # bytes for each: the output's index, times, and the kept segments' lists
FRAME_OF_SOURCE = 64  # also where a part is made: the source's index
TILES = (1024, 768, 512, 384, 256, 192, 128, 96, stream.SMALLEST_TILE)
A_TILE_MORE = 8 * MEBI  # that even the smallest takes
# Peak memory of each way to draw the canvas, as multiples of (one enlargement, one canvas), both in float32; the
# network's own enlargement is included.
MOVED, MOVED_DEEP, RESIZED, WARPED = (2.5, 0.0), (3.7, 0.0), (1.4, 2.4), (6.2, 2.4)
CONSISTENT, TRUSTED = (6.7, 0.0), (6.0, 3.0)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The settings that are lowered until the work fits the cap.

    tile     side in small pixels; None for whole frames
    between  the most frames that wait between two threads
    decoding_threads  0 for as many as FFmpeg takes
    light    whether the encoder uses the least look-ahead, and one thread
    """

    tile: int | None
    between: int = FRAMES_BETWEEN
    decoding_threads: int = 0
    light: bool = False

    def told(self) -> str:
        """In the user's words."""
        parts = ["whole frames" if self.tile is None else f"tiles of {self.tile} pixels"]
        if self.between < FRAMES_BETWEEN:
            parts.append("one frame between the threads, one thread decodes")
        if self.light:
            parts.append("the encoder does not look ahead and has one thread")
        return ", ".join(parts)


@dataclass(frozen=True, kw_only=True)
class Work:
    """One enhancement, as far as memory is concerned."""

    source: Source
    seconds: float  # of film that are made
    map: geometry.Map
    window: stream.Window
    network: VideoGenerator
    settings: stream.Settings
    outputs: int  # 1, or 2 with a trust map
    consistent: bool
    choices: dict[bool, video.Choice]  # of the encoder: light, and not


def bytes_of(text: str) -> int:
    """3G, 800M, 1.5 GiB -> bytes; units are powers of 1024. Raises BadOption."""
    word = text.strip().lower()
    number = word.rstrip("bikmgt ").strip()
    unit = word[len(number) :].strip().removesuffix("b").removesuffix("i")
    try:
        size = float(number) * UNITS[unit]
    except (ValueError, KeyError):
        size = math.nan
    if not math.isfinite(size) or size < MEBI:
        raise BadOption(f"--memory {text} is no amount of memory", "Give a number with a unit: 800M or 3G.")
    return int(size)


def told(size: int) -> str:
    """Bytes in the units that `bytes_of` takes, rounded up."""
    if size < 10 * 1024 * MEBI:
        return f"{-(-size // MEBI)}M"
    return f"{math.ceil(10 * size / (1 << 30)) / 10:g}G"


def fit(work: Work, cap: int, *, wished: str) -> Plan:
    """The least lowered plan within the cap.

    wished  --tile in the user's words: a tile of their own is kept
    Raises VidganError, with the smallest cap that would do, where none fits.
    """
    tiles = (None, *TILES) if wished == "auto" else (work.settings.tile,)
    short = Plan(tile=None, between=1, decoding_threads=1)
    for level in (Plan(tile=None), short, replace(short, light=True)):
        for tile in tiles:
            plan = replace(level, tile=tile)
            small = tile is not None and tile < 256 and len(tiles) > 1
            if small and not plan.light:  # a halo costs more time than a shorter queue or less foresight
                break
            if needed(work, plan) <= cap:
                return plan
    least = needed(work, plan)
    least += -least % ROUNDED_TO
    raise VidganError(
        f"--memory {told(cap)} is too little: {work.source.width}x{work.source.height} to "
        f"{work.map.width}x{work.map.height} with {work.choices[True].codec} takes {told(least)} at least",
        f"Give --memory {told(least)} or more, or ask for a smaller part or size.",
    )


def needed(work: Work, plan: Plan) -> int:
    """The most bytes that the process holds at once; with CUDA, of the two memories the larger."""
    source, map = work.source, work.map
    deep = 2 if source.bit_depth > 8 else 1
    small, large = 3 * deep * source.width * source.height, 3 * deep * map.width * map.height
    passing = (plan.between + 4) * small + (plan.between + 4) * large * work.outputs
    coders = video.of_decoder(source, threads=plan.decoding_threads)
    coders += work.outputs * video.of_encoder(work.choices[plan.light], map.width, map.height)
    weights = sum(weight.numel() for weight in work.network.parameters())
    rate = float(source.average_rate or 25)
    film = round(rate * (FRAME_OF_FILM * work.seconds + FRAME_OF_SOURCE * (source.duration_seconds or 0.0)))
    resident = _process() + 12 * weights * work.outputs + passing + coders + film
    frame = _frame(work, plan, deep)
    if work.settings.device.type == "cuda":
        return max(resident, frame)
    return resident + frame


def _process() -> int:
    """In steps, so that the same command reckons the same again."""
    held = hardware.memory_mb()
    return PROCESS if held is None or held * MEBI < PROCESS else math.ceil(held / 256) * 256 * MEBI


def _frame(work: Work, plan: Plan, deep: int) -> int:
    """Of the frame at work: through the network, led by the one before, then onto the canvas."""
    width, height = work.window[2:]
    needs, scale = stream.needs(work.network, work.settings.precision), work.network.scale
    large = 12 * scale**2 * width * height  # the enlargement in float32
    memory = needs.left * width * height * work.outputs
    leading = saving = 0
    if work.settings.steady:
        before = large // 3 + 24 * width * height  # luma; and the source and its colours
        leading = 2 * large + memory + before + steady.bytes_per_pixel(scale) * width * height
        memory += before
        saving = 3 * before  # what a segment ends with, held and copied twice while the next one is begun
    kept_large = large * (work.outputs - 1)  # while the twin has its turn
    moving = memory + (needs.left + needs.moved) * width * height + kept_large
    side = max(width, height) if plan.tile is None else plan.tile + 2 * work.network.reach
    tile = min(side, width) * min(side, height)
    network = large + memory + needs.left * width * height + tile * needs.computed + A_TILE_MORE + kept_large
    kept = work.map.kept_bytes(scale)
    if work.map.is_permutation(scale):
        ways = [MOVED_DEEP if deep == 2 else MOVED]
    else:
        ways = [RESIZED if kept is None else WARPED]
    if work.consistent:
        ways.append(CONSISTENT)
    if work.outputs > 1:
        ways.append(TRUSTED)
    canvas = 12 * work.map.width * work.map.height
    rendering = memory + max(round(here * large + there * canvas) for here, there in ways)
    return max(moving, network, leading, rendering) + saving + (kept or 0) + 12 * width * height
