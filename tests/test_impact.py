"""`vidgan impact` from file to file, with a detector whose findings are known by hand: it sees one colour."""

import csv
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import enhancing
import videos
import vidgan
from test_compare import exact
from vidgan import anomaly, cli
from vidgan.errors import BadAnalyser, BadOption, BadVideo, MissingExtra, VidganError
from vidgan.measuring.lookers import choose, from_file
from vidgan.report.impact import rows

LEFT, TOP, SIDE = 16, 12, 12  # of the yellow square in the source
WIDTH, HEIGHT = 64, 48


def yellow(pixels: np.ndarray) -> list[tuple[float, float, float, float]]:
    """The box around what is yellow; pure, and no state."""
    near = (np.abs(pixels.astype(int) - (220, 210, 60)) < 40).all(axis=2)
    ys, xs = np.nonzero(near)
    return [(xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)] if len(xs) else []


def square(left: int = LEFT, top: int = TOP, *, scale: int = 1) -> np.ndarray:
    """A yellow square on grey, each pixel repeated."""
    frame = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    frame[top : top + SIDE, left : left + SIDE] = (220, 210, 60)
    return frame.repeat(scale, 0).repeat(scale, 1)


def empty(scale: int = 1) -> np.ndarray:
    return np.full((HEIGHT * scale, WIDTH * scale, 3), 90, np.uint8)


@pytest.fixture
def source(tmp_path) -> Path:
    return exact(tmp_path / "small.mkv", [square()] * 6)


@pytest.fixture
def large(tmp_path) -> Path:
    return exact(tmp_path / "large.mkv", [square(scale=4)] * 6)


def kinds(found) -> list[list[str]]:
    """Of each moment, the differences."""
    (study,) = found.studies
    return [[difference.kind for difference in row] for row in study.differences]


def test_boxes_of_every_version_lie_at_one_place(source, large):
    """In pixels of the enhanced video: the source's boxes are brought there."""
    found = vidgan.impact(source, large, reference=large, analysers=[yellow])
    (study,) = found.studies
    assert study.arms == ["source", "bicubic", "Lanczos", "enhanced", "reference"]
    for arm in study.arms:
        box = np.array(study.findings[arm][0][0].box)
        assert np.abs(box - 4 * np.array([LEFT, TOP, LEFT + SIDE, TOP + SIDE])).max() <= 2, arm
    assert found.scale == 4 and (found.way.width, found.way.height) == (256, 192)
    assert kinds(found) == [[]] * 6
    assert found.agreement(study, "enhanced")["f1"].value == 1


def test_what_is_gained_lost_and_invented_against_the_reference(tmp_path, source, large):
    """The network loses the square in one frame, and makes one up where there is none in another."""
    frames = [square(scale=4), empty(4), *[square(scale=4)] * 2, square(40, 30, scale=4), square(scale=4)]
    enhanced = exact(tmp_path / "enhanced.mkv", frames)
    found = vidgan.impact(source, enhanced, reference=large, analysers=[yellow])
    assert kinds(found) == [[], ["lost"], [], [], ["lost", "invented"], []]
    (study,) = found.studies
    figures = found.agreement(study, "enhanced")
    assert figures["recall"].value == pytest.approx(4 / 6)
    assert figures["precision"].value == pytest.approx(4 / 5)
    back = vidgan.impact(
        exact(tmp_path / "none.mkv", [empty()] * 6), large, reference=large, analysers=[yellow]
    )
    assert kinds(back) == [["gained"]] * 6


def test_without_a_reference_nothing_is_true_or_false(tmp_path, source):
    enhanced = exact(tmp_path / "enhanced.mkv", [square(scale=4)] * 3 + [square(40, 30, scale=4)] * 3)
    found = vidgan.impact(source, enhanced, analysers=[yellow])
    assert kinds(found) == [[]] * 3 + [["gained", "lost"]] * 3
    assert "without a reference nobody can tell" in found.sentence.lower()
    assert found.as_json()["analysers"][0]["arms"]["enhanced"].keys() == {"found", "recovered"}


def test_on_empty_footage_every_finding_is_a_false_alarm(tmp_path):
    source = exact(tmp_path / "none.mkv", [empty()] * 6)
    enhanced = exact(tmp_path / "enhanced.mkv", [empty(4)] * 3 + [square(scale=4)] * 3)
    found = vidgan.impact(source, enhanced, analysers=[yellow], empty=["yellow"])
    assert kinds(found) == [[]] * 3 + [["invented"]] * 3
    (study,) = found.studies
    assert found.agreement(study, "enhanced")["false_alarms"].value == 50
    header, lines = rows(found, study)
    assert header == ["", "found in a frame", "false alarms in 100 frames"]
    assert lines[-1] == ["enhanced", "0.50", "50.0"]


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Path:
    return enhancing.make_models(tmp_path_factory.mktemp("models"))


