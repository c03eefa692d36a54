"""Frames through the generator: tiles without seams, memory that ends at cuts, and no frame ever lost."""

import math
import os
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from itertools import chain

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidgan import stream
from vidgan.errors import BadWeights, VidganError
from vidgan.frame import Frame
from vidgan.generators import VideoGenerator, aligned
from vidgan.generators.recurrent import Config, Generator
from vidgan.pixels import as_pixels, as_tensor
from vidgan.shots import CutDetector

CPU = torch.device("cpu")


@pytest.fixture
def generator() -> Generator:
    """Small, and lively as if it had been trained: its memory changes what it makes."""
    made = Generator(Config(features=16, blocks=1))
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.02)
    return made


@pytest.fixture
def folding() -> Generator:
    """Its memory is half as wide and high as a frame."""
    made = Generator(Config(features=16, blocks=1, scale=2, fold=2))
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.02)
    return made


@pytest.fixture
def aligning() -> VideoGenerator:
    """What it remembers is moved along the motion before it is used."""
    made = aligned.Generator(aligned.Config(features=16, blocks=1))
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.02)
    return made


def settings(precision: torch.dtype = torch.float32, tile: int | None = None) -> stream.Settings:
    return stream.Settings(device=CPU, precision=precision, tile=tile)


def upscaler(network: nn.Module, precision=torch.float32, tile=None, said=None) -> stream.Upscaler:
    return stream.Upscaler(network, settings(precision, tile), (said if said is not None else []).append)


