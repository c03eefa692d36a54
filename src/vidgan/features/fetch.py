"""LPIPS's weights from their official places: the authors' heads, and the networks that they were trained on.

Nothing is fetched but when it is asked for. Every file is held against a hash, read without running anything in it, and
what comes out must give the published distance on a known pair before it gets its name.
"""

import hashlib
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from vidgan import disk
from vidgan.errors import BadOutput, BadWeights, VidganError
from vidgan.features.lpips import PLANS, Lpips, Net, cache, is_published

BLOCK = 1 << 18
SLOWEST = 60  # seconds without a byte
AUTHORS = "https://raw.githubusercontent.com/richzhang/PerceptualSimilarity/master/lpips/weights/v0.1"
TORCH = "https://download.pytorch.org/models"

Tick = Callable[[float, float | None, str], None]


@dataclass(frozen=True)
class Origin:
    """The two files of one network. Of torch's, only the first digits of the hash are known: those in its name."""

    backbone: str
    backbone_sha256: str
    heads: str
    heads_sha256: str
    megabytes: int
    layers: tuple[int, ...]  # of the backbone's `features`, which are convolutions


ORIGINS: dict[Net, Origin] = {
    "alex": Origin(
        backbone=f"{TORCH}/alexnet-owt-7be5be79.pth",
        backbone_sha256="7be5be79",
        heads=f"{AUTHORS}/alex.pth",
        heads_sha256="df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0",
        megabytes=245,
        layers=(0, 3, 6, 8, 10),
    ),
    "vgg": Origin(
        backbone=f"{TORCH}/vgg16-397923af.pth",
        backbone_sha256="397923af",
        heads=f"{AUTHORS}/vgg.pth",
        heads_sha256="a78928a0af1e5f0fcb1f3b9e8f8c3a2a5a3de244d830ad5c1feddc79b8432868",
        megabytes=554,
        layers=(0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28),
    ),
}


def fetch(net: Net, tick: Tick) -> Path:
    """Download, convert, check, and put the weights where load_lpips looks for them; gives their path.

    Raises VidganError, and then leaves nothing behind.
    """
    origin, folder = ORIGINS[net], cache()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".fetching-") as place:
            heads = _read(_download(origin.heads, origin.heads_sha256, Path(place), tick))
            backbone = _read(_download(origin.backbone, origin.backbone_sha256, Path(place), tick))
        weights = _converted(net, backbone, heads)
        path = folder / PLANS[net].file
        source = {"source": f"{origin.backbone} (BSD-3), {origin.heads} (BSD-2)"}
        with disk.replacing(path) as partial:
            partial.write_bytes(save(weights, metadata=source))
    except OSError as error:
        raise BadOutput(
            f"{folder} cannot hold the weights: {error.strerror or error}",
            "Make room, or check your rights to it.",
        ) from None
    return path


def _download(url: str, sha256: str, folder: Path, tick: Tick) -> Path:
    name = url.rpartition("/")[2]
    path, digest, done = folder / name, hashlib.sha256(), 0
    try:
        with urllib.request.urlopen(url, timeout=SLOWEST) as answer, path.open("wb") as file:
            length = int(answer.headers.get("Content-Length") or 0) or None
            while block := answer.read(BLOCK):
                file.write(block)
                digest.update(block)
                done += len(block)
                tick(done / 1e6, length and length / 1e6, f"{name}, MB")
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        reason = getattr(error, "reason", error)
        raise VidganError(
            f"{url} could not be fetched: {reason}", "Check the network, and try again."
        ) from None
    if not digest.hexdigest().startswith(sha256):
        raise BadWeights(
            f"{url} gave a file with the sha256 {digest.hexdigest()[:12]}..., not {sha256[:12]}...: it is another file",
            "Try again; if it stays so, report it.",
        )
    return path


def _read(path: Path) -> dict[str, Tensor]:
    try:
        weights: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch names no class for all that can be wrong with a file
        raise BadWeights(f"{path.name} is no file of weights: {error}", "Try again.") from None
    return weights


def _converted(net: Net, backbone: dict[str, Tensor], heads: dict[str, Tensor]) -> dict[str, Tensor]:
    """Our names for their tensors. Raises BadWeights where the distance that they give is not the published one."""
    try:
        weights = {
            f"conv{number}.{kind}": backbone[f"features.{layer}.{kind}"].contiguous()
            for number, layer in enumerate(ORIGINS[net].layers)
            for kind in ("weight", "bias")
        }
        taps = range(len(PLANS[net].tapped))
        weights |= {f"lin{tap}.weight": heads[f"lin{tap}.model.1.weight"].flatten().clone() for tap in taps}
        network = Lpips(net, weights)
    except (KeyError, AssertionError) as error:
        raise BadWeights(f"the files do not hold what LPIPS on {net} needs: {error}", "Report it.") from None
    if not is_published(network):
        raise BadWeights(f"the files for {net} do not give LPIPS's distances", "Report it.")
    return weights