@pytest.mark.parametrize(
    "words",
    [[], ["--rotate", "90"], ["--crop", "48x40+8+4"], ["--flip", "h", "--scale", "3"], ["--rotate", "20"]],
)
def test_the_sidecar_brings_boxes_back_to_the_source(tmp_path, models, source, words):
    """Turned, cropped, mirrored, at another size: the square is found where it was."""
    output = tmp_path / "out.mkv"
    assert enhancing.door(models)(source, output, "--sidecar", "--codec", "ffv1", *words) == 0
    found = vidgan.impact(source, output, reference=source, analysers=[yellow])
    (study,) = found.studies
    grown = 3 if "20" in words else 1  # an upright box around a turned one is larger
    for arm in study.arms:
        box = found.in_source(study.findings[arm][2][0])
        assert np.abs(np.array(box) - [LEFT, TOP, LEFT + SIDE, TOP + SIDE]).max() <= grown * 1.5, arm


def test_a_network_that_adds_nothing_is_bicubic(tmp_path, models):
    """Both go through the same map: so do their pictures."""
    source = videos.write(tmp_path / "in.mp4")
    output = tmp_path / "out.mkv"
    assert enhancing.door(models)(source, output, "--sidecar", "--codec", "ffv1", "--rotate", "30") == 0
    pictures: list[np.ndarray] = []

    def keep(pixels: np.ndarray) -> float:
        pictures.append(pixels.copy())
        return 0.0

    vidgan.impact(source, output, analysers=[keep])
    _, bicubic, lanczos, enhanced = pictures[:4]
    assert bicubic.shape == lanczos.shape == enhanced.shape
    assert np.abs(bicubic.astype(int) - enhanced).mean() < 1.5
    assert (bicubic != lanczos).any()


def test_bicubic_is_torchs_own(tmp_path, source, large):
    pictures: list[np.ndarray] = []
    vidgan.impact(source, large, analysers=[lambda pixels: pictures.append(pixels.copy()) or 0])
    expected = enhancing.bicubic(square()[None], HEIGHT * 4, WIDTH * 4)[0]
    assert np.abs(pictures[1].astype(int) - expected).max() <= 1
    assert (pictures[0] == square()).all() and (pictures[3] == square(scale=4)).all()


def test_a_number_is_held_against_the_references(source, large):
    def brightness(pixels: np.ndarray) -> float:
        return pixels.mean() / 255

    found = vidgan.impact(source, large, reference=large, analysers=[brightness])
    assert found.mean(found.studies[0], "enhanced").value == pytest.approx(square().mean() / 255, abs=1e-3)


def test_one_frame_in_three(source, large):
    found = vidgan.impact(source, large, analysers=[yellow], every=3)
    assert found.seconds == pytest.approx([0, 0.12])


def door(*words: object) -> int:
    return cli.main(["impact", *map(str, words)])


PLUG = """
import numpy as np

def find(pixels):
    ys, xs = np.nonzero((np.abs(pixels.astype(int) - (220, 210, 60)) < 40).all(axis=2))
    return [(xs.min(), ys.min(), xs.max() + 1, ys.max() + 1, 0.5, "square")] if len(xs) else []

def breaks(pixels):
    return 1 / 0

def mumbles(pixels):
    return [(1, 2, 3)]

def infinite(pixels):
    return float("inf")

def vast(pixels):
    return 10 ** 400

def endless(pixels):
    return 10 ** 5000

def afar(pixels):
    return [(0, 0, 10 ** 400, 1)]

def late(pixels):
    yield (1, 2, 3, 4)
    raise KeyError("x")

def silent(pixels):
    return None

def stops(pixels):
    raise KeyboardInterrupt

word = "no function"
"""


