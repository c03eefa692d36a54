"""Does enhancing help analysers? Real footage made small, enhanced, held against itself: for docs/analysis.md.

    python benchmarks/impact.py [--model fast] [--docs docs/analysis.md] [--json FILE] [--reuse FILE] [--pages FOLDER]

clean, damaged  the five validation clips, a quarter of their size (clips.py says how), enhanced x4, with the clips
                themselves as the reference. Their frames are pooled, each clip a block of the bootstrap
ped2            a walkway seen from afar, 360x240, enhanced x4; no reference. Its faces are a few pixels large and it
                shows no text: whatever is found of them is a false alarm
ped2-half       the same at half its size, enhanced x8, with the original as the reference
"""

import argparse
import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import clips
import numpy as np
import torch

import vidgan
from vidgan import degrade
from vidgan.score import Impact, pooled
from vidgan.score.helped import PER, SAID
from vidgan.score.matching import KINDS

ROOT = Path(__file__).resolve().parent.parent
RATE = 24
BEGIN, END = "<!-- measured -->", "<!-- /measured -->"
VERSIONS = ("source", "bicubic", "Lanczos", "enhanced")
FIGURES = {
    "f1": "F1",
    "mean": "mean",
    "found": "found in a frame",
    "false_alarms": f"false alarms in {PER} frames",
}  # the first that there is
SHARED = Path(os.environ.get("VIDGAN_SHARED", ROOT.parent / "shared"))
ON_CLIPS = ["people", "faces", "text", "tracking"]
PED2_FRAMES, PED2_EVERY = 120, 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--model", default="fast")
    parser.add_argument("--data", type=Path, default=SHARED / "data")
    parser.add_argument("--cases", nargs="+", default=["clean", "damaged", "ped2", "ped2-half"])
    parser.add_argument("--every", type=int, default=2, help="of the validation clips' frames")
    parser.add_argument("--json", type=Path, help="write the report")
    parser.add_argument("--reuse", type=Path, help="measure nothing: show an earlier report")
    parser.add_argument("--docs", type=Path, help="put the table between its marks")
    parser.add_argument("--pages", type=Path, help="a folder for the pages")
    options = parser.parse_args()
    if options.reuse:
        report = json.loads(options.reuse.read_text())
    else:
        report = {"commit": commit(), "model": options.model}
        report["cases"] = {case: brief(run(case, options)) for case in options.cases}
    text = told(report)
    print(text)
    if options.docs:
        before, _, rest = options.docs.read_text().partition(BEGIN)
        _, _, after = rest.partition(END)
        options.docs.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}")
    if options.json:
        options.json.write_text(json.dumps(report) + "\n")


def run(case: str, options: argparse.Namespace) -> Impact:
    with tempfile.TemporaryDirectory() as folder:
        if case.startswith("ped2"):
            return ped2(case, Path(folder), options)
        each = list(on_clips(case, Path(folder), options))
    return pooled(each, f"{len(each)} clips, {case}")


def on_clips(case: str, folder: Path, options: argparse.Namespace) -> Iterator[Impact]:
    for path in sorted((options.data / "val").glob("*.mp4")):
        sharp = clips.read(path)
        small = (clips.clean if case == "clean" else clips.damaged)(sharp)
        low, high = save(small, folder / f"{path.stem}-low.mkv"), save(sharp, folder / f"{path.stem}.mkv")
        made = folder / f"{path.stem}-enhanced.mp4"
        vidgan.enhance(low, made, model=options.model, sidecar=True)
        yield vidgan.impact(
            low,
            made,
            reference=high,
            analysers=ON_CLIPS,
            every=options.every,
            report=place(options, f"{case}-{path.stem}"),
        )


def ped2(case: str, folder: Path, options: argparse.Namespace) -> Impact:
    frames = clips.read(options.data / "ped2" / "test" / "01.mp4", num_frames=PED2_FRAMES)
    whole = save(frames, folder / "ped2.mkv")
    made, report = folder / "ped2-enhanced.mp4", place(options, case)
    if case == "ped2":
        vidgan.enhance(whole, made, model=options.model, sidecar=True)
        return vidgan.impact(
            whole,
            made,
            analysers=["people", "faces", "text", "tracking"],
            empty=["faces", "text"],
            every=PED2_EVERY,
            report=report,
        )
    tensor = torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 255
    half = (degrade.shrink(tensor, 2) * 255).round().byte().permute(0, 2, 3, 1).numpy()
    low = save(half, folder / "ped2-half.mkv")
    vidgan.enhance(low, made, model=options.model, scale=8, sidecar=True)
    return vidgan.impact(
        low, made, reference=whole, analysers=["people", "tracking"], every=PED2_EVERY, report=report
    )


def place(options: argparse.Namespace, name: str) -> Path | None:
    if options.pages is None:
        return None
    options.pages.mkdir(parents=True, exist_ok=True)
    return options.pages / f"{name}.html"


def save(frames: np.ndarray, path: Path) -> Path:
    """(T, H, W, 3) RGB uint8, without loss."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=RATE)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "bgr0"
        for index, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format="bgr0")
            frame.pts, frame.time_base = index, Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def told(report: dict) -> str:
    """A row for each case and analyser, and each case's verdict."""
    model = Path(report["model"]).name
    command = f"python benchmarks/impact.py --model {model} --docs docs/analysis.md"
    header = ["", "figure", *VERSIONS, "recovered gap", *KINDS, "verdict"]
    lines = [
        row(case, analyser) for case, found in report["cases"].items() for analyser in found["analysers"]
    ]
    verdicts = [
        f"- {case}: {found['verdict']} {found['frames']} frames, {found['blocks']} blocks."
        for case, found in report["cases"].items()
    ]
    return "\n".join(
        [
            f"Model `{model}`, commit {report['commit']}: `{command}`.",
            "",
            *verdicts,
            "",
            markdown(header, lines),
        ]
    )


def markdown(header: list[str], body: list[list[str]]) -> str:
    rule = ["---", *(["---:"] * (len(header) - 1))]
    return "\n".join(f"| {' | '.join(line)} |" for line in (header, rule, *body))


def row(case: str, analyser: dict) -> list[str]:
    """gained, lost and the others are so many in 100 frames."""
    arms = analyser["arms"]
    name = next(name for name in FIGURES if arms["bicubic"].get(name) is not None)
    if analyser["verdict"]["figure"] == "false alarms":
        name = "false_alarms"
    figures = [arms[version][name] for version in VERSIONS]
    digits = 3 if name in ("f1", "mean") else 1
    gap, rates = arms["enhanced"]["recovered"], analyser.get(f"in_{PER}_frames")
    counts = [f"{rates[kind]['all']['value']:.1f}" if rates else "" for kind in KINDS]
    if rates and gap is None and name == "found":  # without a reference nobody knows
        counts[KINDS.index("invented") :] = ["", ""]
    return [
        f"{case}: {analyser['title']}",
        FIGURES[name],
        *("" if figure is None else f"{figure['value']:.{digits}f}" for figure in figures),
        "" if gap is None else f"{gap['value']:.2f} ({gap['low']:.2f} to {gap['high']:.2f})",
        *counts,
        SAID[analyser["verdict"]["outcome"]],
    ]


def brief(found: Impact) -> dict:
    """As JSON, without the list of differences."""
    told = found.as_json()
    for analyser in told["analysers"]:
        analyser.pop("differences", None)
    return told


def commit() -> str:
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"


if __name__ == "__main__":
    main()
