"""Hold one video against another: the same moments, side by side, in numbers."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor
from torch.nn import functional as F

from vidgan import metrics, video
from vidgan.errors import BadVideo
from vidgan.features import has_lpips
from vidgan.frame import Frame
from vidgan.stream import as_tensor


@dataclass(frozen=True, kw_only=True)
class Options:
    reference: Path
    output: Path


def run(options: Options) -> dict[str, float]:
    """Means over the frames that both show at the same time; an output of another size is resized first.

    Gives frames, psnr_y (dB), ssim_y, and lpips where its weights are at hand.
    Raises BadVideo if the two have no moment in common.
    """
    measures = {"psnr_y": metrics.psnr_y, "ssim_y": metrics.ssim_y}
    if has_lpips("alex"):
        measures["lpips"] = metrics.lpips
    sums = dict.fromkeys(measures, 0.0)
    count = 0
    for reference, output in _matched(options):
        truth = as_tensor(reference.pixels)
        seen = _resized(as_tensor(output.pixels), truth)
        for name, measure in measures.items():
            sums[name] += measure(seen, truth)
        count += 1
    if not count:
        raise BadVideo(
            f"{options.reference} and {options.output} show no frame at the same time",
            "Compare two videos of the same frames.",
        )
    return {"frames": float(count), **{name: total / count for name, total in sums.items()}}


def _matched(options: Options) -> Iterator[tuple[Frame, Frame]]:
    """Pairs of frames whose times agree to half a millisecond: a container's tick may have rounded them."""
    references = video.read(video.probe(options.reference))
    outputs = video.read(video.probe(options.output))
    reference, output = next(references, None), next(outputs, None)
    while reference is not None and output is not None:
        apart = float(reference.seconds - output.seconds)
        if abs(apart) <= 0.5e-3:
            yield reference, output
        if apart <= 0.5e-3:
            reference = next(references, None)
        if apart >= -0.5e-3:
            output = next(outputs, None)


def _resized(picture: Tensor, like: Tensor) -> Tensor:
    if picture.shape == like.shape:
        return picture
    small = F.interpolate(picture, size=like.shape[-2:], mode="bicubic", antialias=True)
    return (small.clamp(0, 1) * 255).round() / 255
