"""A video's timeline on one page: every score over time, bars for events, and a picture of each event.

It is read without its script, too, which only tells the values under the pointer or at the arrow keys.
"""

import base64
import math
from html import escape
from importlib import resources
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from vidgan.progress import clock
from vidgan.report import heat, page, strips, table
from vidgan.report.highest import Highest
from vidgan.report.strips import Stretches
from vidgan.score import SHOT, Analysis, Event, Kind, Noted, versions
from vidgan.video import jpeg_bytes

MOST_SHOWN = 24  # events of a kind with a card: the longest


Card = tuple[Event, list[tuple[str, bytes]]]  # its pictures: title, JPEG


class Recorder:
    """Is told of every event when it ends, and keeps pictures of the longest of each kind."""

    def __init__(self) -> None:
        self._kept: dict[str, Highest[Card]] = {}  # of each kind

    def see(self, noted: Noted) -> None:
        event = noted.event
        kept = self._kept.setdefault(event.kind, Highest(MOST_SHOWN))
        seconds = event.seconds
        if kept.takes(seconds):
            kept.add(seconds, (event, _pictures(noted)))

    def cards(self) -> dict[Event, list[tuple[str, bytes]]]:
        return dict(card for kept in self._kept.values() for card in kept)


def write_report(found: Analysis, recorder: Recorder, path: Path) -> Path:
    """The page, whole or not at all. Nothing in it is fetched from anywhere."""
    script, style = (
        resources.files("vidgan.report").joinpath(name).read_text(encoding="utf-8")
        for name in ("analysis.js", "analysis.css")
    )
    cards = recorder.cards()
    numbers = {number for number, event in enumerate(found.events, 1) if event in cards}
    points = {scale.name: strips.stretches(found, scale) for scale in found.scales}
    sections = [
        f'<p class="verdict">{escape(found.sentence)}</p>',
        page.paragraph(f"{found.video}, shown as {found.width}x{found.height}."),
        *map(page.paragraph, found.notes),
        *map(page.paragraph, table.left_out(found.left_out)),
        _timeline(found, points, numbers),
        *_events(found, cards),
        page.heading("How it is measured"),
        page.scroll(page.table(("score", "how"), [(scale.title, scale.protocol) for scale in found.scales])),
        page.heading("From where on it is an event"),
        page.scroll(page.table(("event", "where"), [(kind.title, kind.protocol) for kind in found.kinds])),
        page.heading("Protocol"),
        page.scroll(page.table(("what", "how"), found.protocol.items())),
        page.scroll(page.table(("versions", ""), versions().items())),
        page.facts(_facts(found, points)),
    ]
    return page.write(page.page(found.video, sections, script=script, style=style), path)


def _in_order(found: Analysis) -> list[Kind]:
    """What was asked for by name first, then the rest; shots, which are no trouble, last."""
    shots, *others = found.kinds
    assert shots.name == SHOT
    return [*reversed(others), shots]


def _timeline(found: Analysis, points: dict[str, Stretches], numbers: set[int]) -> str:
    step = math.ceil(len(found.times) / strips.POINTS)
    each = f" Each of {len(strips.starts(found))} points is {step} frames, least to most." if step > 1 else ""
    rows = [
        *(strips.lane(found, kind, numbers) for kind in _in_order(found)),
        *(strips.strip(found, scale, points[scale.name]) for scale in found.scales),
        strips.axis(found),
    ]
    return f"""<h2 id="what">Over time</h2>
<div id="timeline" tabindex="0" role="slider" aria-labelledby="what" aria-valuemin="0"
 aria-valuemax="{len(strips.starts(found)) - 1}" aria-valuenow="0" aria-valuetext="{clock(found.times[0])}">
<div class="row now"><div class="name"><output id="clock"></output></div></div>
{"".join(rows)}</div>
<p class="hint">Point at a moment to read its values; with the keyboard the arrows step, Home and End go to the ends. A
bar leads to its event.{each}</p>"""


