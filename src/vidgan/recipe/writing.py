"""A recipe -> TOML that reads back as the same recipe."""

import json
from typing import Any

from vidgan.recipe.tree import Recipe


def to_toml(recipe: Recipe) -> str:
    """Every entry, those that were left to their default, too: the file says all that was played."""
    return "\n".join(_table(recipe.model_dump(mode="json", exclude_none=True), [])).lstrip("\n") + "\n"


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
