"""What a training run writes down about itself: a line of JSON per validation or event, and TensorBoard's events."""

import json
import os
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

LOG = "log.jsonl"


class Journal:
    """The journal of one run. Every line is on the disk before the next step is taken; TensorBoard is optional."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / LOG
        self._events: Any = None
        if has_tensorboard():
            from torch.utils.tensorboard import SummaryWriter

            self._events = SummaryWriter(str(folder / "tensorboard"))

    def note(self, row: Mapping[str, float]) -> None:
        """A validation's numbers, or what was found since the last one; `step` is one of them."""
        self._line(row)
        if self._events is not None:
            for name, number in row.items():
                if name != "step":
                    self._events.add_scalar(_tag(name), number, int(row["step"]))
            self._events.flush()

    def event(self, step: int, what: str, why: str) -> None:
        self._line({"step": step, "event": what, "why": why})
        if self._events is not None:
            self._events.add_text(what, why, step)

    def close(self) -> None:
        if self._events is not None:
            self._events.close()

    def _line(self, row: Mapping[str, object]) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
            file.flush()
            os.fsync(file.fileno())


def has_tensorboard() -> bool:
    """Whether events can be written for it: the extra `tensorboard`."""
    return find_spec("tensorboard") is not None


def _tag(name: str) -> str:
    """TensorBoard groups by what stands before the slash."""
    return f"validation/{name.removeprefix('val_')}" if name.startswith("val_") else f"training/{name}"
