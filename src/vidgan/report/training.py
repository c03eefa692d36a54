"""A training run on one page: how it stands, its curves, its pictures, its recipe."""

import json
import tomllib
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from vidgan import runs
from vidgan.errors import BadVideo
from vidgan.journal import LOG
from vidgan.report import curves, page
from vidgan.video import decode_all, jpeg_bytes
from vidgan.words import amount

MOST_STRIPS = 6
BETTER = {
    "val_psnr_y": ("PSNR-Y, dB", "higher"),
    "val_lpips": ("LPIPS", "lower"),
    "val_features": ("feature distance", "lower"),
    "val_tof": ("tOF, pixels", "lower"),
    "val_tlp": ("tLP", "lower"),
    "val_temporal": ("temporal error, code values", "lower"),
    "val_ms_per_frame": ("milliseconds a frame", "lower"),
}
CHARTS = {
    "Held-out clips": [
        ("PSNR-Y, dB: higher is better", ("val_psnr_y",)),
        ("Looks: lower is better", ("val_lpips", "val_features")),
        ("Motion, tOF: lower is better", ("val_tof",)),
        ("Flicker: lower is better", ("val_tlp", "val_temporal")),
    ],
    "The generator's losses": [
        ("Pixels", ("l1", "charbonnier", "low_pass_l1", "gradient_difference", "ping_pong")),
        ("Motion", ("temporal_difference", "temporal_residual", "motion_difference")),
        ("Phases and spectra", ("phase_l1", "focal_frequency")),
        ("Looks", ("perceptual", "feature_matching")),
        ("The game", ("game", "discriminator")),
    ],
    "The game between the two": [
        ("Share that the discriminator judges rightly; 0.5 is guessing", ("accuracy", "val_accuracy")),
        ("How well it knows its training clips; above 0.5 by heart", ("val_overfit",)),
        ("Length of gradients", ("generator_slope", "discriminator_slope")),
        ("Steepness of its verdict", ("penalty",)),
        ("Contrast of made frames; 1 is right", ("contrast",)),
        ("Drift of colour, of a range of 1", ("colour",)),
    ],
}  # fmt: skip

Row = dict[str, Any]


def write_report(folder: Path) -> Path:
    """report.html in the run's folder, from its log, its strips and its recipe. Raises BadVideo without a log."""
    if not (folder / LOG).is_file():
        raise BadVideo(f"{folder} holds no {LOG}", "Give the folder of a training run.")
    lines = read_log(folder / LOG)
    rows = {row["step"]: row for row in lines if "event" not in row}  # after a roll-back the later one counts
    ordered = [rows[step] for step in sorted(rows)]
    events = [row for row in lines if "event" in row]
    recipe_file = folder / runs.RECIPE
    text = recipe_file.read_text("utf-8") if recipe_file.is_file() else ""
    recipe = _parsed(text)
    first_real = _steps(recipe, "faithful")
    ended = [row["step"] for row in events if row["event"] == "stopped"]
    sections = [page.paragraph(_state(ordered, events, recipe)), _summary(ordered, first_real, ended)]
    marks = curves.Marks(
        stage=first_real, events=[(row["step"], f"{row['event']}: {row['why']}") for row in events]
    )
    for name, charts in CHARTS.items():
        drawn = [curves.chart(title, _curves(ordered, names), marks) for title, names in charts]
        if any(drawn):
            sections += [page.heading(name), page.charts(drawn)]
    sections += _events(events) + _strips(folder, ordered) + _weights(folder)
    if text:
        sections += [page.heading("Recipe"), page.text(text)]
    title = f"Training of {recipe.get('name', folder.resolve().name)}"
    return page.write(page.page(title, sections), folder / "report.html")


def read_log(path: Path) -> list[Row]:
    """Its lines; one that a kill cut short is left out, as is what other hands have made of it."""
    rows = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            row = json.loads(line, parse_int=_number)
        except (ValueError, RecursionError):
            continue
        if isinstance(row, dict) and isinstance(row.get("step"), int):
            kind = str if "event" in row else int | float
            told = {key: value for key, value in row.items() if key == "step" or isinstance(value, kind)}
            if "event" not in row or {"event", "why"} <= told.keys():
                rows.append(told)
    return rows


def _number(digits: str) -> int | float:
    return int(digits) if len(digits) < 16 else float(digits)  # larger ones cannot be drawn


