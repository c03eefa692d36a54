"""What every section of a recipe is: strict and unchanging."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict


def _rising(ends: tuple[float, float]) -> tuple[float, float]:
    if not 0 <= ends[0] <= ends[1]:
        raise ValueError("a range goes from its smaller to its larger end, neither below 0")
    return ends


Range = Annotated[tuple[float, float], AfterValidator(_rising)]


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
