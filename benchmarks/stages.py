"""The parts of `vidgan enhance`, each alone: the network under every runtime, the machine's rates, the other stages.

Letters: H W height and width of the small frame.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import timing
import torch
import torch.nn.functional as F
from torch import nn

from vidgan import backends, checkpoint, geometry, hardware, pixels, stream, video
from vidgan.geometry import Map
from vidgan.shots import CutDetector

CPU = torch.device("cpu")
Writer = video.Writer


def networks(model: str, size: tuple[int, int], *, rounds: int) -> dict[str, dict[str, float]]:
    """Milliseconds of one step on a frame that follows another, each runtime in its turn; and controls.

    size  (W, H). What cannot run here is left out.
    """
    generator = checkpoint.load_generator(model)
    width, height = size
    frame = torch.rand(1, 3, height, width)
    contenders = {"torch, plain fp32": _step(generator, frame)}
    for name in backends.NAMES:
        if not backends.is_here(name, CPU):
            continue
        quickest = backends.precision_of(name, "auto", CPU)
        for precision in dict.fromkeys((torch.float32, quickest)):
            running = backends.load(name, generator, device=CPU, precision=precision)
            word = next(key for key, value in hardware.PRECISIONS.items() if value is precision)
            contenders[f"{name}, {word}"] = _step(running, frame)
    peaks = {f"convolution {word}": _convolution(word, size) for word in _words()}
    found = timing.interleaved({**peaks, **contenders}, rounds=rounds)
    gflop = stream.gflop_per_pixel(generator) * width * height
    for name, times in found.items():
        if name in contenders:
            times["gflops"] = gflop / times["median"] * 1e3
        elif name in peaks:
            times["gflops"] = 2 * 9 * 48 * 48 * width * height / times["median"] / 1e6
    return found


def _words() -> list[str]:
    return ["fp32"] + ["bf16"] * (hardware.quick_precision(CPU) is torch.bfloat16)


def _step(network: nn.Module | backends.Running, frame: torch.Tensor) -> Callable[[], object]:
    with torch.inference_mode():
        memory = network.folded(frame, network.folded(frame, None)[1])[1]

    def step() -> None:
        with torch.inference_mode():
            network.folded(frame, memory)

    return step


def _convolution(word: str, size: tuple[int, int]) -> Callable[[], object]:
    """3x3 over 48 features, as most of `fast` is, in the layout that runs fastest."""
    dtype = hardware.PRECISIONS[word]
    picture = torch.rand(1, 48, size[1], size[0]).to(dtype).contiguous(memory_format=torch.channels_last)
    weight = torch.rand(48, 48, 3, 3).to(dtype).contiguous(memory_format=torch.channels_last)

    def run() -> None:
        with torch.inference_mode():
            F.conv2d(picture, weight, padding=1)

    return run


def alone(path: Path, made: Path, *, num_frames: int) -> dict[str, float]:
    """Milliseconds a frame of each stage but the network, one at a time in this thread: medians; the encoder's mean."""
    source = video.probe(path)
    plan, window = _plan(source)
    taken: dict[str, list[float]] = {}

    def timed(name: str, work: Callable[[], object]) -> object:
        started = time.perf_counter()
        result = work()
        taken.setdefault(name, []).append(1000 * (time.perf_counter() - started))
        return result

    pictures = _writer(made, source, plan).pictures()
    decoded, cuts = video.read(source), CutDetector()
    encoder, folded = pictures.coding.new_encoder(), None
    for number in range(num_frames):
        frame = timed("decode, to RGB", lambda: next(decoded))
        timed("look for cuts", lambda frame=frame: cuts.begins_shot(frame.pixels))
        small = timed("to floats", lambda frame=frame: pixels.as_tensor(frame.pixels))
        if folded is None:
            folded = F.pixel_unshuffle(F.interpolate(small, scale_factor=4, mode="bicubic"), 4)
            folded = folded.contiguous(memory_format=torch.channels_last)
            pictures.begin(frame.seconds)
        picture = timed(
            "round, render", lambda folded=folded: stream.rendered(folded, plan, window, np.dtype(np.uint8))
        )
        moved = np.roll(
            picture.transpose(2, 0, 1), 2 * number, axis=2
        )  # a film that stands still codes for nothing
        large = replace(frame, pixels=moved.transpose(1, 2, 0))
        coded = timed("to YUV", lambda large=large: pictures.of(large))
        timed("encode", lambda coded=coded: encoder.encode(coded))
    timed("encode", lambda: encoder.encode(None))
    found = {name: statistics.median(times) for name, times in taken.items()}
    return found | {"encode": sum(taken["encode"]) / num_frames}


def floor(path: Path, made: Path) -> float:
    """Frames a second of decoding, FFmpeg's Lanczos, and encoding as `vidgan enhance` does: no network at all."""
    import av

    source = video.probe(path)
    plan, _ = _plan(source)
    coding = _writer(made, source, plan).pictures().coding
    with av.open(str(path)) as given, av.open(str(made), "w") as container:
        small = given.streams.video[0]
        small.thread_type = "AUTO"
        coded = container.add_stream("libx264", rate=small.average_rate, options=dict(coding.choice.options))
        coded.width, coded.height, coded.pix_fmt = plan.width, plan.height, coding.choice.pixel_format
        started, count = time.perf_counter(), 0
        for frame in given.decode(small):
            large = frame.reformat(
                plan.width, plan.height, coding.choice.pixel_format, interpolation="LANCZOS"
            )
            container.mux(coded.encode(large))
            count += 1
        container.mux(coded.encode())
    return count / (time.perf_counter() - started)


def preset(path: Path, made: Path) -> str:
    """The encoder and its settings, as `vidgan enhance` chooses them."""
    source = video.probe(path)
    choice = _writer(made, source, _plan(source)[0]).pictures().coding.choice
    return " ".join((choice.encoder, *(f"{key} {value}" for key, value in choice.options.items())))


def _plan(source: video.Source) -> tuple[Map, stream.Window]:
    plan = geometry.plan(geometry.Wish(), source, multiple=(2, 2), default_scale=4)
    return plan, plan.window(14)


def _writer(made: Path, source: video.Source, plan: Map) -> Writer:
    return video.Writer(
        made,
        source=source,
        width=plan.width,
        height=plan.height,
        encoding=video.Encoding(),
        orientation=plan.orientation,
        start=0.0,
        duration=None,
        overwrite=True,
        say=lambda line: None,
        metadata={},
    )