def clip(frames: int, height: int = 24, width: int = 32, seed: int = 0) -> list[Frame]:
    """A moving picture: (H, W, 3) uint8."""
    rng = np.random.default_rng(seed)
    wide = rng.integers(0, 256, (height // 4 + 1, (width + 2 * frames) // 4 + 1, 3), np.uint8)
    wide = wide.repeat(4, 0).repeat(4, 1)
    return [
        Frame(pixels=wide[:height, t : t + width], pts=t, duration=1, time_base=Fraction(1, 25))
        for t in range(frames)
    ]


def after_frames(generator: nn.Module, precision: torch.dtype) -> tuple[Tensor, Tensor]:
    """The fiftieth frame: whole, and in tiles."""
    whole, tiled = upscaler(generator, precision), upscaler(generator, precision, tile=64)
    for frame in clip(50, 72, 96):
        low = as_tensor(frame.pixels)
        expected, found = whole.folded(low), tiled.folded(low)
    assert expected.shape == (1, 48, 72, 96) and expected.std() > 0.1
    return expected, found


def test_after_fifty_frames_tiles_give_what_whole_frames_give(generator):
    expected, found = after_frames(generator, torch.float32)
    assert (found - expected).abs().max() < 1 / 255


@pytest.mark.parametrize(("height", "width", "tile"), [(150, 201, 64), (131, 140, 65)])
def test_tiles_of_a_folded_stack_have_no_seam(folding, height, width, tile):
    whole, tiled = upscaler(folding), upscaler(folding, tile=tile)
    for frame in clip(6, height, width):
        low = as_tensor(frame.pixels)
        torch.testing.assert_close(tiled.folded(low), whole.folded(low), atol=1e-4, rtol=0)


@pytest.mark.parametrize("tile", [None, 64])
def test_a_memory_that_is_moved_is_moved_as_a_whole_before_there_are_tiles(aligning, tile):
    """A tile's own part of it could not know of what comes in from its neighbours."""
    streamed, memory, left, apart = upscaler(aligning, tile=tile), None, None, []
    for frame in clip(6, 96, 130):
        low = as_tensor(frame.pixels)
        with torch.inference_mode():
            expected, memory = aligning.step(low, memory)
            still, left = aligning.folded(low, left)
        found = stream.unfolded(streamed.folded(low), 4)
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)
        apart.append(float((stream.unfolded(still, 4) - found).abs().max()))
    assert apart[0] < 1e-5 and min(apart[1:]) > 1e-2  # that the memory's way matters


def test_a_frame_that_is_moved_takes_more_memory_than_one_that_is_not(aligning, generator):
    assert stream.needs(generator, torch.float32).moved == 0
    needs = stream.needs(aligning, torch.float32)
    assert needs.left == 4 * (3 + 16) and needs.moved > 4 * 2 * 16  # a frame, and what was added to it


def test_in_half_precision_tiles_are_above_50_decibels_and_show_no_seam(generator):
    expected, found = after_frames(generator, torch.bfloat16)
    error = (found - expected).abs()
    assert error.square().mean() < 1e-5
    assert error[..., 60:68].mean() <= 3 * error.mean()  # no worse along a tile's edge than anywhere


def test_a_halo_one_pixel_too_narrow_would_show(generator):
    """That the test above can fail."""

    hasty = Generator(generator.config)
    hasty.reach = 2
    hasty.load_state_dict(generator.state_dict())
    low = [as_tensor(frame.pixels) for frame in clip(3, 100, 80)]
    whole, tiled = upscaler(generator), upscaler(hasty, tile=64)
    differences = [float((whole.folded(frame) - tiled.folded(frame)).abs().max()) for frame in low]
    assert max(differences) > 1 / 255


@pytest.mark.parametrize(("height", "width"), [(64, 64), (65, 63), (20, 200), (129, 1)])
def test_tiles_cover_any_size(generator, height, width):
    low = torch.rand(1, 3, height, width)
    torch.testing.assert_close(
        upscaler(generator, tile=64).folded(low), upscaler(generator).folded(low), atol=1e-5, rtol=0
    )


def test_a_scene_cut_ends_the_memory(generator):
    before, after = clip(3, seed=1), clip(3, seed=2)
    window = (0, 0, 32, 24)
    alone = stream.upscale(iter(after), upscaler(generator), window=window, cuts=CutDetector())
    joined = stream.upscale(iter(before + after), upscaler(generator), window=window, cuts=CutDetector())
    first, second = list(alone), list(joined)
    assert [large.begins for large in second] == [True, False, False, True, False, False]
    assert [large.frame.pts for large in second] == [0, 1, 2, 0, 1, 2]
    for expected, found in zip(first, second[3:], strict=True):
        torch.testing.assert_close(found.folded, expected.folded, rtol=0, atol=0)


def shown_twice(frames: list[Frame]) -> list[Frame]:
    again = [(frame, replace(frame, pixels=frame.pixels.copy())) for frame in frames]
    return [replace(frame, pts=pts) for pts, frame in enumerate(chain.from_iterable(again))]


def test_a_film_whose_frames_are_shown_twice_is_the_same_film(generator):
    frames, window = clip(5), (0, 0, 32, 24)
    once = list(stream.upscale(iter(frames), upscaler(generator), window=window, cuts=CutDetector()))
    network = upscaler(generator)
    twice = list(stream.upscale(iter(shown_twice(frames)), network, window=window, cuts=CutDetector()))
    assert network.num_frames == 5
    assert [large.folded is None for large in twice] == [False, True] * 5
    assert [large.begins for large in twice] == [True] + 9 * [False]
    assert [large.frame.pts for large in twice] == list(range(10))
    for number, large in enumerate(twice):
        assert number % 2 or torch.equal(large.folded, once[number // 2].folded)


def test_one_code_value_in_one_pixel_is_another_frame(generator):
    first, second = clip(1)[0], clip(1)[0]
    second.pixels[23, 31, 2] ^= 1
    network = upscaler(generator)
    list(stream.upscale(iter([first, second]), network, window=(0, 0, 32, 24), cuts=CutDetector()))
    assert network.num_frames == 2


def test_the_first_frame_of_a_segment_is_computed_though_it_is_a_repeat(generator):
    made = stream.upscale(
        iter(clip(1) * 7), upscaler(generator), window=(0, 0, 32, 24), cuts=CutDetector(), segment=3
    )
    assert [large.folded is None for large in made] == [False, True, True, False, True, True, False]


def test_within_a_shot_the_memory_goes_on(generator):
    low = [as_tensor(frame.pixels) for frame in clip(2)]
    going_on, afresh = upscaler(generator), upscaler(generator)
    going_on.folded(low[0])
    assert (going_on.folded(low[1]) - afresh.folded(low[1])).abs().max() > 1e-3
    going_on.forget()
    torch.testing.assert_close(going_on.folded(low[1]), upscaler(generator).folded(low[1]))


def test_only_the_window_is_computed(generator):
    frames = clip(2)
    made = stream.upscale(iter(frames), upscaler(generator), window=(4, 2, 20, 16), cuts=CutDetector())
    folded = next(made).folded
    assert folded.shape == (1, 48, 16, 20)
    expected = upscaler(generator).folded(as_tensor(frames[0].pixels[2:18, 4:24]))
    torch.testing.assert_close(folded, expected)


class Fragile(VideoGenerator):
    """Adds up what it has seen; in half precision it breaks at bright frames."""

    scale, reach = 2, 0

    def __init__(self, breaks_in: torch.dtype = torch.bfloat16) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))
        self.breaks_in = breaks_in

    def folded(self, frame: Tensor, memory: tuple[Tensor, ...] | None = None):
        seen = frame.to(self.weight.dtype) * self.weight + (memory[0] if memory else 0)
        if self.breaks_in in (self.weight.dtype, None) and frame.max() > 0.9:
            return torch.full((1, 12, *frame.shape[-2:]), math.nan), (seen * math.inf,)
        return seen.float().repeat(1, 4, 1, 1), (seen,)


def test_a_frame_that_is_not_finite_is_computed_again_in_float32_and_said_once():
    said = []
    network = upscaler(Fragile(), torch.bfloat16, said=said)
    made = [network.folded(torch.full((1, 3, 4, 4), value)) for value in (0.25, 1.0, 1.0, 0.5)]
    assert [float(picture.mean()) for picture in made] == [0.25, 1.25, 2.25, 2.75]  # memory went on
    assert network.num_repaired == 2
    assert len(said) == 1 and "bf16" in said[0]


def test_a_real_network_that_overflows_in_half_precision_is_repaired(generator):
    """float16 ends at 65504."""
    with torch.no_grad():
        generator.head.weight.mul_(3e5)
        generator.tail.weight.div_(3e5)
    said = []
    repaired, exact = upscaler(generator, torch.float16, said=said), upscaler(generator)
    for frame in clip(2):
        low = as_tensor(frame.pixels)
        found, expected = repaired.folded(low), exact.folded(low)
        exact.forget()  # a memory that half precision cannot hold is dropped
        torch.testing.assert_close(found, expected, atol=1e-3, rtol=0)
    assert repaired.num_repaired == 2 and len(said) == 1


@pytest.mark.parametrize("precision", [torch.bfloat16, torch.float32])
def test_weights_that_are_damaged_in_every_precision_are_an_error(generator, precision):
    with torch.no_grad():
        generator.tail.weight[0] = math.nan
    with pytest.raises(BadWeights, match="not finite"):
        upscaler(generator, precision).folded(torch.rand(1, 3, 8, 8))


def test_the_network_that_is_given_stays_as_it_is(generator):
    generator.train()
    network = Fragile()
    for given in (generator, network):
        upscaler(given, torch.bfloat16).folded(torch.ones(1, 3, 8, 8))
        assert given.training
        assert all(w.dtype == torch.float32 and w.requires_grad for w in given.parameters())


class Hungry(Generator):
    """Runs out of memory above so many pixels at once."""

    most = 100 * 100
    error: Exception = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    def folded(self, frame, memory=None):
        if frame.shape[-2] * frame.shape[-1] > self.most:
            raise self.error
        return super().folded(frame, memory)


@pytest.mark.parametrize("error", [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    MemoryError(),
    RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory: you tried"),
    RuntimeError("MPS backend out of memory (MPS allocated: 8.00 GB)"),
    RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    RuntimeError("could not create a primitive"),
])  # fmt: skip
def test_out_of_memory_makes_the_tiles_smaller_and_drops_no_frame(generator, error, monkeypatch):
    monkeypatch.setattr(Hungry, "error", error)
    hungry, said = Hungry(generator.config), []
    hungry.load_state_dict(generator.state_dict())
    network, frames = upscaler(hungry, said=said), clip(3, 120, 300)
    window, no_cuts = (0, 0, 300, 120), CutDetector(threshold=101)
    made = list(stream.upscale(iter(frames), network, window=window, cuts=no_cuts))
    assert [large.frame.pts for large in made] == [0, 1, 2]
    assert network.tile == 75
    assert [line.rpartition(" of ")[2] for line in said] == ["150 pixels", "75 pixels"]
    whole = upscaler(generator)
    for large in made:
        expected = whole.folded(as_tensor(large.frame.pixels))
        torch.testing.assert_close(large.folded, expected, atol=1e-4, rtol=0)


LIMITED = """
import resource, torch
from vidgan import stream
from vidgan.generators.recurrent import Config, Generator
torch.set_num_threads(1)
torch.manual_seed(0)
network, said = Generator(Config(blocks=1)), []
settings = stream.Settings(device=torch.device("cpu"), precision=torch.float32)
free = stream.Upscaler(network, settings, print)
frames = torch.rand(2, 1, 3, 400, 600)
expected = [free.folded(frame).clone() for frame in frames]
for mebi in range(250, 0, -10):  # where it gets tight is the allocator's own affair: at 140 here
    tight = stream.Upscaler(network, settings, said.append)
    pages = int(open("/proc/self/statm").read().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + (mebi << 20), resource.RLIM_INFINITY))
    found = tight.folded(frames[0])
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)
    torch.testing.assert_close(found, expected[0], atol=1e-4, rtol=0)
    if tight.tile is not None:
        break
assert tight.tile in (300, 150, 75), tight.tile
assert said[0] == "out of memory: going on in tiles of 300 pixels", said
torch.testing.assert_close(tight.folded(frames[1]), expected[1], atol=1e-4, rtol=0)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="a limit on a process's memory, and how much it has")
def test_a_process_that_may_have_no_more_memory_goes_on_in_tiles():
    """Less and less for the same frame: what fails is the system's own answer, in whichever layer it comes."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", LIMITED], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_no_memory_for_the_smallest_tile_is_an_error(generator, monkeypatch):
    monkeypatch.setattr(Hungry, "most", 10)
    with pytest.raises(VidganError, match="not enough memory"):
        upscaler(Hungry(generator.config)).folded(torch.rand(1, 3, 200, 300))


def test_another_error_is_not_taken_for_it(generator, monkeypatch):
    monkeypatch.setattr(Hungry, "error", RuntimeError("shapes do not match"))
    with pytest.raises(RuntimeError, match="shapes do not match"):
        upscaler(Hungry(generator.config)).folded(torch.rand(1, 3, 200, 300))


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("scale", [1, 2, 3, 4, 8])
@pytest.mark.parametrize(("height", "width"), [(13, 7), (1, 1), (1, 7), (13, 1)])
def test_unfolded_codes_are_the_pixels_of_the_unfolded(depth, layout, scale, height, width):
    folded = (torch.rand(1, 3 * scale**2, height, width) * 1.2 - 0.1).contiguous(memory_format=layout)
    slow = as_pixels(stream.unfolded(folded, scale), np.dtype(depth))
    quick = stream.unfolded_codes(folded, scale, np.dtype(depth))[0].numpy().view(depth)
    assert quick.shape == (3, height * scale, width * scale)
    assert np.array_equal(quick.transpose(1, 2, 0), slow)


def test_sixteen_bits_keep_more_than_eight(generator):
    """A slope of 256 steps within one 8-bit code comes out as many codes."""
    slope = np.linspace(30_000, 30_256, 32).astype(np.uint16)
    pixels = np.broadcast_to(slope[None, :, None], (8, 32, 3))
    folded = F.pixel_unshuffle(F.interpolate(as_tensor(pixels), scale_factor=2), 2)
    assert len(np.unique(stream.unfolded_codes(folded, 2, np.dtype(np.uint16)).numpy())) == 32
    assert len(np.unique(stream.unfolded_codes(folded, 2, np.dtype(np.uint8)).numpy())) <= 2
