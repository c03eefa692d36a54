"""What a generator or a discriminator is to make small: functions; their weights stand in the recipe."""

from vidgan.losses.adversarial import feature_matching, relativistic, smoothness
from vidgan.losses.perceptual import perceptual
from vidgan.losses.pixel import charbonnier, l1, low_pass_l1, phase_l1
from vidgan.losses.temporal import temporal_difference

__all__ = [
    "charbonnier",
    "feature_matching",
    "l1",
    "low_pass_l1",
    "perceptual",
    "phase_l1",
    "relativistic",
    "smoothness",
    "temporal_difference",
]
