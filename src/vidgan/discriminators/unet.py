"""A U-Net over three consecutive frames and the enlarged input: one verdict for every two by two pixels.

Where `triplet` judges patches, this judges places, and hands fine detail across: it says where a picture is not real.
Spectral normalisation holds its slope, so that it plays without penalties.

Letters: B batch, C colours, H W height and width of the large frame.
Sources: the U-Net discriminator of Schonfeld et al. 2020, with spectral normalisation (Miyato et al. 2018) as
Real-ESRGAN uses it (Wang et al. 2021); three frames as in TecoGAN, Chu et al. 2020.
"""

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from vidgan import discriminators

SLOPE = 0.2


@dataclass(frozen=True, kw_only=True)
class Config(discriminators.View):
    features: int = 24  # width of the first layer; doubled at each halving of the size


class Discriminator(nn.Module):
    def __init__(self, config: Config = Config()) -> None:
        super().__init__()
        self.config = config
        width = config.features
        self.stem = nn.Conv2d(4 * 12, width, 3, padding=1)
        self.down = nn.ModuleList([_held(width, 2 * width, 2), _held(2 * width, 4 * width, 2)])
        self.up = nn.ModuleList([_held(4 * width, 2 * width), _held(2 * width, width)])
        self.last = _held(width, width)
        self.verdict = nn.Conv2d(width, 1, 3, padding=1)

    def forward(self, frames_B3CHW: Tensor, enlarged_BCHW: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Three frames and the middle one's enlarged input, all in [0, 1]; sides divisible by 8 times `smaller`.

        Gives the logits (B, 1, H / 2, W / 2) of what it sees, higher for real, and the activations of each layer.
        """
        x = discriminators.seen(frames_B3CHW, enlarged_BCHW, self.config)
        activations = [F.leaky_relu(self.stem(F.pixel_unshuffle(x, 2)), SLOPE)]
        for layer in self.down:
            activations.append(F.leaky_relu(layer(activations[-1]), SLOPE))
        x = activations[-1]
        for layer, across in zip(self.up, activations[-2::-1], strict=True):
            x = F.interpolate(x, scale_factor=2, mode="bilinear")
            x = F.leaky_relu(layer(x), SLOPE) + across
            activations.append(x)
        return self.verdict(F.leaky_relu(self.last(x), SLOPE)), activations


def _held(width_in: int, width_out: int, stride: int = 1) -> nn.Module:
    size = 4 if stride == 2 else 3
    return spectral_norm(nn.Conv2d(width_in, width_out, size, stride=stride, padding=1, bias=False))
