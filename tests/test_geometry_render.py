"""Pictures through the map: exact where it is a permutation, faithful where it is not."""

import math

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from vidgan.geometry import Canvas, Crop, Flip, Map, Orientation, Stored, Wish, plan, render

UPRIGHT = {  # EXIF 2.3, tag 0x0112
    1: lambda stored: stored,
    2: lambda stored: stored[:, ::-1],
    3: lambda stored: stored[::-1, ::-1],
    4: lambda stored: stored[::-1],
    5: lambda stored: stored.swapaxes(0, 1),
    6: lambda stored: np.rot90(stored, -1),
    7: lambda stored: np.rot90(stored, 2).swapaxes(0, 1),
    8: lambda stored: np.rot90(stored, 1),
}


def planned(wish: Wish, *, multiple: tuple[int, int] = (1, 1), default_scale: float = 4.0, **shape) -> Map:
    return plan(wish, Stored(**shape), multiple=multiple, default_scale=default_scale)


def through(made: Map, picture: np.ndarray, factor: int = 1) -> np.ndarray:
    """(H, W, C) or (H, W) numpy in, the same out."""
    planes = torch.from_numpy(np.ascontiguousarray(np.atleast_3d(picture))).movedim(-1, 0)
    out = made.render(planes, factor=factor).movedim(0, -1).numpy()
    return out if picture.ndim == 3 else out[..., 0]


def noise(*shape: int, dtype=np.uint8) -> np.ndarray:
    rng = np.random.default_rng(0)
    if np.dtype(dtype).kind == "f":
        return rng.uniform(0, 1, shape).astype(dtype)
    return rng.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def natural(side: int) -> np.ndarray:
    """A picture with the spectrum of photographs, and with edges: (side, side) in [0, 1]."""
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(side), np.fft.fftfreq(side)))
    white = np.random.default_rng(0).normal(size=(side, side))
    clouds = np.fft.ifft2(np.fft.fft2(white) / np.maximum(frequency, 1 / side) ** 1.2).real
    picture = 0.5 + 0.12 * (clouds - clouds.mean()) / clouds.std()
    y, x = np.mgrid[:side, :side]
    picture[np.hypot(x - 0.4 * side, y - 0.5 * side) < side / 6] += 0.2
    picture[(0.8 * x + 0.6 * y) % 17 < 3] -= 0.15
    return picture.clip(0, 1)


# -- permutations --------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_each_orientation_is_numpys_and_pillows_permutation_to_the_bit(orientation, dtype):
    stored = noise(6, 10, 3, dtype=dtype)
    made = planned(Wish(), width=5, height=3, orientation=orientation, default_scale=2)
    out = through(made, stored, factor=2)
    assert out.dtype == dtype
    np.testing.assert_array_equal(out, UPRIGHT[orientation](stored))
    if dtype == np.uint8:
        tagged = Image.fromarray(stored)
        tagged.getexif()[0x0112] = orientation
        np.testing.assert_array_equal(out, np.asarray(ImageOps.exif_transpose(tagged)))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16, torch.bfloat16, torch.float32])
def test_four_quarter_turns_are_the_identity_to_the_bit(dtype):
    picture = torch.from_numpy(noise(2, 3, 6, 10)).to(dtype)
    turned = picture
    for _ in range(4):
        height, width = turned.shape[-2:]
        turned = planned(Wish(rotate=90, scale=1), width=width, height=height).render(turned, factor=1)
    assert turned.dtype == dtype
    assert torch.equal(turned, picture)


@pytest.mark.parametrize(
    ("degrees", "orientation"), [(90, 6), (180, 3), (270, 8), (-90, 8), (450, 6), (360, 1)]
)
def test_quarter_turns_are_clockwise_permutations(degrees, orientation):
    picture = noise(6, 10, 3)
    out = through(planned(Wish(rotate=degrees, scale=1), width=10, height=6), picture)
    np.testing.assert_array_equal(out, UPRIGHT[orientation](picture))


