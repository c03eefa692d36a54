"""`vidgan compare`: its words and options."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from vidgan.cli.app import Debug, Numbers, Quiet, Report, Threads, app
from vidgan.errors import BadOption


@app.command(short_help="Hold videos against a reference or their source.")
def compare(
    videos: Annotated[
        list[Path],
        typer.Argument(
            metavar="REFERENCE OUTPUT...",
            help="What the outputs should look like, or the small video that they were made from; then the outputs.",
            show_default=False,
        ),
    ],
    *,
    input: Annotated[
        Path | None,
        typer.Option(
            "--input",
            "-i",
            metavar="VIDEO",
            help="The small video that the outputs were made from. A sidecar beside an output finds it by itself.",
            show_default=False,
        ),
    ] = None,
    no_reference: Annotated[
        bool,
        typer.Option("--no-reference", help="Take the first video as the outputs' source, even if as large."),
    ] = False,
    report: Report = None,
    json: Numbers = None,
    csv: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a line for each frame.", show_default=False)
    ] = None,
    metrics: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES", help="Only these, such as psnr-y,ssim-y,lpips; or all.", show_default=False
        ),
    ] = None,
    every: Annotated[
        int, typer.Option(min=1, metavar="N", help="Measure one frame in N, for long videos.")
    ] = 1,
    partial: Annotated[
        bool, typer.Option("--partial", help="Skip frames that some videos lack, instead of failing.")
    ] = False,
    device: Annotated[
        Literal["auto", "cpu", "cuda", "mps"], typer.Option(help="Where LPIPS and the like are computed.")
    ] = "cpu",
    threads: Threads = 0,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Hold videos against a reference, frame by frame, in numbers and on a page.

    Without a reference: vidgan compare SOURCE OUTPUT... says how well each output explains its source, and how it
    flickers.
    """
    if len(videos) < 2:
        raise BadOption("there is no OUTPUT to compare", "vidgan compare REFERENCE OUTPUT...")

    from vidgan.verbs.compare import Options, run

    run(
        Options(
            reference=videos[0],
            outputs=tuple(videos[1:]),
            input=input,
            no_reference=no_reference,
            metrics=None if metrics is None else tuple(metrics.split(",")),
            every=every,
            partial=partial,
            report=report,
            json=json,
            csv=csv,
            device=device,
            threads=threads,
            quiet=quiet,
        )
    )
