"""One view in several versions: the source as it is, enlarged without a network and with one, and the truth.

The stage is what the enhanced video shows, upright. The interpolations stand where the network stood: the source is
enlarged as much, and goes through the same map of crop, turn and size. So all but the source are of one size, and
whatever an analyser makes of them differs by the enlargement alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from vidgan import sidecar
from vidgan.analysers import Finding
from vidgan.degrade import lanczos, resized
from vidgan.errors import BadVideo
from vidgan.frame import Frame
from vidgan.geometry import Map
from vidgan.geometry.affine import after, inverse
from vidgan.measuring import alignment
from vidgan.measuring.alignment import Aligned
from vidgan.pixels import as_tensor, bytes_of, rounded
from vidgan.score import BICUBIC, ENHANCED, LANCZOS, REFERENCE, SOURCE
from vidgan.video import Source

CPU = torch.device("cpu")


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Where everything is looked at.

    way     from the source, as stored, to the stage
    factor  by which the interpolations enlarge the source before that
    """

    source: Aligned  # at its own size, upright
    enhanced: Aligned
    reference: Aligned | None
    way: Map
    factor: int

    @property
    def arms(self) -> list[str]:
        known = [] if self.reference is None else [REFERENCE]
        return [SOURCE, BICUBIC, LANCZOS, ENHANCED, *known]

    def pictures(self, frames: Sequence[Frame]) -> dict[str, np.ndarray]:
        """Arm -> (H, W, 3) uint8. frames: of the source, the enhanced video, and the reference where there is one."""
        made = {SOURCE: self.source.picture(frames[0], None, CPU)}
        small = as_tensor(frames[0].pixels)
        height, width = (side * self.factor for side in small.shape[-2:])
        made[BICUBIC] = self._placed(resized(small, (height, width), "bicubic")[0])
        made[LANCZOS] = self._placed(lanczos(small[0], height, width))
        made[ENHANCED] = self.enhanced.picture(frames[1], None, CPU)
        if self.reference is not None:
            made[REFERENCE] = self.reference.picture(frames[2], None, CPU)
        return {arm: bytes_of(picture) for arm, picture in made.items()}

    def placed(self, arm: str, findings: Sequence[Finding]) -> list[Finding]:
        """Onto the stage, cut off at its borders; what has its middle outside is left out."""
        if not findings:
            return []
        boxes = np.array([finding.box for finding in findings], np.float64)
        if arm == SOURCE:
            boxes = self._from_source.boxes(boxes)
        far = np.array([self.way.width, self.way.height])
        middles = (boxes[:, :2] + boxes[:, 2:]) / 2
        inside = np.all((middles >= 0) & (middles <= far), axis=1)
        boxes = boxes.clip(0, np.tile(far, 2))
        return [
            replace(finding, box=(left, top, right, bottom))
            for finding, (left, top, right, bottom), seen in zip(
                findings, boxes.tolist(), inside.tolist(), strict=True
            )
            if seen
        ]

    @property
    def _from_source(self) -> Map:
        """From the source as shown to the stage."""
        shown = self.source.way
        way = after(self.way.matrix, inverse(shown.matrix))
        return replace(
            self.way, source_width=shown.width, source_height=shown.height, matrix=alignment.tidied(way)
        )

    def _placed(self, large: Tensor) -> Tensor:
        with torch.inference_mode():
            return self.way.render(rounded(large), factor=self.factor)


def stage(source: Source, enhanced: Source, reference: Source | None, made: sidecar.Sidecar | None) -> Stage:
    """Everything that is decided before the first frame.

    made  the enhanced video's sidecar, where it has one
    Raises BadVideo where the videos do not show the same thing.
    """
    finished = alignment.upright(enhanced)
    if min(finished.width, finished.height) < alignment.SMALLEST_SIDE:
        raise BadVideo(
            f"{enhanced.path} is {enhanced.width}x{enhanced.height}: too small to be looked at",
            f"Give videos of {alignment.SMALLEST_SIDE} pixels or more to a side.",
        )
    shown = alignment.upright(source)
    if made is None:
        way = alignment.straight_onto(source, finished.width, finished.height, str(source.path)).way
        factor = max(round(finished.width / shown.width), 1)
    else:
        way = _by_sidecar(source, finished, made)
        factor = max(round(made.settings.scale), 1)
    return Stage(
        source=Aligned(source, shown),
        enhanced=Aligned(enhanced, finished),
        reference=None if reference is None else _truth(reference, source, way),
        way=way,
        factor=factor,
    )


def _by_sidecar(source: Source, finished: Map, made: sidecar.Sidecar) -> Map:
    geometry = made.geometry
    if (geometry.source_width, geometry.source_height) != (source.width, source.height):
        raise BadVideo(
            f"{source.path} is {source.width}x{source.height}, but the enhanced video was made from {made.input.name} "
            f"with {geometry.source_width}x{geometry.source_height}, as its sidecar says",
            "Name the video that it was made from, or move the sidecar away.",
        )
    return Map(
        source_width=source.width,
        source_height=source.height,
        width=finished.width,
        height=finished.height,
        matrix=alignment.tidied(after(finished.matrix, geometry.matrix)),
        content=geometry.content,
    )


def _truth(reference: Source, source: Source, way: Map) -> Aligned:
    """The reference shows what the source shows, at another size: it goes the same way.

    Raises BadVideo where its shape tells that it does not.
    """
    own = alignment.upright(reference)
    onto = alignment.straight_onto(source, own.width, own.height, str(source.path)).way
    matrix = alignment.tidied(after(after(way.matrix, inverse(onto.matrix)), own.matrix))
    back = after(inverse(own.matrix), onto.matrix)
    corners = replace(onto, matrix=alignment.tidied(back)).boxes(np.array([way.content]))[0]
    left, top, right, bottom = (
        float(round(side)) if abs(side - round(side)) < alignment.WHOLE else float(side) for side in corners
    )
    content = (
        max(left, 0.0),
        max(top, 0.0),
        min(right, float(reference.width)),
        min(bottom, float(reference.height)),
    )
    return Aligned(
        reference,
        Map(
            source_width=reference.width,
            source_height=reference.height,
            width=way.width,
            height=way.height,
            matrix=matrix,
            content=content,
        ),
    )
