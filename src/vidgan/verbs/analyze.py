"""`vidgan analyze VIDEO`: a video's timeline: what every frame is like, and what happens when."""

import math
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from rich.console import Console

from vidgan import anomaly, checkpoint, hardware, progress, sidecar, video
from vidgan.discriminators import FRAMES
from vidgan.errors import BadOption, BadVideo, VidganError, printable
from vidgan.interrupt import Asked, remembered
from vidgan.measuring import alignment
from vidgan.report import analysis as page
from vidgan.report import places, table
from vidgan.score import SHOT, Analysis, Event, Noted
from vidgan.silence import ignore
from vidgan.video import Source
from vidgan.watching import clips, measures, moments, realism, watch
from vidgan.watching.realism import Judge
from vidgan.watching.watch import Task, Watched
from vidgan.words import amount

MOST_PRINTED = 30  # events on the terminal: of more the longest


@dataclass(frozen=True, kw_only=True)
class Options:
    video: Path
    normal: Path | None = None  # a model that has learnt normal footage
    realism: Path | None = None  # a training run's folder or its state, or checkpoint.JUDGE
    realism_every: int = 1  # of so many threes of frames one is judged
    clips: Path | None = None
    enhanced: bool = False  # whether a video that vidgan made may be analysed
    report: Path | None = None
    json: Path | None = None  # "-" for standard output
    csv: Path | None = None
    overwrite: bool = False
    device: str = "auto"
    threads: int = 0
    quiet: bool = False


def run(options: Options) -> Analysis:
    """See every frame once; gives what was seen, and writes what was asked for.

    A first Ctrl-C or polite kill ends the video there: what was seen until then is written and told, and the program
    ends as the signal would have it. Raises VidganError; then nothing has been written but whole clips.
    """
    console = progress.console(quiet=options.quiet)
    hardware.keep_memory()
    if options.threads:
        torch.set_num_threads(options.threads)
    notes: list[str] = []

    def say(line: str) -> None:
        if line not in notes:
            notes.append(line)
            console.print(line, soft_wrap=True)

    _check(options)
    source = video.probe(options.video)
    _check_origin(options, source)
    task, asked = _task(options, source), Asked()
    recorder = page.Recorder()
    with remembered(asked):
        watched = _watched(task, options, recorder, (console, say), asked)
        found = _analysis(watched, task, options, notes)
        found, failure = _cut(found, task, options, (console, say), asked)
        places.write_results(
            options,
            report=lambda path: page.write_report(found, recorder, path),
            json=found.json_lines,
            csv=found.csv_lines,
        )
    if places.is_shown(options):
        _print(found, options)
    if failure is not None:
        raise failure
    asked.leave()
    return found


def _check(options: Options) -> None:
    if options.realism_every < 1:
        raise BadOption(f"--realism-every {options.realism_every} judges nothing", "Give 1 or more.")
    if options.realism_every > 1 and options.realism is None:
        raise BadOption(
            "--realism-every is given without --realism",
            f"Add --realism {checkpoint.JUDGE}, or --realism RUN.",
        )
    places.check(options, (options.video, sidecar.path_for(options.video), options.normal, options.realism))
    if options.clips is not None:
        for place in (options.report, options.json, options.csv):
            if place is not None and place.resolve() == options.clips.resolve():
                raise BadOption(
                    f"{place} is named for the clips and for a result", "Give each a place of its own."
                )
        clips.check_folder(options.clips, overwrite=options.overwrite)


def _check_origin(options: Options, source: Source) -> None:
    """Raise BadVideo for a video that a network made: what it shows need not have happened."""
    if options.enhanced:
        return
    made = alignment.read_sidecar(options.video, source)
    if made is None and not sidecar.is_marked(options.video):
        return
    if made is None:
        instead = "Analyse the video that it was made from"
    else:
        beside = alignment.input_beside(options.video, made)
        instead = f"Analyse {made.input.name if beside is None else beside}, which it was made from"
    raise BadVideo(
        f"{options.video} was made by a neural network: what it shows may be invented",
        f"{instead}, or add --enhanced to analyse the network's work.",
    )


def _task(options: Options, source: Source) -> Task:
    device = hardware.device_of(options.device)
    judge = None
    if options.realism is not None:
        generator, discriminator = checkpoint.load_players(options.realism)
        judge = Judge(
            generator.to(device), discriminator.to(device), device, source.orientation, options.realism_every
        )
    return Task(
        source=source,
        view=moments.view(source),
        origin=float(video.origin_of(source)),
        pictures=options.report is not None,
        motion=not measures.missing_motion(),
        judge=judge,
        normal=None if options.normal is None else anomaly.load(options.normal, device),
    )


