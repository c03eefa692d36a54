"""The sections of a recipe that say what is trained on, and what is done to it."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from vidgan.recipe.part import Part, Weight

Share = Annotated[float, Field(ge=0, le=1)]


def _shrinking(ends: tuple[float, float]) -> tuple[float, float]:
    if not 0.1 <= ends[0] <= ends[1] <= 1:
        raise ValueError("a zoom goes from 0.1 or more to 1 or less: a larger one would teach blur")
    return ends


class Data(Part):
    train: list[Path]  # folders of videos and photos, seen from the recipe's own folder
    val: list[Path]  # never trained on; every choice is made on these
    photos: Share = 0.6  # of samples that are a photo under a moving camera
    pan: int = Field(default=6, ge=0)  # fastest camera, in large pixels per frame
    # Windows of a video that are drawn; that in which most moves is shown.
    busiest_of: int = Field(default=1, gt=0)
    reuse: int = Field(default=1, gt=0)  # times that a clip is shown: see vidgan/dataset/pool.py
    pool: int = Field(default=512, gt=0)  # clips at hand, where they are shown more than once
    # What the start was trained on, mixed in lest it be forgotten.
    replay: list[Path] = Field(default_factory=list)
    replay_share: Share = 0.25  # of samples, where there is a replay


class Augment(Part):
    """How a clip of the store may become another: always the same for the small clip and the large one."""

    oriented: bool = False  # text, or left and right: nothing is mirrored or turned
    reverse: Share = 0.5  # of samples run backwards
    free: Share = 0.0  # of samples under a free turn and zoom, in one rendering; a photo's camera moves so
    # Large pixels per stored one.
    zoom: Annotated[tuple[float, float], AfterValidator(_shrinking)] = (0.5, 1.0)
    brightness: float = Field(default=0.0, ge=0, lt=1)  # most that a sample is made brighter or darker
    warped: Share = 0.0  # of realistic steps judged after a warp: the discriminator sees rendered frames, too


class Damage(Part):
    """How often each kind of footage is imitated, in any unit: see vidgan/degrade/presets.py."""

    clean: Weight = 0.6
    mild: Weight = 0.4
    heavy: Weight = 0.0
    phone: Weight = 0.0
    surveillance: Weight = 0.0
    tape: Weight = 0.0

    @model_validator(mode="after")
    def _any(self) -> "Damage":
        if not sum(self.model_dump().values()):
            raise ValueError("all weights are 0; clean = 1 asks for no damage")
        return self
