"""Every video onto one canvas: what an output's map did is undone, sizes are reconciled, nothing is guessed.

The canvas is the reference, upright and with square pixels; without one it is the source, enlarged as the first
output is. An output that was turned or cropped shows only a part of it: then only that part is compared.
"""

import json
import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from pydantic import ValidationError
from torch import Tensor

from vidgan import disk, sidecar
from vidgan.errors import BadVideo
from vidgan.frame import Frame
from vidgan.geometry import Map, Wish, plan
from vidgan.geometry.affine import Affine, Matrix, after, floats, moved, scaled
from vidgan.pixels import as_tensor
from vidgan.video import Source

SMALLEST_SIDE = 32  # SSIM's window and LPIPS's layers fit into it
MOST_DISTORTED = 2  # pixels by which rounding and padding to even sides may change a side's proportion
AS_IT_IS = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
WHOLE = 1e-3  # pixels: a window's edge that is nearer to a whole one is that


@dataclass(frozen=True)
class Part:
    """A rectangle of the canvas, in its pixels."""

    x: int
    y: int
    width: int
    height: int

    def meets(self, other: "Part") -> "Part":
        x, y = max(self.x, other.x), max(self.y, other.y)
        right = min(self.x + self.width, other.x + other.width)
        bottom = min(self.y + self.height, other.y + other.height)
        return Part(x, y, max(right - x, 0), max(bottom - y, 0))


Box = tuple[float, float, float, float]  # left, top, right, bottom


@dataclass(frozen=True)
class Aligned:
    """A video and the way onto the canvas."""

    source: Source
    way: Map
    within: Box | None = None  # of the canvas, what a crop has left; None for all

    def picture(self, frame: Frame, part: Part | None, device: torch.device) -> Tensor:
        """(3, H, W) in about [0, 1]: the part of the canvas, or all of it."""
        with torch.inference_mode():
            if frame.pixels.dtype == np.uint8 and self.way.matrix == AS_IT_IS and self.way.padding == (0, 0):
                # The usual case. Each pixel's colours stay together in memory: a copy saved, and networks like it.
                whole = torch.from_numpy(frame.pixels).to(device).permute(2, 0, 1)
                whole = whole[:, : self.way.height, : self.way.width].float().div_(255)
            else:
                whole = self.way.render(as_tensor(frame.pixels, device), factor=1)[0]
            if part is not None:
                whole = whole[:, part.y : part.y + part.height, part.x : part.x + part.width]
            return whole


def upright(source: Source) -> Map:
    """From stored pixels to what a player shows, at the stored size."""
    return plan(Wish(scale=1), source)


def straight_onto(source: Source, width: int, height: int, name: str) -> Aligned:
    """A video that shows what the canvas shows, at whatever size.

    Raises BadVideo where resizing would distort: bars, crops and turns are no enlargement.
    """
    shown = upright(source)
    seen_width, seen_height = shown.width, shown.height
    for factor in range(1, 17):  # a last column or row that only made a side even is cut off
        if seen_width - factor * width in (0, 1) and seen_height - factor * height in (0, 1):
            seen_width, seen_height = factor * width, factor * height
    if abs(seen_width * height - seen_height * width) > MOST_DISTORTED * max(
        width, height, seen_width, seen_height
    ):
        raise BadVideo(
            f"{name} is shown as {shown.width}x{shown.height}, which is another shape than {width}x{height}",
            "Compare with an output that was not cropped, turned or given bars, or keep the sidecar that "
            "'vidgan enhance --sidecar' writes beside it.",
        )
    return Aligned(source, _scaled(shown, (seen_width, seen_height), (width, height)))


def shown_as(source: Source, width: int, height: int) -> Matrix:
    """From stored pixels to the canvas, of a video that the canvas shows whole."""
    shown = upright(source)
    return floats(after(scaled(width / shown.width, height / shown.height), shown.matrix))


def shown_like(reference: Source, made: sidecar.Sidecar, width: int, height: int) -> Matrix:
    """As shown_as, for an input that is not at hand: it is taken to be stored as the reference is, at another size.

    Raises BadVideo where its shape tells that it was not.
    """
    geometry = made.geometry
    across, down = reference.width / geometry.source_width, reference.height / geometry.source_height
    if abs(across - down) * min(geometry.source_width, geometry.source_height) > MOST_DISTORTED:
        raise BadVideo(
            f"{made.input.name}, which the output was made from, is {geometry.source_width}x{geometry.source_height}: "
            f"another shape than {reference.path} with {reference.width}x{reference.height}",
            f"Name it: --input {made.input.name}",
        )
    return floats(after(shown_as(reference, width, height), scaled(across, down)))


def undone(source: Source, made: sidecar.Sidecar, shown: Matrix, width: int, height: int) -> Aligned:
    """An output whose sidecar tells how it came about: from it back to the input, and on to the canvas.

    shown  from the input's stored pixels to the canvas
    """
    geometry = made.geometry
    forward = Map(
        source_width=geometry.source_width,
        source_height=geometry.source_height,
        width=source.width,
        height=source.height,
        matrix=geometry.matrix,
        content=geometry.content,
    )
    content = (0.0, 0.0, float(source.width), float(source.height))
    (a, b, _), (d, e, _) = geometry.matrix
    if b == 0 == d or a == 0 == e:  # bars, and columns that only make a side even, are not compared
        box = _near(forward.boxes(np.array([geometry.content]))[0])
        content = (max(box[0], 0.0), max(box[1], 0.0), min(box[2], content[2]), min(box[3], content[3]))
    way = Map(
        source_width=source.width,
        source_height=source.height,
        width=width,
        height=height,
        matrix=tidied(after(shown, geometry.inverse)),
        content=content,
    )
    left = replace(forward, width=width, height=height, matrix=shown).boxes(np.array([geometry.content]))[0]
    return Aligned(source, way, (left[0], left[1], left[2], left[3]))


