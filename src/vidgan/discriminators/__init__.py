"""Networks that tell real video from made video: one file each, and the file's name is the network's name.

Letters: B batch, T frames, C colours, h w height and width of the small frame, S scale.
"""

from dataclasses import dataclass

from torch import Tensor, cat
from torch.nn import functional as F

FRAMES = 3  # in a row, that a discriminator sees at once
BLOCK = 8  # pixels: sides that every one of them takes are multiples of it


def enlarged(low_BTChw: Tensor, first: int, scale: int) -> Tensor:
    """The middle one of the frames that are judged, as it is before the generator: (B, C, h * S, w * S), bilinear.

    first  of the frames that are judged
    """
    return F.interpolate(low_BTChw[:, first + FRAMES // 2], scale_factor=scale, mode="bilinear")


@dataclass(frozen=True, kw_only=True)
class View:
    """How a discriminator is shown pictures; every discriminator has these settings.

    Real frames show what the damage of a source hides; made ones cannot. A discriminator that also sees the damaged
    source tells them apart by that, however good they look, or by fine contrast of any kind, and drives the generator
    to draw a mesh. Where sources are damaged, let it see how frames look by themselves, and larger things than pixels.
    """

    own: int = 0  # 0: the hint is the enlarged input; N: the middle frame, shrunk N times and enlarged again
    smaller: int = 1  # how many times smaller, each side, pictures are made before they are judged

    def __post_init__(self) -> None:
        if self.own < 0 or not 1 <= self.smaller <= 4:
            raise ValueError(f"own is 0 or more, smaller 1 to 4, not {self.own} and {self.smaller}")


def seen(frames_B3CHW: Tensor, hint_BCHW: Tensor, view: View) -> Tensor:
    """Frames and hint in [0, 1], one above the other -> (B, 4 * C, H', W') in [-1, 1]; H', W' are whole blocks."""
    if view.own:
        hint_BCHW = softened(frames_B3CHW[:, FRAMES // 2], view.own)
    stack = cat((frames_B3CHW.flatten(1, 2), hint_BCHW), 1)
    if view.smaller > 1:
        height, width = (side // view.smaller // BLOCK * BLOCK for side in stack.shape[-2:])
        stack = reduced(stack, view.smaller)[..., :height, :width]
    return stack * 2 - 1


def softened(picture_BCHW: Tensor, times: int) -> Tensor:
    """Made smaller, and as large again: what a picture is without its detail."""
    return F.interpolate(reduced(picture_BCHW, times), size=picture_BCHW.shape[-2:], mode="bilinear")


def reduced(picture_BCHW: Tensor, times: int) -> Tensor:
    """(B, C, H, W) -> (B, C, H // times, W // times), antialiased, in float32; a pixel at least."""
    size = [max(side // times, 1) for side in picture_BCHW.shape[-2:]]
    return F.interpolate(picture_BCHW.float(), size=size, mode="bicubic", antialias=True)
