"""An evaluation on one page: the table, quality against speed, every clip, and pictures of each."""

from pathlib import Path

from torch import Tensor

from vidgan.pixels import bytes_of
from vidgan.report import page, table
from vidgan.report.scatter import Point, scatter
from vidgan.score import FIELD, Evaluation, Interval, Judge, versions
from vidgan.video import jpeg_bytes
from vidgan.words import amount

SIDE = 192  # large pixels of a sample
TRUE = "true"
LOOKS = ("lpips", "feature_distance", "ssim_y", "psnr_y")  # what is drawn against speed: the first at hand


class Samples:
    """Keeps a detail of each clip's middle frame, as every method made it."""

    def __init__(self) -> None:
        self.clips: dict[str, dict[str, bytes]] = {}  # clip -> method -> JPEG

    def see(self, clip: str, low: Tensor, high: Tensor, made: dict[str, Tensor]) -> None:
        middle = len(high) // 2
        top, left = _most_detailed(high[middle])
        pictures = {**{name: frames[middle] for name, frames in made.items()}, TRUE: high[middle]}
        self.clips[clip] = {
            name: jpeg_bytes(bytes_of(picture[:, top : top + SIDE, left : left + SIDE]), quality=2)
            for name, picture in pictures.items()
        }


def rows(found: Evaluation) -> list[list[str]]:
    """A row for each metric, and for each thing that is known of what the methods cost; a cell for each method."""
    lines = [
        [table.title(metric), *(_cell(found.mean(name, metric.name), metric.digits) for name in found.titles)]
        for metric in found.measured()
    ]
    own = [_cell(found.mean(name, FIELD), 2) for name in found.titles]
    if any(own):
        lines.append(["PSNR, the set's own ↑", *own])
    return lines + table.costs([found.efficiency[name] for name in found.titles])


def _cell(mean: Interval | None, digits: int) -> str:
    return "" if mean is None else interval_words(mean, digits)


def interval_words(mean: Interval, digits: int) -> str:
    if mean.low is None or mean.high is None:
        return f"{mean.value:.{digits}f}"
    return f"{mean.value:.{digits}f} ±{(mean.high - mean.low) / 2:.{digits}f}"


def write_report(found: Evaluation, samples: Samples, path: Path) -> Path:
    """The page, whole or not at all; no script, nothing fetched."""
    sections = [
        page.paragraph(f"{amount(len(found.clips), 'clip')} of {found.data}, enlarged {found.scale} times."),
        page.scroll(page.table(("", *found.titles.values()), rows(found))),
        page.paragraph("↑ higher is better, ↓ lower is better. ± is half of the interval over clips."),
        *map(page.paragraph, table.left_out(found.left_out)),
        *_speed(found),
        *_sets(found),
        *([] if found.judge is None else _judge(found.judge)),
        page.heading("Look"),
        *(_clip(clip, pictures, found) for clip, pictures in samples.clips.items()),
        page.heading("Every clip"),
        page.scroll(_clips(found)),
        page.heading("Protocol"),
        page.table(("what", "how"), found.protocol.items()),
        page.table(("metric", "how"), [(metric.title, metric.protocol) for metric in found.measured()]),
        page.table(("versions", ""), versions().items()),
    ]
    style = ".scroll table { white-space: nowrap; } td { overflow-wrap: anywhere; } "
    style += ".sample .gallery { grid-template-columns: repeat(auto-fill, minmax(12rem, 1fr)); } "
    style += ".sample img { height: auto; object-fit: contain; }"
    return page.write(page.page(f"Evaluation on {found.data}", sections, style=style), path)


def _speed(found: Evaluation) -> list[str]:
    looks = next((metric for name in LOOKS for metric in found.measured() if metric.name == name), None)
    if looks is None:
        return []
    figures = []
    for axis, key in (("GFLOP a frame", "gflop"), ("milliseconds a frame, network only", "network_ms")):
        points = []
        for name, title in found.titles.items():
            x, mean = getattr(found.efficiency[name], key), found.mean(name, looks.name)
            if x and mean is not None:
                points.append(Point(name=title, x=x, y=mean.value, low=mean.low, high=mean.high))
        figures.append(scatter(f"{table.title(looks)} over {axis}", axis, points))
    return [page.heading("Quality against speed"), page.charts(figures)] if any(figures) else []


def _sets(found: Evaluation) -> list[str]:
    if not found.sets:
        return []
    kinds = {"frames": "of frames", "motion": "of neighbouring frames and their change"}
    lines = [
        (
            found.titles[name],
            *(f"{told[kind].value:.3g} ({told[kind].low:.3g} to {told[kind].high:.3g})" for kind in kinds),
        )
        for name, told in found.sets.items()
    ]
    return [
        page.heading("As sets"),
        page.paragraph(
            "Kernel distance between made and true footage in EfficientNet-Lite0's features, with a bootstrap over "
            "clips, which is rough where they are few. It is no KID, no FID and no FVD, and is to be compared with no "
            "other's."
        ),
        page.scroll(page.table(("", *(f"{words} ↓" for words in kinds.values())), lines)),
    ]


def _judge(judge: Judge) -> list[str]:
    points = [(f"{sure:.2f}", f"{right:.2f}", count) for sure, right, count in judge.bins]
    return [
        page.heading("The discriminator"),
        page.paragraph(
            f"It tells the real patch from the made one in {interval_words(judge.accuracy, 3)} of pairs, on clips that "
            "it was not trained on; 0.5 is guessing. On average, how sure it is and how often it is right lie "
            f"{judge.error:.3f} apart."
        ),
        page.table(("clip", "right"), [(clip, f"{share:.3f}") for clip, share in judge.clips.items()]),
        page.table(("it was so sure", "and right so often", "patches"), points),
    ]


def _clip(clip: str, pictures: dict[str, bytes], found: Evaluation) -> str:
    figures = []
    for name, jpeg in pictures.items():
        values = next((row.values for row in found.rows if (row.method, row.clip) == (name, clip)), {})
        shown = [
            metric
            for metric in found.measured()
            if metric.name in ("lpips", "psnr_y") and metric.name in values
        ]
        words = [f"{metric.title} {values[metric.name]:.{metric.digits}f}" for metric in shown]
        figures.append(page.figure(jpeg, found.titles.get(name, name), words))
    return f'<div class="sample">{page.paragraph(clip)}{page.gallery(figures)}</div>'


def _clips(found: Evaluation) -> str:
    measured = found.measured()
    lines = [
        (row.clip, found.titles[row.method],
         *(f"{row.values[metric.name]:.{metric.digits}f}" if metric.name in row.values else "" for metric in measured))
        for row in found.rows
    ]  # fmt: skip
    return page.table(("clip", "method", *(table.title(metric) for metric in measured)), lines)


def _most_detailed(picture: Tensor) -> tuple[int, int]:
    """The top left corner of the part that has most to lose."""
    height, width = picture.shape[1:]
    edges = picture.mean(0).diff(dim=1).abs()
    places = [
        (top, left)
        for top in range(0, max(height - SIDE, 0) + 1, SIDE // 4)
        for left in range(0, max(width - SIDE, 0) + 1, SIDE // 4)
    ]
    return max(
        places, key=lambda place: float(edges[place[0] : place[0] + SIDE, place[1] : place[1] + SIDE].mean())
    )
