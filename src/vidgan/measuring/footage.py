"""What `evaluate` is given: videos, folders of frames, pairs of small and large, and the field's own test sets.

Letters: T frames, H W height and width.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from vidgan.dataset import Store, numbered
from vidgan.dataset.shards import is_prepared
from vidgan.degrade import PRESETS, degraded
from vidgan.errors import BadOption, BadVideo
from vidgan.folders import is_photo, is_video, walked
from vidgan.metrics.fidelity import psnr
from vidgan.pixels import bytes_of, floats_of
from vidgan.video import decode_all

HIGH = re.compile(r"^(gt|hr|high|target|((train|val|test)_)?sharp)$", re.IGNORECASE)
LOW = re.compile(r"^(lr|lq|low|input|b[id](x\d)?|((train|val|test)_)?sharp_bicubic)$", re.IGNORECASE)
BD_SIGMA, BD_RADIUS = 1.6, 6  # of the field's "BD": a 13x13 Gaussian, then every fourth pixel
SEED = 20260


@dataclass(frozen=True, kw_only=True)
class Layout:
    """A test set of the field's, known by the names of its clips; its protocol is what papers report."""

    title: str
    clips: frozenset[str]
    luma: bool  # PSNR on luma, else over RGB

    @property
    def protocol(self) -> str:
        colour = "BT.601 limited-range luma" if self.luma else "RGB"
        return f"{self.title}'s protocol: PSNR on {colour}, no border cut, mean over a clip's frames, then over clips"

    def psnr(self, output: Tensor, target: Tensor) -> float:
        """(T, 3, H, W) twice -> dB."""
        pairs = zip(output, target, strict=True)
        return float(np.mean([psnr(*pair, luma=self.luma, border=0) for pair in pairs]))


