"""vidgan: generative adversarial networks for video.

The whole workflow as functions; each imports what it needs only when it is called:

    prepare                                            make a data set from footage of any kind
    create_generator, create_discriminator, gan_loss   the two networks and their adversarial losses
    train, test                                        train and test them on your own videos
    enhance (also called generate_video)               make a new, enhanced video
    compare, evaluate                                  how a video differs from another; how good and fast networks are
    export                                             write a network as a file for other programs
    analyze, impact                                    what happens in a video; whether enhancing helps to see it
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidgan import arguments

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor, nn

    from vidgan.score import Analysis, Comparison, Evaluation, Impact
    from vidgan.verbs.enhance import Result
    from vidgan.verbs.export import Exported

__version__ = "0.1.0"
__all__ = [
    "analyze", "compare", "create_discriminator", "create_generator", "enhance", "evaluate", "export", "gan_loss",
    "generate_video", "impact", "prepare", "test", "train",
]  # fmt: skip


def enhance(
    input: str | Path,
    output: str | Path,
    *,
    model: str | Path | nn.Module = "auto",
    fidelity: float | None = None,
    restore: float | None = None,
    denoise: float | None = None,
    steady: float = 0.0,
    consistent: bool = False,
    trust: str | Path | None = None,
    scale: float | None = None,
    size: str | None = None,
    rotate: float = 0.0,
    flip: str | None = None,
    crop: str | None = None,
    canvas: str = "expand",
    orientation: str = "upright",
    device: str = "auto",
    precision: str = "auto",
    backend: str = "auto",
    tile: str | int = "auto",
    memory: str | None = None,
    codec: str | None = None,
    crf: float | None = None,
    preset: str | None = None,
    start: float = 0.0,
    duration: float | None = None,
    overwrite: bool = False,
    start_over: bool = False,
    mark: bool = True,
    sidecar: bool = False,
    quiet: bool = True,
    threads: int = 0,
) -> Result:
    """Make a video larger, upright and better: the options of `vidgan enhance`, under the same names.

    model    a name, a model file or a generator; "auto" is fast, or for large sources fast-x2 (own factor 2)
    fidelity 0 realistic .. 1 faithful; consistent: correct the output to match the input when shrunk to its size
    restore  0 for clean .. 1 for damaged sources; None chooses 0 to 0.5 by how damaged the video looks
    steady   0 .. 0.9, the share of the previous frame, moved along the motion, in the next: for less flicker
    denoise  0 keeps noise .. 1 removes it; only for realesr-general-x4v3.pth, with its wdn companion beside it
    trust    path of a second video that shows how much of each pixel is invented; the mean is in the result's invented
    size     "1280x720", "1080p" or "4k"; or scale, a factor; with neither, the network's own factor
    rotate   degrees clockwise; crop: "WxH+X+Y" in pixels of the upright source
    memory   the most memory that the process may hold, as "3G" or "800M"; start, duration: in seconds
    start_over  discard what a stopped call has kept instead of going on from it; mark: name the network in the metadata
    Raises VidganError, and then writes no output, only the hidden folder of finished parts.
    """
    arguments.check(enhance, locals())
    from vidgan.verbs.enhance import Options, run

    options = Options(
        input=Path(input),
        output=Path(output),
        model=model if isinstance(model, (str, Path)) else type(model).__name__,
        fidelity=fidelity,
        restore=restore,
        denoise=denoise,
        steady=steady,
        consistent=consistent,
        trust=Path(trust) if trust is not None else None,
        scale=scale,
        size=size,
        rotate=rotate,
        flip=flip,
        crop=crop,
        canvas=canvas,
        orientation=orientation,
        device=device,
        precision=precision,
        backend=backend,
        tile=str(tile),
        memory=memory,
        codec=codec,
        crf=crf,
        preset=preset,
        start=start,
        duration=duration,
        overwrite=overwrite,
        start_over=start_over,
        mark=mark,
        sidecar=sidecar,
        quiet=quiet,
        threads=threads,
    )
    return run(options, None if isinstance(model, (str, Path)) else model)


generate_video = enhance


def export(
    model: str | Path | nn.Module,
    output: str | Path,
    *,
    fidelity: float | None = None,
    restore: float = 0.0,
    overwrite: bool = False,
) -> Exported:
    """Write a network as a file that runs without vidgan: the road of `vidgan export`.

    model   a name, the path of a model file, or a generator
    output  ends in .onnx, in .xml (OpenVINO, with a .bin beside it) or in .safetensors (a model of vidgan's)
    Raises VidganError, and then leaves what was there before.
    """
    arguments.check(export, locals())
    from vidgan.verbs.export import Options, run

    name = model if isinstance(model, (str, Path)) else type(model).__name__
    options = Options(
        model=name, output=Path(output), fidelity=fidelity, restore=restore, overwrite=overwrite, quiet=True
    )
    return run(options, None if isinstance(model, (str, Path)) else model)


def create_generator(
    name: str = "recurrent",
    *,
    scale: int = 4,
    features: int = 48,
    blocks: int = 6,
    weights: str | Path | None = None,
) -> nn.Module:
    """A new, untrained generator that enhances (recurrent, aligned, compact, rrdb); with weights, a trained one.

    weights  a model's file or name: it decides the network and its settings, and the other arguments are ignored
    """
    if weights is not None:
        from vidgan.checkpoint import load_generator

        return load_generator(weights)
    from vidgan.training.run import network

    config: dict[str, int | float | bool] = {"scale": scale, "features": features, "blocks": blocks}
    return network("vidgan.generators", "Generator", name, config)


def create_discriminator(name: str = "triplet", *, features: int = 48) -> nn.Module:
    """A fresh discriminator from the shelf."""
    from vidgan.training.run import network

    return network("vidgan.discriminators", "Discriminator", name, {"features": features})


def gan_loss(real_logits: Tensor, fake_logits: Tensor) -> tuple[Tensor, Tensor]:
    """The relativistic GAN losses: (the discriminator's, the generator's).

    real_logits, fake_logits  the discriminator's logits for a real clip and for the one generated in its place
    """
    from vidgan.losses import relativistic

    return relativistic(real_logits, fake_logits), relativistic(fake_logits, real_logits)


def prepare(
    *sources: str | Path,
    dataset: str | Path,
    val: float = 0.1,
    test: float = 0.05,
    groups: str | Path | None = None,
) -> Path:
    """Make a data set to train on: decoded, judged, without copies, split by source; the road of `vidgan prepare`.

    sources    videos, photos or folders of them
    val, test  shares of the groups of sources to validate on, and to keep for the very end
    groups     a table of file,group: what must stay on one side of the split
    Gives the folder of the data set, which train takes as its videos. Its report.html shows what was left out.
    """
    arguments.check(prepare, locals())
    from vidgan.verbs.prepare import Options, run

    places, table = tuple(map(Path, sources)), Path(groups) if groups is not None else None
    run(Options(sources=places, dataset=Path(dataset), val=val, test=test, groups=table, quiet=True))
    return Path(dataset)


def train(
    generator: nn.Module,
    discriminator: nn.Module,
    videos: str | Path,
    *,
    out: str | Path,
    faithful_steps: int = 200,
    realistic_steps: int = 100,
    held_out: str | Path | None = None,
    crop: int = 96,
    batch: int = 4,
) -> Path:
    """Train both networks in place, on the generator's device, from a video, photo or folder; `out` keeps the weights.

    faithful_steps   steps of the first stage: close to the truth, pixel by pixel
    realistic_steps  steps of the second stage: against the discriminator
    held_out         a video or folder to score on and never train on; None holds back one video in ten of several
    If the folder `out` holds an earlier run, that run is continued: name a new folder to start afresh.
    Returns the path of the trained generator's model file. `vidgan train` with a recipe controls everything else.
    """
    arguments.check(train, locals())
    from vidgan.training import quick

    options = quick.Options(
        videos=Path(videos), out=Path(out), faithful_steps=faithful_steps, realistic_steps=realistic_steps,
        held_out=Path(held_out) if held_out is not None else None, crop=crop, batch=batch,
    )  # fmt: skip
    return quick.train(generator, discriminator, options)


def test(
    generator: nn.Module, discriminator: nn.Module, videos: str | Path, *, frames: int = 8
) -> dict[str, float]:
    """How good and how fast the generator is, and how well the discriminator tells its frames from real ones.

    videos  a video or a folder; made smaller by the generator's scale and brought back
    Gives psnr_y and bicubic_psnr_y in dB, lpips where its weights are at hand, temporal (the error of changes, in code
    values), ms_per_frame, and accuracy: the share of patches that the discriminator judges rightly, 0.5 being a guess.
    """
    arguments.check(test, locals())
    from vidgan.training.quick import test as test_quickly

    return test_quickly(generator, discriminator, Path(videos), frames=frames)


def compare(
    reference: str | Path,
    *outputs: str | Path,
    input: str | Path | None = None,
    no_reference: bool = False,
    metrics: str | None = None,
    every: int = 1,
    partial: bool = False,
    report: str | Path | None = None,
) -> Comparison:
    """Hold videos against a reference, frame by frame, matched by their times: the options of `vidgan compare`.

    reference  what the outputs should look like; or, where they are larger, the video that they were made from
    metrics    names with commas between them, or "all"; None for the usual ones. report: a page to look at
    The numbers are in contenders[i].means() and contenders[i].values.
    Raises VidganError, and then writes nothing.
    """
    arguments.check(compare, locals())
    from vidgan.verbs.compare import Options, run

    options = Options(
        reference=Path(reference), outputs=tuple(map(Path, outputs)),
        input=Path(input) if input is not None else None, no_reference=no_reference,
        metrics=tuple(metrics.split(",")) if metrics is not None else None, every=every, partial=partial,
        report=Path(report) if report is not None else None, quiet=True,
    )  # fmt: skip
    return run(options)


def evaluate(
    *models: str | Path,
    data: str | Path,
    degrade: str | None = None,
    frames: int = 24,
    metrics: str | None = None,
    discriminator: str | Path | None = None,
    report: str | Path | None = None,
    device: str = "auto",
    precision: str = "auto",
) -> Evaluation:
    """How good and how fast networks are, compared with bicubic and Lanczos: the options of `vidgan evaluate`.

    models   names, files (fast+0.5@0.3~0.36: restore 0.5, fidelity 0.3, steady 0.36), others' ncnn:NAME, ffmpeg:FILTER
    data     a video, a folder of videos or frames, pairs of small and large, or a prepared data set
    degrade  how the small versions are made: clean, bd or a preset; frames: at most so many per clip, 0 for all
    Raises VidganError, and then writes nothing.
    """
    arguments.check(evaluate, locals())
    from vidgan.verbs.evaluate import Options, run

    options = Options(
        models=tuple(map(str, models)), data=Path(data), degrade=degrade, frames=frames,
        metrics=tuple(metrics.split(",")) if metrics is not None else None,
        discriminator=Path(discriminator) if discriminator is not None else None,
        report=Path(report) if report is not None else None, device=device, precision=precision, quiet=True,
    )  # fmt: skip
    return run(options)


def impact(
    source: str | Path,
    enhanced: str | Path,
    *,
    reference: str | Path | None = None,
    analysers: list[str | Callable[[np.ndarray], Any]] | None = None,
    normal: str | Path | None = None,
    empty: list[str] | None = None,
    every: int = 1,
    partial: bool = False,
    report: str | Path | None = None,
) -> Impact:
    """Whether enhancing helped those who analyse the video: the options of `vidgan impact`.

    reference  the same view, large and sharp; normal: a model of normal footage, whose score is one number more
    analysers  names, and functions of yours: (H, W, 3) uint8 RGB -> rows of (left, top, right, bottom[, score[,
               label]]) in pixels, or a number; None for all that are installed
    empty      names of analysers (a function's own name) that have nothing to find in this footage; report: a page
    The verdict is in sentence, the findings in studies. Raises VidganError, and then writes nothing.
    """
    arguments.check(impact, locals())
    from vidgan.verbs.impact import Options, run

    names = None if analysers is None else tuple(name for name in analysers if isinstance(name, str))
    options = Options(
        source=Path(source),
        enhanced=Path(enhanced),
        reference=Path(reference) if reference is not None else None,
        analysers=names,
        functions=tuple(function for function in analysers or () if not isinstance(function, str)),
        normal=Path(normal) if normal is not None else None,
        empty=tuple(empty or ()),
        every=every,
        partial=partial,
        report=Path(report) if report is not None else None,
        quiet=True,
    )
    return run(options)


def analyze(
    video: str | Path,
    *,
    normal: str | Path | None = None,
    realism: str | Path | None = None,
    realism_every: int = 1,
    clips: str | Path | None = None,
    enhanced: bool = False,
    report: str | Path | None = None,
    overwrite: bool = False,
    device: str = "auto",
) -> Analysis:
    """A video's timeline: what every frame is like, and what happens when. The options of `vidgan analyze`.

    normal   a model that has learnt normal footage: what is unusual is reported
    realism  "judge", or a training run whose discriminator judges groups of three frames, one group in realism_every
    clips    a folder in which each event is written as a file of its own; report: an HTML page
    enhanced whether a video made by a network may be analysed
    The scores are in scores, by name, at the seconds in times; what stands out is in events.
    Raises VidganError, and then writes nothing but whole clips.
    """
    arguments.check(analyze, locals())
    from vidgan.verbs.analyze import Options, run

    options = Options(
        video=Path(video),
        normal=Path(normal) if normal is not None else None,
        realism=Path(realism) if realism is not None else None,
        realism_every=realism_every,
        clips=Path(clips) if clips is not None else None,
        enhanced=enhanced,
        report=Path(report) if report is not None else None,
        overwrite=overwrite,
        device=device,
        quiet=True,
    )
    return run(options)