def _watched(
    task: Task,
    options: Options,
    recorder: page.Recorder,
    heard: tuple[Console, Callable[[str], None]],
    asked: Asked,
) -> Watched:
    console, say = heard
    note: Callable[[Noted], None] = recorder.see if options.report is not None else ignore
    length = task.source.duration_seconds
    with progress.bar(console, quiet=options.quiet) as tick:

        def count(frames: int, seconds: float) -> None:
            tick(min(seconds, length) if length else seconds, length, amount(frames, "frame"))

        frames = video.read(task.source, say=say)
        return watch.watch(frames, task, note=note, tick=count, stop=lambda: bool(asked.signal))


def _analysis(watched: Watched, task: Task, options: Options, notes: list[str]) -> Analysis:
    protocol = {
        "luma": "BT.601 of R'G'B' in full range, 0 to 255, on the pixels as stored",
        "times": "seconds as the file has them and as --start of vidgan enhance counts them",
        "pictures": "the file's own" if not options.enhanced else "a neural network's, as was asked for",
    }
    if options.realism is not None:
        protocol["the judge"] = str(options.realism)
    if options.normal is not None:
        protocol["what is normal"] = str(options.normal)
    return Analysis(
        video=options.video.name,
        width=task.view.width,
        height=task.view.height,
        end=watched.end,
        times=watched.times,
        scales=task.scales(),
        scores=watched.scores,
        kinds=task.kinds(),
        events=watched.events,
        protocol=protocol,
        left_out=_left_out(watched, task),
        notes=notes,
        complete=watched.complete,
    )


def _left_out(watched: Watched, task: Task) -> dict[str, str]:
    """What was not measured at all, and why: of shots that are too short nobody judges, or predicts, a frame."""
    found = {} if task.motion else {"motion": measures.missing_motion()}
    fewest = {} if task.judge is None else {realism.SCALE.name: FRAMES}
    if task.normal is not None:
        fewest[watch.ANOMALY.name] = task.normal.fewest
    for name, number in fewest.items():
        if all(map(math.isnan, watched.scores[name])):
            found[name] = f"needs {number} frames of one shot"
    return found


def _cut(
    found: Analysis,
    task: Task,
    options: Options,
    heard: tuple[Console, Callable[[str], None]],
    asked: Asked,
) -> tuple[Analysis, VidganError | None]:
    """With the clips that could be cut out; a failure is for later, or hours of looking would be lost."""
    if options.clips is None or asked.signal:
        return found, None
    console, say = heard
    kinds = ["anomaly"] if task.normal else [kind.name for kind in found.kinds if kind.name != SHOT]
    events = clips.chosen(found.events, kinds)
    if (left := sum(event.kind in kinds for event in found.events) - len(events)) > 0:
        say(f"{amount(left, 'event')} not cut out: of so many only the {clips.MOST} longest are")
    made: dict[int, str] = {}
    with ExitStack() as stack:
        tick = stack.enter_context(progress.bar(console, quiet=options.quiet))
        cutting = clips.cut(task.source, events, options.clips, overwrite=options.overwrite, say=say)
        try:
            for number, name in cutting:
                made[number] = name
                tick(len(made), len(events), amount(len(made), "clip"))
                if asked.signal:
                    break
        except VidganError as error:
            return replace(found, clips=made), error
    return replace(found, clips=made), None


def _print(found: Analysis, options: Options) -> None:
    events = [(number, event) for number, event in enumerate(found.events, 1) if event.kind != SHOT]
    longest = sorted(events, key=lambda each: each[1].start - each[1].end)[:MOST_PRINTED]
    if longest:
        header = ("", "from", "to", "seconds", "worst")
        table.show(header, [_row(found, event) for _, event in sorted(longest)])
    told = []
    if len(events) > len(longest):
        told += [f"and {amount(len(events) - len(longest), 'shorter one')}: --json lists all"]
    told += table.left_out(found.left_out)
    if options.clips is not None:
        told += [f"clips: {len(found.clips)} in {printable(str(options.clips))}"]
    places.say_last(options, [*told, found.sentence])


def _row(found: Analysis, event: Event) -> list[str]:
    kind = found.kind(event)
    worst = f"{event.score:.{kind.digits}f} {kind.unit}"
    return [
        kind.title,
        progress.clock(event.start),
        progress.clock(event.end),
        f"{event.seconds:.2f}",
        worst,
    ]
