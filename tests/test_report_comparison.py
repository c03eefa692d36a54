"""A comparison's page: what stands on it, and what a person can do with it in a browser."""

import json
import re

import numpy as np
import pytest
import torch

import vidgan
from browser import chromium, fits, opened_in
from footage import moving
from test_compare import exact
from vidgan.errors import BadOutput
from vidgan.report import comparison, heat
from vidgan.score import Moment

__all__ = ["chromium"]  # a fixture

FRAMES, HEIGHT, WIDTH = 12, 144, 176


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A reference against an output that is off in one frame, and one with an awkward name."""
    folder = tmp_path_factory.mktemp("page")
    frames = list(moving(1, FRAMES, HEIGHT, WIDTH))
    reference = exact(folder / "reference.mkv", frames)
    output = exact(folder / "output.mkv", [
        np.clip(frame.astype(int) + (40 if i == 7 else 2), 0, 255).astype(np.uint8) for i, frame in enumerate(frames)
    ])  # fmt: skip
    awkward = exact(folder / "<b>awkward&.mkv", [255 - frame for frame in frames])
    small = exact(folder / "small.mkv", [np.ascontiguousarray(frame[::2, ::2]) for frame in frames])
    path = folder / "report.html"
    found = vidgan.compare(
        reference, output, awkward, input=small, metrics="psnr-y,ssim-y,tres,consistency", report=path
    )
    return path, found


def test_it_holds_the_numbers_the_protocol_and_the_worst_frame(page):
    path, found = page
    html = path.read_text()
    for contender in found.contenders:
        for name, value in contender.means().items():
            digits = {"ssim_y": 4, "psnr_y": 2, "consistency": 2, "tres": 3}[name]
            assert f">{value:.{digits}f}</td>" in html
    assert "BT.601" in html and "Lanczos" in html and torch.__version__ in html
    worst = html.index("output.mkv: worst frames by SSIM-Y")
    assert html.index('data-seconds="0.280000"', worst) - worst < 200
    assert html.count("data:image/jpeg") == 2 * (3 + 1) * 5
    assert not list(path.parent.glob("*.partial"))


def test_names_are_escaped_and_nothing_is_fetched(page):
    html = page[0].read_text()
    assert "<b>awkward" not in html and "&lt;b&gt;awkward&amp;" in html
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)|<link|src=\"(?!data:)|url\(", html)
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', html)[1]
    assert "default-src 'none'" in policy and "script-src 'sha256-" in policy


def test_a_report_that_cannot_be_written_is_said_before_the_work(page, tmp_path):
    with pytest.raises(BadOutput, match="cannot be written"):
        vidgan.compare(page[0].with_name("reference.mkv"), page[0].with_name("output.mkv"), report=tmp_path)


def test_a_long_comparison_keeps_a_bounded_film():
    with comparison.Recorder(32, 32, num_frames=3 * comparison.MOST_FRAMES) as recorder:
        picture = torch.zeros(3, 32, 32)
        for index in range(50):
            values = {"out": {"psnr_y": float(index % 7)}}
            recorder.see(
                Moment(
                    seconds=index / 25,
                    reference=picture,
                    source=None,
                    outputs={"out": picture},
                    values=values,
                )
            )
        assert len(recorder.seconds) == 17
        kept = [still.value for still in recorder.stills["out", "worst"]]
        assert kept == [0.0] * comparison.KEPT["worst"]
        assert recorder.film()[4:8] == b"ftyp"


def test_a_film_that_ends_before_the_comparison_says_so(monkeypatch):
    """Where nobody knew how many frames there would be."""
    monkeypatch.setattr(comparison, "MOST_FRAMES", 2)
    picture = torch.zeros(3, 32, 32)
    for count, told in ((4, ""), (5, "(the first 4 frames)")):
        with comparison.Recorder(32, 32, num_frames=None) as recorder:
            for index in range(count):
                recorder.see(
                    Moment(
                        seconds=index / 25,
                        reference=picture,
                        source=None,
                        outputs={"out": picture},
                        values={"out": {}},
                    )
                )
            assert ("(the first" in comparison._viewer(recorder)) == bool(told)
            assert told in comparison._viewer(recorder)


def test_heat_grows_with_the_error():
    reference = torch.zeros(3, 1, 5)
    output = reference + torch.tensor([0, 4, 16, 36, 255]) / 255
    brightness = heat.difference(output, reference).astype(int).sum(-1)[0]
    assert (np.diff(brightness) > 0).all() and brightness[0] == 4


@pytest.fixture
def opened(chromium, page):
    with opened_in(chromium, page[0]) as window:
        window.wait_for_selector("canvas[data-ready]", timeout=20_000)
        yield window


def frame_of(window) -> int:
    window.wait_for_timeout(250)  # a film seeks in its own time
    return int(window.evaluate("document.getElementById('canvas').dataset.frame"))


def colours(window, x: float, y: float) -> list[int]:
    return window.evaluate(
        """([x, y]) => { const c = document.getElementById('canvas');
        return [...c.getContext('2d').getImageData(x * c.width, y * c.height, 1, 1).data].slice(0, 3); }""",
        [x, y],
    )


@pytest.mark.browser
def test_a_click_on_a_timeline_seeks(opened):
    chart = opened.locator("svg.timeline").first
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    opened.mouse.click(box["x"] + 0.97 * box["width"], box["y"] + box["height"] / 2)
    assert frame_of(opened) == FRAMES - 1
    opened.mouse.click(box["x"] + 0.13 * box["width"], box["y"] + box["height"] / 2)
    assert frame_of(opened) == 0
    chart.press("ArrowRight")
    assert frame_of(opened) == 1 and chart.get_attribute("aria-valuenow") == "1"
    opened.locator("button[data-seconds='0.280000']").first.click()
    assert frame_of(opened) == 7


@pytest.mark.browser
def test_the_slider_drags_and_shows_one_picture_on_each_side(opened):
    opened.select_option("#left", label="reference")
    opened.select_option("#right", label="<b>awkward&.mkv")
    assert frame_of(opened) == 0
    left, right = colours(opened, 0.3, 0.5), colours(opened, 0.7, 0.5)
    canvas = opened.locator("#canvas").bounding_box()
    middle = canvas["y"] + canvas["height"] / 2
    opened.mouse.move(canvas["x"] + canvas["width"] / 2, middle)
    opened.mouse.down()
    opened.mouse.move(canvas["x"] + 0.9 * canvas["width"], middle, steps=5)
    opened.mouse.up()
    assert abs(int(opened.input_value("#split")) - 900) < 10
    # Where the right one was, its negative is now shown: the film is compressed, so nearly.
    inverted = [255 - value for value in right]
    assert np.abs(np.array(colours(opened, 0.7, 0.5)) - inverted).max() < 30
    assert np.abs(np.array(colours(opened, 0.3, 0.5)) - left).max() < 5
    opened.focus("#canvas")
    opened.keyboard.press("ArrowLeft")
    assert int(opened.input_value("#split")) < 890


@pytest.mark.browser
def test_it_plays_steps_and_zooms_by_keyboard(opened):
    opened.focus("#canvas")
    opened.keyboard.press(".")
    opened.keyboard.press(".")
    assert frame_of(opened) == 2
    opened.keyboard.press(",")
    assert frame_of(opened) == 1
    opened.keyboard.press(" ")
    opened.wait_for_timeout(1500)
    assert frame_of(opened) == FRAMES - 1, "it plays to its end"
    before = colours(opened, 0.25, 0.25)
    opened.select_option("#zoom", "8")
    opened.focus("#canvas")
    for _ in range(5):
        opened.keyboard.press("ArrowRight")
    assert colours(opened, 0.25, 0.25) != before
    reached = set()
    for _ in range(12):
        opened.keyboard.press("Tab")
        reached.add(
            opened.evaluate("document.activeElement.id || document.activeElement.getAttribute('class')")
        )
    assert {"split", "right", "play", "time", "zoom", "timeline"} <= reached


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 390])
def test_it_is_readable_at_any_width(opened, width):
    assert fits(opened, width)
    box = opened.locator("#canvas").bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= width and box["width"] > 0.85 * min(width, 1100)
    sizes = opened.evaluate(
        "[...document.querySelectorAll('p, td, label')].map(e => parseFloat(getComputedStyle(e).fontSize))"
    )
    assert min(sizes) >= 12


@pytest.mark.browser
def test_its_numbers_are_those_that_were_measured(opened, page):
    facts = json.loads(opened.evaluate("document.getElementById('facts').textContent"))
    assert facts["rows"] == ["Lanczos", "output.mkv", "<b>awkward&.mkv", "reference"]
    assert facts["seconds"] == pytest.approx(page[1].seconds, abs=1e-6)


@pytest.mark.parametrize("size", [(67, 51), (63, 47), (65, 49), (64, 48), (66, 50)])
def test_a_last_odd_column_goes_and_none_is_added(size):
    with comparison.Recorder(*size, num_frames=3) as recorder:
        recorder._begin(["out"])
        assert recorder.row_size == (size[0] // 2 * 2, size[1] // 2 * 2)
        picture = torch.ones(3, size[1], size[0])
        fitted = recorder._fitted(picture)
        assert fitted.shape[1:] == (recorder.row_size[1], recorder.row_size[0]) and (fitted > 0.99).all()


@pytest.mark.browser
def test_home_and_end_stay_at_the_timeline(opened):
    chart = opened.locator("svg.timeline").first
    chart.scroll_into_view_if_needed()
    chart.focus()
    place, last = opened.evaluate("scrollY"), int(opened.locator("#time").get_attribute("max"))
    opened.keyboard.press("End")
    assert (frame_of(opened), opened.evaluate("scrollY")) == (last, place)
    opened.keyboard.press("Home")
    assert (frame_of(opened), opened.evaluate("scrollY")) == (0, place)


@pytest.mark.browser
@pytest.mark.parametrize("has_scripts", [True, False])
def test_where_no_script_runs_the_page_says_why_its_film_stands(chromium, page, has_scripts):
    window = chromium.new_context(java_script_enabled=has_scripts).new_page()
    window.goto(page[0].as_uri())
    assert window.locator("noscript p").is_visible() != has_scripts
    window.close()
