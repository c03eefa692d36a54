"""A recipe: everything a training run needs, as one typed tree."""

from pydantic import Field, model_validator

from vidgan.recipe.data import Augment, Damage, Data, Share
from vidgan.recipe.part import Part
from vidgan.recipe.stages import Game, Stage, Stopping, Supervisor


class Network(Part):
    """One file of a shelf, and the fields of its Config."""

    name: str
    config: dict[str, int | float | bool] = Field(default_factory=dict)


class Recipe(Part):
    name: str
    seed: int = Field(default=1, ge=0, lt=1 << 31)  # twice, and beside a step, it fits into 64 bits
    start: str | None = None  # the name or the file of what is trained further; none begins from nothing
    partly: bool = False  # of the start, take the layers that fit, and begin the others from nothing
    grown: bool = False  # the start is a smaller or simpler network: begin as it, with room to learn more
    # Judge, or a run: whose discriminator the game begins with where the start brings none. Empty: a new one.
    opponent: str = ""
    # The name or the file of a model whose pictures are a share of what is learnt: see vidgan/training/teaching.py.
    teacher: str = ""
    taught: Share = 0.5  # that share; the rest is the truth
    generator: Network
    discriminator: Network
    data: Data
    augment: Augment = Augment()
    damage: Damage = Damage()
    faithful: Stage  # first: close to the truth, pixel by pixel
    realistic: Stage  # then: against the discriminator
    game: Game = Game()
    stopping: Stopping = Stopping()
    supervisor: Supervisor = Supervisor()
    ema: float = Field(default=0.999, ge=0, lt=1)
    validate_every: int = Field(default=500, gt=0)  # steps
    save_every: int = Field(default=250, gt=0)

    @model_validator(mode="after")
    def _one_way_to_start(self) -> "Recipe":
        if self.partly and self.grown:
            raise ValueError(
                "partly and grown are two ways to take a start that is not of the same size: choose one"
            )
        if self.grown and self.start is None:
            raise ValueError("grown asks for a start to grow from")
        return self

    @model_validator(mode="after")
    def _no_game_in_the_first_stage(self) -> "Recipe":
        if self.faithful.losses.game or self.faithful.losses.feature_matching:
            raise ValueError(
                "the faithful stage has no discriminator: its game and feature_matching must be 0"
            )
        return self

    @model_validator(mode="after")
    def _some_steps(self) -> "Recipe":
        if not self.faithful.steps:
            raise ValueError("the faithful stage needs a step or more: faithful.steps is 0")
        return self

    @model_validator(mode="after")
    def _something_to_learn(self) -> "Recipe":
        for name, stage in (("faithful", self.faithful), ("realistic", self.realistic)):
            if stage.steps and not any(stage.losses.model_dump().values()):
                raise ValueError(
                    f"{name}.losses: none has a weight; charbonnier = 1.0 asks to be close to the truth"
                )
        return self

    @property
    def steps(self) -> int:
        return self.faithful.steps + self.realistic.steps
