"""`vidgan prepare`: its words and options."""

from pathlib import Path
from typing import Annotated

import typer

from vidgan.cli.app import Debug, app
from vidgan.errors import BadOption


@app.command(short_help="Make a data set to train on.")
def prepare(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="SOURCE... DATASET",
            help="Videos, photos or folders of them; the folder of the data set comes last.",
        ),
    ],
    *,
    val: Annotated[
        float,
        typer.Option(
            min=0, max=0.9, metavar="SHARE", help="Share of the groups of sources held out to validate on."
        ),
    ] = 0.1,
    test: Annotated[
        float,
        typer.Option(
            min=0,
            max=0.9,
            metavar="SHARE",
            help="Share of the groups of sources held out and never touched until the end.",
        ),
    ] = 0.05,
    groups: Annotated[
        Path | None,
        typer.Option(
            metavar="CSV",
            help="Lines of file,group: what must stay on one side of the split.",
            show_default=False,
        ),
    ] = None,
    min_frames: Annotated[
        int, typer.Option(min=3, metavar="N", help="Leave out clips with fewer frames.")
    ] = 7,
    min_side: Annotated[int, typer.Option(min=32, metavar="PIXELS", help="Shorter side of a clip.")] = 160,
    keep_all: Annotated[
        bool, typer.Option("--keep-all", help="Judge the footage, but keep all that can be read.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no summary.")] = False,
    debug: Debug = False,
) -> None:
    """Make a data set to train on: decoded, judged, without copies, split by source.

    The same command again looks only at what is new, and goes on after a stop.
    """
    if len(paths) < 2:
        raise BadOption("a SOURCE or the DATASET is missing", "vidgan prepare SOURCE... DATASET")

    from vidgan.verbs.prepare import Options, run

    run(
        Options(
            sources=tuple(paths[:-1]),
            dataset=paths[-1],
            val=val,
            test=test,
            groups=groups,
            min_frames=min_frames,
            min_side=min_side,
            keep_all=keep_all,
            json=as_json,
            quiet=quiet,
        )
    )
