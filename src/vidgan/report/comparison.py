"""A comparison on one page: a slider over playing video, timelines that seek, the worst and the best frames."""

import base64
import math
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from importlib import resources
from pathlib import Path
from types import TracebackType

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from vidgan.metrics import ALL, Against, Metric
from vidgan.pixels import bytes_of
from vidgan.report import heat, page, table, timeline
from vidgan.report.highest import Highest
from vidgan.score import LANCZOS, REFERENCE, Comparison, Moment, versions
from vidgan.video import Film, jpeg_bytes
from vidgan.words import amount, nth

MOST_FRAMES = 600  # of the film: of longer videos it takes every second, third ... frame
MOST_PIXELS = 1920 * 1080 * 4  # of all its pictures together
KEPT = {"worst": 3, "best": 1}
RANKS = (
    "lpips",
    "feature_distance",
    "ssim_y",
    "psnr_y",
    "consistency",
)  # frames are ranked by the first at hand
SOURCE = "source"


@dataclass(frozen=True)
class _Still:
    seconds: float
    value: float
    pictures: dict[str, bytes]  # title -> JPEG


class Recorder:
    """Watches a comparison and keeps what its page shows: one film with all pictures, and the frames that stand out.

    num_frames  about how many there will be, where that is known
    """

    def __init__(self, width: int, height: int, *, num_frames: int | None) -> None:
        self._size = width, height
        self._step = math.ceil((num_frames or 1) / MOST_FRAMES)
        self._film: Film | None = None
        self.num_seen = 0
        self.rows: list[str] = []  # the film's pictures, from the top
        self.row_size = (0, 0)  # width, height
        self.seconds: list[float] = []
        self.stills: dict[tuple[str, str], Highest[_Still]] = {}

    def __enter__(self) -> "Recorder":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._film is not None:
            self._film.close()

    def see(self, moment: Moment) -> None:
        pictures = dict(moment.outputs)
        if moment.reference is not None:
            pictures[REFERENCE] = moment.reference
        if self._film is None:
            self._begin(list(pictures))
        assert self._film is not None
        if self.num_seen % self._step == 0 and len(self.seconds) < 2 * MOST_FRAMES:
            stacked = torch.cat([self._fitted(pictures[name]) for name in self.rows], dim=1)
            self._film.add(bytes_of(stacked), moment.seconds)
            self.seconds.append(moment.seconds)
        self.num_seen += 1
        for name in moment.outputs:
            if name != LANCZOS:
                self._keep(name, moment)

    def film(self) -> bytes:
        assert self._film is not None
        made = self._film.bytes()
        self._film = None
        return made

    def _begin(self, names: list[str]) -> None:
        self.rows = names
        width, height = self._size
        shrink = min(1.0, math.sqrt(MOST_PIXELS / (width * height * len(names))))
        self.row_size = tuple(max(2, int(side * shrink / 2 + 1e-6) * 2) for side in (width, height))  # type: ignore[assignment]
        self._film = Film(self.row_size[0], self.row_size[1] * len(names))

    def _fitted(self, rgb: Tensor) -> Tensor:
        """At the film's size; a last odd column or row goes."""
        width, height = self.row_size
        if abs(rgb.shape[2] - width) <= 1 and abs(rgb.shape[1] - height) <= 1:
            return F.pad(
                rgb[:, :height, :width], (0, max(width - rgb.shape[2], 0), 0, max(height - rgb.shape[1], 0))
            )
        return F.interpolate(rgb[None], size=(height, width), mode="bicubic", antialias=True)[0].clamp(0, 1)

    def _keep(self, name: str, moment: Moment) -> None:
        metric = ranked_by(moment.values[name])
        if metric is None:
            return
        value = moment.values[name][metric.name]
        if math.isnan(value):
            return
        badness = value if metric.better == "lower" else -value
        pictures: dict[str, bytes] | None = None
        for kind, sign in (("worst", 1), ("best", -1)):
            kept = self.stills.setdefault((name, kind), Highest(KEPT[kind]))
            if kept.takes(sign * badness):
                pictures = pictures or _stills(name, moment)
                kept.add(sign * badness, _Still(moment.seconds, value, pictures))


def ranked_by(values: Mapping[str, float]) -> Metric | None:
    known = {metric.name: metric for metric in ALL}
    return next((known[name] for name in RANKS if name in values), None)


def write_report(found: Comparison, recorder: Recorder, path: Path) -> Path:
    """The page, whole or not at all. Nothing in it is fetched from anywhere."""
    script = resources.files("vidgan.report").joinpath("viewer.js").read_text(encoding="utf-8")
    style = resources.files("vidgan.report").joinpath("viewer.css").read_text(encoding="utf-8")
    film = recorder.film()
    sections = [
        page.paragraph(_about(found)),
        _viewer(recorder),
        page.heading("In numbers"),
        page.scroll(_table(found)),
        page.paragraph("↑ higher is better, ↓ lower is better; grey: not to choose by. Means over frames."),
        *map(page.paragraph, table.left_out(found.left_out)),
        page.heading("Frame by frame"),
        page.paragraph(
            "Click or tap a moment to see it above; with the keyboard, the arrows step from frame to frame."
        ),
        page.charts(timeline.draw(metric, found) for metric in found.measured() if _is_drawn(metric, found)),
        *_frames(found, recorder),
        *_efficiency(found),
        page.heading("Protocol"),
        page.table(("what", "how"), found.protocol.items()),
        page.table(("versions", ""), versions().items()),
        page.facts(_facts(recorder)),
        f'<script type="text/plain" id="film">{base64.b64encode(film).decode("ascii")}</script>',
    ]
    outputs = ", ".join(
        name for name in (c.name for c in found.contenders) if name not in (LANCZOS, REFERENCE)
    )
    title = f"{outputs} against {found.reference or found.source}"
    return page.write(page.page(title, sections, script=script, style=style), path)


