"""docs/recipes.md tells of every entry of a recipe, with its true default and range, and of none that is not there."""

import re
import tomllib
from dataclasses import fields
from itertools import product
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from vidgan import recipe, shelf
from vidgan.errors import BadRecipe

PAGE = Path(__file__).resolve().parent.parent / "docs" / "recipes.md"
SHELVES = {"generator": "generators", "discriminator": "discriminators"}
BOUNDS = ("ge", "gt", "le", "lt", "multiple_of")
REQUIRED, NONE = "required", "none"
LOSSES = ("faithful.losses", "realistic.losses")

Row = dict[str, str]  # a table's cells by the words at the top of their columns


def told(page: str) -> dict[str, Row]:
    """Each entry's row by its full name: faithful.steps; recurrent: generator.config.scale; name."""
    found: dict[str, Row] = {}
    heading, columns = "", []
    for line in page.splitlines():
        if line.startswith("#"):
            heading = line
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else []
        if cells and cells[0] == "entry":
            columns = cells
        elif not cells:
            columns = []
        elif columns and cells[0].startswith("`"):
            for name in named(heading, cells[0].strip("`")):
                assert name not in found, f"{name} stands there twice"
                found[name] = dict(zip(columns, cells, strict=True))
    return found


def named(heading: str, entry: str) -> list[str]:
    sections = re.findall(r"`\[(.+?)\]`", heading) or [""]
    network = re.search(r" of `(\w+)`", heading)
    before = f"{network[1]}: " if network else ""
    return [before + ".".join(filter(None, (section, entry))) for section in sections]


def entries(part: type[BaseModel] = recipe.Recipe, section: str = "") -> dict[str, FieldInfo]:
    """Every entry of the tree by its full name, without the sections themselves."""
    found: dict[str, FieldInfo] = {}
    for name, entry in part.model_fields.items():
        below = entry.annotation
        if isinstance(below, type) and issubclass(below, BaseModel):
            found |= entries(below, f"{section}{name}.")
        else:
            found[f"{section}{name}"] = entry
    return found


def configs() -> dict[str, Any]:
    """The default of every setting of every network, by its name as the page has it."""
    return {
        f"{network}: {section}.config.{setting.name}": setting.default
        for section, shelf_name in SHELVES.items()
        for network in shelf.names(f"vidgan.{shelf_name}")
        for setting in fields(shelf.take(f"vidgan.{shelf_name}", network).Config)
    }


def read(cell: str) -> object:
    """A default as the page has it."""
    return cell if cell in (REQUIRED, NONE) else tomllib.loads(f"it = {cell.strip('`')}")["it"]


def default(entry: FieldInfo) -> object:
    if entry.is_required():
        return REQUIRED
    value = entry.get_default(call_default_factory=True)
    return NONE if value is None else list(value) if isinstance(value, tuple) else value


def range_of(entry: FieldInfo) -> str:
    """What an entry may be, in the page's words; empty where its kind has none."""
    if get_origin(entry.annotation) is Literal:
        return ", ".join(get_args(entry.annotation))
    if entry.annotation is bool:
        return "true, false"
    rules = {name: getattr(rule, name) for rule in entry.metadata for name in BOUNDS if hasattr(rule, name)}
    match rules:
        case {"multiple_of": unit}:
            return f"a multiple of {unit}"
        case {"ge": low, "le": high}:
            return f"{low:g} to {high:g}"
        case {"ge": low, "lt": high}:
            return f"{low:g} or more, below {high:.10g}"
        case {"ge": low}:
            return f"{low:g} or more"
        case {"gt": low, "lt": high}:
            return f"between {low:g} and {high:g}"
        case {"gt": low, "le": high}:
            return f"above {low:g}, to {high:g}"
        case {"gt": low}:
            return "1 or more" if entry.annotation is int and low == 0 else f"above {low:g}"
    return ""


TEXT = PAGE.read_text(encoding="utf-8")
ROWS = told(TEXT)


def test_the_page_has_every_entry_and_no_other():
    assert set(ROWS) == {*entries(), *configs()}


@pytest.mark.parametrize("name", entries())
def test_an_entry_stands_there_with_its_default_and_its_range(name):
    entry, row = entries()[name], ROWS[name]
    assert read(row["default"]) == default(entry)
    if "may be" in row and (words := range_of(entry)):
        assert row["may be"] == words


@pytest.mark.parametrize("name", configs())
def test_a_setting_of_a_network_stands_there_with_its_default(name):
    assert read(ROWS[name]["default"]) == configs()[name]


def test_the_networks_are_named_where_one_is_chosen():
    for section, shelf_name in SHELVES.items():
        words = ROWS[f"{section}.name"]["what it does, and when to change it"]
        assert set(shelf.names(f"vidgan.{shelf_name}")) <= set(re.findall(r"`(\w+)`", words))


def test_the_weights_of_the_default_recipe_are_its_own():
    played = recipe.read("default")
    weights = [getattr(played, section.partition(".")[0]).losses.model_dump() for section in LOSSES]
    for section, loss in product(LOSSES, recipe.Losses.model_fields):
        cell = ROWS[f"{section}.{loss}"]["in `default`"]
        assert [float(word) for word in cell.split(", ")] == [stage[loss] for stage in weights]


@pytest.mark.parametrize(("name", "top"), [
    ("game.kind", "| `kind` | rules |"), ("game.penalty_kind", "| `penalty_kind` | how |"),
])  # fmt: skip
def test_each_kind_has_a_line(name, top):
    table = TEXT.partition(top)[2].partition("\n\n")[0]
    assert re.findall(r"^\| `(\w+)`", table, re.MULTILINE) == list(get_args(entries()[name].annotation))


def test_the_recipe_at_its_beginning_is_whole_and_nothing_in_it_may_be_left_out(tmp_path):
    text = TEXT.partition("```toml\n")[2].partition("```")[0]
    path = tmp_path / "my.toml"
    path.write_text(text, encoding="utf-8")
    assert recipe.read(path).name == "mine"
    keys = [line for line in text.splitlines() if "=" in line]
    assert len(keys) > 15
    for line in keys:
        path.write_text(text.replace(f"{line}\n", "", 1), encoding="utf-8")
        with pytest.raises(BadRecipe, match="missing"):
            recipe.read(path)


def test_the_line_that_changes_entries_changes_them(tmp_path):
    words = re.search(r"^vidgan train --videos .*?(--set .*)$", TEXT, re.MULTILINE)
    overrides = tuple(word.strip("'") for word in re.findall(r"--set ('.+?'|\S+)", words[1]))
    assert recipe.read("default", overrides).faithful.steps == 2000
