"""Where a network made things up, and how much: its picture held against its faithful twin's and its source.

Two witnesses, each in code values of 255. The faithful twin, which never played against a discriminator, shows what a
network that dares nothing makes of the same frames. The source shows what the picture, brought down, must give again.
A shift of colour is seen by both, so that the larger of the two counts, not their sum.

Letters: H W height and width of the large picture, h w of its source, S scale.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from vidgan import stream
from vidgan.backprojection import brought_down
from vidgan.geometry import Map

MOST = 32.0  # code values that are drawn in the last colour: the same for all frames and videos


class Trust:
    """A faithful twin at work beside its model: the same frames, a memory of its own, cleared at the same cuts.

    plan    where the pictures go
    window  the part of the stored source that the network sees
    """

    def __init__(self, twin: stream.Upscaler, plan: Map, window: stream.Window) -> None:
        self.twin, self._plan, self._window = twin, plan, window
        whole = torch.ones(1, 1, window[3] * twin.scale, window[2] * twin.scale)
        self._shown = float(self._rendered(whole).sum())  # pixels; empty corners of the canvas are none

    def measure(self, folded: Tensor, small: Tensor, *, begins: bool) -> tuple[Tensor, float]:
        """What was invented in a frame: (height, width) on the plan's canvas, in code values; and its mean.

        folded  (1, 3 * S * S, h, w) the window's enlargement, as it is to be written
        small   (1, 3, h, w) the window
        begins  whether a shot begins with this frame
        """
        if begins:
            self.twin.forget()
        with torch.inference_mode():
            faithful, written = self.twin.folded(small).clamp_(0, 1), folded.clamp(0, 1)
            found = invented(written, faithful, small.to(folded.device))
            large = F.interpolate(found, scale_factor=self.twin.scale, mode="bilinear")
            shown = self._rendered(large)
            return shown, float(shown.sum()) / self._shown

    def _rendered(self, values: Tensor) -> Tensor:
        """(1, 1, H, W) -> (height, width), at least 0: a sharp kernel overshoots."""
        canvas = self._plan.render(values, factor=self.twin.scale, window=self._window)
        return canvas[0, 0].clamp(min=0)


def invented(folded: Tensor, faithful: Tensor, small: Tensor) -> Tensor:
    """What was made up within each small pixel: (1, 1, h, w) in code values.

    folded, faithful  (1, 3 * S * S, h, w) in [0, 1]: the picture and its faithful twin, folded
    small             (1, 3, h, w) in [0, 1]: their source
    """
    return torch.maximum(disagreement(folded, faithful), inconsistency(folded, small))


def disagreement(folded: Tensor, faithful: Tensor) -> Tensor:
    """The mean difference over colours and all large pixels of a small one: single large pixels would only sparkle."""
    return 255 * (folded - faithful).abs_().mean(dim=1, keepdim=True)


def inconsistency(folded: Tensor, small: Tensor) -> Tensor:
    """How far the picture, shrunk to its source's size, differs from the source: the mean over colours."""
    large = stream.unfolded(folded, math.isqrt(folded.shape[1] // 3))
    return 255 * (brought_down(large, small) - small).abs_().mean(dim=1, keepdim=True)
