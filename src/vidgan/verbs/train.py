"""`vidgan train`: from folders of videos and photos to a generator that one can use."""

import os
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path

import torch
from rich.console import Console

from vidgan import hardware, progress, recipe, runs, shelf
from vidgan.dataset import shards
from vidgan.errors import BadOption, BadRecipe
from vidgan.recipe import Network, Recipe
from vidgan.silence import ignore
from vidgan.training import calibrating, distributed, ground, loop, planning, teaching
from vidgan.training import run as running
from vidgan.training.folder import alone, writable
from vidgan.words import amount

DATA = "data"  # folder of a run: its videos as a data set, where they were not prepared before
MOST_WORKERS = 8
MOST_NAMED = 4  # videos in a line
# What to do where --set asks for another network than the start's.
INSTEAD = {
    "generator": "Add --set grown=true for a larger one that begins as it does, --set partly=true to take what fits.",
    "discriminator": "Leave that out; or begin from the best.safetensors beside it, which brings no discriminator.",
}
SHARES = (0.1, 0.0)  # of the sources, to validate on and to test on: a user's own videos are few


@dataclass(frozen=True, kw_only=True)
class Options:
    recipe: str | Path = "default"  # a path, or the name of one that comes with vidgan
    videos: tuple[Path, ...] = ()  # in place of the recipe's [data]
    out: Path | None = None  # runs/<the recipe's name> where None
    overrides: tuple[str, ...] = ()  # "section.key=value"
    minutes: float | None = None  # that the stages are to take; None leaves them as the recipe has them
    device: str = "auto"
    precision: str = "auto"
    threads: int = 0  # 0: as many as torch finds
    dry_run: bool = False  # check the recipe and show what it would cost, train nothing
    change: bool = False  # go on with a run under another recipe than it was begun with


def run(options: Options) -> Path:
    """Train, or go on with a training that was stopped. Gives the folder that now holds the weights."""
    console = progress.console()
    hardware.keep_memory()
    if options.threads:
        torch.set_num_threads(options.threads)
    device = distributed.own_device(hardware.device_of(options.device))
    precision = hardware.precision_of(options.precision, device)
    hardware.search_kernels(device)
    chosen = recipe.read(options.recipe, options.overrides)
    folder = options.out or Path("runs") / chosen.name
    if chosen.start is not None and options.recipe in recipe.names():
        chosen = _fitted(chosen, options.overrides, runs.state_of(folder))
    with distributed.joined(device), progress.bar(console, quiet=distributed.rank() > 0) as tick:
        setup = loop.Setup(
            say=progress.say(console),
            tick=tick,
            after=_report,
            device=device,
            precision=precision,
            workers=_workers(),
            minutes=options.minutes,
            change=options.change,
        )
        if options.dry_run:
            _describe(chosen, setup, console)
            return folder
        with alone(folder) if distributed.rank() == 0 else nullcontext():
            _train(chosen, folder, options, setup)
    return folder


def _fitted(chosen: Recipe, overrides: tuple[str, ...], state: Path) -> Recipe:
    """A recipe of ours, with the networks of its start; or of the run's own state, which needs no start any more.

    Raises BadRecipe where --set names others.
    """
    found = running.networks_of(str(state) if state.is_file() else str(chosen.start))
    if (chosen.grown or chosen.partly) and not state.is_file():
        del found["generator"]  # it is to become another
        if _entries(overrides, "discriminator"):
            found.pop("discriminator", None)  # of which what fits is taken
    for player, network in found.items():
        if not _names_another(overrides, player, getattr(chosen, player), network):
            continue
        if state.is_file():
            raise BadRecipe(
                f"--set names another {player} than that of the run in {state.parent.parent}",
                "Leave that out, or train into another folder with --out.",
            )
        raise BadRecipe(
            f"--set names another {player} than that of the start, {chosen.start}", INSTEAD[player]
        )
    return chosen.model_copy(update=found)


def _names_another(overrides: tuple[str, ...], player: str, asked: Network, start: Network) -> bool:
    """Whether --set asks for another network than the start's; what else the recipe has may differ."""
    entries = _entries(overrides, player)
    settings = {entry.removeprefix("config.") for entry in entries if entry.startswith("config.")}
    if asked.name != start.name:
        return "name" in entries or bool(settings)
    if "config" in entries:
        settings |= asked.config.keys()
    config = shelf.take(f"vidgan.{player}s", start.name).Config
    try:
        wanted, there = (asdict(config(**network.config)) for network in (asked, start))
    except TypeError:  # a setting that this network has not got
        return True
    return any(wanted[setting] != there[setting] for setting in settings)


