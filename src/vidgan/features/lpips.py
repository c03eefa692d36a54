"""LPIPS on AlexNet and on VGG16: how different two pictures look.

Letters: B batch, C channels, H W height and width. A tap is a layer whose output is compared.
Source: Zhang et al. 2018, "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric", v0.1.

The weights are no part of this package. They are read from `lpips_alexnet.safetensors` and
`lpips_vgg16.safetensors`: convolutions `conv0.weight`, `conv0.bias`, ... and one linear head a tap,
`lin0.weight` (C,), ...
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from vidgan import disk
from vidgan.errors import BadWeights

Net = Literal["alex", "vgg"]

# The authors' scaling of pictures in [-1, 1]; we take [0, 1], so both are applied in one step.
SHIFT = (-0.030, -0.088, -0.188)
SPREAD = (0.458, 0.448, 0.450)

# Keeps the length of a dead position's features, and its gradient, finite; living ones are far longer.
TINY = 1e-8


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What the weights do not say about a network."""

    file: str
    pulled_as: str  # what `vidgan models pull` calls it
    sha256: str  # of a file that is known to hold the published weights
    widths: tuple[int, ...]  # output channels of each convolution
    kernels: tuple[int, ...]
    strides: tuple[int, ...]
    paddings: tuple[int, ...]
    pool: int  # side of the max-pools, which step by 2
    pooled: tuple[int, ...]  # convolutions with a max-pool before them
    tapped: tuple[int, ...]  # convolutions whose rectified output is compared
    smallest: int  # the shortest side, in pixels, that still reaches the last tap
    known: float  # the distance that the published weights give the pictures of `is_published`


PLANS: dict[Net, Plan] = {
    "alex": Plan(
        file="lpips_alexnet.safetensors",
        pulled_as="lpips",
        sha256="4bbcae6f7f3eceaea0fb4ed9d849260aafcbe549a809fea8dceb82084d9a1a75",
        widths=(64, 192, 384, 256, 256),
        kernels=(11, 5, 3, 3, 3),
        strides=(4, 1, 1, 1, 1),
        paddings=(2, 2, 1, 1, 1),
        pool=3,
        pooled=(1, 2),
        tapped=(0, 1, 2, 3, 4),
        smallest=31,
        known=0.562495,
    ),
    "vgg": Plan(
        file="lpips_vgg16.safetensors",
        pulled_as="lpips-vgg",
        sha256="d02832b36515932ca8071a28e152030ca237d8250aad6b23b46fd8a58c966e18",
        widths=(64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512),
        kernels=(3,) * 13,
        strides=(1,) * 13,
        paddings=(1,) * 13,
        pool=2,
        pooled=(2, 4, 7, 10),
        tapped=(1, 3, 6, 9, 12),
        smallest=16,
        known=0.832025,
    ),
}


class Lpips(nn.Module):
    """How different two pictures look: 0 for the same picture, about 0.1 to 0.7 for visible damage.

    Frozen: the weights are buffers, so that no optimizer finds them; gradients reach the pictures. Runs in
    half precision inside torch.autocast; lengths and distances are always taken in float32.

    taps  how many taps are used, counted from the first; layers after the last one used are never computed.
          None uses all five, which is the published measure; fewer give a cheaper loss with a lower value.
    """

    shift: Tensor
    spread: Tensor

    def __init__(self, net: Net, weights: dict[str, Tensor], *, taps: int | None = None) -> None:
        super().__init__()
        self.plan = PLANS[net]
        self.taps = taps
        self.register_buffer("shift", torch.tensor(SHIFT).view(1, 3, 1, 1))
        self.register_buffer("spread", torch.tensor(SPREAD).view(1, 3, 1, 1))
        for name, shape in _shapes(self.plan):
            weight = weights[name]
            assert tuple(weight.shape) == shape, f"{name} is {tuple(weight.shape)}, not {shape}"
            weight = weight.float()
            if weight.ndim == 4:
                weight = weight.contiguous(memory_format=torch.channels_last)
            self.register_buffer(name.replace(".", "_"), weight)

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """(B, 3, H, W) twice, RGB in [0, 1] -> (B,), float32."""
        assert output.shape == target.shape, f"{tuple(output.shape)} against {tuple(target.shape)}"
        pairs = zip(self.features(output), self.features(target), strict=True)
        return torch.stack([self._distance(tap, *pair) for tap, pair in enumerate(pairs)]).sum(dim=0)

    def features(self, pictures: Tensor) -> list[Tensor]:
        """The rectified output of each used tap, (B, C, H', W'), in the precision that autocast asks for.

        pictures  (B, 3, H, W) RGB in [0, 1]
        """
        plan = self.plan
        _, colours, *sides = pictures.shape
        assert colours == 3, f"not (B, 3, H, W): {tuple(pictures.shape)}"
        assert min(sides) >= plan.smallest, f"sides {sides}; {plan.file} needs {plan.smallest} pixels"
        x = (pictures.float() * 2 - 1 - self.shift) / self.spread
        x = x.contiguous(memory_format=torch.channels_last)
        tapped = plan.tapped[: self.taps]
        found = []
        for layer in range(tapped[-1] + 1):
            if layer in plan.pooled:
                x = F.max_pool2d(x, plan.pool, stride=2)
            weight, bias = self.get_buffer(f"conv{layer}_weight"), self.get_buffer(f"conv{layer}_bias")
            x = F.conv2d(x, weight, bias, stride=plan.strides[layer], padding=plan.paddings[layer])
            x = F.relu(x, inplace=not torch.is_grad_enabled())
            if layer in tapped:
                found.append(x)
        return found

    def directions(self, pictures: Tensor) -> list[Tensor]:
        """Each tap's features as unit vectors, times the roots of the head's weights: to be compared by `distance`.

        For measuring, where one picture is compared with several: its part is done once. Without gradients.
        """
        found = []
        for tap, features in enumerate(self.features(pictures)):
            x = features.float()
            weight = self.get_buffer(f"lin{tap}_weight").clamp_min(0).sqrt().view(1, -1, 1, 1)
            length = torch.linalg.vector_norm(x, dim=1, keepdim=True).add_(TINY)
            found.append(x.mul_(weight).div_(length))
        return found

    def distance(self, output: list[Tensor], target: list[Tensor]) -> Tensor:
        """Between the directions of one picture and those of another: the same as calling with both."""
        sums = [
            F.mse_loss(a, b, reduction="sum") / (a.shape[2] * a.shape[3])
            for a, b in zip(output, target, strict=True)
        ]
        return torch.stack(sums).sum()

    def _distance(self, tap: int, output: Tensor, target: Tensor) -> Tensor:
        """(B, C, H, W) twice -> (B,): weighted squared difference of unit vectors, averaged over space.

        sum w (a/|a| - b/|b|)^2 is written out into three products with w, so that nothing as large as the
        features is divided or multiplied by a broadcast: half the time of the plain form, the same to 1e-6.
        """
        # In half precision the squares of small features vanish and those of large ones overflow.
        with torch.autocast(output.device.type, enabled=False):
            a, b = output.permute(0, 2, 3, 1).float(), target.permute(0, 2, 3, 1).float()
            weight = self.get_buffer(f"lin{tap}_weight")
            sums = torch.stack([weight, torch.ones_like(weight)], dim=1)
            (weighted_a, square_a), (weighted_b, square_b) = ((x * x @ sums).unbind(-1) for x in (a, b))
            square_a, square_b = square_a + TINY, square_b + TINY
            mixed = (a * b) @ weight * (square_a * square_b).rsqrt()
            return (weighted_a / square_a + weighted_b / square_b - 2 * mixed).mean(dim=(1, 2)).clamp_min(0)


