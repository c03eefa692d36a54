"""The page of an analysis: every score and event, bounded however long the video is, read by pointer and by keys."""

import json
import re
from array import array
from dataclasses import replace

import numpy as np
import pytest

import vidgan
from browser import chromium, fits, opened_in
from test_analyze import LEFT, SIDE, TOP, Red, with_red
from vidgan.report import analysis, strips
from vidgan.score import Analysis, Event, Kind, Noted, Scale
from vidgan.verbs import analyze
from vidgan.watching import rules
from watched import HEIGHT, WIDTH, lossless

__all__ = ["chromium"]  # a fixture


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """Sixty frames with a red square in fifteen of them; an awkward name."""
    folder = tmp_path_factory.mktemp("page")
    source, path = lossless(folder / "<b>film&.mkv", with_red()), folder / "report.html"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(analyze.anomaly, "load", lambda path, device: Red())
        found = vidgan.analyze(source, normal="model", report=path, clips=folder / "clips")
    return path, found


def test_it_holds_the_verdict_every_score_and_every_event(page):
    path, found = page
    html = path.read_text()
    assert found.sentence in html
    assert html.count('<svg class="strip"') == len(found.scales)
    assert [f'id="event-{number}"' in html for number in (1, 2)] == [True, True]
    assert html.count("data:image/jpeg") == 3, "the shot, the anomaly, and the anomaly under its map"
    assert "0:00.80 to 0:01.40" in html and "clip: 0002-anomaly-00m00s.mkv" in html
    assert f'<rect x="{LEFT:.1f}" y="{TOP:.1f}" width="{SIDE:.1f}" height="{SIDE:.1f}"/>' in html
    assert all(scale.protocol.split(",")[0] in html.replace("&#x27;", "'") for scale in found.scales)


def test_names_are_escaped_and_nothing_is_fetched(page):
    html = page[0].read_text()
    assert "<b>film" not in html and "&lt;b&gt;film&amp;" in html
    assert not re.search(r"https?://|<link|src=\"(?!data:)|url\(", html)
    assert "default-src 'none'" in html and html.count("<script>") == 1


def test_facts_are_the_scores(page):
    path, found = page
    facts = json.loads(re.search(r'id="facts">(.*?)</script>', path.read_text())[1])
    assert facts["seconds"] == pytest.approx(list(found.times))
    assert facts["scores"]["anomaly"]["high"][:2] == [None, 0.0]
    assert facts["scores"]["exposure"]["low"] == pytest.approx(list(found.scores["exposure"]), rel=1e-3)


