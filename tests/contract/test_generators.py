"""What every generator must do, whichever it is: a new file on the shelf is tested the day it arrives."""

import dataclasses
import math
from types import ModuleType

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from vidgan import checkpoint, shelf, stream
from vidgan.generators import VideoGenerator

SHELF = "vidgan.generators"
SMALL = {"features": 16, "blocks": 1, "growth": 8}  # whichever of these a Config has


def small_config(module: ModuleType, **changes: int):
    fields = {field.name for field in dataclasses.fields(module.Config)}
    return module.Config(**{name: value for name, value in (SMALL | changes).items() if name in fields})


@pytest.fixture(params=shelf.names(SHELF))
def module(request) -> ModuleType:
    return shelf.take(SHELF, request.param)


@pytest.fixture
def fresh(module) -> VideoGenerator:
    return module.Generator(small_config(module))


@pytest.fixture
def lively(fresh) -> VideoGenerator:
    """As if it had been trained: what it adds to the enlargement can be seen."""
    with torch.no_grad():
        for parameter in fresh.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.03)
    return fresh.eval().requires_grad_(False)


def clip(frames: int = 3, height: int = 24, width: int = 32) -> Tensor:
    """Smooth pictures that move: (1, T, 3, H, W) in [0, 1]."""
    coarse = torch.rand(1, 3, height // 4 + frames, width // 4 + frames)
    large = F.interpolate(coarse, scale_factor=4, mode="bilinear")
    return torch.stack([large[..., t : t + height, 2 * t : 2 * t + width] for t in range(frames)], 1)


def psnr(a: Tensor, b: Tensor) -> float:
    return -10 * math.log10(float((a - b).detach().square().mean()))


def bicubic(frames: Tensor, scale: int) -> Tensor:
    return F.interpolate(frames, scale_factor=scale, mode="bicubic", antialias=True)


def test_it_is_a_generator_and_says_all_that_one_says(fresh):
    assert isinstance(fresh, VideoGenerator)
    told = (fresh.scale, fresh.reach, fresh.fold, fresh.ahead)
    assert all(type(number) is int for number in told)
    assert fresh.scale >= 1 and fresh.reach >= 0 and fresh.fold >= 1 and fresh.ahead >= 0
    assert fresh.reach % fresh.fold == 0
    for name in ("fresh", "step", "folded", "bytes_per_pixel"):
        assert getattr(type(fresh), name) is not getattr(VideoGenerator, name)
    assert 0 < fresh.bytes_per_pixel(2) <= fresh.bytes_per_pixel(4)


def test_a_shot_begins_with_what_no_memory_means(lively):
    frame = torch.rand(1, 3, 13, 10)
    told, left = lively.folded(frame, lively.fresh(frame))
    silent, kept = lively.folded(frame, None)
    assert torch.equal(told, silent)
    assert [part.shape for part in lively.fresh(frame)] == [part.shape for part in left]
    assert all(torch.equal(one, other) for one, other in zip(left, kept, strict=True))


def test_each_frame_comes_out_once_and_larger(fresh):
    high = fresh(clip(3, 12, 20))
    assert high.shape == (1, 3, 3, 12 * fresh.scale, 20 * fresh.scale)
    assert high.dtype == torch.float32


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_the_scale_is_the_config_s(module, scale):
    if "scale" not in {field.name for field in dataclasses.fields(module.Config)}:
        pytest.skip(f"has one scale, {module.Generator.scale}")
    try:
        generator = module.Generator(small_config(module, scale=scale))
    except ValueError as refused:
        pytest.skip(str(refused))
    assert generator.scale == scale
    assert generator(clip(2, 8, 12)).shape[-2:] == (8 * scale, 12 * scale)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (7, 5), (13, 64)])
def test_any_size_will_do(fresh, height, width):
    assert fresh(torch.rand(1, 2, 3, height, width)).isfinite().all()


