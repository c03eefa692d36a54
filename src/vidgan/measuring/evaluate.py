"""Methods on clips: made small, enlarged, measured, timed. One clip is held at a time."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from statistics import median

import numpy as np
import torch
from torch import Tensor

from vidgan import discriminators, hardware, metrics, score
from vidgan.errors import BadOption, BadVideo
from vidgan.features import has_efficientnet
from vidgan.generators import VideoGenerator
from vidgan.measuring import footage, footprint, measures
from vidgan.measuring.footage import Clip, Footage
from vidgan.measuring.methods import Method, Place
from vidgan.metrics import Against, Metric, distribution
from vidgan.pixels import bytes_of, floats_of, rounded
from vidgan.score import Efficiency, Row
from vidgan.shots import CutDetector

Tell = Callable[[str, Tensor, Tensor, dict[str, Tensor]], None]  # clip, small, true, method -> made
LARGE_SIDE = 4096  # pixels: no metric needs more
WARM_SIDE = 32  # small pixels: the first frame of a network pays for what later ones reuse
LEAST_SET_FRAMES = 3  # of each clip: fewer have no motion to be a set of
MOST_SET_FRAMES = 400  # of each side of a distance between sets


@dataclass(frozen=True, kw_only=True)
class Task:
    footage: Footage
    methods: Sequence[Method]
    degradation: str
    scale: int
    frames: int | None  # the most of each clip
    metrics: tuple[str, ...] | None


@dataclass
class Findings:
    rows: list[Row] = field(default_factory=list)
    # method -> seconds per frame, one entry per clip
    seconds: dict[str, list[float]] = field(default_factory=dict)
    joules: dict[str, list[float]] = field(default_factory=dict)
    pixels: list[int] = field(default_factory=list)  # of each clip's small frames
    size: tuple[int, int] = (0, 0)  # height, width of the first clip's
    left_out: dict[str, str] = field(default_factory=dict)
    features: dict[str, list[np.ndarray]] = field(default_factory=dict)  # method, or "" for the truth
    # Of the same clips: whether a shot begins with a frame.
    begins: list[Sequence[bool]] = field(default_factory=list)


class TooSmall(BadVideo):
    """A clip that nothing can be measured of; the others can."""


def run(task: Task, tell: Tell, tick: Callable[[float, str], None]) -> Findings:
    """Every method on every clip. Raises VidganError."""
    found = Findings()
    # Names that are none, and what is not installed, are said before any work.
    measures.choose(task.metrics, side=LARGE_SIDE, reference=True, source=True)
    for method in task.methods:
        small = torch.rand(2, 3, WARM_SIDE, WARM_SIDE, generator=torch.Generator().manual_seed(0))
        method.enlarge(small, task.scale)
    total = len(task.footage.clips) * len(task.methods)
    without: dict[str, dict[str, str]] = {}  # metrics, the clips that they could not be taken of, and why
    for number, clip in enumerate(task.footage.clips):
        try:
            low, high = opened(clip, task)
        except TooSmall as error:
            found.left_out[clip.name] = error.found
            continue
        try:
            chosen = measures.choose(task.metrics, side=min(high.shape[2:]), reference=True, source=True)
        except BadOption as error:  # all are for larger pictures
            found.left_out[clip.name] = error.found
            continue
        for name, why in chosen.left_out.items():
            without.setdefault(name, {})[clip.name] = why
        found.size = found.size if found.pixels else (low.shape[2], low.shape[3])
        found.pixels.append(low.shape[2] * low.shape[3])
        begins = _begins_shots(low)
        shots = low.tensor_split([number for number, is_first in enumerate(begins) if is_first][1:])
        truth = list(_chained(high, begins))
        made: dict[str, Tensor] = {}
        for index, method in enumerate(task.methods):
            tick((number * len(task.methods) + index) / total, f"{clip.name}: {method.title}")
            made[method.name] = _enlarged(method, shots, task, found)
            values = _measured(chosen.metrics, made[method.name], (high, low), truth, begins)
            if task.footage.layout is not None:
                values[score.FIELD] = task.footage.layout.psnr(made[method.name], high)
            found.rows.append(Row(method=method.name, clip=clip.name, values=values))
        rows = [row.values for row in found.rows[-len(task.methods) :]]
        for name, why in measures.without_value(chosen.metrics, rows).items():
            without.setdefault(name, {})[clip.name] = why
        _remember(found, high, made, begins, len(task.footage.clips))
        tell(clip.name, low, high, made)
    if not found.rows:
        raise BadVideo(
            f"nothing can be measured: {next(iter(found.left_out.values()))}", "Give larger clips."
        )
    clips = {row.clip for row in found.rows}
    for name, whys in without.items():
        part = f"of {len(whys)} of {len(clips)} clips: " if len(whys) < len(clips) else ""
        found.left_out[name] = part + next(iter(whys.values()))
    return found


def opened(clip: Clip, task: Task) -> tuple[Tensor, Tensor]:
    """The small and the true clip, (T, 3, H, W) in [0, 1], the true one cut to sides that the scale divides.

    Raises TooSmall where nothing to be measured is left of it; BadVideo for pairs of other sizes.
    """
    high = clip.high(task.frames)
    height, width = (side // task.scale * task.scale for side in high.shape[1:3])
    if min(height, width) < (least := metrics.psnr_y.smallest):
        raise TooSmall(
            f"{clip.name} has {width}x{height} pixels that {task.scale} divides; {least}x{least} can be measured"
        )
    high = high[:, :height, :width]
    if clip.low is None:
        low = footage.shrunk(high, task.degradation, task.scale, name=clip.name)
    else:
        low = clip.low(task.frames)
    if low.shape[1] * task.scale != height or low.shape[2] * task.scale != width or len(low) != len(high):
        raise BadVideo(
            f"{clip.name}: {len(low)} small frames of {low.shape[2]}x{low.shape[1]} for {len(high)} of "
            f"{width}x{height}, which is not {task.scale} times larger",
            "Give pairs of the methods' scale.",
        )
    return floats_of(low).contiguous(), floats_of(high).contiguous()


def efficiency(method: Method, found: Findings, scale: int, place: Place) -> Efficiency:
    """Milliseconds and energy are medians over clips; operations are for the mean of their sizes."""
    joules = found.joules.get(method.name)
    pixels = sum(found.pixels) / len(found.pixels)
    return Efficiency(
        device=method.device,
        precision=method.precision,
        network_ms=round(1000 * median(found.seconds[method.name]), 3),
        peak_memory_mb=footprint.of(method.name, found.size, scale, place),
        parameters=method.parameters,
        gflop=None if method.gflop_per_pixel is None else round(method.gflop_per_pixel * pixels, 3),
        joules=round(median(joules), 3) if joules else None,
    )


def distances(found: Findings, methods: Sequence[Method]) -> dict[str, dict[str, distribution.Distance]]:
    """How far each method's footage is from the true one as sets of frames and of motion, where that can be told."""
    truth = found.features.get("", [])
    if len(truth) < distribution.LEAST_CLIPS:
        if has_efficientnet():
            least = f"{distribution.LEAST_CLIPS} clips of {LEAST_SET_FRAMES} frames or more, two of one shot"
            found.left_out["distances between sets"] = f"need {least}, there are {len(truth)}"
        return {}
    return {
        method.name: {
            "frames": distribution.kernel_distance(made, truth),
            "motion": distribution.kernel_distance(
                *(
                    [distribution.motion(*clip) for clip in zip(clips, found.begins, strict=True)]
                    for clips in (made, truth)
                )
            ),
        }
        for method in methods
        for made in [found.features[method.name]]
    }


