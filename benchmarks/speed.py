"""From file to file: `vidgan enhance` on 180p -> 720p, part by part and whole, beside others on the same machine.

    python benchmarks/speed.py --model fast --json benchmarks/results/speed.json

All read the same H.264 file and write H.264, all with the same number of threads. Each round runs all of them, and a
matrix product and a convolution of known size, so that all see the same machine: ratios are taken within a round and
their median is the claim. vidgan is run as a user runs it, a new process each time; its fps counts from the first
frame out (start-up is reported beside it). The peers are timed in this process, their networks loaded: decode, network
and encode one after the other, since beside their networks the rest is small.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from itertools import cycle, islice
from pathlib import Path

import av
import clips
import framelifted
import numpy as np
import peers
import stages
import torch
from enhance import commit, cpu, versions

ROOT = Path(__file__).resolve().parents[1]
SAMPLE = ROOT / "examples" / "media" / "bunny.mp4"
PEER_X264 = {"preset": "veryfast", "crf": "17"}
PEERS = ("animevideov3",)  # under ncnn; x4plus takes 20 s a frame, and span is slower than animevideov3
Enlarge = Callable[[np.ndarray], np.ndarray]


def main() -> None:
    options = _options()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = folder / "source.mp4"
        size = _lengthen(options.input, source, num_frames=options.frames)
        others = _others(folder, options)
        rounds = []
        for number in range(options.rounds):
            rounds.append(_round(source, size, folder, others, options))
            print(number, rounds[-1], file=sys.stderr)
        encoder = stages.preset(source, folder / "none.mp4")
    report = {
        "input": {"file": options.input.name, "size": size, "frames": options.frames},
        "encoder": encoder,
        "peer_encoder": {"codec": "libx264", **PEER_X264},
        "model": options.model,
        "versions": versions(),
        "commit": commit(),
        "machine": {"cpu": cpu(), "threads": options.threads},
        "rounds": rounds,
    }
    print(markdown(report))
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(report, indent=1) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--input", type=Path, default=SAMPLE, help="a video of 320x180")
    parser.add_argument("--frames", type=int, default=240, help="the input is repeated to this length")
    parser.add_argument("--peer-frames", type=int, default=24, help="how many of them the peers make a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=5, help="of each bare network in a round")
    parser.add_argument("--model", default="fast")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--backend", nargs="+", default=["torch"], help="of these, file to file")
    parser.add_argument("--json", type=Path, help="write the report here")
    return parser.parse_args()


def _others(folder: Path, options: argparse.Namespace) -> dict[str, Enlarge]:
    """What other people's networks make of a picture; those that are not installed are left out, and named."""
    found: dict[str, Enlarge] = {}
    if absent := peers.missing():
        print(f"left out: ncnn's networks, for want of {', '.join(absent)}", file=sys.stderr)
    else:
        for name in PEERS:
            network = peers.Network(peers.PEERS[name], threads=options.threads)
            found[f"{name}, ncnn, fp32"] = lambda picture, network=network: peers.enlarged(network, picture)
    if framelifted.is_here() and not absent:
        found["animevideov3, framelift-video, OpenVINO"] = framelifted.enlarger(
            folder, threads=options.threads
        )
    else:
        print("left out: framelift-video, for want of it, of openvino or of ncnn's networks", file=sys.stderr)
    return found


def _round(
    source: Path, size: tuple[int, int], folder: Path, others: dict[str, Enlarge], options: argparse.Namespace
) -> dict:
    made = folder / "made.mp4"
    bare = stages.networks(options.model, size, rounds=options.steps)
    parts = stages.alone(source, made, num_frames=min(24, options.frames))
    floor = stages.floor(source, made)
    whole = {name: _ours(source, made, name, options) for name in options.backend}
    theirs = {name: _theirs(source, made, enlarge, options.peer_frames) for name, enlarge in others.items()}
    return {"networks": bare, "stages": parts, "floor_fps": floor, "vidgan": whole, "others": theirs}


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


def _ours(source: Path, made: Path, backend: str, options: argparse.Namespace) -> dict:
    made.unlink(missing_ok=True)
    command = [sys.executable, "-m", "vidgan", "enhance", str(source), str(made), "--json"]
    command += ["--model", options.model, "--threads", str(options.threads), "--backend", backend]
    started = time.perf_counter()
    threads = {"OMP_NUM_THREADS": str(options.threads)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | threads)
    elapsed_seconds = time.perf_counter() - started
    if done.returncode:
        sys.exit(done.stderr)
    result = json.loads(done.stdout)
    del result["output"]
    assert result["frames"] == options.frames, f"{result['frames']} frames of {options.frames}"
    return {**result, "wall_seconds": elapsed_seconds}


