"""Three consecutive frames, and the enlarged input that they are made from -> is this real?

One verdict per patch. Seeing three frames at once, it punishes flicker as well as blur; seeing the input, it
punishes texture that the input does not bear out. No normalisation layers: the smoothness penalties of
losses/adversarial.py keep it in bounds (R3GAN, Huang et al. 2024).

Letters: B batch, C colours, H W height and width of the large frame.
Source: the three-frame discriminator of TecoGAN, Chu et al. 2020, without its warping.
"""

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from vidgan import discriminators

SLOPE = 0.2


@dataclass(frozen=True, kw_only=True)
class Config(discriminators.View):
    features: int = 48  # width of the first layer; doubled at each halving of the size


class Discriminator(nn.Module):
    def __init__(self, config: Config = Config()) -> None:
        super().__init__()
        self.config = config
        width = config.features
        self.layers = nn.ModuleList(
            [
                nn.Conv2d(4 * 12, width, 3, padding=1),
                nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),
                nn.Conv2d(2 * width, 4 * width, 4, stride=2, padding=1),
                nn.Conv2d(4 * width, 4 * width, 3, padding=1),
            ]
        )
        self.verdict = nn.Conv2d(4 * width, 1, 3, padding=1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, a=SLOPE)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, frames_B3CHW: Tensor, enlarged_BCHW: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Three frames and the middle one's enlarged input, all in [0, 1]; sides divisible by 8 times `smaller`.

        Gives the logits (B, 1, H / 8, W / 8) of what it sees, higher for real, and the activations of each layer.
        """
        x = discriminators.seen(frames_B3CHW, enlarged_BCHW, self.config)
        x = F.pixel_unshuffle(x, 2)
        activations = []
        for layer in self.layers:
            x = F.leaky_relu(layer(x), SLOPE)
            activations.append(x)
        return self.verdict(x), activations
