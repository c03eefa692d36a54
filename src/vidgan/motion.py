"""Where things were one frame earlier, found in the frames themselves: on any device, without OpenCV.

A search by whole pixels at a quarter of the size, then steps of Lucas and Kanade (1981) at a quarter, at half and at
full size. After each step a motion becomes the mean of those around it, each counted by how well it explains the
picture: what is flat, or hidden, goes with what is around it (as the patches of DIS are joined, Kroeger et al. 2016).

Letters: N pairs of frames, C colours, H W height and width.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor

FLOATS = 30  # for each pixel while its motion is found
COARSEST = 4  # the size at which is searched is the frame's by this
REACH = 4  # pixels of it that are searched, to each side: 16 of the full size
BLOCK = 5  # side of what is compared, at each size
STEPS = {4: 2, 2: 2, 1: 2}  # of least squares: the frame's size by so much, and how many there
STIFFNESS = 1e-4  # of the least squares, in squared slopes: flat places stay where the search put them
DOUBTED = 0.02  # difference, of a range of 1, at which a motion counts e times less among its neighbours


@torch.no_grad()
def motion(now: Tensor, before: Tensor) -> Tensor:
    """(N, 2, H, W): what now shows at x, before showed at x + motion; x and y, in pixels.

    now, before  (N, C, H, W) in [0, 1]
    """
    height, width = now.shape[-2:]
    rest = (0, -width % COARSEST, 0, -height % COARSEST)
    now, before = (
        F.pad(pictures.float().mean(1, keepdim=True), rest, mode="replicate") for pictures in (now, before)
    )
    found = _searched(F.avg_pool2d(now, COARSEST), F.avg_pool2d(before, COARSEST))
    for size, steps in STEPS.items():
        if size < COARSEST:
            found = 2 * F.interpolate(found, scale_factor=2, mode="bilinear")
        smaller = F.avg_pool2d(now, size), F.avg_pool2d(before, size)
        for _ in range(steps):
            found = _agreed(*smaller, _nearer(*smaller, found))
    return found[..., :height, :width]


@contextmanager
def on_one_thread() -> Iterator[None]:
    """For the hundreds of small steps of one pair: to wake a second thread for each takes longer than without it."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def fetched(pictures: Tensor, motion: Tensor) -> Tensor:
    """(N, C, H, W): at x, what the pictures show at x + motion, linearly between pixels; edges repeated."""
    _, _, height, width = pictures.shape
    y = torch.arange(height, device=motion.device, dtype=motion.dtype).view(1, -1, 1) + motion[:, 1]
    x = torch.arange(width, device=motion.device, dtype=motion.dtype).view(1, 1, -1) + motion[:, 0]
    places = torch.stack(((2 * x + 1) / width - 1, (2 * y + 1) / height - 1), -1)
    return F.grid_sample(pictures, places, mode="bilinear", padding_mode="border", align_corners=False)


def fetched_squares(large: Tensor, motion: Tensor, scale: int, *, cubic: bool = True) -> Tensor:
    """(N, 1, H * S, W * S) -> (N, S * S, H, W), folded: as fetched, for enlargements.

    A small pixel's square moves as one.

    cubic  what is fetched over and over would fade if it were linear between pixels
    """
    cubic = cubic and large.device.type != "mps"  # Metal's has none
    count, _, height, width = large.shape
    h, w = motion.shape[2:]
    inside = torch.arange(scale, device=large.device, dtype=torch.float32)
    rows = torch.arange(0, height, scale, device=large.device).view(-1, 1) + scale * motion[:, 1]
    columns = torch.arange(0, width, scale, device=large.device) + scale * motion[:, 0]
    y = (rows[:, None, None] + inside.view(-1, 1, 1, 1)).expand(count, scale, scale, h, w)
    x = (columns[:, None, None] + inside.view(-1, 1, 1)).expand(count, scale, scale, h, w)
    places = torch.stack(((2 * x + 1) / width - 1, (2 * y + 1) / height - 1), -1)
    moved = F.grid_sample(
        # On a processor, each of a batch has a thread.
        large[:, None].expand(-1, scale, -1, -1, -1).flatten(0, 1),
        places.view(count * scale, scale * h, w, 2),
        mode="bicubic" if cubic else "bilinear",
        padding_mode="border",
        align_corners=False,
    )
    return moved.view(count, -1, h, w)


def unexplained(now: Tensor, before: Tensor, motion: Tensor) -> Tensor:
    """(N, 1, H, W): how far the picture is from what the motion makes of the one before, around each pixel."""
    return mean_around((now - fetched(before, motion)).abs().mean(1, keepdim=True), 3)


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


def _nearer(now: Tensor, before: Tensor, found: Tensor) -> Tensor:
    """One step of least squares over the block around each pixel, at most a pixel long."""
    return found + step_of(now, fetched(before, found))


def _agreed(now: Tensor, before: Tensor, found: Tensor) -> Tensor:
    """The mean of the motions around each pixel, each counted by how well it explains its place."""
    counts = torch.exp(-unexplained(now, before, found) / DOUBTED)
    sums = mean_around(torch.cat((found * counts, counts), 1), BLOCK)
    return sums[:, :2] / sums[:, 2:]


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
    """(N, C, H, W): means over side x side pixels around each, side odd; at an edge over those that there are."""
    # Shifted pictures are added up, down and then across: on a processor several times as fast as avg_pool2d.
    padded = F.pad(pictures, [side // 2] * 4)
    return _mean_along(_mean_along(padded, -2, side), -1, side)


def _mean_along(padded: Tensor, dim: int, side: int) -> Tensor:
    """Means over side places in a row; the padding, half a side of zeros at both ends, does not count."""
    length = padded.shape[dim] - side + 1
    total = padded.narrow(dim, 0, length) + padded.narrow(dim, 1, length)
    for start in range(2, side):
        total += padded.narrow(dim, start, length)
    places = torch.arange(length, device=padded.device)
    inside = (places + side // 2).clamp(max=length - 1) - (places - side // 2).clamp(min=0) + 1
    total *= (1 / inside).to(total.dtype).view(-1, *[1] * (-1 - dim))
    return total