def _theirs(source: Path, made: Path, enlarge: Enlarge, num_frames: int) -> float:
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
            large = np.ascontiguousarray(enlarge(frame.to_ndarray(format="rgb24")))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(large, format="rgb24")))
        container.mux(stream.encode())
        return num_frames / (time.perf_counter() - started)


def markdown(report: dict) -> str:
    rounds, (width, height) = report["rounds"], report["input"]["size"]
    first = rounds[0]
    lines = [
        f"Commit {report['commit']}, {report['machine']['cpu']}, {report['machine']['threads']} threads, "
        f"medians of {len(rounds)} rounds; {report['encoder']}.",
        "",
        f"| {width}x{height} -> {4 * width}x{4 * height}, file to file | frames a second | vidgan is as fast, times |",
        "| --- | ---: | ---: |",
    ]
    for backend, ours in first["vidgan"].items():
        fps = _median(rounds, lambda r, b=backend: r["vidgan"][b]["fps"])
        lines.append(f"| vidgan {report['model']}, {backend}, {ours['precision']} | {fps:.2f} | |")
    quickest = max(first["vidgan"], key=lambda b: _median(rounds, lambda r: r["vidgan"][b]["fps"]))
    for name in first["others"]:
        fps = _median(rounds, lambda r, n=name: r["others"][n])
        times = _median(rounds, lambda r, n=name: r["vidgan"][quickest]["fps"] / r["others"][n])
        lines.append(f"| {name} | {fps:.2f} | {times:.2f} |")
    fps = _median(rounds, lambda r: r["floor_fps"])
    times = _median(rounds, lambda r: r["vidgan"][quickest]["fps"] / r["floor_fps"])
    lines += [f"| no network: decode, Lanczos, encode | {fps:.1f} | {times:.3f} |", ""]
    lines += ["| the bare network, or a control | ms | GFLOP/s | as fast as plain torch, times |"]
    lines += ["| --- | ---: | ---: | ---: |"]
    plain = "torch, plain fp32"
    for name in first["networks"]:
        ms = _median(rounds, lambda r, n=name: r["networks"][n]["median"])
        rate = _median(rounds, lambda r, n=name: r["networks"][n]["gflops"])
        times = _median(rounds, lambda r, n=name: r["networks"][plain]["median"] / r["networks"][n]["median"])
        own = "" if name.startswith(("control", "convolution")) else f"{times:.2f}"
        lines.append(f"| {name} | {ms:.1f} | {rate:.0f} | {own} |")
    lines += ["", "| stage, alone | ms a frame |", "| --- | ---: |"]
    for name in first["stages"]:
        ms = _median(rounds, lambda r, n=name: r["stages"][n])
        lines.append(f"| {name} | {ms:.2f} |")
    return "\n".join([*lines, "", *(_claims(rounds, backend) for backend in first["vidgan"])])


def _claims(rounds: list[dict], backend: str) -> str:
    """What the numbers of one round say of each other, by medians over rounds."""
    word = rounds[0]["vidgan"][backend]["precision"]
    name = rounds[0]["vidgan"][backend]["backend"]

    def network(round_: dict) -> dict:
        return round_["networks"][f"{name}, {word}"]

    def of_the_sum(round_: dict) -> float:
        alone = network(round_)["median"] + 1000 / round_["floor_fps"]
        return 1000 / round_["vidgan"][backend]["fps"] / alone

    def share(round_: dict) -> float:
        peaks = [
            rate["gflops"]
            for key, rate in round_["networks"].items()
            if key.endswith(word) and (key.startswith(("control", "convolution")))
        ]
        return network(round_)["gflops"] / max(peaks)

    ours = [round_["vidgan"][backend] for round_ in rounds]
    started = statistics.median(result["first_frame_seconds"] for result in ours)
    return (
        f"{backend}: a frame takes {_median(rounds, of_the_sum):.2f} times the network alone and decode, Lanczos and "
        f"encode alone together; the network reaches {100 * _median(rounds, share):.0f} % of the best matrix or "
        f"convolution rate; the first frame is out after {started:.1f} s; "
        f"peak memory {statistics.median(o['peak_memory_mb'] for o in ours):.0f} MB."
    )


def _median(rounds: list[dict], value: Callable[[dict], float]) -> float:
    return statistics.median(map(value, rounds))


if __name__ == "__main__":
    main()
