"""Everything a training run needs, as a typed tree behind a TOML file."""

from vidgan.recipe.data import Damage, Data
from vidgan.recipe.part import Part, Range
from vidgan.recipe.reading import parse, read
from vidgan.recipe.stages import Game, Losses, Stage, Stopping
from vidgan.recipe.tree import Network, Recipe

__all__ = [
    "Damage",
    "Data",
    "Game",
    "Losses",
    "Network",
    "Part",
    "Range",
    "Recipe",
    "Stage",
    "Stopping",
    "parse",
    "read",
]
