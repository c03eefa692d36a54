"""`vidgan impact SOURCE ENHANCED`: did enhancing help those who analyse the video?"""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from vidgan import hardware, progress, sidecar, video
from vidgan.errors import BadOption
from vidgan.measuring import alignment, arms, impact, lookers, moments
from vidgan.measuring.arms import Stage
from vidgan.measuring.lookers import Looker, Plug
from vidgan.report import impact as page
from vidgan.report import places, table
from vidgan.score import Impact, Search, Sight
from vidgan.score.blocks import FEWEST, SECONDS, blocks
from vidgan.score.evaluation import CONFIDENCE, DRAWS
from vidgan.score.helped import PER, SAID
from vidgan.score.matching import LARGE, MOVED, SAME, SIZES, SMALL
from vidgan.silence import ignore
from vidgan.video import Source
from vidgan.words import nth


@dataclass(frozen=True, kw_only=True)
class Options:
    source: Path
    enhanced: Path
    reference: Path | None = None
    analysers: tuple[str, ...] | None = None  # None: all that are installed, or the plugs alone
    plugs: tuple[str, ...] = ()  # FILE.py:function
    functions: tuple[Plug, ...] = ()  # the same from Python
    normal: Path | None = None  # a model that has learnt normal footage
    empty: tuple[str, ...] = ()  # analysers that have nothing to find in this footage
    every: int = 1
    partial: bool = False
    report: Path | None = None
    json: Path | None = None  # "-" for standard output
    csv: Path | None = None
    quiet: bool = False


def run(options: Options) -> Impact:
    """Let analysers look at every moment of all versions; gives what they found, and writes what was asked for.

    Raises VidganError; then nothing has been written.
    """
    console = progress.console(quiet=options.quiet)
    hardware.keep_memory()
    _check(options)
    looking, left_out = _lookers(options)
    videos = [video.probe(path) for path in _paths(options)]
    made = alignment.read_sidecar(options.enhanced, videos[1])
    stage = arms.stage(videos[0], videos[1], videos[2] if options.reference else None, made)
    recorder = page.Recorder()
    with ExitStack() as stack:
        stretches = _stretches(videos, made, options)
        join = moments.joined(stretches, stack, partial=options.partial, say=progress.say(console))
        tick = stack.enter_context(progress.bar(console, quiet=options.quiet))
        see: Callable[[Sight], None] = recorder.see if options.report is not None else ignore
        watch = progress.counted(see, tick, moments.num_moments(videos, options.every))
        seconds, studies = impact.look(
            join, stage, looking, empty=options.empty, every=options.every, watch=watch
        )
    found = Impact(
        source=options.source.name,
        enhanced=options.enhanced.name,
        reference=None if options.reference is None else options.reference.name,
        way=stage.way,
        seconds=seconds,
        block=blocks(seconds),
        studies=studies,
        protocol=_protocol(options, stage, looking),
        left_out=left_out,
    )
    places.write_results(
        options,
        report=lambda path: page.write_report(found, recorder, path),
        json=lambda: places.json_line(found.as_json()),
        csv=found.as_csv,
    )
    if places.is_shown(options):
        _print(found, options)
    return found


def _paths(options: Options) -> list[Path]:
    return [options.source, options.enhanced, *([options.reference] if options.reference else [])]


def _check(options: Options) -> None:
    if options.every < 1:
        raise BadOption(f"--every {options.every} looks at nothing", "Give 1 or more.")
    if options.every > 1 and options.normal is not None:
        raise BadOption(
            f"--normal knows how one frame follows another, and --every {options.every} leaves most of them out",
            "Leave one of the two out.",
        )
    plugs = (Path(word.rpartition(":")[0]) for word in options.plugs)
    read = (*_paths(options), sidecar.path_for(options.enhanced), *plugs, options.normal)
    places.check(options, read)


def _lookers(options: Options) -> tuple[list[Looker], dict[str, str]]:
    plugs = [lookers.from_file(word) for word in options.plugs]
    plugs += [(getattr(function, "__name__", "function"), function) for function in options.functions]
    looking, left_out = lookers.choose(options.analysers, plugs, model=options.normal)
    names = [looker.name for looker in looking]
    for name in options.empty:
        if name not in names:
            raise BadOption(f"--empty {name}: no such analyser looks", f"Looking are: {', '.join(names)}.")
    return looking, left_out


def _stretches(videos: list[Source], made: sidecar.Sidecar | None, options: Options) -> list[moments.Stretch]:
    """The part of the source and the reference that the enhanced video shows, and all of that."""
    start, duration = (made.settings.start, made.settings.duration) if made else (0.0, None)
    return [
        moments.Stretch(source=source, name=str(path))
        if index == 1
        else moments.Stretch(source=source, name=str(path), start=start, duration=duration)
        for index, (source, path) in enumerate(zip(videos, _paths(options), strict=True))
    ]


def _protocol(options: Options, stage: Stage, looking: list[Looker]) -> dict[str, str]:
    sides = f"{stage.way.width}x{stage.way.height}"
    every = f"; every {nth(options.every)}" if options.every > 1 else ""
    return {
        "versions": f"all of {sides}, upright, RGB of 8 bits, but the source, which is looked at as it is; bicubic and "
        f"Lanczos enlarge it {stage.factor} times in the network's place, and go through the same map",
        "frames": f"matched by their times, to a millisecond{every}",
        "the same thing": f"intersection over union of {SAME} or more, the nearest pairs first, each once; words must "
        "be the same but for capitals and spaces",
        "moved": f"the same thing after bicubic and after the network, overlapping by less than {MOVED}",
        "what is there": _what_is_there(options),
        "sizes": f"of the box in the source: small below {SMALL}x{SMALL} pixels, large from {LARGE}x{LARGE} on",
        "recovered gap": "(version - bicubic) / (reference - bicubic), of F1 or of the mean",
        "intervals": f"{CONFIDENCE:.0%}, bootstrap of {DRAWS} draws over blocks of {SECONDS:g} s",
        "verdict": f"from {FEWEST} blocks on, where the interval of the difference to bicubic excludes zero, its "
        "level corrected for the number of analysers (Bonferroni)",
        **{looker.title: looker.protocol for looker in looking},
    }


def _what_is_there(options: Options) -> str:
    nothing = [f"nothing for {', '.join(options.empty)}"] if options.empty else []
    known = ["what the analyser finds in the reference"] if options.reference else []
    return "; ".join([*known, *nothing]) or "nobody can tell without a reference"


def _print(found: Impact, options: Options) -> None:
    for study in found.studies:
        verdict = found.verdict(study)
        print(f"{study.title}: {SAID[verdict.outcome]}: {verdict.words}")
        header, lines = page.rows(found, study)
        if isinstance(study, Search) and not any(study.counts[arm][:, 0].any() for arm in study.arms):
            continue
        table.show(header, lines)
        print()
        if isinstance(study, Search) and (different := page.rates(found, study)):
            table.show([f"in {PER} frames", "all", *SIZES], different)
            print()
    places.say_last(options, [page.about(found), *table.left_out(found.left_out), found.sentence])
