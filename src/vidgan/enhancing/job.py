"""Everything that is decided about an enhanced video before its first frame: wishes, checked, become a job."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from zlib import crc32

import torch
from rich.console import Console
from torch import nn

from vidgan import (
    __version__,
    backends,
    blending,
    checkpoint,
    damage,
    disk,
    geometry,
    hardware,
    progress,
    quickest,
    sidecar,
    steady,
    stream,
    trust,
    video,
)
from vidgan.enhancing import budget, choosing, kept
from vidgan.enhancing.options import Options, check_threads, encoding_of, wish_of
from vidgan.errors import BadOption, BadOutput, BadVideo, VidganError, printable
from vidgan.generators import VideoGenerator
from vidgan.video import Source

MEMORY_BUDGET = 1 << 30  # bytes for the network's layers before frames are tiled


@dataclass(frozen=True, kw_only=True)
class Job:
    """Everything that is decided before the first frame."""

    options: Options
    console: Console
    say: Callable[[str], None]
    started: float
    source: Source
    plan: geometry.Map
    settings: stream.Settings
    budget: budget.Plan  # what --memory has lowered
    cap: int | None  # bytes
    generator: VideoGenerator
    given: bool  # whether it was passed in; else it is that of options.model
    upscaler: stream.Upscaler
    window: stream.Window
    trust: trust.Trust | None  # where it was asked for
    writers: list[video.Writer]  # of the output and, where it was asked for, of the trust map
    identity: dict[str, str]  # what must be the same for a later run to go on, in the user's words
    state: tuple[int, int]  # of the source's file: it must not change meanwhile


def prepare(options: Options, generator: nn.Module | None) -> Job:
    """Raises VidganError for whatever cannot be, before anything is written. A generator takes the model's place."""
    started = time.monotonic() if options.started is None else options.started
    console = progress.console(quiet=options.quiet)
    say = _once(console)
    cap = None if options.memory is None else budget.bytes_of(options.memory)
    hardware.keep_memory() if cap is None else hardware.return_memory()
    check_threads(options)
    options = replace(options, steady=steady.share_of(options.steady, asked="--steady"))
    if options.threads:
        torch.set_num_threads(options.threads)
    asked = options
    _check_places(options)
    options, source, network, twin = _cast(options, generator)
    map = geometry.plan(
        wish_of(options),
        source,
        multiple=video.size_multiple(options.output, encoding_of(options), source),
        default_scale=network.scale,
    )
    if any(map.padding):
        say(
            f"the codec wants even sides: padded to {map.width}x{map.height} by repeating the last row or column"
        )
    window = map.window(network.reach)
    weights = checkpoint.sha256_of_weights(network)
    settings = replace(_settings(options, network, window, weights, say), steady=options.steady)
    work = _work(options, source, map, window, network, settings)
    lowered = _lowered(options, work, cap, say)
    settings = replace(settings, tile=lowered.tile)
    alone = replace(settings, steady=0.0)  # the twin dares nothing that could flicker
    writers = _writers(options, work, lowered, say, _mark(options, source, map, weights))
    _tell_of_choices(asked, options, source, say)
    return Job(
        options=options,
        console=console,
        say=say,
        started=started,
        source=source,
        plan=map,
        settings=settings,
        budget=lowered,
        cap=cap,
        generator=network,
        given=generator is not None,
        upscaler=stream.Upscaler(network, settings, say),
        window=window,
        trust=trust.Trust(stream.Upscaler(twin, alone, say), map, window) if twin is not None else None,
        writers=writers,
        identity={
            "vidgan": __version__,
            "the input": kept.fingerprint(options.input),
            "the model": weights,
            "its twin": "none" if twin is None else checkpoint.sha256_of_weights(twin),
            **_told(options, settings, writers[0]),
        },
        state=state_of(options.input),
    )


def check(options: Options, outputs: list[Path]) -> None:
    """Raise what `prepare` would raise for each of many videos, whatever they hold, so that none has to be started.

    outputs  the videos' output paths, used in place of options.output
    """
    if options.memory is not None:
        budget.bytes_of(options.memory)
    check_threads(options)
    steady.share_of(options.steady, asked="--steady")
    usual = choosing.USUAL if choosing.is_auto(options.model) else options.model
    network = _loaded(replace(options, model=usual))
    wish_of(options)
    _check_encoding(options, outputs)
    settings = stream.settings_of(options.device, options.precision, options.tile)
    if options.memory is not None:
        _reckoned(options, settings)
        return
    asked = quickest.Asked(backend=options.backend, precision=options.precision, device=settings.device)
    for name, choice in quickest.able(asked).items():
        if not backends.is_here(name, settings.device):  # it says why
            backends.load(name, network, device=settings.device, precision=choice.precision)


