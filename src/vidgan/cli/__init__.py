"""The door: words become options, options go to a verb; errors are printed here and become exit codes.

Nothing heavy is imported before a command is chosen, so that `vidgan --help` answers at once.
Exit codes: 0 done, 1 an error, 2 a command that cannot be, 130 interrupted, 128 + N ended by signal N.
"""

import errno
import io
import os
import re
import signal
import sys
import threading
import traceback

import typer

from vidgan.cli import analyze, compare, enhance, evaluate, export, impact, models, prepare, train
from vidgan.cli.app import app
from vidgan.errors import BadOption, VidganError, printable
from vidgan.interrupt import POLITE

__all__ = [
    "analyze",
    "app",
    "compare",
    "enhance",
    "evaluate",
    "export",
    "impact",
    "main",
    "models",
    "prepare",
    "train",
]


BARRED = {errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENOTDIR}  # what is named is not ours to open


def main(words: list[str] | None = None) -> int:
    """Run one command line, sys.argv unless words are given, and give back its exit code."""
    words = (sys.argv[1:] if words is None else words) or ["--help"]
    _clean_up_when_terminated()
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Names need be no text, and not every terminal has arrows.
        sys.stdout.reconfigure(errors="backslashreplace")
    door = typer.main.get_group(app)
    command = " ".join(["vidgan", *(word for word in words[:1] if word in door.commands)])
    try:
        _check_none_is_empty(words)
        # typer itself makes Ctrl-C exit code 130, and a pipe closed by its reader a quiet SystemExit(1).
        code = door.main(words, prog_name="vidgan", standalone_mode=False) or 0
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains while it exits
        return 1
    except typer.TyperException as error:  # an unknown option, a value out of its range
        found = error.format_message().replace("Value error, ", "")
        is_name = re.match("No such option: -[^-]", found)  # letters in a row, as those of -dash.mp4
        hint = " A name that begins with a dash comes after --." if is_name else ""
        return _tell(command, found, f"Try '{command} --help'.{hint}", exit_code=error.exit_code)
    except Exception as error:
        if "--debug" in words or os.environ.get("VIDGAN_DEBUG", "0") not in ("", "0"):
            traceback.print_exc()
        if isinstance(error, VidganError):
            return _tell(command, error.found, error.remedy, exit_code=error.exit_code)
        if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
            found = f"a name is too long for this disk: {printable(str(error.filename))}"
            return _tell(command, found, "Choose a shorter one.", exit_code=1)
        if isinstance(error, OSError) and error.errno in BARRED and error.filename is not None:
            found = f"{printable(str(error.filename))} may not be opened: {error.strerror}"
            return _tell(command, found, "Allow it, or name another place.", exit_code=1)
        found = f"{type(error).__name__}: {error} (a mistake of ours)"
        return _tell(
            command, found, "Please report it, with what the same command prints with --debug.", exit_code=1
        )
    if code == 130:
        return _tell(command, "interrupted", exit_code=130)
    return int(code)


def _check_none_is_empty(words: list[str]) -> None:
    """Raise BadOption for a word that is empty: as a path it would be the current folder, with all that is in it.

    Only --suffix may be given nothing.
    """
    is_path = False  # after --, where nothing is an option any more
    for before, word in zip(["vidgan", *words], words, strict=False):
        is_path = is_path or before == "--"
        gives_nothing = not is_path and word.startswith("--") and word.partition("=")[1:] == ("=", "")
        if (word == "" and before != "--suffix") or (gives_nothing and word != "--suffix="):
            found = f"{word} is given nothing" if word else f"what follows {before} is empty"
            raise BadOption(
                found, "Is a variable of the shell not set? Give a value, or leave it out; . is this folder."
            )


def _clean_up_when_terminated() -> None:
    """A polite kill ends us as an exception would, so that nothing half-written is left behind."""

    def stop(number: int, frame: object) -> None:
        raise SystemExit(128 + number)

    if threading.current_thread() is threading.main_thread():
        for number in POLITE:
            if number != signal.SIGINT and signal.getsignal(number) is not signal.SIG_IGN:  # as nohup has it
                signal.signal(number, stop)


def _tell(command: str, found: str, remedy: str = "", *, exit_code: int) -> int:
    typer.echo(f"{command}: {found}" + (f"\n  {remedy}" if remedy else ""), err=True)
    return exit_code