@pytest.mark.parametrize(("flip", "orientation"), [(Flip.H, 2), (Flip.V, 4), (Flip.H | Flip.V, 3)])
def test_flips_are_permutations(flip, orientation):
    picture = noise(6, 10, 3)
    out = through(planned(Wish(flip=flip, scale=1), width=10, height=6), picture)
    np.testing.assert_array_equal(out, UPRIGHT[orientation](picture))


def test_the_order_is_orientation_crop_flip_turn():
    stored = noise(24, 40, 3)
    wish = Wish(crop=Crop(4, 7, 1, 2), flip=Flip.H, rotate=90)
    made = planned(wish, width=10, height=6, orientation=6)
    upright = np.rot90(stored, -1)
    np.testing.assert_array_equal(through(made, stored, 4), np.rot90(upright[8:36, 4:20][:, ::-1], -1))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    "wish", [{}, {"crop": Crop(4, 5, 1, 0), "rotate": 90}, {"rotate": 30}, {"scale": 1.5}]
)
def test_a_kept_orientation_shows_after_the_player_what_an_upright_one_stores(orientation, wish):
    stored = noise(12, 20, 3, dtype=np.float64)
    shape = {"width": 10, "height": 6, "orientation": orientation, "default_scale": 2}
    upright = through(planned(Wish(**wish), **shape), stored, 2)
    kept = through(planned(Wish(**wish, orientation=Orientation.KEEP), **shape), stored, 2)
    np.testing.assert_allclose(UPRIGHT[orientation](kept), upright, atol=1e-12)


def test_a_kept_orientation_moves_no_pixel_of_the_network():
    stored = noise(12, 20, 3)
    made = planned(Wish(orientation=Orientation.KEEP), width=5, height=3, orientation=7)
    np.testing.assert_array_equal(through(made, stored, 4), stored)


def test_bars_are_black_and_added_rows_repeat_the_last():
    picture = noise(6, 10, 3) | 1
    barred = through(planned(Wish(size=(10, 10)), width=10, height=6), picture)
    np.testing.assert_array_equal(barred, np.pad(picture, ((2, 2), (0, 0), (0, 0))))
    grown = through(planned(Wish(scale=1), width=9, height=5, multiple=(2, 2)), picture[:5, :9])
    np.testing.assert_array_equal(grown, np.pad(picture[:5, :9], ((0, 1), (0, 1), (0, 0)), mode="edge"))


def test_whole_numbers_are_never_resampled():
    with pytest.raises(AssertionError, match="permuted, not resampled"):
        through(planned(Wish(rotate=30), width=10, height=6), noise(6, 10, 3))


# -- against outside values ----------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(160, 90), (96, 54), (61, 34), (30, 17)])
def test_a_plain_resize_is_pillows_antialiased_bicubic(size):
    picture = natural(128)[:72].astype(np.float32)
    made = planned(Wish(size=size), width=128, height=72)
    pillow = np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC))
    np.testing.assert_allclose(through(made, picture), pillow, atol=2e-5)


def test_a_free_turn_lands_where_pillows_does():
    y, x = np.mgrid[:80, :80]
    smooth = (0.5 + 0.2 * np.sin(x / 12) + 0.2 * np.cos(y / 18 + x / 40)).astype(np.float32)
    ours = through(planned(Wish(rotate=30, scale=1, canvas=Canvas.KEEP), width=80, height=80), smooth)
    pillow = np.asarray(Image.fromarray(smooth).rotate(-30, Image.Resampling.BILINEAR))
    middle = np.hypot(x - 39.5, y - 39.5) < 35
    assert np.abs(ours - pillow)[middle].max() < 5e-4  # half a pixel aside would be 8e-3


# -- the warp ------------------------------------------------------------------------------------------


def lanczos_turn(picture: np.ndarray, degrees: float, lobes: int = 3) -> np.ndarray:
    """Turned clockwise about its centre by a windowed sinc, written out."""
    side = len(picture)
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    y, x = np.mgrid[:side, :side] + 0.5 - side / 2
    u, v = cosine * x + sine * y + side / 2 - 0.5, -sine * x + cosine * y + side / 2 - 0.5
    left, top = np.floor(u).astype(int), np.floor(v).astype(int)
    total, weights = np.zeros_like(picture), np.zeros_like(picture)
    for row in range(1 - lobes, lobes + 1):
        for column in range(1 - lobes, lobes + 1):
            across, down = u - left - column, v - top - row
            weight = np.sinc(across) * np.sinc(across / lobes) * np.sinc(down) * np.sinc(down / lobes)
            inside = (np.abs(across) < lobes) & (np.abs(down) < lobes)
            total += (
                inside * weight * picture[(top + row).clip(0, side - 1), (left + column).clip(0, side - 1)]
            )
            weights += inside * weight
    return total / weights


