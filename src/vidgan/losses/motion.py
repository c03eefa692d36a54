"""Where things were one frame earlier, found in the sharp clip itself: on any device, without OpenCV.

A search by whole pixels at a quarter of the size, then steps of Lucas and Kanade (1981) at half and at full size; and
beside it, where that explains a place better, the whole-pixel motion of the picture as a whole, by phase correlation
(Kuglin and Hines 1975): exact where a camera pans over a photo. It is meant for losses, which need most of the picture
most of the time and are told where it is wrong.

Letters: N pairs of frames, C colours, H W height and width.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

REACH = 4  # pixels of a quarter of the size that are searched, to each side: 16 of the full size
BLOCK = 5  # side of what is compared, at each size
STEPS = 2  # of least squares, at half and at full size
STIFFNESS = 1e-4  # of the least squares, in squared slopes: flat places stay where the search put them
TRUSTED = 0.03  # difference, of a range of 1, at which what was found counts e times less


@torch.no_grad()
def motion(now: Tensor, before: Tensor) -> Tensor:
    """(N, 2, H, W): what now shows at x, before showed at x + motion; x and y, in pixels.

    now, before  (N, C, H, W) in [0, 1], sides divisible by 4
    """
    now, before = (pictures.float().mean(1, keepdim=True) for pictures in (now, before))
    found = _searched(F.avg_pool2d(now, 4), F.avg_pool2d(before, 4))
    for size in (2, 1):
        found = 2 * F.interpolate(found, scale_factor=2, mode="bilinear")
        smaller = [F.avg_pool2d(pictures, size) for pictures in (now, before)]
        for _ in range(STEPS):
            found = _nearer(smaller[0], smaller[1], found)
    whole = _of_the_whole(now, before)[:, :, None, None].expand_as(found)
    costs = [mean_around((now - fetched(before, motion)).abs(), BLOCK) for motion in (found, whole)]
    return torch.where(costs[1] < costs[0], whole, found)


def fetched(pictures: Tensor, motion: Tensor) -> Tensor:
    """(N, C, H, W): at x, what the pictures show at x + motion, linearly between pixels; edges repeated."""
    _, _, height, width = pictures.shape
    y = torch.arange(height, device=motion.device, dtype=motion.dtype).view(1, -1, 1) + motion[:, 1]
    x = torch.arange(width, device=motion.device, dtype=motion.dtype).view(1, 1, -1) + motion[:, 0]
    places = torch.stack(((2 * x + 1) / width - 1, (2 * y + 1) / height - 1), -1)
    return F.grid_sample(pictures, places, mode="bilinear", padding_mode="border", align_corners=False)


@torch.no_grad()
def trust(now: Tensor, before: Tensor, motion: Tensor) -> Tensor:
    """(N, 1, H, W) in (0, 1]: 1 where the motion explains the picture, little where it does not."""
    left = (now - fetched(before, motion)).abs().mean(1, keepdim=True)
    return torch.exp(-mean_around(left, 3) / TRUSTED)


def _searched(now: Tensor, before: Tensor) -> Tensor:
    """(N, 2, H, W): the whole-pixel motion that explains the block around each pixel best; none where all do."""
    count, _, height, width = now.shape
    side = 2 * REACH + 1
    moved = F.unfold(F.pad(before, [REACH] * 4, mode="replicate"), side).view(count, side**2, height, width)
    steps = torch.arange(-REACH, REACH + 1, device=now.device, dtype=now.dtype)
    y, x = (grid.flatten() for grid in torch.meshgrid(steps, steps, indexing="ij"))
    costs = mean_around((moved - now).abs(), BLOCK) + 1e-4 * (x.abs() + y.abs()).view(1, -1, 1, 1)
    best = costs.argmin(1)
    return torch.stack((x[best], y[best]), 1)


def _of_the_whole(now: Tensor, before: Tensor) -> Tensor:
    """(N, 2): one motion for each pair, x and y, in whole pixels."""
    height, width = now.shape[-2:]
    fading = _hann(height, now)[:, None] * _hann(
        width, now
    )  # or the frame's own edges, which stay, would be matched
    before, now = ((pictures - pictures.mean((2, 3), keepdim=True)) * fading for pictures in (before, now))
    product = torch.fft.rfft2(before) * torch.fft.rfft2(now).conj()
    peak = torch.fft.irfft2(product / (product.abs() + 1e-6), s=(height, width)).flatten(1).argmax(1)
    y, x = peak // width, peak % width
    # A peak in the farther half is a motion the other way.
    return torch.stack((x - width * (2 * x > width), y - height * (2 * y > height)), 1).to(now.dtype)


def _hann(length: int, like: Tensor) -> Tensor:
    return torch.hann_window(length, periodic=False, device=like.device, dtype=like.dtype)


def _nearer(now: Tensor, before: Tensor, found: Tensor) -> Tensor:
    """One step of least squares over the block around each pixel, at most a pixel long."""
    return found + step_of(now, fetched(before, found))


def step_of(now: Tensor, moved: Tensor) -> Tensor:
    """(N, 2, H, W): the motion that one step of least squares finds, at most a pixel long; differentiable.

    now, moved  (N, 1, H, W) in [0, 1]
    """
    across, down = _slopes((now + moved) / 2)
    left = now - moved
    products = torch.cat((across * across, down * down, across * down, across * left, down * left), 1)
    xx, yy, xy, xd, yd = mean_around(products, BLOCK).split(1, 1)
    xx, yy = xx + STIFFNESS, yy + STIFFNESS
    scale = 1 / (xx * yy - xy * xy)
    return torch.cat(((yy * xd - xy * yd) * scale, (xx * yd - xy * xd) * scale), 1).clamp(-1, 1)


def _slopes(pictures: Tensor) -> tuple[Tensor, Tensor]:
    """Central differences along x and y."""
    padded = F.pad(pictures, [1] * 4, mode="replicate")
    across = (padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]) / 2
    down = (padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]) / 2
    return across, down


def mean_around(pictures: Tensor, side: int) -> Tensor:
    """(N, C, H, W): means over side x side pixels around each; at an edge over those that there are."""
    return F.avg_pool2d(pictures, side, stride=1, padding=side // 2, count_include_pad=False)
