"""Which network a video gets where none was named."""

import json
from fractions import Fraction

import pytest

import videos
from enhancing import apart, bicubic, shown, write_soft
from vidgan import cli
from vidgan.enhancing.choosing import AUTO, model_for
from vidgan.geometry import Crop, Stored, Wish

SMALL, LARGE, UNASKED = (640, 360), (1920, 1080), Wish()


def chosen(size, wish=UNASKED, **changes) -> tuple[str, list[str]]:
    said: list[str] = []
    name = model_for(AUTO, wish, Stored(width=size[0], height=size[1], **changes), said.append)
    assert isinstance(name, str)
    return name, said


@pytest.mark.parametrize(
    "wish", [Wish(), Wish(scale=1), Wish(scale=2), Wish(scale=4), Wish(size=(1280, 720))]
)
def test_a_small_video_gets_the_usual_network_without_a_word(wish):
    assert chosen(SMALL, wish) == ("fast", [])


@pytest.mark.parametrize(
    "wish",
    [Wish(), Wish(scale=1), Wish(scale=2), Wish(size=(3840, 2160)), Wish(size=(1280, 720)), Wish(rotate=30)],
)
def test_a_large_video_gets_the_network_on_squares_and_is_told(wish):
    name, said = chosen(LARGE, wish)
    assert name == "fast-x2" and len(said) == 1
    assert said[0].startswith("1920x1080 pixels are many: fast-x2")


@pytest.mark.parametrize("wish", [Wish(scale=3), Wish(scale=4), Wish(size=(7680, 4320))])
def test_what_is_to_become_larger_than_twice_does_not(wish):
    assert chosen(LARGE, wish) == ("fast", [])


def test_it_is_large_from_960x540_on():
    assert chosen((960, 540))[0] == "fast-x2"
    assert chosen((958, 540))[0] == "fast"
    assert chosen((540, 960), orientation=6)[0] == "fast-x2"


def test_the_part_that_is_shown_counts():
    assert chosen(LARGE, Wish(crop=Crop(200, 200, 0, 0)))[0] == "fast"


def test_wide_pixels_count_by_what_they_are_shown_as():
    """Widths are twice as large on the screen before anything is enlarged; in all it is 2.8 times each side."""
    assert chosen((960, 1080), Wish(scale=2), sample_aspect=Fraction(2))[0] == "fast"
    assert chosen((960, 1080), Wish(scale=1), sample_aspect=Fraction(2))[0] == "fast-x2"


def test_a_named_model_is_left_alone():
    assert model_for("fast", Wish(), Stored(width=1920, height=1080), print) == "fast"


def test_a_large_video_becomes_twice_as_large_by_default(tmp_path, capsys):
    source = write_soft(tmp_path / "large.mp4", videos.Film(width=960, height=540, times=(0,)))
    output = tmp_path / "out.mp4"
    told = ["--json", "--sidecar", "--backend", "torch"]
    assert cli.main(["enhance", str(source), str(output), *told]) == 0
    out, err = capsys.readouterr()
    result = json.loads(out)
    assert (result["model"], result["width"], result["height"]) == ("fast-x2", 1920, 1080)
    assert "960x540 pixels are many: fast-x2" in err
    assert json.loads((tmp_path / "out.mp4.json").read_text())["model"]["name"] == "fast-x2.safetensors"
    made, before = shown(output).pixels, shown(source).pixels
    assert made.shape == (1, 1080, 1920, 3)
    assert apart(made, bicubic(before, 1080, 1920)) < 6  # the same picture, with some detail of its own
