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
