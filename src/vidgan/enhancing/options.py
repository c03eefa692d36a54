"""What can be asked of an enhancement, and the parts of it that other rooms understand."""

from dataclasses import dataclass
from pathlib import Path

from vidgan import geometry
from vidgan.enhancing import choosing
from vidgan.errors import BadOption
from vidgan.video import Encoding


@dataclass(frozen=True, kw_only=True)
class Options:
    input: Path
    output: Path
    model: str | Path = choosing.AUTO
    fidelity: float | None = None  # 0 realistic .. 1 faithful; None: the model as it is
    restore: float | None = None  # 0 for clean .. 1 for damaged sources; None: by how damaged it looks
    denoise: float | None = None  # 0 keeps noise .. 1: between realesr-general-x4v3's two published files
    steady: float = 0.0  # how much of the frame before, along its motion, is in the next
    consistent: bool = False
    trust: Path | None = None  # a second video: how much of each pixel is invented
    scale: float | None = None
    size: str | None = None
    rotate: float = 0.0  # degrees clockwise
    flip: str | None = None
    crop: str | None = None
    canvas: str = "expand"
    orientation: str = "upright"
    device: str = "auto"
    precision: str = "auto"
    backend: str = "auto"  # or one of backends.NAMES
    tile: str = "auto"  # or "off", or a side in small pixels
    memory: str | None = None  # the most that the process may hold, as 3G or 800M
    codec: str | None = None
    crf: float | None = None
    preset: str | None = None
    start: float = 0.0  # seconds
    duration: float | None = None
    overwrite: bool = False
    start_over: bool = False  # what an earlier run has kept is thrown away
    mark: bool = True  # the output's metadata says that a network altered it
    sidecar: bool = False
    json: bool = False
    quiet: bool = False
    threads: int = 0
    started: float | None = None  # time.monotonic() when the command began, before its imports


def check_threads(options: Options) -> None:
    if options.threads < 0:
        raise BadOption(f"there are no {options.threads} threads", "Give 1 or more, or leave --threads out.")


def wish_of(options: Options) -> geometry.Wish:
    return geometry.Wish(
        orientation=geometry.parse_choice(geometry.Orientation, "orientation", options.orientation),
        crop=geometry.parse_crop(options.crop) if options.crop is not None else None,
        flip=geometry.parse_flip(options.flip) if options.flip is not None else None,
        rotate=options.rotate,
        scale=options.scale,
        size=geometry.parse_size(options.size) if options.size is not None else None,
        canvas=geometry.parse_choice(geometry.Canvas, "canvas", options.canvas),
    )


def encoding_of(options: Options) -> Encoding:
    return Encoding(codec=options.codec, crf=options.crf, preset=options.preset)
