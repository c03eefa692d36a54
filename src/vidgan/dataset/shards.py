"""A prepared data set on disk: what `vidgan prepare` writes and training reads.

index.json          every source: what became of it, its group, its side of the split
clips/ID.safetensors  the clips that were kept of one source: clip0, clip1 ... (T, H, W, 3) uint8
thumbs/ID.jpg       what it looks like
report.html
"""

import hashlib
import json
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError, safe_open

from vidgan import disk
from vidgan.errors import BadOption, BadOutput, VidganError

INDEX = "index.json"
SCHEMA = 1


class Clip(BaseModel):
    """A stretch of one shot."""

    model_config = ConfigDict(extra="ignore")

    start: float  # seconds into the source
    shape: tuple[int, int, int, int]  # frames, height, width, colours, as stored
    faults: list[tuple[str, str]] = []  # reason and measurement; with any, it was left out
    remarks: list[str] = []  # what was done to it: bars cut off, repeats left out, shrunk
    prints: list[int] = []  # perceptual hashes, to find the same scene in other files

    @property
    def kept(self) -> bool:
        return not self.faults


class Entry(BaseModel):
    """One source: a video, a folder of frames or a photo."""

    model_config = ConfigDict(extra="ignore")

    kind: Literal["video", "frames", "photo"]
    size: int  # bytes
    changed: int  # nanoseconds
    broken: str = ""  # why it could not be read, where it could not
    copy_of: str = ""  # another source that shows the same, and is kept in its place
    clips: list[Clip] = []
    group: str = ""
    split: Literal["train", "val", "test"] = "train"

    @property
    def kept(self) -> list[int]:
        """The numbers of the clips to train on."""
        return [] if self.copy_of else [number for number, clip in enumerate(self.clips) if clip.kept]


class Index(BaseModel):
    model_config = ConfigDict(extra="ignore")

    schema_version: int = SCHEMA
    settings: dict[str, float] = {}  # of the judging: other settings, and every source is looked at again
    shares: tuple[float, float] | None = None  # of validation and test, that the sides were given by
    entries: dict[str, Entry] = {}


def is_prepared(folder: Path) -> bool:
    """Whether `vidgan prepare` made it; other people's index.json does not say our schema first."""
    if not ((folder / INDEX).is_file() and (folder / "clips").is_dir()):
        return False
    with (folder / INDEX).open("rb") as file:
        return b'"schema_version"' in file.read(200)


def no_footage(folder: Path) -> BadOption:
    """What is said of a prepared data set among footage: its thumbnails would be taken for photos."""
    return BadOption(
        f"{folder} is a prepared data set; it cannot be mixed with videos and photos, or prepared again",
        "Leave it out; or prepare the other footage into a data set of its own, and train on both: "
        "--videos ONE --videos OTHER.",
    )


def read_index(folder: Path) -> Index:
    """Raises VidganError for a damaged index, or one of another version."""
    path = folder / INDEX
    try:
        index = Index.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise VidganError(
            f"{path} is no index of a data set: {_first_fault(error)}",
            "Prepare the data set again, into another folder.",
        ) from None
    if index.schema_version != SCHEMA:
        raise VidganError(
            f"{path} was written by another version of vidgan", "Prepare the data set again, elsewhere."
        )
    return index


def _first_fault(error: OSError | ValidationError) -> str:
    """What is wrong, and at which entry."""
    if isinstance(error, OSError):
        return str(error)
    fault = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(map(str, fault["loc"]))
    return f"{place}: {fault['msg']}" if place else fault["msg"]


def write_index(index: Index, folder: Path) -> None:
    """Whole or not at all. Raises BadOutput."""
    try:
        with disk.replacing(folder / INDEX) as partial:
            partial.write_text(json.dumps(index.model_dump(mode="json"), indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise unwritable(folder / INDEX, error) from None


def unwritable(path: Path, error: OSError) -> BadOutput:
    """What is said of a file of a data set that has no room, or no leave."""
    return BadOutput(
        f"{path} cannot be written: {error.strerror or error}",
        "Make room or choose another folder, and give the same command again: it goes on.",
    )


def shard_of(name: str, folder: Path) -> Path:
    """Where the clips of a source are."""
    return folder / "clips" / f"{id_of(name)}.safetensors"


def clips_in(shard: Path) -> set[str]:
    """The names of the clips that a file holds: none where it is gone or damaged."""
    try:
        with safe_open(shard, framework="pt") as file:
            return set(file.keys())
    except (OSError, SafetensorError):
        return set()


def id_of(name: str) -> str:
    """A file name that no source can make unsafe."""
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16]
