"""Times that can be compared: every contender once a round, and a matrix product of known size in each round.

A machine's speed drifts with its other work. What runs in one round shares it, and the product says how much
of the machine was there: a median taken at a third of the usual matrix speed is a third of a claim.
"""

import statistics
import time
from collections.abc import Callable

import torch

from vidgan.hardware import quick_precision

SIDE = 2048  # of the control's matrices: 17.2 GFLOP


def control(dtype: torch.dtype) -> Callable[[], object]:
    """A square matrix product, to be timed beside the contenders."""
    left, right = (torch.ones(SIDE, SIDE, dtype=dtype) for _ in range(2))
    return lambda: left @ right


CONTROLS = {"control fp32": control(torch.float32), "control bf16": control(torch.bfloat16)}
if quick_precision(torch.device("cpu")) is torch.float32:
    del CONTROLS["control bf16"]  # emulated: seconds for each


def interleaved(
    contenders: dict[str, Callable[[], object]], *, rounds: int, slow: frozenset[str] = frozenset()
) -> dict[str, dict[str, float]]:
    """Milliseconds of each contender: median, quartiles, rounds. The slow run in every tenth round."""
    taken: dict[str, list[float]] = {name: [] for name in (*CONTROLS, *contenders)}
    everything = {**CONTROLS, **contenders}
    for name, run in everything.items():
        if name not in slow:
            run()  # the first call allocates and packs weights
    for round_ in range(rounds):
        for name, run in everything.items():
            if name in slow and round_ % 10:
                continue
            started = time.perf_counter()
            run()
            taken[name].append((time.perf_counter() - started) * 1000)
    found = {name: _summary(times) for name, times in taken.items()}
    for name in CONTROLS:
        found[name]["gflops"] = 2 * SIDE**3 / found[name]["median"] / 1e6
    return found


def _summary(times: list[float]) -> dict[str, float]:
    quartiles = statistics.quantiles(times, n=4) if len(times) > 1 else [times[0]] * 3
    return {"median": statistics.median(times), "q1": quartiles[0], "q3": quartiles[2], "rounds": len(times)}
