"""One process at a time in a place."""

import errno
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from vidgan import lock

TAKE = "import sys, pathlib; from vidgan import lock; print(lock.take(pathlib.Path(sys.argv[1])) is not None)"


def taken_elsewhere(path) -> bool:
    run = subprocess.run(
        [sys.executable, "-c", TAKE, str(path)], capture_output=True, text=True, check=True, timeout=60
    )
    return run.stdout == "False\n"


@pytest.fixture
def open_locks_stay(monkeypatch):
    """As on Windows, which takes no open file away."""
    unlink = os.unlink

    def refuse(path, **options):
        if "lock" in Path(path).name and any(not file.closed for file in lock._held):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        unlink(path, **options)

    monkeypatch.setattr(os, "unlink", refuse)


def test_a_place_is_held_by_one_process_until_it_lets_go(tmp_path):
    with lock.take(tmp_path / "lock") as held:
        assert held and taken_elsewhere(tmp_path / "lock")
        assert lock.take(tmp_path / "lock") is None
    assert not taken_elsewhere(tmp_path / "lock")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_child_that_outlives_its_parent_does_not_hold_the_lock(tmp_path):
    code = (
        "import os, pathlib, sys, time; from vidgan import lock\n"
        "held = lock.take(pathlib.Path(sys.argv[1]))\n"
        "if os.fork() == 0: time.sleep(30)\n"
        "else: os._exit(0)"
    )
    child = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "lock")], start_new_session=True)
    try:
        assert child.wait(60) == 0
        time.sleep(0.2)
        assert not taken_elsewhere(tmp_path / "lock")
    finally:
        os.killpg(child.pid, 9)


def test_a_lock_whose_file_was_taken_away_counts_for_nothing(tmp_path):
    with lock.take(tmp_path / "lock"):
        (tmp_path / "lock").unlink()
        with lock.take(tmp_path / "lock") as other:
            assert other is not None


def test_who_leaves_takes_the_file_along(tmp_path):
    held = lock.take(tmp_path / "lock")
    lock.leave(held, tmp_path / "lock")
    assert held.closed and not any(tmp_path.iterdir())


def test_who_leaves_takes_the_file_along_where_no_open_one_can_be(tmp_path, open_locks_stay):
    lock.leave(lock.take(tmp_path / "lock"), tmp_path / "lock")
    assert not any(tmp_path.iterdir())


def test_who_leaves_lets_another_s_file_be(tmp_path):
    held = lock.take(tmp_path / "lock")
    (tmp_path / "lock").unlink()
    with lock.take(tmp_path / "lock"):
        lock.leave(held, tmp_path / "lock")
        assert taken_elsewhere(tmp_path / "lock")


@pytest.mark.parametrize(
    ("number", "is_taken"), [(errno.ENOTSUP, True), (errno.ENOLCK, True), (errno.EAGAIN, False)]
)
def test_where_nothing_can_be_locked_work_goes_on(tmp_path, monkeypatch, number, is_taken):
    def fail(file):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(lock, "_lock", fail)
    held = lock.take(tmp_path / "lock")
    assert (held is not None) == is_taken
    if held is not None:
        held.close()
