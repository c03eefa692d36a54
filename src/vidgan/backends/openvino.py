"""OpenVINO, on the processor: the extra `openvino`.

Every size of frame is compiled by itself, which takes a tenth of a second and gives quicker code than free sizes. Its
outputs are written straight into tensors of ours, and its inputs read from them: nothing is copied.
"""

from collections import OrderedDict
from functools import cache
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from vidgan import graph, hardware
from vidgan.backends import Running, running
from vidgan.errors import BadOption, MissingExtra
from vidgan.generators import Memory, VideoGenerator

MOST_COMPILED = 9  # sizes of frames: a tiled picture has nine kinds of tiles at most
HINTS = {torch.float32: "f32", torch.bfloat16: "bf16"}


def is_here(device: torch.device) -> bool:
    return device.type == "cpu" and find_spec("openvino") is not None and find_spec("onnx") is not None


def precisions(device: torch.device) -> tuple[torch.dtype, ...]:
    quickest = hardware.quick_precision(device)
    return (torch.bfloat16, torch.float32) if quickest is torch.bfloat16 else (torch.float32, torch.bfloat16)


def load(generator: VideoGenerator, *, device: torch.device, precision: torch.dtype) -> Running:
    if device.type != "cpu":
        raise BadOption(
            f"openvino does not compute on {device.type}", "Use --device cpu, or another --backend."
        )
    return running(generator, _Step(generator, precision))


def save(model: bytes, path: str) -> None:
    """Write an ONNX model and its notes as OpenVINO's own two files, path ending in .xml and its .bin beside it."""
    openvino = _openvino()
    openvino.save_model(_core().read_model(model=model), path, compress_to_fp16=False)


class Compiled:
    """A model for frames of any size, compiled for each that comes.

    model  ONNX as bytes, or the path of a file that OpenVINO reads
    """

    def __init__(self, model: bytes | str, precision: torch.dtype) -> None:
        self._openvino = _openvino()
        self._model = _core().read_model(model=model)
        self._hint = HINTS[precision]
        self._requests: OrderedDict[tuple[tuple[int, ...], ...], Any] = OrderedDict()

    def __call__(self, *given: Tensor) -> list[Tensor]:
        """The model's outputs for its inputs, in its order."""
        inputs = [part.contiguous() for part in given]
        request = self._request(tuple(tuple(part.shape) for part in inputs))
        outputs = []
        for number, part in enumerate(inputs):
            request.set_input_tensor(number, self._shared(part))
        for number, port in enumerate(request.model_outputs):
            outputs.append(torch.empty(tuple(port.shape)))
            request.set_output_tensor(number, self._shared(outputs[-1]))
        request.infer()
        return outputs

    def _shared(self, tensor: Tensor) -> Any:
        return self._openvino.Tensor(tensor.numpy(), shared_memory=True)

    def _request(self, shapes: tuple[tuple[int, ...], ...]) -> Any:
        if shapes not in self._requests:
            if len(self._requests) == MOST_COMPILED:
                self._requests.popitem(last=False)
            fixed = self._model.clone()
            fixed.reshape({port: list(shape) for port, shape in zip(fixed.inputs, shapes, strict=True)})
            settings = {
                "INFERENCE_NUM_THREADS": torch.get_num_threads(),
                "PERFORMANCE_HINT": "LATENCY",
                "INFERENCE_PRECISION_HINT": self._hint,
            }
            self._requests[shapes] = _core().compile_model(fixed, "CPU", settings).create_infer_request()
        return self._requests[shapes]


class _Step:
    def __init__(self, generator: VideoGenerator, precision: torch.dtype) -> None:
        self._run = Compiled(graph.step(generator).model, precision)  # step refuses one without a `fresh`
        self._fresh = generator.fresh

    def __call__(self, frame: Tensor, memory: Memory | None = None) -> tuple[Tensor, Memory]:
        before = self._fresh(frame) if memory is None else memory
        large, *left = self._run(frame.float(), *(part.float() for part in before))
        return large, tuple(left)


@cache
def _core() -> Any:
    """One for the process, kept to its end.

    A core gives the thread that makes it a stack of its own for signals, and takes it away where the core ends: in
    another thread's garbage collection, for one, and then the next Ctrl-C of the first thread is a crash.
    """
    return _openvino().Core()


def _openvino() -> ModuleType:
    try:
        import openvino
    except ImportError as missing:
        raise MissingExtra("openvino", "openvino") from missing
    module: ModuleType = openvino
    return module
