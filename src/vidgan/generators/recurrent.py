"""A recurrent upsampler: one plain stack of convolutions per frame, at the small size.

It adds what is missing to a bicubic enlargement, and hands its last features on to the next frame. There is
no alignment of that memory: seen through the stack's receptive field, small motions take care of themselves,
and 3x3 convolutions are what every processor runs fastest.

For large sources the stack can work on squares of pixels (fold 2): a quarter of the cost per input pixel.

Letters: B batch, T frames, C colours, F features, H W height and width of the small frame, S scale.
Sources: the sub-pixel convolution of Shi et al. 2016; recurrent features as in RRN, Isobe et al. 2020.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vidgan import generators

SLOPE = 0.1  # of the leaky rectifier


@dataclass(frozen=True, kw_only=True)
class Config:
    scale: int = 4  # output pixels per input pixel, each side
    features: int = 48  # width of every inner layer; multiples of 16 run fastest
    blocks: int = 6  # residual blocks of two convolutions each
    fold: int = 1  # input pixels, each side, that one pixel of the inner layers stands for


class Memory(NamedTuple):
    """What one frame leaves for the next, at the size of the inner layers; None starts afresh.

    Where the small frame's sides are no multiples of the fold, its last row or column is repeated.
    """

    frame: Tensor  # (B, 3 * fold * fold, H / fold, W / fold)
    features: Tensor  # (B, F, H / fold, W / fold)


class Block(nn.Module):
    def __init__(self, features: int, distance: int = 1) -> None:
        """distance  of a kernel's taps from each other"""
        super().__init__()
        self.first = nn.Conv2d(features, features, 3, padding=distance, dilation=distance)
        self.second = nn.Conv2d(features, features, 3, padding=distance, dilation=distance)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(F.leaky_relu_(self.first(x), SLOPE)).add_(x)


class Generator(generators.VideoGenerator):
    def __init__(self, config: Config = Config(), *, remembered: int | None = None) -> None:
        """remembered  channels that a memory has beside the frame; None for as many as there are features"""
        super().__init__()
        self.config = config
        self.scale, self.fold = config.scale, config.fold
        self.reach = config.fold * (2 * config.blocks + 2)
        heard = 2 * 3 * config.fold**2 + (config.features if remembered is None else remembered)
        self.head = nn.Conv2d(heard, config.features, 3, padding=1)
        self.blocks = nn.Sequential(*(Block(config.features) for _ in range(config.blocks)))
        self.tail = nn.Conv2d(config.features, 3 * (config.scale * config.fold) ** 2, 3, padding=1)
        # No buffer: half precision must not reach it.
        self.kernels = enlargement_kernels(config.scale)
        begin_small(self, self.tail)

    def bytes_per_pixel(self, itemsize: int) -> int:
        """Roughly what one input pixel needs while a frame is computed.

        Ten layers' worth of features at itemsize bytes each, and the large pixels in float32 six times over.
        """
        return 10 * self.config.features * itemsize // self.fold**2 + 6 * 4 * 3 * self.scale**2

    def forward(self, low_BTCHW: Tensor, memory: generators.Memory | None = None) -> Tensor:
        """(B, T, 3, H, W) in [0, 1] -> (B, T, 3, H * scale, W * scale), unclamped, in float32.

        memory  what the frame before the first one left
        """
        high = []
        for frame in low_BTCHW.unbind(1):
            picture, memory = self.step(frame, memory)
            high.append(picture)
        return torch.stack(high, 1)

    def step(
        self, frame: Tensor, memory: generators.Memory | None = None
    ) -> tuple[Tensor, generators.Memory]:
        """A frame (B, 3, H, W) in [0, 1], what the one before left -> the large frame, what it leaves."""
        folded, memory = self.folded(frame, memory)
        return F.pixel_shuffle(folded, self.scale), memory

    def fresh(self, frame: Tensor) -> generators.Memory:
        """What a shot begins with, in the place of None: the frame once more, and no features."""
        small = self._small(frame)
        B, _, h, w = small.shape
        return Memory(small, small.new_zeros(B, self.config.features, h, w))

    def folded(
        self, frame: Tensor, memory: generators.Memory | None = None
    ) -> tuple[Tensor, generators.Memory]:
        """As step, the large frame's pixels still folded into channels: (B, 3 * S * S, H, W), float32."""
        added, small, features = self._added(frame, memory)
        return self._enlargement(frame).add_(added), Memory(small, features)

    def _added(self, frame: Tensor, memory: generators.Memory | None) -> tuple[Tensor, Tensor, Tensor]:
        """What is added to the enlargement, folded as that is; the frame as the stack saw it; its last features."""
        height, width = frame.shape[-2:]
        small = self._small(frame)
        x = torch.cat((small, *(self.fresh(frame) if memory is None else memory)), 1)
        x = self.blocks(F.leaky_relu_(self.head(x), SLOPE))
        return self._unfolded(self.tail(x))[..., :height, :width], small, x

    def _enlargement(self, frame: Tensor) -> Tensor:
        return enlarge(frame, self._kernels(frame.device))

    def _kernels(self, device: torch.device) -> Tensor:
        if self.kernels.device != device:
            self.kernels = self.kernels.to(device)
        return self.kernels

    def _small(self, frame: Tensor) -> Tensor:
        """A picture of any channels as the inner layers see it: in squares of pixels, in their precision."""
        small = self._padded(frame)
        small = F.pixel_unshuffle(small, self.fold) if self.fold > 1 else small
        return small.to(self.head.weight.dtype, memory_format=torch.channels_last)

    def _padded(self, frame: Tensor) -> Tensor:
        """To whole squares of pixels: the last row or column repeated."""
        height, width = frame.shape[-2:]
        rest = -width % self.fold, -height % self.fold
        return F.pad(frame, (0, rest[0], 0, rest[1]), mode="replicate") if any(rest) else frame

    def _unfolded(self, small: Tensor) -> Tensor:
        """Squares of pixels -> pixels, the repeated ones among them."""
        return F.pixel_shuffle(small, self.fold) if self.fold > 1 else small