def load_lpips(net: Net, *, taps: int | None = None, folder: Path | None = None) -> Lpips:
    """LPIPS with its published weights, on the CPU in float32.

    net     "alex" to measure with (the field's usual choice), "vgg" to train with
    taps    see Lpips
    folder  looked in first, then $VIDGAN_WEIGHTS, then where `vidgan models pull` puts them
    Raises BadWeights if the file is in none of them or is not what it should be.
    """
    plan = PLANS[net]
    assert taps is None or 1 <= taps <= len(plan.tapped), f"taps is {taps}"
    path = _find(plan, folder)
    try:
        weights = load_file(path)
    except (SafetensorError, OSError) as damage:
        raise BadWeights(f"{path} is no safetensors file: {damage}", "Fetch the file again.") from damage
    for name, shape in _shapes(plan):
        found = tuple(weights[name].shape) if name in weights else "missing"
        if found != shape:
            remedy = f"Replace it with LPIPS v0.1 weights for {net} laid out as vidgan/features/lpips.py describes."
            raise BadWeights(f"{path}: {name} is {found}, not {shape}", remedy)
    if disk.sha256(path) != plan.sha256 and not is_published(Lpips(net, weights)):
        raise BadWeights(
            f"{path} does not give the distances of LPIPS v0.1 on {net}: these are other weights",
            f"Fetch the published ones with: vidgan models pull {plan.pulled_as}",
        )
    return Lpips(net, weights, taps=taps)


def is_published(network: Lpips) -> bool:
    """Whether a network gives two known pictures the distance that the published weights give them.

    Files that were converted by others differ in bytes and not in weights; numbers are what counts.
    """
    y, x = torch.meshgrid(torch.linspace(0, 1, 64), torch.linspace(0, 1, 64), indexing="ij")
    one = torch.stack([x, y, (6.28 * 3 * x).sin() / 2 + 0.5])
    other = torch.stack([y, x, (6.28 * 5 * y).cos() / 2 + 0.5])
    with torch.inference_mode():
        return abs(float(network(one[None], other[None])) - network.plan.known) < 2e-4


def find_lpips(net: Net) -> Path:
    """The file that load_lpips would read. Raises BadWeights where there is none."""
    return _find(PLANS[net], None)


def has_lpips(net: Net) -> bool:
    """Whether the weights are where load_lpips looks for them."""
    try:
        find_lpips(net)
    except BadWeights:
        return False
    return True


def _shapes(plan: Plan) -> Iterator[tuple[str, tuple[int, ...]]]:
    width_in = 3
    for layer, (width, kernel) in enumerate(zip(plan.widths, plan.kernels, strict=True)):
        yield f"conv{layer}.weight", (width, width_in, kernel, kernel)
        yield f"conv{layer}.bias", (width,)
        width_in = width
    for tap, layer in enumerate(plan.tapped):
        yield f"lin{tap}.weight", (plan.widths[layer],)


def cache() -> Path:
    """Where fetched weights are kept."""
    return disk.cache() / "weights"


def _find(plan: Plan, folder: Path | None) -> Path:
    named = os.environ.get("VIDGAN_WEIGHTS")
    places = [folder, Path(named) if named else None, cache()]
    looked = [place for place in places if place is not None]
    for place in looked:
        if (place / plan.file).is_file():
            return place / plan.file
    raise BadWeights(
        f"the LPIPS weights {plan.file} are not in {', '.join(map(str, looked))}",
        f"Fetch them with: vidgan models pull {plan.pulled_as}. "
        "Or name their folder in the variable VIDGAN_WEIGHTS.",
    )
