"""What a call from Python gives, held against the function's signature; on the command line typer does this.

Annotations are read as words, so that nothing heavy is imported for their sake.
"""

import inspect
import os
import re
from collections.abc import Callable, Mapping
from numbers import Integral, Real
from typing import Any

from vidgan.errors import BadOption
from vidgan.words import one

# An annotation's word -> whether a value is of that kind, and how people call it.
KINDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "str": (lambda value: isinstance(value, str), "a string"),
    "Path": (lambda value: isinstance(value, os.PathLike), "a path"),
    "nn.Module": (lambda value: hasattr(value, "state_dict"), "a network"),
    "float": (lambda value: isinstance(value, Real), "a number"),
    "int": (lambda value: isinstance(value, Integral), "a whole number"),
    # NumPy has booleans of its own.
    "bool": (
        lambda value: isinstance(value, Integral) or type(value).__name__ in ("bool", "bool_"),
        "a bool",
    ),
    "list": (lambda value: isinstance(value, list | tuple | set), "a list"),
    "None": (lambda value: value is None, "None"),
}


def check(function: Callable[..., Any], given: Mapping[str, Any]) -> None:
    """Raise BadOption for an argument of another kind than its annotation names, where all its words are in KINDS.

    given  the arguments by name: locals() at the function's beginning
    """
    several = inspect.getfullargspec(function).varargs
    for name, annotation in function.__annotations__.items():
        if name == "return":
            continue
        words = [word.strip() for word in _without_brackets(annotation).split("|")]
        if not KINDS.keys() >= set(words):
            continue
        kinds = [KINDS[word] for word in words]
        for value in given[name] if name == several else [given[name]]:
            if not any(is_kind(value) for is_kind, _ in kinds):
                found = "None" if value is None else one(type(value).__name__)
                takes = " or ".join(told for _, told in kinds)
                raise BadOption(
                    f"{name} is {found}", f"Give {takes}; help(vidgan.{function.__name__}) says more."
                )


def _without_brackets(annotation: str) -> str:
    """list[str | Path] | None -> list | None"""
    while (shorter := re.sub(r"\[[^][]*\]", "", annotation)) != annotation:
        annotation = shorter
    return annotation
