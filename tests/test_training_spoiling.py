"""What the discriminator is to turn down: pictures whose fault is known, and the same for every split of a batch."""

import pytest
import torch

from vidgan.training.spoiling import spoilt

SAMPLES = 24


def spoil(made, real, *, scale=4, seed=5, of=SAMPLES, samples=slice(0, SAMPLES)):
    return spoilt(made, real, scale, seed=seed, of=of, samples=samples)


def noisy(seed: int, count: int = SAMPLES) -> torch.Tensor:
    """Around a grey that no grid leads out of."""
    rng = torch.Generator().manual_seed(seed)
    return 0.5 + 0.05 * torch.randn((count, 3, 3, 32, 24), generator=rng)


def periodic(clip: torch.Tensor, side: int) -> torch.Tensor:
    """For each sample whether it is one pattern of side x side pixels again and again, up to rounding."""
    down = (clip[..., side:, :] - clip[..., :-side, :]).abs().amax((1, 2, 3, 4))
    across = (clip[..., side:] - clip[..., :-side]).abs().amax((1, 2, 3, 4))
    return torch.maximum(down, across) < 1e-3 * clip.abs().amax((1, 2, 3, 4))


def test_flat_pictures_have_no_contrast_to_spoil():
    flat = torch.full((SAMPLES, 3, 3, 32, 24), 0.4)
    torch.testing.assert_close(spoil(flat, flat), flat)


@pytest.mark.parametrize("scale", [1, 2, 4])
def test_a_third_of_the_samples_is_too_sharp_and_the_others_have_a_grid_of_the_network_s_pixels(scale):
    """A real picture of one contrast throughout, dark and bright in turns, so that the grid stands out alone."""
    stripes = torch.full((1, 1, 1, 32, 24), 0.45)
    stripes[..., ::2] = 0.55
    real = stripes.expand(240, 1, 3, 32, 24)
    made = torch.full_like(real, 0.5)
    found = spoil(made, real, scale=scale, of=240, samples=slice(0, 240))
    untouched = (found == made).flatten(1).all(1)  # sharpened: of a flat picture nothing is left to take away
    side = max(scale, 2)
    grid = (found - real)[..., 8:-8, 8:-8]  # with the stripes, where they were laid on the made one
    assert torch.equal(periodic(grid, side), torch.ones_like(untouched))
    assert side == 2 or torch.equal(periodic(grid, side // 2), untouched)
    assert 0.2 < untouched.float().mean() < 0.47


def test_sharpening_goes_away_from_the_mean_around():
    made = noisy(1)
    found = spoil(made, torch.full_like(made, 0.5))  # a flat real picture lends no contrast to a grid
    changed = found - made
    as_it_was, flat = (each.flatten(1).abs().amax(1) == 0 for each in (changed, found - 0.5))
    sharpened = ~(as_it_was | flat)
    assert as_it_was.any() and flat.any() and sharpened.any()
    frames = made.flatten(0, 1)
    around = torch.nn.functional.avg_pool2d(
        torch.nn.functional.pad(frames, [1] * 4, mode="reflect"), 3, stride=1
    ).unflatten(0, made.shape[:2])
    for sample in sharpened.nonzero().flatten().tolist()[:3]:
        times = changed[sample] / (made - around)[sample]
        assert float(times.median()) == pytest.approx(float(times.quantile(0.1)), rel=1e-2)
        assert 0.3 <= times.median() <= 1.5


def test_each_sample_gets_what_it_gets_in_the_whole_batch_and_a_seed_gives_it_again():
    made, real = noisy(2), noisy(3)
    whole = spoil(made, real)
    for part in (slice(0, 5), slice(5, 24)):
        torch.testing.assert_close(spoil(made[part], real[part], samples=part), whole[part])
    assert not torch.equal(spoil(made, real, seed=6), whole)
    assert whole.min() >= 0 and whole.max() <= 1 and whole.dtype == torch.float32
