"""log.jsonl -> validations and events: whatever a kill, a roll-back or a full disk has left of it."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vidgan.errors import BadVideo
from vidgan.journal import LOG

LAST_STEP = 10**12  # beyond, it is no step
OF_THE_GAME = ("discriminator", "accuracy", "game", "val_accuracy")  # only the second stage has them

Row = dict[str, float]  # "step", and the numbers of a validation


@dataclass(frozen=True)
class Event:
    step: int
    what: str
    why: str


@dataclass(frozen=True, kw_only=True)
class Log:
    rows: list[Row]  # in the order of steps; of those with one step the one written last
    events: list[Event]  # as they happened
    newest: Row | None  # the validation written last: after a roll-back not the one of the highest step
    seconds: float  # of training, what was rolled back too


def read(folder: Path) -> Log:
    """The log of a run. Raises BadVideo where there is none, or it cannot be read."""
    path = folder / LOG
    if not path.is_file():
        found = f"{folder} holds no {LOG}" if folder.is_dir() else f"there is no folder {folder}"
        raise BadVideo(found, "Give the folder of a training run.")
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise BadVideo(
            f"{path} cannot be read: {error.strerror}", "Give the folder of a training run."
        ) from None
    written, events = [], []
    for line in text.split("\n"):
        if (entry := _parsed(line)) is None:
            continue
        if "event" in entry:
            events.append(Event(entry["step"], str(entry["event"]), str(entry.get("why", ""))))
        else:
            written.append(_numbers(entry))
    latest = {row["step"]: row for row in written}
    return Log(
        rows=[latest[step] for step in sorted(latest)],
        events=events,
        newest=written[-1] if written else None,
        seconds=sum(row.get("seconds", 0.0) for row in written if math.isfinite(row.get("seconds", 0.0))),
    )


def second_stage(rows: list[Row]) -> int | None:
    """The last step of the first stage, told from what the rows hold; None where they do not tell."""
    first = next((i for i, row in enumerate(rows) if any(name in row for name in OF_THE_GAME)), 0)
    return int(rows[first - 1]["step"]) if first else None


def _parsed(line: str) -> dict[str, Any] | None:
    """A line that a kill has cut short, or that is no entry of ours, is None."""
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(entry, dict):
        return None
    step = entry.get("step")
    whole = isinstance(step, int) and not isinstance(step, bool) and 0 <= step < LAST_STEP
    return entry if whole else None


def _numbers(entry: dict[str, Any]) -> Row:
    """What is no number is left out; what no float holds is infinite."""
    row = {}
    for name, value in entry.items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            try:
                row[name] = value if name == "step" else float(value)
            except OverflowError:
                row[name] = math.inf
    return row
