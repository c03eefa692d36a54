"""What enhancing did for analysers, on one page: verdict, figures, and frames side by side at every difference."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from vidgan.report import page, table
from vidgan.report.highest import Highest
from vidgan.score import BICUBIC, ENHANCED, REFERENCE, Gauge, Impact, Interval, Search, Sight, Study, versions
from vidgan.score.helped import PER, SAID
from vidgan.score.matching import KINDS, SIZES, Difference, Kind
from vidgan.video import jpeg_bytes
from vidgan.words import amount

MOST_SHOWN = 60  # moments: each holds two or three pictures
WIDTH = 720  # pixels of a picture, at most
SHOWN = (BICUBIC, ENHANCED, REFERENCE)
# On whose picture a difference is drawn; the reference shows what it has.
DRAWN = {
    BICUBIC: ("lost", "dispelled"),
    ENHANCED: ("gained", "moved", "invented"),
    REFERENCE: ("gained", "lost"),
}
FIGURES = (
    ("f1", "F1", 3),
    ("recall", "recall", 3),
    ("precision", "precision", 3),
    ("false_alarms", f"false alarms in {PER} frames", 1),
)  # of agreement: its name, its title, its digits
MEANS: dict[Kind, str] = {
    "gained": "found after the network alone, and in the reference",
    "lost": "found after bicubic alone, and in the reference",
    "moved": "found after both, at another place or of another size",
    "invented": "found after the network, neither after bicubic nor in the reference",
    "dispelled": "found after bicubic, neither after the network nor in the reference",
}
UNJUDGED: dict[Kind, str] = {
    "gained": "found after the network alone, true or not",
    "lost": "found after bicubic alone, true or not",
    "moved": MEANS["moved"],
}
STYLE = """
.scroll table { white-space: nowrap; }
.verdict { font-size: 1.25rem; font-weight: 600; }
.sight .gallery { grid-template-columns: repeat(auto-fill, minmax(min(20rem, 100%), 1fr)); }
.view { position: relative; line-height: 0; } .view img { width: 100%; height: auto; object-fit: contain; }
.view svg { position: absolute; inset: 0; width: 100%; height: 100%; }
.view rect { fill: none; stroke: #fff; stroke-width: 1; vector-effect: non-scaling-stroke; opacity: .8; }
.view rect.gained { stroke: #2fd05b; stroke-width: 3; } .view rect.lost { stroke: #ff4d4d; stroke-width: 3; }
.view rect.moved { stroke: #4da3ff; stroke-width: 3; } .view rect.invented { stroke: #ffa21f; stroke-width: 3; }
.view rect.dispelled { stroke: #bbb; stroke-width: 3; stroke-dasharray: 5 3; }
h3 { font-size: 1rem; margin: 1.5rem 0 .4rem; } td { overflow-wrap: anywhere; }
"""


@dataclass(frozen=True)
class _Still:
    seconds: float
    words: list[str]
    figures: list[str]


class Recorder:
    """Watches, and keeps pictures of the moments with the most differences: as many as a page can hold."""

    def __init__(self) -> None:
        self.num_different = 0
        self._kept = Highest[_Still](MOST_SHOWN)

    def see(self, sight: Sight) -> None:
        rank = sum(map(len, sight.differences.values()))
        if not rank:
            return
        self.num_different += 1
        if self._kept.takes(rank):
            self._kept.add(rank, _Still(sight.seconds, _words(sight), _figures(sight)))

    def stills(self) -> list[_Still]:
        """In the order of time."""
        return sorted(self._kept, key=lambda still: still.seconds)


def write_report(found: Impact, recorder: Recorder, path: Path) -> Path:
    """The page, whole or not at all; no script, nothing fetched."""
    stills = recorder.stills()
    shown = f"{len(stills)} of {recorder.num_different} moments with differences"
    more = "" if len(stills) == recorder.num_different else ": those with most; --json lists all"
    sections = [
        f'<p class="verdict">{escape(found.sentence)}</p>',
        page.paragraph(about(found)),
        *map(page.paragraph, table.left_out(found.left_out)),
        *(section for study in found.studies for section in _study(found, study)),
        page.heading("Frame by frame"),
        page.paragraph(f"{shown}{more}. Thin white boxes are findings that do not differ."),
        page.table(("colour", "means"), _legend(found)),
        *map(_still, stills),
        page.heading("Protocol"),
        page.table(("what", "how"), found.protocol.items()),
        page.table(("versions", ""), versions().items()),
    ]
    return page.write(page.page(f"Did {found.enhanced} help?", sections, style=STYLE), path)


def about(found: Impact) -> str:
    against = (
        f"What is there is what the analyser finds in {found.reference}."
        if found.reference
        else "There is no reference: what more is found may or may not be there."
    )
    frames = f"{amount(len(found.seconds), 'frame')} of {found.way.width}x{found.way.height}"
    return f"{found.enhanced}, made from {found.source}: {frames}, blocks of a second: {found.num_blocks}. {against}"


def rows(found: Impact, study: Study) -> tuple[list[str], list[list[str]]]:
    """A header, and a row for each version of the video."""
    gap = ["recovered gap"] if REFERENCE in study.arms else []
    if isinstance(study, Gauge):
        lines = [[arm, words(found.mean(study, arm), 3)] for arm in study.arms]
        header = ["", "mean"]
    else:
        header, lines = (
            ["", "found in a frame"],
            [[arm, words(found.found(study, arm), 2)] for arm in study.arms],
        )
        if study.is_judged:
            kept = FIGURES[-1:] if study.empty else FIGURES
            header += [title for _, title, _ in kept]
            for line in lines:
                figures = found.agreement(study, line[0])
                line += [words(figures[name], digits) for name, _, digits in kept]
    for line in lines:
        line += [words(found.recovered(study, line[0]), 2) for _ in gap]
    return header + gap, lines


def rates(found: Impact, study: Search) -> list[list[str]]:
    """A row for each kind of difference that there is: so many in PER frames, and of each size."""
    return [
        [kind, *(words(row[size], 1) for size in ("all", *SIZES))]
        for kind, row in found.rates(study).items()
        if row["all"] is not None and row["all"].value
    ]


def words(value: Interval | None, digits: int) -> str:
    if value is None:
        return ""
    if value.low is None or value.high is None:
        return f"{value.value:.{digits}f}"
    return f"{value.value:.{digits}f} ({value.low:.{digits}f} to {value.high:.{digits}f})"


def _study(found: Impact, study: Study) -> Iterable[str]:
    verdict = found.verdict(study)
    header, lines = rows(found, study)
    yield page.heading(f"{study.title}: {SAID[verdict.outcome]}")
    difference = (
        f"; {verdict.figure}, difference {words(verdict.difference, 3)}" if verdict.difference else ""
    )
    yield page.paragraph(f"{verdict.words}{difference}.")
    yield page.scroll(page.table(header, lines))
    if isinstance(study, Search) and (different := rates(found, study)):
        yield page.paragraph(f"Against bicubic, in {PER} frames, by how large they are in the source:")
        yield page.scroll(page.table(("", "all", *SIZES), different))


def _legend(found: Impact) -> list[tuple[str, str]]:
    judged = any(study.is_judged for study in found.studies)
    colours = dict(zip(KINDS, ("green", "red", "blue", "orange", "grey"), strict=True))
    return [(colours[kind], f"{kind}: {means}") for kind, means in (MEANS if judged else UNJUDGED).items()]


def _still(still: _Still) -> str:
    title = f"<h3>{still.seconds:.3f} s: {escape('; '.join(still.words))}</h3>"
    return f'<section class="sight">{title}{page.gallery(still.figures)}</section>'


def _words(sight: Sight) -> list[str]:
    """For each analyser, what differs: "people: 2 gained, 1 lost"."""
    lines = []
    for name, found in sight.differences.items():
        kinds = [difference.kind for difference in found]
        counted = [f"{kinds.count(kind)} {kind}" for kind in KINDS if kind in kinds]
        if counted:
            lines.append(f"{name}: {', '.join(counted)}")
    return lines


def _figures(sight: Sight) -> list[str]:
    return [_figure(sight, arm) for arm in SHOWN if arm in sight.pictures]


def _figure(sight: Sight, arm: str) -> str:
    height, width = sight.pictures[arm].shape[:2]
    boxes = []
    for name, found in sight.differences.items():
        drawn = [difference for difference in found if difference.kind in DRAWN[arm]]
        marked = {difference.finding.box for difference in drawn}
        plain = [finding for finding in sight.findings[name][arm] if finding.box not in marked]
        boxes += [_rect(finding.box, "", f"{name} {finding.label}") for finding in plain]
        boxes += [_marked(name, difference) for difference in drawn]
    overlay = f'<svg viewBox="0 0 {width} {height}" preserveAspectRatio="none">{"".join(boxes)}</svg>'
    return page.figure(jpeg_bytes(_small(sight.pictures[arm]), quality=3), arm, [], overlay)


def _marked(name: str, difference: Difference) -> str:
    finding = difference.finding
    return _rect(finding.box, difference.kind, f"{name} {finding.label}, {difference.kind}")


def _rect(box: Sequence[float], kind: str, title: str) -> str:
    left, top, right, bottom = box
    return (
        f'<rect class="{kind}" x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" height="{bottom - top:.1f}">'
        f"<title>{escape(title)}</title></rect>"
    )


def _small(pixels: np.ndarray) -> np.ndarray:
    height, width = pixels.shape[:2]
    if width <= WIDTH:
        return pixels
    size = max(round(height * WIDTH / width), 1), WIDTH
    whole = torch.from_numpy(pixels).permute(2, 0, 1)[None].float()
    made = F.interpolate(whole, size=size, mode="bicubic", antialias=True)[0]
    return made.round().clamp(0, 255).byte().permute(1, 2, 0).contiguous().numpy()
