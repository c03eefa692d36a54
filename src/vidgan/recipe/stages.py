"""The sections of a recipe that say how is trained: the stages, their losses, the game."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from vidgan.recipe.part import Part, Weight


def _from_and_to(ends: tuple[float, float]) -> tuple[float, float]:
    if not 0 <= ends[0] < ends[1]:
        raise ValueError("the contrast goes from one number, 0 or more, to a larger one")
    return ends


class Losses(Part):
    """Weights; a loss of weight 0 is not computed."""

    l1: Weight = 0.0  # mean absolute difference, pixel by pixel
    charbonnier: Weight = 0.0  # the same, smooth around zero: the usual one
    low_pass_l1: Weight = 0.0  # of means of 4x4 pixels: colour and shape, texture is left free
    phase_l1: Weight = 0.0  # of means over every fourth (or scale-th) pixel: against a grid in flat surfaces
    gradient_difference: Weight = 0.0  # of the steps from pixel to pixel: against blur
    temporal_difference: Weight = 0.0  # of the changes from frame to frame: against flicker
    temporal_residual: Weight = 0.0  # the same along the motion of the true clip
    motion_difference: Weight = 0.0  # of the motion from the frame before, in pixels
    ping_pong: Weight = 0.0  # between the way there and the way back: against drift in the memory
    focal_frequency: Weight = 0.0  # of spectra: fine texture, without a network that judges
    perceptual: Weight = 0.0  # LPIPS with VGG: looks
    feature_matching: Weight = 0.0  # of the discriminator's activations; in the realistic stage alone
    game: Weight = 0.0  # what the discriminator says: texture; in the realistic stage alone


class Stage(Part):
    steps: int = Field(ge=0)  # 0 only in the realistic stage: the network stays faithful
    batch: int = Field(gt=0)  # clips, of all processes together
    accumulate: int = Field(default=1, gt=0)  # pieces that a process's share is taken in, to save memory
    frames: int = Field(ge=3)  # per clip
    crop: int = Field(gt=0, multiple_of=32)  # side of the large crop, pixels
    lr: float = Field(gt=0)  # at the start; falls to lr_end
    lr_end: float = Field(gt=0)
    schedule: Literal["cosine", "step"] = "cosine"  # in a curve, or in four stairs
    # Share of steps whose clips begin with a memory several frames old.
    roll_in: float = Field(default=0.0, ge=0, le=1)
    losses: Losses


class Game(Part):
    """The discriminator's side of the realistic stage."""

    kind: Literal["relativistic", "hinge", "vanilla", "least_squares"] = "relativistic"
    lr: float = Field(default=3e-4, gt=0)
    ramp: int = Field(default=500, ge=0)  # steps over which the game's weight grows from nothing
    # Of that weight, what is left at the last step; it falls in a line.
    fade: float = Field(default=1.0, ge=0)
    penalty: float = Field(default=0.01, ge=0)  # weight of both penalties on the slope
    penalty_kind: Literal["differences", "exact"] = "differences"  # exact takes twice the time
    sigma: float = Field(default=0.03, gt=0)  # their noise, of a range of 1
    spoilt: Weight = 0.0  # of pictures with too steep edges or a grid, to be turned down by the discriminator
    averaged: Weight = 0.0  # of those that the averaged network makes, likewise
    # The discriminator rests while it judges better than this.
    rest_above: float = Field(default=0.9, gt=0.5, le=1)


class Stopping(Part):
    """When the realistic stage has had enough: the numbers are of the validation, medians of the last three."""

    patience: int = Field(default=6, gt=0)  # validations without a gain; then it ends
    gain: float = Field(default=0.005, gt=0, lt=1)  # what counts as one, of the best so far
    psnr_drop: float = Field(default=2.0, gt=0)  # dB below the end of the faithful stage
    # Rise of the temporal error over its best, while nothing gains.
    flicker: float = Field(default=0.05, gt=0)


class Supervisor(Part):
    """What counts as trouble; see vidgan/training/supervisor.py."""

    patience: int = Field(default=10, gt=0)  # steps in a row
    explosion: float = Field(default=20.0, gt=1)  # times the usual length of a gradient
    # Of made frames, beside real ones.
    contrast: Annotated[tuple[float, float], AfterValidator(_from_and_to)] = (0.5, 2.0)
    colour: float = Field(default=0.1, gt=0)  # drift of a colour's mean, of a range of 1
    overfit: float = Field(default=0.5, gt=0)  # of the discriminator, in three validations in a row
    cooling: float = Field(default=0.5, gt=0, lt=1)  # what the rates are multiplied by after a roll-back
    # Roll-backs without a calm validation between them, before it gives up.
    tries: int = Field(default=3, ge=0)
