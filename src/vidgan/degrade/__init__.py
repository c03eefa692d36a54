"""What happens to video before people try to repair it: (frames, rng) -> frames.

Frames are float tensors (T, 3, H, W) in [0, 1]; the rng is numpy's: a seed gives the same damage again.
"""

from vidgan.degrade.blur import gaussian_blur
from vidgan.degrade.codec import encoded
from vidgan.degrade.noise import gaussian_noise
from vidgan.degrade.resample import shrink

__all__ = ["encoded", "gaussian_blur", "gaussian_noise", "shrink"]
