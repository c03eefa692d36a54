"""`vidgan evaluate MODEL... DATA`: how good and how fast networks are, beside interpolation and each other."""

from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from vidgan import checkpoint, hardware, progress
from vidgan.errors import BadOption
from vidgan.generators import VideoGenerator
from vidgan.measuring import evaluate, footage, methods
from vidgan.measuring.methods import Method
from vidgan.report import evaluation as page
from vidgan.report import places, table
from vidgan.score import Evaluation
from vidgan.words import amount

CONTROL_SIDE = 1024  # of the matrices whose product tells how fast the machine was


@dataclass(frozen=True, kw_only=True)
class Options:
    models: tuple[str, ...]
    data: Path
    degrade: str | None = None
    frames: int = 24  # of each clip; 0 for all
    clips: int | None = None
    metrics: tuple[str, ...] | None = None
    discriminator: Path | None = None  # a run's folder or its state
    report: Path | None = None
    json: Path | None = None  # "-" for standard output
    csv: Path | None = None
    device: str = "auto"
    precision: str = "auto"
    threads: int = 0
    quiet: bool = False


def run(options: Options) -> Evaluation:
    """Enlarge every clip by every method, and measure; gives the numbers, and writes what was asked for.

    Raises VidganError; then nothing has been written.
    """
    console = progress.console(quiet=options.quiet)
    if options.frames < 0:
        raise BadOption(f"--frames {options.frames} measures nothing", "Give 1 or more, or 0 for all.")
    hardware.keep_memory()
    if options.threads:
        torch.set_num_threads(options.threads)
    named = (options.data, *map(Path, options.models), options.discriminator)
    places.check(options, named)
    place = _place(options)
    task = _task(options, place)
    players = _players(options, task)
    samples = page.Samples()
    with ExitStack() as stack:
        tick = stack.enter_context(progress.bar(console, quiet=options.quiet))
        found = evaluate.run(task, samples.see, lambda done, note: tick(done, 1.0, note))
        judge = None
        if players is not None:
            tick(1.0, 1.0, "the discriminator")
            judge = evaluate.judge(str(options.discriminator), players, task, place)
    evaluation = Evaluation(
        data=options.data.name,
        scale=task.scale,
        titles={method.name: method.title for method in task.methods},
        rows=found.rows,
        efficiency={
            method.name: evaluate.efficiency(method, found, task.scale, place) for method in task.methods
        },
        protocol=_protocol(task),
        left_out=found.left_out,
        sets=evaluate.distances(found, task.methods),
        judge=judge,
    )
    places.write_results(
        options,
        report=lambda path: page.write_report(evaluation, samples, path),
        json=lambda: places.json_line(evaluation.as_json()),
        csv=evaluation.as_csv,
    )
    if places.is_shown(options):
        _print(evaluation, options)
    return evaluation


def _place(options: Options) -> methods.Place:
    device = hardware.device_of(options.device)
    precision = hardware.precision_of(options.precision, device)
    return methods.Place(device=device, precision=precision, threads=torch.get_num_threads())


def _task(options: Options, place: methods.Place) -> evaluate.Task:
    data = footage.find(options.data)
    places.check(options, [file for clip in data.clips for file in clip.files])
    clips = data.clips[: options.clips]
    if data.pairs and options.degrade is not None:
        raise BadOption(
            "--degrade is named, and the data holds small versions already", "Leave --degrade out."
        )
    degradation = options.degrade or ("bd" if data.layout is not None and data.layout.luma else "clean")
    if degradation not in (known := footage.degradations()):
        raise BadOption(f"--degrade {degradation} is not known", f"Use one of: {', '.join(known)}.")
    words = dict.fromkeys((*methods.BASELINES, *options.models))
    chosen = _told_apart([methods.method(word, place) for word in words])
    return evaluate.Task(
        footage=footage.Footage(clips=clips, layout=data.layout, pairs=data.pairs),
        methods=chosen,
        degradation=degradation,
        scale=_scale(chosen),
        frames=options.frames or None,
        metrics=options.metrics,
    )


def _players(options: Options, task: evaluate.Task) -> tuple[VideoGenerator, nn.Module] | None:
    """The discriminator and its generator: what they cannot judge is said before any work."""
    if options.discriminator is None:
        return None
    generator, discriminator = checkpoint.load_players(options.discriminator)
    evaluate.check_judge(generator, task)
    return generator, discriminator


def _told_apart(chosen: list[Method]) -> list[Method]:
    """Of two runs each has a best.safetensors: files of one name are called by their paths."""
    times = Counter(method.title for method in chosen)
    return [replace(method, title=method.name) if times[method.title] > 1 else method for method in chosen]


def _scale(chosen: list[Method]) -> int:
    scales = {method.scale: method.title for method in chosen if method.scale is not None}
    if len(scales) > 1:
        told = ", ".join(f"{title} {scale} times" for scale, title in scales.items())
        raise BadOption(
            f"the networks enlarge differently: {told}", "Evaluate networks of one scale together."
        )
    return next(iter(scales), 4)


def _protocol(task: evaluate.Task) -> dict[str, str]:
    clips = task.footage.clips
    names = ", ".join(clip.name for clip in clips[:12]) + (
        f" and {len(clips) - 12} more" if len(clips) > 12 else ""
    )
    made = (
        "given with the data"
        if task.footage.pairs
        else f"{task.degradation}: {footage.degradations()[task.degradation]}"
    )
    told = {
        "clips": f"{names}; the first {amount(task.frames, 'frame')}"
        if task.frames
        else f"{names}; all frames",
        "small versions": f"{made}; {task.scale} times smaller",
        "outputs": "rounded to 8 bits before they are measured",
        "means": "over a clip's frames, then over clips; ± is half of the interval that holds the mean in 19 of 20 "
        "draws of as many clips",
        "speed": f"network only, median over clips, {amount(torch.get_num_threads(), 'thread')}; "
        f"a {CONTROL_SIDE}-square matrix product in float32 ran at {_control():.0f} GFLOP/s just after",
        "memory": "the most that a process of its own held which enlarged two frames of the first clip's size",
        "operations": "counted from the networks' layers; a multiplication and an addition are two",
    }
    if task.footage.layout is not None:
        told[task.footage.layout.title] = task.footage.layout.protocol
    return told


def _control() -> float:
    """GFLOP/s of a matrix product: a slow machine makes slow networks."""
    import time

    matrix = torch.rand(CONTROL_SIDE, CONTROL_SIDE)
    taken = []
    for _ in range(9):
        started = time.perf_counter()
        matrix @ matrix
        taken.append(time.perf_counter() - started)
    return 2 * CONTROL_SIDE**3 / sorted(taken)[4] / 1e9


def _print(found: Evaluation, options: Options) -> None:
    table.show(["", *found.titles.values()], page.rows(found), fold=True)
    told = [
        f"x{found.scale}, {amount(len(found.clips), 'clip')}; {found.protocol['small versions']}; "
        f"{found.protocol['speed']}"
    ]
    if found.judge is not None:
        right = page.interval_words(found.judge.accuracy, 3)
        told += [f"discriminator: right about {right} of patches, calibration error {found.judge.error:.3f}"]
    places.say_last(options, [*told, *table.left_out(found.left_out)])
