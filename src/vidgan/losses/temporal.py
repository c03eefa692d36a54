"""Losses that compare how pictures change from frame to frame."""

from torch import Tensor, cat
from torch.nn import functional as F

from vidgan.losses.motion import motion, trust
from vidgan.motion import fetched, step_of


def temporal_difference(output: Tensor, target: Tensor) -> Tensor:
    """L1 between frame-to-frame changes: punishes flicker, ignores a constant offset.

    output, target  (B, T, C, H, W) with T >= 2
    """
    return (output.diff(dim=1) - target.diff(dim=1)).abs().mean()


def temporal_residual(output: Tensor, target: Tensor) -> Tensor:
    """L1 between the error of a frame and that of the one before, along the target's motion: the metric tRes as a loss.

    Invented texture that stays on the surface it was put on costs nothing, unlike in temporal_difference; what boils
    or swims does. Where the motion does not explain the target, it counts less.

    output, target  (B, T, C, H, W) with T >= 2, sides divisible by 4
    """
    now, before = target[:, 1:].flatten(0, 1), target[:, :-1].flatten(0, 1)
    found = motion(now, before)
    error = output - target
    change = error[:, 1:].flatten(0, 1) - fetched(error[:, :-1].flatten(0, 1), found)
    return (change.abs() * trust(now, before, found)).mean()


def motion_difference(output: Tensor, target: Tensor) -> Tensor:
    """L1 between the motion from the frame before to the output and to the target, in pixels: where things went.

    The part of Liu et al. 2018, "Future frame prediction for anomaly detection", that a flow network plays; here it is
    one step of least squares at half the size, through which a gradient goes.

    output, target  (B, T, C, H, W) with T >= 2, even sides
    """
    before, now, made = (
        F.avg_pool2d(clip.flatten(0, 1).mean(1, keepdim=True), 2)
        for clip in (target[:, :-1], target[:, 1:], output[:, 1:])
    )
    return 2 * (step_of(made, before) - step_of(now, before)).abs().mean()


def there_and_back(low_BTCHW: Tensor) -> Tensor:
    """Frames 0 1 ... T-1 ... 1 0, the last one once: (B, T, C, H, W) -> (B, 2T - 1, C, H, W).

    What a recurrent generator is shown for ping_pong: of its output, ping_pong takes [:, :T] and [:, T - 1:].
    """
    return cat((low_BTCHW, low_BTCHW.flip(1)[:, 1:]), dim=1)


def ping_pong(forward_BTCHW: Tensor, backward_BTCHW: Tensor) -> Tensor:
    """L1 between a frame made on the way there and on the way back (TecoGAN, Chu et al. 2020).

    Detail that drifts or piles up in the memory differs between the two, and is punished without any target.
    Both sides get the gradient. The turning point, which both share, does not count.

    forward, backward  (B, T, C, H, W) with T >= 2, each in the order in which it was made: forward's last frame
                       is backward's first
    """
    assert forward_BTCHW.shape == backward_BTCHW.shape, (
        f"{forward_BTCHW.shape} against {backward_BTCHW.shape}"
    )
    assert forward_BTCHW.shape[1] >= 2, "a way of one frame has nothing to compare"
    return (forward_BTCHW - backward_BTCHW.flip(1))[:, :-1].abs().mean()
