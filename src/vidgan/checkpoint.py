"""Weights and training states as safetensors files with a JSON header that describes them: no pickle, no partial file.

A model file holds one generator: `vidgan` in its header is a `Card` with the network's name, its Config and
the recipe. A training state holds everything that a run needs to go on.
"""

import hashlib
import math
import os
from collections.abc import Callable
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from vidgan import disk, foreign, runs, shelf
from vidgan.errors import BadWeights
from vidgan.generators import VideoGenerator, as_generator
from vidgan.recipe import Recipe

GENERATORS = "vidgan.generators"
HEADER = "vidgan"
BESIDE = "normal."  # prefix of tensors that are not weights: what anomaly.py found to be normal
JUDGE = "judge"  # the name of the generator and the discriminator that come with the package
MOST = 4096  # largest number allowed in a Config: ours are far smaller, but a header could ask for anything
ROOM = 1 << 20  # elements that a network may hold besides its weights, such as fixed kernels
PICKLES = {".pth", ".pt", ".ckpt", ".bin", ".pkl", ".pickle"}  # only foreign.py reads any of these


class Card(BaseModel):
    """The header of a model file."""

    model_config = ConfigDict(extra="ignore")

    schema_version: int = 1
    generator: str  # a file of generators/
    config: dict[str, int | float | bool]
    recipe: dict[str, Any] = {}
    results: dict[str, float] = {}
    step: int = 0
    made_of: str = ""  # the model and the shares of others that it was mixed of, where it was


def save_tensors(tensors: dict[str, Tensor], header: dict[str, str], path: Path) -> None:
    """Whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with disk.replacing(path) as partial:
        # As bytes: save_file makes files that only their owner may read.
        partial.write_bytes(
            save({name: value.contiguous() for name, value in tensors.items()}, metadata=header)
        )


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors and the header of a safetensors file. Raises BadWeights."""
    if not path.is_file():
        raise BadWeights(f"there are no weights at {path}", f"Give a .safetensors file. {_choices()}")
    if path.suffix.lower() in PICKLES:
        raise BadWeights(
            f"{path} is a pickle by its name, and opening one can run any code: vidgan does not",
            f"Give a .safetensors file. {_choices()}",
        )
    if not os.access(path, os.R_OK):
        raise BadWeights(f"{path} may not be read", "Change its permissions.")
    try:
        with safe_open(path, framework="pt") as file:
            # Copied: a tensor of a mapped file changes with it, and Windows lets nothing replace such a file.
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
            return tensors, file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise BadWeights(f"{path} is not a safetensors file ({error})", "Fetch or train it again.") from None


def save_generator(
    generator: nn.Module, card: Card, path: Path, *, dtype: torch.dtype = torch.float16
) -> None:
    """Write a model file; half precision loses nothing that can be seen."""
    tensors = {name: tensor.detach().to("cpu", dtype) for name, tensor in generator.state_dict().items()}
    save_tensors(tensors, {HEADER: card.model_dump_json()}, path)


def load_generator(model: str | Path) -> VideoGenerator:
    """A generator in float32 on the CPU, ready to run: an embedded model's name, or the path of a model file.

    A .pth of the Real-ESRGAN family will do, too; see foreign.py.

    Raises BadWeights if there is none, or if the file is damaged or belongs to another network.
    """
    path = find(model)
    if path.suffix.lower() in foreign.SUFFIXES and path.is_file():
        found = foreign.read(path)
        return as_generator(_made(found.generator, found.config, found.weights, path))
    tensors, header = load_tensors(path)
    card = read_card(header, path)
    if card.generator not in (known := shelf.names(GENERATORS)):
        raise BadWeights(
            f"{path} is for the network '{card.generator}', which this version does not have",
            f"It has: {', '.join(known)}. Use the version that the file was made with.",
        )
    weights = {name: tensor for name, tensor in tensors.items() if not name.startswith(BESIDE)}
    return as_generator(_made(card.generator, card.config, weights, path))


def load_players(state: Path) -> tuple[VideoGenerator, nn.Module]:
    """The averaged generator and the discriminator of a training state, or of a run's folder, on the CPU.

    state  or JUDGE: the two that come with the package
    Raises BadWeights where it is none, or damaged.
    """
    path = runs.state_of(state) if state.is_dir() else state
    if str(state) == JUDGE and not path.is_file():
        path = Path(str(resources.files("vidgan") / "weights" / JUDGE / f"{JUDGE}.safetensors"))
    if not path.is_file():
        raise BadWeights(
            f"there is no training state at {path}",
            f"Give a run's folder, its checkpoints/state.safetensors, or {JUDGE}.",
        )
    tensors, header = load_tensors(path)
    try:
        recipe = Recipe.model_validate_json(header.get("recipe", ""))
    except ValidationError:
        raise BadWeights(
            f"{path} is no training state: it does not say which two networks it holds",
            "Give a run's folder, or its checkpoints/state.safetensors.",
        ) from None
    below = {
        kind: {
            name.removeprefix(f"{kind}."): value
            for name, value in tensors.items()
            if name.startswith(f"{kind}.")
        }
        for kind in ("ema", "discriminator")
    }
    generator = as_generator(_made(recipe.generator.name, recipe.generator.config, below["ema"], path))
    told = recipe.discriminator
    return generator, _made(told.name, told.config, below["discriminator"], path, kind="Discriminator")


