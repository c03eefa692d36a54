"""`vidgan compare REFERENCE OUTPUT...`: outputs against the truth, or against the source that they were made from."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from vidgan import disk, hardware, progress, sidecar, video
from vidgan.errors import BadOption, BadVideo
from vidgan.measuring import alignment, compare, measures, moments
from vidgan.measuring.alignment import Aligned, Part
from vidgan.report import comparison as page
from vidgan.report import places, table
from vidgan.score import LANCZOS, REFERENCE, Comparison, Contender, Efficiency, Moment
from vidgan.silence import ignore
from vidgan.video import Source
from vidgan.words import amount, nth

ENLARGED = 1.2  # times its size: an output that much larger than the reference was made from it


@dataclass(frozen=True, kw_only=True)
class Options:
    reference: Path
    outputs: tuple[Path, ...]
    input: Path | None = None  # the small video that the outputs were made from
    no_reference: bool = False  # the first video is that small one
    metrics: tuple[str, ...] | None = None
    every: int = 1
    partial: bool = False
    report: Path | None = None
    json: Path | None = None  # "-" for standard output
    csv: Path | None = None
    device: str = "cpu"
    threads: int = 0
    quiet: bool = False


def run(options: Options) -> Comparison:
    """Measure every moment that all show; gives the numbers, and writes what was asked for.

    All are compared upright, with square pixels, at the reference's size. Times count from each video's own first
    frame. Raises VidganError; then nothing has been written.
    """
    console = progress.console(quiet=options.quiet)
    hardware.keep_memory()
    if options.threads:
        import torch

        torch.set_num_threads(options.threads)
    _check(options)
    scene = _scene(options)
    with ExitStack() as stack:
        watch: Callable[[Moment], None] = ignore
        recorder = None
        if options.report is not None:
            size = (scene.setting.part.width, scene.setting.part.height)
            recorder = stack.enter_context(page.Recorder(*size, num_frames=scene.num_frames))
            watch = recorder.see
        numbers = _measured(scene, options, console, stack, watch)
        found = _comparison(scene, numbers, options)

        def write_page(path: Path) -> None:
            assert recorder is not None
            page.write_report(found, recorder, path)

        places.write_results(
            options,
            report=write_page,
            json=lambda: places.json_line(found.as_json()),
            csv=found.as_csv,
        )
    if places.is_shown(options):
        _print(found, options)
    return found


@dataclass(frozen=True, kw_only=True)
class Scene:
    """Everything that is decided before the first frame."""

    setting: compare.Setting
    stretches: list[moments.Stretch]  # in the order of the join
    reference: Source | None
    source: Source | None
    made: dict[str, sidecar.Sidecar | None]
    files: dict[str, Path]
    left_out: dict[str, str]
    num_frames: int | None  # about; None where no file says


def _check(options: Options) -> None:
    if not options.outputs:
        raise BadOption("there is no OUTPUT to compare", "vidgan compare REFERENCE OUTPUT...")
    if options.every < 1:
        raise BadOption(f"--every {options.every} measures nothing", "Give 1 or more.")
    sidecars = map(sidecar.path_for, options.outputs)
    places.check(options, (options.reference, *options.outputs, options.input, *sidecars))


def _scene(options: Options) -> Scene:
    files = _named(options.outputs)
    outputs = {name: video.probe(path) for name, path in files.items()}
    made = {name: alignment.read_sidecar(files[name], source) for name, source in outputs.items()}
    first = video.probe(options.reference)
    alone = options.no_reference or _was_enlarged(first, outputs, made, _knows_input(options, files, made))
    if alone and options.input is not None:
        raise BadOption("--input is named, and the first video is the input itself", "Leave one of them out.")
    reference, source = (None, first) if alone else (first, _input(options, files, made))
    if source is not None:
        places.check(options, [source.path])  # a sidecar may have named it
    width, height = _canvas(reference, source, outputs, made)
    if min(width, height) < alignment.SMALLEST_SIDE:
        raise BadVideo(
            f"{options.reference} is {width}x{height}: too small to be measured",
            f"Compare videos of {alignment.SMALLEST_SIDE} pixels or more to a side.",
        )
    placed = {
        name: _placed(output, made[name], (reference, source), (width, height))
        for name, output in outputs.items()
    }
    setting, left_out = _setting(options, placed, (reference, source), (width, height))
    start, duration = _cut(made)
    ours = [known for known in (reference, source) if known is not None]
    return Scene(
        setting=setting,
        stretches=[
            *(
                moments.Stretch(source=known, name=str(known.path), start=start, duration=duration)
                for known in ours
            ),
            *(moments.Stretch(source=output, name=str(files[name])) for name, output in outputs.items()),
        ],
        reference=reference,
        source=source,
        made=made,
        files=files,
        left_out=left_out,
        num_frames=moments.num_moments([*ours, *outputs.values()], options.every),
    )


def _setting(
    options: Options,
    placed: dict[str, Aligned],
    known: tuple[Source | None, Source | None],
    canvas: tuple[int, int],
) -> tuple[compare.Setting, dict[str, str]]:
    """What is compared with what, and what is left out for which reason."""
    reference, source = known
    part = Part(0, 0, *canvas)
    for aligned in placed.values():
        part = part.meets(alignment.covered(aligned.way, aligned.within))
        if min(part.width, part.height) < alignment.SMALLEST_SIDE:
            raise BadVideo(
                f"{aligned.source.path} shows next to nothing of what the others show", "Compare it alone."
            )
    chosen = measures.choose(
        options.metrics,
        side=min(part.width, part.height),
        reference=reference is not None,
        source=source is not None,
    )
    left_out = dict(chosen.left_out)
    metrics = chosen.metrics
    if options.every > 1:
        for metric in (metric for metric in metrics if metric.meter is not None):
            left_out[metric.name] = "needs every frame: leave --every out"
        metrics = [metric for metric in metrics if metric.meter is None]
        if not metrics:
            raise BadOption("the metrics that are named need every frame", "Leave --every out.")
    if source is None:
        left_out[LANCZOS] = (
            "the small video that the outputs were made from is not known: name it with --input"
        )
    setting = compare.Setting(
        outputs=placed,
        reference=None if reference is None else alignment.straight_onto(reference, *canvas, "the reference"),
        source=None if source is None else alignment.part_of(source, part, *canvas),
        part=part,
        metrics=metrics,
        every=options.every,
        device=hardware.device_of(options.device),
    )
    return setting, left_out


def _named(paths: tuple[Path, ...]) -> dict[str, Path]:
    """Short names that tell the outputs apart, and from the rows of our own."""
    for parts in range(1, 5):
        names = ["/".join(path.parts[-parts:]) for path in paths]
        if len({*names, LANCZOS, REFERENCE}) == len(paths) + 2:
            return dict(zip(names, paths, strict=True))
    return {f"{index + 1}: {path}": path for index, path in enumerate(paths)}


def _knows_input(options: Options, files: dict[str, Path], made: dict[str, sidecar.Sidecar | None]) -> bool:
    """Whether the input is named, or lies beside an output, so that the first video need not be it."""
    return options.input is not None or any(
        told is not None and alignment.input_beside(files[name], told) is not None
        for name, told in made.items()
    )


def _was_enlarged(
    first: Source, outputs: dict[str, Source], made: dict[str, sidecar.Sidecar | None], knows_input: bool
) -> bool:
    """Whether the first video is what the outputs were made from, rather than what they should be."""
    digest = ""
    for name, output in outputs.items():
        told = made[name]
        if told is not None:
            digest = digest or disk.sha256(first.path)
            if told.input.sha256 == digest:
                continue
            # Another file of its size may be the same video, with another title or in another container.
            size = told.geometry.source_width, told.geometry.source_height
            if knows_input or (first.width, first.height) != size:
                return False
        if output.width * output.height < ENLARGED**2 * first.width * first.height:
            return False
    return True


def _input(
    options: Options, files: dict[str, Path], made: dict[str, sidecar.Sidecar | None]
) -> Source | None:
    """The small video: named, or beside an output whose sidecar names it."""
    if options.input is not None:
        return video.probe(options.input)
    for name, told in made.items():
        if told is not None and (path := alignment.input_beside(files[name], told)) is not None:
            return video.probe(path)
    return None


def _canvas(
    reference: Source | None,
    source: Source | None,
    outputs: dict[str, Source],
    made: dict[str, sidecar.Sidecar | None],
) -> tuple[int, int]:
    if reference is not None:
        shown = alignment.upright(reference)
        return shown.width, shown.height
    assert source is not None
    shown = alignment.upright(source)
    name, output = next(iter(outputs.items()))
    told = made[name]
    if told is None:
        large = alignment.upright(output)
        factor = max(large.width / shown.width, large.height / shown.height)
    else:
        (a, b, _), (d, e, _) = told.geometry.matrix
        factor = float(abs(a * e - b * d) / source.sample_aspect) ** 0.5  # square pixels, as they are shown
    # A whole factor where the codec's even sides allow for one.
    factor = (
        float(round(factor)) if abs(factor - round(factor)) * shown.width <= 2 and factor >= 1 else factor
    )
    return max(round(shown.width * factor), 1), max(round(shown.height * factor), 1)


def _placed(
    output: Source,
    told: sidecar.Sidecar | None,
    known: tuple[Source | None, Source | None],
    canvas: tuple[int, int],
) -> Aligned:
    if told is None:
        return alignment.straight_onto(output, *canvas, str(output.path))
    reference, source = known
    like = reference if source is None else source
    assert like is not None
    return alignment.undone(output, told, alignment.shown_like(like, told, *canvas), *canvas)


def _cut(made: dict[str, sidecar.Sidecar | None]) -> tuple[float, float | None]:
    """The part of the source that the outputs show, by their sidecars."""
    cuts = {(told.settings.start, told.settings.duration) for told in made.values() if told is not None}
    if len(cuts) > 1:
        raise BadOption("the outputs show different parts of their source", "Compare them one by one.")
    return next(iter(cuts), (0.0, None))


def _measured(
    scene: Scene, options: Options, console: Console, stack: ExitStack, watch: Callable[[Moment], None]
) -> compare.Numbers:
    join = moments.joined(scene.stretches, stack, partial=options.partial, say=progress.say(console))
    with progress.bar(console, quiet=options.quiet) as tick:
        return compare.measure(join, scene.setting, progress.counted(watch, tick, scene.num_frames))


def _comparison(scene: Scene, numbers: compare.Numbers, options: Options) -> Comparison:
    part, setting = scene.setting.part, scene.setting
    protocol = {
        "size": f"{part.width}x{part.height}, upright, square pixels, RGB in full range by each file's own colour tags",
        "frames": "matched by their times from each video's first frame, to a millisecond"
        + (f"; every {nth(options.every)}" if options.every > 1 else "")
        + "; a shot's first frame has no motion",
        "sizes": "others are brought to this by antialiased bicubic; turns and crops are undone by the sidecar's map",
        "means": "over frames",
        **{metric.title: metric.protocol for metric in setting.metrics},
    }
    if setting.source is not None:
        protocol[LANCZOS] = "the source, enlarged by three lobes, rounded to 8 bits"
    order = [*scene.files, LANCZOS, REFERENCE]
    contenders = [
        Contender(
            name=name,
            values=numbers.values[name],
            efficiency=_efficiency(scene.files[name], scene.made[name]) if name in scene.files else None,
        )
        for name in order
        if name in numbers.values
    ]
    return Comparison(
        reference=None if scene.reference is None else scene.reference.path.name,
        source=None if scene.source is None else scene.source.path.name,
        width=part.width,
        height=part.height,
        seconds=numbers.seconds,
        contenders=contenders,
        protocol=protocol,
        left_out=scene.left_out
        | measures.without_value(setting.metrics, [contender.means() for contender in contenders]),
    )


def _efficiency(path: Path, told: sidecar.Sidecar | None) -> Efficiency:
    megabytes = round(path.stat().st_size / 1e6, 3)
    if told is None:
        return Efficiency(megabytes=megabytes)
    cost = told.cost or sidecar.Cost()
    return Efficiency(
        model=told.model.name,
        device=told.settings.device,
        precision=hardware.word_of(told.settings.precision),
        megabytes=megabytes,
        **cost.model_dump(),
    )


def _print(found: Comparison, options: Options) -> None:
    table.show(["", *(contender.name for contender in found.contenders)], table.rows(found), fold=True)
    measured = (
        f"{amount(len(found.seconds), 'frame')} of {found.width}x{found.height}; "
        "↑ higher is better, ↓ lower is better"
    )
    places.say_last(options, [measured, *table.left_out(found.left_out)])
