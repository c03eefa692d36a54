"""What must be remembered at the end of a segment, so that the next one is what it would have been: in safetensors."""

from dataclasses import dataclass
from json import dumps, loads
from pathlib import Path

import torch
from torch import Tensor

from vidgan import checkpoint, disk
from vidgan.shots import CutDetector
from vidgan.stream import Upscaler

HEADER = "remembered"


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Of every network that sees the frames, and of what looks for cuts.

    tensors  "0.1" is the second tensor of the first network; "cuts" the last frame, small
    told     what is no tensor, ready for JSON
    """

    tensors: dict[str, Tensor]
    told: dict[str, object]


def remembered(networks: list[Upscaler], cuts: CutDetector) -> Memory:
    tensors: dict[str, Tensor] = {}
    strides: list[list[tuple[int, ...]] | None] = []
    for number, network in enumerate(networks):
        before = network.memory
        tensors |= {f"{number}.{place}": part.cpu() for place, part in enumerate(before or ())}
        strides.append(None if before is None else [part.stride() for part in before])
    small, change = cuts.remembered
    if small is not None:
        tensors["cuts"] = torch.from_numpy(small)
    told: dict[str, object] = {
        "strides": strides,
        "tiles": [network.tile for network in networks],
        "change": change.hex(),
    }
    return Memory(tensors=tensors, told=told)


def save(memory: Memory, path: Path) -> str:
    """Write it, safe on the disk; gives the file's SHA-256."""
    checkpoint.save_tensors(memory.tensors, {HEADER: dumps(memory.told)}, path)
    return disk.sha256(path)


def restore(path: Path, networks: list[Upscaler], cuts: CutDetector) -> None:
    """Give it back to networks and detector of the same kind."""
    tensors, header = checkpoint.load_tensors(path)
    told = loads(header[HEADER])
    for number, (network, strides) in enumerate(zip(networks, told["strides"], strict=True)):
        network.tile = _smaller(network.tile, told["tiles"][number])
        network.memory = None
        if strides is not None:
            parts = (tensors[f"{number}.{place}"] for place in range(len(strides)))
            device = network.settings.device
            network.memory = tuple(_laid_out(*pair, device) for pair in zip(parts, strides, strict=True))
    small = tensors["cuts"].numpy() if "cuts" in tensors else None
    cuts.remembered = small, float.fromhex(told["change"])


def _smaller(one: int | None, other: int | None) -> int | None:
    """Of two tiles; None is a whole frame. A run may have been given less memory than the one before."""
    known = [tile for tile in (one, other) if tile is not None]
    return min(known, default=None)


def _laid_out(values: Tensor, stride: list[int], device: torch.device) -> Tensor:
    """As they lay in memory before: convolutions round differently over another order."""
    return torch.empty_strided(values.shape, stride, dtype=values.dtype, device=device).copy_(values)