def _triplets(begins: Sequence[bool]) -> list[int]:
    """Where groups of frames that a discriminator looks at begin, one after the other in each shot."""
    starts = [number for number, is_first in enumerate(begins) if is_first]
    return [
        first
        for start, end in pairwise([*starts, len(begins)])
        for first in range(start, end - discriminators.FRAMES + 1, discriminators.FRAMES)
    ]


def _begins_shots(clip: Tensor) -> list[bool]:
    """Of each frame of (T, 3, H, W) in [0, 1], whether a shot begins with it, as `enhance` sees it."""
    cuts = CutDetector()
    return [cuts.begins_shot(pixels) for pixels in bytes_of(clip)]


def _enlarged(method: Method, shots: Sequence[Tensor], task: Task, found: Findings) -> Tensor:
    """The whole clip, as 8-bit video would hold it. What it took is noted."""
    num_frames = sum(map(len, shots))
    energy = hardware.Energy(torch.device(method.device))
    started = time.perf_counter()
    made = torch.cat([method.enlarge(shot, task.scale) for shot in shots])
    found.seconds.setdefault(method.name, []).append((time.perf_counter() - started) / num_frames)
    if (joules := energy.joules()) is not None:
        found.joules.setdefault(method.name, []).append(joules / num_frames)
    return rounded(made)


