"""`vidgan prepare SOURCE... DATASET`: footage of any kind becomes a data set that can be trusted."""

import json as as_json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from vidgan import lock, progress
from vidgan.dataset import shards
from vidgan.errors import BadOption, BadOutput, BadVideo
from vidgan.preparation import alike
from vidgan.preparation.prepare import Settings, prepare, strangers
from vidgan.report import prepared
from vidgan.words import amount

LOCK = ".lock"


@dataclass(frozen=True, kw_only=True)
class Options:
    sources: tuple[Path, ...]
    dataset: Path
    val: float = 0.1  # share of the groups that are validated on
    test: float = 0.05  # share that is never looked at before the end
    groups: Path | None = None  # a table of file,group
    min_frames: int = 7
    min_side: int = 160
    keep_all: bool = False
    json: bool = False
    quiet: bool = False


def run(options: Options) -> shards.Index:
    """Prepare, or bring up to date what was prepared. Gives the index of what is in the data set now.

    Raises VidganError for what cannot be, and BadVideo in the end where nothing was kept.
    """
    console = progress.console()
    if not options.sources:
        raise BadOption("there is no SOURCE to prepare", "vidgan prepare SOURCE... DATASET")
    if options.val + options.test >= 1:
        raise BadOption(
            f"--val {options.val} and --test {options.test} leave nothing to train on", "Take smaller shares."
        )
    table = alike.read_groups(options.groups) if options.groups else {}
    settings = Settings(min_frames=options.min_frames, min_side=options.min_side, keep_all=options.keep_all)
    _check_folder(options)
    with _alone(options.dataset), progress.bar(console, quiet=options.quiet) as tick:
        index = prepare(
            options.sources,
            options.dataset,
            settings,
            shares=(options.val, options.test),
            table=table,
            tick=tick,
        )
        report = prepared.write_report(index, options.dataset)
    if unknown := strangers(table, index.entries):
        progress.say(console)(f"--groups names files that are none of the sources: {', '.join(unknown)}")
    if options.json:
        print(as_json.dumps(_told(index, report)))
    elif not options.quiet:
        _show(index, report, console)
    if not any(entry.kept for entry in index.entries.values()):
        raise BadVideo(
            f"nothing was kept of the {amount(len(index.entries), 'source')}: {report} shows why",
            "Give other footage, or ask for less: --min-frames, --min-side, --keep-all.",
        )
    return index


def _check_folder(options: Options) -> None:
    folder = options.dataset
    if folder.is_file():
        raise BadOutput(f"{folder} is a file", "Name a folder for the data set; it comes last.")
    begun = (folder / LOCK).exists() or shards.is_prepared(folder)  # a copy may lack the hidden lock
    if folder.is_dir() and any(folder.iterdir()) and not begun:
        raise BadOutput(
            f"{folder} holds files, and no data set",
            "Name a new or an empty folder; the data set comes last.",
        )
    for source in options.sources:
        if folder.resolve() == source.resolve() or source.resolve() in folder.resolve().parents:
            raise BadOption(
                f"the data set {folder} would be inside its own source {source}", "Put it beside the source."
            )


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Nobody else writes this data set meanwhile; a new folder goes again where nothing came of it."""
    is_new = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        held = lock.take(folder / LOCK)
    except OSError as error:
        raise BadOutput(f"{folder} cannot be written: {error.strerror}", "Choose another folder.") from None
    if held is None:
        raise BadOutput(f"{folder} is being prepared by another process", "Wait until it is done.")
    with held:
        try:
            yield
        except BaseException:
            if is_new and [path.name for path in folder.iterdir()] == [LOCK]:
                lock.leave(held, folder / LOCK)
                with suppress(OSError):
                    folder.rmdir()
            raise


def _told(index: shards.Index, report: Path) -> dict[str, object]:
    names = ("sources", "clips", "photos", "frames")
    sides = {row[0]: dict(zip(names, row[1:], strict=True)) for row in prepared.summary(index)}
    return {**sides, "left_out": dict(prepared.dropped(index)), "report": str(report)}


def _show(index: shards.Index, report: Path, console: Console) -> None:
    table = Table("", "sources", "clips", "photos", "frames", box=None, pad_edge=False)
    for row in prepared.summary(index):
        table.add_row(*map(str, row))
    console.print(table)
    for reason, number in prepared.dropped(index).most_common():
        console.print(f"left out: {number} {reason}")
    console.print(f"What was kept and left out, in pictures: {report}")
