"""`vidgan train`: its words and options."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from vidgan.cli.app import Debug, Device, Threads, app, finite
from vidgan.errors import BadOption


@app.command(short_help="Train a network on your videos.")
def train(
    recipe: Annotated[
        str | None,
        typer.Argument(
            metavar="[RECIPE]",
            help="A .toml file, or a name: default, finetune. What to train, on what, for how long.",
            show_default=False,
        ),
    ] = None,
    *,
    videos: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR",
            help="Your videos and photos, or a prepared data set; may be repeated.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Where the run is kept; by default runs/ and the recipe's name. The same command goes on with it.",
            show_default=False,
        ),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="NAME|FILE",
            help="Begin with these weights: a model, or another run's state.safetensors. "
            "Without a RECIPE the gentle recipe finetune is used.",
            show_default=False,
        ),
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(
            callback=finite, min=0.1, metavar="N", help="Fit the training into this time.", show_default=False
        ),
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change an entry of the recipe; may be repeated."),
    ] = None,
    device: Device = "auto",
    precision: Annotated[
        Literal["auto", "fp32", "bf16", "fp16"], typer.Option(help="Number format of the convolutions.")
    ] = "auto",
    threads: Threads = 0,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Check the recipe and say what it would cost; look at no footage, train nothing.",
        ),
    ] = False,
    change: Annotated[
        bool,
        typer.Option("--change", help="Continue a run although settings differ from those it began with."),
    ] = False,
    debug: Debug = False,
) -> None:
    """Train a network, on your videos or as a recipe says.

    It saves as it goes, stops by itself before it over-trains, and goes on after a stop when the same command is given
    again.
    """
    for override in overrides or []:
        if not override.partition("=")[0].strip() or "=" not in override:
            raise BadOption(f"--set {override} sets nothing", "Write --set KEY=VALUE.")
    if recipe is None and not videos and not dry_run:
        raise BadOption("there is nothing to train on", "Name a RECIPE, or a folder: --videos DIR.")

    from vidgan.verbs.train import Options, run

    run(
        Options(
            # Gentle where there is something to lose.
            recipe=recipe or ("finetune" if start else "default"),
            videos=tuple(videos or ()),
            out=out,
            overrides=(*(overrides or ()), *([f"start={start}"] if start else [])),
            minutes=minutes,
            device=device,
            precision=precision,
            threads=threads,
            dry_run=dry_run,
            change=change,
        )
    )
