"""Whole roads from a clean large clip to the small bad one that a user has.

`clean` is the field's bicubic; `mild` a good camera and one careful encoding. `heavy` is the second order of
Real-ESRGAN (Wang et al. 2021): blur, resize, noise and JPEG twice over, then a sharp low pass; and then a video
codec, as in RealBasicVSR (Chan et al. 2022). `phone`, `surveillance` and `tape` are what their names say.

One value is drawn from each range per clip, uniformly (sizes and bit rates: uniformly in their logarithm). Each blur
and each noise has a chance of three in ten to wander slowly within its range from frame to frame instead.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import torch
from torch import Tensor

from vidgan.degrade.blur import filtered, gaussian_blur, gaussian_kernel, sharpened, sinc_kernel
from vidgan.degrade.codec import encoded
from vidgan.degrade.noise import gaussian_noise, poisson_noise
from vidgan.degrade.resample import Kernel, resized
from vidgan.degrade.tape import taped

Ends = tuple[float, float]
WANDERING = 0.3  # chance that a blur or a noise of a clip wanders, drawn for each
RING_REACH = 10  # of a sharp low pass, in pixels of the small clip
MOST_RING_REACH = 21  # and at most, in pixels of the frames
KERNELS: tuple[Kernel, ...] = ("area", "bilinear", "bicubic")


@dataclass(frozen=True, kw_only=True)
class Codec:
    """One encoder at a sampled quality, or at sampled bits per pixel."""

    name: str
    quality: Ends | None = None
    bits_per_pixel: Ends | None = None


@dataclass(frozen=True, kw_only=True)
class Order:
    """Once through a lens, onto a sensor of some size, into a picture file."""

    blur: Ends = (0.0, 0.0)  # standard deviation in pixels of the small clip
    blur_share: float = 1.0  # of clips
    uneven: float = 0.0  # share of blurs that are no plain Gaussian: longer one way, peaked or flat
    ringing: float = 0.0  # share of blurs that are a sharp low pass instead
    size: Ends | None = None  # of the sensor, the small clip's being 1; None is the small clip's own size
    noise: Ends = (0.0, 0.0)  # standard deviation in code values of 255
    photons: float = 0.0  # share of noise that grows with the light
    grey: float = 0.0  # share of noise without colour
    jpeg: Ends | None = None  # quantiser, 2 best, 31 worst; 2 to 12 is about quality 95 to 30


@dataclass(frozen=True, kw_only=True)
class Preset:
    orders: tuple[Order, ...] = ()
    sharpening: Ends = (0.0, 0.0)
    ringing: float = 0.0  # share of clips that end in a sharp low pass
    tape: bool = False
    codecs: tuple[Codec, ...] = ()  # one of them, each as likely
    codec_share: float = 1.0  # of clips


PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        "clean": Preset(),
        "mild": Preset(
            orders=(Order(blur=(0.1, 0.7), noise=(0.0, 5.0)),),
            codecs=(Codec(name="h264", quality=(18.0, 32.0)),),
            codec_share=0.7,
        ),
        "heavy": Preset(
            orders=(
                Order(
                    blur=(0.05, 0.75),
                    uneven=0.5,
                    ringing=0.1,
                    size=(0.6, 4.0),
                    noise=(1.0, 30.0),
                    photons=0.5,
                    grey=0.4,
                    jpeg=(2.0, 12.0),
                ),
                Order(
                    blur=(0.2, 1.2),
                    blur_share=0.8,
                    uneven=0.5,
                    ringing=0.1,
                    size=(0.4, 1.2),
                    noise=(1.0, 20.0),
                    photons=0.5,
                    grey=0.4,
                    jpeg=(2.0, 12.0),
                ),
            ),
            ringing=0.5,
            codecs=(
                Codec(name="h264", bits_per_pixel=(0.1, 1.0)),
                Codec(name="hevc", quality=(26.0, 40.0)),
                Codec(name="mpeg4", quality=(4.0, 16.0)),
                Codec(name="vp9", quality=(30.0, 54.0)),
            ),
            codec_share=0.7,
        ),
        "phone": Preset(
            orders=(
                Order(blur=(0.1, 0.9), uneven=0.7, size=(1.0, 2.0), noise=(2.0, 14.0), photons=0.8),
                Order(blur=(0.1, 0.5), blur_share=0.5),
            ),
            sharpening=(0.0, 1.0),
            codecs=(Codec(name="h264", quality=(20.0, 33.0)), Codec(name="hevc", quality=(22.0, 36.0))),
        ),
        "surveillance": Preset(
            orders=(Order(blur=(0.3, 1.2), size=(0.5, 1.0), noise=(2.0, 15.0), photons=0.5, grey=0.6),),
            sharpening=(0.0, 0.5),
            codecs=(
                Codec(name="h264", bits_per_pixel=(0.08, 0.5)),
                Codec(name="hevc", bits_per_pixel=(0.08, 0.5)),
                Codec(name="mpeg4", quality=(6.0, 24.0)),
                Codec(name="mjpeg", quality=(5.0, 20.0)),
            ),
        ),
        "tape": Preset(
            orders=(Order(blur=(0.2, 0.8), noise=(2.0, 10.0), grey=0.3),),
            tape=True,
            sharpening=(0.0, 0.7),
            codecs=(Codec(name="mpeg2", quality=(3.0, 14.0)), Codec(name="mpeg4", quality=(3.0, 14.0))),
        ),
    }
)  # fmt: skip


def degraded(high: Tensor, preset: Preset, scale: int, rng: np.random.Generator) -> Tensor:
    """(T, 3, H, W) in [0, 1] -> (T, 3, H / scale, W / scale) in [0, 1], the same extent; scale divides both sides."""
    size = high.shape[-2] // scale, high.shape[-1] // scale
    frames = high
    for order in preset.orders:
        frames = _through(frames, order, size, rng)
    frames = resized(frames, size, "bicubic" if not preset.orders else _kernel(rng))
    if preset.tape:
        frames = taped(frames, rng)
    if preset.ringing and rng.random() < preset.ringing:
        frames = filtered(frames, _ringing(rng, len(frames))).clamp(0, 1)
    if preset.sharpening[1]:
        frames = sharpened(frames, rng.uniform(*preset.sharpening))
    if preset.codecs and rng.random() < preset.codec_share:
        frames = _compressed(frames, preset.codecs[rng.integers(len(preset.codecs))], rng)
    return frames


def wandering(rng: np.random.Generator, ends: Ends, frames: int) -> np.ndarray:
    """(T,) values in a range: one for all frames, or in some clips a slow random walk that turns at the ends."""
    low, high = ends
    start = rng.uniform(low, high)
    if high == low or rng.random() >= WANDERING:
        return np.full(frames, start)
    steps = rng.normal(0, 0.1 * (high - low), frames).cumsum()
    place = np.mod(start - low + steps - steps[0], 2 * (high - low))  # of a mirror at each end
    return low + np.minimum(place, 2 * (high - low) - place)


def _through(frames: Tensor, order: Order, size: tuple[int, int], rng: np.random.Generator) -> Tensor:
    num_frames = len(frames)
    if order.blur[1] and rng.random() < order.blur_share:
        frames = _blurred(frames, order, frames.shape[-1] / size[1], rng)
    if order.size is not None:
        factor = math.exp(rng.uniform(*np.log(order.size)))
        # No larger than it is: what a blur of large pixels left is not brought back by enlarging.
        height, width = (
            min(max(8, round(side * factor)), old) for side, old in zip(size, frames.shape[-2:], strict=True)
        )
        frames = resized(frames, (height, width), _kernel(rng))
    elif tuple(frames.shape[-2:]) != size:
        frames = resized(frames, size, "bicubic")
    if order.noise[1]:
        noisy = poisson_noise if rng.random() < order.photons else gaussian_noise
        sigma = wandering(rng, order.noise, num_frames)
        frames = noisy(frames, sigma, rng, grey=rng.random() < order.grey)
    if order.jpeg is not None:
        frames = encoded(frames, "mjpeg", rng.uniform(*order.jpeg))
    return frames


def _blurred(frames: Tensor, order: Order, unit: float, rng: np.random.Generator) -> Tensor:
    """unit  pixels of these frames to one of the small clip"""
    if rng.random() < order.ringing:
        return filtered(frames, _ringing(rng, len(frames), unit)).clamp(0, 1)
    sigmas = wandering(rng, order.blur, len(frames)) * unit
    if rng.random() >= order.uneven and sigmas.min() == sigmas.max():
        return gaussian_blur(frames, float(sigmas[0]))  # separable, and so the quickest
    reach = max(1, math.ceil(3 * sigmas.max()))
    thinner, degrees, beta = (
        rng.uniform(0.3, 1),
        rng.uniform(0, 180),
        math.exp(rng.uniform(math.log(0.5), math.log(2))),
    )
    kernels = [gaussian_kernel(reach, (sigma, sigma * thinner), degrees, beta) for sigma in sigmas]
    return filtered(frames, torch.stack(kernels)).clamp(0, 1)


def _ringing(rng: np.random.Generator, num_frames: int, unit: float = 1.0) -> Tensor:
    """unit  pixels of these frames to one of the small clip"""
    cutoff = min(math.pi, rng.uniform(math.pi / 3, math.pi) / unit)  # above pi it would be no low pass
    reach = min(MOST_RING_REACH, round(RING_REACH * max(1.0, unit)))
    return sinc_kernel(reach, cutoff).expand(num_frames, -1, -1)


def _compressed(frames: Tensor, codec: Codec, rng: np.random.Generator) -> Tensor:
    if codec.bits_per_pixel is not None:
        return encoded(
            frames, codec.name, bits_per_pixel=math.exp(rng.uniform(*np.log(codec.bits_per_pixel)))
        )
    assert codec.quality is not None, f"{codec.name} has neither a quality nor a rate"
    return encoded(frames, codec.name, rng.uniform(*codec.quality))


def _kernel(rng: np.random.Generator) -> Kernel:
    return KERNELS[rng.integers(len(KERNELS))]
