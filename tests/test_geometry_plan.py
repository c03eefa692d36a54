"""Sizes, places and refusals: what a wish makes of a file's shape, before any picture is touched."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vidgan.errors import BadOption
from vidgan.geometry import (
    Canvas,
    Crop,
    Flip,
    Map,
    Orientation,
    ShortSide,
    Stored,
    Wish,
    parse_crop,
    parse_flip,
    parse_size,
    plan,
)


def planned(wish: Wish, *, multiple: tuple[int, int] = (1, 1), default_scale: float = 4.0, **shape) -> Map:
    return plan(wish, Stored(**shape), multiple=multiple, default_scale=default_scale)


def canvas_of(wish: Wish, width: int, height: int, **rest) -> tuple[int, int]:
    made = planned(wish, width=width, height=height, **rest)
    return made.width, made.height


# -- words ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("1920x1080", (1920, 1080)),
        ("1920X1080", (1920, 1080)),
        ("1080p", ShortSide(1080)),
        ("2160p", ShortSide(2160)),
        ("4k", ShortSide(2160)),
        ("4K", ShortSide(2160)),
        ("8k", ShortSide(4320)),
    ],
)
def test_a_size_is_two_sides_or_the_name_of_the_short_one(text, meant):
    assert parse_size(text) == meant


@pytest.mark.parametrize(
    "text", ["", "big", "0x100", "100x0", "0p", "1920", "1920x", "-4x4", "1.5x2", "2k", "x"]
)
def test_a_size_that_is_none_is_refused_with_examples(text):
    with pytest.raises(BadOption) as caught:
        parse_size(text)
    assert repr(text) in caught.value.found
    assert "1920x1080" in caught.value.remedy


def test_a_crop_reads_as_width_height_left_top():
    assert parse_crop("640x360+100+50") == Crop(640, 360, 100, 50)
    assert str(Crop(640, 360, 100, 50)) == "640x360+100+50"


@pytest.mark.parametrize("text", ["", "640x360", "640x360+1", "0x360+0+0", "640x0+0+0", "640x360-1+0", "a"])
def test_a_crop_that_is_none_is_refused_with_an_example(text):
    with pytest.raises(BadOption, match=r"640x360\+100\+50"):
        parse_crop(text)


def test_a_flip_is_h_or_v_or_both():
    assert [parse_flip(word) for word in ("h", "V", "hv")] == [Flip.H, Flip.V, Flip.H | Flip.V]
    with pytest.raises(BadOption, match="mirror"):
        parse_flip("x")


@pytest.mark.parametrize("bad", [{"rotate": math.nan}, {"rotate": math.inf}, {"scale": 0.2}, {"scale": 16.5}])
def test_a_wish_no_file_can_fulfil_is_refused(bad):
    with pytest.raises(BadOption):
        Wish(**bad)


def test_scale_and_size_together_are_refused():
    with pytest.raises(BadOption, match="one of the two"):
        Wish(scale=2, size=(640, 480))


# -- sizes ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", range(1, 9))
def test_four_times_180x320_is_exactly_720x1280_however_it_lies(orientation):
    sides = (720, 1280) if orientation <= 4 else (1280, 720)
    assert canvas_of(Wish(), 180, 320, orientation=orientation) == sides
    assert canvas_of(Wish(orientation=Orientation.KEEP), 180, 320, orientation=orientation) == (720, 1280)
    assert canvas_of(Wish(rotate=90), 180, 320, orientation=orientation) == sides[::-1]


@pytest.mark.parametrize(
    ("stored", "sample_aspect", "scale", "shown"),
    [
        ((720, 576), Fraction(16, 15), 1, (768, 576)),  # PAL 4:3, ITU-R BT.601 as video people round it
        ((720, 576), Fraction(64, 45), 1, (1024, 576)),  # PAL 16:9
        ((720, 480), Fraction(8, 9), 1, (640, 480)),  # NTSC 4:3
        ((1440, 1080), Fraction(4, 3), 1, (1920, 1080)),  # HDV
        ((720, 576), Fraction(16, 11), 4, (4189, 2304)),  # 4189.09, not 4 x 1047
        ((640, 480), Fraction(4, 3), 4, (3413, 1920)),
        ((5, 5), Fraction(1), 0.5, (3, 3)),  # halves go up
        ((10, 10), Fraction(1), 2.7, (27, 27)),
        ((2, 1), Fraction(1), 0.25, (1, 1)),  # never nothing
    ],
)
def test_sizes_are_the_nearest_to_the_exact_value(stored, sample_aspect, scale, shown):
    assert canvas_of(Wish(scale=scale), *stored, sample_aspect=sample_aspect) == shown


def test_a_turned_anamorphic_video_has_its_headers_shape_turned():
    made = canvas_of(Wish(scale=1), 1440, 1080, sample_aspect=Fraction(4, 3), orientation=6)
    assert made == (1080, 1920)


@pytest.mark.parametrize(
    ("size", "stored", "canvas"),
    [
        (ShortSide(1080), (320, 180), (1920, 1080)),
        (ShortSide(1080), (180, 320), (1080, 1920)),
        (ShortSide(2160), (640, 480), (2880, 2160)),
        (ShortSide(720), (854, 480), (1281, 720)),
        ((1920, 1080), (640, 480), (1920, 1080)),
        ((300, 300), (320, 180), (300, 300)),
    ],
)
def test_a_size_is_the_size(size, stored, canvas):
    assert canvas_of(Wish(size=size), *stored) == canvas


def corners_of(made: Map) -> list[float]:
    return made.boxes(np.array([made.content]))[0].round(9).tolist()


def test_another_shape_gets_bars_and_is_never_stretched():
    assert corners_of(planned(Wish(size=(1920, 1080)), width=640, height=480)) == [240, 0, 1680, 1080]
    assert corners_of(planned(Wish(size=(1000, 1000)), width=320, height=180)) == [0, 218, 1000, 781]
    even = planned(Wish(size=(1000, 1000)), width=320, height=180, multiple=(2, 2))
    assert corners_of(even) == [0, 218, 1000, 781]


def test_the_same_shape_within_a_pixel_fills_the_size():
    made = planned(Wish(size=(1920, 1080)), width=854, height=480)  # 1921.5 wide at this height: 1079.2 high
    assert corners_of(made) == [0, 0, 1920, 1080]


def test_sides_grow_by_repeated_pixels_until_they_divide():
    made = planned(Wish(scale=3), width=5, height=3, multiple=(2, 2))
    assert (made.width, made.height, made.padding) == (16, 10, (1, 1))
    assert corners_of(made) == [0, 0, 15, 9]
    kept = Wish(scale=3, orientation=Orientation.KEEP)
    lying = planned(kept, width=5, height=3, orientation=6, multiple=(4, 1))
    assert (lying.width, lying.height, lying.padding) == (16, 9, (1, 0))


def test_an_exact_size_that_does_not_divide_is_refused_with_the_nearest_that_do():
    with pytest.raises(BadOption) as caught:
        planned(Wish(size=(1919, 1080)), width=320, height=180, multiple=(2, 2))
    assert caught.value.remedy == "Choose 1918x1080 or 1920x1080."
    kept = Wish(size=(1080, 1918), orientation=Orientation.KEEP)
    with pytest.raises(BadOption) as caught:  # stored lying, where its height must divide by 4
        planned(kept, width=320, height=180, orientation=6, multiple=(4, 1))
    assert caught.value.remedy == "Choose 1080x1916 or 1080x1920."


def test_a_canvas_no_encoder_takes_is_refused():
    with pytest.raises(BadOption, match="16384"):
        planned(Wish(scale=16), width=1920, height=1080)


# -- crop and canvas -----------------------------------------------------------------------------------


def test_a_crop_counts_in_upright_square_pixels_whichever_way_the_file_lies():
    crop = Crop(100, 60, 20, 10)
    # Stored 320 x 180, to be turned clockwise: upright 180 x 320, whose x is the stored y from below.
    made = planned(Wish(crop=crop), width=320, height=180, orientation=6)
    assert made.content == (10, 180 - 120, 70, 180 - 20)
    kept = planned(Wish(crop=crop, orientation=Orientation.KEEP), width=320, height=180, orientation=6)
    assert (kept.content, kept.width, kept.height) == (made.content, 240, 400)
    wide = planned(Wish(crop=crop), width=320, height=180, sample_aspect=Fraction(2))
    assert wide.content == (10, 10, 60, 70)


def test_a_crop_that_reaches_the_shown_edge_takes_the_part_of_a_pixel_beyond_it():
    made = planned(Wish(crop=Crop(853, 480, 0, 0)), width=640, height=480, sample_aspect=Fraction(4, 3))
    assert made == planned(Wish(), width=640, height=480, sample_aspect=Fraction(4, 3))


@pytest.mark.parametrize(
    "crop", [Crop(321, 10, 0, 0), Crop(10, 10, 311, 0), Crop(10, 10, 0, 171), Crop(0, 1, 0, 0)]
)
def test_a_crop_outside_the_picture_is_refused_with_the_picture(crop):
    with pytest.raises(BadOption, match="320x180") as caught:
        planned(Wish(crop=crop), width=320, height=180)
    assert str(crop) in caught.value.found


@pytest.mark.parametrize("degrees", [1, 30, 44.9, 45, 60, 89, 123.4, -30])
def test_expanding_holds_every_corner_and_no_more_than_a_pixel_beyond(degrees):
    made = planned(Wish(rotate=degrees), width=320, height=180)
    left, top, right, bottom = made.boxes(np.array([[0, 0, 320, 180]]))[0]
    assert -1e-5 < left < 0.51
    assert -1e-5 < top < 0.51
    assert made.width - 0.51 < right < made.width + 1e-5
    assert made.height - 0.51 < bottom < made.height + 1e-5


@pytest.mark.parametrize("degrees", [1, 10, 30, 45, 60, 89, 123.4, -30])
@pytest.mark.parametrize("stored", [(1920, 1080), (1080, 1920), (1000, 1000), (1920, 200)])
def test_the_inscribed_canvas_is_the_largest_that_the_content_covers(degrees, stored):
    made = planned(Wish(rotate=degrees, canvas=Canvas.INSCRIBED, scale=1), width=stored[0], height=stored[1])
    back = made.inverse().boxes(np.array([[0, 0, made.width, made.height]]))[0]
    assert (back >= -1e-5).all()
    assert back[2] <= stored[0] + 1e-5
    assert back[3] <= stored[1] + 1e-5
    cosine, sine = abs(math.cos(math.radians(degrees))), abs(math.sin(math.radians(degrees)))
    slope = np.linspace(0, math.pi / 2, 20001)[1:-1]  # every shape there is, each as large as it goes
    x, y = np.cos(slope), np.sin(slope)
    scale = np.minimum(stored[0] / (x * cosine + y * sine), stored[1] / (x * sine + y * cosine))
    largest = (scale**2 * x * y).max()
    assert (made.width + 1) * (made.height + 1) >= largest
    assert made.width * made.height <= largest * (1 + 1e-6)


def test_an_inscribed_exact_size_fills_it_and_touches_the_content():
    made = planned(Wish(rotate=30, canvas=Canvas.INSCRIBED, size=(800, 600)), width=320, height=180)
    left, top, right, bottom = made.inverse().boxes(np.array([[0, 0, 800, 600]]))[0]
    assert min(left, top, 320 - right, 180 - bottom) == pytest.approx(0, abs=1e-9)


def test_keeping_the_canvas_keeps_its_size_and_its_centre():
    made = planned(Wish(rotate=30, canvas=Canvas.KEEP), width=320, height=180)
    assert (made.width, made.height) == (1280, 720)
    assert made.points(np.array([[160, 90]])) == pytest.approx(np.array([[640, 360]]))


def test_turns_are_clockwise():
    quarter = planned(Wish(rotate=90, scale=1), width=4, height=2)
    assert quarter.points(np.array([[0.5, 0.5]])).tolist() == [[1.5, 0.5]]  # upper left goes to upper right
    little = planned(Wish(rotate=10, scale=1, canvas=Canvas.KEEP), width=100, height=100)
    assert little.points(np.array([[90, 50]]))[0, 1] > 50  # the right goes down


# -- the map and its inverse ---------------------------------------------------------------------------


@st.composite
def maps(draw) -> Map:
    width, height = draw(st.integers(2, 200)), draw(st.integers(2, 200))
    orientation = draw(st.integers(1, 8))
    sample_aspect = draw(st.sampled_from([Fraction(1), Fraction(4, 3), Fraction(16, 15), Fraction(8, 9)]))
    across = height if orientation >= 5 else width
    down = width if orientation >= 5 else height
    crop = None
    if sample_aspect == 1 and draw(st.booleans()):
        x, y = draw(st.integers(0, across - 1)), draw(st.integers(0, down - 1))
        crop = Crop(draw(st.integers(1, across - x)), draw(st.integers(1, down - y)), x, y)
    sizes = {"scale": draw(st.floats(0.25, 16))}
    if draw(st.booleans()):
        exact = st.tuples(st.integers(1, 400), st.integers(1, 400)).map(
            lambda side: (2 * side[0], 2 * side[1])
        )
        sizes = {"size": draw(st.one_of(exact, st.builds(ShortSide, st.integers(1, 60))))}
    wish = Wish(
        orientation=draw(st.sampled_from(Orientation)),
        crop=crop,
        flip=draw(st.sampled_from([None, Flip.H, Flip.V, Flip.H | Flip.V])),
        rotate=draw(st.one_of(st.sampled_from([0, 90, 180, 270, -90, 30]), st.floats(-720, 720))),
        canvas=draw(st.sampled_from(Canvas)),
        **sizes,
    )
    return planned(
        wish,
        width=width,
        height=height,
        orientation=orientation,
        sample_aspect=sample_aspect,
        multiple=draw(st.sampled_from([(1, 1), (2, 2), (2, 1)])),
    )


@settings(max_examples=100, deadline=None)
@given(made=maps(), seed=st.integers(0, 2**32 - 1))
def test_a_map_and_then_its_inverse_move_nothing(made, seed):
    rng = np.random.default_rng(seed)
    points = rng.uniform(0, 1, (50, 2)) * (made.source_width, made.source_height)
    assert np.abs(made.inverse().points(made.points(points)) - points).max() < 1e-6
    on_canvas = rng.uniform(0, 1, (50, 2)) * (made.width, made.height)
    assert np.abs(made.points(made.inverse().points(on_canvas)) - on_canvas).max() < 1e-6
    boxes = np.concatenate([points[:25], points[:25] + rng.uniform(0, 9, (25, 2))], axis=1)
    back = made.inverse().boxes(made.boxes(boxes))
    assert (back[:, :2] <= boxes[:, :2] + 1e-6).all()
    assert (back[:, 2:] >= boxes[:, 2:] - 1e-6).all()


@settings(max_examples=100, deadline=None)
@given(made=maps())
def test_a_window_lies_in_the_source_and_holds_what_the_canvas_shows(made):
    x, y, width, height = made.window()
    assert x >= 0
    assert y >= 0
    assert x + width <= made.source_width
    assert y + height <= made.source_height
    assert width > 0
    assert height > 0
    shown = made.inverse().boxes(
        np.array([[0, 0, made.width - made.padding[0], made.height - made.padding[1]]])
    )[0]
    left, top = np.maximum(shown[:2], made.content[:2])
    right, bottom = np.minimum(shown[2:], made.content[2:])
    assert x <= left + 1e-6
    assert y <= top + 1e-6
    assert x + width >= right - 1e-6
    assert y + height >= bottom - 1e-6


def test_the_window_of_a_crop_is_the_crop_and_the_margin_within_the_source():
    made = planned(Wish(crop=Crop(100, 60, 20, 0)), width=320, height=180)
    assert made.window() == (20, 0, 100, 60)
    assert made.window(margin=16) == (4, 0, 132, 76)


def test_turns_flips_and_crops_at_the_networks_scale_are_permutations_and_no_other():
    for orientation, flip, degrees, crop in itertools.product(
        range(1, 9), (None, Flip.H, Flip.V), (0, 90, 180, -90), (None, Crop(100, 60, 20, 10))
    ):
        made = planned(
            Wish(rotate=degrees, flip=flip, crop=crop), width=320, height=180, orientation=orientation
        )
        assert made.is_permutation(4)
        assert not made.is_permutation(2)
    for wish in (Wish(rotate=30), Wish(scale=3), Wish(size=(1280, 722), rotate=45)):
        assert not planned(wish, width=320, height=180).is_permutation(4)
    assert planned(Wish(size=(1280, 800)), width=320, height=180).is_permutation(4)  # with bars
    assert not planned(Wish(), width=320, height=180, sample_aspect=Fraction(4, 3)).is_permutation(4)


def test_a_map_says_what_is_left_for_the_player():
    assert planned(Wish(), width=4, height=2, orientation=6).orientation == 1
    assert planned(Wish(orientation=Orientation.KEEP), width=4, height=2, orientation=6).orientation == 6


def test_a_bare_similarity_is_what_a_plan_makes_of_the_same_wish():
    wish = Wish(rotate=30, scale=2, flip=Flip.H, canvas=Canvas.KEEP)
    made = planned(wish, width=40, height=30)
    bare = Map.similarity((40, 30), (80, 60), rotate=30, scale=2, mirror=True)
    assert np.asarray(bare.matrix) == pytest.approx(np.asarray(made.matrix))
    assert Map.similarity((40, 30), (30, 40), rotate=90).is_permutation(1)
    moved = Map.similarity((40, 30), (10, 10), centre=(7, 8))
    assert moved.points(np.array([[7, 8]])).tolist() == [[5, 5]]