def test_a_clip_is_its_frames_one_after_the_other(lively):
    low, memory = clip(4), None
    for t, large in enumerate(lively(low).unbind(1)):
        picture, memory = lively.step(low[:, t], memory)
        torch.testing.assert_close(picture, large)


def test_a_folded_frame_unfolds_to_the_frame(lively):
    frame = clip(1)[:, 0]
    folded, _ = lively.folded(frame)
    assert folded.dtype == torch.float32
    torch.testing.assert_close(stream.unfolded(folded, lively.scale), lively.step(frame)[0])


def test_clips_of_a_batch_do_not_see_each_other(lively):
    first, second = clip(3), clip(3)
    together = lively(torch.cat((first, second)))
    torch.testing.assert_close(together, torch.cat((lively(first), lively(second))), atol=1e-5, rtol=0)


def test_a_fresh_network_is_close_to_bicubic(fresh):
    if type(fresh).__module__.endswith("rrdb"):
        pytest.skip("draws the whole picture, not what an enlargement lacks")
    low = clip(3)
    assert psnr(fresh(low).flatten(0, 1), bicubic(low[0], fresh.scale)) > 20


def test_every_weight_learns(fresh):
    low = clip(3)
    loss = (
        (fresh(low) - torch.rand(1, 3, 3, *(side * fresh.scale for side in low.shape[-2:]))).square().mean()
    )
    loss.backward()
    idle = [name for name, weight in fresh.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert idle == []


def test_a_few_steps_of_training_bring_it_closer(fresh):
    low, high = clip(3), clip(3, 24 * fresh.scale, 32 * fresh.scale)
    optimizer = torch.optim.Adam(fresh.parameters(), lr=1e-3)
    losses = []
    for _ in range(12):
        loss = (fresh(low) - high).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.9 * losses[0]


def test_memory_reaches_the_next_frame_and_ends_with_a_reset(lively):
    before, now = clip(1)[:, 0], clip(1)[:, 0]
    _, memory = lively.folded(before)
    if not memory:
        pytest.skip("takes each frame by itself")
    remembering, forgetting = lively.folded(now, memory)[0], lively.folded(now, None)[0]
    assert (remembering - forgetting).abs().max() > 1e-3
    torch.testing.assert_close(forgetting, lively.folded(now)[0], rtol=0, atol=0)


def test_a_frame_leaves_its_memory_as_it_was(lively):
    _, memory = lively.folded(clip(1)[:, 0])
    copies = [part.clone() for part in memory]
    lively.folded(clip(1)[:, 0], memory)
    assert all(torch.equal(part, copy) for part, copy in zip(memory, copies, strict=True))


def test_memory_is_a_tuple_of_full_frames_and_a_plain_tuple_will_do(lively):
    """Tiles cut windows out of it: stream.py relies on that."""
    frame = clip(1)[:, 0]
    _, memory = lively.folded(frame)
    assert isinstance(memory, tuple)
    size = tuple(side // lively.fold for side in frame.shape[-2:])
    assert all(part.ndim == 4 and part.shape[-2:] == size for part in memory)
    torch.testing.assert_close(lively.folded(frame, tuple(memory))[0], lively.folded(frame, memory)[0])


def test_half_precision_stays_close_over_twenty_frames(module, lively):
    half = module.Generator(lively.config)
    half.load_state_dict(lively.state_dict())
    half.to(torch.bfloat16, memory_format=torch.channels_last)
    memory = half_memory = None
    for frame in clip(20).unbind(1):
        exact, memory = lively.step(frame, memory)
        close, half_memory = half.step(frame, half_memory)
    assert close.dtype == torch.float32
    assert all(part.dtype == torch.bfloat16 for part in half_memory)
    assert (exact - bicubic(frame, lively.scale)).abs().mean() > 0.01  # there is something to get wrong
    assert psnr(close, exact) > 40


def test_a_model_file_gives_the_same_network_back(lively, tmp_path):
    path = tmp_path / "model.safetensors"
    checkpoint.save_generator(lively, checkpoint.card_of(lively), path, dtype=torch.float32)
    again = checkpoint.load_generator(path)
    assert type(again) is type(lively) and again.config == lively.config
    low = clip(2)
    torch.testing.assert_close(again(low), lively(low))


def test_a_model_file_in_half_precision_gives_the_same_pictures(lively, tmp_path):
    path, low = tmp_path / "model.safetensors", clip(4)
    checkpoint.save_generator(lively, checkpoint.card_of(lively), path)
    assert (checkpoint.load_generator(path)(low) - lively(low)).abs().max() < 1 / 255


def test_reach_is_the_receptive_field(lively):
    """Exactly: a smaller reach would show seams, a larger one would waste time in every tile."""
    reach, fold = lively.reach, lively.fold
    side, middle = 2 * reach + 8, reach + 4
    frame = torch.rand(1, 3, side, side, requires_grad=True)
    _, memory = lively.folded(torch.rand(1, 3, side, side))
    seen = [part.clone().requires_grad_(True) for part in memory]
    large, left = lively.folded(frame, type(memory)(*seen) if seen else memory)
    # In squares of the fold, which tiles and their halos are made of.
    square = middle // fold
    (large[..., middle, middle].sum() + sum(part[..., square, square].sum() for part in left)).backward()
    places = [source.grad.abs().amax((0, 1)).nonzero() for source in (frame, *seen)]
    places[0] //= fold
    assert max(int((place - square).abs().max()) for place in places) * fold == reach


@pytest.mark.parametrize("changes", [{"scale": 1}, {"scale": 2}, {"scale": 2, "fold": 2}, {"scale": 4}])
def test_tiles_are_the_whole_picture_whatever_is_folded(module, changes):
    try:
        generator = module.Generator(small_config(module, **changes)).eval()
    except ValueError as refused:
        pytest.skip(str(refused))
    with torch.no_grad():
        for weight in generator.parameters():
            weight.add_(torch.randn_like(weight) * 0.03)
    assert generator.reach % generator.fold == 0
    frame, place = torch.rand(1, 3, 203, 201), {"device": torch.device("cpu"), "precision": torch.float32}
    whole, tiled = (
        stream.Upscaler(generator, stream.Settings(tile=tile, **place), print).folded(frame)
        for tile in (None, 64)
    )
    assert (tiled - whole).abs().max() < 1e-4 * whole.std()


def test_the_stream_can_tell_how_much_memory_it_needs(lively):
    settings = stream.Settings(device=torch.device("cpu"), precision=torch.float32)
    assert stream.choose_tile(lively, 1920, 1080, settings, 1 << 60) is None
    assert stream.choose_tile(lively, 1920, 1080, settings, 1 << 20) == stream.AUTO_TILE


class TestRecurrent:
    """What is known of this network from outside of it."""

    @pytest.mark.parametrize("scale", [2, 3, 4])
    def test_its_enlargement_is_torch_s_antialiased_bicubic(self, scale):
        recurrent = shelf.take(SHELF, "recurrent")
        frame = torch.rand(2, 3, 20, 24)
        folded = recurrent.enlarge(frame, recurrent.enlargement_kernels(scale))
        ours, torchs = F.pixel_shuffle(folded, scale), bicubic(frame, scale)
        inner = (..., slice(2 * scale, -2 * scale), slice(2 * scale, -2 * scale))
        assert (ours - torchs)[inner].abs().max() < 1e-5

    def test_its_enlargement_keeps_a_flat_picture_flat_to_the_edges(self):
        recurrent = shelf.take(SHELF, "recurrent")
        flat = torch.full((1, 3, 5, 6), 0.3)
        folded = recurrent.enlarge(flat, recurrent.enlargement_kernels(4))
        torch.testing.assert_close(folded, torch.full_like(folded, 0.3))

    def test_the_default_is_small_and_cheap(self):
        """293,568 = (54 + 1/9) 48 9 in the head, 12 layers of 48 48 9 + 48, and such a layer as tail."""
        from torch.utils.flop_counter import FlopCounterMode

        generator = shelf.take(SHELF, "recurrent").Generator()
        assert sum(weight.numel() for weight in generator.parameters()) == 293_568
        with FlopCounterMode(display=False) as counter, torch.inference_mode():
            generator.folded(torch.rand(1, 3, 18, 32))
        assert counter.get_total_flops() * 100 < 40e9  # of a 180 x 320 frame

    def test_without_memory_the_frame_before_is_taken_to_be_the_same(self):
        recurrent = shelf.take(SHELF, "recurrent")
        generator, frame = (
            recurrent.Generator(recurrent.Config(features=16, blocks=1)),
            torch.rand(1, 3, 8, 8),
        )
        none = recurrent.Memory(frame, torch.zeros(1, 16, 8, 8))
        torch.testing.assert_close(generator.folded(frame)[0], generator.folded(frame, none)[0])

    @pytest.mark.parametrize(("height", "width"), [(12, 16), (13, 15), (1, 1)])
    def test_a_folded_stack_takes_any_size(self, height, width):
        """Its inner layers see squares of two by two pixels; a last odd row or column is not lost."""
        recurrent = shelf.take(SHELF, "recurrent")
        folded = recurrent.Generator(recurrent.Config(scale=2, features=16, blocks=1, fold=2))
        assert folded(torch.rand(1, 3, 3, height, width)).shape == (1, 3, 3, 2 * height, 2 * width)

    def test_a_folded_stack_costs_a_quarter_for_each_input_pixel(self):
        recurrent = shelf.take(SHELF, "recurrent")
        whole, folded = (
            stream.gflop_per_pixel(recurrent.Generator(recurrent.Config(scale=4 // fold, fold=fold)))
            for fold in (1, 2)
        )
        assert 0.24 < folded / whole < 0.28  # the first layer sees more channels, the enlargement every pixel

    def test_a_fresh_folded_network_is_near_the_enlargement(self):
        recurrent = shelf.take(SHELF, "recurrent")
        folded = recurrent.Generator(recurrent.Config(scale=2, features=16, blocks=1, fold=2))
        frames = clip(2)
        assert psnr(folded(frames)[:, 0], bicubic(frames[:, 0], 2)) > 15


class TestAligned:
    """What is known of this network from outside of it."""

    def test_the_default_is_small_and_cheap(self):
        """32 channels fewer than the recurrent one's head has: 293,568 - 32 48 9."""
        from torch.utils.flop_counter import FlopCounterMode

        generator = shelf.take(SHELF, "aligned").Generator()
        assert sum(weight.numel() for weight in generator.parameters()) == 279_744
        frame = torch.rand(1, 3, 18, 32)
        _, memory = generator.step(frame)
        with FlopCounterMode(display=False) as counter, torch.inference_mode():
            generator.step(frame, memory)
        assert counter.get_total_flops() * 100 < 40e9  # of a 180 x 320 frame

    @pytest.mark.parametrize("fold", [1, 2])
    def test_what_is_remembered_moves_with_a_pan(self, fold):
        """By whole squares, so that nothing is interpolated: away from the borders it is there to the rounding."""
        aligned = shelf.take(SHELF, "aligned")
        generator = aligned.Generator(aligned.Config(scale=4 // fold, features=16, blocks=1, fold=fold))
        scene = F.interpolate(torch.rand(1, 3, 16, 18), scale_factor=4, mode="bicubic").clamp(0, 1)
        before, now = scene[..., :64, :64], scene[..., :64, 4:68]
        with torch.inference_mode():
            _, left = generator.folded(before)
            moved = generator.moved(left, now)
        steps, inner = 4 // fold, slice(16 // fold, 44 // fold)
        place, source = (..., inner, inner), (..., inner, slice(inner.start + steps, inner.stop + steps))
        torch.testing.assert_close(moved.frame[place], left.frame[source], atol=0.02, rtol=0)
        torch.testing.assert_close(
            moved.change[place], aligned.STRENGTH * left.added[source], atol=0.05, rtol=0.05
        )

    def test_where_nothing_moves_it_is_told_what_was_added(self):
        aligned = shelf.take(SHELF, "aligned")
        generator = aligned.Generator(aligned.Config(features=16, blocks=1))
        frame = clip(1)[:, 0]
        _, left = generator.folded(frame)
        moved = generator.moved(left, frame)
        torch.testing.assert_close(moved.change, aligned.STRENGTH * left.added, atol=1e-5, rtol=0)
        torch.testing.assert_close(moved.frame, left.frame, atol=1e-5, rtol=0)

    def test_a_motion_that_is_known_is_not_looked_for(self):
        aligned = shelf.take(SHELF, "aligned")
        generator = aligned.Generator(aligned.Config(features=16, blocks=1))
        before, now = torch.rand(2, 1, 3, 16, 20).unbind(0)
        _, left = generator.folded(before)
        to_the_right = torch.tensor([3.0, 0.0]).view(1, 2, 1, 1).expand(1, 2, 16, 20)
        moved = generator.moved(left, now, to_the_right)
        torch.testing.assert_close(moved.frame[..., :-3], left.frame[..., 3:], atol=1e-5, rtol=0)
        assert torch.equal(moved.frame[..., :, -1], left.frame[..., :, -1])  # edges are repeated

    @pytest.mark.parametrize(
        ("name", "smaller"),
        [
            ("recurrent", {"features": 16, "blocks": 1}),
            ("aligned", {"features": 16, "blocks": 1}),
        ],
    )
    def test_it_begins_as_a_smaller_one_does(self, name, smaller):
        """In a first frame; as an aligned one also in all that follow."""
        theirs, aligned = shelf.take(SHELF, name), shelf.take(SHELF, "aligned")
        small = theirs.Generator(theirs.Config(**smaller))
        large = aligned.Generator(aligned.Config(features=32, blocks=2))
        with torch.no_grad():
            for weight in small.parameters():
                weight.add_(torch.randn_like(weight) * 0.03)
        aligned.grow(small.state_dict(), small.config, large)
        low = clip(3) if name == "aligned" else clip(1)
        torch.testing.assert_close(large(low), small(low), atol=1e-5, rtol=0)

    def test_on_squares_it_begins_as_a_recurrent_one_on_squares_does(self):
        recurrent, aligned = (shelf.take(SHELF, name) for name in ("recurrent", "aligned"))
        small = recurrent.Generator(recurrent.Config(features=16, blocks=1))
        with torch.no_grad():
            for weight in small.parameters():
                weight.add_(torch.randn_like(weight) * 0.03)
        large = {"scale": 2, "fold": 2, "features": 24, "blocks": 2}
        plain = recurrent.Generator(recurrent.Config(**large))
        moving = aligned.Generator(aligned.Config(**large))
        recurrent.grow(small.state_dict(), small.config, plain)
        aligned.grow(small.state_dict(), small.config, moving)
        low = clip(1)
        torch.testing.assert_close(moving(low), plain(low), atol=1e-5, rtol=0)

    def test_what_it_cannot_grow_from_is_refused(self):
        aligned = shelf.take(SHELF, "aligned")
        folded = aligned.Generator(aligned.Config(scale=2, features=16, blocks=1, fold=2))
        small = aligned.Generator(aligned.Config(features=16, blocks=1))
        with pytest.raises(ValueError, match="fold 1 does not become one of fold 2"):
            aligned.grow(small.state_dict(), small.config, folded)
        compact = shelf.take(SHELF, "compact").Generator()
        with pytest.raises(ValueError, match="neither an aligned"):
            aligned.grow(compact.state_dict(), compact.config, small)
