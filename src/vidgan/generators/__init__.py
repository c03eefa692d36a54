"""Networks that make a video larger and better: one file each, and the file's name is the network's name.

Letters: B batch, T frames, H W height and width of the small frame, S scale.
"""

from typing import cast

from torch import Tensor, nn

# What one frame leaves for the next: each (B, any, H / fold, W / fold), rounded up.
Memory = tuple[Tensor, ...]


class VideoGenerator(nn.Module):
    """What a generator offers: enough to train it, to stream videos through it in tiles, and to export it.

    Plain attributes, not properties: nn.Module hides an AttributeError inside a property behind one of its own. Called,
    it takes a clip (B, T, 3, H, W) in [0, 1] and what the frame before its first one left, and gives as many frames
    (B, T, 3, H * S, W * S), unclamped, in float32, whatever the precision of its weights.
    """

    scale: int  # output pixels per input pixel, each side
    reach: int  # input pixels to each side that a frame's output may depend on, a multiple of fold: the halo of a tile
    fold: int = 1  # tiles begin at multiples of so many pixels; the memory is that much smaller, each side
    ahead: int = 0  # frames from the last that is seen to the one that is given; more than 0 predicts, enhances nothing

    def fresh(self, frame: Tensor) -> Memory:
        """What a shot begins with, in the place of None: `folded` gives the same with either. Frame as in `step`."""
        raise NotImplementedError

    def step(self, frame: Tensor, memory: Memory | None = None) -> tuple[Tensor, Memory]:
        """A frame (B, 3, H, W) in [0, 1], what the one before left -> the large frame, what this one leaves.

        memory  None where a shot begins; any tuple of such tensors will do, and is left as it is
        """
        raise NotImplementedError

    def folded(self, frame: Tensor, memory: Memory | None = None) -> tuple[Tensor, Memory]:
        """Like step, but with the large frame's pixels folded into channels: (B, 3 * S * S, H, W), float32.

        memory  as `moved` returns it; None where a shot begins
        """
        raise NotImplementedError

    def moved(self, memory: Memory, frame: Tensor) -> Memory:
        """The memory that the previous frame left, moved to where things are in this frame: what `folded` takes.

        Called once for each whole frame, before it is cut into tiles. By default the memory is returned unchanged.
        """
        return memory

    def bytes_per_pixel(self, itemsize: int) -> int:
        """Roughly what one input pixel needs while a frame is computed, with weights of itemsize bytes each."""
        raise NotImplementedError

    def bytes_to_move(self, itemsize: int) -> int:
        """Roughly what one input pixel needs in `moved`, beside what it gives."""
        return 0


def _as_it_is(memory: Memory, frame: Tensor) -> Memory:
    return memory


def _nothing(itemsize: int) -> int:
    return 0


def as_generator(module: nn.Module) -> VideoGenerator:
    """The same module, typed as a generator: your own class need not inherit if it has the members that are used.

    Missing members that have a default are set on the module, so that callers need not check for them.
    """
    for name in ("fold", "ahead"):
        if not hasattr(module, name):
            setattr(module, name, getattr(VideoGenerator, name))
    for name, default in (("moved", _as_it_is), ("bytes_to_move", _nothing)):
        if not hasattr(module, name):
            setattr(module, name, default)  # no method: bound to the module, it would keep that alive
    return cast(VideoGenerator, module)
