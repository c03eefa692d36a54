"""Affine maps of the plane as two rows of three numbers, exact where the numbers are fractions.

Continuous coordinates, x to the right and y down: pixel i covers [i, i + 1).
"""

from fractions import Fraction

Number = Fraction | float
Row = tuple[Number, Number, Number]
Affine = tuple[Row, Row]
Size = tuple[Number, Number]
Matrix = tuple[tuple[float, float, float], tuple[float, float, float]]


def turned(code: int, box: Size) -> tuple[Affine, Size]:
    """The map of an EXIF orientation on a picture of this size, and the size that comes out."""
    wide, high = box
    maps: dict[int, Affine] = {
        1: ((1, 0, 0), (0, 1, 0)),
        2: ((-1, 0, wide), (0, 1, 0)),
        3: ((-1, 0, wide), (0, -1, high)),
        4: ((1, 0, 0), (0, -1, high)),
        5: ((0, 1, 0), (1, 0, 0)),
        6: ((0, -1, high), (1, 0, 0)),
        7: ((0, -1, high), (-1, 0, wide)),
        8: ((0, 1, 0), (-1, 0, wide)),
    }
    return maps[code], (box if code <= 4 else (high, wide))


def moved(x: Number, y: Number) -> Affine:
    return (1, 0, x), (0, 1, y)


def scaled(x: Number, y: Number) -> Affine:
    return (x, 0, 0), (0, y, 0)


def after(second: Affine, first: Affine) -> Affine:
    """The map that does `first`, then `second`."""
    (a, b, c), (d, e, f) = first

    def row(p: Number, q: Number, r: Number) -> Row:
        return p * a + q * d, p * b + q * e, p * c + q * f + r

    return row(*second[0]), row(*second[1])


def inverse(affine: Affine) -> Affine:
    (a, b, c), (d, e, f) = affine
    area = a * e - b * d
    return (e / area, -b / area, (b * f - c * e) / area), (-d / area, a / area, (c * d - a * f) / area)


def corners(
    affine: Affine, box: tuple[Number, Number, Number, Number]
) -> tuple[Number, Number, Number, Number]:
    """An upright rectangle through a map of quarter turns and scales: left, top, right, bottom."""
    (a, b, c), (d, e, f) = affine
    xs = [a * box[0] + b * box[1] + c, a * box[2] + b * box[3] + c]
    ys = [d * box[0] + e * box[1] + f, d * box[2] + e * box[3] + f]
    return min(xs), min(ys), max(xs), max(ys)


def floats(affine: Affine) -> Matrix:
    (a, b, c), (d, e, f) = affine
    return (float(a), float(b), float(c)), (float(d), float(e), float(f))
