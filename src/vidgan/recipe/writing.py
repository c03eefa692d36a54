"""A recipe -> TOML that reads back as the same recipe."""

import json
from pathlib import Path
from typing import Any

from vidgan import runs
from vidgan.recipe.tree import Recipe


def to_toml(recipe: Recipe) -> str:
    """Every entry, those that were left to their default, too: the file says all that was played."""
    return "\n".join(_table(recipe.model_dump(mode="json", exclude_none=True), [])).lstrip("\n") + "\n"


def anchored(recipe: Recipe, folder: Path) -> Recipe:
    """The recipe to be saved in the folder: paths inside the folder become relative to it, all others absolute.

    Paths of an override or an option were relative to where the command ran, which is not known later.
    """
    folder = folder.absolute()

    def seen(place: Path) -> Path:
        place = place.absolute()
        return place.relative_to(folder) if place.is_relative_to(folder) else place

    data = recipe.data
    places = {split: [seen(place) for place in getattr(data, split)] for split in ("train", "val", "replay")}
    named = {"start": recipe.start, "opponent": recipe.opponent, "teacher": recipe.teacher}
    for key, name in named.items():
        if name and _is_place(Path(name), run=key == "opponent"):
            named[key] = str(Path(name).absolute())
    return recipe.model_copy(update={"data": data.model_copy(update=places), **named})


def _is_place(path: Path, *, run: bool) -> bool:
    """Whether it is no model's name. A folder that is called like a model is one only where a run is meant."""
    named = bool(path.suffix) or len(path.parts) > 1 or path.is_file()
    return named or (run and (path / runs.CHECKPOINTS).is_dir())


def _table(tree: dict[str, Any], path: list[str]) -> list[str]:
    lines = ["", f"[{'.'.join(path)}]"] if path else []
    lines += [f"{key} = {_value(value)}" for key, value in tree.items() if not isinstance(value, dict)]
    if len(path) == 1:  # what lies deeper fits on a line
        return lines + [f"{key} = {_value(value)}" for key, value in tree.items() if isinstance(value, dict)]
    for key, value in tree.items():
        if isinstance(value, dict):
            lines += _table(value, [*path, key])
    return lines


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_value(inner)}" for key, inner in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    # JSON's strings and booleans are TOML's; its numbers too, but for an exponent without a point, which is fine.
    return json.dumps(value, ensure_ascii=False)
