"""One picture and the moment it is shown: what travels between the rooms that move video."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A decoded picture with its own presentation time.

    pixels     (H, W, 3) RGB in full range: uint8, or uint16 (0..65535) for sources of more than 8 bits
    pts        presentation time, in units of time_base
    duration   how long it is shown, in units of time_base; 0 where the file does not say
    time_base  seconds
    """

    pixels: np.ndarray
    pts: int
    duration: int
    time_base: Fraction

    @property
    def seconds(self) -> Fraction:
        return self.pts * self.time_base