LAYOUTS = (
    Layout(title="Vid4", clips=frozenset(("calendar", "city", "foliage", "walk")), luma=True),
    Layout(title="REDS4", clips=frozenset(("000", "011", "015", "020")), luma=False),
    Layout(
        title="UDM10",
        clips=frozenset(
            (
                *("archpeople", "archwall", "auditorium", "band", "caffe"),
                *("camera", "clap", "lake", "photography", "polyflow"),
            )
        ),
        luma=True,
    ),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Clip:
    """Where a clip's frames are; both read when they are asked for. The low one may have to be made."""

    name: str
    high: Callable[[int | None], np.ndarray]  # at most so many frames -> (T, H, W, 3) uint8
    low: Callable[[int | None], np.ndarray] | None = None
    files: tuple[Path, ...] = ()  # where they come from, but for a prepared data set's


@dataclass(frozen=True, kw_only=True)
class Footage:
    clips: list[Clip]
    layout: Layout | None  # of the field's, where it is one
    pairs: bool  # whether small versions are given


def find(data: Path) -> Footage:
    """The clips below a folder, or a single video. Raises VidganError where there is none."""
    if not data.exists():
        raise BadOption(
            f"there is no {data}", "Name a video, a folder of videos or frames, or a prepared data set."
        )
    if data.is_dir() and is_prepared(data):
        return Footage(clips=_prepared(data), layout=None, pairs=False)
    folders = [folder for folder in sorted(data.iterdir()) if folder.is_dir()] if data.is_dir() else []
    high, low = ([folder for folder in folders if kind.match(folder.name)] for kind in (HIGH, LOW))
    if high and low:
        clips = _paired(_one(high, "large"), _one(low, "small"))
    else:
        alone = high and high == [entry for entry in data.iterdir() if not entry.name.startswith(".")]
        found = _clips(high[0] if alone else data)
        clips = [Clip(name=name, high=_reader(files), files=tuple(files)) for name, files in found.items()]
    if not clips:
        raise BadVideo(f"{data} holds no video, no frames and no picture", "Name a folder that holds some.")
    names = frozenset(clip.name.lower() for clip in clips)
    layout = next((known for known in LAYOUTS if names <= known.clips and len(names) > 1), None)
    return Footage(clips=clips, layout=layout, pairs=bool(high and low))


def shrunk(high: np.ndarray, how: str, scale: int, *, name: str) -> np.ndarray:
    """(T, H, W, 3) uint8, sides that scale divides -> (T, H / scale, W / scale, 3) uint8.

    how   bd, or a preset of degrade; the clip's name seeds what is random
    """
    frames = floats_of(high)
    if how == "bd":
        small = _blurred(frames)[..., ::scale, ::scale]
    else:
        rng = np.random.default_rng([SEED, *name.encode("utf-8", "surrogatepass")])
        small = degraded(frames, PRESETS[how], scale, rng)
    return bytes_of(small)


def degradations() -> Mapping[str, str]:
    """Name -> what it does, in words."""
    words = {"bd": f"the field's BD: Gaussian blur of sigma {BD_SIGMA}, then every pixel in so many"}
    words |= {name: f"the preset '{name}' of docs/training.md, seeded by the clip's name" for name in PRESETS}
    return words | {"clean": "the field's BI: antialiased bicubic, rounded to 8 bits"}


def _one(folders: list[Path], what: str) -> Path:
    if len(folders) > 1:
        raise BadOption(
            f"{folders[0].parent} holds several folders of {what} versions: {', '.join(f.name for f in folders)}",
            "Leave one of them there, or name a folder that holds one of each.",
        )
    inner = [folder for folder in sorted(folders[0].iterdir()) if folder.is_dir()]
    # REDS keeps its small frames one folder deeper, in X4.
    return inner[0] if len(inner) == 1 and re.match(r"^x\d$", inner[0].name, re.IGNORECASE) else folders[0]


def _paired(high: Path, low: Path) -> list[Clip]:
    large, small = (_clips(side, high.resolve().parent.name) for side in (high, low))
    if alone := sorted(large.keys() ^ small.keys()):
        raise BadVideo(
            f"{', '.join(alone[:5])} {'are' if len(alone) > 1 else 'is'} in only one of {high} and {low}",
            "Give both folders clips of the same names.",
        )
    return [
        Clip(name=name, high=_reader(files), low=_reader(small[name]), files=(*files, *small[name]))
        for name, files in large.items()
    ]


def _clips(place: Path, root: str = "") -> dict[str, list[Path]]:
    """Name -> the files of its frames.

    root  the name of what lies in the place itself, where it is not the place's own

    A folder whose pictures are numbered is a clip, also a linked one; other pictures are clips of one frame. Files that
    differ in their suffix alone keep it in their names.
    """
    if place.is_file():
        return {place.stem: [place]}
    found: list[tuple[str, list[Path]]] = []
    for folder, files in walked(place, links=True):
        below = folder.relative_to(place).as_posix()
        videos = [file for file in files if is_video(file)]
        pictures = [file for file in files if is_photo(file)]
        found += [(_name(below, file.stem), [file]) for file in videos]
        if len(pictures) > 1 and all(map(numbered, pictures)):
            found.append(
                (
                    below if below != "." else root or place.name,
                    sorted(pictures, key=lambda file: numbered(file) or ("", 0)),
                )
            )
        else:
            found += [(_name(below, file.stem), [file]) for file in pictures]
    times = Counter(name for name, _ in found)
    clips: dict[str, list[Path]] = {}
    for name, files in found:
        key = name if times[name] == 1 or len(files) > 1 else f"{name}{files[0].suffix}"
        if key in clips:
            raise BadOption(
                f"{files[0].parent} and {clips[key][0].parent} hold clips of one name, {key}", "Rename one."
            )
        clips[key] = files
    return clips


def _name(below: str, stem: str) -> str:
    return stem if below == "." else f"{below}/{stem}"


def _reader(files: list[Path]) -> Callable[[int | None], np.ndarray]:
    def read(limit: int | None) -> np.ndarray:
        if len(files) == 1:
            return decode_all(files[0], limit=limit)
        frames = [decode_all(file)[0] for file in files[:limit]]
        if len({frame.shape for frame in frames}) > 1:
            raise BadVideo(
                f"the pictures in {files[0].parent} differ in size", "Put them into folders of their own."
            )
        return np.stack(frames)

    return read


def _prepared(data: Path) -> list[Clip]:
    """The side that was kept for the very end, or the one to validate on; never the one to train on."""
    for split in ("test", "val"):
        store = Store(data, split)
        if store.videos:
            break
    else:
        raise BadVideo(
            f"{data} keeps no video to test on",
            "Name videos that were not trained on; or prepare it again, with more of them or a larger --test or --val.",
        )

    def reader(name: str) -> Callable[[int | None], np.ndarray]:
        whole = slice(None)
        return lambda limit: store.read(name, slice(limit), whole, whole).numpy()

    return [Clip(name=name, high=reader(name)) for name in store.videos]


def _blurred(frames: Tensor) -> Tensor:
    steps = torch.arange(-BD_RADIUS, BD_RADIUS + 1, dtype=torch.float32)
    taps = torch.exp(-0.5 * (steps / BD_SIGMA) ** 2)
    taps = (taps / taps.sum()).repeat(3, 1)
    frames = F.pad(frames, [BD_RADIUS] * 4, mode="reflect")
    frames = F.conv2d(frames, taps.view(3, 1, -1, 1), groups=3)
    return F.conv2d(frames, taps.view(3, 1, 1, -1), groups=3)
