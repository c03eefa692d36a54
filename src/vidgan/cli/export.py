"""`vidgan export`: its words and options."""

from pathlib import Path
from typing import Annotated

import typer

from vidgan.cli.app import Debug, app, finite


@app.command(short_help="Write a network as ONNX, for OpenVINO, or as a model.")
def export(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="A network that comes with vidgan, or a checkpoint of your own.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path,
        typer.Argument(
            metavar="OUTPUT",
            help="A file to write: .onnx, .xml for OpenVINO with a .bin beside it, or .safetensors, vidgan's own.",
            show_default=False,
        ),
    ],
    *,
    fidelity: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            callback=finite,
            metavar="0..1",
            help="From realistic (0) to faithful (1).",
            show_default="the network as it is",
        ),
    ] = None,
    restore: Annotated[
        float,
        typer.Option(
            min=0, max=1, callback=finite, metavar="0..1", help="For clean (0) to damaged footage (1)."
        ),
    ] = 0.0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace OUTPUT if it exists.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No summary.")] = False,
    debug: Debug = False,
) -> None:
    """Write a network as a file that other programs run: frames of any size, its memory handed in and out.

    What is written is run beside the network before it gets its name, where a runtime is installed. As .safetensors
    it is a model like any other: a mix of --fidelity and --restore to be kept, or a .pth made safe to pass on.
    """
    from vidgan.verbs.export import Options, run

    run(
        Options(
            model=model, output=output, fidelity=fidelity, restore=restore, overwrite=overwrite, quiet=quiet
        )
    )
