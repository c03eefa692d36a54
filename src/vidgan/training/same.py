"""Whether a run goes on as it was begun: a forgotten --set would spoil it without a word."""

from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from typing import Any

from torch import nn

from vidgan.errors import BadRecipe
from vidgan.recipe import Recipe

# What may differ. Networks are looked at when their weights are in; footage may have been moved.
FREE = {
    "name", "start", "partly", "grown", "opponent", "validate_every", "save_every", "data.train", "data.val",
    "data.replay", "faithful.steps", "realistic.steps",
}  # fmt: skip
START = ("start", "partly", "grown", "opponent")
MOST_NAMED = 4


def check(recipe: Recipe, before: Recipe, step: int, folder: Path, *, change: bool) -> None:
    """Raise BadRecipe where a run that is at a step cannot, or was not meant to, go on under another recipe.

    before  what it was last played under
    change  whether it was said that the recipe is another one
    """
    begun, asked = before.faithful.steps, recipe.faithful.steps
    if begun != asked and (step > begun or asked < step):
        raise BadRecipe(
            f"{folder} is at step {step}, and its faithful stage of {begun} steps cannot become one of {asked}",
            f"Leave faithful.steps at {begun} (realistic.steps may be another), or name another folder.",
        )
    if not change:
        # A teacher's file may have been moved, and is called in other ways from elsewhere.
        was, now = (one.model_dump() | {"teacher": Path(one.teacher).name} for one in (before, recipe))
        _refuse(_differences(was, now), folder)


def begun(recipe: Recipe, before: Recipe) -> tuple[Recipe, str]:
    """The recipe with the start that the run has had; and in words what is now asked for in its place, or nothing."""
    asked = [
        f"{key} = {now}"
        for key in ("start", "opponent")
        if (now := getattr(recipe, key)) and not _one_place(now, getattr(before, key))
    ]
    words = (
        f"a run that has begun goes on with its own networks: {', '.join(asked)} is not used" if asked else ""
    )
    return recipe.model_copy(update={key: getattr(before, key) for key in START}), words


def _one_place(now: str, was: str | None) -> bool:
    """Whether both name the same model or file, which may have been moved since."""
    if not was:
        return False
    moved = Path(now).name == Path(was).name and not Path(was).exists()
    return moved or Path(now).absolute() == Path(was).absolute()


def check_networks(
    generator: nn.Module, discriminator: nn.Module, before: Recipe, folder: Path, *, change: bool
) -> None:
    """As check, for the settings of networks into which the run's weights fit: not all of them show in a shape."""
    if change:
        return
    differences = []
    for name, network in (("generator", generator), ("discriminator", discriminator)):
        config, was = getattr(network, "config", None), getattr(before, name).config
        if is_dataclass(config) and not isinstance(config, type):
            settings = {field.name: was.get(field.name, field.default) for field in fields(config)}
            differences += _differences(settings, asdict(config), f"{name}.config.")
    _refuse(differences, folder)


def _refuse(differences: list[str], folder: Path) -> None:
    if not differences:
        return
    told = ", ".join(differences[:MOST_NAMED])
    lpips = any(".perceptual " in difference for difference in differences)
    why = "LPIPS's weights have come or gone since, perhaps. " if lpips else ""
    more = f" and {len(differences) - MOST_NAMED} more" if len(differences) > MOST_NAMED else ""
    raise BadRecipe(
        f"{folder} holds a run that was begun otherwise: {told}{more}",
        f"{why}Give the settings of {folder / 'recipe.toml'}, name another --out, or add --change to go on with these.",
    )


def _differences(before: dict[str, Any], now: dict[str, Any], section: str = "") -> list[str]:
    """In words, an entry each."""
    found = []
    for key, value in now.items():
        name = f"{section}{key}"
        if name in ("generator", "discriminator"):
            continue
        if isinstance(value, dict):
            found += _differences(before.get(key) or {}, value, f"{name}.")
        elif value != before.get(key) and name not in FREE:
            found.append(f"{name} was {before.get(key)}, not {value}")
    return found
