"""Pretrained feature networks, shared by losses and metrics.

lpips.py         LPIPS on AlexNet and VGG16, whose weights are no part of this package
fetch.py         those weights from their official places, when they are asked for
efficientnet.py  EfficientNet-Lite0, whose weights the extra `features` brings
"""

from vidgan.features.efficientnet import EfficientNet, has_efficientnet, load_efficientnet
from vidgan.features.lpips import PLANS, Lpips, Net, find_lpips, has_lpips, load_lpips

__all__ = [
    "PLANS",
    "EfficientNet",
    "Lpips",
    "Net",
    "find_lpips",
    "has_efficientnet",
    "has_lpips",
    "load_efficientnet",
    "load_lpips",
]
