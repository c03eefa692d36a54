"""A plain stack of convolutions, each frame by itself: the compact networks of Real-ESRGAN.

realesr-animevideov3 has 16 inner convolutions, realesr-general-x4v3 and its -wdn- brother 32. The names of the weights
are the published files' own, so that those load as they are; see vidgan/foreign.py.

Letters: B batch, T frames, C colours, H W height and width of the small frame, S scale.
Source: SRVGGNetCompact of Wang et al. 2021, "Real-ESRGAN".
"""

from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vidgan.generators import Memory, VideoGenerator


@dataclass(frozen=True, kw_only=True)
class Config:
    scale: int = 4  # output pixels per input pixel, each side
    features: int = 64
    blocks: int = 16  # inner convolutions


class Generator(VideoGenerator):
    def __init__(self, config: Config = Config()) -> None:
        super().__init__()
        self.config = config
        self.scale, self.reach = config.scale, config.blocks + 2
        widths = [3] + [config.features] * (config.blocks + 1)
        layers: list[nn.Module] = []
        for width_in, width in pairwise(widths):
            layers += [nn.Conv2d(width_in, width, 3, padding=1), nn.PReLU(width)]
        last = nn.Conv2d(config.features, 3 * config.scale**2, 3, padding=1)
        with torch.no_grad():
            last.weight.mul_(0.1)  # fresh, it is close to its enlargement
        self.body = nn.ModuleList([*layers, last])

    def bytes_per_pixel(self, itemsize: int) -> int:
        """Roughly what one input pixel needs while a frame is computed."""
        return 4 * self.config.features * itemsize + 6 * 4 * 3 * self.scale**2

    def forward(self, low_BTCHW: Tensor, memory: Memory | None = None) -> Tensor:
        """(B, T, 3, H, W) in [0, 1] -> (B, T, 3, H * scale, W * scale), unclamped, in float32."""
        return torch.stack([self.step(frame)[0] for frame in low_BTCHW.unbind(1)], 1)

    def step(self, frame: Tensor, memory: Memory | None = None) -> tuple[Tensor, Memory]:
        """A frame (B, 3, H, W) in [0, 1] -> the large frame, and no memory."""
        folded, memory = self.folded(frame)
        return F.pixel_shuffle(folded, self.scale), memory

    def fresh(self, frame: Tensor) -> Memory:
        """What a shot begins with: nothing."""
        return ()

    def folded(self, frame: Tensor, memory: Memory | None = None) -> tuple[Tensor, Memory]:
        """As step, the large frame's pixels still folded into channels: (B, 3 * S * S, H, W), float32."""
        x = frame.to(self.body[0].weight.dtype, memory_format=torch.channels_last)  # type: ignore[arg-type]
        for layer in self.body:
            x = layer(x)
        nearest = frame.float().repeat_interleave(self.scale**2, dim=1)
        return nearest + x, ()
