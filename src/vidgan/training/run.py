"""A training run: exactly what a training state holds, so that a killed run goes on where it was."""

import copy
import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from pydantic import ValidationError
from torch import Tensor, nn
from torch.amp import GradScaler
from torch.optim import Adam

from vidgan import checkpoint, dataset, discriminators, foreign, runs, shelf
from vidgan.errors import BadRecipe, BadWeights
from vidgan.generators import VideoGenerator, as_generator
from vidgan.recipe import Network, Recipe, Stage
from vidgan.training import same
from vidgan.training.supervisor import Watch

MARGIN = 16  # pixels that what the discriminator sees is smaller than the crop that it is taken from

PROGRESS = (
    "step", "accuracy", "best", "history", "stopped", "cooling", "tries", "attempt", "troubled_at"
)  # fmt: skip


def no_scalers() -> dict[str, GradScaler]:
    return {name: GradScaler("cpu", enabled=False) for name in ("generator", "discriminator")}


@dataclass
class Run:
    recipe: Recipe
    generator: VideoGenerator
    ema: VideoGenerator  # moving average of the generator's weights: what is validated and kept
    discriminator: nn.Module
    generator_optimizer: Adam
    discriminator_optimizer: Adam
    step: int = 0
    accuracy: float = 0.5  # of the discriminator in training, a moving average
    best: dict[str, float] = field(default_factory=dict)  # the validation scores of the weights kept as best

    history: list[dict[str, float]] = field(default_factory=list)  # validations of the realistic stage
    stopped: str = ""  # why it ended before its last step, if it did
    cooling: float = 1.0  # what the supervisor has multiplied the rates by
    tries: int = 0  # roll-backs since the last calm validation
    attempt: int = 0  # roll-backs ever: each draws other samples
    troubled_at: int = 0  # the step of the last trouble
    watch: Watch = field(default_factory=Watch)
    scalers: dict[str, GradScaler] = field(default_factory=no_scalers)  # of losses, for float16
    taken: str = ""  # of a start that did not fit whole, or came too late: what the run has of it, in words

    @property
    def realistic(self) -> bool:
        return self.step >= self.recipe.faithful.steps

    @property
    def stage(self) -> Stage:
        return self.recipe.realistic if self.realistic else self.recipe.faithful

    @property
    def ahead(self) -> int:
        """Frames from what the generator sees to what it is to give: 0 but for one that predicts."""
        return self.generator.ahead

    @property
    def stage_step(self) -> int:
        return self.step - self.recipe.faithful.steps if self.realistic else self.step


def create(recipe: Recipe, folder: Path | None = None) -> Run:
    """A fresh run. Raises VidganError for a network or an option of one that does not exist.

    folder  of the run: if it holds a training state, the recipe's start is not read, since the state includes all
            that came of it and the start may be gone by now
    """
    torch.manual_seed(recipe.seed)
    run = assemble(
        recipe,
        as_generator(
            network("vidgan.generators", "Generator", recipe.generator.name, recipe.generator.config)
        ),
        network(
            "vidgan.discriminators", "Discriminator", recipe.discriminator.name, recipe.discriminator.config
        ),
    )
    if folder is not None and runs.state_of(folder).exists():
        return run
    has_played = False
    if recipe.start is not None:
        has_played = begin_from(run, recipe.start, partly=recipe.partly, grown=recipe.grown)
    if recipe.opponent and not has_played:
        _meet(run, recipe.opponent)
    return run


def _meet(run: Run, opponent: str) -> None:
    """The discriminator begins as one that has played. Raises BadWeights, BadRecipe where it is another network.

    Source: Wang et al. 2018, "Transferring GANs": of the two it is the discriminator that helps most.
    """
    _, theirs = checkpoint.load_players(Path(opponent))
    try:
        run.discriminator.load_state_dict(theirs.state_dict())
    except RuntimeError as error:
        raise BadRecipe(
            f"the discriminator of {opponent} is another network than the recipe's: {_first_fault(error)}",
            "Give [discriminator] its name and settings, or begin with a new one: --set opponent=",
        ) from None


