"""ONNX Runtime, on the processor or an NVIDIA GPU: the extra `onnx`. In float32 only.

It reads its inputs from torch's tensors and writes its outputs into new ones: nothing is copied, on either device.
"""

from importlib.util import find_spec
from types import ModuleType

import numpy as np
import torch
from torch import Tensor

from vidgan import graph
from vidgan.backends import Running, running
from vidgan.errors import BadOption, MissingExtra
from vidgan.generators import Memory, VideoGenerator

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


def is_here(device: torch.device) -> bool:
    if find_spec("onnxruntime") is None or find_spec("onnx") is None:
        return False
    return device.type == "cpu" or PROVIDERS.get(device.type) in _onnxruntime().get_available_providers()


def precisions(device: torch.device) -> tuple[torch.dtype, ...]:
    return (torch.float32,)


def load(generator: VideoGenerator, *, device: torch.device, precision: torch.dtype) -> Running:
    assert precision is torch.float32, precision
    return running(generator, _Step(generator, device))


class Session:
    """A model for frames of any size.

    model  ONNX as bytes, or the path of such a file
    """

    def __init__(self, model: bytes | str, device: torch.device) -> None:
        onnxruntime = _onnxruntime()
        provider = PROVIDERS.get(device.type)
        if provider not in onnxruntime.get_available_providers():
            raise BadOption(
                f"the installed onnxruntime does not compute on {device.type}",
                "Use --device cpu, another --backend, or install onnxruntime-gpu for CUDA.",
            )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.log_severity_level = 3  # of warnings about shapes that are free on purpose
        # Without this its threads spin between two frames, on cores that decode and encode.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        number = {"device_id": device.index or 0} if device.type == "cuda" else {}
        self._session = onnxruntime.InferenceSession(model, options, providers=[(provider, number)])
        self._device = device

    def __call__(self, outputs: dict[str, tuple[int, ...]], given: dict[str, Tensor]) -> list[Tensor]:
        """Compute the outputs, in their order.

        outputs  name -> shape
        given    name of an input -> tensor on the device
        """
        binding, index = self._session.io_binding(), self._device.index or 0
        inputs = {name: part.contiguous() for name, part in given.items()}
        made = {name: torch.empty(shape, device=self._device) for name, shape in outputs.items()}
        for bind, tensors in ((binding.bind_input, inputs), (binding.bind_output, made)):
            for name, part in tensors.items():
                kind = np.bool_ if part.dtype is torch.bool else np.float32
                bind(name, self._device.type, index, kind, tuple(part.shape), part.data_ptr())
        if self._device.type == "cuda":
            torch.cuda.current_stream(self._device).synchronize()  # it computes on a stream of its own
        self._session.run_with_iobinding(binding)
        binding.synchronize_outputs()
        return list(made.values())


class _Step:
    def __init__(self, generator: VideoGenerator, device: torch.device) -> None:
        self._graph = graph.step(generator)  # which refuses a generator without a `fresh`
        self._fresh = generator.fresh
        self._scale = generator.scale
        self._run = Session(self._graph.model, device)

    def __call__(self, frame: Tensor, memory: Memory | None = None) -> tuple[Tensor, Memory]:
        before = tuple(part.float() for part in (self._fresh(frame) if memory is None else memory))
        _, _, height, width = frame.shape
        outputs: dict[str, tuple[int, ...]] = {graph.LARGE: (1, 3 * self._scale**2, height, width)}
        outputs |= {name: tuple(part.shape) for name, part in zip(self._graph.left, before, strict=True)}
        given = {graph.FRAME: frame.float(), **dict(zip(self._graph.memories, before, strict=True))}
        large, *left = self._run(outputs, given)
        return large, tuple(left)


def _onnxruntime() -> ModuleType:
    try:
        import onnxruntime
    except ImportError as missing:
        raise MissingExtra("onnxruntime", "onnx") from missing
    module: ModuleType = onnxruntime
    return module
