"""The generator's passes, recorded once per stage as CUDA graphs and replayed in every step.

A small network on a large GPU waits for the processor that starts its kernels, thousands a step: on an H200 a
faithful step of `fast` took 54 ms, of which the GPU worked a quarter. A recording starts them all at once.

Letters: B batch, T frames, C colours, H W height and width of the small frame.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import cast

import torch
from torch import Tensor, nn

from vidgan.generators import Memory, VideoGenerator
from vidgan.recipe import Stage

Roll = Callable[..., Memory | None]


@dataclass(frozen=True)
class Recording:
    """What was recorded, for clips of one size; called as what it stands for."""

    shape: torch.Size  # of the clips that the rolls are for
    fresh: Callable[[Tensor], Tensor]
    going_on: Callable[..., Tensor] | None  # with a memory's tensors; None where the stage begins with none
    rolls: Mapping[int, "_Roll"]

    def clip(self, low_BTCHW: Tensor, memory: Memory | None) -> Tensor:
        if memory is None:
            return self.fresh(low_BTCHW)
        assert self.going_on is not None, "the stage was recorded without a memory"
        return self.going_on(low_BTCHW, *memory)


class _Clip(nn.Module):
    """The generator over a clip, its memory in plain tensors, as a recording wants its inputs."""

    def __init__(self, generator: VideoGenerator, joined: Callable[[Memory], Memory] = tuple) -> None:
        super().__init__()
        self.generator = generator
        self.joined = joined  # tensors -> a memory of the generator's kind

    def forward(self, low_BTCHW: Tensor, *memory: Tensor) -> Tensor:
        return self.generator(low_BTCHW, self.joined(memory) if memory else None)


class _Roll:
    """A pass without gradients: low (B, T, C, H, W) -> the memory it leaves. Its result holds until the next call."""

    def __init__(self, roll: Callable[[Tensor], Memory | None], low_BTCHW: Tensor) -> None:
        self.low = low_BTCHW.clone()
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside), torch.no_grad():
            roll(self.low)  # the libraries choose their kernels
        torch.cuda.current_stream().wait_stream(aside)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph), torch.no_grad():
            memory = roll(self.low)
        assert memory is not None, "only what leaves one is recorded"
        self.memory = memory

    def __call__(self, low_BTCHW: Tensor) -> Memory:
        self.low.copy_(low_BTCHW)
        self.graph.replay()
        return self.memory


def recording(
    generator: VideoGenerator, stage: Stage, roll: Roll, low_BTCHW: Tensor, precision: torch.dtype
) -> Recording:
    """Record what the stage's steps do with clips of this size, which are on the GPU.

    roll  (generator, low, times=n) -> a memory that is several frames old
    """
    both_ways = torch.cat((low_BTCHW, low_BTCHW.flip(1)[:, 1:]), 1)
    shown = both_ways if stage.losses.ping_pong else low_BTCHW
    # Weights that autocast has cast and kept would be recorded once and stay as they were then.
    with torch.autocast("cuda", precision, enabled=precision is not torch.float32, cache_enabled=False):
        fresh = _recorded(_Clip(generator), shown)
        if not stage.roll_in:
            return Recording(low_BTCHW.shape, fresh, None, {})
        rolls = {times: _Roll(partial(roll, generator, times=times), low_BTCHW) for times in (1, 2)}
        memory = rolls[1].memory
        joined = getattr(type(memory), "_make", tuple)  # NamedTuples take their fields one by one
        going_on = _recorded(_Clip(generator, joined), shown, *(part.clone() for part in memory))
    return Recording(low_BTCHW.shape, fresh, going_on, rolls)


def _recorded(clip: nn.Module, *samples: Tensor) -> Callable[..., Tensor]:
    # The recording is made on another stream than the steps run on, as it must be; newer versions of torch warn of it.
    if quiet := getattr(torch.autograd.graph, "set_warn_on_accumulate_grad_stream_mismatch", None):
        quiet(False)
    made = torch.cuda.make_graphed_callables(clip, samples, allow_unused_input=True)
    return cast(Callable[..., Tensor], made)