def _entries(overrides: tuple[str, ...], section: str) -> set[str]:
    """What --set changes within a section of the recipe; of a network given whole, all that it has."""
    keys = {override.partition("=")[0].strip() for override in overrides}
    if section in keys:
        return {"name", "config"}
    return {key.removeprefix(f"{section}.") for key in keys if key.startswith(f"{section}.")}


def _train(chosen: Recipe, folder: Path, options: Options, setup: loop.Setup) -> None:
    if options.minutes is not None and (before := _begun(folder)):
        chosen = _as_planned(chosen, before)
        if distributed.rank() == 0:
            setup.say(f"--minutes plans a run when it begins: this one keeps its {chosen.steps} steps")
    elif options.minutes is not None:
        planning.check(chosen)
    run = running.create(
        chosen, folder
    )  # what cannot be played is refused before hours of video are prepared
    if teacher := teaching.teacher_of(chosen, precision=setup.precision, device=torch.device("cpu")):
        teacher.check(run.generator)
    if options.videos and _is_over(chosen, folder, change=options.change):  # its data set is not made anew
        chosen = chosen.model_copy(update={"data": recipe.read(folder / runs.RECIPE).data})
    elif options.videos:
        if (before := _begun(folder)) and not options.change:
            _check_known(options.videos, before, folder)
        with writable(folder):
            chosen = _with_videos(chosen, options, folder, setup)
    if not chosen.data.train:
        raise BadOption(
            "there is nothing to train on", "Name a folder: --videos DIR; or a recipe with [data]."
        )
    if not chosen.data.val:
        raise BadOption(
            "there is nothing to judge by: [data] val is empty",
            "Name footage there; what train names, named again, holds some of it out.",
        )
    run.recipe = chosen
    trained = loop.train(run, folder, setup)
    if distributed.rank() == 0:
        made = "best" if chosen.realistic.steps else "faithful"
        weights = runs.weights_of(folder, made)
        if trained.ahead:
            calibrating.calibrate(weights, trained.recipe.data, folder, setup)
        use = "vidgan analyze --normal" if trained.ahead else "--model"
        setup.say(f"The weights are in {weights}; use them with {use}.")
        setup.say(f"How it went, in pictures: {folder / 'report.html'}")


