"""Where a shot begins: at cuts, and nowhere else."""

from itertools import pairwise

import numpy as np
import pytest

from vidgan.shots import SIDE, CutDetector, thumbnail

HEIGHT, WIDTH = 108, 192


def scene(seed: int, width: int = WIDTH) -> np.ndarray:
    """A picture of large shapes with some grain: (H, W, 3) uint8."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(20, 236, (HEIGHT // 12, width // 12, 3)).repeat(12, 0).repeat(12, 1)
    return np.clip(coarse + rng.normal(0, 6, coarse.shape), 0, 255).astype(np.uint8)


def begun(frames: list[np.ndarray]) -> list[int]:
    """At which frames a shot begins."""
    detector = CutDetector()
    return [index for index, frame in enumerate(frames) if detector.begins_shot(frame)]


def pan(seed: int, speed: int, frames: int = 8) -> list[np.ndarray]:
    wide = scene(seed, WIDTH + 12 * (1 + speed * frames // 12))
    return [wide[:, speed * t : speed * t + WIDTH] for t in range(frames)]


def test_the_first_frame_begins_a_shot():
    assert begun([scene(0)] * 3) == [0]


def test_a_hard_cut_begins_a_shot():
    assert begun([scene(0)] * 4 + [scene(1)] * 4 + [scene(2)] * 2) == [0, 4, 8]


def test_a_cut_within_motion_begins_a_shot():
    assert begun(pan(0, 1) + pan(1, 1)) == [0, 8]


def test_a_fast_pan_does_not():
    """Once it is under way: its changes are as large as a cut's, but each is like the one before."""
    frames = pan(0, 6, frames=12)
    detector = CutDetector()
    changes = [np.abs(thumbnail(a) - thumbnail(b)).mean() * 100 for a, b in pairwise(frames)]
    assert max(changes) > detector.threshold
    assert set(begun(frames)) <= {0, 1}


def test_a_slow_pan_does_not():
    assert begun(pan(0, 1)) == [0]


@pytest.mark.parametrize("length", [8, 25])
def test_a_fade_to_black_and_a_cross_fade_do_not(length):
    weights = np.linspace(0, 1, length)[:, None, None, None]
    before, after = scene(0), scene(1)
    crossed = ((1 - weights) * before + weights * after).astype(np.uint8)
    assert begun([*crossed, *[after] * 3]) == [0]
    assert begun([*((1 - weights) * before).astype(np.uint8)]) == [0]


def test_a_flash_is_taken_for_at_most_one_cut():
    """Its end looks like its beginning: what was remembered a frame ago is no worse than nothing."""
    flash = np.full_like(scene(0), 255)
    assert begun([scene(0)] * 3 + [flash] + [scene(0)] * 3) in ([0], [0, 3])


def test_noise_does_not():
    rng = np.random.default_rng(0)
    still = scene(0).astype(float)
    assert begun(
        [np.clip(still + rng.normal(0, 12, still.shape), 0, 255).astype(np.uint8) for _ in range(6)]
    ) == [0]


def test_sixteen_bits_are_judged_as_eight():
    frames = [scene(0), scene(0), scene(1), scene(1)]
    assert begun([frame.astype(np.uint16) * 257 for frame in frames]) == begun(frames) == [0, 2]


def test_another_size_begins_a_shot():
    assert begun([scene(0), scene(0)[: HEIGHT // 2]]) == [0, 1]


@pytest.mark.parametrize(("height", "width"), [(1, 1), (5, 300), (96, 96), (2160, 3840)])
def test_a_thumbnail_is_small_and_keeps_the_mean(height, width):
    pixels = np.full((height, width, 3), 51, np.uint8)
    small = thumbnail(pixels)
    assert min(small.shape) < 2 * SIDE
    np.testing.assert_allclose(small, 0.2, rtol=1e-6)


def test_a_threshold_is_a_share_of_full_scale():
    dark, grey = np.zeros((96, 96, 3), np.uint8), np.full((96, 96, 3), 51, np.uint8)  # 20 percent
    for threshold, cuts in ((19.0, True), (21.0, False)):
        detector = CutDetector(threshold)
        detector.begins_shot(dark)
        assert detector.begins_shot(grey) == cuts
