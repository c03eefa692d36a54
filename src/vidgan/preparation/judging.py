"""What makes footage unfit to learn from, measured on its pictures: each measure gives a number, each fault its limit.

The network learns to give back what its training pictures have beyond their own shrunken copies. A picture that was
itself blurred, enlarged or crushed by a codec teaches it that this is how sharp video looks.

Letters: T frames, H W height and width, C colours.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from vidgan.metrics.single import blocking, grey
from vidgan.metrics.single import detail as detail_of
from vidgan.metrics.still import is_same

# Limits, chosen on 55 clips and 852 photos that are fit, and on the same pictures made unfit: see docs/data.md.
BAR = 24.0  # code values: the largest mean of a line of a black bar
PLAIN = 2.0  # code values: the largest standard deviation of such a line, which a codec has touched
LEAST_BAR = 0.02  # of the side: a few dark lines at an edge are no bar
LEAST_PICTURE = 0.25  # of the frame: if less would be left within the bars, it is a dark scene
DETAIL = 2.0  # code values: the least that metrics.single.detail must give
BLOCKS = 1.5  # the most that metrics.single.blocking may give
FINENESS = 0.42  # the least that `fineness` must give
BITS = 0.015  # bits per pixel: the least that H.264 needs
SOFT = "blurred or already upscaled"
CROP = 512  # the largest part that is looked at, in the middle


@dataclass(frozen=True)
class Fault:
    """Why footage is left out."""

    reason: str  # a few words, always the same for the same fault
    detail: str  # what was measured, and the limit


def picture_area(frames_THWC: np.ndarray) -> tuple[int, int, int, int]:
    """x, y, width, height of the picture inside black bars that stay for the whole clip.

    frames  (T, H, W, 3) uint8. The whole frame where there are no bars, or where nearly all of it is dark.
    """
    # A bar is not only dark but plain, in every frame: a night sky is not, and a logo in a bar ends it.
    luma = frames_THWC.max(-1).astype(np.float32)
    rows = ((luma.mean(2) > BAR) | (luma.std(2) > PLAIN)).any(0)
    columns = ((luma.mean(1) > BAR) | (luma.std(1) > PLAIN)).any(0)
    height, width = rows.size, columns.size
    if not rows.any() or not columns.any():
        return 0, 0, width, height
    top, bottom = _inside(rows)
    left, right = _inside(columns)
    if (bottom - top) * (right - left) < LEAST_PICTURE * height * width:
        return 0, 0, width, height
    return left, top, right - left, bottom - top


def _inside(shown: np.ndarray) -> tuple[int, int]:
    """First and one past the last line that is shown; a line of a codec's blur beside a bar goes with it."""
    first, last = int(shown.argmax()), int(shown.size - shown[::-1].argmax())
    first = first if first >= LEAST_BAR * shown.size else 0
    last = last if shown.size - last >= LEAST_BAR * shown.size else shown.size
    return first + 2 * (first > 0), last - 2 * (last < shown.size)


def fresh(frames_THWC: np.ndarray) -> np.ndarray:
    """(T,) bool: False where a frame shows the one before it again.

    frames  (T, H, W, 3) uint8. A copy that a codec has touched still counts as a copy.
    """
    found = np.ones(len(frames_THWC), bool)
    for index in range(1, len(frames_THWC)):
        found[index] = not is_same(grey(frames_THWC[index]), grey(frames_THWC[index - 1]))
    return found


def faults(frames_THWC: np.ndarray, *, bits_per_pixel: float | None = None) -> list[Fault]:
    """What is wrong with a clip or a photo (T = 1): nothing, one thing or several.

    frames          (T, H, W, 3) uint8, without bars
    bits_per_pixel  of the file that it comes from, where it is known
    """
    looked_at = frames_THWC[:: max(1, len(frames_THWC) // 3)][:3]
    lumas = [_middle(grey(frame)) for frame in looked_at]
    found = []
    detail, blocks = (
        float(np.median([measure(luma) for luma in lumas])) for measure in (detail_of, blocking)
    )
    fine = float(np.median([fineness(luma) for luma in lumas]))
    if detail < DETAIL:
        found.append(Fault("low detail", f"{detail:.1f} code values of fine detail, {DETAIL} are needed"))
    elif fine < FINENESS:
        found.append(
            Fault(SOFT, f"its finest detail is {fine:.2f} of the next coarser, {FINENESS} is needed")
        )
    if blocks > BLOCKS:
        found.append(
            Fault("heavily compressed", f"edges of blocks stand out {blocks:.1f} times, at most {BLOCKS} may")
        )
    elif bits_per_pixel is not None and bits_per_pixel < BITS:
        found.append(Fault("heavily compressed", f"{bits_per_pixel:.3f} bits a pixel, {BITS} are needed"))
    return found


def fineness(luma_HW: np.ndarray) -> float:
    """The finest detail, which halving the picture loses, over what halving once more loses: near 1 in nature.

    A picture that was enlarged twice or more stays below 0.35. A lens out of focus does the same to a picture as an
    enlargement, only more gently: the two are not told apart.
    """
    height, width = (side // 4 * 4 for side in luma_HW.shape)
    whole = torch.from_numpy(luma_HW[None, None, :height, :width])
    half, quarter = (
        F.interpolate(whole, scale_factor=1 / factor, mode="bicubic", antialias=True) for factor in (2, 4)
    )
    finest = whole - F.interpolate(half, size=whole.shape[-2:], mode="bicubic")
    coarser = half - F.interpolate(quarter, size=half.shape[-2:], mode="bicubic")
    return float(finest.std() / (coarser.std() + 1e-6))


def _middle(luma: np.ndarray) -> np.ndarray:
    height, width = luma.shape
    top, left = max(0, (height - CROP) // 2), max(0, (width - CROP) // 2)
    return luma[top : top + CROP, left : left + CROP]
