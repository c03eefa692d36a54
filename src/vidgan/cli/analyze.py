"""`vidgan analyze`: its words and options."""

from pathlib import Path
from typing import Annotated

import typer

from vidgan.cli.app import Debug, Device, Numbers, Quiet, Report, Threads, app


@app.command(short_help="Tell what is in a video, and when.")
def analyze(
    video: Annotated[Path, typer.Argument(metavar="VIDEO", help="The video, as it was.", show_default=False)],
    *,
    normal: Annotated[
        Path | None,
        typer.Option(
            metavar="MODEL",
            help="A model that has learnt normal footage: report what is unusual.",
            show_default=False,
        ),
    ] = None,
    realism: Annotated[
        Path | None,
        typer.Option(
            metavar="judge|RUN",
            help="Let a discriminator say what looks made up: vidgan's own, or that of a training run. Slow.",
            show_default=False,
        ),
    ] = None,
    realism_every: Annotated[
        int, typer.Option(min=1, metavar="N", help="Judge one group of three frames in N; 1 judges all.")
    ] = 1,
    clips: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Cut events out, each into a file: anomalies with --normal, else all but shots.",
            show_default=False,
        ),
    ] = None,
    enhanced: Annotated[
        bool, typer.Option("--enhanced", help="Analyse a video that a network has made, all the same.")
    ] = False,
    report: Report = None,
    json: Numbers = None,
    csv: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a line for each frame.", show_default=False)
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace clips of the same names.")] = False,
    device: Device = "auto",
    threads: Threads = 0,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """What a video is like, frame by frame, and what happens in it, when.

    Shots; black, frozen and repeated frames; focus, noise, blocks, exposure, motion; with --normal what is unusual, and
    with --realism what looks made up. Events with their times, on a page, as JSON and CSV, and as clips.
    """
    from vidgan.verbs.analyze import Options, run

    run(
        Options(
            video=video,
            normal=normal,
            realism=realism,
            realism_every=realism_every,
            clips=clips,
            enhanced=enhanced,
            report=report,
            json=json,
            csv=csv,
            overwrite=overwrite,
            device=device,
            threads=threads,
            quiet=quiet,
        )
    )
