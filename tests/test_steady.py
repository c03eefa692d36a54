"""Frames led along their motion: what stays, what settles, and what is left alone."""

import json
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F

import vidgan
from enhancing import make_models, shown
from footage import moving
from test_compare import exact
from test_evaluate import PLACE
from test_motion import texture
from vidgan import cli, steady, stream
from vidgan.enhancing import budget
from vidgan.enhancing.job import prepare
from vidgan.enhancing.options import Options
from vidgan.errors import BadOption, BadWeights
from vidgan.generators import compact
from vidgan.generators.recurrent import Config, Generator
from vidgan.measuring import methods

SCALE = 2


def led(small: torch.Tensor, large: torch.Tensor, strength: float) -> torch.Tensor:
    """A clip's enlargements (T, 3, H * S, W * S), led one after the other; their sources are (T, 3, H, W)."""
    before, found = None, []
    for frame, picture in zip(small.split(1), large.split(1), strict=True):
        folded, before = steady.steadied(F.pixel_unshuffle(picture, SCALE), frame, before, strength)
        found.append(F.pixel_shuffle(folded, SCALE))
    return torch.cat(found)


def pan(across: int, down: int = 0, frames: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    """A small clip that moves by whole pixels, (T, 3, 48, 64), and a large picture's texture that goes with it."""

    def seen(picture: torch.Tensor, scale: int) -> torch.Tensor:
        corners = [(scale * (20 + down * t), scale * (20 + across * t)) for t in range(frames)]
        windows = [picture[..., y : y + 48 * scale, x : x + 64 * scale] for y, x in corners]
        return torch.cat(windows).expand(-1, 3, -1, -1)

    return seen(texture(96, 128), 1), seen(texture(96 * SCALE, 128 * SCALE, seed=3), SCALE)


def test_noise_on_what_is_still_settles_as_a_recursive_mean_does():
    """Of y = (1 - s) x + s y before it, white noise keeps (1 - s) / (1 + s) of its variance."""
    small = texture(32, 48).expand(40, 3, -1, -1)
    found = led(small, noise(1, 64, 96).expand(-1, 3, -1, -1), 0.5)
    assert found[30:].var() == pytest.approx((1 - 0.5) / (1 + 0.5), rel=0.05)


def test_colours_settle_by_whole_squares_and_luma_by_pixels():
    small = texture(32, 48).expand(40, 3, -1, -1)
    fine, coarse = noise(3, 64, 96), noise(3, 32, 48).repeat_interleave(2, -1).repeat_interleave(2, -2)
    weights = torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)
    for given, settles in ((coarse, True), (fine, False)):
        colour = given - (weights * given).sum(1, keepdim=True)
        kept = led(small, colour, 0.5)[30:].var() / colour[30:].var()
        # Of four pixels' mean there is a quarter of the variance, and a third of that stays.
        assert kept == pytest.approx(1 / 3 if settles else 3 / 4 + 1 / 4 / 3, rel=0.05)


