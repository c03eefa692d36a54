"""`vidgan export MODEL OUTPUT`: a network as a file that runs without vidgan, held against the network itself.

Or as one of vidgan's own, with the shares of other weights mixed in: a model like any other from then on.
The file is written and run in a hidden folder beside its place, and gets its name when it is whole and right.
"""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidgan import __version__, blending, checkpoint, foreign, graph, stream
from vidgan.backends import onnxruntime, openvino
from vidgan.backends.torch import ready
from vidgan.errors import BadOption, BadOutput
from vidgan.generators import VideoGenerator
from vidgan.words import one

OURS = ".safetensors"
SUFFIXES = (".onnx", ".xml", OURS)
CPU = torch.device("cpu")
SIZES = (48, 64), (35, 61)  # height, width of the pictures that it is tried on; even, and odd
TOLERANCE = 0.05 / 255  # a twentieth of a code value
HALF_TOLERANCE = 0.5 / 255  # of weights in half precision: a vidgan model's
Run = Callable[[Tensor, bool, list[Tensor]], list[Tensor]]  # frame, whether a shot begins, memory


@dataclass(frozen=True, kw_only=True)
class Options:
    model: str | Path
    output: Path
    fidelity: float | None = None
    restore: float = 0.0
    overwrite: bool = False
    quiet: bool = False


@dataclass(frozen=True, kw_only=True)
class Exported:
    output: str
    scale: int
    memories: tuple[str, ...]  # inputs of a graph; the output of each is called like it, with _next
    checked_by: str | None  # the runtime, torch for a model; None where none is installed that reads the file
    largest_difference: float | None  # in code values of 255


def run(options: Options, generator: nn.Module | None = None) -> Exported:
    """Write the file; a generator takes the model's place. Raises VidganError, and leaves what was there."""
    _check_place(options)
    origin = _origin(options) if generator is None else None
    if generator is not None:
        blending.check_alone(options.fidelity, options.restore)
    else:
        generator = blending.load(options.model, fidelity=options.fidelity, restore=options.restore)
    # A copy: theirs stays as it is.
    network = ready(stream.checked(generator), device=CPU, precision=torch.float32)
    with tempfile.TemporaryDirectory(prefix=f".{options.output.name}.", dir=options.output.parent) as folder:
        # OpenVINO writes under no name in capitals.
        path = Path(folder) / f"{options.output.stem}{options.output.suffix.lower()}"
        if path.suffix == OURS:
            tried = _model(options, network, path, origin)
        else:
            tried = _graph(options, network, path)
        _name(path, options.output)
    exported = Exported(
        output=str(options.output),
        scale=network.scale,
        memories=tried.memories,
        checked_by=tried.by,
        largest_difference=None if tried.difference is None else round(255 * tried.difference, 6),
    )
    if not options.quiet:
        _say(exported)
    return exported


class _Tried(NamedTuple):
    memories: tuple[str, ...]
    by: str | None
    difference: float | None  # of a range of 1


def _graph(options: Options, network: VideoGenerator, path: Path) -> _Tried:
    """Write what others run, and run it."""
    made = graph.film(network, _notes(options, network))
    with _writing(options.output):
        if path.suffix == ".xml":
            openvino.save(made.model, str(path))
        else:
            path.write_bytes(made.model)
    return _Tried(made.memories, *_check(path, network, made))


def _origin(options: Options) -> checkpoint.Card | None:
    """What the model's file says of itself; nothing where it is of others."""
    path = checkpoint.find(options.model)
    return None if path.suffix.lower() in foreign.SUFFIXES else checkpoint.card(path)


def _model(options: Options, network: VideoGenerator, path: Path, origin: checkpoint.Card | None) -> _Tried:
    """Write a model of vidgan's own, in half precision as all are, and see how far its pictures are from these."""
    if not type(network).__module__.startswith(checkpoint.GENERATORS):
        raise BadOption(
            f"{one(type(network).__name__)} is none of vidgan's networks, and no {OURS} could name it",
            "Export it as .onnx.",
        )
    recipe, step = (origin.recipe, origin.step) if origin else ({}, 0)
    card = checkpoint.card_of(network, recipe=recipe, step=step, made_of=_made_of(options))
    with _writing(options.output):
        checkpoint.save_generator(network, card, path)
    again = ready(checkpoint.load_generator(path), device=CPU, precision=torch.float32)
    clips = (torch.stack(_scene(size), 1) for size in SIZES)
    with torch.no_grad():
        largest = max(float((again(clip) - network(clip)).abs().max()) for clip in clips)
    if not largest <= HALF_TOLERANCE:
        raise BadOutput(
            f"in half precision the network gives other pixels, by {255 * largest:.2g} code values",
            "Nothing was written. Export it as .onnx, which keeps its precision.",
        )
    return _Tried((), "torch", largest)


