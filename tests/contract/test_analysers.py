"""What every analyser must do, whichever it is: a new file on the shelf is tested the day it arrives."""

import math
import sys
from types import ModuleType

import numpy as np
import pytest

from footage import moving
from vidgan import shelf
from vidgan.errors import MissingExtra

SHELF = "vidgan.analysers"


@pytest.fixture(params=shelf.names(SHELF))
def module(request) -> ModuleType:
    """Skipped where what it needs is not installed."""
    found = shelf.take(SHELF, request.param)
    try:
        found.load()
    except MissingExtra as missing:
        pytest.skip(str(missing))
    return found


def test_it_says_what_it_looks_for_and_how(module):
    assert module.TITLE and module.PROTOCOL
    assert any(sign.isdigit() for sign in module.PROTOCOL) or "read" in module.PROTOCOL


def test_it_gives_boxes_within_the_picture_or_a_number(module):
    look = module.load()
    for pixels in moving(3, 3, 240, 320):
        found = look(pixels)
        if isinstance(found, float):
            continue
        for finding in found:
            left, top, right, bottom = finding.box
            assert -16 <= left < right <= 336 and -16 <= top < bottom <= 256
            assert math.isfinite(finding.score)


def test_nothing_is_to_be_seen_on_a_grey_wall(module):
    look = module.load()
    for _ in range(3):
        found = look(np.full((240, 320, 3), 128, np.uint8))
        assert found == [] or (isinstance(found, float) and (math.isnan(found) or found == 0))


@pytest.mark.parametrize("side", [(1, 1), (7, 40), (33, 65), (64, 64)])
def test_no_picture_is_too_small(module, side):
    look = module.load()
    noise = np.random.default_rng(0).integers(0, 256, (*side, 3), dtype=np.uint8)
    for _ in range(2):
        assert isinstance(look(noise), list | float)


def test_it_says_the_same_again_and_leaves_the_picture_alone(module):
    frames = moving(5, 3, 180, 240)
    kept = frames.copy()
    first, second = ([look(pixels) for pixels in frames] for look in (module.load(), module.load()))
    np.testing.assert_equal(first, second)
    assert (frames == kept).all()


@pytest.mark.parametrize("name", ["people", "faces", "codes", "tracking", "text"])
def test_what_is_missing_is_named_with_the_way_to_get_it(monkeypatch, name):
    part = shelf.take(SHELF, name)
    if name == "text":
        part._engine.cache_clear()
    for package in ("cv2", "rapidocr"):
        monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtra, match="is not installed") as caught:
        part.load()
    assert caught.value.remedy == 'Install it with: pip install "vidgan[analysis]"'


@pytest.mark.parametrize("name", ["people", "faces", "codes"])
def test_an_opencv_without_its_detectors_is_named(monkeypatch, name):
    """Version 5 dropped them."""
    monkeypatch.setitem(sys.modules, "cv2", ModuleType("cv2"))
    with pytest.raises(MissingExtra, match="opencv-python-headless"):
        shelf.take(SHELF, name).load()
