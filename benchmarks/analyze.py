"""Speed and peak memory of `vidgan analyze` with a page, for a short and a ten times longer video.

python benchmarks/analyze.py [--size 640x360] [--frames 300 3000] [--realism RUN] [--normal MODEL]

Memory must be the same but for the numbers kept of each frame. Other work on the machine slows the clock, not the
processor's own time: both are told.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from vidgan.video import decode_all

SAMPLE = Path(__file__).resolve().parent.parent / "examples" / "media" / "bunny.mp4"
RUN = """
import json, sys, time
import vidgan
from vidgan import hardware
options = json.loads(sys.argv[1])
started, before = time.perf_counter(), time.process_time()
found = vidgan.analyze(**options)
elapsed, worked = time.perf_counter() - started, time.process_time() - before
print(json.dumps([len(found.times), elapsed, worked, hardware.peak_memory_mb()]))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--size", default="640x360")
    parser.add_argument("--frames", type=int, nargs="+", default=[300, 3000])
    parser.add_argument("--realism")
    parser.add_argument("--normal")
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    print("| frames | frames a second | processor, ms a frame | peak memory, MB |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for count in options.frames:
            source = Path(folder) / f"{count}.mp4"
            make_video(source, width, height, count)
            told = {"video": str(source), "report": f"{folder}/out.html"}
            told |= {name: getattr(options, name) for name in ("realism", "normal") if getattr(options, name)}
            command = [sys.executable, "-c", RUN, json.dumps(told)]
            run = subprocess.run(command, capture_output=True, text=True, check=True)
            seen, elapsed, worked, memory = json.loads(run.stdout)
            assert seen == count, seen
            print(f"| {count} | {count / elapsed:.1f} | {1000 * worked / count:.1f} | {memory} |", flush=True)


def make_video(path: Path, width: int, height: int, count: int) -> None:
    """The sample, to and fro, enlarged to the size."""
    sample = decode_all(SAMPLE)
    rows = np.arange(height) * sample.shape[1] // height
    columns = np.arange(width) * sample.shape[2] // width
    order = [*range(len(sample)), *range(len(sample) - 2, 0, -1)]
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"preset": "veryfast", "crf": "20"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.time_base = Fraction(1, 25)
        for index in range(count):
            picture = sample[order[index % len(order)]][rows][:, columns]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))


if __name__ == "__main__":
    main()
