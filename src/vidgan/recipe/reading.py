"""TOML -> a recipe, or an error that names every wrong entry.

A key that is not there is an error, and so is a value of the wrong kind: a typo never trains for a night.
"""

import json
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from textwrap import shorten
from typing import Any

from pydantic import BaseModel, ValidationError

from vidgan.errors import BadRecipe
from vidgan.recipe.tree import Recipe

MOST_BYTES = 1 << 20  # of a recipe; ours have a thousand
_LONGEST = 80  # letters of a wrong value, and of what stands around it


def names() -> list[str]:
    """The recipes that come with vidgan."""
    return sorted(file.stem for file in Path(__file__).parent.glob("*.toml"))


def find(recipe: str | Path) -> Path:
    """The file of a recipe that comes with vidgan, or the path itself where it is one."""
    if (path := Path(recipe)).suffix or path.is_file() or str(recipe) not in names():
        return path
    return Path(__file__).parent / f"{recipe}.toml"


def read(recipe: str | Path, overrides: tuple[str, ...] = ()) -> Recipe:
    """Read a recipe; overrides are "section.key=value" in TOML's notation. Raises BadRecipe.

    recipe  the path of a .toml file, or the name of one that comes with vidgan
    The recipe's folders are seen from the recipe, those of an override from where the command runs.
    """
    path = find(recipe)
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            raise BadRecipe(f"{path} is larger than a recipe can be", "Give the path of a .toml file.")
        tree = tomllib.loads(data.decode("utf-8"))
    except FileNotFoundError:
        raise BadRecipe(
            f"there is no recipe {path}", f"Give the path of a .toml file, or a name: {', '.join(names())}."
        ) from None
    except RecursionError:
        raise _too_deep(str(path)) from None
    except tomllib.TOMLDecodeError as error:
        raise BadRecipe(f"{path} cannot be read as TOML: {error}", "Mend that line.") from None
    except IsADirectoryError:
        raise BadRecipe(
            f"{path} is a folder, and no recipe",
            "Give the path of a .toml file; a folder of videos comes after --videos.",
        ) from None
    except (OSError, ValueError) as error:  # of bytes, and of a number with thousands of digits
        raise BadRecipe(
            f"{path} cannot be read as TOML: {error}",
            "Give the path of a .toml file, in UTF-8; a video comes after --videos.",
        ) from None
    folder = path.resolve().parent
    if isinstance(section := tree.get("data"), dict):
        for split in ("train", "val", "replay"):
            if isinstance(places := section.get(split), list):
                section[split] = [
                    str(folder / place) if isinstance(place, str) else place for place in places
                ]
    for key in ("start", "opponent", "teacher"):
        named = tree.get(key)
        if isinstance(named, str) and ("/" in named or named.endswith((".safetensors", ".pth", ".pt"))):
            tree[key] = str(folder / named)  # else it is a name
    for override in overrides:
        _override(tree, override)
    origin = str(recipe) if str(recipe) in names() else str(path)
    return parse(tree, " ".join([origin, *(f"--set {override}" for override in overrides)]))


def parse(tree: dict[str, Any], origin: str) -> Recipe:
    """Check a tree, as read from TOML. Raises BadRecipe naming every wrong entry."""
    try:
        # As JSON, where pydantic's strictness still takes a list for a tuple and words for a path.
        return Recipe.model_validate_json(json.dumps(tree, default=str), strict=True)
    except RecursionError:
        raise _too_deep(origin) from None
    except ValidationError as error:
        wrong = "; ".join(_said(dict(fault)) for fault in error.errors())
        raise BadRecipe(
            f"{origin}: {wrong}",
            "docs/recipes.md has every entry, with its default and what it may be.",
        ) from None


def _said(fault: Mapping[str, Any]) -> str:
    """One wrong entry in words: where it is, what is wrong, and what was perhaps meant."""
    if not fault["loc"]:  # of the recipe as a whole
        return str(fault["msg"]).removeprefix("Value error, ")
    *section, last = map(str, fault["loc"])
    path = ".".join([*section, last])
    match fault["type"]:
        case "extra_forbidden":
            near = get_close_matches(last, _entries(section), n=1)
            meant = f", did you mean '{near[0]}'?" if near else f"; there are: {', '.join(_entries(section))}"
            return f"there is no '{path}'{meant}"
        case "missing":
            return f"'{path}' is missing"
    message = fault["msg"].lower().removeprefix("value error, ")
    return f"{path}: {message}, and it is {shorten(repr(fault['input']), _LONGEST)}"


def _too_deep(origin: str) -> BadRecipe:
    return BadRecipe(f"{origin} is nested too deeply to be a recipe", "Give the path of a .toml file.")


def _entries(section: list[str]) -> list[str]:
    """What can stand in a section of a recipe."""
    part: type[BaseModel] = Recipe
    for name in section:
        below = part.model_fields[name].annotation if name in part.model_fields else None
        if not (isinstance(below, type) and issubclass(below, BaseModel)):
            break
        part = below
    return list(part.model_fields)


def _override(tree: dict[str, Any], override: str) -> None:
    key, equals, value = override.partition("=")
    if not equals:
        raise BadRecipe(f"--set {override} has no '='", "Write --set section.key=value.")
    try:
        parsed = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        parsed = value
    except RecursionError:
        raise _too_deep(f"--set {key}") from None
    *sections, last = key.strip().split(".")
    for section in sections:
        tree = tree.setdefault(section, {})
        if not isinstance(tree, dict):
            raise BadRecipe(f"--set {override}: {section} is not a section", "Name the section and the key.")
    tree[last] = parsed
