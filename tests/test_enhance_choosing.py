"""Which network a video gets where none was named."""

import json
from fractions import Fraction

import pytest

import videos
import vidgan
from enhancing import apart, bicubic, shown, write_soft
from vidgan import cli, errors
from vidgan.enhancing import job
from vidgan.enhancing.choosing import choose
from vidgan.enhancing.options import Options
from vidgan.geometry import Crop, Stored, Wish

SMALL, LARGE = Stored(width=640, height=360), Stored(width=1920, height=1080)
HDV = Stored(width=1440, height=1080, sample_aspect=Fraction(4, 3))  # shown as 1920x1080


@pytest.mark.parametrize(
    "wish", [Wish(), Wish(scale=1), Wish(scale=2), Wish(scale=4), Wish(size=(1280, 720))]
)
def test_a_small_video_gets_the_usual_network(wish):
    assert choose(wish, SMALL) == "fast"


@pytest.mark.parametrize("source", [LARGE, HDV])
@pytest.mark.parametrize(
    "wish",
    [Wish(), Wish(scale=1), Wish(scale=2), Wish(size=(3840, 2160)), Wish(size=(1280, 720)), Wish(rotate=30)],
)
def test_a_large_video_gets_the_network_on_squares(source, wish):
    assert choose(wish, source) == "fast-x2"


@pytest.mark.parametrize("source", [LARGE, HDV])
@pytest.mark.parametrize("wish", [Wish(scale=3), Wish(scale=4), Wish(size=(7680, 4320))])
def test_what_is_to_become_larger_than_twice_does_not(source, wish):
    assert choose(wish, source) == "fast"


def test_it_is_large_from_960x540_on_whichever_way_it_lies():
    assert choose(Wish(), Stored(width=960, height=540)) == "fast-x2"
    assert choose(Wish(), Stored(width=958, height=540)) == "fast"
    assert choose(Wish(), Stored(width=540, height=960)) == "fast-x2"
    assert choose(Wish(), Stored(width=960, height=540, orientation=6)) == "fast-x2"


@pytest.mark.parametrize("rotate", [0, 10, 90])
def test_what_is_cropped_away_does_not_count(rotate):
    assert choose(Wish(crop=Crop(900, 540, 10, 10), rotate=rotate), LARGE) == "fast"
    assert choose(Wish(crop=Crop(960, 540, 10, 10), rotate=rotate), LARGE) == "fast-x2"


@pytest.fixture
def large(tmp_path):
    return write_soft(tmp_path / "large.mp4", videos.Film(width=960, height=540, times=(0,)))


def test_a_large_video_becomes_twice_as_large_by_default_and_it_is_said(large, tmp_path, capsys):
    output = tmp_path / "out.mp4"
    assert cli.main(["enhance", str(large), str(output), "--json", "--sidecar", "--backend", "torch"]) == 0
    out, err = capsys.readouterr()
    result = json.loads(out)
    assert (result["model"], result["width"], result["height"]) == ("fast-x2", 1920, 1080)
    assert err.count("960x540 is large: fast-x2 takes it") == 1
    assert json.loads((tmp_path / "out.mp4.json").read_text())["model"]["name"] == "fast-x2.safetensors"
    made, before = shown(output).pixels, shown(large).pixels
    assert made.shape == (1, 1080, 1920, 3)
    assert apart(made, bicubic(before, 1080, 1920)) < 6  # the same picture, with some detail of its own


def test_the_choice_goes_with_all_that_can_be_asked_of_a_network(large, tmp_path):
    result = vidgan.enhance(
        large,
        tmp_path / "out.mp4",
        fidelity=0.5,
        consistent=True,
        trust=tmp_path / "trust.mp4",
        memory="6G",
    )
    assert (result.model, result.width, result.frames) == ("fast-x2", 1920, 1)
    assert result.consistency > 40 and result.invented > 0


def test_each_video_of_a_folder_gets_its_own(large, tmp_path):
    write_soft(tmp_path / "small.mp4", videos.Film(width=64, height=48, times=(0,)))
    assert cli.main(["enhance", str(tmp_path), str(tmp_path / "outs"), "--backend", "torch"]) == 0
    sizes = {path.stem: shown(path).pixels.shape[1:3] for path in (tmp_path / "outs").glob("*.mp4")}
    assert sizes == {"large_out": (1080, 1920), "small_out": (192, 256)}


@pytest.mark.parametrize(
    ("wish", "told"),
    [
        ({"model": "nonesuch"}, "no model 'nonesuch'"),
        ({"fidelity": 7}, "--fidelity 7"),
        ({"denoise": 0.5}, "realesr-general-x4v3"),
        ({"denoise": 0.5, "fidelity": 0.5}, "different networks"),
        ({"denoise": 2.0}, "denoise-strength 2 is out of range"),
        ({"fidelity": -1.0}, "fidelity -1 is out of range"),
        ({"steady": 0.95}, "--steady: 0.95 is no share"),
    ],
)
def test_a_wrong_wish_is_told_before_the_file_is_opened(tmp_path, wish, told):
    with pytest.raises(errors.VidganError, match=told):
        vidgan.enhance(tmp_path / "missing.mp4", tmp_path / "out.mp4", **wish)


def test_nothing_is_said_of_the_network_where_nothing_is_made(large, tmp_path, capsys):
    assert cli.main(["enhance", str(large), str(tmp_path / "out.mp4"), "--memory", "300M"]) == 1
    assert "is large" not in capsys.readouterr().err


@pytest.mark.parametrize(("more", "width"), [({}, 1920), ({"scale": 3}, 2880), ({"size": "1280x720"}, 1280)])
def test_a_large_video_that_is_to_be_repaired_gets_the_network_that_can_at_the_same_size(large, more, width):
    options = Options(input=large, output=large.with_name("out.mp4"), restore=0.5, quiet=True, **more)
    made = job.prepare(options, None)
    assert (made.options.model, made.plan.width) == ("fast", width)


@pytest.mark.parametrize(
    ("more", "lines"), [({}, 1), ({"size": "1280x720"}, 1), ({"scale": 3}, 0), ({"model": "fast"}, 0)]
)
def test_that_a_large_video_gets_the_network_that_can_repair_is_said(large, capsys, more, lines):
    job.prepare(
        Options(input=large, output=large.with_name("out.mp4"), restore=0.5, backend="torch", **more), None
    )
    assert capsys.readouterr().err.count("fast takes it all the same, as fast-x2 cannot restore") == lines
