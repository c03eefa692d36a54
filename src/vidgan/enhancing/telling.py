"""What is told of a video that was made: the result, and the sidecar beside the output."""

import time
from dataclasses import dataclass, field

from vidgan import __version__, checkpoint, disk, hardware, sidecar, stream
from vidgan.enhancing.job import Job
from vidgan.enhancing.kept import Kept, Segment


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
    backend: str
    peak_memory_mb: float | None
    consistency: float | None = None  # dB: the output, brought down, against the input; with --consistent
    invented: float | None = None  # code values of 255, the mean over pixels and frames; with --trust
    frames_of_earlier_runs: int = 0  # that were kept, and gone on from
    repeats: int = 0  # frames that were the one before once more, and were not computed again


@dataclass(frozen=True, kw_only=True)
class Written:
    """What is known of the frames, those of earlier runs first; and when those of this run were made."""

    pts: list[int] = field(default_factory=list)
    began_shot: list[bool] = field(default_factory=list)
    repeats: list[bool] = field(default_factory=list)  # of the frame before: not computed again
    consistency: list[float] = field(default_factory=list)  # dB, where it was asked for
    invented: list[float] = field(default_factory=list)  # code values of 255, where they were asked for
    num_kept: int = 0  # frames of earlier runs
    first_frame_at: float | None = None  # where this run made one
    joining_seconds: float = 0.0
    joules: float | None = None  # that the machine drew meanwhile


def recalled(kept: Kept) -> Written:
    """What earlier runs have kept."""
    written = Written(num_kept=kept.num_frames)
    for segment in kept.segments:
        written.pts.extend(segment.pts)
        written.began_shot.extend(segment.began_shot)
        written.repeats.extend(segment.repeats)
        written.consistency.extend(segment.consistency)
        written.invented.extend(segment.invented)
    return written


def result_of(job: Job, written: Written) -> Result:
    ended = time.monotonic()
    count, first = len(written.pts), written.first_frame_at
    made = count - written.num_kept
    return Result(
        output=str(job.options.output),
        frames=count,
        width=job.plan.width,
        height=job.plan.height,
        seconds=round(ended - job.started, 3),
        fps=round((made - 1) / (ended - first), 2) if made > 1 and first is not None else 0.0,
        first_frame_seconds=round((ended if first is None else first) - job.started, 3),
        model=str(job.options.model),
        device=job.settings.device.type,
        precision=hardware.word_of(job.settings.precision),
        backend=job.settings.backend,
        peak_memory_mb=hardware.peak_memory_mb(),
        consistency=round(sum(written.consistency) / count, 2) if written.consistency else None,
        invented=round(sum(written.invented) / count, 2) if written.invented else None,
        frames_of_earlier_runs=written.num_kept,
        repeats=sum(written.repeats),
    )


def _model_file(job: Job) -> sidecar.File:
    """The model's file; of a generator that was passed in, its class and a hash over its weights."""
    if job.given:
        return sidecar.File(
            name=type(job.generator).__qualname__, sha256=checkpoint.sha256_of_weights(job.generator)
        )
    path = checkpoint.find(job.options.model)
    return sidecar.File(name=path.name, sha256=disk.sha256(path))


def _cost(job: Job, written: Written, result: Result) -> sidecar.Cost:
    upscaler, computed = job.upscaler, job.upscaler.num_frames
    made = len(written.pts) - written.num_kept  # the repeats among them were not computed
    return sidecar.Cost(
        fps=result.fps,
        network_ms=round(1000 * upscaler.network_seconds / computed, 3) if computed else None,
        peak_memory_mb=result.peak_memory_mb,
        parameters=sum(weight.numel() for weight in job.generator.parameters()),
        gflop=round(stream.gflop_per_pixel(job.generator) * job.window[2] * job.window[3], 3),
        joules=None if written.joules is None or not made else round(written.joules / made, 3),
    )


def describe(job: Job, kept: Kept, written: Written, result: Result) -> sidecar.Sidecar:
    options = job.options
    return sidecar.Sidecar(
        vidgan=__version__,
        input=sidecar.File(name=options.input.name, sha256=disk.sha256(options.input)),
        output=sidecar.File(name=options.output.name, sha256=disk.sha256(options.output)),
        model=_model_file(job),
        geometry=sidecar.describe(job.plan),
        settings=sidecar.Settings(
            scale=job.upscaler.scale,
            device=job.settings.device.type,
            precision=hardware.name_of(job.settings.precision),
            backend=job.settings.backend,
            tile=job.upscaler.tile,
            start=options.start,
            duration=options.duration,
            fidelity=options.fidelity,
            restore=options.restore or 0.0,
            denoise=options.denoise,
            steady=options.steady,
            consistent=options.consistent,
            trust=options.trust is not None,
        ),
        num_frames=len(written.pts),
        frames=sidecar.PerFrame(
            seconds=[float(pts * job.source.time_base) for pts in written.pts],
            began_shot=written.began_shot,
            repeats=written.repeats,
            consistency=written.consistency,
            trust=written.invented,
        ),
        cost=_cost(job, written, result),
        timings=sidecar.Timings(
            first_frame_seconds=result.first_frame_seconds,
            making_seconds=round(sum(segment.elapsed_seconds for segment in kept.segments), 3),
            joining_seconds=round(written.joining_seconds, 3),
            frames_of_earlier_runs=written.num_kept,
        ),
        segments=_segments(kept.segments),
    )


def _segments(segments: list[Segment]) -> list[sidecar.Segment]:
    told, first = [], 0
    for segment in segments:
        told.append(
            sidecar.Segment(
                first_frame=first,
                num_frames=len(segment.pts),
                making_seconds=round(segment.elapsed_seconds, 3),
                sha256=segment.files,
            )
        )
        first += len(segment.pts)
    return told