def networks_of(start: str) -> dict[str, Network]:
    """The generator, and the discriminator where there is one, that a start holds. Raises BadWeights."""
    path = checkpoint.find(start)
    if path.suffix.lower() not in foreign.SUFFIXES:
        _, header = checkpoint.load_tensors(path)
        if "recipe" in header:
            try:
                told = Recipe.model_validate_json(header["recipe"])
            except ValidationError:
                raise BadWeights(
                    f"{path} is the training state of another version: its recipe is not one of this version's",
                    "Use the version that it was made with, or begin from the best.safetensors beside it.",
                ) from None
            checkpoint.load_players(path)  # or a header could ask for networks that no memory holds
            return {"generator": told.generator, "discriminator": told.discriminator}
    card = checkpoint.card_of(checkpoint.load_generator(start))
    return {"generator": Network(name=card.generator, config=card.config)}


def begin_from(run: Run, start: str, *, partly: bool = False, grown: bool = False) -> bool:
    """Take the weights of a network that was trained before: transfer learning.

    start   a model's name or file, also a .pth of the Real-ESRGAN family, for its generator; or the state.safetensors
            of another run, for its averaged generator and its discriminator
    partly  layers that are missing from the start, or of another shape there, stay as they are
    grown   the start's generator is a smaller one that the recipe's grows from; a discriminator is taken where it fits
    Returns whether a discriminator was taken as well.
    Raises BadWeights if there is no such start, BadRecipe if its network is not the recipe's, or no layer of it fits.
    """
    path = checkpoint.find(start)
    theirs = path.suffix.lower() in foreign.SUFFIXES
    tensors, header = ({}, {}) if theirs else checkpoint.load_tensors(path)
    state = "progress" in header
    weights = _below(tensors, "ema") if state else checkpoint.load_generator(start).state_dict()
    taken: dict[str, tuple[int, int]] = {}
    try:
        if grown:
            _grow(run, start, weights)
        else:
            taken["generator"] = _take(run.generator, weights, partly=partly)
        if state:  # a model file holds no discriminator
            judge = _below(tensors, "discriminator")
            taken["discriminator"] = _take(run.discriminator, judge, partly=partly or grown)
    except RuntimeError as error:
        raise BadRecipe(
            f"the recipe starts from {start}, which holds other networks than it names: {_first_fault(error)}",
            "Give [generator] and [discriminator] the names and settings of the run that it comes from.",
        ) from None
    if partly and not taken["generator"][0]:
        raise BadRecipe(
            f"no layer of the generator in {start} fits the recipe's, and partly = true would begin from nothing",
            "Leave --from out, or give [generator] settings nearer to those of the run that it comes from.",
        )
    told = ", ".join(
        f"{found} of {layers} layers of the {player}" for player, (found, layers) in taken.items()
    )
    if grown:
        run.taken = f"grown from {start}" + (f"; {told} were taken" if told else "")
    elif partly:
        run.taken = f"taken from {start}: {told}; the others begin from nothing"
    run.ema.load_state_dict(run.generator.state_dict())
    return taken.get("discriminator", (0, 0))[0] > 0


def _grow(run: Run, start: str, weights: dict[str, Tensor]) -> None:
    """The generator begins as the smaller one in the start. Raises BadRecipe where it is no smaller one."""
    own, theirs = run.recipe.generator, networks_of(start)["generator"]
    module = shelf.take("vidgan.generators", own.name)
    try:
        if not hasattr(module, "grow"):
            raise ValueError(f"nothing grows into a {own.name} network")
        smaller = shelf.take("vidgan.generators", theirs.name).Config(**theirs.config)
        module.grow(weights, smaller, run.generator)
    except ValueError as error:
        raise BadRecipe(
            f"the recipe grows from {start}, which cannot be: {error}",
            "Give [generator] the settings of that network, some of them larger; or set partly in place of grown.",
        ) from None


def _take(network: nn.Module, weights: dict[str, Tensor], *, partly: bool) -> tuple[int, int]:
    """How many of the network's layers were taken whole, and how many it has.

    Raises RuntimeError where a layer does not fit, unless partly.
    """
    own = network.state_dict()
    fitting = {
        name: value for name, value in weights.items() if name in own and own[name].shape == value.shape
    }
    network.load_state_dict({**own, **fitting} if partly else weights)
    layers, others = ({name.rpartition(".")[0] for name in names} for names in (own, own.keys() - fitting))
    return len(layers - others), len(layers)