def _about(found: Comparison) -> str:
    against = (
        f"Held against {found.reference}."
        if found.reference
        else f"Held against {found.source}, which it was made from: there is no reference, so nothing here says "
        "whether added detail is true."
    )
    return f"{amount(len(found.seconds), 'frame')} of {found.width}x{found.height}. {against}"


def _table(found: Comparison) -> str:
    head = "".join(f"<th>{escape(contender.name)}</th>" for contender in found.contenders)
    lines = [f"<tr><th></th>{head}</tr>"]
    for metric in found.measured():
        best = table.best(metric, found)
        cells = [
            f"<td class='number{' best' if index == best else ''}'>{cell}</td>"
            for index, cell in enumerate(table.cells(metric, found))
        ]
        kind = " class=secondary" if metric.secondary else ""
        hint = escape(metric.protocol, quote=True)
        lines.append(f'<tr{kind}><td title="{hint}">{escape(table.title(metric))}</td>{"".join(cells)}</tr>')
    return f'<table class="means">{"".join(lines)}</table>'


def _viewer(recorder: Recorder) -> str:
    names = recorder.rows
    right = next(name for name in names if name not in (LANCZOS, REFERENCE))
    left = next((name for name in (LANCZOS, REFERENCE) if name in names), right)

    def choice(side: str, chosen: str) -> str:
        options = "".join(
            f"<option value={index}{' selected' if name == chosen else ''}>{escape(name)}</option>"
            for index, name in enumerate(names)
        )
        return f'<label>{side} <select id="{side}">{options}</select></label>'

    every = f" (every {nth(recorder._step)} frame)" if recorder._step > 1 else ""
    if recorder.num_seen > recorder._step * len(recorder.seconds):
        every = f" (the first {len(recorder.seconds)} frames)"
    return f"""<h2>Before and after</h2>
<noscript><p>The film needs this page's script, which is turned off here; the frames below need none.</p></noscript>
<section id="viewer" aria-label="Before and after">
<div class="stage"><canvas id="canvas" width="{recorder.row_size[0]}" height="{recorder.row_size[1]}" tabindex="0"
 aria-label="The left picture left of the line, the right one right of it"></canvas></div>
<div class="bar">{choice("left", left)}<input id="split" type="range" min="0" max="1000" value="500"
 aria-label="Where the line is">{choice("right", right)}</div>
<div class="bar"><button id="play" type="button">Play</button><input id="time" type="range" min="0"
 max="{len(recorder.seconds) - 1}" value="0" aria-label="Frame"><output id="clock"></output>
<label>zoom <select id="zoom"><option value=1>fit</option><option value=2>2x</option><option value=4>4x</option>
<option value=8>8x</option></select></label></div>
<p class="hint">Drag the line; space plays, comma and full stop step by a frame; when zoomed, the arrow keys or
shift and the pointer move the picture.{every} The film here is compressed (H.264); all numbers are from the files.</p>
</section>"""


def _is_drawn(metric: Metric, found: Comparison) -> bool:
    is_of_use = metric.against is not Against.NOTHING or metric.name == "sharpness"
    return len(found.seconds) > 1 and is_of_use


def _frames(found: Comparison, recorder: Recorder) -> list[str]:
    sections = []
    for (name, kind), kept in recorder.stills.items():
        if len(found.seconds) < 2:
            continue
        metric = ranked_by(dict.fromkeys(next(c for c in found.contenders if c.name == name).values, 0.0))
        assert metric is not None
        sections.append(page.heading(f"{name}: {kind} frame{'s' * (KEPT[kind] > 1)} by {metric.title}"))
        for still in kept:
            words = f"{still.seconds:.3f} s: {metric.title} {still.value:.{metric.digits}f}"
            figures = [page.figure(jpeg, title, []) for title, jpeg in still.pictures.items()]
            sections.append(
                f'<div class="still"><button type="button" data-seconds="{still.seconds:.6f}">{escape(words)}'
                f"</button>{page.gallery(figures)}</div>"
            )
    return sections


def _stills(name: str, moment: Moment) -> dict[str, bytes]:
    output = moment.outputs[name]
    found = {name: _jpeg(bytes_of(output))}
    if moment.reference is not None:
        found[REFERENCE] = _jpeg(bytes_of(moment.reference))
        found["difference"] = _jpeg(heat.difference(output, moment.reference))
    if moment.source is not None:
        found[SOURCE] = _jpeg(bytes_of(moment.source))
        found["LR inconsistency"] = _jpeg(heat.inconsistency(output, moment.source))
    return found


def _efficiency(found: Comparison) -> list[str]:
    names, rows = table.efficiency_rows(found)
    return [page.heading("Efficiency"), page.scroll(page.table(("", *names), rows))] if rows else []


def _facts(recorder: Recorder) -> dict[str, object]:
    return {
        "rows": recorder.rows,
        "width": recorder.row_size[0],
        "height": recorder.row_size[1],
        "seconds": [round(second, 6) for second in recorder.seconds],
    }


def _jpeg(pixels: np.ndarray) -> bytes:
    return jpeg_bytes(pixels, quality=2)
