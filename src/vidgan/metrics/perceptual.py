"""How different the output looks from the target: LPIPS, and a distance of our own where its weights are missing."""

from functools import cache

import torch
from torch import Tensor

from vidgan.features import Lpips, load_efficientnet, load_lpips


def lpips(output: Tensor, target: Tensor, judge: Lpips | None = None) -> float:
    """LPIPS v0.1 on AlexNet in float32, whole frames, averaged; 0 for equal clips, lower is better.

    output, target  (T, 3, H, W) RGB in [0, 1]
    judge           another feature network, or this one already loaded, on the clips' device
    Raises BadWeights if the network's weights are not found; see vidgan.features.load_lpips.
    """
    return float(lpips_per_frame(output, target, judge).mean())


def lpips_per_frame(output: Tensor, target: Tensor, judge: Lpips | None = None) -> Tensor:
    """As lpips, a distance for each frame: (T,)."""
    assert output.shape == target.shape, f"{tuple(output.shape)} against {tuple(target.shape)}"
    network = judge if judge is not None else _network(output.device)
    with torch.inference_mode(), torch.autocast(output.device.type, enabled=False):
        # Frame by frame: a batch is no faster here, and a long clip's features would fill the memory.
        distances = [
            network(o[None].clamp(0, 1), t[None].clamp(0, 1)) for o, t in zip(output, target, strict=True)
        ]
    return torch.cat(distances)


def feature_distance(output: Tensor, target: Tensor) -> float:
    """As lpips, in the features of EfficientNet-Lite0; our own number, to be compared with no other's.

    Raises MissingExtra without the extra `features`.
    """
    network = load_efficientnet(output.device)
    with torch.inference_mode(), torch.autocast(output.device.type, enabled=False):
        distances = [
            network(o[None].clamp(0, 1), t[None].clamp(0, 1)) for o, t in zip(output, target, strict=True)
        ]
    return float(torch.cat(distances).mean())


@cache
def _network(device: torch.device) -> Lpips:
    return load_lpips("alex").to(device)
