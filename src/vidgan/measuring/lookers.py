"""Who looks: the shelf's analysers, and the user's own functions, which are checked at every call.

A function of the user's takes (H, W, 3) uint8 RGB and gives rows of (left, top, right, bottom[, score[, label]]), or a
number. It is called for every version of the video in turn, so it must keep nothing from call to call.
"""

import importlib.util
import math
import numbers
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vidgan import anomaly, shelf
from vidgan.analysers import Finding, Look
from vidgan.errors import BadAnalyser, BadOption, MissingExtra
from vidgan.shots import CutDetector

SHELF = "vidgan.analysers"
Plug = Callable[[np.ndarray], Any]


@dataclass(frozen=True, kw_only=True)
class Looker:
    """load gives a fresh Look for one version of the video."""

    name: str
    title: str
    protocol: str
    load: Callable[[], Look]


def choose(
    names: Sequence[str] | None, plugs: Sequence[tuple[str, Plug]], *, model: Path | None = None
) -> tuple[list[Looker], dict[str, str]]:
    """Who looks, and who was left out for which reason.

    names  of the shelf; None for all that are installed here, unless there are plugs
    plugs  what the user gave, with a name for each
    model  one that has learnt normal footage
    Raises BadOption for a name that is none, MissingExtra for one that was asked for and is not installed.
    """
    asked = list(names) if names is not None else [] if plugs else shelf.names(SHELF)
    lookers, left_out = [], {}
    for name in dict.fromkeys(asked):
        part = shelf.take(SHELF, name)
        try:
            part.load()
        except MissingExtra as missing:
            if names is not None:
                raise
            left_out[name] = f"{missing.found}. {missing.remedy}"
            continue
        lookers.append(Looker(name=name, title=part.TITLE, protocol=part.PROTOCOL, load=part.load))
    if model is not None:
        lookers.append(normal(model))
    for name, function in plugs:
        if any(name == other.name for other in lookers):
            raise BadOption(f"two analysers are called {name}", "Give the function another name.")
        lookers.append(_plugged(name, function))
    if not lookers:
        first = next(iter(left_out.items()), ("nothing", "no analyser was named"))
        raise BadOption(f"nobody can look: {first[0]}: {first[1]}", "Install it, or plug in a function.")
    return lookers, left_out


def normal(model: Path) -> Looker:
    """How unusual each frame is to a model that has learnt normal footage. Raises BadWeights where it is none."""
    place = torch.device("cpu")
    usual = anomaly.load(model, place)

    def load() -> Look:
        watching, cuts = anomaly.load(model, place), CutDetector()

        def look(pixels: np.ndarray) -> float:
            if cuts.begins_shot(pixels):
                watching.forget()
            score = watching.read(torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)).score
            return math.nan if score is None else score

        return look

    height, width = usual.usual.size
    protocol = (
        f"the score of {model.name}, a predictor that has learnt normal footage, at its own {width}x{height}; "
        f"anomalies are above {usual.threshold:.4g}"
    )
    return Looker(name="anomaly", title="anomaly", protocol=protocol, load=load)


def from_file(word: str) -> tuple[str, Plug]:
    """FILE.py:function -> its name and the function. The file is run, as the user asked; nothing else is.

    Raises BadOption where the word names none, BadAnalyser where the file fails.
    """
    place, colon, name = word.rpartition(":")
    path = Path(place)
    if not colon or not name.isidentifier() or path.suffix != ".py":
        raise BadOption(f"{word} names no function in a file", "Write FILE.py:function.")
    if not path.is_file():
        raise BadOption(f"there is no file {path}", "Write FILE.py:function.")
    spec = importlib.util.spec_from_file_location(f"plug_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # a script that ends itself must not end us
        raise _failed(str(path), error) from error
    function = getattr(module, name, None)
    if not callable(function):
        known = [word for word in vars(module) if callable(vars(module)[word]) and not word.startswith("_")]
        raise BadOption(f"{path} has no function {name}", shelf.suggest(name, known))
    return name, function


def _plugged(name: str, function: Plug) -> Looker:
    def look(pixels: np.ndarray) -> Sequence[Finding] | float:
        try:
            given = function(pixels.copy())  # detectors like to draw on what they look at
            if isinstance(given, Iterator):
                given = list(given)  # a generator fails where it is read
        except (Exception, SystemExit) as error:
            raise _failed(name, error) from error
        if isinstance(given, numbers.Real):
            with suppress(OverflowError):  # of a whole number that no float holds
                if not math.isinf(number := float(given)):
                    return number
            raise BadAnalyser(f"{name} gave {_short(given)}", "Give a finite number, or NaN for none.")
        try:
            return [_finding(row) for row in given]
        except (TypeError, ValueError, OverflowError) as error:
            raise BadAnalyser(
                f"{name} gave {_short(given)}: {error}",
                "Give rows of (left, top, right, bottom[, score[, label]]) in pixels, or a number.",
            ) from error

    return Looker(name=name, title=name, protocol="a function of the user's", load=lambda: look)


def _finding(row: Finding | Iterable[Any]) -> Finding:
    """Raises TypeError or ValueError for what is none."""
    if isinstance(row, Finding):
        row = (*row.box, row.score, row.label)
    values = list(row)
    if not 4 <= len(values) <= 6:
        raise ValueError(f"a row of {len(values)} values is no box")
    left, top, right, bottom, score = (float(value) for value in [*values[:5], 1.0][:5])
    if not all(map(math.isfinite, (left, top, right, bottom, score))) or right < left or bottom < top:
        raise ValueError(f"{_short(row)} is no box")
    return Finding((left, top, right, bottom), score, str(values[5]) if len(values) == 6 else "")


def _failed(name: str, error: BaseException) -> BadAnalyser:
    return BadAnalyser(f"{name} failed: {type(error).__name__}: {error}", "Mend it; --debug shows where.")


def _short(given: object) -> str:
    try:
        words = repr(given)
    except ValueError:  # Python writes out no number of thousands of digits
        words = f"a value of type {type(given).__name__} that is too long to be shown"
    return words if len(words) <= 60 else f"{words[:57]}..."
