"""The examples run, and the first of them stays short."""

import runpy
import sys
import tempfile
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest
import torch

import videos
import vidgan
from test_compare import exact
from videos import Film
from vidgan.video import decode_all

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
QUICKSTART = EXAMPLES / "quickstart.py"


@pytest.fixture(autouse=True)
def no_lpips(tmp_path, monkeypatch) -> None:
    """The same run on every machine."""
    monkeypatch.setenv("VIDGAN_WEIGHTS", str(tmp_path / "no weights"))
    monkeypatch.setattr(Path, "home", lambda: tmp_path)


@pytest.fixture
def demo(monkeypatch) -> SimpleNamespace:
    monkeypatch.setattr(sys, "path", [str(EXAMPLES), *sys.path])
    return SimpleNamespace(**runpy.run_path(str(EXAMPLES / "demo.py")))


def test_the_quickstart_fits_on_a_page():
    assert len(QUICKSTART.read_text().splitlines()) < 40


def test_the_quickstart_goes_the_whole_road(tmp_path, monkeypatch, capsys):
    """Every line of it, with four steps of training instead of a minute's."""
    clip = videos.write(tmp_path / "clip.mp4", Film(width=128, height=96, times=range(6)))
    train, called = vidgan.train, []

    def briefly(*words, **told):
        called.append(told)
        return train(*words, **(told | {"faithful_steps": 2, "realistic_steps": 2, "batch": 1, "crop": 64}))

    monkeypatch.setattr(vidgan, "train", briefly)
    monkeypatch.setattr(sys, "argv", ["quickstart.py", str(clip)])
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    runpy.run_path(str(QUICKSTART), run_name="__main__")
    printed = capsys.readouterr().out
    for word in ("psnr_y", "ms_per_frame", "accuracy", "6 frames of 512x384", "gives the source again"):
        assert word in printed
    assert len(called) == 1 and len(list(tmp_path.glob("vidgan-*/large.mp4"))) == 1


@pytest.mark.slow
def test_the_quickstart_as_it_stands_makes_its_video(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["quickstart.py"])
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    runpy.run_path(str(QUICKSTART), run_name="__main__")
    (made,) = tmp_path.glob("vidgan-*/large.mp4")
    assert len(decode_all(made, limit=3)) == 3
    assert "accuracy" in capsys.readouterr().out


def test_the_sample_is_small_and_named():
    sample = EXAMPLES / "media" / "bunny.mp4"
    assert sample.stat().st_size < 300_000
    frames = decode_all(sample)
    assert frames.shape[1:] == (180, 320, 3) and 50 <= len(frames) <= 75
    assert "Creative Commons Attribution 3.0" in (EXAMPLES / "media" / "README.md").read_text()


def test_the_demo_s_bicubic_keeps_a_plain_colour_and_rounds_as_video_does(demo):
    small = torch.full((2, 3, 6, 8), 100 / 255)
    torch.testing.assert_close(demo.enlarged(small), torch.full((2, 3, 24, 32), 100 / 255))
    codes = demo.enlarged(torch.rand(1, 3, 6, 8)) * 255
    torch.testing.assert_close(codes, codes.round())
    assert codes.min() >= 0 and codes.max() <= 255


def test_the_demo_holds_both_against_the_truth(demo, monkeypatch):
    """A network that adds nothing stands level with bicubic, but for the borders of its kernel."""
    clip = np.stack([videos.picture(i, 96, 64) for i in range(3)])
    generator = vidgan.create_generator(features=16, blocks=1)
    torch.nn.init.zeros_(generator.tail.weight)
    monkeypatch.setattr(vidgan, "create_generator", partial(_given, generator))
    rows = demo.against_bicubic(clip)
    assert list(rows) == ["bicubic", "vidgan"]
    assert rows["vidgan"] == pytest.approx(rows["bicubic"], rel=0.02)
    assert rows["bicubic"]["PSNR-Y"] > 15 and 0 < rows["bicubic"]["SSIM-Y"] < 1


def _given(generator: torch.nn.Module, weights: str) -> torch.nn.Module:
    assert weights == "fast"
    return generator


def test_the_demo_s_picture_shows_before_on_the_left_and_after_on_the_right(demo, tmp_path):
    before = np.zeros((60, 180, 320, 3), np.uint8)
    before[:] = (200, 100, 50)
    after = np.broadcast_to(np.array((10, 20, 30), np.uint8), (60, 720, 1280, 3))
    demo.save_before_after(before, after, tmp_path / "picture.png")
    with av.open(str(tmp_path / "picture.png")) as container:
        picture = next(container.decode(video=0)).to_ndarray(format="rgb24")
    assert picture.shape == (2 * 90 * 4 + 8, 2 * 160 * 4 + 8, 3)
    for rows in (slice(0, 360), slice(368, 728)):
        assert (picture[rows, :640] == (200, 100, 50)).all()
        assert (picture[rows, 640:648] == 255).all()
        assert (picture[rows, 648:] == (10, 20, 30)).all()


def test_an_onnx_network_can_be_plugged_in(tmp_path):
    """It sees words on a page, and none on an empty one."""
    cv2 = pytest.importorskip("cv2")
    for package in ("onnxruntime", "rapidocr"):
        pytest.importorskip(package)
    page = np.full((96, 256, 3), 255, np.uint8)
    words = page.copy()
    cv2.putText(words, "PLATFORM", (20, 60), cv2.FONT_HERSHEY_SIMPLEX, 1.2, (0, 0, 0), 3)
    text_share = runpy.run_path(str(EXAMPLES / "onnx_plug.py"))["text_share"]
    assert text_share(page) == 0 and 0.1 < text_share(words) < 0.6
    small, large = (exact(tmp_path / name, [words] * 3) for name in ("small.mkv", "large.mkv"))
    (study,) = vidgan.impact(small, large, analysers=[text_share]).studies
    assert study.values["enhanced"] == pytest.approx([text_share(words)] * 3, abs=0.02)
