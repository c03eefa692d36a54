"""`vidgan enhance INPUT OUTPUT`: the same frames, larger, upright and better.

Three threads overlap: one decodes, one runs the network and renders, one encodes.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from json import dumps
from pathlib import Path

import torch
from rich.console import Console
from torch import Tensor, nn
from torch.nn.functional import pixel_unshuffle

from vidgan import (
    __version__,
    backprojection,
    checkpoint,
    geometry,
    hardware,
    pipeline,
    progress,
    sidecar,
    stream,
    trust,
    video,
)
from vidgan.errors import BadOption, BadOutput
from vidgan.frame import Frame
from vidgan.report import heat
from vidgan.shots import CutDetector
from vidgan.video import Encoding, Source

MEMORY_BUDGET = 1 << 30  # bytes for the network's layers before frames are tiled


@dataclass(frozen=True, kw_only=True)
class Options:
    input: Path
    output: Path
    model: str | Path = "fast"
    fidelity: float | None = None  # 0 realistic .. 1 faithful; None: the model as it is
    consistent: bool = False
    trust: Path | None = None  # a second video: how much of each pixel is invented
    scale: float | None = None
    size: str | None = None
    rotate: float = 0.0  # degrees clockwise
    flip: str | None = None
    crop: str | None = None
    canvas: str = "expand"
    orientation: str = "upright"
    device: str = "auto"
    precision: str = "auto"
    tile: str = "auto"  # or "off", or a side in small pixels
    codec: str | None = None
    crf: float | None = None
    preset: str | None = None
    start: float = 0.0  # seconds
    duration: float | None = None
    overwrite: bool = False
    sidecar: bool = False
    json: bool = False
    quiet: bool = False
    threads: int = 0
    started: float | None = None  # time.monotonic() when the command began, before its imports


@dataclass(frozen=True, kw_only=True)
class Result:
    output: str
    frames: int
    width: int
    height: int
    seconds: float  # from the call to the finished file
    fps: float  # once the first frame was out: start-up is reported beside it
    first_frame_seconds: float  # from the start of the command
    model: str
    device: str
    precision: str
    peak_memory_mb: float | None
    consistency: float | None = None  # dB: the output, brought down, against the input; with --consistent
    invented: float | None = None  # code values of 255, the mean over pixels and frames; with --trust


def run(options: Options, generator: nn.Module | None = None) -> Result:
    """Make the video; gives what was made. A generator that is passed in takes the place of options.model.

    Raises VidganError, and then leaves nothing behind.
    """
    job = _prepare(options, generator)
    energy = hardware.Energy(job.settings.device)
    with progress.bar(job.console, quiet=options.quiet or options.json) as tick:
        written = replace(_make(job, tick), joules=energy.joules())
    result = _result(job, written)
    if options.sidecar:
        sidecar.write(_describe(job, written, result), options.output)
    if options.json:
        sys.stdout.write(dumps(asdict(result)) + "\n")
    elif not options.quiet:
        told = f", {result.consistency} dB consistent with the input" if options.consistent else ""
        told += f", {result.invented} code values invented on average" if options.trust else ""
        job.say(
            f"{result.output}: {result.frames} frame{'s' * (result.frames != 1)} of {result.width}x{result.height}, "
            f"{result.fps:.1f} a second ({result.model}, {result.device}, {result.precision}){told}"
        )
    return result


@dataclass(frozen=True, kw_only=True)
class Job:
    """Everything that is decided before the first frame."""

    options: Options
    console: Console
    say: Callable[[str], None]
    started: float
    source: Source
    plan: geometry.Map
    encoding: Encoding
    settings: stream.Settings
    generator: nn.Module
    given: bool  # whether it was passed in; else it is that of options.model
    upscaler: stream.Upscaler
    window: stream.Window
    trust: trust.Trust | None  # where it was asked for


@dataclass(frozen=True, kw_only=True)
class Written:
    seconds: list[float]  # each frame's time
    began_shot: list[bool]
    consistency: list[float]  # dB, where it was asked for
    invented: list[float]  # code values of 255, where they were asked for
    first_frame_at: float
    joules: float | None = None  # that the machine drew meanwhile


def _prepare(options: Options, generator: nn.Module | None) -> Job:
    started = time.monotonic() if options.started is None else options.started
    console = Console(stderr=True, quiet=options.quiet)
    said: set[str] = set()

    def say(line: str) -> None:
        if line not in said:  # as two files and two networks may have the same to say
            said.add(line)
            console.print(line, highlight=False, markup=False, soft_wrap=True)

    hardware.keep_memory()
    if options.threads < 0:
        raise BadOption(f"there are no {options.threads} threads", "Give 1 or more, or leave --threads out.")
    if options.threads:
        torch.set_num_threads(options.threads)
    network = _network(options) if generator is None else stream.checked(generator)
    twin = None if options.trust is None else _twin(options, generator)
    wish = _wish(options)
    source = video.probe(options.input)
    if options.sidecar:
        sidecar.check_place(options.output, options.input, overwrite=options.overwrite)
    encoding = Encoding(codec=options.codec, crf=options.crf, preset=options.preset)
    map = geometry.plan(
        wish,
        source,
        multiple=video.size_multiple(options.output, encoding, source),
        default_scale=network.scale,  # type: ignore[arg-type]
    )
    if any(map.padding):
        say(
            f"the codec wants even sides: padded to {map.width}x{map.height} by repeating the last row or column"
        )
    window = map.window(network.reach)  # type: ignore[arg-type]
    settings = stream.settings_of(options.device, options.precision, options.tile)
    if options.tile == "auto":
        tile = stream.choose_tile(network, window[2], window[3], settings, MEMORY_BUDGET)
        settings = replace(settings, tile=tile)
    return Job(
        options=options,
        console=console,
        say=say,
        started=started,
        source=source,
        plan=map,
        encoding=encoding,
        settings=settings,
        generator=network,
        given=generator is not None,
        upscaler=stream.Upscaler(network, settings, say),
        window=window,
        trust=trust.Trust(stream.Upscaler(twin, settings, say), map, window) if twin is not None else None,
    )


def _network(options: Options) -> nn.Module:
    if options.fidelity is None:
        return checkpoint.load_generator(options.model)
    if not 0 <= options.fidelity <= 1:
        raise BadOption(
            f"--fidelity {options.fidelity:g} is out of range", "Give 0 (realistic) to 1 (faithful)."
        )
    return checkpoint.load_between(options.model, options.fidelity)


def _twin(options: Options, generator: nn.Module | None) -> nn.Module:
    """The faithful twin that the model is held against."""
    assert options.trust is not None
    if options.trust.resolve() == options.output.resolve():
        raise BadOutput(f"{options.trust} is the output itself", "Choose another name for the trust map.")
    if generator is not None:
        raise BadOption(
            "a generator that is passed in has no faithful twin, which --trust needs",
            "Give the path of a model file with its twin beside it.",
        )
    return checkpoint.load_twins(options.model, option="--trust")[1]


def _wish(options: Options) -> geometry.Wish:
    return geometry.Wish(
        orientation=geometry.parse_choice(geometry.Orientation, "orientation", options.orientation),
        crop=geometry.parse_crop(options.crop) if options.crop is not None else None,
        flip=geometry.parse_flip(options.flip) if options.flip is not None else None,
        rotate=options.rotate,
        scale=options.scale,
        size=geometry.parse_size(options.size) if options.size is not None else None,
        canvas=geometry.parse_choice(geometry.Canvas, "canvas", options.canvas),
    )


def _make(job: Job, tick: progress.Tick) -> Written:
    options, source, say = job.options, job.source, job.say
    written = Written(seconds=[], began_shot=[], consistency=[], invented=[], first_frame_at=0.0)
    writers = _writers(job)
    frames = video.read(source, start=options.start, duration=options.duration, say=say)
    length = source.seconds_of(options.start, options.duration)
    first_frame_at = 0.0

    def write(made: list[Frame]) -> None:
        for writer, frame in zip(writers, made, strict=True):
            writer.write(frame)

    with ExitStack() as files:
        for writer in writers:
            files.enter_context(writer)
        with pipeline.ahead(frames) as decoded, pipeline.behind(write) as hand_over:
            for made in _enhanced(job, decoded, written):
                hand_over(made)
                now = time.monotonic()
                first_frame_at = first_frame_at or now
                done = written.seconds[-1] - written.seconds[0]
                rate = (len(written.seconds) - 1) / (now - first_frame_at) if now > first_frame_at else 0.0
                tick(
                    min(done, length) if length else done,
                    length,
                    f"{len(written.seconds)} frames, {rate:.1f} a second",
                )
        for writer in writers:
            writer.finish()  # all of them, before the first gets its name
    return replace(written, first_frame_at=first_frame_at)


def _writers(job: Job) -> list[video.Writer]:
    """Of the output and, where it was asked for, of the trust map."""
    options = job.options
    output = video.Writer(
        options.output,
        source=job.source,
        width=job.plan.width,
        height=job.plan.height,
        encoding=job.encoding,
        orientation=job.plan.orientation,
        start=options.start,
        duration=options.duration,
        overwrite=options.overwrite,
        say=job.say,
        metadata={"comment": f"Frames made by vidgan {__version__}: enhanced by a neural network"},
    )
    if options.trust is None:
        return [output]
    told = f"What vidgan {__version__} invented in {options.output.name}: black none, pale yellow {trust.MOST:g} codes"
    return [output, replace(output, path=options.trust, metadata={"comment": told}, alone=True)]


def _enhanced(job: Job, decoded: Iterator[Frame], written: Written) -> Iterator[list[Frame]]:
    """The frames at each moment: the output's and, where it was asked for, the trust map's."""
    cuts = CutDetector()
    large = stream.upscale(decoded, job.upscaler, window=job.window, cuts=cuts)
    for frame, begins, folded in large:
        if job.options.consistent:
            folded = _made_consistent(job, frame, folded, written)
        written.seconds.append(float(frame.seconds))
        written.began_shot.append(begins)
        picture = stream.rendered(folded, job.plan, job.window, frame.pixels.dtype)
        made = [replace(frame, pixels=picture)]
        if job.trust is not None:
            invented, mean = job.trust.measure(folded, _small(job, frame), begins=begins)
            written.invented.append(round(mean, 3))
            made.append(replace(frame, pixels=heat.over(picture, invented, hottest=trust.MOST)))
        yield made


def _small(job: Job, frame: Frame) -> Tensor:
    """The window of a frame, as the network sees it."""
    x, y, width, height = job.window
    return stream.as_tensor(frame.pixels[y : y + height, x : x + width])


def _made_consistent(job: Job, frame: Frame, folded: Tensor, written: Written) -> Tensor:
    with torch.inference_mode():
        small = _small(job, frame).to(folded.device)
        large = stream.unfolded(folded, job.upscaler.scale)
        large, decibels = backprojection.consistent(large.clamp(0, 1), small)
        written.consistency.append(round(decibels, 2))
        return pixel_unshuffle(large, job.upscaler.scale)


def _result(job: Job, written: Written) -> Result:
    ended = time.monotonic()
    count = len(written.seconds)
    return Result(
        output=str(job.options.output),
        frames=count,
        width=job.plan.width,
        height=job.plan.height,
        seconds=round(ended - job.started, 3),
        fps=round((count - 1) / (ended - written.first_frame_at), 2) if count > 1 else 0.0,
        first_frame_seconds=round(written.first_frame_at - job.started, 3),
        model=str(job.options.model),
        device=job.settings.device.type,
        precision=next(
            name for name, dtype in hardware.PRECISIONS.items() if dtype is job.settings.precision
        ),
        peak_memory_mb=hardware.peak_memory_mb(),
        consistency=round(sum(written.consistency) / count, 2) if written.consistency else None,
        invented=round(sum(written.invented) / count, 2) if written.invented else None,
    )


def _model_file(job: Job) -> sidecar.File:
    """The model's file; of a generator that was passed in, its class and a hash over its weights."""
    if job.given:
        return sidecar.File(
            name=type(job.generator).__qualname__, sha256=checkpoint.sha256_of_weights(job.generator)
        )
    path = checkpoint.find(job.options.model)
    return sidecar.File(name=path.name, sha256=checkpoint.sha256(path))