@contextmanager
def _writing(output: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BadOutput(
            f"{output} could not be written: {error.strerror or error}", "Check the space on the disk."
        ) from None


def _say(exported: Exported) -> None:
    near = f"within {exported.largest_difference or 0:.2g} code values"
    if Path(exported.output).suffix.lower() == OURS:
        print(f"{exported.output}: x{exported.scale}, a model of vidgan's own; in half precision {near}")
        return
    remembers = f"its memory in {', '.join(exported.memories)}" if exported.memories else "without a memory"
    print(f"{exported.output}: x{exported.scale}, frames of any size, {remembers}")
    if exported.checked_by is None:
        print("not tried: no onnxruntime and no openvino is installed")
    else:
        print(f"tried with {exported.checked_by}: {near} of torch")


def _check_place(options: Options) -> None:
    output = options.output
    if output.suffix.lower() not in SUFFIXES:
        raise BadOption(f"{output} is no name for a network", f"End it in {' or '.join(SUFFIXES)}.")
    if output.is_dir():
        raise BadOutput(f"{output} is a folder", "Name a file.")
    if not output.parent.is_dir():
        raise BadOutput(f"there is no folder {output.parent}", "Create it first.")
    beside = [output.with_suffix(".bin")] if output.suffix.lower() == ".xml" else []
    there = [place for place in (output, *beside) if place.exists()]
    if there and not options.overwrite:
        raise BadOutput(f"{there[0]} exists already", "Add --overwrite, or choose another name.")
    if output.exists() and Path(options.model).exists() and output.samefile(options.model):
        raise BadOutput(f"{output} is the model itself", "Choose another name.")
    if not os.access(output.parent, os.W_OK):
        raise BadOutput(f"{output.parent} may not be written to", "Choose another folder.")


def _made_of(options: Options) -> str:
    shares = [("restore", options.restore or None), ("fidelity", options.fidelity)]
    told = (f"{word} {share:g}" for word, share in shares if share is not None)
    return ", ".join([Path(options.model).name, *told])


def _notes(options: Options, network: VideoGenerator) -> dict[str, str]:
    """What the file says of itself."""
    known = Path(options.model).name in checkpoint.embedded_names()
    return {
        "vidgan": __version__,
        "model": _made_of(options),
        "weights": checkpoint.sha256_of_weights(network),
        "licence": "Apache-2.0" if known else "that of the weights it was made from",
        "scale": str(network.scale),
        "fold": str(network.fold),
        "use": (
            "frame: (1, 3, height, width), RGB in 0..1; large: the same, larger. memory_N: of the frame before, its "
            "memory_N_next, (1, any, height / fold, width / fold) rounded up; while begins is true, as it is for a "
            "video's first frame and for the first after a cut, any finite numbers will do."
        ),
    }


def _name(path: Path, output: Path) -> None:
    """Give the whole file its name; OpenVINO's weights first, without which its .xml is nothing."""
    try:
        weights = path.with_suffix(".bin")
        if weights.exists():
            os.replace(weights, output.with_suffix(".bin"))
        os.replace(path, output)
    except OSError as error:
        raise BadOutput(
            f"{output} could not be written: {error.strerror or error}", "Choose another name."
        ) from None


def _check(path: Path, network: VideoGenerator, made: graph.Graph) -> tuple[str | None, float | None]:
    """Run the file beside the network: which runtime did, and the largest difference of a pixel or of what is left."""
    if path.suffix == ".onnx" and onnxruntime.is_here(CPU):
        name, run = "onnxruntime", _under_onnxruntime(path, made, network.scale)
    elif openvino.is_here(CPU):
        name, run = "openvino", _under_openvino(path)
    else:
        return None, None
    largest = max(_apart(network, run, size) for size in SIZES)
    if not largest <= TOLERANCE:
        raise BadOutput(
            f"under {name} the network gives other pixels than under torch, by {255 * largest:.2g} code values",
            "Nothing was written. Please report it, with the versions of both.",
        )
    return name, largest


def _scene(size: tuple[int, int]) -> list[Tensor]:
    """Four frames of a scene that moves. In noise a rounding error would decide where a piece seems to come from."""
    height, width = size
    chance = torch.Generator().manual_seed(0)
    coarse = torch.rand(1, 3, height // 4 + 3, width // 4 + 3, generator=chance)
    scene = F.interpolate(coarse, scale_factor=4, mode="bilinear")
    return [scene[..., number : number + height, 2 : 2 + width] for number in range(4)]


def _apart(network: VideoGenerator, run: Run, size: tuple[int, int]) -> float:
    """Over four frames, with a shot that begins at the third."""
    largest = 0.0
    memory: tuple[Tensor, ...] = ()
    left: list[Tensor] = []
    chance = torch.Generator().manual_seed(0)
    for number, frame in enumerate(_scene(size)):
        memory = network.moved(memory, frame) if number % 2 else network.fresh(frame)
        left = left or [torch.rand(part.shape, generator=chance) for part in memory]
        with torch.no_grad():
            folded, memory = network.folded(frame, memory)
        expected = F.pixel_shuffle(folded, network.scale).clamp(0, 1)
        large, *left = run(frame, number % 2 == 0, left)
        pairs = zip((large, *left), (expected, *memory), strict=True)
        largest = max(largest, *(float((found - right).abs().max()) for found, right in pairs))
    return largest


def _under_onnxruntime(path: Path, made: graph.Graph, scale: int) -> Run:
    session = onnxruntime.Session(str(path), CPU)

    def run(frame: Tensor, begins: bool, memory: list[Tensor]) -> list[Tensor]:
        _, _, height, width = frame.shape
        outputs: dict[str, tuple[int, ...]] = {graph.LARGE: (1, 3, height * scale, width * scale)}
        outputs |= {name: tuple(part.shape) for name, part in zip(made.left, memory, strict=True)}
        given = {graph.FRAME: frame, **dict(zip(made.memories, memory, strict=True))}
        if made.memories:
            given[graph.BEGINS] = torch.tensor(begins)
        return session(outputs, given)

    return run


def _under_openvino(path: Path) -> Run:
    compiled = openvino.Compiled(str(path), torch.float32)

    def run(frame: Tensor, begins: bool, memory: list[Tensor]) -> list[Tensor]:
        return compiled(frame, *([torch.tensor(begins)] if memory else []), *memory)

    return run