def long(num_frames: int, num_events: int) -> Analysis:
    values = array("d", np.random.default_rng(0).random(num_frames))
    values[num_frames // 3] = 9.0
    every = num_frames // num_events
    events = [
        Event(
            kind="black",
            first=first,
            last=first,
            start=first / 25,
            end=(first + 1 + first // every % 7) / 25,
            score=99.0,
            worst=first / 25,
        )
        for first in range(0, num_events * every, every)
    ]
    return Analysis(
        video="long.mp4",
        width=64,
        height=48,
        end=num_frames / 25,
        times=array("d", np.arange(num_frames) / 25),
        scales=[Scale(name="noise", title="noise", unit="", protocol="random")],
        scores={"noise": values},
        kinds=[rules.SHOTS, Kind(name="black", title="black", unit="%", protocol="made up")],
        events=events,
        protocol={},
    )


def test_two_hours_with_ten_thousand_events_are_a_small_page(tmp_path):
    """A peak of one frame is still there, and the longest events have the cards."""
    found, recorder = long(180_000, 10_000), analysis.Recorder()
    for event in found.events:
        recorder.see(Noted(event, np.zeros((48, 64, 3), np.uint8)))
    path = analysis.write_report(found, recorder, tmp_path / "long.html")
    html = path.read_text()
    assert path.stat().st_size < 600_000
    assert html.count("<article") == analysis.MOST_SHOWN
    assert {round(event.end - event.start, 6) for event in recorder.cards()} == {7 / 25}
    assert "24 longest" in html and "--json lists all" in html
    points = strips.stretches(found, found.scales[0])
    assert len(points.high) == strips.POINTS and max(points.high) == 9.0 and max(points.low) < 0.2
    assert sum(1 for _ in found.csv_lines()) == 180_001


@pytest.fixture
def opened(chromium, page):
    with opened_in(chromium, page[0]) as window:
        yield window


@pytest.mark.browser
def test_the_arrow_keys_step_from_frame_to_frame_and_tell_every_value(opened, page):
    _, found = page
    timeline = opened.locator("#timeline")
    timeline.focus()
    for _ in range(20):
        opened.keyboard.press("ArrowRight")
    assert timeline.get_attribute("aria-valuenow") == "20"
    assert opened.locator("#clock").inner_text() == "0:00.80"
    assert opened.locator('output[data-score="anomaly"]').inner_text() == "1.000"
    told = float(opened.locator('output[data-score="exposure"]').inner_text())
    assert told == pytest.approx(found.scores["exposure"][20], abs=0.06)
    assert "anomaly 1.000" in timeline.get_attribute("aria-valuetext")
    opened.keyboard.press("End")
    assert timeline.get_attribute("aria-valuenow") == "59"
    opened.keyboard.press("Home")
    assert opened.locator('output[data-score="anomaly"]').inner_text() == "none"


@pytest.mark.browser
def test_the_pointer_tells_the_moment_that_it_is_at(opened):
    """Three quarters of 60 frames is frame 45."""
    box = opened.locator(".plot").first.bounding_box()
    opened.mouse.move(box["x"] + 0.755 * box["width"], box["y"] + 5)
    assert opened.locator("#clock").inner_text() == "0:01.80"
    cursor = opened.locator(".cursor").first.bounding_box()
    assert abs(cursor["x"] - box["x"] - 0.75 * box["width"]) < 2


@pytest.mark.browser
def test_a_bar_lies_where_its_event_is_and_leads_to_it(opened):
    bar = opened.locator('a[href="#event-2"]')
    plot = opened.locator(".plot", has=bar).bounding_box()
    box = bar.bounding_box()
    assert abs(box["x"] - plot["x"] - 20 / 60 * plot["width"]) < 3
    assert abs(box["width"] - 15 / 60 * plot["width"]) < 4
    bar.click()
    assert opened.url.endswith("#event-2") and opened.locator("#event-2").is_visible()
    opened.locator('a[href="#event-1"]').focus()
    opened.keyboard.press("Enter")
    assert opened.url.endswith("#event-1")


@pytest.mark.browser
def test_the_box_lies_on_what_is_unusual(opened):
    picture = opened.locator("#event-2 .view").first
    outer, inner = picture.bounding_box(), picture.locator("rect").bounding_box()
    across, down = outer["width"] / WIDTH, outer["height"] / HEIGHT
    assert abs(inner["x"] - outer["x"] - LEFT * across) < 3
    assert abs(inner["y"] - outer["y"] - TOP * down) < 3


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 390])
def test_it_is_readable_at_any_width(opened, width):
    assert fits(opened, width)
    sizes = opened.evaluate(
        "[...document.querySelectorAll('p, td, .name, article')].map(e => parseFloat(getComputedStyle(e).fontSize))"
    )
    assert min(sizes) >= 12


@pytest.mark.browser
def test_without_its_script_everything_but_the_readout_is_there(chromium, page):
    window = chromium.new_context(java_script_enabled=False).new_page()
    window.goto(page[0].as_uri())
    assert window.locator("svg.strip").count() == len(page[1].scales)
    assert window.locator("article").count() == 2
    window.close()


def test_the_longest_video_has_times_below_its_strips():
    for hours in (1, 13, 30, 240):
        times = array("d", np.linspace(0, 3600 * hours, 50))
        found = replace(long(50, 1), times=times, end=3600.0 * hours + 1)
        assert 2 <= strips.axis(found).count("<span") <= 7


@pytest.mark.browser
def test_a_clock_never_shows_sixty_seconds(chromium, tmp_path):
    times = array("d", [59.9983 + index / 25 for index in range(50)])
    found = replace(long(50, 1), times=times, end=times[-1] + 0.04)
    path = analysis.write_report(found, analysis.Recorder(), tmp_path / "long.html")
    with opened_in(chromium, path) as window:
        window.locator("#timeline").focus()
        window.keyboard.press("Home")
        assert window.locator("#clock").inner_text() == "1:00.00"
