"""One exact map from stored source pixels to the output canvas: size, crop, turn, flip, and its inverse.

wish.py    what the user asks for, and the words that say it
plan.py    wish + file -> Map
map.py     the map: points, boxes, the window to compute, pictures
render.py  pictures through the map: permuted, resized or warped, once
"""

from vidgan.geometry.map import Map
from vidgan.geometry.plan import Shape, Stored, plan
from vidgan.geometry.wish import (
    Canvas,
    Crop,
    Flip,
    Orientation,
    ShortSide,
    Wish,
    parse_choice,
    parse_crop,
    parse_flip,
    parse_size,
)

__all__ = [
    "Canvas",
    "Crop",
    "Flip",
    "Map",
    "Orientation",
    "Shape",
    "ShortSide",
    "Stored",
    "Wish",
    "parse_choice",
    "parse_crop",
    "parse_flip",
    "parse_size",
    "plan",
]
