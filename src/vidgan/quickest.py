"""Which backend computes a network quickest here: a short race, its verdict kept per machine, versions and network.

Where only torch is installed there is no race and no word of one. VIDGAN_BACKEND says what auto is to be.
"""

import hashlib
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from vidgan import backends, disk, graph
from vidgan.errors import BadOption
from vidgan.generators import Memory, VideoGenerator
from vidgan.silence import ignore

WORTH = 1.1  # times as fast as torch: less is not worth another backend
ROUNDS, BUDGET_SECONDS = 5, 3.0
SMALLEST, LARGEST = 64, 256  # sides of the picture of a race
STEP_SECONDS = 0.15  # that one step of it should take, where its size can be chosen
FORMAT = 1  # of what is kept; a new one makes the old verdicts be raced for again


@dataclass(frozen=True, kw_only=True)
class Asked:
    """In the words of the command line, but for the device."""

    backend: str  # or "auto"
    precision: str
    device: torch.device


@dataclass(frozen=True, kw_only=True)
class Choice:
    backend: backends.Name
    precision: torch.dtype


def choose(
    asked: Asked,
    generator: VideoGenerator,
    *,
    size: tuple[int, int],
    weights: str,
    say: Callable[[str], None],
) -> Choice:
    """The backend that was asked for or, for auto, the quickest of those that are installed.

    size     of the small frames: width, height
    weights  a hash over the network's, by which a verdict is found again
    Raises BadOption for a backend or a precision that cannot be, MissingExtra for one that is not installed.
    """
    running = able(asked)
    if len(running) == 1:
        return next(iter(running.values()))
    if not graph.says_how_a_shot_begins(generator):
        return running["torch"]
    side = min(*size, LARGEST)
    machine = _machine(asked.device)
    numbers = {name: str(choice.precision) for name, choice in running.items()}
    key = json.dumps([FORMAT, machine, {name: _version(name) for name in running}, numbers, weights, side])
    kept = disk.cache() / "backends" / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.json"
    milliseconds = _recalled(kept, set(running))
    if milliseconds is None:
        milliseconds = race(generator, list(running.values()), asked.device, largest=side, say=say)
        _keep(kept, milliseconds, key)
    best = min(milliseconds, key=lambda name: milliseconds[name])
    times = milliseconds["torch"] / milliseconds[best]
    if best == "torch" or times < WORTH:
        return running["torch"]
    say(f"backend: {best}, {times:.1f} times as fast as torch here")
    return running[best]


def able(asked: Asked) -> dict[backends.Name, Choice]:
    """What may be chosen: the backend that was asked for or, for auto, all that are installed. Raises BadOption."""
    if asked.backend == "auto" and (named := os.environ.get("VIDGAN_BACKEND")):
        if named not in ("auto", *backends.NAMES):
            known = ", ".join(backends.NAMES)
            raise BadOption(f"VIDGAN_BACKEND={named} is not known", f"Set it to auto or one of: {known}.")
        asked = replace(asked, backend=named)
    if asked.backend != "auto":
        only = _as_asked(asked)
        return {only.backend: only}
    return {name: choice for name in backends.NAMES if (choice := _running(name, asked)) is not None}


def _as_asked(asked: Asked) -> Choice:
    name = next((known for known in backends.NAMES if known == asked.backend), None)
    if name is None:
        raise BadOption(
            f"--backend {asked.backend} is not known", f"Use auto or one of: {', '.join(backends.NAMES)}."
        )
    return Choice(backend=name, precision=backends.precision_of(name, asked.precision, asked.device))


def _running(name: backends.Name, asked: Asked) -> Choice | None:
    """A backend as it would run; None where it cannot."""
    if not backends.is_here(name, asked.device):
        return None
    try:
        precision = backends.precision_of(name, asked.precision, asked.device)
    except BadOption:
        if name == "torch":
            raise
        return None
    return Choice(backend=name, precision=precision)


def race(
    generator: VideoGenerator,
    choices: list[Choice],
    device: torch.device,
    *,
    largest: int,
    say: Callable[[str], None] = ignore,
) -> dict[backends.Name, float]:
    """Milliseconds of a step for each that computes, the median over rounds in which each has its turn.

    choices  torch first, which has to compute
    """

    def load(choice: Choice) -> backends.Running:
        return backends.load(choice.backend, generator, device=device, precision=choice.precision)

    def warmed(network: backends.Running) -> tuple[backends.Running, Memory]:
        """Two steps first: what is compiled at the first frame, and recorded at the second."""
        return network, network.folded(frame, _stepped(network, frame))[1]

    plain, *others = choices
    network = load(plain)
    side = _side(network, device, largest)
    frame = torch.rand(1, 3, side, side, device=device)
    with torch.inference_mode():
        running = {plain.backend: warmed(network)}
        for choice in others:
            try:
                running[choice.backend] = warmed(load(choice))
            except Exception as error:  # each runtime has a family of its own
                reason = str(error).splitlines()[0] if str(error) else type(error).__name__
                say(f"{choice.backend} does not compute this network here ({reason}): left out")
        seconds: dict[backends.Name, list[float]] = {name: [] for name in running}
        started = time.perf_counter()
        for _ in range(ROUNDS):
            for name, (network, memory) in running.items():
                seconds[name].append(_timed(network, frame, memory, device))
            if time.perf_counter() - started > BUDGET_SECONDS:
                break
    return {name: 1000 * statistics.median(times) for name, times in seconds.items()}


def _side(network: backends.Running, device: torch.device, largest: int) -> int:
    """Side of the square on which a step takes about STEP_SECONDS: a multiple of 16, or `largest` below SMALLEST."""
    least = min(SMALLEST, largest)
    frame = torch.rand(1, 3, least, least, device=device)
    with torch.inference_mode():
        memory = _stepped(network, frame)
        seconds = _timed(network, frame, memory, device)
    side = least * max(1.0, STEP_SECONDS / max(seconds, 1e-6)) ** 0.5
    return max(least, min(largest, int(side)) // 16 * 16)


def _stepped(network: backends.Running, frame: torch.Tensor) -> Memory:
    return network.folded(frame, None)[1]


def _timed(network: backends.Running, frame: torch.Tensor, memory: Memory, device: torch.device) -> float:
    started = time.perf_counter()
    network.folded(frame, memory)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
    return time.perf_counter() - started


def _machine(device: torch.device) -> list[object]:
    """What a verdict holds for: the processor or the card, its instructions, and the threads that it is given."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor()
    with suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        name += next(line.partition(":")[2] for line in lines if line.startswith("model name"))
    able = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    instructions = sorted(word for word, has in able.items() if has is True)
    return [platform.machine(), name, instructions, torch.get_num_threads(), device.type]


def _version(name: backends.Name) -> str:
    with suppress(PackageNotFoundError):
        return version(name)
    return "unknown"  # onnxruntime-gpu holds the same module


def _recalled(path: Path, names: set[backends.Name]) -> dict[backends.Name, float] | None:
    """An earlier race's times; None where there are none that can be used."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))["milliseconds"]
        times = {name: float(told[name]) for name in names if name in told}
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return times if "torch" in times and all(0 < time < float("inf") for time in times.values()) else None


def _keep(path: Path, milliseconds: dict[backends.Name, float], key: str) -> None:
    """For the next run; where it cannot be, that one races again."""
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with disk.replacing(path) as partial:
            partial.write_text(json.dumps({"milliseconds": milliseconds, "for": key}), encoding="utf-8")