def _workers() -> int:
    """Loading processes for this one: half of the machine's cores, shared among the processes that torchrun started."""
    together_here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    return max(1, min(MOST_WORKERS, (os.cpu_count() or 2) // 2 // together_here))


def _report(folder: Path) -> None:
    """Where PyAV is missing a prepared data set trains all the same, without pictures."""
    if find_spec("av") is not None:
        from vidgan.report.training import write_report

        write_report(folder)


def _with_videos(chosen: Recipe, options: Options, folder: Path, setup: loop.Setup) -> Recipe:
    """The recipe on these videos: prepared data sets as they are, anything else prepared into the run's folder first.

    It is judged by some of these videos, whatever its own [data] says, unless --set names others.
    """
    videos, place = options.videos, folder / DATA
    names_val = any(override.partition("=")[0].strip() == "data.val" for override in options.overrides)
    prepared = all(map(shards.is_prepared, videos))
    if not prepared:
        _check_apart(videos, place, chosen.data.val if names_val else [])
    if not prepared and distributed.rank() == 0:
        from vidgan.preparation.prepare import Settings, prepare
        from vidgan.report.prepared import write_report

        crop = max(chosen.faithful.crop, chosen.realistic.crop)
        settings = Settings(min_side=crop + crop // 4)  # with its margin
        index = prepare(videos, place, settings, shares=SHARES, table={}, tick=setup.tick)
        if names_val:  # nothing needs to be held out
            for entry in index.entries.values():
                entry.split = "train"
            shards.write_index(index, place)
        report = write_report(index, place)
        clips = sum(len(entry.kept) for entry in index.entries.values())
        setup.say(
            f"clips and photos prepared of {amount(len(index.entries), 'source')}: {clips}; what was left out: {report}"
        )
    distributed.wait()
    train = list(videos) if prepared else [place]
    data = chosen.data.model_copy(
        update={"train": train, "val": (chosen.data.val if names_val else []) or train}
    )
    return chosen.model_copy(update={"data": data})


def _check_apart(videos: tuple[Path, ...], place: Path, val: list[Path]) -> None:
    """Raises BadOption where the videos would hold what is made of them, or what they are to be judged by."""
    for video in videos:
        inside = video.resolve()
        if place.resolve().is_relative_to(inside):
            raise BadOption(
                f"the run would be inside its own videos: {place.parent} is below {video}",
                "Name a folder beside them with --out.",
            )
        for judge in val:
            if judge.resolve().is_relative_to(inside) or inside.is_relative_to(judge.resolve()):
                raise BadOption(
                    f"{judge} is to be validated on, and is trained on as part of {video}",
                    "Put it elsewhere; or leave data.val out, and a tenth of the videos is held out.",
                )


def _check_known(videos: tuple[Path, ...], before: Recipe, folder: Path) -> None:
    """Raises BadOption where a run would go on with none of the videos that it was begun with."""
    seen = {name for place in before.data.train if place.exists() for name in _sources(place)}
    if seen and not seen & {name for video in videos for name in _sources(video)}:
        raise BadOption(
            f"{folder} holds a run that was begun with other videos: {', '.join(sorted(seen)[:MOST_NAMED])}",
            "Name another folder with --out, or add --change to go on with these.",
        )


def _sources(place: Path) -> list[str]:
    """The names of videos, photos and folders of frames, without the folders that hold them."""
    from vidgan.preparation import sources

    prepared = shards.is_prepared(place)
    names = shards.read_index(place).entries if prepared else (found.name for found in sources.find((place,)))
    return [name.rpartition("/")[2] for name in names]


def _is_over(chosen: Recipe, folder: Path, *, change: bool) -> bool:
    """Whether the run in the folder has nothing left to do. Raises BadRecipe where it may not go on in this way."""
    if not runs.state_of(folder).is_file() or not (folder / runs.RECIPE).is_file():
        return False
    run = running.resume(running.create(ground.playable(chosen, ignore), folder), folder, change=change)
    return bool(run.stopped) or run.step >= run.recipe.steps


def _begun(folder: Path) -> Recipe | None:
    """What the run in the folder was last played under; None where none has begun."""
    path = folder / runs.RECIPE
    return recipe.read(path) if path.is_file() and runs.state_of(folder).is_file() else None


def _as_planned(chosen: Recipe, before: Recipe) -> Recipe:
    """With the stages that an earlier start of the same run has planned."""
    planned: dict[str, object] = {name: getattr(before, name) for name in ("validate_every", "save_every")}
    for stage in ("faithful", "realistic"):
        planned[stage] = getattr(chosen, stage).model_copy(update={"steps": getattr(before, stage).steps})
    planned["game"] = chosen.game.model_copy(update={"ramp": before.game.ramp})
    return chosen.model_copy(update=planned)


def _describe(chosen: Recipe, setup: loop.Setup, console: Console) -> None:
    """What it would cost, from a few steps of each stage on noise."""
    chosen = ground.playable(chosen, setup.say)
    plan = planning.plan(chosen, ground.table_of(chosen, setup))
    for name, count in plan.parameters.items():
        console.print(f"{name}: {getattr(chosen, name).name}, {count / 1e6:.3f} M parameters")
    for name, cost in plan.costs.items():
        stage = getattr(chosen, name)
        console.print(
            f"{name}: {amount(stage.steps, 'step')} of {amount(stage.batch, 'clip')} of "
            f"{amount(stage.frames, 'frame')}, {stage.crop}x{stage.crop}; "
            f"{cost.gflop:.0f} GFLOP and {cost.seconds:.2g} s a step: {cost.seconds * stage.steps / 3600:.2g} hours",
            soft_wrap=True,
        )
    held = f"{plan.memory_mb:.0f} MB of memory, " if plan.memory_mb is not None else ""
    told = f"on {setup.device.type} in {hardware.word_of(setup.precision)}: "
    console.print(f"{told}{held}{plan.hours:.2g} hours and its validations, if it stays as busy as it is now")