def psnr_in_the_middle(one: np.ndarray, other: np.ndarray, margin: int = 12) -> float:
    side = len(one)
    y, x = np.mgrid[:side, :side] + 0.5 - side / 2
    middle = np.hypot(x, y) < side / 2 - margin
    return -10 * math.log10(((one - other)[middle] ** 2).mean())


def test_twelve_turns_of_thirty_degrees_composed_are_one_exact_map():
    picture = noise(6, 10, 3)
    np.testing.assert_array_equal(
        through(planned(Wish(rotate=12 * 30, scale=1), width=10, height=6), picture), picture
    )


def test_twelve_renders_of_thirty_degrees_lose_less_than_twelve_lanczos_turns():
    picture = natural(96)
    step = planned(Wish(rotate=30, scale=1, canvas=Canvas.KEEP), width=96, height=96)
    ours = lanczos = picture
    for _ in range(12):
        ours, lanczos = through(step, ours), lanczos_turn(lanczos, 30)
    assert psnr_in_the_middle(ours, picture) > psnr_in_the_middle(lanczos, picture) + 0.5


def test_one_turn_and_back_beats_lanczos_too():
    picture = natural(128)
    ours = lanczos = picture
    for degrees in (17, -17):
        step = planned(Wish(rotate=degrees, scale=1, canvas=Canvas.KEEP), width=128, height=128)
        ours, lanczos = through(step, ours), lanczos_turn(lanczos, degrees)
    assert psnr_in_the_middle(ours, picture) > psnr_in_the_middle(lanczos, picture)


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_enlarging_renders_polynomials_up_to_cubic_exactly(degree):
    """The order of approximation that Blu et al. give for the kernel; a wrong constant in it fails here."""
    y, x = np.mgrid[:60, :60] + 0.5
    made = planned(Wish(rotate=25, scale=1.5, canvas=Canvas.KEEP), width=60, height=60)
    out = through(made, ((x + 0.5 * y) / 90) ** degree)
    y, x = np.mgrid[: made.height, : made.width] + 0.5
    back = made.inverse().points(np.stack([x.ravel(), y.ravel()], 1))
    expected = ((back[:, 0] + 0.5 * back[:, 1]) / 90).reshape(x.shape) ** degree
    middle = np.hypot(x - 45, y - 45) < 10
    assert np.abs(out - expected)[middle].max() < 1e-7


@pytest.mark.parametrize(
    "wish", [{"rotate": 33, "scale": 0.5}, {"rotate": -71.5, "scale": 1.3}, {"scale": 3}]
)
@pytest.mark.parametrize("factor", [1, 2, 4])
def test_a_ramp_stays_the_same_ramp_away_from_edges(wish, factor):
    """Within a twentieth of a code value: a sampled low-pass kernel is not quite centred at every phase."""
    y, x = (np.mgrid[: 40 * factor, : 48 * factor] + 0.5) / factor
    made = planned(Wish(**wish), width=48, height=40)
    out = through(made, x / 48 + 0.3 * y / 40, factor)
    y, x = np.mgrid[: made.height, : made.width] + 0.5
    back = made.inverse().points(np.stack([x.ravel(), y.ravel()], 1))
    expected = (back[:, 0] / 48 + 0.3 * back[:, 1] / 40).reshape(x.shape)
    middle = np.hypot(back[:, 0] - 24, back[:, 1] - 20).reshape(x.shape) < 6
    assert middle.sum() > 20
    assert np.abs(out - expected)[middle].max() < 2e-4


