"""Pixels on their way to the encoder: how they lie in memory changes nothing."""

import numpy as np
import pytest

from vidgan.video.colour import Colour, Converter

COLOUR = Colour(matrix="bt709", primaries="bt709", transfer="bt709", full_range=False)


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "nv12", "bgr0"])
@pytest.mark.parametrize("width", [64, 70, 34])
def test_colours_in_planes_give_the_frame_that_pixels_side_by_side_give(pixel_format, width):
    pixels = np.random.default_rng(0).integers(0, 256, (36, width, 3), np.uint8)
    planar = np.ascontiguousarray(pixels.transpose(2, 0, 1)).transpose(1, 2, 0)
    assert np.array_equal(planar, pixels) and planar.strides != pixels.strides
    converter = Converter(COLOUR)
    expected, found = (
        converter.from_rgb(given, pixel_format).to_ndarray(format="rgb24").astype(int)
        for given in (pixels, planar)
    )
    assert np.abs(found - expected).max() == 0
