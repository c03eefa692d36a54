"""Everything a training run needs, as a typed tree behind a TOML file."""

from vidgan.recipe.data import Augment, Damage, Data
from vidgan.recipe.part import Part
from vidgan.recipe.reading import parse, read
from vidgan.recipe.stages import Game, Losses, Stage, Stopping
from vidgan.recipe.tree import Network, Recipe

__all__ = [
    "Augment",
    "Damage",
    "Data",
    "Game",
    "Losses",
    "Network",
    "Part",
    "Recipe",
    "Stage",
    "Stopping",
    "parse",
    "read",
]
