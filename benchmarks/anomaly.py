"""Anomalies by prediction on UCSD Ped2, by the field's protocol.

    python benchmarks/anomaly.py --json benchmarks/results/anomaly.json

Six labelled test clips, 360x240 at 24 frames a second. A frame is abnormal where labels.json has it in an interval,
both ends included. Every clip is read from its beginning; its first four frames have no score and are left out, as the
field leaves out those that cannot be predicted.

micro   frame AUC over the scores of all clips together
macro   mean of the clips' own frame AUCs; a clip that is all normal or all abnormal has none, and is left out and named
raw     scores as `vidgan analyze --normal` gives them, which is all that a camera's user has
normed  each clip's scores brought to [0, 1] by its own least and largest, as Liu et al. 2018: needs the finished clip
events  stretches of scores at the model's threshold or above, gaps of up to 0.5 s closed, those under 0.2 s dropped.
        One is right if it overlaps a labelled interval; an interval is found if an event overlaps it
frames  at the threshold: the share of abnormal frames above it, and of normal ones

The model was trained on train/ 01 to 14, its threshold set on train/ 15 and 16; every choice was made there
(docs/anomaly.md). Speed is from file to scores, in rounds, the median told.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from enhance import SHARED, commit, cpu, versions
from ranking import auc

from vidgan import anomaly
from vidgan.video.codec import decode_all

MODEL = Path(__file__).parent / "models" / "anomaly_ped2.safetensors"
RATE = 24
GAP, LEAST = RATE // 2, round(0.2 * RATE)  # frames
SIGMA = 10  # frames, of the centred window
Stretch = tuple[int, int]  # first and last frame


@dataclass(frozen=True)
class Clip:
    name: str
    frames: torch.Tensor  # (T, 3, H, W) uint8
    intervals: list[Stretch]

    @property
    def labels(self) -> np.ndarray:
        marked = np.zeros(len(self.frames), bool)
        for first, last in self.intervals:
            marked[first : last + 1] = True
        return marked


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--model", type=Path, default=MODEL)
    parser.add_argument(
        "--data", type=Path, default=SHARED / "data" / "ped2", help="with test/ and labels.json"
    )
    parser.add_argument("--rounds", type=int, default=3, help="of timing; 0 leaves it out")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    clips = read_clips(options.data)
    normal = anomaly.load(options.model, torch.device("cpu"))
    ways = scored(normal, clips)
    marked = [clip.labels for clip in clips]
    report = {
        "protocol": __doc__,
        "model": options.model.name,
        "commit": commit(),
        "cpu": cpu(),
        "versions": versions(),
        "threshold": normal.threshold,
        "false_alarms": normal.false_alarms,
        "ways": {name: figures(scores, marked) for name, scores in ways.items()},
        "events": events(next(iter(ways.values())), clips, normal.threshold),
        "frames_per_second": speeds(options),
        "scores": {clip.name: _rounded(scores) for clip, scores in zip(clips, ways[OURS], strict=True)},
    }
    print(table(report))
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
        options.json.with_suffix(".md").write_text(table(report), encoding="utf-8")


def read_clips(folder: Path) -> list[Clip]:
    told = json.loads((folder / "labels.json").read_text(encoding="utf-8"))["test"]
    return [
        Clip(
            name,
            torch.from_numpy(decode_all(folder / "test" / f"{name}.mp4")).permute(0, 3, 1, 2),
            [(first, last) for first, last in intervals],
        )
        for name, intervals in told.items()
    ]


OURS = "as analyze gives it"


def scored(normal: anomaly.Normal, clips: list[Clip]) -> dict[str, list[np.ndarray]]:
    """Ways of scoring -> each clip's scores, NaN where there is none."""
    ways: dict[str, list[np.ndarray]] = {
        OURS: [],
        "each frame by itself": [],
        "whole frame's error": [],
        f"centred over the finished clip, sigma {SIGMA}": [],
    }
    usual = normal.usual
    foresight = anomaly.Foresight(normal.generator, usual.size, torch.device("cpu"))
    for clip in clips:
        normal.forget()
        foresight.forget()
        rows = []
        for frame in clip.frames:
            reading, error = normal.read(frame), foresight.error(frame)
            if error is None:
                rows.append((float("nan"),) * 3)
            else:
                rows.append(
                    (reading.score, float((error / usual.expected).sqrt().max()), float(error.mean()))
                )
        ours, alone, whole = np.array(rows, float).T
        for scores, found in zip(ways.values(), (ours, alone, whole, _centred(alone)), strict=True):
            scores.append(found)
    return ways


def figures(ways: list[np.ndarray], labels: list[np.ndarray]) -> dict[str, float]:
    kept = [(s[np.isfinite(s)], marked[np.isfinite(s)]) for s, marked in zip(ways, labels, strict=True)]
    normed = [((s - s.min()) / (s.max() - s.min()), marked) for s, marked in kept]
    own = [auc(s, marked) for s, marked in kept]
    return {
        "micro_raw": _pooled(kept),
        "micro_normed": _pooled(normed),
        "macro": float(np.nanmean(own)),  # the same raw and normed: a clip's order does not change
        "clips_left_out_of_macro": int(np.isnan(own).sum()),
        "clips": [round(value, 4) for value in own],
    }


