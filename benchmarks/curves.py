"""A training's log as a picture: how the validation scores and the game went.

python benchmarks/curves.py runs/fast/log.jsonl docs/images/fast_curves.svg
"""

import json
import sys
from pathlib import Path

PANELS = {
    "PSNR-Y on held-out clips, dB": {"val_psnr_y": "#1f6feb"},
    "LPIPS on held-out clips": {"val_lpips": "#1f6feb"},
    "share of patches judged rightly": {"val_accuracy": "#cf222e", "accuracy": "#9a6700"},
}
NAMES = {"val_accuracy": "held-out clips", "accuracy": "in training"}
WIDTH, HEIGHT, LEFT, TOP, GAP = 640, 150, 60, 34, 56


def main() -> None:
    lines = [json.loads(line) for line in Path(sys.argv[1]).read_text().splitlines()]
    rows = [line for line in lines if "event" not in line]
    steps = [row["step"] for row in rows]
    parts = []
    for index, (title, lines) in enumerate(PANELS.items()):
        top = TOP + index * (HEIGHT + GAP)
        points = {name: [(row["step"], row[name]) for row in rows if name in row] for name in lines}
        parts += panel(title, top, points, lines, max(steps))
    height = TOP + len(PANELS) * (HEIGHT + GAP)
    box = f'viewBox="0 0 {LEFT + WIDTH + 20} {height}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {box} font-family="sans-serif"'
    Path(sys.argv[2]).write_text(
        "\n".join(
            [f'{head} font-size="12"><rect width="100%" height="100%" fill="white"/>', *parts, "</svg>\n"]
        )
    )


def panel(
    title: str, top: int, points: dict[str, list[tuple[int, float]]], colours: dict[str, str], last: int
) -> list[str]:
    values = [value for line in points.values() for _, value in line]
    if not values:  # such as a game that was not played
        return []
    low, high = min(values), max(values)
    room = (high - low or 1.0) * 0.05
    low, high = low - room, high + room

    def place(step: int, value: float) -> str:
        return f"{LEFT + WIDTH * step / last:.1f},{top + HEIGHT * (high - value) / (high - low):.1f}"

    drawn = [f'<text x="{LEFT}" y="{top - 8}" font-weight="bold">{title}</text>']
    drawn.append(
        f'<rect x="{LEFT}" y="{top}" width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="#d0d7de"/>'
    )
    for value in (high - room, low + room):
        y = top + HEIGHT * (high - value) / (high - low)
        drawn.append(f'<text x="{LEFT - 6}" y="{y + 4:.0f}" text-anchor="end">{value:.3g}</text>')
    for step in (0, last // 2, last):
        x = LEFT + WIDTH * step / last
        drawn.append(f'<text x="{x:.0f}" y="{top + HEIGHT + 16}" text-anchor="middle">{step}</text>')
    for index, (name, line) in enumerate(points.items()):
        path = " ".join(place(*point) for point in line)
        drawn.append(f'<polyline points="{path}" fill="none" stroke="{colours[name]}" stroke-width="2"/>')
        if name in NAMES:
            x = LEFT + WIDTH - 8
            place_of = f'x="{x}" y="{top + 18 + 16 * index}" text-anchor="end" fill="{colours[name]}"'
            drawn.append(f"<text {place_of}>{NAMES[name]}</text>")
    return drawn


if __name__ == "__main__":
    main()
