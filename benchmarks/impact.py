"""Does enhancing help analysers? Real footage made small, enhanced, held against itself: for docs/analysis.md.

    python benchmarks/impact.py [--model fast] [--docs docs/analysis.md] [--json FILE] [--pages FOLDER]

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
from vidgan.report import impact as page
from vidgan.score import Impact, Search, pooled
from vidgan.score.helped import PER, SAID
from vidgan.score.matching import SIZES

ROOT = Path(__file__).resolve().parent.parent
RATE = 24
BEGIN, END = "<!-- measured -->", "<!-- /measured -->"
ON_CLIPS = ["people", "faces", "text", "tracking"]
PED2_FRAMES, PED2_EVERY = 120, 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--model", default="fast")
    parser.add_argument(
        "--data", type=Path, default=Path(os.environ.get("VIDGAN_SHARED", ROOT.parent / "shared")) / "data"
    )
    parser.add_argument("--cases", nargs="+", default=["clean", "damaged", "ped2", "ped2-half"])
    parser.add_argument("--every", type=int, default=2, help="of the validation clips' frames")
    parser.add_argument("--docs", type=Path, help="put the tables between its marks")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--pages", type=Path, help="a folder for the pages")
    options = parser.parse_args()
    found = {}
    for case in options.cases:
        found[case] = run(case, options)
        print(f"## {case}\n\n{told(found[case])}\n", flush=True)
    text = "\n".join(f"### {case}\n\n{told(impact)}\n" for case, impact in found.items())
    if options.docs:
        before, _, rest = options.docs.read_text().partition(BEGIN)
        _, _, after = rest.partition(END)
        options.docs.write_text(f"{before}{BEGIN}\n{heading(options)}\n\n{text}{END}{after}")
    if options.json:
        report = {
            "commit": commit(),
            "model": options.model,
            "cases": {c: i.as_json() for c, i in found.items()},
        }
        options.json.write_text(json.dumps(report, indent=1) + "\n")


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


def told(found: Impact) -> str:
    """The verdict, and a table for each analyser."""
    parts = [f"**{found.sentence}** {len(found.seconds)} frames, {found.num_blocks} blocks."]
    for study in found.studies:
        verdict = found.verdict(study)
        parts.append(f"{study.title}: {SAID[verdict.outcome]}. {verdict.words}.")
        parts.append(table(*page.rows(found, study)))
        if isinstance(study, Search) and (different := page.rates(found, study)):
            parts.append(table([f"in {PER} frames", "all", *SIZES], different))
    return "\n\n".join(parts)


def table(header: list[str], lines: list[list[str]]) -> str:
    rule = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join(f"| {' | '.join(line)} |" for line in (header, rule, *lines))


def brief(found: Impact) -> dict:
    """As JSON, without the list of differences."""
    told = found.as_json()
    for analyser in told["analysers"]:
        analyser.pop("differences", None)
    return told


def heading(options: argparse.Namespace) -> str:
    model = Path(options.model).name
    return f"Model `{model}`, commit {commit()}: `python benchmarks/impact.py --model {model} --docs docs/analysis.md`."


def commit() -> str:
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"


if __name__ == "__main__":
    main()
