"""torch itself: pixels' channels side by side in memory, on a GPU each size of frame recorded as a CUDA graph.

A small network on a large GPU waits for the processor that starts its kernels; a recording starts them all at once. The
way is that of training/cuda_graphs.py.
"""

import copy
from collections import OrderedDict

import torch
from torch import Tensor

from vidgan import hardware
from vidgan.backends import Running, Step, running
from vidgan.generators import Memory, VideoGenerator

MOST_RECORDED = 9  # sizes of frames: a tiled picture has nine kinds of tiles at most
Key = tuple[tuple[int, ...], ...]


def is_here(device: torch.device) -> bool:
    return True


def precisions(device: torch.device) -> tuple[torch.dtype, ...]:
    quickest = hardware.quick_precision(device)
    able = (torch.float32, torch.bfloat16) if device.type == "cpu" else tuple(hardware.PRECISIONS.values())
    return quickest, *(precision for precision in able if precision is not quickest)


def load(generator: VideoGenerator, *, device: torch.device, precision: torch.dtype) -> Running:
    network = ready(generator, device=device, precision=precision)
    return running(network, _Recorded(network.folded) if device.type == "cuda" else network.folded)


def ready(generator: VideoGenerator, *, device: torch.device, precision: torch.dtype) -> VideoGenerator:
    """A copy that computes there: weights without gradients."""
    network = copy.deepcopy(generator).eval().requires_grad_(False)
    return network.to(device=device, dtype=precision, memory_format=torch.channels_last)  # type: ignore[call-overload]


class _Recorded:
    """A step, recorded the second time that it meets a frame of one size, and replayed from then on."""

    def __init__(self, step: Step) -> None:
        self._step = step
        self._met: set[Key] = set()
        self._recordings: OrderedDict[Key, _Recording] = OrderedDict()

    def __call__(self, frame: Tensor, memory: Memory | None = None) -> tuple[Tensor, Memory]:
        if memory is None:  # a shot begins: too seldom to be worth a recording
            return self._step(frame, None)
        key = tuple(tuple(part.shape) for part in (frame, *memory))
        if key not in self._met:
            self._met.add(key)
            return self._step(frame, memory)
        if key not in self._recordings:
            if len(self._recordings) == MOST_RECORDED:
                self._recordings.popitem(last=False)
            self._recordings[key] = _Recording(self._step, frame, memory)
        return self._recordings[key](frame, memory)


class _Recording:
    """The kernels of one step; its inputs and outputs stay where they were when it was recorded."""

    def __init__(self, step: Step, frame: Tensor, memory: Memory) -> None:
        self._frame, self._memory = frame.clone(), tuple(part.clone() for part in memory)
        with torch.cuda.device(frame.device):  # or another card's kernels would be recorded: none
            aside = torch.cuda.Stream()
            aside.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(aside):
                step(self._frame, self._memory)  # the libraries choose their kernels
            torch.cuda.current_stream().wait_stream(aside)
            self._graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self._graph):
                self._large, self._left = step(self._frame, self._memory)

    def __call__(self, frame: Tensor, memory: Memory) -> tuple[Tensor, Memory]:
        with torch.cuda.device(frame.device):
            self._frame.copy_(frame)
            for place, part in zip(self._memory, memory, strict=True):
                place.copy_(part)
            self._graph.replay()
            # Copies, since the next replay writes over them while this frame is still on its way out.
            return self._large.clone(), tuple(part.clone() for part in self._left)