@pytest.fixture
def plug(tmp_path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(PLUG)
    return path


def test_a_plug_in_from_a_file_and_all_that_is_written(tmp_path, source, large, plug, capsys):
    told, lines, page = (tmp_path / name for name in ("out.json", "out.csv", "out.html"))
    words = ["--plug", f"{plug}:find", "--json", told, "--csv", lines, "--report", page]
    assert door(source, large, "-r", large, *words) == 0
    shown = capsys.readouterr().out
    assert (
        "find: too little footage to tell: F1 1.000, after bicubic 1.000" in shown
        and "Too little footage" in shown
    )
    found = json.loads(told.read_text())
    assert found["verdict"] in shown and found["frames"] == 6
    table = lines.read_text().splitlines()
    names = table[0].split(",")
    assert len(set(names)) == len(names)  # whoever reads columns by their names gets all of them
    rows = list(csv.DictReader(table))
    assert len(rows) == 6 * 5 and {row["label"] for row in rows} == {"square"}
    assert {row["correct"] for row in rows if row["arm"] == "reference"} == {"1"}
    near = [float(rows[-1][f"source_{side}"]) for side in ("left", "top", "right", "bottom")]
    assert near == [LEFT, TOP, LEFT + SIDE, TOP + SIDE]
    assert page.stat().st_size > 1000


def test_json_alone_goes_to_standard_output(source, large, plug, capsys):
    assert door(source, large, "--plug", f"{plug}:find", "--json", "-", "--quiet") == 0
    assert json.loads(capsys.readouterr().out)["reference"] is None


@pytest.mark.parametrize(("words", "code", "part"), [
    ("--plug mine.py", 2, "names no function"),
    ("--plug {plug}:nothing", 2, "has no function nothing"),
    ("--plug {plug}:fnd", 2, "has no function fnd"),
    ("--plug {plug}:word", 2, "has no function word"),
    ("--plug missing.py:find", 2, "there is no file missing.py"),
    ("--plug {plug}:breaks", 1, "breaks failed: ZeroDivisionError"),
    ("--plug {plug}:mumbles", 1, "mumbles gave [(1, 2, 3)]"),
    ("--plug {plug}:infinite --report out.html --json out.json", 1, "infinite gave inf"),
    ("--plug {plug}:vast", 1, "vast gave 1000"),
    ("--plug {plug}:endless", 1, "endless gave a value of type int that is too long to be shown"),
    ("--plug {plug}:afar", 1, "afar gave [(0, 0, 1000"),
    ("--plug {plug}:late", 1, "late failed: KeyError"),
    ("--plug {plug}:silent", 1, "silent gave None"),
    ("--plug {plug}:find --plug {plug}:find", 2, "two analysers are called find"),
    ("--plug {plug}:find --empty people", 2, "--empty people"),
    ("--normal {plug} --every 2", 2, "--normal knows how one frame follows another"),
    ("--analyser peopel", 2, "no 'peopel' among our analysers"),
    ("--plug {plug}:find --report {small}", 1, "is one of the files that are read"),
    ("--plug {plug}:find --json nowhere/out.json", 1, "cannot be written"),
])  # fmt: skip
def test_what_cannot_be_is_said_in_two_lines(source, large, plug, capsys, words, code, part):
    before = sorted(source.parent.iterdir())
    assert door(source, large, "-q", *words.format(plug=plug, small=source).split()) == code
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2 and part in lines[0] and lines[1].startswith("  ")
    assert [path for path in sorted(source.parent.iterdir()) if path.name != "__pycache__"] == before


def test_an_interruption_leaves_nothing_behind(tmp_path, source, large, plug, capsys):
    words = ["--report", tmp_path / "out.html", "--json", tmp_path / "out.json", "-q"]
    assert door(source, large, "--plug", f"{plug}:stops", *words) == 130
    assert not list(tmp_path.glob("*out.*"))


def test_a_file_that_fails_is_told_by_its_name(tmp_path):
    (tmp_path / "bad.py").write_text("import nothing_of_that_name")
    with pytest.raises(BadAnalyser, match=r"bad\.py failed: ModuleNotFoundError"):
        from_file(f"{tmp_path / 'bad.py'}:find")


def test_what_is_not_installed_is_left_out_or_named(source, large, monkeypatch):
    for package in ("cv2", "rapidocr"):
        monkeypatch.setitem(sys.modules, package, None)
    from vidgan.analysers import text

    text._engine.cache_clear()
    with pytest.raises(MissingExtra, match="opencv-python-headless is not installed"):
        vidgan.impact(source, large, analysers=["people"])
    found = vidgan.impact(source, large)
    assert [study.name for study in found.studies] == ["shots"]
    assert "pip install" in found.left_out["people"]


def test_videos_that_show_something_else_are_refused(tmp_path, source, large):
    wide = exact(tmp_path / "wide.mkv", [np.zeros((64, 256, 3), np.uint8)] * 6)
    short = exact(tmp_path / "short.mkv", [square(scale=4)] * 3)
    for words in ({"enhanced": wide}, {"reference": wide}):
        with pytest.raises(BadVideo, match="another shape"):
            vidgan.impact(
                source, words.get("enhanced", large), reference=words.get("reference"), analysers=[yellow]
            )
    with pytest.raises(BadVideo, match="another length"):
        vidgan.impact(source, short, analysers=[yellow])
    with pytest.raises(VidganError):
        vidgan.impact(tmp_path / "missing.mkv", large, analysers=[yellow])


def test_another_videos_sidecar_is_refused(tmp_path, models, source):
    output = tmp_path / "out.mkv"
    assert enhancing.door(models)(source, output, "--sidecar", "--codec", "ffv1") == 0
    other = exact(tmp_path / "other.mkv", [np.zeros((64, 64, 3), np.uint8)] * 6)
    with pytest.raises(BadVideo, match=r"was made from small\.mkv with 64x48"):
        vidgan.impact(other, output, analysers=[yellow])


def test_a_part_that_was_enhanced_is_held_against_that_part(tmp_path, models):
    """From the third frame on: the sidecar says so, and the reference is cut alike."""
    frames = [square(4 + 3 * index) for index in range(8)]
    source = exact(tmp_path / "small.mkv", frames)
    output = tmp_path / "out.mkv"
    assert enhancing.door(models)(source, output, "--sidecar", "--codec", "ffv1", "--start", "0.12") == 0
    found = vidgan.impact(source, output, reference=source, analysers=[yellow])
    assert len(found.seconds) == 5
    box = found.in_source(found.studies[0].findings["enhanced"][0][0])
    assert box[0] == pytest.approx(4 + 3 * 3, abs=1)


def test_nobody_looks_where_nobody_is_named(source, large):
    with pytest.raises(BadOption, match="nobody can look"):
        vidgan.impact(source, large, analysers=[])


def test_memory_holds_no_frames(source, large):
    """What is kept of a moment is what was found."""
    found = vidgan.impact(source, large, analysers=[yellow])
    (study,) = found.studies
    assert all(
        isinstance(side, float) for row in study.findings["bicubic"] for box in row for side in box.box
    )


NORMAL = Path(__file__).resolve().parent.parent / "benchmarks" / "models" / "anomaly_ped2.safetensors"


def test_the_anomaly_score_is_a_number_of_every_version(source, large):
    """The enhanced video is the reference itself, and what bicubic makes is read as the model alone reads it."""
    found = vidgan.impact(source, large, reference=large, analysers=[], normal=NORMAL)
    (study,) = found.studies
    assert study.name == "anomaly" and "predictor" in found.protocol["anomaly"]
    values = {arm: np.array(row) for arm, row in study.values.items()}
    assert np.isnan(values["source"]).tolist() == [True] * 4 + [False] * 2
    np.testing.assert_array_equal(values["enhanced"], values["reference"])
    model = anomaly.load(NORMAL, torch.device("cpu"))
    alone = [model.read(torch.from_numpy(square()).permute(2, 0, 1)).score for _ in range(6)]
    assert values["source"][4:] == pytest.approx(alone[4:], rel=1e-4)


def test_a_model_that_enhances_knows_nothing_of_what_is_normal(source, large, capsys):
    assert door(source, large, "--normal", "fast") == 1
    assert "enhances frames and predicts none" in capsys.readouterr().err


def test_a_plug_in_may_draw_on_its_picture_and_no_other_sees_it():
    def scribbles(pixels):
        pixels[:] = 0
        return []

    ((looker,), _) = choose(None, [("scribbles", scribbles)])
    pixels = np.full((8, 8, 3), 200, np.uint8)
    assert looker.load()(pixels) == []
    assert (pixels == 200).all()


def test_a_plug_in_that_ends_the_program_is_an_error_of_its_own(tmp_path):
    place = tmp_path / "script.py"
    place.write_text("import sys\n\ndef find(pixels):\n    return []\n\nsys.exit(0)\n")
    with pytest.raises(BadAnalyser, match="failed: SystemExit: 0"):
        from_file(f"{place}:find")


def test_an_analyser_that_gives_numbers_finds_nothing_anywhere(source, large, plug, capsys):
    plug.write_text(plug.read_text() + "\n\ndef mean(pixels):\n    return float(pixels.mean())\n")
    assert door(source, large, "-q", "--plug", f"{plug}:mean", "--empty", "mean") == 2
    assert "--empty mean: it gives numbers" in capsys.readouterr().err
    found = vidgan.impact(source, large, analysers=[lambda pixels: float(pixels.mean())])
    assert found.protocol["what is there"] == "nobody can tell without a reference"
