"""`vidgan models`: its words and options."""

from typing import Annotated, Literal

import typer

from vidgan.cli.app import Debug, app


@app.command(short_help="List the networks at hand; fetch LPIPS's weights.")
def models(
    action: Annotated[Literal["list", "pull"], typer.Argument(help="What to do.")] = "list",
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]", help="To pull: lpips, or lpips-vgg to train with.", show_default=False
        ),
    ] = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Agree to the download beforehand.")] = False,
    debug: Debug = False,
) -> None:
    """List the networks at hand; fetch weights that vidgan does not bring.

    Nothing is ever fetched without this command.
    """
    from vidgan.verbs.models import Options, run

    run(Options(action=action, name=name, yes=yes))
