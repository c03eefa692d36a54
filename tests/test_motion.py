"""Where things were one frame earlier, beside what OpenCV finds and motions that are known."""

import pytest
import torch
from torch.nn import functional as F

from vidgan import motion


def texture(height: int = 96, width: int = 128, seed: int = 0) -> torch.Tensor:
    """(1, 1, H, W) in [0, 1], with detail of several sizes."""
    random = torch.Generator().manual_seed(seed)
    layers = [
        F.interpolate(
            torch.rand(1, 1, -(-height // step) + 1, -(-width // step) + 1, generator=random),
            scale_factor=step,
            mode="bicubic",
        )[..., :height, :width]
        for step in (3, 8, 20)
    ]
    return ((layers[0] + layers[1] + layers[2]) / 3).clamp(0, 1)


def shifted(pictures: torch.Tensor, x: float, y: float) -> torch.Tensor:
    """The pictures at x + motion, by way of their spectrum: all of it is kept, as no interpolation does."""
    height, width = pictures.shape[-2:]
    down, across = torch.fft.fftfreq(height).view(-1, 1), torch.fft.rfftfreq(width)
    turned = torch.exp(2j * torch.pi * (down * y + across * x))
    return torch.fft.irfft2(torch.fft.rfft2(pictures) * turned, s=(height, width))


def inside(found: torch.Tensor) -> torch.Tensor:
    return found[..., 20:-20, 20:-20]


@pytest.mark.parametrize("step", [(0.0, 0.0), (0.3, -0.7), (2.5, 1.25), (-6.0, 3.4), (11.0, -9.5)])
def test_a_shift_is_found_within_a_tenth_of_a_pixel(step):
    before = texture()
    now = shifted(before, *step)
    off = inside(motion.motion(now, before)) - torch.tensor(step).view(1, 2, 1, 1)
    assert off.norm(dim=1).quantile(0.9) < 0.1


def test_what_moves_before_a_still_wall_moves_alone():
    wall, thing = texture(seed=1), texture(seed=2)
    before, now = wall.clone(), wall.clone()
    before[..., 30:62, 40:80] = thing[..., 30:62, 40:80]
    now[..., 30:62, 45:85] = thing[..., 30:62, 40:80]
    found = motion.motion(now, before)[0]
    assert (found[:, 36:56, 52:78] - torch.tensor([-5.0, 0.0]).view(2, 1, 1)).norm(dim=0).median() < 0.1
    assert found[:, :16].norm(dim=0).max() < 0.05 and found[:, :, 105:].norm(dim=0).max() < 0.05


def test_a_flat_picture_moves_nowhere_and_has_no_gaps():
    grey = torch.full((2, 3, 24, 32), 0.4)
    assert motion.motion(grey, grey).abs().max() == 0
    assert motion.motion(grey, grey + 0.5).isfinite().all()


@pytest.mark.parametrize("size", [(1, 1), (2, 7), (5, 3), (37, 51)])
def test_any_size_will_do(size):
    now, before = torch.rand(2, 3, *size), torch.rand(2, 3, *size)
    found = motion.motion(now, before)
    assert found.shape == (2, 2, *size) and found.isfinite().all()


def test_it_is_as_near_as_opencvs_dis_on_a_camera_that_turns():
    cv2 = pytest.importorskip("cv2")
    picture = texture(160, 200)
    angle = 0.03
    y, x = torch.meshgrid(torch.linspace(-1, 1, 160), torch.linspace(-1, 1, 200), indexing="ij")
    ratio = 200 / 160
    places = torch.stack((x - angle * y / ratio + 0.01, y + angle * x * ratio), -1)[None]
    now = F.grid_sample(picture, places, mode="bicubic", padding_mode="border", align_corners=True)
    truth = torch.stack(((places[..., 0] - x) * 199 / 2, (places[..., 1] - y) * 159 / 2), 1)
    codes = [(255 * pictures[0, 0]).round().byte().numpy() for pictures in (now, picture)]
    dis = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    theirs = torch.from_numpy(dis.calc(*codes, None)).permute(2, 0, 1)[None]
    ours = motion.motion(now, picture)
    errors = [inside(found - truth).norm(dim=1).mean() for found in (ours, theirs)]
    assert errors[0] < 0.15 and errors[0] < 1.1 * errors[1]


@pytest.mark.parametrize("side", [3, 5])
@pytest.mark.parametrize("size", [(1, 1), (2, 7), (23, 31)])
def test_means_are_those_of_a_pooling_that_leaves_the_edge_out(size, side):
    pictures = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0))
    expected = F.avg_pool2d(pictures, side, stride=1, padding=side // 2, count_include_pad=False)
    assert torch.allclose(motion.mean_around(pictures, side), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("cubic", "taps"), [(False, (0, 0.5, 0.5, 0)), (True, (-0.09375, 0.59375, 0.59375, -0.09375))]
)
def test_between_pixels_squares_are_linear_or_cubic(cubic, taps):
    """Half a large pixel to the right. The cubic's taps are those of Keys' kernel, a = -0.75, at 0.5 and 1.5."""
    large = torch.rand(1, 1, 8, 24)
    found = torch.tensor([0.125, 0.0]).view(1, 2, 1, 1).expand(1, 2, 2, 6)  # of small pixels, each four wide
    moved = F.pixel_shuffle(motion.fetched_squares(large, found, 4, cubic=cubic), 4)
    expected = F.conv2d(large, torch.tensor(taps).view(1, 1, 1, 4))
    assert torch.allclose(moved[..., 1:22], expected, atol=1e-5)