def part_of(source: Source, part: Part, width: int, height: int) -> Aligned:
    """The small source, where it shows what a part of the canvas shows, at its own resolution.

    width, height  of the whole canvas
    """
    shown = upright(source)
    across, down = shown.width / width, shown.height / height
    size = (max(round(part.width * across), 1), max(round(part.height * down), 1))
    to_part = after(
        scaled(size[0] / (part.width * across), size[1] / (part.height * down)),
        moved(-part.x * across, -part.y * down),
    )
    left, top = part.x * across, part.y * down
    seen = shown.inverse().boxes(
        np.array([[left, top, left + part.width * across, top + part.height * down]])
    )[0]
    content = [max(seen[0], 0.0), max(seen[1], 0.0), min(seen[2], source.width), min(seen[3], source.height)]
    near = _near(np.array(content))
    return Aligned(
        source,
        Map(
            source_width=source.width,
            source_height=source.height,
            width=size[0],
            height=size[1],
            matrix=tidied(after(to_part, shown.matrix)),
            content=(near[0], near[1], near[2], near[3]),
        ),
    )


def covered(way: Map, within: Box | None = None) -> Part:
    """The part of the canvas that the video shows: all of it, or the largest upright rectangle about its middle.

    within  of the canvas, what a crop has left: its middle then, and no more than it
    """
    left, top, right, bottom = way.content
    whole = Part(0, 0, way.width, way.height)
    (a, b, _), (d, e, _) = way.matrix
    if b == 0 == d or a == 0 == e:
        box = way.boxes(np.array([[left, top, right, bottom]]))[0]
        x, y = math.ceil(box[0] - WHOLE), math.ceil(box[1] - WHOLE)
        part = Part(x, y, math.floor(box[2] + WHOLE) - x, math.floor(box[3] + WHOLE) - y)
        return part.meets(whole)
    box = np.array(within or (0.0, 0.0, way.width, way.height))
    centre, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 2
    back = way.inverse()

    def inside(share: float) -> bool:
        corners = centre + share * half * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
        points = back.points(corners)
        near, far = np.array([left, top]) - WHOLE, np.array([right, bottom]) + WHOLE
        return bool((points >= near).all() and (points <= far).all())

    if np.abs(box - (0, 0, way.width, way.height)).max() <= WHOLE and inside(1.0):
        return whole
    low, high = 0.0, 1.0
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (middle, high) if inside(middle) else (low, middle)
    x, y = (math.ceil(value) for value in centre - low * half + 1)  # a pixel inside: there borders fade
    right, bottom = (math.floor(value) for value in centre + low * half - 1)
    return Part(x, y, max(right - x, 0), max(bottom - y, 0)).meets(whole)


def read_sidecar(output: Path, source: Source) -> sidecar.Sidecar | None:
    """The output's sidecar where it has one. Raises BadVideo where it is damaged or another file's."""
    path = sidecar.path_for(output)
    if not path.is_file():
        return None
    try:
        made = sidecar.Sidecar.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, ValidationError, json.JSONDecodeError):
        raise BadVideo(
            f"{path} is no sidecar that can be read", "Move it away to compare without it."
        ) from None
    if (made.geometry.width, made.geometry.height) != (source.width, source.height):
        raise BadVideo(
            f"{path} tells of an output of {made.geometry.width}x{made.geometry.height}, but {output} is "
            f"{source.width}x{source.height}",
            "Move the sidecar away, or compare the output that it was written for.",
        )
    if made.output is not None and made.output.sha256 != disk.sha256(output):
        raise BadVideo(
            f"{path} tells of an earlier file of that name: {output} was changed or made anew since",
            "Move the sidecar away, or make the video again with --sidecar.",
        )
    return made


def input_beside(output: Path, made: sidecar.Sidecar) -> Path | None:
    """The video that an output was made from, where it still lies beside it, by the sidecar's name and hash."""
    path = output.with_name(Path(made.input.name).name or "?")  # a path is none of ours
    return path if path.is_file() and disk.sha256(path) == made.input.sha256 else None


def tidied(way: Affine) -> Matrix:
    """In floats, whole numbers where they are meant."""
    (a, b, c), (d, e, f) = (_near(np.array(row)) for row in floats(way))
    return (a, b, c), (d, e, f)


def _scaled(shown: Map, seen: tuple[int, int], canvas: tuple[int, int]) -> Map:
    """The upright map, its first `seen` columns and rows brought to the canvas's size."""
    way = after(scaled(canvas[0] / seen[0], canvas[1] / seen[1]), shown.matrix)
    content = shown.content
    if seen != (shown.width, shown.height):
        corners = shown.inverse().boxes(np.array([[0, 0, *seen]]))[0]
        content = (float(corners[0]), float(corners[1]), float(corners[2]), float(corners[3]))
    return Map(
        source_width=shown.source_width,
        source_height=shown.source_height,
        width=canvas[0],
        height=canvas[1],
        matrix=floats(way),
        content=content,
    )


def _near(values: np.ndarray) -> list[float]:
    """Whole numbers that a float missed by its last digits."""
    return [float(round(value)) if abs(value - round(value)) < 1e-9 else float(value) for value in values]
