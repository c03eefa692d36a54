"""`vidgan enhance INPUT OUTPUT`: the same frames, larger, upright and better.

Stopped by whatever it may be, the same command goes on where it was: see enhancing/.
"""

import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from functools import partial
from json import dumps

import torch
from torch import Tensor, nn
from torch.nn.functional import pixel_unshuffle

from vidgan import backprojection, hardware, progress, sidecar, stream, trust
from vidgan.enhancing import making
from vidgan.enhancing.job import Job, Options, prepare
from vidgan.enhancing.kept import Kept
from vidgan.enhancing.making import make
from vidgan.enhancing.telling import Result, Written, describe, result_of
from vidgan.frame import Frame
from vidgan.report import heat
from vidgan.shots import CutDetector

__all__ = ["Options", "Result", "run"]


def run(options: Options, generator: nn.Module | None = None) -> Result:
    """Make the video; gives what was made. A generator that is passed in takes the place of options.model.

    Raises VidganError, and then leaves nothing under the output's name: only the hidden folder of what is done, from
    which the same options go on.
    """
    job = prepare(options, generator)
    energy = hardware.Energy(job.settings.device)
    with Kept(options.output, job.identity, start_over=options.start_over, say=job.say) as kept:
        with progress.bar(job.console, quiet=options.quiet or options.json) as tick:
            written = make(job, kept, partial(_enhanced, job), tick)
        written = replace(written, joules=energy.joules())
        result = result_of(job, written)
        if options.sidecar:
            sidecar.write(describe(job, kept, written, result), options.output)
        kept.done()
    if options.json:
        sys.stdout.write(dumps(asdict(result)) + "\n")
    elif not options.quiet:
        _say(job, result)
    return result


def _say(job: Job, result: Result) -> None:
    told = f", {result.repeats} of them repeats" if result.repeats else ""
    told += f", {result.consistency} dB consistent with the input" if job.options.consistent else ""
    told += f", {result.invented} code values invented on average" if job.options.trust else ""
    by = "" if result.backend == "torch" else f", {result.backend}"
    job.say(
        f"{result.output}: {result.frames} frame{'s' * (result.frames != 1)} of {result.width}x{result.height}, "
        f"{result.fps:.1f} a second ({result.model}, {result.device}, {result.precision}{by}){told}"
    )


def _enhanced(
    job: Job, decoded: Iterator[Frame], written: Written, cuts: CutDetector
) -> Iterator[list[Frame]]:
    """The frames at each moment: the output's and, where it was asked for, the trust map's."""
    made: list[Frame] = []
    for large in stream.upscale(
        decoded, job.upscaler, window=job.window, cuts=cuts, segment=making.SEGMENT_FRAMES
    ):
        written.pts.append(large.frame.pts)
        written.began_shot.append(large.begins)
        written.repeats.append(large.repeats)
        if large.repeats:
            made = [replace(large.frame, pixels=frame.pixels) for frame in made]
            for values in (written.consistency, written.invented):
                values.extend(values[-1:])
        else:
            made = _made(job, large, written)
        yield made


def _made(job: Job, large: stream.Enlarged, written: Written) -> list[Frame]:
    frame, folded = large.frame, large.folded
    if job.options.consistent:
        folded = _made_consistent(job, frame, folded, written)
    picture = stream.rendered(folded, job.plan, job.window, frame.pixels.dtype)
    made = [replace(frame, pixels=picture)]
    if job.trust is not None:
        invented, mean = job.trust.measure(folded, _small(job, frame), begins=large.begins)
        written.invented.append(round(mean, 3))
        made.append(replace(frame, pixels=heat.over(picture, invented, hottest=trust.MOST)))
    return made


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
