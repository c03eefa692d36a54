"""What the pages share: one script that may run and no other, room for the highest alone, places along an axis."""

import base64
import hashlib
import itertools
import json
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from browser import chromium, fits, opened_in  # noqa: F401 - a fixture
from vidgan.errors import BadOutput
from vidgan.report import page, places
from vidgan.report.curves import Axis, Marks, chart
from vidgan.report.highest import Highest
from vidgan.report.scatter import Point, scatter


def test_the_highest_are_kept_and_of_equals_the_first():
    kept = Highest[str](3)
    for rank, name in [(1, "a"), (3, "b"), (2, "c"), (2, "d"), (0, "e"), (3, "f"), (3, "g")]:
        kept.add(rank, name)
    assert list(kept) == ["b", "f", "g"] and len(kept) == 3
    kept.add(3, "h")
    assert list(kept) == ["b", "f", "g"]


@pytest.mark.parametrize("ranks", list(itertools.permutations([0, 1, 1, 2])))
def test_what_would_not_be_kept_need_not_be_made(ranks):
    asked, added = Highest[int](2), Highest[int](2)
    for number, rank in enumerate(ranks):
        if asked.takes(rank):
            asked.add(rank, number)
        added.add(rank, number)
    in_order = sorted(range(4), key=lambda number: (-ranks[number], number))
    assert list(asked) == list(added) == in_order[:2]


def test_things_that_cannot_be_ordered_are_kept_by_their_rank():
    kept = Highest[dict[str, int]](1)
    for number in range(3):
        kept.add(1.0, {"number": number})
    assert list(kept) == [{"number": 0}]


def test_the_only_script_that_may_run_is_the_one_on_the_page():
    script = "document.title = '<ä>';"
    html = page.page("A page", ["<p>words</p>"], script=script)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}';" in html
    assert re.findall(r"<script>(.*?)</script>", html) == [script]
    assert "script" not in page.page("A page", ["<p>words</p>"])


def test_facts_cannot_end_their_element():
    given = {"name": "</script><b>"}
    html = page.facts(given)
    assert html.count("<") == 2
    assert json.loads(html[html.index(">") + 1 : html.rindex("<")]) == given


def test_no_name_turns_the_words_after_it_around():
    turned = "".join(map(chr, [*range(0x202A, 0x202F), *range(0x2066, 0x206A)]))
    html = page.page(f"a{turned}b", [page.paragraph(f"c{turned}d"), page.table([turned], [])])
    assert not set(turned) & set(html)
    assert html.count("\\u202a\\u202b\\u202c\\u202d\\u202e\\u2066\\u2067\\u2068\\u2069") == 4


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 375])
def test_a_long_name_without_a_blank_does_not_stick_out(chromium, tmp_path, width):  # noqa: F811
    name = "no_blank_in_it_" * 15
    sections = [
        page.heading(name),
        page.paragraph(f"{name}, shown as 192x176."),
        page.scroll(page.table(("", name, "other"), [("PSNR", 30.25, 31.5), (name, 1.5, 2.5)])),
        page.charts([chart("PSNR", {name: [(0, 1.0), (1, 2.0)], "other": [(0, 2.0), (1, 1.0)]}, Marks())]),
        page.gallery([page.figure(b"", name, [name])]),
    ]
    path = page.write(
        page.page(name, sections, style=".scroll table { white-space: nowrap; }"), tmp_path / "page.html"
    )
    with opened_in(chromium, path) as window:
        assert fits(window, width)
        widest = window.evaluate(
            "Math.max(...[...document.querySelectorAll('th, td')].map(e => e.clientWidth))"
        )
        assert widest < 300, "numbers below a long name are to be seen beside those below the next"


@pytest.mark.browser
def test_on_paper_nothing_is_cut_off_and_legends_keep_their_colours(chromium, tmp_path):  # noqa: F811
    sections = [
        page.scroll(page.table([f"column {number}" for number in range(30)], [])),
        page.text("a recipe " * 60),
        page.charts([chart("PSNR", {"a": [(0, 1.0)], "b": [(0, 2.0)]}, Marks())]),
    ]
    with opened_in(chromium, page.write(page.page("A page", sections), tmp_path / "page.html")) as window:
        window.emulate_media(media="print")
        styles = "[...document.querySelectorAll('{}')].map(e => getComputedStyle(e)['{}'])"
        assert window.evaluate(styles.format(".scroll, pre", "overflow-x")) == ["visible", "visible"]
        assert window.evaluate(styles.format("pre", "white-space")) == ["pre-wrap"]
        assert window.evaluate(styles.format("figcaption i", "print-color-adjust")) == ["exact", "exact"]


def test_a_point_s_name_and_the_ends_of_an_axis_are_short():
    html = scatter("LPIPS", "ms", [Point(name="n" * 200, x=94.5, y=0.4), Point(name="fast", x=2114.9, y=0.3)])
    assert ">2110</text>" in html and ">94.5</text>" in html
    assert f">{'n' * 25}...</text>" in html and f"<title>{'n' * 200}:" in html


def test_an_axis_draws_its_ends_at_its_ends():
    up = Axis(2.0, 4.0, 100, 0)
    assert [up(value) for value in (2.0, 3.0, 4.0)] == [100, 50, 0]
    assert Axis(2.0, 2.0, 10, 20)(2.0) == 10, "where there is one value alone"


def test_a_place_where_nothing_can_be_written_is_said_before_the_work(tmp_path, monkeypatch):
    def refused(folder):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(places, "try_to_write", refused)
    with pytest.raises(BadOutput, match="could not be written: Permission denied"):
        places.check(Named(report=tmp_path / "page.html"), [])
    places.check(Named(json=Path("-")), [])


@dataclass(frozen=True)
class Named:
    report: Path | None = None
    json: Path | None = None
    csv: Path | None = None
    quiet: bool = False
