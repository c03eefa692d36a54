"""What other people's networks make of a picture, kept in a cache: it never changes, and takes up to 20 seconds."""

import hashlib
import os
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from vidgan.measuring.ncnn import PEERS as KNOWN
from vidgan.measuring.ncnn import Network, cost

CACHE = Path(os.environ.get("VIDGAN_BENCH_CACHE") or Path.home() / ".cache" / "vidgan" / "bench")
PEERS = {name: KNOWN[name] for name in ("span", "clearreality", "kendata", "animevideov3", "x4plus")}
SLOW = 1000 / (320 * 180)  # GFLOP a small pixel


def is_slow(name: str) -> bool:
    return cost(PEERS[name])[0] > SLOW


def enlarged(network: Network, picture: np.ndarray) -> np.ndarray:
    """(h, w, 3) RGB uint8 -> (4h, 4w, 3) RGB uint8."""
    made = network.floats(picture.transpose(2, 0, 1).astype(np.float32) / 255)
    whole = np.round(made.clip(0, 1) * 255).astype(np.uint8)
    return np.ascontiguousarray(whole.transpose(1, 2, 0))


def enlarge(name: str, low: np.ndarray, *, threads: int = 2) -> np.ndarray:
    """(T, h, w, 3) RGB uint8 -> (T, 4h, 4w, 3) RGB uint8, through the cache."""
    network: Network | None = None
    pictures = []
    folder = CACHE / name
    folder.mkdir(parents=True, exist_ok=True)
    for picture in low:
        kept = folder / f"{hashlib.sha256(picture.tobytes()).hexdigest()[:24]}.npy"
        if not kept.exists():
            network = network or Network(PEERS[name], threads=threads)
            partial = kept.with_suffix(f".{os.getpid()}.tmp")
            with partial.open("wb") as file:
                np.save(file, enlarged(network, picture))
            partial.replace(kept)
        pictures.append(np.load(kept))
    return np.stack(pictures)


def missing() -> list[str]:
    """The packages that are needed and absent."""
    return [
        package for package in ("ncnn", *{p.package for p in PEERS.values()}) if find_spec(package) is None
    ]
