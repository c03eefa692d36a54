"""`vidgan enhance` for a long time: killed at random moments, and in a loop with random parts and flags.

python benchmarks/soak.py [--kills 30] [--minutes 20] [--seed 0]    (make soak)

1. kill -9 at random moments, the same command again each time, until the output is there: its frames and times are
   compared with those of a run that was never disturbed.
2. In a loop: a random part of a clip with random flags, every output decoded again and its times compared with those
   of its source. The folder holds the output then, a sidecar where one was asked for, and nothing else.
3. In one process, the same call again and again: what the process holds may not grow.
"""

import argparse
import hashlib
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import torch
from memory import make_video

from vidgan import checkpoint
from vidgan.generators.recurrent import Config, Generator

FLAGS = (
    "--rotate 90", "--rotate 7", "--flip h", "--crop 80x64+8+4", "--size 200x150", "--consistent", "--tile 64",
    "--precision bf16", "--sidecar", "--codec hevc", "--codec vp9", "--codec ffv1", "--preset medium", "--memory 1G",
    "--no-mark", "--trust {folder}/trust.mkv", "--fidelity 0.5", "--steady 0.36",
)  # fmt: skip
REFUSED = {"--codec ffv1", "--preset medium"}, {"--codec vp9", "--preset medium"}  # at once, by their names
ROUNDS_OF_MEMORY = 40
GROWTH_MB = 24  # between the tenth and the last round in one process
# Segments of eight frames, so that a kill may meet one that is done; and the network takes its time.
SLOWLY = """
import sys, time
from vidgan import cli
from vidgan.enhancing import making
from vidgan.generators.recurrent import Generator
making.SEGMENT_FRAMES = 8
folded = Generator.folded
def slow(self, frame, memory=None):
    time.sleep(0.03)
    return folded(self, frame, memory)
Generator.folded = slow
sys.exit(cli.main(sys.argv[1:]))
"""
AGAIN = """
import json, sys
from pathlib import Path
import vidgan
from vidgan import hardware
source, model, rounds = sys.argv[1:]
for number in range(int(rounds)):
    vidgan.enhance(source, Path(source).with_name("again.mkv"), model=model, scale=2, overwrite=True, duration=0.8)
    print(json.dumps(hardware.memory_mb()), flush=True)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_models(folder)
        make_video(folder / "in.mkv", 128, 96, 200)
        killed(folder, rng, options.kills)
        looped(folder, rng, options.minutes)
        flat(folder)
        left = sorted(path.name for path in folder.iterdir() if path.suffix != ".safetensors")
        assert left == ["in.mkv"], f"these files were left: {left}"
    print("no file was left behind; every promise was kept")


def killed(folder: Path, rng: random.Random, kills: int) -> None:
    """Whole runs, killed three times each on average, until so many kills met one at work."""
    words = ["enhance", "in.mkv", "out.mkv", "--model", "soak.safetensors", "--scale", "2", "--quiet"]
    program = [sys.executable, "-c", SLOWLY]
    subprocess.run([*program, *words[:2], "whole.mkv", *words[3:]], cwd=folder, check=True)
    expected = digests(folder / "whole.mkv")
    done, runs = 0, 0
    while done < kills:
        process = subprocess.Popen([*program, *words], cwd=folder)
        try:
            process.wait(rng.uniform(2, 14))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            done += 1
            if not (folder / "out.mkv").exists():
                continue
            # Killed in its last moment: the output has its name, and the hidden folder may not be gone yet.
            shutil.rmtree(folder / ".out.mkv.vidgan", ignore_errors=True)
            process = None
        runs += 1
        finish(process, folder, expected)
    subprocess.run([*program, *words, "--overwrite"], cwd=folder, check=True)
    runs += 1
    finish(None, folder, expected)
    (folder / "whole.mkv").unlink()
    print(f"{done} kills in {runs} films of {len(expected)} frames: 0 frames and 0 times differ", flush=True)


def finish(process: subprocess.Popen | None, folder: Path, expected: list[tuple[Fraction, str]]) -> None:
    assert process is None or process.returncode == 0, process.returncode
    assert digests(folder / "out.mkv") == expected, "frames or times differ from those of the undisturbed run"
    assert not (folder / ".out.mkv.vidgan").exists()
    (folder / "out.mkv").unlink()


def looped(folder: Path, rng: random.Random, minutes: float) -> None:
    until, num_frames, peaks = time.monotonic() + 60 * minutes, 0, []
    times = [when for when, _ in digests(folder / "in.mkv")]
    while time.monotonic() < until:
        # Between two frames, 0.04 s apart: at the edges it is known which are asked for.
        start, length = round(0.04 * rng.randint(0, 150) + 0.013, 3), round(0.04 * rng.randint(1, 50), 2)
        flags = [flag.format(folder=folder) for flag in rng.sample(FLAGS, rng.randint(0, 3))]
        if len({flag.split()[0] for flag in flags}) < len(flags) or any(
            refused <= set(flags) for refused in REFUSED
        ):
            continue
        place = folder / "loop"
        place.mkdir()
        words = [
            "enhance",
            folder / "in.mkv",
            place / "out.mkv",
            "--start",
            start,
            "--duration",
            length,
            "--json",
        ]
        words += [
            "--model",
            folder / "soak.safetensors",
            *" ".join([*flags, "" if "--size" in str(flags) else "--scale 2"]).split(),
        ]
        run = subprocess.run(
            [sys.executable, "-m", "vidgan", *map(str, words)], capture_output=True, text=True, check=False
        )
        assert run.returncode == 0, (words, run.stderr)
        shown = [when for when in times if start <= when < start + length]
        found = [when for when, _ in digests(place / "out.mkv")]
        assert [when - found[0] for when in found] == [when - shown[0] for when in shown], words
        expected = {"out.mkv"} | ({"out.mkv.json"} if "--sidecar" in flags else set())
        assert {path.name for path in place.iterdir()} == expected, list(place.iterdir())
        (folder / "trust.mkv").unlink(missing_ok=True)
        shutil.rmtree(place)
        num_frames += len(found)
        peaks.append(json.loads(run.stdout)["peak_memory_mb"])
    low, high = min(peaks), max(peaks)
    print(
        f"{len(peaks)} runs, {num_frames} frames, in {minutes:g} minutes: every frame at its time", flush=True
    )
    print(
        f"peak memory of a run: {low:.0f} to {high:.0f} MB (first ten to {max(peaks[:10]):.0f})", flush=True
    )


def flat(folder: Path) -> None:
    """The same in one process, again and again."""
    arguments = [str(folder / "in.mkv"), str(folder / "soak.safetensors"), str(ROUNDS_OF_MEMORY)]
    run = subprocess.run(
        [sys.executable, "-c", AGAIN, *arguments], stdout=subprocess.PIPE, text=True, check=True
    )
    held = [json.loads(line) for line in run.stdout.splitlines()]
    (folder / "again.mkv").unlink()
    settled, last = max(held[:10]), max(held[-10:])
    assert last - settled < GROWTH_MB, held
    print(f"one process, {len(held)} films: {settled:.0f} MB after ten, {last:.0f} MB at the end", flush=True)


def digests(path: Path) -> list[tuple[Fraction, str]]:
    """Each frame's second and a hash over its pixels, decoded by PyAV alone; as 4:4:4, which has odd widths, too."""
    with av.open(str(path)) as container:
        return [
            (
                frame.pts * frame.time_base,
                hashlib.sha256(np.ascontiguousarray(frame.to_ndarray(format="yuv444p"))).hexdigest(),
            )
            for frame in container.decode(video=0)
        ]


def write_models(folder: Path) -> None:
    torch.manual_seed(0)
    generator = Generator(Config(features=16, blocks=1))
    for name in ("soak", "soak-faithful"):
        checkpoint.save_generator(generator, checkpoint.card_of(generator), folder / f"{name}.safetensors")
        torch.nn.init.zeros_(generator.tail.weight)


if __name__ == "__main__":
    main()
