"""`vidgan impact`: its words and options."""

from pathlib import Path
from typing import Annotated

import typer

from vidgan.cli.app import Debug, Numbers, Quiet, Report, app


@app.command(short_help="Say whether enhancing helped an analysis.")
def impact(
    source: Annotated[
        Path, typer.Argument(metavar="SOURCE", help="The video as it was.", show_default=False)
    ],
    enhanced: Annotated[
        Path, typer.Argument(metavar="ENHANCED", help="What was made from it.", show_default=False)
    ],
    *,
    reference: Annotated[
        Path | None,
        typer.Option(
            "--reference",
            "-r",
            metavar="HR",
            help="The same view, large and sharp: the truth.",
            show_default=False,
        ),
    ] = None,
    analyser: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Only this one, such as people, faces, codes, text, shots, tracking; may be given again.",
            show_default=False,
        ),
    ] = None,
    plug: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE.py:FUNCTION",
            help="A detector of your own: pixels in, boxes or a number out. The file is run.",
            show_default=False,
        ),
    ] = None,
    normal: Annotated[
        Path | None,
        typer.Option(
            metavar="MODEL",
            help="A model that has learnt normal footage: does enhancing move its score?",
            show_default=False,
        ),
    ] = None,
    empty: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="This analyser has nothing to find here: whatever it finds is a false alarm.",
            show_default=False,
        ),
    ] = None,
    report: Report = None,
    json: Numbers = None,
    csv: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a line for each finding.", show_default=False)
    ] = None,
    every: Annotated[
        int, typer.Option(min=1, metavar="N", help="Look at one frame in N, for long videos.")
    ] = 1,
    partial: Annotated[
        bool, typer.Option("--partial", help="Skip frames that some videos lack, instead of failing.")
    ] = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Did enhancing help those who analyse the video? Detectors look at it before and after.

    What was gained, lost, moved and invented, beside bicubic and Lanczos, with intervals and a verdict. Only with a
    --reference (or --empty footage) can there be one: to find more is not better by itself.
    """
    from vidgan.verbs.impact import Options, run

    run(
        Options(
            source=source,
            enhanced=enhanced,
            reference=reference,
            analysers=None if analyser is None else tuple(analyser),
            plugs=tuple(plug or ()),
            normal=normal,
            empty=tuple(empty or ()),
            every=every,
            partial=partial,
            report=report,
            json=json,
            csv=csv,
            quiet=quiet,
        )
    )