def begin_small(network: nn.Module, tail: nn.Conv2d) -> None:
    """First weights, for layers that keep their signal's strength; every block and the tail begin as small corrections.

    network  of convolutions, some of them in Blocks
    tail     its last one
    Source: He et al. 2015, "Delving deep into rectifiers".
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, a=SLOPE)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    with torch.no_grad():
        for block in network.modules():
            if isinstance(block, Block):
                block.second.weight.mul_(0.1)
        tail.weight.mul_(0.1)


def grow(smaller: Mapping[str, Tensor], config: Config, larger: Generator) -> None:
    """Let a generator begin as a smaller one does: wider, deeper, or on squares of its pixels.

    What is new in it says nothing to what was there, until it has learned to. On squares that is so of the detail
    added: it is that of the squares' means, and the enlargement below it is the larger one's own.

    smaller, config  the other's weights and settings
    Raises ValueError where it has more of something, or another scale in all.
    Source: Chen et al. 2016, "Net2Net: Accelerating learning via knowledge transfer".
    """
    own = larger.config
    if type(config) is not Config:
        raise ValueError("only a recurrent network grows into one")
    if own.scale * own.fold != config.scale * config.fold or config.fold not in (1, own.fold):
        raise ValueError(
            f"scale {config.scale} and fold {config.fold} do not become {own.scale} and {own.fold}"
        )
    if own.features < config.features or own.blocks < config.blocks:
        raise ValueError(
            f"{config.features} features and {config.blocks} blocks do not fit into {own.features} and {own.blocks}"
        )
    if own.fold > config.fold:
        smaller = _on_squares(smaller, own)
    with torch.no_grad():
        for name, weight in larger.state_dict().items():
            if name in smaller:
                old = smaller[name]
                weight[: len(old)] = 0  # also what it would hear from new features
                weight[tuple(slice(side) for side in old.shape)] = old
            elif ".second." in name:
                weight.zero_()


def _on_squares(weights: Mapping[str, Tensor], new: Config) -> dict[str, Tensor]:
    """The weights of a network of fold 1 for one that is shown squares of pixels, and sees the means of these."""
    side = new.fold
    now, before, features = weights["head.weight"].tensor_split((3, 6), 1)
    squares = [part.repeat_interleave(side**2, 1) / side**2 for part in (now, before)]
    # Rows by colour, y and x in the enlarged pixel: of a square's pixel first, then inside of it; the other way round
    # is how two shuffles, one after the other, take them.
    shape = (3, side, new.scale, side, new.scale)
    tail = {
        name: weights[name].unflatten(0, shape).movedim((1, 3), (3, 4)).flatten(0, 4)
        for name in ("tail.weight", "tail.bias")
    }
    return {**weights, "head.weight": torch.cat((*squares, features), 1), **tail}


def enlarge(frame: Tensor, kernels: Tensor) -> Tensor:
    """Bicubic enlargement, edges repeated, its pixels folded into channels: pixel_shuffle unfolds it.

    In float32 whatever the network's precision is: bfloat16 has 8 bits, and a picture needs more.
    """
    padded = F.pad(frame.float(), (2, 2, 2, 2), mode="replicate")
    with torch.autocast(frame.device.type, enabled=False):
        return F.conv2d(padded.contiguous(memory_format=torch.channels_last), kernels)


def enlargement_kernels(scale: int) -> Tensor:
    """(3 * S * S, 3, 5, 5): for each place inside an enlarged pixel, Keys' cubic (a = -0.5) around it."""
    taps = torch.zeros(scale, 5, dtype=torch.float64)
    for phase in range(scale):
        centre = (phase + 0.5) / scale - 0.5  # of the small pixel at 0
        distance = (torch.arange(-2, 3, dtype=torch.float64) - centre).abs()
        near = 1.5 * distance**3 - 2.5 * distance**2 + 1
        far = -0.5 * distance**3 + 2.5 * distance**2 - 4 * distance + 2
        taps[phase] = torch.where(distance <= 1, near, torch.where(distance < 2, far, 0.0))
    kernels = torch.zeros(3, scale, scale, 3, 5, 5, dtype=torch.float64)
    for colour in range(3):
        kernels[colour, :, :, colour] = torch.einsum("ay,bx->abyx", taps, taps)
    return kernels.reshape(3 * scale**2, 3, 5, 5).float().contiguous(memory_format=torch.channels_last)