def _events(found: Analysis, cards: dict[Event, list[tuple[str, bytes]]]) -> list[str]:
    """What happens, in the order of time; then the shots."""
    numbered = list(enumerate(found.events, 1))
    parts = {
        "What happens": [(number, event) for number, event in numbered if event.kind != SHOT],
        "Shots": [(number, event) for number, event in numbered if event.kind == SHOT],
    }
    sections = []
    for title, events in parts.items():
        shown = "".join(
            _card(found, number, event, cards[event]) for number, event in events if event in cards
        )
        sections.append(page.heading(f"{title}: {len(events) or 'nothing stands out'}"))
        if any(event not in cards for _, event in events):
            sections.append(page.paragraph(f"The {MOST_SHOWN} longest of each kind; --json lists all."))
        sections.append(f'<div class="cards">{shown}</div>')
    return sections


def _card(found: Analysis, number: int, event: Event, pictures: list[tuple[str, bytes]]) -> str:
    kind = found.kind(event)
    figures = "".join(_figure(found, event, title, jpeg) for title, jpeg in pictures)
    words = [
        f"{clock(event.start)} to {clock(event.end)}",
        f"{event.seconds:.2f} s, frames {event.first} to {event.last}",
        f"{event.score:.{kind.digits}f} {kind.unit} at {clock(event.worst)}",
    ]
    if number in found.clips:
        words.append(f"clip: {found.clips[number]}")
    told = "".join(f"<br>{escape(line)}" for line in words)
    return (
        f'<article id="event-{number}" tabindex="-1"><div class="views">{figures}</div>'
        f'<p><i style="background:{strips.COLOURS[kind.name]}"></i><b>{escape(kind.title)}</b>{told}</p></article>'
    )


def _figure(found: Analysis, event: Event, title: str, jpeg: bytes) -> str:
    box = ""
    if event.box is not None:
        left, top, right, bottom = event.box
        box = (
            f'<svg viewBox="0 0 {found.width} {found.height}" preserveAspectRatio="none" aria-hidden="true"><rect '
            f'x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" height="{bottom - top:.1f}"/></svg>'
        )
    data = base64.b64encode(jpeg).decode("ascii")
    words = escape(f"{title} at {clock(event.worst)}", quote=True)
    return f'<div class="view"><img alt="{words}" src="data:image/jpeg;base64,{data}">{box}</div>'


def _pictures(noted: Noted) -> list[tuple[str, bytes]]:
    """The frame, and the same under its map where there is one."""
    if noted.picture is None:
        return []
    found = [("the frame", jpeg_bytes(noted.picture))]
    if noted.heat is not None:
        drawn = _overlay(noted.picture, noted.heat, max(2 * noted.limit, float(noted.heat.max())))
        found.append(("where", jpeg_bytes(drawn)))
    return found


def _overlay(picture: np.ndarray, cells: np.ndarray, hottest: float) -> np.ndarray:
    """(h, w, 3) uint8: the map, smooth, with the picture behind it."""
    values = torch.from_numpy(np.ascontiguousarray(cells, dtype=np.float32))[None, None]
    smooth = F.interpolate(values, size=picture.shape[:2], mode="bilinear")[0, 0]
    return heat.over(picture, smooth, hottest=hottest or 1.0)


def _facts(found: Analysis, points: dict[str, Stretches]) -> dict[str, object]:
    def told(values: list[float]) -> list[float | None]:
        return [None if math.isnan(value) else float(f"{value:.4g}") for value in values]

    return {
        "from": round(found.times[0], 6),
        "until": round(found.end, 6),
        "seconds": [round(second, 4) for second in strips.starts(found)],
        "scores": {
            scale.name: {
                "title": scale.title,
                "digits": scale.digits,
                "low": told(points[scale.name].low),
                "high": told(points[scale.name].high),
            }
            for scale in found.scales
        },
    }
