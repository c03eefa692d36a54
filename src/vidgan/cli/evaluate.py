"""`vidgan evaluate`: its words and options."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from vidgan.cli.app import Debug, Device, Numbers, Quiet, Report, Threads, app
from vidgan.errors import BadOption


@app.command(short_help="Say how good and how fast networks are.")
def evaluate(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL... DATA",
            help="Names or files of networks; fast+0.5@0.3~0.36 is fast with --restore 0.5, --fidelity 0.3, --steady "
            "0.36, each of which may be left out; ncnn:NAME is another project's network, ffmpeg:FILTER a filter. Then "
            "a video, a folder of videos or frames, or a prepared data set.",
            show_default=False,
        ),
    ],
    *,
    degrade: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="How small versions are made: clean, bd, mild, heavy, phone, surveillance, tape.",
            show_default="clean; bd for Vid4 and UDM10",
        ),
    ] = None,
    frames: Annotated[int, typer.Option(min=0, metavar="N", help="The most of each clip; 0 for all.")] = 24,
    clips: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="The first N clips only.", show_default=False)
    ] = None,
    metrics: Annotated[
        str | None,
        typer.Option(metavar="NAMES", help="Only these, such as psnr-y,lpips; or all.", show_default=False),
    ] = None,
    discriminator: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN", help="A training run's folder: test its discriminator, too.", show_default=False
        ),
    ] = None,
    report: Report = None,
    json: Numbers = None,
    csv: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a line for each clip and method.", show_default=False),
    ] = None,
    device: Device = "auto",
    precision: Annotated[
        Literal["auto", "fp32", "bf16", "fp16"], typer.Option(help="Of vidgan's own networks.")
    ] = "auto",
    threads: Threads = 0,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Say how good and how fast networks are, on clips whose truth is known.

    Bicubic and Lanczos are always in the table. Sharp clips are made small first; pairs of small and large folders are
    taken as they are.
    """
    if len(words) < 2:
        raise BadOption("a MODEL or the DATA is missing", "vidgan evaluate MODEL... DATA")

    from vidgan.verbs.evaluate import Options, run

    run(
        Options(
            models=tuple(words[:-1]),
            data=Path(words[-1]),
            degrade=degrade,
            frames=frames,
            clips=clips,
            metrics=None if metrics is None else tuple(metrics.split(",")),
            discriminator=discriminator,
            report=report,
            json=json,
            csv=csv,
            device=device,
            precision=precision,
            threads=threads,
            quiet=quiet,
        )
    )
