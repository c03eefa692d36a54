"""Residual dense blocks within residual blocks, each frame by itself: the large networks of ESRGAN and Real-ESRGAN.

RealESRGAN_x4plus and RealESRNet_x4plus have 23 blocks, RealESRGAN_x4plus_anime_6B has 6, RealESRGAN_x2plus 23 over
pixels that were folded first. Many times slower than `recurrent`. The names of the weights are the published files'
own, so that those load as they are; see vidgan/foreign.py.

Letters: B batch, T frames, C colours, H W height and width of the small frame, S scale.
Sources: Wang et al. 2018, "ESRGAN"; Wang et al. 2021, "Real-ESRGAN".
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vidgan.generators import Memory, VideoGenerator

SLOPE = 0.2  # of the leaky rectifier
SHARE = 0.2  # of what a block adds
FACTOR = 4  # that the network enlarges by; a smaller scale folds its input first
FAR = 96  # input pixels beyond which one has no say that shows in 8 bits: 0.3 code values at most with x4plus


@dataclass(frozen=True, kw_only=True)
class Config:
    scale: int = 4  # output pixels per input pixel, each side: 1, 2 or 4
    features: int = 64
    blocks: int = 23
    growth: int = 32  # features that each convolution of a dense block adds


class Dense(nn.Module):
    def __init__(self, features: int, growth: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(features, growth, 3, padding=1)
        self.conv2 = nn.Conv2d(features + growth, growth, 3, padding=1)
        self.conv3 = nn.Conv2d(features + 2 * growth, growth, 3, padding=1)
        self.conv4 = nn.Conv2d(features + 3 * growth, growth, 3, padding=1)
        self.conv5 = nn.Conv2d(features + 4 * growth, features, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        found = [x]
        for layer in (self.conv1, self.conv2, self.conv3, self.conv4):
            found.append(F.leaky_relu(layer(torch.cat(found, 1)), SLOPE))
        return x + SHARE * self.conv5(torch.cat(found, 1))


class Block(nn.Module):
    def __init__(self, features: int, growth: int) -> None:
        super().__init__()
        self.rdb1, self.rdb2, self.rdb3 = (Dense(features, growth) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        return x + SHARE * self.rdb3(self.rdb2(self.rdb1(x)))


class Generator(VideoGenerator):
    def __init__(self, config: Config = Config()) -> None:
        super().__init__()
        if config.scale not in (1, 2, 4):
            raise ValueError(f"its scale is 1, 2 or 4, not {config.scale}")
        self.config = config
        self.scale, self.fold = config.scale, FACTOR // config.scale
        # How far a change could be seen: exact for small networks. In whole folds, or a tile would begin amid pixels
        # that are folded together.
        exact = self.fold * (15 * config.blocks + 4) + self.fold - 1
        self.reach = min(exact + -exact % self.fold, FAR)
        width = config.features
        self.conv_first = nn.Conv2d(3 * self.fold**2, width, 3, padding=1)
        self.body = nn.Sequential(*(Block(width, config.growth) for _ in range(config.blocks)))
        self.conv_body = nn.Conv2d(width, width, 3, padding=1)
        self.conv_up1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv_up2 = nn.Conv2d(width, width, 3, padding=1)
        self.conv_hr = nn.Conv2d(width, width, 3, padding=1)
        self.conv_last = nn.Conv2d(width, 3, 3, padding=1)

    def bytes_per_pixel(self, itemsize: int) -> int:
        """Roughly what one input pixel needs while a frame is computed."""
        return (3 * self.config.features * FACTOR**2 * itemsize) // self.fold**2 + 6 * 4 * 3 * self.scale**2

    def forward(self, low_BTCHW: Tensor, memory: Memory | None = None) -> Tensor:
        """(B, T, 3, H, W) in [0, 1] -> (B, T, 3, H * scale, W * scale), unclamped, in float32."""
        return torch.stack([self.step(frame)[0] for frame in low_BTCHW.unbind(1)], 1)

    def step(self, frame: Tensor, memory: Memory | None = None) -> tuple[Tensor, Memory]:
        """A frame (B, 3, H, W) in [0, 1] -> the large frame, and no memory."""
        height, width = frame.shape[-2:]
        x = frame.to(self.conv_first.weight.dtype, memory_format=torch.channels_last)
        x = F.pad(x, (0, -width % self.fold, 0, -height % self.fold), mode="replicate")
        x = self.conv_first(F.pixel_unshuffle(x, self.fold))
        x = x + self.conv_body(self.body(x))
        for layer in (self.conv_up1, self.conv_up2):
            x = F.leaky_relu(layer(F.interpolate(x, scale_factor=2, mode="nearest")), SLOPE)
        large = self.conv_last(F.leaky_relu(self.conv_hr(x), SLOPE)).float()
        return large[..., : height * self.scale, : width * self.scale], ()

    def fresh(self, frame: Tensor) -> Memory:
        """What a shot begins with: nothing."""
        return ()

    def folded(self, frame: Tensor, memory: Memory | None = None) -> tuple[Tensor, Memory]:
        """As step, the large frame's pixels folded into channels: (B, 3 * S * S, H, W), float32."""
        large, memory = self.step(frame)
        return F.pixel_unshuffle(large, self.scale), memory
