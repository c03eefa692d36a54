"""Everything a training run needs, as a typed tree behind a TOML file.

A key that is not here is an error, and so is a value of the wrong kind: a typo never trains for a night.
"""

import json
import tomllib
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from vidgan.errors import BadRecipe


def _rising(ends: tuple[float, float]) -> tuple[float, float]:
    if not 0 <= ends[0] <= ends[1]:
        raise ValueError("a range goes from its smaller to its larger end, neither below 0")
    return ends


Range = Annotated[tuple[float, float], AfterValidator(_rising)]


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Network(Part):
    """One file of a shelf, and the fields of its Config."""

    name: str
    config: dict[str, int | float | bool] = {}


class Data(Part):
    train: list[Path]  # folders of videos and photos, seen from the recipe's own folder
    val: list[Path]  # never trained on; every choice is made on these
    photos: float = Field(default=0.6, ge=0, le=1)  # share of samples that are a photo under a moving camera
    pan: int = Field(default=6, ge=0)  # fastest camera, in large pixels per frame


class Damage(Part):
    """What is done to a shrunken clip. Ranges are drawn from uniformly, once per clip."""

    share: float = Field(default=0.4, ge=0, le=1)  # of the clips are damaged; the rest are only made smaller
    blur: Range = (0.1, 0.8)  # standard deviation, small pixels
    noise: Range = (0.0, 5.0)  # standard deviation, code values of 255
    codec_share: float = Field(default=0.7, ge=0, le=1)  # of the damaged clips also go through H.264
    crf: Range = (18.0, 32.0)


class Losses(Part):
    """Weights; a loss of weight 0 is not computed."""

    charbonnier: float = 0.0
    low_pass_l1: float = 0.0
    phase_l1: float = 0.0
    temporal_difference: float = 0.0
    perceptual: float = 0.0
    feature_matching: float = 0.0
    game: float = 0.0


class Stage(Part):
    steps: int = Field(gt=0)
    batch: int = Field(gt=0)  # clips
    frames: int = Field(ge=3)  # per clip
    crop: int = Field(gt=0, multiple_of=32)  # side of the large crop, pixels
    lr: float = Field(gt=0)  # at the start; falls as a cosine to lr_end
    lr_end: float = Field(gt=0)
    roll_in: float = Field(
        default=0.0, ge=0, le=1
    )  # share of steps whose clips begin with a memory several frames old
    losses: Losses


class Game(Part):
    """The discriminator's side of the realistic stage."""

    lr: float = Field(default=3e-4, gt=0)
    ramp: int = Field(default=500, ge=0)  # steps over which the game's weight grows from nothing
    penalty: float = Field(default=0.01, ge=0)  # weight of both smoothness penalties
    sigma: float = Field(default=0.03, gt=0)  # their noise, of a range of 1
    rest_above: float = Field(
        default=0.9, gt=0.5, le=1
    )  # the discriminator rests while it judges better than this


class Recipe(Part):
    name: str
    seed: int = Field(default=1, ge=0)
    generator: Network
    discriminator: Network
    data: Data
    damage: Damage = Damage()
    faithful: Stage  # first: close to the truth, pixel by pixel
    realistic: Stage  # then: against the discriminator
    game: Game = Game()
    ema: float = Field(default=0.999, ge=0, lt=1)
    validate_every: int = Field(default=500, gt=0)  # steps
    save_every: int = Field(default=250, gt=0)

    @property
    def steps(self) -> int:
        return self.faithful.steps + self.realistic.steps


def read(path: Path, overrides: tuple[str, ...] = ()) -> Recipe:
    """Read a recipe; overrides are "section.key=value" in TOML's notation. Raises BadRecipe.

    The recipe's folders are seen from the recipe, those of an override from where the command runs.
    """
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadRecipe(
            f"there is no recipe {path}", "Give the path of a .toml file; recipes/fast.toml is one."
        ) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadRecipe(f"{path} cannot be read as TOML: {error}", "Mend that line.") from None
    folder = path.resolve().parent
    if isinstance(data := tree.get("data"), dict):
        for split in ("train", "val"):
            if isinstance(names := data.get(split), list):
                data[split] = [str(folder / name) if isinstance(name, str) else name for name in names]
    for override in overrides:
        _override(tree, override)
    return parse(tree, str(path))


def parse(tree: dict[str, Any], origin: str) -> Recipe:
    """Check a tree, as read from TOML. Raises BadRecipe naming every wrong entry."""
    try:
        # As JSON, where pydantic's strictness still takes a list for a tuple and words for a path.
        return Recipe.model_validate_json(json.dumps(tree, default=str), strict=True)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg'].lower()}" for e in error.errors())
        raise BadRecipe(
            f"{origin}: {wrong}", "The entries and their meaning stand in src/vidgan/recipe.py."
        ) from None


def _override(tree: dict[str, Any], override: str) -> None:
    key, equals, value = override.partition("=")
    if not equals:
        raise BadRecipe(f"--set {override} has no '='", "Write --set section.key=value.")
    try:
        parsed = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        parsed = value
    *sections, last = key.strip().split(".")
    for section in sections:
        tree = tree.setdefault(section, {})
        if not isinstance(tree, dict):
            raise BadRecipe(f"--set {override}: {section} is not a section", "Name the section and the key.")
    tree[last] = parsed
