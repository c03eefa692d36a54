"""`vidgan train`: its words and options."""

from pathlib import Path
from typing import Annotated

import typer

from vidgan.cli.app import Debug, Device, Threads, app
from vidgan.errors import BadOption


@app.command()
def train(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="What to train, on what, for how long.")],
    *,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Where the run is kept; the same command goes on with it.", show_default=False
        ),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="NAME|FILE",
            help="Begin with these weights: a model, or another run's state.safetensors.",
            show_default=False,
        ),
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change an entry of the recipe; may be repeated."),
    ] = None,
    device: Device = "auto",
    threads: Threads = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything, train nothing.")] = False,
    debug: Debug = False,
) -> None:
    """Train a network as its recipe says."""
    for override in overrides or []:
        if not override.partition("=")[0].strip() or "=" not in override:
            raise BadOption(f"--set {override} sets nothing", "Write --set KEY=VALUE.")

    from vidgan.verbs.train import Options, run

    run(
        Options(
            recipe=recipe,
            out=out,
            overrides=(*(overrides or ()), *([f"start={start}"] if start else [])),
            device=device,
            threads=threads,
            dry_run=dry_run,
        )
    )