def _pooled(clips: list[tuple[np.ndarray, np.ndarray]]) -> float:
    return auc(np.concatenate([s for s, _ in clips]), np.concatenate([marked for _, marked in clips]))


def _centred(scores: np.ndarray) -> np.ndarray:
    found = scores.copy()
    inside = np.isfinite(scores)
    taps = np.exp(-0.5 * (np.arange(-3 * SIGMA, 3 * SIGMA + 1) / SIGMA) ** 2)
    weight = np.convolve(np.ones(inside.sum()), taps, "same")
    found[inside] = np.convolve(scores[inside], taps, "same") / weight
    return found


def events(ways: list[np.ndarray], clips: list[Clip], threshold: float) -> dict[str, object]:
    found = {
        clip.name: stretches(np.nan_to_num(scores, nan=-np.inf) >= threshold)
        for clip, scores in zip(clips, ways, strict=True)
    }
    right = sum(_overlaps(event, clip.intervals) for clip in clips for event in found[clip.name])
    told = sum(len(events) for events in found.values())
    hit = sum(_overlaps(interval, found[clip.name]) for clip in clips for interval in clip.intervals)
    intervals = sum(len(clip.intervals) for clip in clips)
    scores = np.concatenate(ways)
    marked = np.concatenate([clip.labels for clip in clips])[np.isfinite(scores)]
    above = scores[np.isfinite(scores)] >= threshold
    return {
        "precision": right / told if told else None,
        "recall": hit / intervals,
        "told": told,
        "intervals": intervals,
        "frames_found": float(above[marked].mean()),
        "frames_false": float(above[~marked].mean()),
        "stretches": found,
    }


def stretches(above: np.ndarray) -> list[Stretch]:
    """First and last frames of what is above, short gaps closed, short ones dropped."""
    found: list[Stretch] = []
    for frame in np.flatnonzero(above).tolist():
        if found and frame - found[-1][1] - 1 <= GAP:
            found[-1] = found[-1][0], frame
        else:
            found.append((frame, frame))
    return [(first, last) for first, last in found if last - first + 1 >= LEAST]


def _overlaps(one: Stretch, others: list[Stretch]) -> bool:
    return any(one[0] <= last and first <= one[1] for first, last in others)


def speeds(options: argparse.Namespace) -> dict[str, float]:
    """Frames a second from a file to its scores, by threads."""
    path = options.data / "test" / "01.mp4"
    found = {}
    for threads in (1, 2) if options.rounds else ():
        torch.set_num_threads(threads)
        rate = _timed(path, options)
        found[str(threads)] = round(statistics.median(rate() for _ in range(options.rounds)), 1)
    return found


def _timed(path: Path, options: argparse.Namespace) -> Callable[[], float]:
    normal = anomaly.load(options.model, torch.device("cpu"))

    def rate() -> float:
        normal.forget()
        started = time.perf_counter()
        frames = torch.from_numpy(decode_all(path)).permute(0, 3, 1, 2)
        for frame in frames:
            normal.read(frame)
        return len(frames) / (time.perf_counter() - started)

    return rate


def table(report: dict) -> str:
    lines = [
        f"commit {report['commit']}, {report['model']}, {report['cpu']}\n",
        "| frame AUC, percent | micro, raw | micro, normed per clip | macro | clips 01 to 06 |\n|---|---|---|---|---|",
    ]
    for name, row in report["ways"].items():
        numbers = " | ".join(f"{100 * row[key]:.1f}" for key in ("micro_raw", "micro_normed", "macro"))
        lines.append(f"| {name} | {numbers} | {' '.join(f'{100 * value:.1f}' for value in row['clips'])} |")
    seen, speed = report["events"], report["frames_per_second"]
    precision = "none told" if seen["precision"] is None else f"{seen['precision']:.2f}"
    lines.append(
        f"\nAt the threshold {report['threshold']:.3f} (set for {report['false_alarms']:.0%} of false "
        f"alarms): {seen['told']} events, precision {precision}, recall {seen['recall']:.2f} "
        f"of {seen['intervals']} intervals; {seen['frames_found']:.1%} of abnormal frames above, "
        f"{seen['frames_false']:.1%} of normal ones."
    )
    if speed:
        rates = ", ".join(f"{rate} with {threads}" for threads, rate in speed.items())
        lines.append(f"\nFrames a second, by threads: {rates}.")
    return "\n".join(lines) + "\n"


def _rounded(scores: np.ndarray) -> list[float | None]:
    return [None if np.isnan(score) else round(float(score), 4) for score in scores]


if __name__ == "__main__":
    main()
