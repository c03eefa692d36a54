"""Where things lie in the folder of a training run; docs/training.md shows all of it."""

from pathlib import Path

RECIPE = "recipe.toml"
CHECKPOINTS = "checkpoints"
_STATE = "state.safetensors"


def state_of(run: Path) -> Path:
    """What the run goes on from: both networks, their averages, both optimizers."""
    return run / CHECKPOINTS / _STATE


def weights_of(run: Path, name: str) -> Path:
    """The averaged generator as it was at a moment: "best", "faithful", "last"."""
    return run / CHECKPOINTS / f"{name}.safetensors"


def names_of_weights(run: Path) -> list[str]:
    """The moments that are kept, by name."""
    found = (run / CHECKPOINTS).glob("*.safetensors")
    return sorted(path.stem for path in found if path.name != _STATE)
