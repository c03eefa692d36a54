"""One self-contained page: no script, nothing from the network, every word from outside escaped."""

import base64
import contextlib
import os
from collections.abc import Collection, Iterable, Sequence
from html import escape
from pathlib import Path

from vidgan.errors import BadOutput

# The browser itself is told to fetch nothing, whatever a file name may have smuggled in.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
STYLE = """
:root {
  color-scheme: light dark;
  --line: #8884; --soft: #666; --panel: #8881; --shade: #8882; --bad: #c22; --good: #1a7f45; --busy: #0b62b8;
  --k0: #0067b0; --k1: #cf5a00; --k2: #00875f; --k3: #a03fa8; --k4: #9a6b00; --k5: #2f93c8;
}
@media (prefers-color-scheme: dark) {
  :root {
    --soft: #aaa; --bad: #ff7b72; --good: #4cc38a; --busy: #5fb0ff;
    --k0: #5fb0ff; --k1: #ff9a57; --k2: #45d39a; --k3: #df92ea; --k4: #e6c04f; --k5: #93dcff;
  }
}
.k0 { --c: var(--k0); } .k1 { --c: var(--k1); } .k2 { --c: var(--k2); }
.k3 { --c: var(--k3); } .k4 { --c: var(--k4); } .k5 { --c: var(--k5); }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; overflow-wrap: anywhere; } h2 { font-size: 1.2rem; margin-top: 2.5rem; }
.soft, .chart figcaption span { color: var(--soft); } .soft { font-size: .9rem; }
.state b { border-radius: 1em; padding: .15em .8em; margin-right: .6em; color: Canvas; background: var(--c); }
.state.bad { --c: var(--bad); } .state.good { --c: var(--good); } .state.busy { --c: var(--busy); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem 1.2rem .3rem 0; border-bottom: 1px solid var(--line); text-align: left; }
th { vertical-align: bottom; } th small { font-weight: normal; color: var(--soft); }
td.number, th.number { text-align: right; } td.number b { color: var(--good); }
.gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(10rem, 1fr)); gap: 1rem; }
figure { margin: 0; } .gallery img { width: 100%; height: 7rem; object-fit: cover; border-radius: 4px; }
figcaption { font-size: .8rem; overflow-wrap: anywhere; color: var(--soft); } figcaption b { color: CanvasText; }
.pairs { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 30rem), 1fr)); gap: 1.5rem; }
.chart { border: 1px solid var(--line); border-radius: 6px; padding: .8rem .8rem .3rem; background: var(--panel); }
.chart figcaption { font-size: .95rem; } .chart svg { display: block; width: 100%; height: auto; }
.legend { display: flex; flex-wrap: wrap; gap: 0 1.1rem; list-style: none; margin: .1rem 0 .4rem; padding: 0; }
.legend li { font-size: .85rem; } .legend b { font-weight: 600; font-variant-numeric: tabular-nums; }
.legend i {
  display: inline-block; width: .8rem; height: .2rem; margin-right: .4rem; vertical-align: middle; background: var(--c);
}
svg text { font-size: 12px; fill: var(--soft); } svg text.named { font-size: 11px; font-style: italic; }
svg .grid { stroke: var(--line); } svg .axis { stroke: var(--soft); } svg .second { fill: var(--shade); }
svg .stage, svg .level { stroke: var(--soft); stroke-dasharray: 5 4; }
svg .event { stroke: var(--soft); fill: var(--soft); } svg .event.trouble { stroke: var(--bad); fill: var(--bad); }
svg .event line { stroke-dasharray: 2 3; opacity: .7; }
svg .curve polyline { fill: none; stroke: var(--c); stroke-width: 2; stroke-linejoin: round; }
svg .curve circle { fill: var(--c); stroke: transparent; stroke-width: 9; pointer-events: all; }
.strip .columns { display: grid; grid-auto-flow: column; grid-auto-columns: 1fr; text-align: center; color: var(--soft); }
.strip .columns span { font-size: .8rem; } .strip img { display: block; width: 100%; border-radius: 4px; }
pre { overflow-x: auto; padding: 1rem; border-radius: 6px; background: var(--panel); font-size: .85rem; }
"""


