"""Pictures as files hold them, and as networks take them: whole code values in arrays, floats in tensors.

Files: (H, W, 3) RGB in full range, uint8, or uint16 for more than 8 bits. Networks: (3, H, W) float32 in [0, 1].
Whatever goes to floats comes back as it was. What lies between two codes goes to the nearer one, a half to the even.

Letters: T frames, H W height and width.
"""

import numpy as np
import torch
from torch import Tensor

LUMA = 0.299, 0.587, 0.114  # BT.601: as an eye weighs red, green and blue
BAND = 8  # rows of a picture that become code values at once: they stay in a processor's cache


def as_tensor(pixels: np.ndarray, device: torch.device | None = None) -> Tensor:
    """(H, W, 3) uint8 or uint16 -> (1, 3, H, W) float32 in [0, 1], on the device, to which code values travel."""
    if pixels.dtype == np.uint16:  # torch has no arithmetic on it: its bits travel as int16
        codes = _on(pixels.view(np.int16), device).int().bitwise_and_(65535)
        return codes.permute(2, 0, 1)[None].float().div_(65535)
    return _on(pixels, device).permute(2, 0, 1)[None].float().div_(255)


def as_pixels(picture: Tensor, depth: np.dtype) -> np.ndarray:
    """(1, 3, H, W) floats, about [0, 1] -> (H, W, 3) uint8 or uint16, rounded; each colour a plane in memory."""
    return as_array(as_codes(picture, depth), depth)


def as_codes(picture: Tensor, depth: np.dtype) -> Tensor:
    """(1, any, H, W) floats, about [0, 1] -> uint8, or int32 for 16 bits, rounded; the layout in memory stays."""
    peak = int(np.iinfo(depth).max)
    codes = torch.empty_like(picture, dtype=torch.uint8 if depth == np.uint8 else torch.int32)
    rows = BAND if picture.device.type == "cpu" else picture.shape[2]
    for floats, whole in zip(picture.split(rows, 2), codes.split(rows, 2), strict=True):
        whole.copy_((floats * peak).round_().clamp_(0, peak))
    return codes


def as_array(codes: Tensor, depth: np.dtype) -> np.ndarray:
    """(1, 3, H, W) of code values -> (H, W, 3) uint8 or uint16; each colour a plane in memory."""
    return codes[0].cpu().numpy().astype(depth, copy=False).transpose(1, 2, 0)


def floats_of(clip: np.ndarray) -> Tensor:
    """(T, H, W, 3) uint8 -> (T, 3, H, W) float32 in [0, 1]; a pixel's colours stay together in memory."""
    return torch.from_numpy(np.ascontiguousarray(clip)).permute(0, 3, 1, 2).float().div_(255)


def bytes_of(rgb: Tensor) -> np.ndarray:
    """(3, H, W) or (T, 3, H, W), about [0, 1] -> (H, W, 3) or (T, H, W, 3) uint8, a pixel's colours together in memory.

    From any device; values outside are clipped.
    """
    codes = rgb.clamp(0, 1).mul_(255).round_().byte()
    return codes.movedim(-3, -1).contiguous().cpu().numpy()


def luma(folded: Tensor) -> Tensor:
    """(B, 3 * any, H, W), colour by colour -> (B, any, H, W): of a picture, or of one whose pixels are folded."""
    red, green, blue = folded.chunk(3, 1)
    return (LUMA[0] * red).add_(green, alpha=LUMA[1]).add_(blue, alpha=LUMA[2])


def rounded(rgb: Tensor) -> Tensor:
    """Floats of any shape, about [0, 1] -> the same as 8-bit video holds them: clipped, multiples of 1 / 255."""
    return rgb.clamp(0, 1).mul_(255).round_().div_(255)


def _on(pixels: np.ndarray, device: torch.device | None) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(pixels)).to(device)
