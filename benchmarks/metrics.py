"""How fast two 720p videos are scored, beside ffmpeg's own filters, LPIPS's bare convolutions and OpenCV's flow.

    python benchmarks/metrics.py --json benchmarks/results/metrics.json

Needs the extra `metrics` and the LPIPS weights. Everything is timed in the same run, one after the other in each round.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import av
import cv2
import numpy as np
import torch
import torch.nn.functional as F
from enhance import commit, cpu

import vidgan
import vidgan.metrics
from vidgan import ffmpeg
from vidgan.features import load_lpips
from vidgan.metrics.flow import FARNEBACK
from vidgan.video import decode_all

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "examples" / "media" / "bunny.mp4"
FLOW_FRAMES = 12
FLOW_METRICS = ("tof", "tres", "warping_error")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write the numbers here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        reference, output = _pair(folder, options.frames)
        times: dict[str, list[float]] = {}
        for _ in range(options.rounds):
            for what, seconds in _round(reference, output, options.frames).items():
                times.setdefault(what, []).append(seconds)
        memory = _memory(folder)
    medians = {what: statistics.median(seconds) for what, seconds in times.items()}
    limit = 4 * medians["ffmpeg psnr+ssim"] + medians["LPIPS's convolutions"]
    report = {
        "commit": commit(),
        "machine": {"cpu": cpu(), "threads": torch.get_num_threads()},
        "frames": options.frames,
        "rounds": options.rounds,
        "seconds": {what: {"median": medians[what], "all": seconds} for what, seconds in times.items()},
        "scored / limit": medians["PSNR-Y, SSIM-Y, LPIPS"] / limit,
        "scored without LPIPS / ffmpeg": medians["PSNR-Y, SSIM-Y"] / medians["ffmpeg psnr+ssim"],
        "flow / its Farneback": {
            name: medians[name] / medians[f"{name}'s Farneback"] for name in FLOW_METRICS
        },
        "memory_mb": memory,
    }
    print(json.dumps(report, indent=1))
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n")


def _pair(folder: Path, frames: int) -> tuple[Path, Path]:
    """The sample enlarged to 720p, repeated; and the same, crushed."""
    made = folder / "once.mp4"
    vidgan.enhance(SAMPLE, made, scale=4)
    pictures = decode_all(made)
    height, width = pictures.shape[1:3]
    paths = folder / "reference.mp4", folder / "output.mp4"
    for path, crf in zip(paths, (16, 28), strict=True):
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", rate=25, options={"crf": str(crf), "preset": "veryfast"})
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            for index in range(frames):
                picture = av.VideoFrame.from_ndarray(pictures[index % len(pictures)], format="rgb24")
                container.mux(stream.encode(picture))
            container.mux(stream.encode(None))
    return paths


def _round(reference: Path, output: Path, frames: int) -> dict[str, float]:
    graph = "[0:v]split[a][b];[1:v]split[c][d];[a][c]psnr;[b][d]ssim"
    words = [ffmpeg.program(), "-v", "error", "-i", str(output), "-i", str(reference), "-lavfi", graph]
    found = {
        "ffmpeg psnr+ssim": _timed(lambda: subprocess.run([*words, "-f", "null", "-"], check=True)),
        "PSNR-Y, SSIM-Y": _timed(lambda: vidgan.compare(reference, output, metrics="psnr-y,ssim-y")),
        "LPIPS's convolutions": _convolutions() * 2 * frames,
        "PSNR-Y, SSIM-Y, LPIPS": _timed(
            lambda: vidgan.compare(reference, output, metrics="psnr-y,ssim-y,lpips")
        ),
    }
    return found | _flows(reference, output)


def _flows(reference: Path, output: Path) -> dict[str, float]:
    """Each metric on decoded frames, and the flows that it needs, one by one by OpenCV alone."""
    clips = [decode_all(path, limit=FLOW_FRAMES) for path in (output, reference)]
    tensors = [torch.from_numpy(clip).permute(0, 3, 1, 2).float() / 255 for clip in clips]
    greys = [[cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in clip] for clip in clips]

    def farneback(which: list[list[np.ndarray]], both: bool) -> None:
        for frames in which:
            for before, now in pairwise(frames):
                cv2.calcOpticalFlowFarneback(before, now, None, *FARNEBACK)
                if both:
                    cv2.calcOpticalFlowFarneback(now, before, None, *FARNEBACK)

    found = {}
    for name in FLOW_METRICS:
        metric = getattr(vidgan.metrics, name)
        found[f"{name}'s Farneback"] = _timed(
            lambda name=name: farneback(greys if name == "tof" else greys[1:], name != "tof")
        )
        found[name] = _timed(lambda metric=metric: metric(*tensors))
    return found


def _convolutions() -> float:
    """Seconds of LPIPS-AlexNet's five convolutions on one 720p picture, nothing else."""
    network = load_lpips("alex")
    plan, given = network.plan, []
    x = torch.rand(1, 3, 720, 1280).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        for layer in range(len(plan.widths)):
            x = F.max_pool2d(x, plan.pool, stride=2) if layer in plan.pooled else x
            weight, bias = network.get_buffer(f"conv{layer}_weight"), network.get_buffer(f"conv{layer}_bias")
            given.append((x, weight, bias, plan.strides[layer], plan.paddings[layer]))
            x = F.conv2d(x, weight, bias, stride=plan.strides[layer], padding=plan.paddings[layer])

        def run() -> None:
            for x, weight, bias, stride, padding in given:
                F.conv2d(x, weight, bias, stride=stride, padding=padding)

        run()
        return statistics.median(_timed(run) for _ in range(15))


def _memory(folder: Path) -> dict[str, float]:
    """Peak memory of a comparison of videos of several lengths, each in a process of its own."""
    code = (
        "import sys, vidgan; from vidgan import hardware;"
        "vidgan.compare(sys.argv[1], sys.argv[1], metrics='psnr-y,ssim-y,tres', every=5);"
        "print(hardware.peak_memory_mb())"
    )
    found = {}
    for frames in (100, 1000):
        path = folder / f"{frames}.mp4"
        source = ["-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25", "-frames:v", str(frames)]
        subprocess.run([ffmpeg.program(), "-v", "error", "-y", *source, str(path)], check=True)
        done = subprocess.run(
            [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
        )
        found[f"{frames} frames"] = float(done.stdout)
    return found


def _timed(work) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