def _check_places(options: Options) -> None:
    """Where files are to go. An input that is not there is said by whoever opens it."""
    if options.input.is_file():
        for path in filter(None, (options.output, options.trust)):
            video.check_place(path, options.input, overwrite=options.overwrite)
        if options.sidecar:
            sidecar.check_place(options.output, options.input, overwrite=options.overwrite)


def _check_encoding(options: Options, outputs: list[Path]) -> None:
    """Raise an error only if every kind of output is refused. If only some are, those videos report it themselves."""
    kinds = {output.suffix.lower(): output for output in outputs}
    refused: list[VidganError] = []
    for output in kinds.values():
        try:
            video.check_any(output, encoding_of(options))
        except VidganError as error:
            refused.append(error)
    if refused and len(refused) == len(kinds):
        raise refused[0]


def _settings(
    options: Options, network: VideoGenerator, window: stream.Window, weights: str, say: Callable[[str], None]
) -> stream.Settings:
    """The settings, with the backend asked for; for auto, that of the run being continued, otherwise the quickest."""
    settings = stream.settings_of(options.device, options.precision, options.tile)
    if options.memory is not None:
        return _reckoned(options, settings)
    before = None if options.start_over else kept.begun_with(options.output).get("the backend")
    backend = before if options.backend == "auto" and before is not None else options.backend
    asked = quickest.Asked(backend=backend, precision=options.precision, device=settings.device)
    try:
        choice = quickest.choose(asked, network, size=window[2:], weights=weights, say=say)
    except BadOption:
        if backend == options.backend:
            raise
        # Other wishes than that work was begun with, which is said when its folder is opened.
        asked = replace(asked, backend="torch")
        choice = quickest.choose(asked, network, size=window[2:], weights=weights, say=say)
    return replace(settings, backend=choice.backend, precision=choice.precision)


def _reckoned(options: Options, settings: stream.Settings) -> stream.Settings:
    """With torch, whose memory is known beforehand."""
    if options.backend not in ("auto", "torch"):
        raise BadOption(
            f"--memory cannot tell what {options.backend} will hold",
            "Leave one of them out, or use --backend torch.",
        )
    return settings


def _once(console: Console) -> Callable[[str], None]:
    """What says a line, but no line twice: two files and two networks may have the same to say."""
    said: set[str] = set()

    def say(line: str) -> None:
        if line not in said:
            said.add(line)
            console.print(line, soft_wrap=True)

    return say


def _cast(
    options: Options, generator: nn.Module | None
) -> tuple[Options, Source, VideoGenerator, VideoGenerator | None]:
    """The options with every choice made, the source, its network and twin. Bad options fail before it is opened."""
    auto = generator is None and choosing.is_auto(options.model)
    if auto:
        options = replace(options, model=choosing.USUAL)
    network, twin = _networks(options, generator)
    wish, source = wish_of(options), video.probe(options.input)
    if auto and choosing.choose(wish, source) == choosing.LARGE:
        options = replace(options, **choosing.for_large(options.restore, wish))
        network, twin = _networks(options, generator)
    if generator is None and options.restore is None and options.denoise is None:
        can = blending.can_restore(options.model)
        found = damage.estimate(source, start=options.start, duration=options.duration) if can else 0.0
        options = replace(options, restore=found)
        network = _loaded(options) if options.restore else network
    return options, source, network, twin


def _tell_of_choices(asked: Options, options: Options, source: Source, say: Callable[[str], None]) -> None:
    """What was decided for whoever asked for nothing, and is not the usual."""
    if choosing.is_auto(asked.model) and (line := choosing.told(str(options.model), wish_of(asked), source)):
        say(line)
    if asked.restore is None and options.restore:
        say(damage.told(options.restore))


def _networks(options: Options, generator: nn.Module | None) -> tuple[VideoGenerator, VideoGenerator | None]:
    """What makes the video, and its faithful twin where --trust asks for one."""
    if generator is None:
        network = _loaded(options)
    else:
        blending.check_alone(options.fidelity, options.restore, options.denoise)
        network = stream.checked(generator)
    return network, None if options.trust is None else _twin(options, generator)


def _loaded(options: Options) -> VideoGenerator:
    """The network; where nobody says what it is to restore, that for clean sources."""
    return stream.checked(
        blending.load(
            options.model,
            fidelity=options.fidelity,
            restore=options.restore or 0.0,
            denoise=options.denoise,
        )
    )


def _twin(options: Options, generator: nn.Module | None) -> VideoGenerator:
    """The faithful twin that the model is held against."""
    assert options.trust is not None
    if options.trust.resolve() == options.output.resolve():
        raise BadOutput(f"{options.trust} is the output itself", "Choose another name for the trust map.")
    if generator is not None:
        raise BadOption(
            "a generator that is passed in has no faithful twin, which --trust needs",
            "Give the path of a model file with its twin beside it.",
        )
    return blending.load_twins(options.model, option="--trust")[1]


