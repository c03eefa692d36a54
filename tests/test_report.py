"""What the pages share: one script that may run and no other, room for the highest alone, places along an axis."""

import base64
import hashlib
import itertools
import json
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from vidgan.errors import BadOutput
from vidgan.report import page, places
from vidgan.report.curves import Axis
from vidgan.report.highest import Highest


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