def noise(colours: int, height: int, width: int) -> torch.Tensor:
    return torch.randn(40, colours, height, width, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("step", [(0, 0), (3, 0), (-5, 2), (1, -4)])
def test_what_travels_with_its_surface_stays_as_it_is(step):
    small, large = pan(*step)
    found = led(small, large, 0.8)
    off = (found - large)[..., 24:-24, 32:-32].abs()
    assert off.mean() < 0.02 * large.std()


@pytest.mark.parametrize("step", [(3, 0), (1, -4)])
def test_colours_travel_with_their_surface(step):
    small, _ = pan(*step)
    colour = torch.tensor([1.0, -0.5, 0.0]).view(3, 1, 1) * small.repeat_interleave(2, -1).repeat_interleave(
        2, -2
    )
    off = (led(small, colour, 0.8) - colour)[1:, ..., 24:-24, 32:-32].abs().mean()
    still = (led(small[:1].expand_as(small), colour, 0.8) - colour)[1:, ..., 24:-24, 32:-32].abs().mean()
    assert off < 0.1 * still


def test_luma_is_what_pillow_calls_it():
    colours = torch.eye(3).view(3, 3, 1, 1).repeat(1, 1, 4, 4)
    for colour in colours.split(1):
        picture = Image.fromarray((255 * colour[0]).byte().permute(1, 2, 0).numpy())
        _, before = steady.steadied(F.pixel_unshuffle(colour, SCALE), colour[..., ::2, ::2], None, 0.5)
        assert (255 * before.luma[0, 0] - torch.tensor(np.array(picture.convert("L")))).abs().max() < 1


def test_it_leaves_the_number_of_threads_as_it_was():
    small, large = pan(2)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        led(small, large, 0.5)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(threads)


def test_without_the_motion_it_would_be_smeared():
    small, large = pan(3)
    still = led(small[:1].expand_as(small), large, 0.8)
    assert (still - large)[1:].abs().mean() > 0.3 * large.std()


def test_nothing_comes_across_where_the_source_is_another():
    small = torch.stack([torch.zeros(3, 32, 32), torch.ones(3, 32, 32)])
    large = torch.stack([torch.zeros(3, 64, 64), torch.ones(3, 64, 64)])
    found = led(small, large, 0.9)
    assert (found[1] - 1).abs().max() < 1e-4


def test_the_first_frame_is_as_it_was_made():
    small, large = pan(2)
    assert torch.equal(led(small, large, 0.5)[0], large[0])


def test_what_a_network_still_holds_is_left_alone():
    """A network may remember its own picture, or give an expanded one."""
    small, large = pan(2)
    folded = F.pixel_unshuffle(large[:1], SCALE)
    kept, (_, before) = folded.clone(), steady.steadied(folded, small[:1], None, 0.5)
    grey = torch.full((1, 1, 1, 1), 0.5).expand(1, 12, 48, 64)
    steady.steadied(folded, small[1:2], before, 0.5)
    assert torch.equal(folded, kept)
    assert steady.steadied(grey, small[1:2], before, 0.5)[0].shape == grey.shape


@pytest.mark.parametrize("share", [-0.1, 0.91, float("nan"), float("inf"), "much"])
def test_a_share_out_of_range_is_refused(share):
    with pytest.raises(BadOption, match=r"--steady: .* is no share of the frame before"):
        steady.share_of(share, asked="--steady")


# In the stream


@pytest.fixture
def generator() -> Generator:
    torch.manual_seed(0)
    made = Generator(Config(features=16, blocks=1))
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.02)
    return made


def upscaler(generator: Generator, **changes) -> stream.Upscaler:
    usual = {"device": torch.device("cpu"), "precision": torch.float32, "steady": 0.5}
    return stream.Upscaler(generator, stream.Settings(**usual | changes), print)


def through(upscaler: stream.Upscaler, frames: torch.Tensor) -> torch.Tensor:
    return torch.cat([upscaler.folded(frame).clone() for frame in frames.split(1)])


def test_it_leads_the_network_s_own_pictures(generator):
    frames = pan(2)[0]
    before, expected = None, []
    for frame, folded in zip(
        frames.split(1), through(upscaler(generator, steady=0.0), frames).split(1), strict=True
    ):
        made, before = steady.steadied(folded.clone(), frame, before, 0.5)
        expected.append(made)
    assert torch.equal(through(upscaler(generator), frames), torch.cat(expected))


def test_a_new_shot_is_led_by_nothing_of_the_one_before(generator):
    frames, used = pan(2)[0], upscaler(generator)
    first = through(used, frames)
    used.forget()
    assert used.memory is None and torch.equal(through(used, frames), first)


def test_what_it_remembers_goes_with_the_memory(generator):
    frames = pan(2)[0]
    one, other = upscaler(generator), upscaler(generator)
    expected = through(one, frames)[2:]
    through(other, frames[:2])
    assert len(other.memory) == 5
    third = upscaler(generator)
    third.memory = tuple(part.clone() for part in other.memory)
    assert torch.equal(through(third, frames[2:]), expected)


def test_a_network_without_a_memory_of_its_own_is_led_too():
    torch.manual_seed(0)
    network, frames = compact.Generator(compact.Config(features=8, blocks=1, scale=2)), pan(2)[0]
    used, other = upscaler(network), upscaler(network)
    expected = through(used, frames)
    assert not torch.equal(expected, through(upscaler(network, steady=0.0), frames))
    through(other, frames[:2])
    third = upscaler(network)
    third.memory = other.memory
    assert len(third.memory) == 3 and torch.equal(through(third, frames[2:]), expected[2:])


