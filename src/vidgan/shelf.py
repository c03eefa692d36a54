"""A folder whose file names are the choices.

`generators/recurrent.py` is `recurrent` in a recipe, in a checkpoint and on the command line: adding a
network adds one file, and nothing is imported until it is asked for.
"""

from difflib import get_close_matches
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from vidgan.errors import BadOption


def names(package: str) -> list[str]:
    """The parts on a shelf, in alphabetical order, none of them imported.

    package  a package of ours by its dotted name, for example "vidgan.generators"
    Files that begin with an underscore are no parts.
    """
    spec = find_spec(package)
    assert spec is not None and spec.submodule_search_locations is not None, f"{package} is no package"
    folders = [Path(folder) for folder in spec.submodule_search_locations]
    return sorted(file.stem for folder in folders for file in folder.glob("[!_]*.py"))


def take(package: str, name: str) -> ModuleType:
    """Import one part, and that file alone.

    Raises BadOption if no part of that name is on the shelf. The name may come from a recipe or a file,
    so it is looked up among the names before anything is imported.
    """
    choices = names(package)
    if name not in choices:
        raise BadOption(f"there is no {name!r} among our {_words(package)}", suggest(name, choices))
    return import_module(f"{package}.{name}")


def suggest(word: str, choices: list[str]) -> str:
    """What to try instead of `word`: the nearest choice where one is near, else all of them."""
    near = get_close_matches(word.lower(), choices, n=1)
    if near:
        return f"Did you mean {near[0]!r}?"
    return f"Choose one of: {', '.join(choices)}." if choices else "There are none."


def _words(package: str) -> str:
    return package.rpartition(".")[2].replace("_", " ")
