"""OUTPUT.json: one versioned model, written whole."""

import json
from dataclasses import fields
from pathlib import Path

import pytest
from pydantic import ValidationError

from vidgan import sidecar
from vidgan.enhancing.telling import Result
from vidgan.errors import BadOutput
from vidgan.geometry import Map

PAGE = Path(__file__).parents[1] / "docs" / "video.md"


@pytest.fixture
def plan() -> Map:
    return Map.similarity((64, 48), (192, 256), rotate=90.0, scale=4.0)


@pytest.fixture
def made(plan) -> sidecar.Sidecar:
    return sidecar.Sidecar(
        vidgan="0.1.0",
        input=sidecar.File(name="in.mp4", sha256="0" * 64),
        model=sidecar.File(name="fast.safetensors", sha256="1" * 64),
        geometry=sidecar.describe(plan),
        settings=sidecar.Settings(
            scale=4, device="cpu", precision="bfloat16", tile=None, start=0.0, duration=None
        ),
        num_frames=2,
        frames=sidecar.PerFrame(seconds=[0.0, 0.04], began_shot=[True, False]),
    )


@pytest.mark.parametrize("kind", [
    sidecar.Sidecar, sidecar.Geometry, sidecar.File, sidecar.Settings, sidecar.PerFrame, sidecar.Cost,
    sidecar.Timings, sidecar.Segment,
], ids=lambda kind: kind.__name__)  # fmt: skip
def test_every_field_stands_on_the_page(kind):
    page = PAGE.read_text(encoding="utf-8").split("`OUTPUT.json` beside")[1]
    names = {field.alias or name for name, field in kind.model_fields.items()}
    assert not {name for name in names if f"`{name}`" not in page}


def test_so_does_every_field_of_a_result():
    page = PAGE.read_text(encoding="utf-8").split("## JSON")[1].split("`OUTPUT.json` beside")[0]
    named = [
        name
        for line in page.splitlines()
        if line.startswith("| `")
        for name in line.split("|")[1].split(", ")
    ]
    assert sorted(name.strip(" `") for name in named) == sorted(field.name for field in fields(Result))


def test_a_file_that_cannot_be_read_does_not_say_who_made_it(tmp_path):
    for name, data in (
        ("text.mp4", sidecar.MARK.encode()),
        ("empty.mp4", b""),
        ("cut.mp4", b"\0\0\1\0ftypisom"),
    ):
        (tmp_path / name).write_bytes(data)
    for name in ("text.mp4", "empty.mp4", "cut.mp4", "missing.mp4", "."):
        assert not sidecar.is_marked(tmp_path / name)


def test_it_stands_beside_the_output_and_says_its_version(made, tmp_path):
    path = sidecar.write(made, tmp_path / "out.mp4")
    assert path == tmp_path / "out.mp4.json"
    told = json.loads(path.read_text(encoding="utf-8"))
    assert told["schema"] == 1 and "version" not in told
    assert told["frames"] == {
        "seconds": [0.0, 0.04], "began_shot": [True, False], "repeats": [], "consistency": [], "trust": []
    }  # fmt: skip


def test_it_comes_back_as_it_was_written(made, tmp_path):
    text = sidecar.write(made, tmp_path / "out.mp4").read_text(encoding="utf-8")
    assert sidecar.Sidecar.model_validate_json(text) == made


def test_its_matrices_take_a_corner_there_and_back(made):
    """A quarter turn clockwise: the source's top left corner becomes the canvas's top right one."""

    def moved(matrix, x, y):
        return tuple(a * x + b * y + c for a, b, c in matrix)

    geometry = made.geometry
    assert moved(geometry.matrix, 0, 0) == pytest.approx((192, 0))
    assert moved(geometry.matrix, 64, 48) == pytest.approx((0, 256))
    assert moved(geometry.inverse, 192, 0) == pytest.approx((0, 0), abs=1e-9)
    assert (geometry.width, geometry.height, geometry.source_width) == (192, 256, 64)


@pytest.mark.parametrize("change", [{"schema": 2}, {"colour": "green"}, {"num_frames": "many"}])
def test_another_version_or_field_is_refused(made, change):
    told = json.loads(made.model_dump_json(by_alias=True)) | change
    with pytest.raises(ValidationError):
        sidecar.Sidecar.model_validate(told)


@pytest.mark.parametrize("change", [
    {"input": {"name": 5, "sha256": ""}},
    {"settings": {"scale": 0, "device": "cpu", "precision": "fp32", "tile": None, "start": 0, "duration": None}},
])  # fmt: skip
def test_nonsense_is_refused(made, change):
    told = json.loads(made.model_dump_json(by_alias=True)) | change
    with pytest.raises(ValidationError):
        sidecar.Sidecar.model_validate(told)


@pytest.mark.parametrize(
    "matrix",
    [
        [[0, 0, 0], [0, 0, 0]],
        [[1, 2, 0], [2, 4, 0]],
        [[1e999, 0, 0], [0, 1, 0]],
        [[1, 0, 0], [0, 1e300, 0]],
    ],
)
def test_a_map_without_a_way_back_is_refused(made, matrix):
    told = json.loads(made.model_dump_json(by_alias=True))
    told["geometry"]["matrix"] = matrix
    with pytest.raises(ValidationError):
        sidecar.Sidecar.model_validate(told)


def test_a_write_that_fails_leaves_the_old_one_and_nothing_else(made, tmp_path, monkeypatch):
    path = sidecar.write(made, tmp_path / "out.mp4")
    before = path.read_bytes()

    def fails(partial, final):
        raise OSError("no space left on device")

    monkeypatch.setattr("os.replace", fails)
    with pytest.raises(BadOutput, match="no space"):
        sidecar.write(made.model_copy(update={"num_frames": 9}), tmp_path / "out.mp4")
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
