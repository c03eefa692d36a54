"""Analogue tape: colours smeared along the line and late, lines that start where they should not."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vidgan.degrade.blur import gaussian_kernel

# RGB -> Y, U, V of BT.601, which tape is recorded in; and back.
TO_YUV = torch.tensor([[0.299, 0.587, 0.114], [-0.147, -0.289, 0.436], [0.615, -0.515, -0.100]])
TO_RGB = torch.linalg.inv(TO_YUV)


def taped(frames: Tensor, rng: np.random.Generator) -> Tensor:
    """Frames (T, 3, H, W) as a home cassette gives them back; in [0, 1].

    Along a line, brightness loses what is finer than about a pixel, colour what is finer than three to six, and colour
    comes up to two pixels late (VHS keeps 3 MHz of brightness, 0.4 of colour). Each line starts up to half a pixel
    off, anew in every frame. All widths are drawn once per clip.
    """
    yuv = torch.einsum("ij,tjhw->tihw", TO_YUV.to(frames), frames)
    y, uv = yuv[:, :1], yuv[:, 1:]
    y = _along_lines(y, rng.uniform(0.4, 1.0))
    uv = _along_lines(uv, rng.uniform(1.5, 3.0))
    late = rng.uniform(0, 2)
    start = torch.from_numpy(rng.normal(0, rng.uniform(0, 0.25), (len(frames), frames.shape[2])))
    shifted = torch.cat([_moved(y, start), _moved(uv, start + late)], 1)
    return torch.einsum("ij,tjhw->tihw", TO_RGB.to(frames), shifted).clamp(0, 1)


def _along_lines(planes: Tensor, sigma: float) -> Tensor:
    reach = max(1, round(3 * sigma))
    row = gaussian_kernel(reach, (sigma, 1e-3))[reach].to(planes)
    kernel = (row / row.sum()).expand(planes.shape[1], 1, 1, -1)
    return F.conv2d(F.pad(planes, (reach, reach, 0, 0), mode="replicate"), kernel, groups=planes.shape[1])


def _moved(planes: Tensor, pixels_TH: Tensor) -> Tensor:
    """Each line of (T, C, H, W) moved to the right by so many pixels, linearly between pixels; edges repeated."""
    width = planes.shape[-1]
    place = torch.arange(width, dtype=torch.float64) - pixels_TH.unsqueeze(-1)
    left = place.floor().clamp(0, width - 1)
    share = (place - left).clamp(0, 1).to(planes).unsqueeze(1)
    near = left.long().unsqueeze(1).expand(planes.shape)
    far = (near + 1).clamp_max(width - 1)
    return torch.lerp(planes.gather(-1, near), planes.gather(-1, far), share)
