"""What the queue of a folder makes of processes that end."""

from pathlib import Path

import pytest

from vidgan.enhancing import naming, queue


class Ended:
    """A process as the queue sees it in the end."""

    said = ("the last line",)

    def __init__(self, code: int, *, was_asked: bool) -> None:
        self.code, self.was_asked = code, was_asked


@pytest.mark.parametrize(("code", "was_asked", "status"), [
    (130, True, "stopped"), (143, True, "stopped"), (-15, True, "stopped"), (129, True, "stopped"),
    (143, False, "failed"), (130, False, "failed"), (-9, True, "failed"), (1, True, "failed"),
])  # fmt: skip
def test_only_what_was_asked_to_stop_has_stopped(code, was_asked, status):
    entry = queue.Entry(naming.Task(Path("a.mp4"), Path("b.mp4")), status="running")
    queue._close(entry, Ended(code, was_asked=was_asked))
    assert entry.status == status
