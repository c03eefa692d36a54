"""What happens to video before people try to repair it: frames in, worse frames out.

Frames are float tensors (T, 3, H, W) in [0, 1]; the rng is numpy's: a seed gives the same damage again.

blur.py      lenses, motion, sharp low passes that ring, sharpening
noise.py     sensors
resample.py  fewer pixels
codec.py     JPEG and real video codecs
tape.py      what analogue tape does to lines and colours
presets.py   the whole road of a kind of footage: clean, mild, heavy, phone, surveillance, tape
"""

from vidgan.degrade.blur import filtered, gaussian_blur, gaussian_kernel, sharpened, sinc_kernel
from vidgan.degrade.codec import encoded
from vidgan.degrade.noise import gaussian_noise, poisson_noise
from vidgan.degrade.presets import PRESETS, Codec, Order, Preset, degraded, wandering
from vidgan.degrade.resample import lanczos, resized, shrink
from vidgan.degrade.tape import taped

__all__ = [
    "PRESETS",
    "Codec",
    "Order",
    "Preset",
    "degraded",
    "encoded",
    "filtered",
    "gaussian_blur",
    "gaussian_kernel",
    "gaussian_noise",
    "lanczos",
    "poisson_noise",
    "resized",
    "sharpened",
    "shrink",
    "sinc_kernel",
    "taped",
    "wandering",
]
