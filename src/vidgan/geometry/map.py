"""The map itself: where every point, box and picture of the source goes, and back.

Continuous coordinates: pixel i covers [i, i + 1), so a picture of width w spans [0, w]. The source is the
picture as stored; a network that enlarges it by `factor` draws the same span with factor times the pixels.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from torch import Tensor

from vidgan.geometry import render
from vidgan.geometry.affine import Affine, Matrix, after, floats, inverse, moved


@dataclass(frozen=True, kw_only=True)
class Map:
    """An affine map from stored source pixels to the canvas, in plain numbers: it hashes and it prints.

    source_width, source_height  the picture as stored
    width, height                the canvas: the output as stored
    matrix                       rows (a, b, c), (d, e, f): x' = a x + b y + c, y' = d x + e y + f
    content                      the part of the source that is shown: left, top, right, bottom
    padding                      columns on the right, rows at the bottom, that repeat the last one so that
                                 the sides divide as the codec wants
    orientation                  what the output's player must still do: EXIF's code, 1 for nothing
    """

    source_width: int
    source_height: int
    width: int
    height: int
    matrix: Matrix
    content: tuple[float, float, float, float]
    padding: tuple[int, int] = (0, 0)
    orientation: int = 1

    @classmethod
    def similarity(
        cls,
        source: tuple[int, int],
        canvas: tuple[int, int],
        *,
        rotate: float = 0.0,
        scale: float = 1.0,
        mirror: bool = False,
        centre: tuple[float, float] | None = None,
    ) -> "Map":
        """A bare turn and scale, for training on random maps.

        source, canvas  (width, height)
        rotate          degrees clockwise, after the mirroring of left and right
        scale           canvas pixels per source pixel
        centre          the source point that lands in the canvas's centre; None: the source's centre
        """
        x, y = (source[0] / 2, source[1] / 2) if centre is None else centre
        quarters = {0.0: (1.0, 0.0), 90.0: (0.0, 1.0), 180.0: (-1.0, 0.0), 270.0: (0.0, -1.0)}
        angle = rotate % 360
        cosine, sine = quarters.get(angle, (math.cos(math.radians(angle)), math.sin(math.radians(angle))))
        cosine, sine, side = cosine * scale, sine * scale, -1 if mirror else 1
        turn: Affine = ((cosine * side, -sine, canvas[0] / 2), (sine * side, cosine, canvas[1] / 2))
        return cls(
            source_width=source[0],
            source_height=source[1],
            width=canvas[0],
            height=canvas[1],
            matrix=floats(after(turn, moved(-x, -y))),
            content=(0.0, 0.0, float(source[0]), float(source[1])),
        )

    def points(self, xy: ArrayLike) -> np.ndarray:
        """(N, 2) points x, y of the source -> (N, 2) on the canvas, float64, clipped to nothing."""
        matrix = np.asarray(self.matrix)
        return np.asarray(xy, np.float64) @ matrix[:, :2].T + matrix[:, 2]

    def boxes(self, xyxy: ArrayLike) -> np.ndarray:
        """(N, 4) boxes left, top, right, bottom -> (N, 4) upright boxes around where they land, unclipped."""
        left, top, right, bottom = np.asarray(xyxy, np.float64).T
        xs = np.stack([left, right, right, left], axis=1)
        ys = np.stack([top, top, bottom, bottom], axis=1)
        landed = self.points(np.stack([xs, ys], axis=2).reshape(-1, 2)).reshape(-1, 4, 2)
        return np.concatenate([landed.min(axis=1), landed.max(axis=1)], axis=1)

    def inverse(self) -> "Map":
        """The map from the canvas back to the source; rendering it shows all that the canvas still has."""
        return Map(
            source_width=self.width,
            source_height=self.height,
            width=self.source_width,
            height=self.source_height,
            matrix=floats(inverse(self.matrix)),
            content=(0.0, 0.0, float(self.width - self.padding[0]), float(self.height - self.padding[1])),
        )

    def window(self, margin: int = 0) -> tuple[int, int, int, int]:
        """The part of the stored source that the canvas needs: x, y, width, height, clipped to the source.

        margin  source pixels around it that the network wants to have seen
        """
        if render.straight(self, factor=1):
            left, top, right, bottom = self.content
            reach = margin
        else:
            canvas = (0, 0, self.width - self.padding[0], self.height - self.padding[1])
            back = self.inverse().boxes(np.array([canvas]))[0]
            left, top = (max(a, b) for a, b in zip(back[:2], self.content[:2], strict=True))
            right, bottom = (min(a, b) for a, b in zip(back[2:], self.content[2:], strict=True))
            reach = margin + render.reach(self)
        x, y = max(0, math.floor(left) - reach), max(0, math.floor(top) - reach)
        end_x, end_y = (
            min(self.source_width, math.ceil(right) + reach),
            min(self.source_height, math.ceil(bottom) + reach),
        )
        return x, y, end_x - x, end_y - y

    def is_permutation(self, factor: int) -> bool:
        """Whether rendering a network's output at this factor moves whole pixels and computes none."""
        found = render.straight(self, factor)
        return found is not None and found.is_permutation

    def kept_bytes(self, factor: int) -> int | None:
        """What rendering in float32 keeps between frames: places and weights of a warp, 0 where they are too many.

        None where the map is no warp at this factor: it moves or resizes whole pixels, and keeps nothing.
        """
        if render.straight(self, factor) is not None:
            return None
        needed = render.READ_BYTES * self.width * self.height
        return needed if needed <= render.CACHE_BYTES else 0

    def render(
        self, picture: Tensor, *, factor: int, window: tuple[int, int, int, int] | None = None
    ) -> Tensor:
        """What the canvas shows of a picture; differentiable in the picture.

        picture  (..., C, h * factor, w * factor), any floats; half precision comes out as float32.
                 uint8 and uint16 too where the map is a permutation, which keeps every type
        factor   the network's: picture pixels per stored pixel, each way
        window   x, y, w, h: the part of the stored source that the picture shows; None for all of it

        Returns (..., C, height, width); black where the canvas is empty. A sharp edge can overshoot its own
        range a little, as with every sharp kernel: clamp where you round.
        """
        return render.render(self, picture, factor=factor, window=window)