def place(run: Run, device: torch.device, precision: torch.dtype) -> None:
    """Where it is trained, and in which precision; in place."""
    for network in (run.generator, run.ema, run.discriminator):
        network.to(device)
    for name in run.scalers:
        run.scalers[name] = GradScaler(device.type, enabled=precision is torch.float16)


def assemble(recipe: Recipe, generator: VideoGenerator, discriminator: nn.Module) -> Run:
    """A run of networks that are there already; they are trained in place.

    Raises BadRecipe for a crop that the generator's scale does not divide, or that leaves nothing to judge.
    """
    for name in ("faithful", "realistic"):
        _check_crop(recipe, name, generator.scale)
    _check_view(recipe.realistic, discriminator)
    for network in (generator.train(), discriminator.train()):
        # A model that was loaded is frozen; who freezes a part of one means it.
        if not any(weight.requires_grad for weight in network.parameters()):
            network.requires_grad_(True)
    return Run(
        recipe=recipe,
        generator=generator,
        ema=copy.deepcopy(generator).requires_grad_(False),
        discriminator=discriminator,
        generator_optimizer=_fresh(generator, recipe.faithful.lr),
        discriminator_optimizer=_fresh(discriminator, recipe.game.lr, first=0.0),
    )


def _check_view(stage: Stage, discriminator: nn.Module) -> None:
    """Raises BadRecipe where no block is left of a crop that the discriminator sees smaller."""
    view = getattr(discriminator, "config", None)
    if not isinstance(view, discriminators.View) or not stage.steps:
        return
    if view.own > stage.crop - MARGIN:
        raise BadRecipe(
            f"discriminator.config.own is {view.own}, and a crop of {stage.crop} has too few pixels for that",
            f"Take {stage.crop - MARGIN} or less; 4 is usual.",
        )
    least = discriminators.BLOCK * view.smaller + MARGIN
    if stage.crop < least:
        raise BadRecipe(
            f"realistic.crop is {stage.crop}: made {view.smaller} times smaller, nothing of it is left to judge",
            f"Take {-(-least // 32) * 32} or more, or set discriminator.config.smaller lower.",
        )


def _check_crop(recipe: Recipe, name: str, scale: int) -> None:
    """Raises BadRecipe where a stage's large crop, or a clip of its pool, is no whole number of small pixels."""
    stage: Stage = getattr(recipe, name)
    if stage.steps and stage.crop % scale:
        unit = math.lcm(32, scale)
        raise BadRecipe(
            f"{name}.crop is {stage.crop}, which cannot be made {scale} times smaller",
            f"Take a multiple of {unit}: --set {name}.crop={-(-stage.crop // unit) * unit}.",
        )
    if recipe.data.reuse > 1 and (room := dataset.feed(recipe, stage).crop - stage.crop) % scale:
        raise BadRecipe(
            f"the clips of a pool have {room} pixels around a crop, which cannot be made {scale} times smaller",
            "Show each clip once: --set data.reuse=1.",
        )


def network(shelf_name: str, kind: str, name: str, config: dict[str, int | float | bool]) -> nn.Module:
    """A fresh network. Raises BadOption for a name on no shelf, BadRecipe for an impossible config."""
    module = shelf.take(shelf_name, name)
    for key, setting in module.Config.__dataclass_fields__.items():
        value, least = config.get(key, setting.default), 0 if setting.default == 0 else 1
        if type(setting.default) is int and (type(value) is not int or value < least):
            raise BadRecipe(
                f"{name}: {key} is {value!r}",
                f"Give a whole number of {least} or more; {setting.default} is usual.",
            )
    try:
        made: nn.Module = getattr(module, kind)(module.Config(**config))
    except (TypeError, ValueError, RuntimeError, ZeroDivisionError) as error:
        fields = ", ".join(module.Config.__dataclass_fields__)
        raise BadRecipe(f"{name}: {error}", f"Its settings are: {fields}.") from None
    return made.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def begin_realistic(run: Run) -> None:
    """The second stage starts from the averaged weights, with an optimizer that remembers nothing."""
    run.generator.load_state_dict(run.ema.state_dict())
    run.generator_optimizer = _fresh(run.generator, run.recipe.realistic.lr)


