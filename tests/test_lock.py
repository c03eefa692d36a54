"""One process at a time in a place."""

import errno
import os
import subprocess
import sys
import time

import pytest

from vidgan import lock

TAKE = "import sys, pathlib; from vidgan import lock; print(lock.take(pathlib.Path(sys.argv[1])) is not None)"


def taken_elsewhere(path) -> bool:
    run = subprocess.run(
        [sys.executable, "-c", TAKE, str(path)], capture_output=True, text=True, check=True, timeout=60
    )
    return run.stdout == "False\n"


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
