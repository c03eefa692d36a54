"""Hold one video against another: the same moments, side by side, in numbers."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from vidgan import metrics, video
from vidgan.errors import BadVideo
from vidgan.features import has_lpips
from vidgan.frame import Frame
from vidgan.geometry import Map, Wish, plan
from vidgan.stream import as_tensor

SAME_MOMENT = Fraction(1, 1000)  # seconds: two containers may each have rounded a time to milliseconds
SMALLEST_SIDE = 32  # SSIM's window and LPIPS' layers fit into it


@dataclass(frozen=True, kw_only=True)
class Options:
    reference: Path
    output: Path


def run(options: Options) -> dict[str, float]:
    """How far the output is from the reference, over the frames that both show at the same time.

    Both are compared as they are shown, upright and with square pixels, at the reference's size. Times count
    from each video's own first frame: containers begin their clocks where they like.
    Gives frames, psnr_y (dB, of the mean squared error over all frames, so that one frame without any error
    does not make it infinite), ssim_y, and lpips where its weights are at hand (means over frames).
    Raises BadVideo if one of the two is no video, or if they do not show the same shape.
    """
    reference, output = video.probe(options.reference), video.probe(options.output)
    truly, seen = _upright(reference), _upright(output)
    _check_shapes(options, truly, seen)
    measures = {"ssim_y": metrics.ssim_y}
    if has_lpips("alex"):
        measures["lpips"] = metrics.lpips
    sums = dict.fromkeys(measures, 0.0)
    error, count = 0.0, 0
    for expected, found in _matched(video.read(reference), video.read(output)):
        truth = _shown(expected, truly)
        picture = _resized(_shown(found, seen), truth)
        error += 10 ** (-metrics.psnr_y(picture, truth) / 10)
        for name, measure in measures.items():
            sums[name] += measure(picture, truth)
        count += 1
    psnr = -10 * math.log10(error / count) if error else math.inf
    return {"frames": float(count), "psnr_y": psnr, **{name: total / count for name, total in sums.items()}}


def _upright(source: video.Source) -> Map:
    """The map from stored pixels to what a player shows, at the stored size."""
    return plan(Wish(scale=1), source)


def _shown(frame: Frame, upright: Map) -> Tensor:
    with torch.inference_mode():
        return upright.render(as_tensor(frame.pixels), factor=1).clamp(0, 1)


def _matched(references: Iterator[Frame], outputs: Iterator[Frame]) -> Iterator[tuple[Frame, Frame]]:
    """Pairs of frames of the same moment; a frame that only one of the two has is left out."""
    reference, output = next(references, None), next(outputs, None)
    if reference is None or output is None:
        return
    offset = reference.seconds - output.seconds
    while reference is not None and output is not None:
        apart = reference.seconds - output.seconds - offset
        if abs(apart) <= SAME_MOMENT:
            yield reference, output
        if apart <= SAME_MOMENT:
            reference = next(references, None)
        if apart >= -SAME_MOMENT:
            output = next(outputs, None)


def _check_shapes(options: Options, reference: Map, output: Map) -> None:
    """Raises BadVideo where resizing would distort: bars, crops and turns are no enlargement."""
    apart = abs(output.width * reference.height - output.height * reference.width)
    # At any scale, rounding and padding to even sides add less than two pixels to a side.
    if apart > 2 * max(reference.width, reference.height):
        raise BadVideo(
            f"{options.output} is shown as {output.width}x{output.height}, which is another shape than "
            f"{options.reference} with {reference.width}x{reference.height}",
            "Compare with an output that was not cropped, turned or given bars.",
        )
    if min(reference.width, reference.height) < SMALLEST_SIDE:
        raise BadVideo(
            f"{options.reference} is {reference.width}x{reference.height}: too small to be measured",
            f"Compare videos of {SMALLEST_SIDE} pixels or more to a side.",
        )


def _resized(picture: Tensor, like: Tensor) -> Tensor:
    """At the size of `like`; a last column or row that only made a side even is cut off first."""
    height, width = like.shape[-2:]
    factor = max(picture.shape[-1] // width, 1)
    if picture.shape[-1] - factor * width in (0, 1) and picture.shape[-2] - factor * height in (0, 1):
        picture = picture[..., : factor * height, : factor * width]
    if picture.shape == like.shape:
        return picture
    return F.interpolate(picture, size=(height, width), mode="bicubic", antialias=True).clamp(0, 1)
