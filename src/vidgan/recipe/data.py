"""The sections of a recipe that say what is trained on, and what is done to it."""

from pathlib import Path

from pydantic import Field

from vidgan.recipe.part import Part, Range


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
