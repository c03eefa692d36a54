"""Weights that other projects have published: the .pth files of the Real-ESRGAN family, as generators of ours.

Such a file is a pickle, which could run anything. It is read by torch's restricted reader, which knows tensors and
plain containers and refuses everything else; nothing in it is ever called.
"""

import io
import pickle
import pickletools
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from zipfile import ZIP_STORED, ZipFile, is_zipfile

import torch
from torch import Tensor

from vidgan.errors import BadWeights

SUFFIXES = {".pth", ".pt"}
WRAPPERS = (
    "params_ema",
    "params",
    "state_dict",
    "model",
)  # what files keep their weights under, the best first
KNOWN = "The Real-ESRGAN family is known: realesr-animevideov3, realesr-general-x4v3, RealESRGAN_x4plus and their kin."
# A number in a file may be up to this, or up to the file's size where that is larger: it may be a seed or a date.
MOST_COUNTED = 1 << 31

Config = dict[str, int | float | bool]


@dataclass(frozen=True)
class Foreign:
    generator: str  # a file of generators/
    config: Config
    weights: dict[str, Tensor]


def read(path: Path) -> Foreign:
    """Raises BadWeights for a file that is damaged, holds more than tensors, or belongs to an unknown network."""
    try:
        with warnings.catch_warnings():  # of an unusual pickle: what it holds is judged below
            warnings.simplefilter("ignore")
            _check_sizes(path)
            held = torch.load(path, map_location="cpu", weights_only=True)
    except BadWeights:
        raise
    except pickle.UnpicklingError:
        raise BadWeights(
            f"{path} holds more than weights, or is damaged: opening it could run any code, and vidgan does not",
            f"Ask its maker for weights alone. {KNOWN}",
        ) from None
    except Exception as error:  # whatever a damaged pickle leads its reader to
        words = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BadWeights(f"{path} is not a file of weights ({words})", "Fetch it again.") from None
    weights = _weights(held)
    if sum(tensor.numel() * tensor.element_size() for tensor in weights.values()) > path.stat().st_size:
        raise _larger_than_itself(path)  # a tensor may be one number, shown a billion times
    for network in (_compact, _rrdb):
        if (config := network(weights)) is not None:
            return Foreign(network.__name__.removeprefix("_"), config, weights)
    names = ", ".join(list(weights)[:3]) or "no tensors"
    raise BadWeights(f"{path} is for a network that vidgan does not know (its weights: {names})", KNOWN)


def _check_sizes(path: Path) -> None:
    """Before anything is allocated: what the file says of sizes must fit into the file.

    The entries of a zip archive, which torch never compresses, may together not be larger than the file. Every whole
    number in its pickles, or in those of the older form, four in a row, may count elements of a byte or more: none may
    be larger than both the file and MOST_COUNTED. Memory of that size is not touched before the file turns out to be
    shorter.
    Raises BadWeights, and what the readers of zip archives and pickles raise.
    """
    size = path.stat().st_size
    if is_zipfile(path):
        with ZipFile(path) as archive:
            entries = archive.infolist()
            if sum(entry.file_size for entry in entries) > size:
                raise _larger_than_itself(path)
            if any(entry.compress_type != ZIP_STORED for entry in entries):
                raise _larger_than_itself(path)
            pickles = [archive.read(entry) for entry in entries if entry.filename.endswith("/data.pkl")]
        numbers = [number for data in pickles for number in _numbers(io.BytesIO(data))]
    else:
        with path.open("rb") as file:
            for _ in range(3):  # torch's mark, its version, and how numbers lie in memory
                list(pickletools.genops(file))
            numbers = list(_numbers(file))
    if max(numbers, default=0) > max(size, MOST_COUNTED):
        raise _larger_than_itself(path)


def _numbers(pickled: IO[bytes]) -> Iterator[int]:
    """Every whole number in a pickle, which is not opened."""
    return (said for _, said, _ in pickletools.genops(pickled) if isinstance(said, int))


def _larger_than_itself(path: Path) -> BadWeights:
    return BadWeights(f"{path} announces more than it holds", "Fetch it again.")


def _weights(held: object) -> dict[str, Tensor]:
    """The tensors by name, out of whatever the file wraps them in."""
    for name in WRAPPERS:
        if isinstance(held, dict) and isinstance(held.get(name), dict):
            held = held[name]
            break
    if not isinstance(held, dict):
        return {}
    return {
        str(name).removeprefix("module."): tensor
        for name, tensor in held.items()
        if isinstance(tensor, Tensor)
    }


def _compact(weights: dict[str, Tensor]) -> Config | None:
    """Layers body.0, body.1, ...: convolutions and PReLUs in turn, then a convolution to 3 S^2 channels."""
    numbers = sorted(
        int(found[1]) for name in weights if (found := re.fullmatch(r"body\.(\d+)\.weight", name))
    )
    if len(numbers) < 3 or numbers != list(range(len(numbers))) or "body.0.bias" not in weights:
        return None
    first, last = weights["body.0.weight"], weights[f"body.{numbers[-1]}.weight"]
    if (
        not _is_convolution(first)
        or not _is_convolution(last)
        or first.shape[1] != 3
        or len(numbers) % 2 == 0
    ):
        return None
    scale = round((last.shape[0] / 3) ** 0.5)
    if scale < 1 or 3 * scale**2 != last.shape[0]:
        return None
    return {"scale": scale, "features": first.shape[0], "blocks": (len(numbers) - 3) // 2}


def _rrdb(weights: dict[str, Tensor]) -> Config | None:
    blocks = {
        int(found[1]) for name in weights if (found := re.match(r"body\.(\d+)\.rdb1\.conv1\.weight", name))
    }
    first, inner = weights.get("conv_first.weight"), weights.get("body.0.rdb1.conv1.weight")
    if first is None or inner is None or not _is_convolution(first) or not _is_convolution(inner):
        return None
    scale = {3: 4, 12: 2, 48: 1}.get(first.shape[1])
    if scale is None:
        return None
    return {"scale": scale, "features": first.shape[0], "blocks": len(blocks), "growth": inner.shape[0]}


def _is_convolution(weight: Tensor) -> bool:
    """Of some size: a damaged file may hold a number, or nothing, under a layer's name."""
    return weight.ndim == 4 and min(weight.shape) > 0
