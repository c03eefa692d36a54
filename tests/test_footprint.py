"""How much memory a method takes, as a process of its own tells it."""

import sys

import pytest
import torch

from vidgan.measuring import footprint
from vidgan.measuring.methods import Place

PLACE = Place(device=torch.device("cpu"), precision=torch.float32, threads=1)


@pytest.mark.skipif(sys.platform == "win32", reason="which does not tell")
def test_it_is_a_whole_process_and_holds_the_enlarged_pictures():
    height, width = 1000, 1200
    pictures_mb = 2 * 3 * 4 * height * 4 * width * 4 / (1 << 20)  # two, 4 times larger, in float32
    assert pictures_mb > 400
    assert pictures_mb + 100 < footprint.of("bicubic", (height, width), 4, PLACE) < pictures_mb + 2000


def test_a_network_s_own_layers_count():
    assert footprint.of("bicubic", (300, 300), 8, PLACE) > footprint.of("bicubic", (300, 300), 1, PLACE) + 100
    fast, bicubic = (footprint.of(name, (96, 128), 4, PLACE) for name in ("fast", "bicubic"))
    assert fast > bicubic + 10


def test_a_process_that_does_not_end_in_time_tells_nothing(monkeypatch):
    monkeypatch.setattr(footprint, "PATIENCE", 0.05)
    assert footprint.of("bicubic", (8, 8), 4, PLACE) is None


def test_what_lies_in_the_folder_where_it_is_run_is_not_run(tmp_path, monkeypatch):
    (tmp_path / "random.py").write_text("raise SystemExit('this was run')\n")
    monkeypatch.chdir(tmp_path)
    assert footprint.of("bicubic", (8, 8), 4, PLACE) > 10