def state_of(path: Path) -> tuple[int, int]:
    """Bytes, and nanoseconds of the last change. Raises BadVideo where it is gone."""
    try:
        status = path.stat()
    except OSError as error:
        raise BadVideo(f"{path} is gone: {error.strerror}", "Put it back.") from None
    return status.st_size, status.st_mtime_ns


def _told(options: Options, settings: stream.Settings, writer: video.Writer) -> dict[str, str]:
    """What changes a frame beside its source and the weights: where it can be, as it stands on the command line."""
    choice = writer.coding.choice
    coded = " ".join(f"{key} {value}" for key, value in choice.options.items())
    words = {
        "--fidelity": options.fidelity,
        "--restore": options.restore,
        "--denoise": options.denoise,
        "--steady": options.steady,
        "--consistent": options.consistent,
        "--trust": None if options.trust is None else printable(str(options.trust.resolve())),
        "--scale": options.scale,
        "--size": options.size,
        "--crop": options.crop,
        "--flip": options.flip,
        "--rotate": options.rotate,
        "--canvas": options.canvas,
        "--orientation": options.orientation,
        "--tile": options.tile,
        "--start": options.start,
        "--duration": options.duration,
        "the device": settings.device.type,
        "the backend": settings.backend,
        "the precision": hardware.name_of(settings.precision),
        "the codec": f"{choice.encoder} {choice.pixel_format} {choice.quantiser or ''} {coded}".strip()
        + (f", {choice.threads} thread" if choice.threads else ""),
    }
    return {key: "left out" if value is None else str(value) for key, value in words.items()}


def _mark(options: Options, source: Source, map: geometry.Map, weights: str) -> str:
    """That the video was altered by a network, which, and how."""
    model = Path(options.model).name
    how = [f"from {source.width}x{source.height} to {map.width}x{map.height}"]
    shares = {
        "fidelity": options.fidelity,
        "restore": options.restore or None,
        "denoise": options.denoise,
        "steady": options.steady or None,
    }
    how += [f"{name} {share:g}" for name, share in shares.items() if share is not None]
    if options.consistent:
        how.append("made consistent with the source")
    return (
        f"{sidecar.MARK}: every picture was made by vidgan {__version__} "
        f"with the model {model} ({weights[:12]}), {', '.join(how)}"
    )


def _work(
    options: Options,
    source: Source,
    map: geometry.Map,
    window: stream.Window,
    network: VideoGenerator,
    settings: stream.Settings,
) -> budget.Work:
    """What is to be done, as far as memory is concerned."""
    ways = {light: replace(encoding_of(options), light=light) for light in (False, True)}
    return budget.Work(
        source=source,
        seconds=source.seconds_of(options.start, options.duration) or 0.0,
        map=map,
        window=window,
        network=network,
        settings=settings,
        outputs=1 if options.trust is None else 2,
        consistent=options.consistent,
        choices={light: video.choose(options.output, way, source) for light, way in ways.items()},
    )


def _lowered(options: Options, work: budget.Work, cap: int | None, say: Callable[[str], None]) -> budget.Plan:
    """The tile; with --memory also what else is lowered until it fits. Raises VidganError where it cannot."""
    if cap is not None:
        plan = budget.fit(work, cap, wished=options.tile)
        say(
            f"--memory {options.memory}: {plan.told()}; about {budget.told(budget.needed(work, plan))} are needed"
        )
        return plan
    tile = work.settings.tile
    if options.tile == "auto":
        tile = stream.choose_tile(work.network, work.window[2], work.window[3], work.settings, MEMORY_BUDGET)
    return budget.Plan(tile=tile)


def _writers(
    options: Options, work: budget.Work, lowered: budget.Plan, say: Callable[[str], None], mark: str
) -> list[video.Writer]:
    """Of the output and, where it was asked for, of the trust map."""
    source, map = work.source, work.map
    output = video.Writer(
        options.output,
        source=source,
        width=map.width,
        height=map.height,
        encoding=replace(encoding_of(options), light=lowered.light),
        orientation=map.orientation,
        start=options.start,
        duration=options.duration,
        overwrite=options.overwrite,
        say=say,
        metadata={"comment": mark} if options.mark else {},
        partial=kept.folder_for(options.output) / f"whole{options.output.suffix}",
    )
    if options.trust is None:
        return [output]
    told = f"What vidgan {__version__} invented in {options.output.name}: black none, pale yellow {trust.MOST:g} codes"
    # Named by the output, under whose lock it is made, so that the next run takes away what a killed one left.
    key = crc32(os.fsencode(options.output.absolute()))
    partial = options.trust.with_name(
        f".{disk.short(options.trust.stem)}.{key:08x}.partial{options.trust.suffix}"
    )
    alone = replace(output, path=options.trust, metadata={"comment": told}, alone=True, partial=partial)
    return [output, alone]
