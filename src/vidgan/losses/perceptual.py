"""Distance in the features of a pretrained network."""

from torch import Tensor

from vidgan.features import Lpips


def perceptual(network: Lpips, output: Tensor, target: Tensor) -> Tensor:
    """LPIPS distance (Zhang et al. 2018) in the given network's features.

    output, target  (B, 3, H, W) in [0, 1]. Score with another network than the one that trains.
    """
    return network(output, target).mean()
