"""The program itself, and the options that several commands share."""

import math
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

app = typer.Typer(
    name="vidgan",
    add_completion=False,
    rich_markup_mode=None,  # with rich, --help takes twice as long
    context_settings={
        "help_option_names": ["-h", "--help"],
        "max_content_width": 100,
        "token_normalize_func": lambda word: word.replace("_", "-"),  # --model_name is --model-name
    },
)


def _show_version(asked: bool) -> None:
    if not asked:
        return
    from importlib.metadata import PackageNotFoundError, version

    def installed(package: str) -> str:
        try:
            return version(package)
        except PackageNotFoundError:
            return "not installed"

    python = ".".join(map(str, sys.version_info[:3]))
    typer.echo(
        f"vidgan {installed('vidgan')} (Python {python}, torch {installed('torch')}, PyAV {installed('av')})"
    )
    raise typer.Exit()


@app.callback(epilog="'vidgan COMMAND --help' says more about a command.")
def vidgan(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the versions and exit.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    """Video GANs: make a video larger, upright and better; train the networks behind it."""


def finite(number: float | None) -> float | None:
    if number is not None and not math.isfinite(number):
        raise typer.BadParameter(f"{number} is not a number that can be used")
    return number


Device = Annotated[Literal["auto", "cpu", "cuda", "mps"], typer.Option(help="Where the network runs.")]
Threads = Annotated[
    int, typer.Option(min=0, metavar="N", help="CPU threads of the network; 0 leaves it to torch.")
]
Report = Annotated[
    Path | None,
    typer.Option(metavar="HTML", help="Write a report page: one file, works offline.", show_default=False),
]
Numbers = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Write all numbers; - prints them.", show_default=False)
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no table.")]
# Read by main, before anything can fail.
Debug = Annotated[
    bool, typer.Option("--debug", help="Show the traceback of an error (or set VIDGAN_DEBUG=1).")
]
