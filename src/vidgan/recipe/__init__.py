"""Everything a training run needs, as a typed tree behind a TOML file."""

from vidgan.recipe.data import Augment, Damage, Data
from vidgan.recipe.part import Part
from vidgan.recipe.reading import names, parse, read
from vidgan.recipe.stages import Game, Losses, Stage, Stopping, Supervisor
from vidgan.recipe.tree import Network, Recipe
from vidgan.recipe.writing import anchored, to_toml

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
    "Supervisor",
    "anchored",
    "names",
    "parse",
    "read",
    "to_toml",
]
