"""OUTPUT.json: how an output came about, for people and programs that must trace it back to its source.

One versioned model, written by one function; later work adds fields, never files.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from vidgan import disk, video
from vidgan.errors import BadOutput, BadVideo, printable
from vidgan.geometry import Map

MARK = "Altered by a neural network"  # how the comment begins that outputs carry in their metadata


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


Rows = tuple[tuple[float, float, float], tuple[float, float, float]]


MOST = 1e7  # of a number in a map: sizes and scales are far smaller


def _with_way_back(matrix: Rows) -> Rows:
    (xx, xy, _), (yx, yy, _) = matrix
    if xx * yy == xy * yx:
        raise ValueError("a map onto a line has no way back")
    if max(abs(number) for row in matrix for number in row) > MOST:
        raise ValueError("a map of such numbers leads out of every picture")
    return matrix


Affine = Annotated[Rows, AfterValidator(_with_way_back)]


class Geometry(Part):
    """source: stored pixels of the input; canvas: stored pixels of the output; pixel i covers [i, i + 1)."""

    source_width: int
    source_height: int
    width: int
    height: int
    matrix: Affine  # canvas = matrix @ (x, y, 1)
    inverse: Affine  # source = inverse @ (x, y, 1)
    content: tuple[float, float, float, float]  # left, top, right, bottom of what is shown, in the source
    orientation: int  # what the output's player must still do: EXIF's code, 1 for nothing


def _printable(name: object) -> object:
    return printable(name) if isinstance(name, str) else name


class File(Part):
    name: Annotated[
        str, BeforeValidator(_printable)
    ]  # bytes that are no text, as some names hold, written out
    sha256: str


class Settings(Part):
    scale: float = Field(gt=0, le=64)  # of the network
    device: str
    precision: str  # by torch's name, as in float32
    backend: str = "torch"
    tile: int | None
    start: float
    duration: float | None
    fidelity: float | None = None  # 0 realistic .. 1 faithful; None: the model as it is
    restore: float = 0.0  # 0 weights for clean .. 1 for damaged sources
    denoise: float | None = None  # 0 keeps noise .. 1: between the two files of realesr-general-x4v3
    steady: float = 0.0  # how much of the frame before, along its motion, is in the next
    consistent: bool = False
    trust: bool = False  # whether the network was held against its faithful twin


class PerFrame(Part):
    """One entry per frame of the output, in order."""

    seconds: list[float] = []  # presentation time in the source
    began_shot: list[bool] = []  # where the network's memory was cleared
    repeats: list[bool] = []  # the frame before, pixel for pixel: its picture was taken again
    consistency: list[float] = []  # dB: the enlargement, brought down, against the input; with --consistent
    trust: list[
        float
    ] = []  # code values of 255 that were invented, the mean over what is shown; with --trust


class Cost(Part):
    """What the output cost to make; None where it was not measured."""

    fps: float | None = None  # from file to file, start-up left out
    network_ms: float | None = None  # a frame: the network, moving its memory, --steady; not its twin
    peak_memory_mb: float | None = None
    parameters: int | None = None
    gflop: float | None = None  # a frame, counted; a multiplication and an addition are two
    joules: float | None = None  # a frame, of the whole processor or accelerator


class Timings(Part):
    first_frame_seconds: float  # from the start of the last run
    making_seconds: float  # of all frames, over all runs
    joining_seconds: float  # of the segments into the output, its check included
    frames_of_earlier_runs: int  # that were kept when a run was stopped


class Segment(Part):
    """A stretch of frames that was coded on its own, and joined with the others without another loss."""

    first_frame: int
    num_frames: int
    making_seconds: float
    sha256: dict[str, str]  # of its packets: of the output and, with --trust, of the trust map


class Sidecar(Part):
    version: Literal[1] = Field(1, alias="schema")
    vidgan: str  # version
    input: File
    output: File | None = None  # which it tells of: another one may have taken its name since
    model: File
    geometry: Geometry
    settings: Settings
    num_frames: int
    frames: PerFrame | None = None
    cost: Cost | None = None
    timings: Timings | None = None
    segments: list[Segment] = []


def describe(plan: Map) -> Geometry:
    return Geometry(
        source_width=plan.source_width,
        source_height=plan.source_height,
        width=plan.width,
        height=plan.height,
        matrix=plan.matrix,
        inverse=plan.inverse().matrix,
        content=plan.content,
        orientation=plan.orientation,
    )


def is_marked(path: Path) -> bool:
    """Whether a video says itself that vidgan made it; one that cannot be read says nothing."""
    try:
        words = video.metadata(path)
    except BadVideo:
        return False
    return any(MARK in word for word in words.values())


def path_for(output: Path) -> Path:
    return output.with_name(f"{output.name}.json")


def check_place(output: Path, source: Path, *, overwrite: bool) -> None:
    """Raise BadOutput, before any work, where the output's sidecar must not go."""
    path = path_for(output)
    if path.is_dir():
        raise BadOutput(f"{path} is a folder", "Leave --sidecar out, or choose another name for the output.")
    if path.exists() and path.samefile(source):
        raise BadOutput(f"{path} is the input itself", "Choose another name for the output.")
    if path.exists() and not overwrite:
        raise BadOutput(f"{path} exists already", "Add --overwrite, or leave --sidecar out.")


def write(sidecar: Sidecar, output: Path) -> Path:
    """Write the sidecar of an output, whole or not at all; gives its path. Raises BadOutput."""
    path = path_for(output)
    try:
        with disk.replacing(path) as partial:
            partial.write_text(sidecar.model_dump_json(indent=1, by_alias=True), encoding="utf-8")
    except OSError as error:
        raise BadOutput(
            f"{path} could not be written: {error.strerror or error}", f"{output} itself is whole."
        ) from None
    return path
