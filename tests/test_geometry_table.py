"""All combinations: the docs' table is what the code does, and every drawn point lands where it is mapped."""

import itertools
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from vidgan.geometry import Canvas, Crop, Flip, Map, Orientation, ShortSide, Stored, Wish, plan, render

# -- the table of the docs -----------------------------------------------------------------------------

EXAMPLE = {"width": 320, "height": 180, "multiple": (2, 2)}
CROP = Crop(160, 120, 10, 40)
LYING = {"1-4": range(1, 5), "5-8": range(5, 9)}
ASPECTS = {"1:1": Fraction(1), "4:3": Fraction(4, 3)}
CROPS = {"none": None, str(CROP): CROP}
TURNS = {
    "0, 180": [(angle, canvas) for angle in (0, 180) for canvas in Canvas],
    "90, 270": [(angle, canvas) for angle in (90, 270) for canvas in Canvas],
    **{f"30 {canvas}": [(30, canvas), (-30, canvas), (150, canvas)] for canvas in Canvas},
}
SIZES = {
    "--scale 0.5": {"scale": 0.5},
    "--scale 2": {"scale": 2},
    "--scale 4": {"scale": 4},
    "--size 1280x720": {"size": (1280, 720)},
    "--size 1080p": {"size": ShortSide(1080)},
}
COLUMNS = ("orientation", "sample aspect", "--crop", "--rotate, --canvas", *SIZES)


def planned(wish: Wish, *, multiple: tuple[int, int] = (1, 1), default_scale: float = 4.0, **shape) -> Map:
    return plan(wish, Stored(**shape), multiple=multiple, default_scale=default_scale)


def cell(made: Map, orientation: int) -> str:
    """The size as shown, and how the picture comes about: **permuted**, resized or *warped*."""
    mark = "**" if made.is_permutation(4) else "" if render.straight(made, 4) else "*"
    shown = (made.width, made.height) if made.orientation <= 4 else (made.height, made.width)
    return f"{mark}{shown[0]}x{shown[1]}{mark}"


def the_cell(lying: str, aspect: str, crop: str, turn: str, size: str) -> str:
    """One cell, which all orientations of its row, all flips, and upright and kept pixels must agree on."""
    cells = set()
    flips = (None, Flip.H, Flip.V, Flip.H | Flip.V)
    for orientation, (angle, canvas), flip, kept in itertools.product(
        LYING[lying], TURNS[turn], flips, Orientation
    ):
        wish = Wish(orientation=kept, crop=CROPS[crop], flip=flip, rotate=angle, canvas=canvas, **SIZES[size])
        made = planned(wish, **EXAMPLE, orientation=orientation, sample_aspect=ASPECTS[aspect])
        cells.add(cell(made, orientation))
    assert len(cells) == 1, cells
    return cells.pop()


def the_table() -> list[str]:
    lines = [f"| {' | '.join(COLUMNS)} |", "|" + "---|" * len(COLUMNS)]
    for row in itertools.product(LYING, ASPECTS, CROPS, TURNS):
        lines.append(f"| {' | '.join([*row, *(the_cell(*row, size) for size in SIZES)])} |")
    return lines


def test_the_table_in_the_docs_is_what_the_code_does():
    docs = (Path(__file__).parent.parent / "docs" / "geometry.md").read_text(encoding="utf-8")
    written = [line for line in docs.splitlines() if line.startswith("|")]
    table = the_table()
    start = written.index(table[0])
    assert written[start : start + len(table)] == table


# -- a point drawn here lands there --------------------------------------------------------------------

CHOICES = {
    "orientation": list(range(1, 9)),
    "sample_aspect": [Fraction(1), Fraction(4, 3)],
    "crop": [None, (0.9, 0.8)],
    "flip": [None, Flip.H, Flip.V, Flip.H | Flip.V],
    "rotate": [0, 90, 30],
    "size": [{"scale": 0.5}, {"scale": 2}, {"scale": 4}, {"size": (140, 122)}, {"size": ShortSide(90)}],
    "canvas": list(Canvas),
    "kept": list(Orientation),
}


def covering_every_pair() -> list[dict]:
    """Few combinations in which every two values of two choices meet: greedy, without chance."""
    names = list(CHOICES)
    counts = [range(len(CHOICES[name])) for name in names]
    columns = list(itertools.combinations(range(len(names)), 2))
    missing = {(a, b, i, j) for a, b in columns for i in counts[a] for j in counts[b]}
    rows = []
    while missing:
        row = dict.fromkeys(range(len(names)), -1)
        first = min(missing)
        row[first[0]], row[first[1]] = first[2], first[3]
        for c in (c for c in row if row[c] < 0):
            gains = [
                sum((min(c, o), max(c, o), *((i, row[o]) if c < o else (row[o], i))) in missing for o in row)
                for i in counts[c]
            ]
            row[c] = gains.index(max(gains))
        missing -= {(a, b, row[a], row[b]) for a, b in columns}
        rows.append({name: CHOICES[name][row[c]] for c, name in enumerate(names)})
    return rows


def made_from(row: dict) -> Map:
    width, height = 48, 40
    across, down = round(width * row["sample_aspect"]), height
    across, down = (down, across) if row["orientation"] >= 5 else (across, down)
    crop = None
    if row["crop"]:
        crop = Crop(round(across * row["crop"][0]), round(down * row["crop"][1]), 2, 5)
    wish = Wish(
        orientation=row["kept"],
        crop=crop,
        flip=row["flip"],
        rotate=row["rotate"],
        canvas=row["canvas"],
        **row["size"],
    )
    shape = {"orientation": row["orientation"], "sample_aspect": row["sample_aspect"]}
    return planned(wish, width=width, height=height, multiple=(2, 2), **shape)


def name_of(row: dict) -> str:
    return "-".join(str(value).replace(" ", "") for value in row.values())


@pytest.mark.parametrize("row", covering_every_pair(), ids=name_of)
def test_a_drawn_point_lands_where_the_map_says(row):
    made, factor, width = made_from(row), 4, 1.6
    left, top, right, bottom = made.content
    point = np.array([[(left + right) / 2 + 1.3, (top + bottom) / 2 - 0.7]])
    y, x = (np.mgrid[: 40 * factor, : 48 * factor] + 0.5) / factor
    blob = np.exp(-((x - point[0, 0]) ** 2 + (y - point[0, 1]) ** 2) / (2 * width**2))
    out = made.render(torch.from_numpy(blob)[None], factor=factor)[0].numpy()
    assert out.shape == (made.height, made.width)
    y, x = np.mgrid[: made.height, : made.width] + 0.5
    centre = np.array([(x * out).sum(), (y * out).sum()]) / out.sum()
    assert np.abs(centre - made.points(point)[0]).max() < 0.05


def test_the_drawn_points_cover_every_pair_of_choices():
    rows = covering_every_pair()
    assert len(rows) < 80
    for one, other in itertools.combinations(CHOICES, 2):
        for pair in itertools.product(CHOICES[one], CHOICES[other]):
            assert any((row[one], row[other]) == pair for row in rows)
