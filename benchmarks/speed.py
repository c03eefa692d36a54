"""From file to file: frames a second of `vidgan enhance` on 180p -> 720p, beside animevideov3 under ncnn.

    python benchmarks/speed.py --model fast --json benchmarks/results/speed.json

Both read the same H.264 file and write H.264. Each round runs both, and a matrix product of known size, so
that all see the same machine. vidgan is run as a user runs it, a new process each time; its fps counts from
the first frame out (start-up is reported beside it). The peer is timed in this process, its network loaded:
decode, network and encode one after the other, since beside its network the rest is small.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from itertools import cycle, islice
from pathlib import Path

import av
import clips
import numpy as np
import peers
import timing
import torch
from enhance import commit, cpu, versions

ROOT = Path(__file__).resolve().parents[1]
SAMPLE = ROOT / "examples" / "media" / "bunny.mp4"
PEER_X264 = {"preset": "veryfast", "crf": "17"}


def main() -> None:
    options = _options()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source.mp4"
        size = _lengthen(options.input, source, num_frames=options.frames)
        network = peers.Network(peers.PEERS["animevideov3"], threads=options.threads)
        rounds = []
        for number in range(options.rounds):
            ours = _ours(source, Path(folder) / f"ours{number}.mp4", options)
            theirs = _theirs(source, Path(folder) / f"theirs{number}.mp4", network, options.peer_frames)
            control = timing.interleaved({}, rounds=5)
            rounds.append(
                {
                    "vidgan_fps": ours["fps"],
                    "vidgan_first_frame_seconds": ours["first_frame_seconds"],
                    "vidgan_whole_seconds": ours["wall_seconds"],
                    "peer_fps": theirs,
                    **{f"{name} gflops": found["gflops"] for name, found in control.items()},
                }
            )
            print(rounds[-1], file=sys.stderr)
    report = {
        "input": {"file": options.input.name, "size": size, "frames": options.frames},
        "peer_encoder": {"codec": "libx264", **PEER_X264},
        "vidgan": {key: ours[key] for key in ("model", "device", "precision", "width", "height")},
        "versions": versions(),
        "commit": commit(),
        "machine": {"cpu": cpu(), "threads": options.threads},
        "rounds": rounds,
        "median": {key: statistics.median(round_[key] for round_ in rounds) for key in rounds[0]},
    }
    # Each round is one comparison on one state of the machine; the median of those is the claim.
    report["times_the_peer"] = statistics.median(r["vidgan_fps"] / r["peer_fps"] for r in rounds)
    print(markdown(report))
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(report, indent=1) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--input", type=Path, default=SAMPLE, help="a video of 320x180")
    parser.add_argument("--frames", type=int, default=240, help="the input is repeated to this length")
    parser.add_argument("--peer-frames", type=int, default=24, help="how many of them the peer makes a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--model", default="fast")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, help="write the report here")
    return parser.parse_args()


def _lengthen(sample: Path, longer: Path, *, num_frames: int) -> tuple[int, int]:
    """Write the sample again and again, num_frames in all, visually lossless; gives (width, height)."""
    with av.open(str(sample)) as container:
        pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    height, width = pictures[0].shape[:2]
    with av.open(str(longer), "w") as container:
        stream = container.add_stream("libx264", rate=24, options={"crf": "12", "preset": "medium"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for picture in islice(cycle(pictures), num_frames):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return width, height


def _ours(source: Path, made: Path, options: argparse.Namespace) -> dict:
    command = [sys.executable, "-m", "vidgan", "enhance", str(source), str(made), "--json"]
    command += ["--model", options.model, "--threads", str(options.threads)]
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    elapsed_seconds = time.perf_counter() - started
    if done.returncode:
        sys.exit(done.stderr)
    result = json.loads(done.stdout)
    assert result["frames"] == options.frames, f"{result['frames']} frames of {options.frames}"
    return {**result, "wall_seconds": elapsed_seconds}


def _theirs(source: Path, made: Path, network: peers.Network, num_frames: int) -> float:
    """Frames a second, after one frame that packs the weights and is not counted."""
    with av.open(str(source)) as given, av.open(str(made), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(24), options=PEER_X264)
        small = given.streams.video[0]
        stream.width, stream.height = small.width * clips.SCALE, small.height * clips.SCALE
        stream.pix_fmt = "yuv420p"
        started = 0.0
        for number, frame in enumerate(islice(given.decode(video=0), num_frames + 1)):
            if number == 1:
                started = time.perf_counter()
            large: np.ndarray = peers.enlarged(network, frame.to_ndarray(format="rgb24"))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(large, format="rgb24")))
        container.mux(stream.encode())
        return num_frames / (time.perf_counter() - started)


def markdown(report: dict) -> str:
    median, (width, height) = report["median"], report["input"]["size"]
    ours = report["vidgan"]
    controls = [f"{median[key]:.0f} {key}" for key in median if "control" in key]
    return "\n".join(
        [
            f"Commit {report['commit']}, {report['machine']['cpu']}, {report['machine']['threads']} threads, "
            f"medians of {len(report['rounds'])} rounds; {', '.join(controls)}.",
            "",
            f"| {width}x{height} -> {ours['width']}x{ours['height']}, file to file | frames a second |",
            "| --- | ---: |",
            f"| vidgan {ours['model']}, {ours['precision']} | {median['vidgan_fps']:.1f} |",
            f"| realesr-animevideov3 under ncnn, fp32 | {median['peer_fps']:.2f} |",
            "",
            f"{report['times_the_peer']:.1f} times the peer; the first frame is out after "
            f"{median['vidgan_first_frame_seconds']:.1f} s.",
        ]
    )


if __name__ == "__main__":
    main()
