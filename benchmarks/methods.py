"""What is compared: two interpolations, the peers that pip brings, and our own networks. All enlarge x4.

A method takes a whole small clip and gives the large one in 8 bits, as a file would hold it. For timing it
also offers its bare network (or interpolation): one picture, floats in and floats out.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import peers
import torch
import torch.nn.functional as F
from clips import SCALE, to_bytes, to_floats
from torch import Tensor

from vidgan import blending, damage, degrade, pixels, steady
from vidgan.measuring.methods import parted


@dataclass(frozen=True, kw_only=True)
class Method:
    title: str
    enlarge: Callable[[np.ndarray], np.ndarray]  # (T, h, w, 3) RGB uint8 -> (T, 4h, 4w, 3) RGB uint8
    bare: Callable[[Tensor], Callable[[], object]]  # (1, 3, h, w) in [0, 1] -> what is timed
    slow: bool = False  # seconds a picture: timed in fewer rounds


def known(
    models: list[str], *, precision: str, threads: int, only: list[str] | None = None
) -> dict[str, Method]:
    """Every method by its short name, or only some, for which only what they need has to be installed.

    models  names or files of generators; NAME+0.5 restoring by half, NAME+auto as much as a clip looks damaged,
            NAME@0.4 at a fidelity of 0.4, NAME~0.4 led along its motion (steady)
    """
    methods = {
        "bicubic": _interpolation("bicubic", bicubic),
        "lanczos": _interpolation("Lanczos-3", lanczos),
        **{name: _peer(name, threads) for name in peers.PEERS if only is None or name in only},
    }
    for model in models:
        name = model if set("+@~") & set(model) else Path(model).stem
        assert name not in methods, f"two methods are called {name}"
        methods[name] = _ours(f"vidgan {name}", model, precision)
    return methods


def bicubic(small: Tensor) -> Tensor:
    """(T, 3, h, w) -> (T, 3, 4h, 4w), with the kernel of MATLAB and Pillow (a = -0.5)."""
    return F.interpolate(small, scale_factor=SCALE, mode="bicubic", antialias=True)


def lanczos(small: Tensor) -> Tensor:
    """(T, 3, h, w) -> (T, 3, 4h, 4w), three lobes."""
    height, width = (side * SCALE for side in small.shape[2:])
    return torch.stack([degrade.lanczos(frame, height, width) for frame in small])


def _interpolation(title: str, function: Callable[[Tensor], Tensor]) -> Method:
    return Method(
        title=title,
        enlarge=lambda low: to_bytes(function(to_floats(low))),
        bare=lambda picture: lambda: function(picture),
    )


def _peer(name: str, threads: int) -> Method:
    def bare(picture: Tensor) -> Callable[[], object]:
        network = peers.Network(peers.PEERS[name], threads=threads)
        pixels = picture[0].numpy()
        return lambda: network.floats(pixels)

    return Method(
        title=peers.PEERS[name].title,
        enlarge=lambda low: peers.enlarge(name, low, threads=threads),
        bare=bare,
        slow=peers.is_slow(name),
    )


def looks_damaged(low: np.ndarray) -> float:
    """The share to restore by, from all pairs of a clip's pictures; `vidgan enhance` looks at a few places alone."""
    luma = pixels.luma(to_floats(low))[:, 0]
    return damage.share_of(damage.load(), [pair[None] for pair in luma.split(2) if len(pair) == 2])


def _ours(title: str, model: str, precision: str) -> Method:
    dtype = {"bf16": torch.bfloat16, "fp32": torch.float32}[precision]

    named, shares = parted(model.replace("+auto", ""))
    steadiness = shares.pop("steady", 0.0)

    def ready(low: np.ndarray | None = None) -> torch.nn.Module:
        """low  the clip that it is for; without one, whose time is taken, nothing is restored by itself"""
        found = {"restore": looks_damaged(low)} if "+auto" in model and low is not None else {}
        generator = blending.load(named, **shares, **found)
        generator.eval().requires_grad_(False)
        return generator.to(dtype=dtype, memory_format=torch.channels_last)

    def enlarge(low: np.ndarray) -> np.ndarray:
        generator, memory, before, pictures = ready(low), None, None, []
        with torch.inference_mode():
            for frame in to_floats(low).split(1):
                moved = None if memory is None else generator.moved(memory, frame)
                folded, memory = generator.folded(frame, moved)
                if steadiness:
                    folded, before = steady.steadied(folded, frame, before, steadiness)
                pictures.append(to_bytes(F.pixel_shuffle(folded, SCALE)))
        return np.concatenate(pictures)

    def bare(picture: Tensor) -> Callable[[], object]:
        generator = ready()
        with torch.inference_mode():
            _, memory = generator.step(picture, None)

        def one() -> object:
            with torch.inference_mode():
                return generator.step(picture, memory)

        return one

    return Method(title=f"{title}, {precision}", enlarge=enlarge, bare=bare)
