"""`vidgan enhance INPUT OUTPUT`: the same frames, larger, upright and better; of one video or of a folder of them.

Stopped by whatever it may be, the same command goes on where it was: see enhancing/.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import asdict, replace
from functools import partial
from json import dumps
from pathlib import Path

import torch
from rich.console import Console
from torch import Tensor, nn
from torch.nn.functional import pixel_unshuffle

from vidgan import backprojection, hardware, progress, sidecar, stream, trust
from vidgan.enhancing import budget, making, naming, queue, table
from vidgan.enhancing.job import Job, check, prepare
from vidgan.enhancing.kept import Kept
from vidgan.enhancing.options import Options
from vidgan.enhancing.queue import Entry
from vidgan.enhancing.telling import Result, Written, describe, result_of
from vidgan.errors import BadOption, BadOutput, VidganError
from vidgan.frame import Frame
from vidgan.pixels import as_tensor
from vidgan.report import heat
from vidgan.shots import CutDetector
from vidgan.words import amount

__all__ = ["Options", "Result", "run", "run_folder"]

# One video of a folder. Until it is ready to finish a frame first, Ctrl-C ends it without a word.
PROGRAM = "import signal; signal.signal(signal.SIGINT, signal.SIG_DFL); from vidgan.verbs.enhance import serve; serve()"
QUEUE_MEMORY = 320 << 20  # bytes, of the process that looks after the others: 270 MB were measured


def run(options: Options, generator: nn.Module | None = None, tick: progress.Tick | None = None) -> Result:
    """Make the video; gives what was made. A generator that is passed in takes the place of options.model.

    tick  told how far it is, in place of a bar
    Raises VidganError, and then leaves nothing under the output's name: only the hidden folder of what is done, from
    which the same options go on.
    """
    job = prepare(options, generator)
    energy = hardware.Energy(job.settings.device)
    with Kept(options.output, job.identity, start_over=options.start_over, say=job.say) as kept:
        bar = (
            progress.bar(job.console, quiet=options.quiet or options.json)
            if tick is None
            else nullcontext(tick)
        )
        with bar as told:
            written = _made(job, kept, told)
        if not options.overwrite:  # or what follows would be refused, since the output has its name
            kept.how = "the same command with --overwrite"
        written = replace(written, joules=energy.joules())
        result = result_of(job, written)
        if options.sidecar:
            sidecar.write(describe(job, kept, written, result), options.output)
        kept.done()
    _own_up(job, result)
    if options.json:
        sys.stdout.write(dumps(asdict(result)) + "\n")
    elif not options.quiet:
        _say(job, result)
    return result


def run_folder(options: Options, *, suffix: str, jobs: int) -> list[dict[str, object]]:
    """Make every video of the folder options.input; gives what became of each, as --json prints it.

    suffix  an output is called <input>_SUFFIX
    jobs    videos at a time
    Raises VidganError for what cannot be before any is begun, and in the end where some failed: the others are made.
    """
    console = progress.console(quiet=options.quiet)
    entries = _entries(options, suffix, console)
    waiting = [entry.task.output for entry in entries if entry.status == "waiting"]
    jobs = min(jobs, max(1, len(waiting)))
    _check(options, waiting, jobs)
    _make_folders(options, entries)
    try:
        with table.shown(entries, options.input, console) as show:
            queue.run(
                entries,
                partial(_options_of, options, jobs),
                program=PROGRAM,
                jobs=jobs,
                show=show,
                say=lambda entry, line: _pass_on(console, table.name_of(entry, options.input), line),
            )
    finally:
        told = [_row(entry) for entry in entries]
        if options.json:
            sys.stdout.write(dumps(told) + "\n")
        failed = [entry for entry in entries if entry.status == "failed"]
        errors = progress.console()  # which --quiet does not silence
        if failed or not options.quiet:
            errors.print(table.counted(entries))
        for entry in failed:
            line = f"  {table.name_of(entry, options.input)}: {entry.note}"
            errors.print(line, soft_wrap=True)
        if any(entry.status == "stopped" for entry in entries):
            errors.print("the same command goes on")
    if failed:
        raise VidganError(
            f"{len(failed)} of {len(entries)} videos failed",
            "Mend them or take them away; the same command goes on with those that are not done.",
        )
    return told


def serve() -> None:
    """One video of a folder, in a process of its own: what queue.py starts."""
    sys.exit(queue.serve(lambda options, tick: run(options, tick=tick)))


def _entries(options: Options, suffix: str, console: Console) -> list[Entry]:
    if options.trust is not None:
        raise BadOption(
            f"--trust {options.trust} names one file, and {options.input} holds many videos",
            "Give --trust with one video at a time.",
        )
    found = naming.tasks(options.input, options.output, suffix, is_marked=sidecar.is_marked)
    entries = [Entry(task) for task in found.tasks]
    for entry in entries:
        if entry.task.output.exists() and not options.overwrite:
            entry.status, entry.note = (
                "skipped",
                f"{entry.task.output} exists already: --overwrite makes it again",
            )
    say = progress.say(console)
    if found.others:
        names = ", ".join(path.name for path in found.others[:3]) + (" ..." if len(found.others) > 3 else "")
        say(f"left out, by their names no videos: {len(found.others)} ({names})")
    for place in found.closed:
        say(f"left out, may not be opened: {place}")
    if found.made:
        say(f"left out, made by earlier runs: {len(found.made)}")
    return entries


def _check(options: Options, outputs: list[Path], jobs: int) -> None:
    """Raise what would fail each of the videos that wait, before a process is begun for each to say so."""
    if not outputs:
        return
    check(options, outputs)
    if options.memory is not None and _share(options.memory, jobs) < budget.PROCESS:
        least = budget.told(jobs * budget.PROCESS + QUEUE_MEMORY)
        raise VidganError(
            f"--memory {options.memory} is too little: a queue with {jobs} at a time takes {least} before a frame",
            f"Give well above {least}, or ask for fewer --jobs." if jobs > 1 else f"Give well above {least}.",
        )


def _make_folders(options: Options, entries: list[Entry]) -> None:
    try:
        for place in sorted({entry.task.output.parent for entry in entries}):
            place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadOutput(
            f"{options.output} cannot be made: {error.strerror}", "Choose another folder."
        ) from None


def _options_of(options: Options, jobs: int, task: naming.Task) -> Options:
    """Of one video: with several at a time, its share of processors and memory."""
    threads, memory = options.threads, options.memory
    if jobs > 1:
        threads = threads or max(1, (os.cpu_count() or 1) // jobs)
    if memory is not None:
        memory = f"{_share(memory, jobs) // budget.MEBI}M"
    return replace(
        options,
        input=task.source,
        output=task.output,
        threads=threads,
        memory=memory,
        json=False,
        started=None,
    )


def _share(memory: str, jobs: int) -> int:
    """Bytes of --memory for each of the videos at a time."""
    return (budget.bytes_of(memory) - QUEUE_MEMORY) // jobs


def _pass_on(console: Console, name: str, line: str) -> None:
    console.print(line if name in line else f"{name}: {line}", soft_wrap=True)


def _row(entry: Entry) -> dict[str, object]:
    return {
        "input": str(entry.task.source),
        "output": str(entry.task.output),
        "status": entry.status,
        "reason": None if entry.status == "done" else entry.note or None,
        "result": entry.result,
    }


def _made(job: Job, kept: Kept, tick: progress.Tick) -> Written:
    try:
        return making.make(job, kept, partial(_enhanced, job), tick)
    except (MemoryError, RuntimeError) as error:
        if not hardware.is_out_of_memory(error):
            raise
    raise VidganError(
        "not enough memory: the network's tiles are not what needs it",
        "Close other programs, or cap what is held: --memory 2G, for example, says whether that will do.",
    )


def _own_up(job: Job, result: Result) -> None:
    """Where a command took more than --memory allows: the reckoning was wrong, and that is ours to mend."""
    took, is_command = result.peak_memory_mb or 0.0, job.options.started is not None
    if job.cap is not None and is_command and took * budget.MEBI > job.cap:
        job.say(
            f"--memory {job.options.memory}: {took:.0f}M were taken at the peak, which is our mistake: report it"
        )


def _say(job: Job, result: Result) -> None:
    told = f", {result.repeats} of them repeats" if result.repeats else ""
    told += (
        f", {result.consistency} dB consistent with the input before encoding"
        if job.options.consistent
        else ""
    )
    told += f", {result.invented} code values invented on average" if job.options.trust else ""
    rate = f", {result.fps:.1f} a second" if result.frames > 1 else ""  # the first one waits for everything
    by = "" if result.backend == "torch" else f", {result.backend}"
    job.say(
        f"{result.output}: {amount(result.frames, 'frame')} of "
        f"{result.width}x{result.height}{rate} ({result.model}, {result.device}, {result.precision}{by}){told}"
    )


def _enhanced(
    job: Job, decoded: Iterator[Frame], written: Written, cuts: CutDetector
) -> Iterator[list[Frame]]:
    """The frames at each moment: the output's and, where it was asked for, the trust map's."""
    large = stream.upscale(decoded, job.upscaler, window=job.window, cuts=cuts, segment=making.SEGMENT_FRAMES)
    made: list[Frame] = []
    for frame, begins, folded in large:
        written.pts.append(frame.pts)
        written.began_shot.append(begins)
        written.repeats.append(folded is None)
        if folded is None:
            made = [replace(frame, pixels=before.pixels) for before in made]
            for values in (written.consistency, written.invented):
                values.extend(values[-1:])
        else:
            if job.options.consistent:
                folded = _made_consistent(job, frame, folded, written)
            picture = stream.rendered(folded, job.plan, job.window, frame.pixels.dtype)
            made = [replace(frame, pixels=picture)]
            if job.trust is not None:
                invented, mean = job.trust.measure(folded, _small(job, frame), begins=begins)
                written.invented.append(round(mean, 3))
                made.append(replace(frame, pixels=heat.over(picture, invented, hottest=trust.MOST)))
                del invented
            del picture
        del folded, frame  # or they would be held while the next frame is made
        yield made


def _small(job: Job, frame: Frame) -> Tensor:
    """The window of a frame, as the network sees it."""
    x, y, width, height = job.window
    return as_tensor(frame.pixels[y : y + height, x : x + width], job.upscaler.settings.device)


def _made_consistent(job: Job, frame: Frame, folded: Tensor, written: Written) -> Tensor:
    with torch.inference_mode():
        small = _small(job, frame)
        large = stream.unfolded(folded, job.upscaler.scale)
        large, decibels = backprojection.consistent(large.clamp(0, 1), small)
        written.consistency.append(round(decibels, 2))
        return pixel_unshuffle(large, job.upscaler.scale)