def _fresh(network: nn.Module, lr: float, *, first: float = 0.9) -> Adam:
    return Adam(network.parameters(), lr=lr, betas=(first, 0.99))


def save(run: Run, folder: Path) -> None:
    tensors: dict[str, Tensor] = {}
    for name in ("generator", "ema", "discriminator"):
        tensors |= {f"{name}.{key}": value for key, value in getattr(run, name).state_dict().items()}
    for name in ("generator_optimizer", "discriminator_optimizer"):
        for index, moments in getattr(run, name).state_dict()["state"].items():
            tensors |= {f"{name}.{index}.{key}": value for key, value in moments.items()}
    progress = {name: getattr(run, name) for name in PROGRESS}
    progress["watch"] = asdict(run.watch)
    progress["scalers"] = {name: scaler.state_dict() for name, scaler in run.scalers.items()}
    header = {"recipe": run.recipe.model_dump_json(), "progress": json.dumps(progress)}
    checkpoint.save_tensors(tensors, header, runs.state_of(folder))


def resume(run: Run, folder: Path, *, change: bool = False) -> Run:
    """The run as it was saved in the folder, under its recipe as it stands now; as it is if none was saved.

    change  whether the recipe may be another than the run was begun with
    Raises BadRecipe where it is and may not, BadWeights if the saved networks are not the recipe's.
    """
    if not (path := runs.state_of(folder)).exists():
        return run
    tensors, header = checkpoint.load_tensors(path)
    try:
        progress = json.loads(header["progress"])
        for name in PROGRESS:
            if not isinstance(progress[name], type(getattr(run, name))):
                raise TypeError(name)
            setattr(run, name, progress[name])
        run.watch = Watch(**progress["watch"])
        scalers = dict(progress["scalers"])
        before = Recipe.model_validate_json(header["recipe"])
    except (KeyError, TypeError, ValueError, RecursionError):
        raise BadWeights(
            f"{path} is not the training state of this version",
            "Use the version that it was made with, or train into another folder with --out.",
        ) from None
    unfinished = run.step < run.recipe.steps and not run.stopped
    if unfinished:
        same.check(run.recipe, before, run.step, folder, change=change)
        run.recipe, run.taken = same.begun(run.recipe, before)
    for name, scaler in run.scalers.items():
        if scaler.is_enabled() and (saved := scalers.get(name)):
            scaler.load_state_dict(saved)
    try:
        for name in ("generator", "ema", "discriminator"):
            getattr(run, name).load_state_dict(_below(tensors, name))
    except RuntimeError as error:
        raise BadWeights(
            f"{path} holds other networks than the recipe: {_first_fault(error)}",
            "Train into another folder with --out, or put the recipe's networks back.",
        ) from None
    if unfinished:
        same.check_networks(run.generator, run.discriminator, before, folder, change=change)
    run.generator_optimizer = _fresh(run.generator, run.stage.lr)
    run.discriminator_optimizer = _fresh(run.discriminator, run.recipe.game.lr, first=0.0)
    for name in ("generator_optimizer", "discriminator_optimizer"):
        _load_moments(getattr(run, name), _below(tensors, name))
    return run


def _first_fault(error: RuntimeError) -> str:
    """Of what torch has to say, which is a line for each weight."""
    words = str(error).splitlines()[-1].strip()
    return words if len(words) < 160 else f"{words[:160]}..."


def _below(tensors: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    return {
        key.removeprefix(f"{name}."): value for key, value in tensors.items() if key.startswith(f"{name}.")
    }


def _load_moments(optimizer: Adam, tensors: dict[str, Tensor]) -> None:
    state = optimizer.state_dict()
    for key, value in tensors.items():
        index, moment = key.split(".")
        state["state"].setdefault(int(index), {})[moment] = value
    optimizer.load_state_dict(state)