def _made(
    name: str,
    config: dict[str, int | float | bool],
    weights: dict[str, Tensor],
    path: Path,
    *,
    kind: str = "Generator",
) -> nn.Module:
    module = shelf.take(f"vidgan.{kind.lower()}s", name)
    try:
        if wrong := [number for number in config.values() if not 0 <= number <= MOST]:
            raise ValueError(f"its header asks for {wrong[0]}, and a setting is from 0 to {MOST}")
        if config.get("scale", 1) < 1:
            raise ValueError("its header asks for a scale of 0")
        with _NoMoreThan(2 * sum(tensor.numel() for tensor in weights.values()) + ROOM):
            generator: nn.Module = getattr(module, kind)(module.Config(**config))
        generator.load_state_dict({key: tensor.float() for key, tensor in weights.items()})
    except (TypeError, ValueError, RuntimeError, ArithmeticError) as error:
        raise BadWeights(
            f"{path} does not fit the network '{name}': {str(error).splitlines()[-1].strip()}",
            "It belongs to another network or version; train or fetch one for this version.",
        ) from None
    if not all(bool(weight.isfinite().all()) for weight in generator.parameters()):
        raise BadWeights(f"{path} holds numbers that are none (nan or infinity)", "Fetch or train it again.")
    return generator.eval().requires_grad_(False)


class _NoMoreThan(TorchFunctionMode):
    """Stops a network that is being made before it allocates more elements than the file has for it.

    A sketch on torch's meta device would say the sizes, too, but the first one imports for two seconds.
    """

    def __init__(self, num_elements: int) -> None:
        super().__init__()
        self._left = num_elements

    def __torch_function__(
        self, func: Callable, types: Any, args: tuple = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func in (torch.empty, torch.zeros, torch.ones):
            sizes = args[0] if args and isinstance(args[0], tuple | list) else args
            self._left -= math.prod(max(size, 0) for size in sizes)
            if self._left < 0:
                raise ValueError("its header asks for more weights than it holds")
        return func(*args, **(kwargs or {}))


def card(model: str | Path) -> Card:
    """What a model's file says of itself; an embedded model's name or a path, as find takes. Raises BadWeights."""
    _, header = load_tensors(path := find(model))
    return read_card(header, path)


def read_card(header: dict[str, str], path: Path) -> Card:
    if HEADER not in header:
        raise BadWeights(
            f"{path} is not one of vidgan's model files: its header does not say which network it is for",
            f"Give a file that vidgan has trained. {_choices()}",
        )
    try:
        return Card.model_validate_json(header[HEADER])
    except ValidationError as error:
        raise BadWeights(
            f"{path} has a damaged header: {error.errors()[0]['msg']}", "Fetch it again."
        ) from None


def find(model: str | Path) -> Path:
    """The file of an embedded model, or the path itself where it is one."""
    if (path := Path(model)).suffix or path.is_file():  # a folder that is called like a model is none
        return path
    embedded = Path(str(resources.files("vidgan") / "weights" / f"{model}.safetensors"))
    if not embedded.is_file():
        if (best := runs.weights_of(path, "best")).is_file():
            raise BadWeights(f"{path} is the folder of a training run, and no model", f"Give {best}.")
        if str(model) == JUDGE:
            raise BadWeights(
                f"{JUDGE} judges, and is no model that enlarges",
                f"It is for vidgan analyze --realism {JUDGE}.",
            )
        remedy = (
            f"{shelf.suggest(str(model), embedded_names())} Or give the path of a .safetensors or .pth file."
        )
        raise BadWeights(f"there is no model '{model}'", remedy)
    return embedded


def sha256_of_weights(generator: nn.Module) -> str:
    """Over the names and numbers, whatever file they came from."""
    digest = hashlib.sha256()
    for name, tensor in generator.state_dict().items():
        digest.update(name.encode() + tensor.float().cpu().numpy().tobytes())
    return digest.hexdigest()


def card_of(
    generator: nn.Module,
    *,
    recipe: dict[str, Any] | None = None,
    results: dict[str, float] | None = None,
    step: int = 0,
    made_of: str = "",
) -> Card:
    """The card of a generator from our shelf."""
    return Card(
        generator=type(generator).__module__.removeprefix(f"{GENERATORS}."),
        config=asdict(generator.config),  # type: ignore[call-overload]
        recipe=recipe or {},
        results=results or {},
        step=step,
        made_of=made_of,
    )


def embedded_names() -> list[str]:
    """The models that come with this installation."""
    folder = Path(str(resources.files("vidgan") / "weights"))
    return sorted(file.stem for file in folder.glob("*.safetensors"))


def _choices() -> str:
    return f"Or name a model that comes with vidgan: {', '.join(embedded_names()) or 'none does here'}."