def _parsed(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return {}


def _steps(recipe: dict[str, Any], stage: str) -> int | None:
    """None where the file, which anybody may have edited, does not say."""
    section = recipe.get(stage)
    steps = section.get("steps") if isinstance(section, dict) else None
    return steps if isinstance(steps, int) else None


def _state(rows: Sequence[Row], events: Sequence[Row], recipe: dict[str, Any]) -> str:
    step = rows[-1]["step"] if rows else 0
    total = sum(_steps(recipe, stage) or 0 for stage in ("faithful", "realistic"))
    last = events[-1] if events else {}
    if last.get("event") in ("stopped", "gave up"):
        return f"{str(last['event']).capitalize()} at step {last['step']}: {last['why']}."
    if total and step >= total:
        return f"Finished: {amount(total, 'step')}."
    return f"Step {step}" + (f" of {total}." if total else ".")


def _summary(rows: Sequence[Row], first_real: int | None, ended: Collection[int]) -> str:
    """The validations that count, side by side."""
    if not rows:
        return page.paragraph("No validation yet.")
    shown = {"at the start": rows[0]}
    if first_real and (faithful := next((row for row in rows if row["step"] == first_real), None)):
        shown["faithful stage"] = faithful
    if (best := best_of(rows, first_real, ended)) is not None:
        shown[f"best, step {best['step']}"] = best
    if rows[-1] is not rows[0]:
        shown[f"last, step {rows[-1]['step']}"] = rows[-1]
    table = []
    for name, (words, better) in BETTER.items():
        if any(name in row for row in shown.values()):
            numbers = [f"{row[name]:.4g}" if name in row else "" for row in shown.values()]
            table.append([words, *numbers, f"{better} is better"])
    return page.scroll(page.table(["held-out clips", *shown, ""], table))


def best_of(rows: Sequence[Row], first_real: int | None, ended: Collection[int]) -> Row | None:
    """The validation of the realistic stage with the best looks, where any measures them.

    ended  steps at which it was stopped: their weights were not kept, unless there were no others
    """
    real = [row for row in rows if first_real and row["step"] > first_real]
    real = [row for row in real if row["step"] not in ended] or real
    for name in ("val_lpips", "val_features"):
        if found := [row for row in real if name in row]:
            return min(found, key=lambda row: float(row[name]))
    return None


def _curves(rows: Sequence[Row], names: Sequence[str]) -> dict[str, curves.Curve]:
    told = {"val_accuracy": "accuracy, held out", "val_features": "feature distance"}
    return {
        told.get(name, name.removeprefix("val_").replace("_", " ")): [
            (row["step"], row[name]) for row in rows if isinstance(row.get(name), int | float)
        ]
        for name in names
    }


def _events(events: Sequence[Row]) -> list[str]:
    if not events:
        return []
    return [
        page.heading("Events"),
        page.table(
            ("step", "what", "why"), [(row["step"], row["event"], row.get("why", "")) for row in events]
        ),
    ]


def _strips(folder: Path, rows: Sequence[Row]) -> list[str]:
    """The first, the last, and some between: enlarged by bicubic, made, true."""
    found = sorted((folder / "strips").glob("step-*.png"))
    if not found:
        return []
    chosen = [found[round(i * (len(found) - 1) / (MOST_STRIPS - 1))] for i in range(MOST_STRIPS)]
    figures = []
    for path in dict.fromkeys(chosen):
        step = path.stem.removeprefix("step-").lstrip("0") or "0"
        row = next((row for row in rows if str(row["step"]) == step), {})
        words = [f"{BETTER[name][0]} {row[name]:.4g}" for name in ("val_psnr_y", "val_lpips") if name in row]
        try:
            jpeg = jpeg_bytes(decode_all(path)[0], quality=3)
        except BadVideo:  # cut short by a kill
            continue
        figures.append(page.figure(jpeg, f"step {step}", [", ".join(words)] if words else []))
    return [
        page.heading("Held-out frames: bicubic, made, true"),
        page.wide(figures),
    ]


def _weights(folder: Path) -> list[str]:
    names = runs.names_of_weights(folder)
    if not names:
        return []
    best = runs.weights_of(Path(folder.name), "best" if "best" in names else names[0])
    use = f"vidgan enhance IN.mp4 OUT.mp4 --model {best.as_posix()}"
    return [
        page.heading("Weights"),
        page.paragraph(
            f"In {runs.CHECKPOINTS}/: {', '.join(f'{name}.safetensors' for name in names)}. To use them:"
        ),
        page.text(use),
    ]
