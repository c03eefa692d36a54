"""A data set on one page: what was kept, what was left out, and why."""

from collections import Counter
from pathlib import Path

from vidgan.dataset import shards
from vidgan.report import page

MOST_SHOWN = 120  # pictures of a kind: a page of a thousand is looked at by nobody
SIDES = ("train", "val", "test")


def write_report(index: shards.Index, folder: Path) -> Path:
    """report.html in the data set's folder."""
    sections = [page.scroll(page.table(("", "sources", "clips", "photos", "frames"), summary(index)))]
    if reasons := dropped(index):
        sections += [page.heading("Left out"), page.table(("why", "number"), reasons.most_common())]
    shown = {side: [name for name, entry in index.entries.items() if entry.kept and entry.split == side]
             for side in SIDES}  # fmt: skip
    for side, names in shown.items():
        if names:
            sections += [page.heading(f"Kept: {side}"), _gallery(names, index, folder)]
    if left_out := [name for name, entry in index.entries.items() if not entry.kept]:
        sections += [page.heading("Sources that gave nothing"), _gallery(left_out, index, folder)]
    return page.write(page.page(f"The data set {folder.resolve().name}", sections), folder / "report.html")


def summary(index: shards.Index) -> list[tuple[str, int, int, int, int]]:
    """A row for each side: its name, sources, clips, photos, frames."""
    rows = []
    for side in SIDES:
        entries = [entry for entry in index.entries.values() if entry.kept and entry.split == side]
        kept = [entry.clips[number].shape[0] for entry in entries for number in entry.kept]
        photos = sum(frames == 1 for frames in kept)
        rows.append((side, len(entries), len(kept) - photos, photos, sum(kept)))
    return rows


def dropped(index: shards.Index) -> Counter[str]:
    """Reason -> how many clips and photos were left out for it; broken sources count once."""
    reasons: Counter[str] = Counter()
    for entry in index.entries.values():
        reasons.update(clip.faults[0][0] for clip in entry.clips if clip.faults)
        if entry.broken:
            reasons["cannot be read"] += 1
        if entry.copy_of:
            reasons["copy of another source"] += sum(clip.kept for clip in entry.clips)
    return reasons


def _gallery(names: list[str], index: shards.Index, folder: Path) -> str:
    figures = []
    for name in names[:MOST_SHOWN]:
        thumb = folder / "thumbs" / f"{shards.id_of(name)}.jpg"
        figures.append(
            page.figure(thumb.read_bytes() if thumb.is_file() else b"", name, _words(index.entries[name]))
        )
    rest = len(names) - len(figures)
    return page.gallery(figures) + (
        page.paragraph(f"And {rest} more: index.json has them all.") if rest else ""
    )


def _words(entry: shards.Entry) -> list[str]:
    """What became of a source, and why: each thing once."""
    lines = [f"{len(entry.kept)} of {len(entry.clips)} clips kept"] if len(entry.clips) > 1 else []
    lines += [entry.broken] if entry.broken else []
    lines += [f"shows what {entry.copy_of} shows"] if entry.copy_of else []
    for clip in entry.clips:
        lines += [f"{reason}: {detail}" for reason, detail in clip.faults]
        lines += clip.remarks
    return list(dict.fromkeys(lines))[:4]
