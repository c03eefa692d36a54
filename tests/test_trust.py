"""The trust map: how much of each pixel is invented, over the output, and in numbers."""

import json
import os
import shutil
from pathlib import Path

import av
import numpy as np
import pytest
import torch

import videos
import vidgan
from enhancing import names, shown
from footage import moving
from test_compare import exact
from vidgan import checkpoint, cli, trust
from vidgan.errors import BadOption, BadOutput
from vidgan.generators import recurrent
from vidgan.generators.recurrent import Generator
from vidgan.report import heat
from vidgan.video import writer

GREY = np.full((24, 32, 3), 100, np.uint8)


def save(name: str, *, bias: float = 0.0, red: float = 0.0, seed: int | None = None) -> None:
    """A model file: bicubic, plus a bias in code values, plus a share of red; with a seed, random weights instead."""
    if seed is not None:
        torch.manual_seed(seed)
    generator = Generator(recurrent.Config(features=16, blocks=1))
    if seed is None:
        for weight in generator.parameters():
            torch.nn.init.zeros_(weight)
        with torch.no_grad():
            generator.tail.bias.fill_(bias / 255)
            generator.head.weight[0, 0, 1, 1] = (
                1  # the first feature is the frame's red, which the block passes on
            )
            generator.tail.weight[:, 0, 1, 1] = red
    path = Path(f"{name}.safetensors")
    checkpoint.save_generator(generator, checkpoint.card_of(generator), path, dtype=torch.float32)


def mapped(*words: object, source: str = "in.mkv", code: int = 0) -> list[float]:
    """Enhance with a trust map; gives its number for each frame."""
    usual = ["--model", "mine.safetensors", "--fp32", "--sidecar", "--overwrite", "--codec", "ffv1"]
    told = ["enhance", source, "out.mkv", "--trust", "trust.mkv", *usual, *map(str, words)]
    assert cli.main(told) == code
    return json.loads(Path("out.mkv.json").read_text())["frames"]["trust"] if code == 0 else []


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("VIDGAN_DEBUG", raising=False)


@pytest.fixture
def offset() -> None:
    """A model that makes everything ten code values brighter than its twin does; and three grey frames."""
    save("mine", bias=10)
    save("mine-faithful")
    exact(Path("in.mkv"), [GREY] * 3)


@pytest.fixture
def lively() -> None:
    """Two random models, whose memory changes what they make."""
    save("mine", seed=1)
    save("mine-faithful", seed=2)


# --- what is measured


def test_an_offset_counts_once_whichever_witness_sees_it():
    small = torch.full((1, 3, 8, 8), 0.4)
    plain, brighter = torch.full((1, 48, 8, 8), 0.4), torch.full((1, 48, 8, 8), 0.4 + 10 / 255)
    for picture, faithful, expected in (
        (plain, plain, 0),
        (brighter, plain, 10),  # both witnesses
        (brighter, brighter, 10),  # the source alone
        (plain, brighter, 10),  # the twin alone
    ):
        found = trust.invented(picture, faithful, small)
        torch.testing.assert_close(found, torch.full((1, 1, 8, 8), float(expected)), atol=1e-3, rtol=0)


def test_detail_finer_than_the_source_is_seen_by_the_twin_alone():
    small, faithful = torch.full((1, 3, 8, 8), 0.5), torch.full((1, 48, 8, 8), 0.5)
    board = (torch.arange(4)[:, None] + torch.arange(4)) % 2 * 2.0 - 1
    detailed = faithful + board.flatten().repeat(3)[:, None, None] * 12 / 255
    assert trust.inconsistency(detailed, small).max() < 0.5
    found = trust.invented(detailed, faithful, small)
    torch.testing.assert_close(found, torch.full((1, 1, 8, 8), 12.0), atol=1e-3, rtol=0)


def test_a_single_large_pixel_counts_for_its_share_of_the_small_one():
    faithful = torch.zeros(1, 48, 8, 8)
    folded = faithful.clone()
    folded[0, [5, 21, 37], 3, 6] = 32 / 255  # the sixth of sixteen, in all three colours
    expected = torch.zeros(1, 1, 8, 8)
    expected[0, 0, 3, 6] = 2
    torch.testing.assert_close(trust.disagreement(folded, faithful), expected)


def test_identical_twins_and_a_picture_that_gives_its_source_are_nothing(offset):
    shutil.copy("mine-faithful.safetensors", "mine.safetensors")
    assert mapped() == [0.0, 0.0, 0.0]
    found = shown("trust.mkv").pixels
    assert np.abs(found.astype(int) - 25).max() <= 4  # a quarter of the grey, and black's own blue


