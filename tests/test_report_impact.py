"""The page of an impact: its verdict, its figures, and boxes on pictures in a browser."""

import re

import numpy as np
import pytest

import vidgan
from browser import chromium, fits, opened_in
from test_compare import exact
from test_impact import SIDE, empty, square, yellow
from vidgan.analysers import Finding
from vidgan.report import impact
from vidgan.score import Sight
from vidgan.score.matching import Difference

__all__ = ["chromium"]  # a fixture


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """Six frames: one loses the square, one makes one up elsewhere. The reference's name is an awkward one."""
    folder = tmp_path_factory.mktemp("page")
    source = exact(folder / "small.mkv", [square()] * 6)
    frames = [square(scale=4), empty(4), *[square(scale=4)] * 2, square(40, 30, scale=4), square(scale=4)]
    enhanced = exact(folder / "enhanced.mkv", frames)
    reference = exact(folder / "<b>sharp&.mkv", [square(scale=4)] * 6)
    path = folder / "report.html"
    found = vidgan.impact(source, enhanced, reference=reference, analysers=[yellow], report=path)
    return path, found


def test_it_holds_the_verdict_the_figures_and_every_moment_that_differs(page):
    path, found = page
    html = path.read_text()
    assert found.sentence in html.replace("&#x27;", "'")
    assert "F1 0.727, after bicubic 1.000" in html  # 2 * 4 / (5 + 6)
    assert html.count('<section class="sight">') == 2
    assert "0.040 s: yellow: 1 lost" in html and "0.160 s: yellow: 1 lost, 1 invented" in html
    assert html.count("data:image/jpeg") == 2 * 3
    assert "bootstrap" in html and "Bonferroni" in html
    assert not list(path.parent.glob("*.partial"))


def test_names_are_escaped_and_nothing_is_fetched(page):
    html = page[0].read_text()
    assert "<b>sharp" not in html and "&lt;b&gt;sharp&amp;" in html
    assert not re.search(r"https?://|<link|<script|src=\"(?!data:)|url\(", html)
    assert "default-src 'none'" in html


def test_a_long_video_keeps_a_bounded_number_of_moments_those_with_most():
    recorder = impact.Recorder()
    picture = np.zeros((16, 16, 3), np.uint8)
    for index in range(3 * impact.MOST_SHOWN):
        gained = [Difference("gained", Finding((0, 0, 4, 4)))] * (1 + index % 3)
        recorder.see(
            Sight(
                seconds=float(index),
                pictures={"bicubic": picture, "enhanced": picture},
                findings={"things": {"bicubic": [], "enhanced": []}},
                differences={"things": gained},
            )
        )
    stills = recorder.stills()
    assert recorder.num_different == 3 * impact.MOST_SHOWN and len(stills) == impact.MOST_SHOWN
    assert {tuple(still.words) for still in stills} == {("things: 3 gained",)}
    assert [still.seconds for still in stills] == sorted(still.seconds for still in stills)


@pytest.fixture
def opened(chromium, page):
    with opened_in(chromium, page[0]) as window:
        yield window


@pytest.mark.browser
def test_a_box_lies_on_what_it_marks(opened):
    """The invented square, drawn over the enhanced picture: 40 of 64 from the left, 30 of 48 from the top."""
    picture = opened.locator(".view", has=opened.locator("rect.invented"))
    assert picture.count() == 1
    outer, inner = picture.bounding_box(), picture.locator("rect.invented").bounding_box()
    across = outer["width"] / 64
    assert abs(inner["x"] - outer["x"] - 40 * across) < 3
    assert abs(inner["y"] - outer["y"] - 30 * across) < 3
    assert abs(inner["width"] - SIDE * across) < 5
    assert opened.locator("rect.lost").count() == 2 * 2, "on bicubic's picture and on the reference's"


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 390])
def test_it_is_readable_at_any_width(opened, width):
    assert fits(opened, width)
    assert opened.locator(".verdict").is_visible()
    sizes = opened.evaluate(
        "[...document.querySelectorAll('p, td, h3, figcaption')].map(e => parseFloat(getComputedStyle(e).fontSize))"
    )
    assert min(sizes) >= 12
