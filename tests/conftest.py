"""What every test shares: a bounded number of threads, a fixed seed, and the way to the measuring data."""

import os
import random
import sys
from pathlib import Path

# Before torch or OpenMP start: a test must not depend on how many cores a machine has. Where files are tested side by
# side, one core is its own, whatever the process that starts them has been given, or has set here for itself: threads
# that wait for each other by spinning, more than there are cores, made some tests ten times as slow.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["OMP_NUM_THREADS"] = "1"
os.environ.setdefault("OMP_NUM_THREADS", "2")
# Nor on which of the other runtimes is quickest there; tests of those name them.
os.environ["VIDGAN_BACKEND"] = "torch"

import hypothesis
import pytest

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("VIDGAN_SHARED", ROOT.parent / "shared"))

# The same examples every time, and no deadline: a busy machine is no failure.
hypothesis.settings.register_profile("vidgan", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("vidgan")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    no_shared = pytest.mark.skip(reason=f"no measuring data at {SHARED} (set VIDGAN_SHARED)")
    no_gpu = pytest.mark.skip(reason="no accelerator here")
    for item in items:
        if item.get_closest_marker("shared") and not SHARED.is_dir():
            item.add_marker(no_shared)
        if item.get_closest_marker("gpu") and not _has_accelerator():
            item.add_marker(no_gpu)


def _has_accelerator() -> bool:
    import torch

    return torch.cuda.is_available() or torch.backends.mps.is_available()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many tests the missing data cost, so that a short run is not taken for the whole."""
    skipped = sum(
        "no measuring data" in str(report.longrepr) for report in terminalreporter.getreports("skipped")
    )
    if skipped:
        terminalreporter.write_line(
            f"{skipped} tests need the measuring data and were skipped: none at {SHARED} (set VIDGAN_SHARED)"
        )


@pytest.fixture
def shared() -> Path:
    """The folder of measuring data; only for tests marked `shared`."""
    return SHARED


@pytest.fixture(autouse=True)
def seed() -> int:
    """Every test starts from the same random state, whichever ran before it."""
    random.seed(0)
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed(0)
    if torch := sys.modules.get("torch"):
        torch.manual_seed(0)
    return 0