def test_a_constant_offset_is_that_number_in_every_frame(offset):
    assert mapped() == [10.0, 10.0, 10.0]
    assert vidgan.enhance(
        "in.mkv", "o.mkv", model="mine.safetensors", trust="t.mkv", precision="fp32"
    ).invented == pytest.approx(10)
    assert vidgan.enhance("in.mkv", "p.mkv", model="mine.safetensors").invented is None


def test_a_map_may_have_a_name_that_is_no_text(offset):
    place = os.fsdecode(b"t\xff.mkv")
    told = [
        "enhance",
        "in.mkv",
        "out.mkv",
        "--trust",
        place,
        "--model",
        "mine.safetensors",
        "--codec",
        "ffv1",
    ]
    assert cli.main(told) == 0 and len(shown(place).pixels) == 3


def test_what_is_measured_is_the_frame_that_is_written(offset):
    assert mapped("--fidelity", 0.3) == [7.0, 7.0, 7.0]
    assert mapped("--fidelity", 1) == [0.0, 0.0, 0.0]
    assert mapped("--consistent") == pytest.approx([0.0, 0.0, 0.0], abs=0.01)


@pytest.mark.parametrize("words", ["--rotate 30", "--scale 1.5", "--crop 16x12+3+5", "--size 130x90"])
def test_empty_corners_and_other_sizes_do_not_change_the_number(offset, words):
    assert mapped(*words.split()) == pytest.approx([10.0] * 3, abs=0.02)


# --- where it is drawn


@pytest.mark.parametrize("words", [
    "", "--rotate 90", "--flip h", "--crop 40x30+8+4", "--crop 40x30+8+4 --rotate 90 --flip v", "--rotate 20 --scale 3",
])  # fmt: skip
def test_the_map_lies_over_the_output(words):
    """The model adds a tenth of red, 20 of 200: where the output is red, and nowhere else, the map is hot."""
    save("mine", red=0.1)
    save("mine-faithful")
    picture = np.full((48, 64, 3), (0, 60, 60), np.uint8)
    picture[6:18, 8:24] = (200, 60, 60)
    exact(Path("in.mkv"), [picture] * 2)
    mapped(*words.split())
    output, found = shown("out.mkv").pixels[1], shown("trust.mkv").pixels[1]
    assert output.shape == found.shape
    red, hot = output[..., 0] > 110, found[..., 0] > 160  # about half of 20

    def shared(hot: np.ndarray) -> float:
        return (red & hot).sum() / (red | hot).sum()

    assert shared(hot) > 0.8
    assert all(shared(np.flip(hot, axes)) < 0.1 for axes in (0, 1, (0, 1)))


def test_colours_mean_the_same_in_every_frame_and_the_picture_is_seen_behind():
    values = torch.tensor([[0.0, 1.28, 5.12, 11.52, 20.48, 32.0, 99.0]])
    black = heat.over(np.zeros((1, 7, 3), np.uint8), values, hottest=trust.MOST)[0]
    stops = [*heat.COLOURS, heat.COLOURS[-1]]
    assert np.abs(black - 0.75 * np.array(stops)).max() <= 1.5
    assert (np.diff(black[:6].astype(int).sum(-1)) > 0).all()
    for kind in (np.uint8, np.uint16):
        white = np.full((1, 7, 3), np.iinfo(kind).max, kind)
        behind = heat.over(white, values, hottest=trust.MOST)[0].astype(int) - black
        assert (behind == 64).all()


# --- the twin's memory


def test_the_twin_sees_the_same_frames_as_its_model(lively, monkeypatch):
    """Two that are the same agree on every frame, though what they make depends on the frames before."""
    shutil.copy("mine-faithful.safetensors", "mine.safetensors")
    exact(Path("in.mkv"), list(moving(1, 4, 32, 48)))
    monkeypatch.setattr(trust, "inconsistency", lambda folded, small: torch.zeros_like(small[:, :1]))
    assert mapped("--tile", 64) == [0.0] * 4