def _cost(job: Job, written: Written, result: Result) -> sidecar.Cost:
    upscaler, count = job.upscaler, max(job.upscaler.num_frames, 1)
    return sidecar.Cost(
        fps=result.fps,
        network_ms=round(1000 * upscaler.network_seconds / count, 3),
        peak_memory_mb=result.peak_memory_mb,
        parameters=sum(weight.numel() for weight in job.generator.parameters()),
        gflop=round(stream.gflop_per_pixel(job.generator) * job.window[2] * job.window[3], 3),
        joules=None if written.joules is None else round(written.joules / count, 3),
    )


def _describe(job: Job, written: Written, result: Result) -> sidecar.Sidecar:
    options = job.options
    return sidecar.Sidecar(
        vidgan=__version__,
        input=sidecar.File(name=options.input.name, sha256=checkpoint.sha256(options.input)),
        model=_model_file(job),
        geometry=sidecar.describe(job.plan),
        settings=sidecar.Settings(
            scale=job.upscaler.scale,
            device=job.settings.device.type,
            precision=str(job.settings.precision).removeprefix("torch."),
            tile=job.upscaler.tile,
            start=options.start,
            duration=options.duration,
            fidelity=options.fidelity,
            consistent=options.consistent,
            trust=options.trust is not None,
        ),
        num_frames=len(written.seconds),
        frames=sidecar.PerFrame(
            seconds=written.seconds,
            began_shot=written.began_shot,
            consistency=written.consistency,
            trust=written.invented,
        ),
        cost=_cost(job, written, result),
    )
