"""One self-contained page: nothing from the network, no script but one of ours, every word from outside escaped."""

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path

from vidgan import disk

# What turns the letters after it around, as a name may do to the sentence that it stands in.
TURNING = re.compile("[\u202a-\u202e\u2066-\u2069]")
# The browser itself is told to fetch nothing, whatever a file name may have smuggled in.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #777; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.5rem; }
h1, h2, h3, p { overflow-wrap: anywhere; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem 1.2rem .3rem 0; border-bottom: 1px solid var(--line); text-align: left; }
th, .scroll td:first-child { max-width: 16rem; white-space: normal; overflow-wrap: break-word; }
td.number, th.number { text-align: right; }
.scroll { overflow-x: auto; }
.gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(10rem, 1fr)); gap: 1rem; }
figure { margin: 0; } figure img { width: 100%; height: 7rem; object-fit: cover; border-radius: 4px; }
figcaption { font-size: .8rem; overflow-wrap: anywhere; color: var(--soft); }
figcaption b { color: CanvasText; font-weight: 600; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(24rem, 100%), 1fr)); gap: 1.5rem; }
.charts svg { width: 100%; height: auto; } svg text { font-size: 11px; fill: var(--soft); }
svg .grid { stroke: var(--line); } svg .stage { stroke: var(--soft); stroke-dasharray: 4 3; }
svg .event { stroke: #d22; stroke-dasharray: 2 2; }
figcaption span { margin-left: .8rem; display: inline-block; }
figcaption i { display: inline-block; width: .7rem; height: .7rem; margin-right: .3rem; border-radius: 2px; }
.wide figure { margin-bottom: 1.5rem; } .wide figure img { height: auto; object-fit: contain; }
pre { overflow-x: auto; padding: 1rem; border: 1px solid var(--line); border-radius: 4px; font-size: .85rem; }
i { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
@media print {
  .scroll, pre { overflow: visible; } pre { white-space: pre-wrap; } .charts { grid-template-columns: 1fr 1fr; }
  h2, h3 { break-after: avoid; } figure, tr { break-inside: avoid; }
}
"""


def page(title: str, sections: Iterable[str], *, script: str = "", style: str = "") -> str:
    """A whole document; the sections are HTML made by the functions below.

    Letters that would turn others around are written out, wherever they stand.

    script  JavaScript: the only that may run, at the end of the page
    style   CSS beside the usual
    """
    policy, last = POLICY, []
    if script:
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
        policy += f"; script-src 'sha256-{digest}'; media-src blob:"
        last = [f"<script>{script}</script>"]
    whole = "\n".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)}</title><style>{STYLE}{style}</style></head><body><h1>{escape(title)}</h1>",
            *sections,
            *last,
            "</body></html>\n",
        ]
    )
    return TURNING.sub(lambda found: ascii(found[0])[1:-1], whole)


def heading(words: str) -> str:
    return f"<h2>{escape(words)}</h2>"


def paragraph(words: str) -> str:
    return f"<p>{escape(words)}</p>"


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Numbers stand to the right."""

    body = [list(row) for row in rows]
    numeric = [
        bool(body) and all(isinstance(row[i], int | float) for row in body) for i in range(len(header))
    ]

    def line(tag: str, values: Sequence[object]) -> str:
        cells = (
            f"<{tag}{' class=number' if right else ''}>{escape(str(value))}</{tag}>"
            for value, right in zip(values, numeric, strict=True)
        )
        return f"<tr>{''.join(cells)}</tr>"

    return f"<table>{line('th', header)}{''.join(line('td', row) for row in body)}</table>"


def scroll(html: str) -> str:
    """What may be wider than the page."""
    return f'<div class="scroll">{html}</div>'


def facts(values: Mapping[str, object]) -> str:
    """Plain data for the page's script."""
    told = json.dumps(values).replace("<", "\\u003c")
    return f'<script type="application/json" id="facts">{told}</script>'


def figure(jpeg: bytes, title: str, lines: Iterable[str], overlay: str = "") -> str:
    """A picture with a bold title and lines below it.

    overlay  HTML to lie over the picture
    """
    data = base64.b64encode(jpeg).decode("ascii")
    words = "".join(f"<br>{escape(line)}" for line in lines)
    picture = f'<img alt="" src="data:image/jpeg;base64,{data}">'
    if overlay:
        picture = f'<div class="view">{picture}{overlay}</div>'
    return f"<figure>{picture}<figcaption><b>{escape(title)}</b>{words}</figcaption></figure>"


def gallery(figures: Iterable[str]) -> str:
    return f'<div class="gallery">{"".join(figures)}</div>'


def charts(figures: Iterable[str]) -> str:
    """Two or three beside each other; empty ones are left out."""
    return f'<div class="charts">{"".join(figures)}</div>'


def wide(figures: Iterable[str]) -> str:
    """Pictures over the whole width, below each other."""
    return f'<div class="wide">{"".join(figures)}</div>'


def text(words: str) -> str:
    """As it stands: a file, a command."""
    return f"<pre>{escape(words)}</pre>"


def write(text: str | Iterable[str], path: Path) -> Path:
    """A text, or its pieces one after the other: the whole file or none."""
    with disk.replacing(path) as partial, partial.open("w", encoding="utf-8", errors="replace") as file:
        file.writelines([text] if isinstance(text, str) else text)
    return path
