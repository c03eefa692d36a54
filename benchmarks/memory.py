"""Peak memory of `vidgan enhance` for a short and a ten times longer video: it must be the same.

python benchmarks/memory.py [--size 160x90] [--frames 300 3000]
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--size", default="160x90")
    parser.add_argument("--frames", type=int, nargs="+", default=[300, 3000])
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    print("| frames | peak memory, MB | frames a second | first frame, s |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for count in options.frames:
            source = Path(folder) / f"{count}.mp4"
            make_video(source, width, height, count)
            command = [sys.executable, "-m", "vidgan", "enhance", str(source), f"{folder}/out.mp4"]
            run = subprocess.run(
                [*command, "--overwrite", "--json"], capture_output=True, text=True, check=True
            )
            result = json.loads(run.stdout)
            assert result["frames"] == count, result
            cells = (count, result["peak_memory_mb"], result["fps"], result["first_frame_seconds"])
            print("|", " | ".join(map(str, cells)), "|", flush=True)


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