def test_a_cut_clears_the_twin_s_memory(lively):
    exact(Path("in.mkv"), [*(moving(1, 3, 48, 64) // 3), *(255 - moving(2, 3, 48, 64) // 3)])
    whole = mapped()
    assert json.loads(Path("out.mkv.json").read_text())["frames"]["began_shot"][3]
    assert mapped("--start", 0.12) == whole[3:]
    assert mapped("--start", 0.04)[0] != whole[1]  # that the line above can fail


# --- the second file


def test_the_map_has_the_output_s_times_and_no_other_streams(offset, capsys):
    videos.write_in_company(Path("in.mkv"))
    numbers = mapped("--scale", 1, "--start", 0.5, "--duration", 0.4)
    assert len(numbers) == len(shown("out.mkv").seconds) == 10
    assert shown("trust.mkv").seconds == shown("out.mkv").seconds
    with av.open("trust.mkv") as found, av.open("out.mkv") as output:
        assert [stream.type for stream in found.streams] == ["video"] and not found.chapters()
        assert len(output.streams) > 1 and output.chapters()
        tags = {key.lower(): text for key, text in found.metadata.items()}
        assert tags["title"] == "A walk" and "invented in out.mkv" in tags["comment"]
    told = capsys.readouterr().err
    assert "code values invented on average" in told


def test_a_turn_that_is_left_to_the_player_is_left_in_both(offset):
    turn = (0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30)
    videos.write(Path("in.mp4"), videos.Film(times=videos.UNEQUAL_TIMES[:4], display_matrix=turn))
    mapped("--orientation", "keep", source="in.mp4")
    for name in ("out.mkv", "trust.mkv"):
        with av.open(name) as container:
            assert next(container.decode(video=0)).rotation == -90
    assert shown("trust.mkv").seconds == shown("out.mkv").seconds


def test_long_names_that_begin_alike_do_not_meet_on_the_way(offset):
    name = "a very long title of forty letters and more"
    vidgan.enhance("in.mkv", f"{name}.mkv", model="mine.safetensors", trust=f"{name}, trust.mkv")
    grey, coloured = (np.ptp(shown(f"{name}{end}.mkv").pixels, axis=-1) for end in ("", ", trust"))
    assert grey.max() == 0 and coloured.min() > 0


@pytest.mark.parametrize(("target", "word"), [
    ("in.mkv", "the input itself"),
    ("out.mkv", "the output itself"),
    ("./out.mkv", "the output itself"),
    ("there.mkv", "exists already"),
    ("folder.mkv", "is a folder"),
    ("nowhere/trust.mkv", "is no folder"),
    ("trust.gif", "does not write .gif"),
    ("trust", "without a suffix"),
    ("trust.mp4", "ffv1 does not go into .mp4"),
])  # fmt: skip
def test_a_map_that_must_not_be_is_one_error_before_the_first_frame(
    offset, capsys, monkeypatch, target, word
):
    Path("there.mkv").write_text("precious")
    Path("folder.mkv").mkdir()
    monkeypatch.setattr(Generator, "folded", lambda *_: pytest.fail("a frame was made"))
    before = names()
    words = [
        "enhance",
        "in.mkv",
        "out.mkv",
        "--model",
        "mine.safetensors",
        "--codec",
        "ffv1",
        "--trust",
        target,
    ]
    assert cli.main(words) == 1
    found, remedy = capsys.readouterr().err.splitlines()
    assert word in found and remedy.strip()
    assert names() == before and Path("there.mkv").read_text() == "precious"


def test_without_a_twin_there_is_no_half_of_a_map(offset, capsys):
    Path("mine-faithful.safetensors").unlink()
    before = names()
    mapped(code=1)
    found, remedy = capsys.readouterr().err.splitlines()
    assert "no faithful twin, which --trust needs" in found and "mine-faithful.safetensors" in remedy
    with pytest.raises(BadOption, match="passed in has no faithful twin"):
        vidgan.enhance("in.mkv", "out.mkv", model=Generator(), trust="trust.mkv")
    assert names() == before


def test_a_run_s_best_checkpoint_is_held_against_its_faithful_one(offset):
    Path("mine-faithful.safetensors").rename("faithful.safetensors")
    assert mapped() == [10.0] * 3


@pytest.mark.parametrize("broken", ["out.mkv", "trust.mkv"])
def test_neither_file_appears_when_one_of_them_is_not_whole_and_the_frames_are_kept(
    offset, monkeypatch, broken
):
    def fails(path, expected, say):
        if expected.name.name == broken:
            raise BadOutput(f"{broken} was not written")

    before = names()
    monkeypatch.setattr(writer, "verify", fails)
    mapped(code=1)
    assert names() == [".out.mkv.vidgan", *before]


def test_an_interruption_leaves_neither_and_older_ones_as_they_were(offset, monkeypatch):
    folded, calls = Generator.folded, []

    def interrupted(self, frame, memory=None):
        calls.append(1)
        if len(calls) == 4:  # the twin's turn, on the second frame
            raise KeyboardInterrupt
        return folded(self, frame, memory)

    exact(Path("in.mkv"), [GREY, GREY + 9, GREY])  # a frame that is shown again would not be computed
    Path("trust.mkv").write_text("precious")
    before = names()
    monkeypatch.setattr(Generator, "folded", interrupted)
    mapped(code=130)
    assert names() == before and Path("trust.mkv").read_text() == "precious"
