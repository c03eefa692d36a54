"""What a generator or a discriminator is to make small: functions; their weights stand in the recipe."""

from vidgan.losses.adversarial import (
    Game,
    discriminator_loss,
    feature_matching,
    generator_loss,
    gradient_penalty,
    relativistic,
    smoothness,
)
from vidgan.losses.frequency import focal_frequency
from vidgan.losses.perceptual import perceptual
from vidgan.losses.pixel import charbonnier, gradient_difference, l1, low_pass_l1, phase_l1
from vidgan.losses.temporal import (
    motion_difference,
    ping_pong,
    temporal_difference,
    temporal_residual,
    there_and_back,
)

__all__ = [
    "Game",
    "charbonnier",
    "discriminator_loss",
    "feature_matching",
    "focal_frequency",
    "generator_loss",
    "gradient_difference",
    "gradient_penalty",
    "l1",
    "low_pass_l1",
    "motion_difference",
    "perceptual",
    "phase_l1",
    "ping_pong",
    "relativistic",
    "smoothness",
    "temporal_difference",
    "temporal_residual",
    "there_and_back",
]