@pytest.mark.parametrize("degrees", [0, 7, 30, 45, 80])
@pytest.mark.parametrize("scale", [0.25, 0.5])
def test_a_fine_checkerboard_shrinks_to_mid_grey_at_any_angle(degrees, scale):
    y, x = np.mgrid[:96, :96]
    made = planned(Wish(rotate=degrees, scale=scale, canvas=Canvas.KEEP), width=96, height=96)
    out = through(made, ((x + y) % 2).astype(np.float64))
    y, x = np.mgrid[: made.height, : made.width] + 0.5
    middle = np.hypot(x - made.width / 2, y - made.height / 2) < 0.35 * made.width
    assert np.abs(out[middle] - 0.5).max() < 0.004


def test_borders_within_the_canvas_fade_over_a_pixel_and_hold_the_area():
    made = planned(Wish(rotate=20, scale=1.5), width=60, height=40)
    out = through(made, np.ones((40, 60)))
    assert out.sum() == pytest.approx(60 * 40 * 1.5**2, rel=2e-3)
    assert out[0, 0] == out[-1, -1] == 0
    grey = (out > 0.05) & (out < 0.95)
    assert 100 < grey.sum() < 600  # a border of 300 pixels is neither jagged nor wide


@pytest.mark.parametrize("size", [None, (160, 90), (90, 160)])
def test_an_inscribed_canvas_has_no_dark_pixel(size):
    made = planned(Wish(rotate=25, canvas=Canvas.INSCRIBED, size=size), width=40, height=30, multiple=(2, 2))
    np.testing.assert_allclose(through(made, np.ones((120, 160)), 4), 1, atol=1e-9)


def test_gradients_reach_the_picture_through_every_way():
    for wish in (Wish(rotate=30, scale=1.2), Wish(rotate=-50, scale=0.6), Wish(scale=1.4), Wish(rotate=90)):
        made = planned(wish, width=3, height=2, default_scale=2, multiple=(2, 2))
        picture = torch.rand(1, 4, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        assert torch.autograd.gradcheck(lambda x, m=made: m.render(x, factor=2), picture.requires_grad_())


@pytest.mark.parametrize(
    "wish",
    [
        {"rotate": 30},
        {"rotate": 30, "scale": 0.5},
        {},
        {"scale": 3},
        {"rotate": 30, "canvas": Canvas.INSCRIBED},
    ],
)
def test_a_window_renders_the_same_as_the_whole(wish):
    made = planned(Wish(crop=Crop(20, 16, 40, 30), **wish), width=100, height=76, default_scale=2)
    x, y, width, height = window = made.window()
    assert width * height < 100 * 76
    whole = torch.from_numpy(noise(1, 152, 200, dtype=np.float64))
    part = whole[:, 2 * y : 2 * (y + height), 2 * x : 2 * (x + width)]
    torch.testing.assert_close(
        made.render(part, factor=2, window=window), made.render(whole, factor=2), atol=1e-7, rtol=0
    )


def test_a_large_canvas_in_pieces_and_unkept_is_the_same_picture(monkeypatch):
    made = planned(Wish(rotate=30, scale=2), width=50, height=40)
    picture = noise(40, 50, 3, dtype=np.float64)
    at_once = through(made, picture)
    monkeypatch.setattr(render, "CACHE_BYTES", 0)
    monkeypatch.setattr(render, "CHUNK_PIXELS", 500)
    np.testing.assert_allclose(through(made, picture), at_once, atol=1e-12)


def test_half_precision_comes_out_of_the_warp_as_float32():
    made = planned(Wish(rotate=30), width=8, height=6)
    half = torch.from_numpy(noise(2, 3, 24, 32, dtype=np.float32)).bfloat16()
    out = made.render(half, factor=4)
    assert out.dtype == torch.float32
    assert out.shape == (2, 3, made.height, made.width)
    torch.testing.assert_close(out, made.render(half.float(), factor=4))


def test_a_map_first_rendered_for_inference_still_trains():
    made = Map.similarity((20, 16), (24, 24), rotate=12.5, scale=1.1)
    picture = torch.rand(3, 16, 20, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        made.render(picture, factor=1)
    picture.requires_grad_()
    made.render(picture, factor=1).sum().backward()
    assert picture.grad is not None
    assert picture.grad.abs().max() > 0
