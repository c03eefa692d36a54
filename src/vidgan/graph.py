"""A generator as an ONNX graph: a frame a call, of any size, with what it remembers handed in and handed out.

Traced, not compiled: what the networks on the shelf do with sizes (folding, repeated edges) is traced as arithmetic on
the picture's own height and width, provided that the sample's sides make every such branch happen. The tracing exporter
needs the package onnx alone; torch's newer one needs two more. Opset 17 is what runtimes of 2022 read already.

Letters: H W height and width of the small frame, S scale, M what one frame leaves for the next.
"""

import copy
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidgan.errors import BadOption, MissingExtra
from vidgan.generators import VideoGenerator
from vidgan.words import one

OPSET = 17
SAMPLE = 37, 51  # odd, and no multiples of any fold, so that edges are repeated while the tracer looks
FRAME, BEGINS, LARGE = "frame", "begins", "large"


@dataclass(frozen=True, kw_only=True)
class Graph:
    """An ONNX file, and how it is called."""

    model: bytes
    memories: tuple[str, ...]  # inputs, each (1, any, H / fold, W / fold); none for a network without memory
    left: tuple[str, ...]  # the outputs that become them with the next frame


def step(generator: VideoGenerator) -> Graph:
    """Generator.folded: frame (1, 3, H, W), M -> large (1, 3 * S * S, H, W), unclamped, M. For the backends."""
    return _traced(generator, _Step)


def film(generator: VideoGenerator, notes: dict[str, str]) -> Graph:
    """For other programs: frame (1, 3, H, W), begins, M -> large (1, 3, H * S, W * S), both in [0, 1], and the next M.

    begins  true where a shot begins: then M may hold any finite numbers of the right shape
    A network without memory has neither begins nor M.
    notes   become the file's metadata
    """
    onnx = _onnx()
    graph = _traced(generator, _Film)
    model = onnx.load_from_string(graph.model)
    onnx.helper.set_model_props(model, notes)
    large = next(value for value in model.graph.output if value.name == LARGE)
    for dim, size in zip(large.type.tensor_type.shape.dim, (1, 3), strict=False):
        dim.dim_value = size  # which the tracer did not see behind the unfolding
    model.producer_name, model.producer_version = "vidgan", notes.get("vidgan", "")
    onnx.checker.check_model(model, full_check=True)
    return Graph(model=model.SerializeToString(), memories=graph.memories, left=graph.left)


class _Step(nn.Module):
    def __init__(self, generator: VideoGenerator) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, frame: Tensor, *memory: Tensor) -> tuple[Tensor, ...]:
        large, left = self.generator.folded(frame, memory)
        return large, *left


class _Film(nn.Module):
    def __init__(self, generator: VideoGenerator) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, frame: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        network, memory = self.generator, state[1:]
        if memory:
            fresh = network.fresh(frame)
            moved = network.moved(memory, frame)
            memory = tuple(torch.where(state[0], *pair) for pair in zip(fresh, moved, strict=True))
        large, left = network.folded(frame, memory)
        return F.pixel_shuffle(large, network.scale).clamp(0, 1), *left


def says_how_a_shot_begins(generator: VideoGenerator) -> bool:
    """Whether it has a `fresh`, which a graph takes: a network of the user's own can do without, on torch."""
    return hasattr(generator, "fresh")


def _traced(generator: VideoGenerator, wrapper: "type[_Step | _Film]") -> Graph:
    _onnx()
    if not says_how_a_shot_begins(generator):
        raise BadOption(
            f"{one(type(generator).__name__)} has no 'fresh', the memory that a shot begins with",
            "Use a generator from vidgan's shelf; to enhance with this one, --backend torch.",
        )
    generator = copy.deepcopy(generator).eval()  # it may be in the middle of its training
    wrapped = wrapper(generator)
    frame = torch.rand(1, 3, *SAMPLE)
    with torch.no_grad():
        memory = tuple(part.clone() for part in generator.fresh(frame))
    memories = tuple(f"memory_{number}" for number in range(len(memory)))
    left = tuple(f"{name}_next" for name in memories)
    has_shots = isinstance(wrapped, _Film) and bool(memory)
    inputs = [FRAME, *([BEGINS] if has_shots else []), *memories]
    given = (frame, *([torch.tensor(False)] if has_shots else []), *memory)
    scale = generator.scale if isinstance(wrapped, _Film) else 1
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(), torch.no_grad():
        # Of branches on the sample's size, and that this exporter is the older one.
        warnings.simplefilter("ignore")
        file = Path(folder) / "traced.onnx"
        torch.onnx.export(
            wrapped,
            given,
            str(file),
            dynamo=False,
            opset_version=OPSET,
            input_names=inputs,
            output_names=[LARGE, *left],
            dynamic_axes=_axes(memories, left, fold=generator.fold, scale=scale),
        )
        return Graph(model=file.read_bytes(), memories=memories, left=left)


def _axes(
    memories: tuple[str, ...], left: tuple[str, ...], *, fold: int, scale: int
) -> dict[str, dict[int, str]]:
    """The names of the sides that are free."""
    names = {FRAME: "", LARGE: f" * {scale}" if scale > 1 else ""}
    names |= dict.fromkeys((*memories, *left), f" / {fold}" if fold > 1 else "")
    return {name: {2: f"height{how}", 3: f"width{how}"} for name, how in names.items()}


def _onnx() -> ModuleType:
    try:
        import onnx
        import onnx.checker
        import onnx.helper
    except ImportError as missing:
        raise MissingExtra("onnx", "onnx") from missing
    module: ModuleType = onnx
    return module