def page(title: str, sections: Iterable[str]) -> str:
    """A whole document; the sections are HTML made by the functions below."""
    return "\n".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)}</title><style>{STYLE}</style></head><body><h1>{escape(title)}</h1>",
            *sections,
            "</body></html>\n",
        ]
    )


def heading(words: str) -> str:
    return f"<h2>{escape(words)}</h2>"


def paragraph(words: str) -> str:
    return f"<p>{escape(words)}</p>"


def note(words: str) -> str:
    """A paragraph in the background."""
    return f'<p class="soft">{escape(words)}</p>'


def state(kind: str, word: str, rest: str) -> str:
    """How things stand, to be seen at once.

    kind  good, busy or bad
    """
    return f'<p class="state {escape(kind)}"><b>{escape(word)}</b>{escape(rest)}</p>'


class Best(str):
    """A cell that stands out in its row."""


def table(header: Sequence[str], rows: Iterable[Sequence[object]], *, right: Collection[int] = ()) -> str:
    """Numbers stand to the right, and so do the columns that are named; what follows a line's end in a header is small."""
    body = [list(row) for row in rows]
    numeric = [
        i in right or (bool(body) and all(isinstance(row[i], int | float) for row in body))
        for i in range(len(header))
    ]

    def cell(tag: str, value: object) -> str:
        first, _, rest = str(value).partition("\n") if tag == "th" else (str(value), "", "")
        words = f"<b>{escape(first)}</b>" if isinstance(value, Best) else escape(first)
        return f"{words}<br><small>{escape(rest)}</small>" if rest else words

    def line(tag: str, values: Sequence[object]) -> str:
        cells = (
            f"<{tag}{' class=number' if to_the_right else ''}>{cell(tag, value)}</{tag}>"
            for value, to_the_right in zip(values, numeric, strict=True)
        )
        return f"<tr>{''.join(cells)}</tr>"

    inside = f"<table>{line('th', header)}{''.join(line('td', row) for row in body)}</table>"
    return f'<div class="scroll">{inside}</div>'


def figure(jpeg: bytes, title: str, lines: Iterable[str]) -> str:
    """A picture with a bold title and lines below it."""
    words = "".join(f"<br>{escape(line)}" for line in lines)
    return (
        f'<figure><img alt="" src="{_embedded(jpeg)}"><figcaption><b>{escape(title)}</b>{words}</figcaption></figure>'
    )


def strip(picture: bytes, words: tuple[str, str], columns: Sequence[str], *, width: int) -> str:
    """A picture of several columns, each with its name above it, never shown larger than it is.

    picture  PNG or JPEG
    words    a bold title, and what follows it
    width    of the picture, pixels
    """
    title, rest = words
    names = "".join(f"<span>{escape(name)}</span>" for name in columns)
    return (
        f'<figure class="strip" style="max-width: {width}px"><figcaption><b>{escape(title)}</b> {escape(rest)}'
        f'</figcaption><div class="columns">{names}</div>'
        f'<img alt="{escape(title)}" src="{_embedded(picture)}"></figure>'
    )


def gallery(figures: Iterable[str]) -> str:
    return f'<div class="gallery">{"".join(figures)}</div>'


def pairs(figures: Iterable[str]) -> str:
    """Two beside each other where there is room; empty ones are left out."""
    return f'<div class="pairs">{"".join(figures)}</div>'


def text(words: str) -> str:
    """As it stands: a file, a command."""
    return f"<pre>{escape(words)}</pre>"


def write(html: str, path: Path) -> Path:
    """Beside the final name, then renamed: whole or not at all. Raises BadOutput."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_text(html, encoding="utf-8", errors="replace")
        os.replace(partial, path)
    except OSError as error:
        raise BadOutput(
            f"{path} cannot be written: {error.strerror}",
            "Make room, or make its folder writable, and give the same command again.",
        ) from None
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
    return path


def _embedded(picture: bytes) -> str:
    kind = "png" if picture.startswith(b"\x89PNG") else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(picture).decode('ascii')}"