def _measured(
    chosen: Sequence[Metric],
    output: Tensor,
    against: tuple[Tensor, Tensor],
    truth: Sequence[metrics.Picture],
    begins: Sequence[bool],
) -> dict[str, float]:
    """Each metric's mean over frames; the truth's pictures are shared by all methods."""
    high, low = against
    pictures, sources = list(_chained(output, begins)), list(_chained(low, begins))
    others = {Against.TARGET: truth, Against.SOURCE: sources, Against.NOTHING: [None] * len(pictures)}
    found = {}
    for metric in chosen:
        if metric.of_frame is None:
            found[metric.name] = metric(output, high)
            continue
        with torch.inference_mode():
            pairs = zip(pictures, others[metric.against], strict=True)
            found[metric.name] = metrics.mean([metric.of_frame(*pair) for pair in pairs])
    return {name: value for name, value in found.items() if value == value}


def _chained(clip: Tensor, begins: Sequence[bool]) -> Iterator[metrics.Picture]:
    """All at once, each knowing the one before of its shot: a clip is held whole here."""
    before = None
    for rgb, is_first in zip(clip, begins, strict=True):
        before = metrics.Picture(rgb, None if is_first else before)
        yield before


def _remember(
    found: Findings, high: Tensor, made: dict[str, Tensor], begins: Sequence[bool], num_clips: int
) -> None:
    """Features of a clip's first frames, for the distances between sets: all clips have the same share of them."""
    most = max(MOST_SET_FRAMES // num_clips, LEAST_SET_FRAMES)
    if not has_efficientnet() or len(high) < LEAST_SET_FRAMES or all(begins[:most]):
        return
    found.begins.append(begins[:most])
    for name, clip in {"": high, **made}.items():
        found.features.setdefault(name, []).append(distribution.frame_features(clip[:most]))


def check_judge(generator: VideoGenerator, task: Task) -> None:
    """Before any work: raises BadOption where a discriminator and its generator can judge no clip."""
    if task.frames is not None and task.frames < discriminators.FRAMES:
        raise BadOption(
            f"--discriminator looks at three frames in a row, and --frames {task.frames} leaves too few",
            f"Give --frames {discriminators.FRAMES} or more.",
        )
    if task.footage.pairs and generator.scale != task.scale:
        raise BadOption(
            f"--discriminator knows pictures that its generator made {generator.scale} times larger, and the data's "
            f"small versions are to be enlarged {task.scale} times",
            "Leave --discriminator out, or give pairs of its scale.",
        )


def judge(
    state: str, players: tuple[VideoGenerator, torch.nn.Module], task: Task, place: Place
) -> score.Judge:
    """A discriminator against its own generator, on groups of three frames of one shot, none twice. Raises BadVideo."""
    generator, discriminator = players[0].to(place.device), players[1].to(place.device)
    own, logits, clips = replace(task, scale=generator.scale), [], {}
    for clip in task.footage.clips:
        try:
            pair = score.Pair(*opened(clip, own))
        except TooSmall:
            continue
        told = [
            score.verdict(generator, discriminator, pair, precision=place.precision, first=first)
            for first in _triplets(_begins_shots(pair.low))
        ]
        if told:
            real, fake = (torch.cat([part.flatten() for part in parts]) for parts in zip(*told, strict=True))
            clips[clip.name] = float(score.accuracy(real, fake))
            logits.append((real, fake))
    if not logits:
        raise BadVideo("no clip has the three frames that the discriminator looks at", "Give videos.")
    bins, error = score.calibration(*(torch.cat(parts) for parts in zip(*logits, strict=True)))
    return score.Judge(
        name=state, clips=clips, accuracy=score.interval(list(clips.values())), bins=bins, error=error
    )