def test_tiles_give_what_whole_frames_give(generator):
    frames = F.interpolate(pan(2)[0], scale_factor=2, mode="bicubic")
    whole, tiled = (through(upscaler(generator, tile=tile), frames) for tile in (None, 64))
    assert (whole - tiled).abs().max() < 1 / 255


# Beside itself


def test_a_network_can_be_led_beside_itself():
    low = torch.from_numpy(moving(1, 3, 24, 32)).permute(0, 3, 1, 2).float() / 255
    alone, led = (methods.method(word, PLACE) for word in ("fast", "fast~0.5"))
    assert led.title == "fast, steady 0.5" and led.parameters == alone.parameters
    large, steadied = (method.enlarge(low, 4) for method in (alone, led))
    assert torch.equal(large[0], steadied[0]) and not torch.equal(large[1], steadied[1])
    with pytest.raises(BadOption, match=r"fast~1\.5: 1\.5 is no share"):
        methods.method("fast~1.5", PLACE)
    with pytest.raises(BadWeights, match=r"nobody~2\.safetensors"):
        methods.method("nobody~2.safetensors", PLACE)


# As a command


@pytest.fixture
def flickering(tmp_path, monkeypatch) -> Path:
    """A still film with noise; and the models."""
    monkeypatch.chdir(tmp_path)
    make_models(tmp_path)
    random = np.random.default_rng(0)
    still = (60 + 100 * texture(48, 64)[0, 0].numpy())[..., None].repeat(3, 2)
    exact(
        Path("in.mkv"),
        [np.rint(still + random.normal(0, 4, (48, 64, 1))).astype(np.uint8) for _ in range(12)],
    )
    return Path("zero.safetensors")


def changes(path: str) -> float:
    return float(np.abs(np.diff(shown(path).pixels[4:].astype(float), axis=0)).mean())


def test_a_video_flickers_less_and_says_why(flickering):
    for share in (0.0, 0.6):
        vidgan.enhance("in.mkv", f"{share}.mkv", model=flickering, steady=share, codec="ffv1", sidecar=True)
        told = json.loads(Path(f"{share}.mkv.json").read_text())["settings"]
        assert told["steady"] == share
    # Of noise, differences from frame to frame become (1 - s) / sqrt(1 + s) times as large; the gate leaves some.
    assert changes("0.6.mkv") < 0.5 * changes("0.0.mkv")
    with av.open("0.6.mkv") as container:
        assert any("steady 0.6" in value for value in container.metadata.values())


def test_the_twin_of_a_trust_map_is_never_led(flickering):
    Path("zero-faithful.safetensors").write_bytes(flickering.read_bytes())
    wishes = Options(
        input=Path("in.mkv"), output=Path("out.mkv"), model=flickering, steady=0.5, trust=Path("trust.mkv")
    )
    job = prepare(wishes, None)
    assert job.trust is not None
    assert (job.upscaler.settings.steady, job.trust.twin.settings.steady) == (0.5, 0.0)


def test_what_cannot_be_is_refused(flickering, capsys):
    assert cli.main(["enhance", "in.mkv", "out.mkv", "--steady", "1"]) == 2
    assert "--steady" in capsys.readouterr().err
    with pytest.raises(BadOption, match=r"--steady: 0\.95"):
        vidgan.enhance("in.mkv", "out.mkv", model=flickering, steady=0.95)
    assert not Path("out.mkv").exists()


def test_it_is_reckoned_with(flickering, monkeypatch, capsys):
    """The frame before, held once and thrice more while a segment ends: its luma at x4, its source, its colours."""
    plans: list[tuple[budget.Work, budget.Plan]] = []
    needed = budget.needed
    monkeypatch.setattr(budget, "needed", lambda *given: plans.append(given) or needed(*given))
    for share in ("0", "0.5"):
        words = ["enhance", "in.mkv", f"{share}.mkv", "--model", str(flickering), "--memory", "3G"]
        assert cli.main([*words, "--steady", share]) == 0
    without, with_it = needed(*plans[0]), needed(*plans[-1])
    before = 4 * 64 * 48 * (4**2 + 3 + 3)
    assert 4 * before <= with_it - without < 8 << 20
