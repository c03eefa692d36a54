"""Networks that tell real video from made video: one file each, and the file's name is the network's name.

Letters: B batch, T frames, C colours, h w height and width of the small frame, S scale.
"""

from torch import Tensor
from torch.nn import functional as F

FRAMES = 3  # in a row, that a discriminator sees at once
BLOCK = 8  # pixels: sides that every one of them takes are multiples of it


def enlarged(low_BTChw: Tensor, first: int, scale: int) -> Tensor:
    """The middle one of the frames that are judged, as it is before the generator: (B, C, h * S, w * S), bilinear.

    first  of the frames that are judged
    """
    return F.interpolate(low_BTChw[:, first + FRAMES // 2], scale_factor=scale, mode="bilinear")


def enlarged_again(frames_B3CHW: Tensor, scale: int) -> Tensor:
    """The same of the judged frames themselves, made small first: (B, C, H, W). It tells nothing that they do not."""
    middle = frames_B3CHW[:, FRAMES // 2].float()
    height, width = middle.shape[-2:]
    small = F.interpolate(middle, size=(height // scale, width // scale), mode="bicubic", antialias=True)
    return F.interpolate(small, size=(height, width), mode="bilinear")
