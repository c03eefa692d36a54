"""Peak memory of `vidgan enhance`: for a short and a ten times longer video, and under `--memory` against its cap.

python benchmarks/memory.py [--size 160x90] [--frames 300 3000] [--model FILE]
python benchmarks/memory.py --grid [--only 4k] [--model FILE]    every case under the smallest cap, and with room
python benchmarks/memory.py --grid --only 4k --memory 6G         under this cap alone
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import torch

from vidgan import checkpoint
from vidgan.enhancing import budget
from vidgan.generators.recurrent import Config, Generator

# name -> size, frames, output's suffix, words. Frames fill the encoder: it holds all it ever will.
CASES = {
    "360p x4": ("640x360", 30, "mp4", "--scale 4"),
    "360p x2": ("640x360", 40, "mp4", "--scale 2"),
    "360p x2 hevc": ("640x360", 40, "mp4", "--scale 2 --codec hevc"),
    "360p x2 av1": ("640x360", 70, "webm", "--scale 2 --codec av1"),
    "360p x2 vp9": ("640x360", 40, "webm", "--scale 2"),
    "360p x2 prores": ("640x360", 20, "mov", "--scale 2 --codec prores"),
    "360p x2 ffv1": ("640x360", 20, "mkv", "--scale 2 --codec ffv1"),
    "360p x2 mpeg4": ("640x360", 20, "avi", "--scale 2 --codec mpeg4"),
    "360p x2 medium": ("640x360", 70, "mp4", "--scale 2 --preset medium"),
    "360p x2 consistent": ("640x360", 30, "mp4", "--scale 2 --consistent"),
    "360p x2 trust": ("640x360", 30, "mp4", "--scale 2 --trust {folder}/trust.mp4"),
    "360p turned": ("640x360", 30, "mp4", "--scale 2 --rotate 10"),
    "720p x2": ("1280x720", 30, "mp4", "--scale 2"),
    "1080p x1 hevc": ("1920x1080", 30, "mp4", "--scale 1 --codec hevc"),
    "1080p x2": ("1920x1080", 30, "mp4", "--scale 2"),
    "4k x1": ("3840x2160", 30, "mp4", "--scale 1"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--size", default="160x90")
    parser.add_argument("--frames", type=int, nargs="+", default=[300, 3000])
    parser.add_argument(
        "--model", help="default: as vidgan chooses; with --grid a small network of the same scale"
    )
    parser.add_argument("--grid", action="store_true")
    parser.add_argument("--only", nargs="+", help="cases of the grid whose names hold one of these words")
    parser.add_argument("--memory", help="with --grid, the only cap: 3G, 800M")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.grid:
            grid(folder, options.only, options.model, options.memory)
        else:
            lengths(folder, *map(int, options.size.split("x")), options.frames, options.model)


def lengths(folder: Path, width: int, height: int, counts: list[int], model: str | None) -> None:
    print("| frames | peak memory, MB | frames a second | first frame, s |\n|---|---|---|---|")
    for count in counts:
        source = folder / f"{count}.mp4"
        make_video(source, width, height, count)
        result = enhance(source, folder / "out.mp4", *([] if model is None else ["--model", model]))
        assert result["frames"] == count, result
        cells = (count, result["peak_memory_mb"], result["fps"], result["first_frame_seconds"])
        print("|", " | ".join(map(str, cells)), "|", flush=True)


def grid(folder: Path, only: list[str] | None, model: str | None, memory: str | None) -> None:
    """Each case under one cap, or under the smallest that is taken and one that asks for nothing to be lowered."""
    if model is None:
        model = str(folder / "small.safetensors")
        small_models(folder)
    print(
        "| case | cap, MB | measured peak, MB | share | what was lowered |\n|---|---|---|---|---|", flush=True
    )
    faults = 0
    for name, (size, count, suffix, words) in CASES.items():
        if only and not any(word in name for word in only):
            continue
        source = folder / f"{size}.mkv"
        if not source.exists():
            make_video(source, *map(int, size.split("x")), 70)
        told = [*words.format(folder=folder).split(), "--model", model, "--duration", str(count / 25)]
        output = folder / f"out.{suffix}"
        if memory is None:
            caps = smallest(source, output, *told), needed(source, output, *told)
        else:
            caps = (budget.bytes_of(memory) // budget.MEBI,)
        for cap in caps:
            result = enhance(source, output, *told, "--memory", f"{cap}M")
            assert result["frames"] == count, result
            peak = result["peak_memory_mb"]
            faults += peak > cap
            lowered = result["said"].split(": ", 1)[1].rsplit("; ", 1)[0]
            print(f"| {name} | {cap} | {peak:.0f} | {peak / cap:.0%} | {lowered} |", flush=True)
    sys.exit(f"{faults} peaks were above their caps" if faults else 0)


def smallest(*words: object) -> int:
    """In MB; as the refusal of an impossible cap says it."""
    run = subprocess.run(command(*words, "--memory", "2M"), capture_output=True, text=True, check=False)
    (least,) = re.findall(r"takes (\S+) at least", run.stderr)
    return -(-budget.bytes_of(least) // budget.MEBI)


def needed(*words: object) -> int:
    """In MB, with nothing lowered; as it is said at the beginning."""
    words = (*words, "--memory", "900G")
    run = subprocess.Popen(command(*words), stderr=subprocess.PIPE, text=True)
    line = run.stderr.readline()
    run.terminate()
    run.communicate()
    (size,) = re.findall(r"about (\S+) are needed", line)
    return -(-budget.bytes_of(size) // budget.MEBI)


def enhance(*words: object) -> dict[str, object]:
    run = subprocess.run(command(*words), capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    said = next((line for line in run.stderr.splitlines() if line.startswith("--memory")), "")
    return json.loads(run.stdout) | {"said": said}


def command(*words: object) -> list[str]:
    fixed = ("--overwrite", "--start-over", "--json")
    return [sys.executable, "-m", "vidgan", "enhance", *map(str, words), *fixed]


def small_models(folder: Path) -> None:
    """As `fast` in what it gives, in a hundredth of its time: what is measured is everything but its layers."""
    torch.manual_seed(0)
    generator = Generator(Config(features=16, blocks=1))
    for name in ("small", "small-faithful"):
        path = folder / f"{name}.safetensors"
        checkpoint.save_generator(generator, checkpoint.card_of(generator), path)


def make_video(path: Path, width: int, height: int, count: int) -> None:
    """A noisy gradient that drifts, with a tone beside it, so that copied packets are part of the measure."""
    rng = np.random.default_rng(1)
    noise = rng.integers(0, 40, (height, width, 3), dtype=np.uint8)
    ramp = np.linspace(0, 200, width, dtype=np.uint8)[None, :, None]
    with av.open(path, "w") as container:
        video = container.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        audio = container.add_stream("aac", rate=48000)
        for index in range(count):
            picture = np.roll(ramp, index, axis=1) + noise
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            tone = np.sin(np.arange(1920) / 20, dtype=np.float32)[None] * 0.1
            sound = av.AudioFrame.from_ndarray(tone, format="fltp", layout="mono")
            sound.sample_rate, sound.pts, sound.time_base = 48000, index * 1920, Fraction(1, 48000)
            container.mux(audio.encode(sound))
        container.mux(video.encode(None))
        container.mux(audio.encode(None))


if __name__ == "__main__":
    main()
