"""The loop: batches through the game, and every so often a look at clips that are never trained on."""

import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from vidgan import checkpoint, dataset, score
from vidgan.errors import BadVideo, VidganError
from vidgan.features import Lpips, load_lpips
from vidgan.progress import Tick
from vidgan.recipe import Recipe
from vidgan.training import game, stopping
from vidgan.training.run import Run, begin_realistic, resume, save

VALIDATION_FRAMES = 8
LOG = "log.jsonl"
Tell = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Ground:
    """What a run is played on; nothing in it has to be saved."""

    folder: Path
    store: dataset.Store
    held_out: list[score.Pair]
    table: game.Table
    with_lpips: bool
    say: Tell
    tick: Tick
    workers: int  # processes that prepare batches ahead; 0 does it between the steps


def train(run: Run, folder: Path, *, say: Tell, tick: Tick, half: bool, workers: int = 1) -> Run:
    """Play the whole game, or what is left of it. Leaves in the folder:

    state.safetensors      to go on from
    faithful.safetensors   the generator at the end of the first stage
    best.safetensors       the averaged generator with the best score on the validation clips
    last.safetensors       the averaged generator at the end
    log.jsonl              a line of numbers per validation
    """
    folder.mkdir(parents=True, exist_ok=True)
    run, recipe = resume(run, folder), run.recipe
    if run.step:
        say(f"going on from step {run.step} of {recipe.steps}")
    ground = Ground(
        folder=folder,
        store=dataset.pack(recipe.data.train, folder / "train.store", say=say),
        held_out=_held_out(dataset.pack(recipe.data.val, folder / "val.store", say=say, split="val"), run),
        table=game.Table(perceptual=_perceptual(recipe), rng=torch.Generator(), half=half),
        with_lpips=_lpips_at_hand(say),
        say=say,
        tick=tick,
        workers=workers,
    )
    if run.step == 0:
        _note(ground, {"step": 0, **validate(run, ground)})
    while run.step < recipe.steps and not run.stopped:
        if run.realistic and run.stage_step == 0:
            begin_realistic(run)
        _play_stage(run, ground)
        name = "last" if run.step == recipe.steps or run.stopped else "faithful"
        checkpoint.save_generator(run.ema, _card(run), folder / f"{name}.safetensors")
    return run


def _play_stage(run: Run, ground: Ground) -> None:
    """The steps that are left of the stage that the run is in."""
    recipe = run.recipe
    name, step_of, stop = (
        ("realistic", game.realistic_step, recipe.steps)
        if run.realistic
        else ("faithful", game.faithful_step, recipe.faithful.steps)
    )
    means, started = Means(), time.perf_counter()
    for low, high in _batches(run, ground, range(run.step, stop)):
        # So that a resumed run draws what it would have drawn.
        ground.table.rng.manual_seed(recipe.seed << 32 | run.step)
        numbers = step_of(run, low.float() / 255, high.float() / 255, ground.table)
        run.step += 1
        means.add(numbers)
        ground.tick(run.step, recipe.steps, name)
        if run.step % recipe.validate_every == 0 or run.step == stop:
            row = {"step": run.step, "seconds": round(time.perf_counter() - started, 1)}
            row |= means.taken(f"step {run.step}", ground.folder)
            row |= validate(run, ground)
            _keep_best(run, row, ground.folder)
            _note(ground, row)
            _judge_end(run, row, ground)
            means, started = Means(), time.perf_counter()
        if run.step % recipe.save_every == 0 or run.step == stop or run.stopped:
            save(run, ground.folder)
        if run.stopped:
            return


def _batches(run: Run, ground: Ground, steps: range) -> Iterable[tuple[Tensor, Tensor]]:
    stage, scale = run.stage, cast(int, run.generator.scale)
    if small := ground.store.smaller_than(stage.crop + 2 * dataset.MARGIN * scale):
        ground.say(f"too small for a crop of {stage.crop} pixels and its margin: {', '.join(small)}")
    batches = dataset.Batches(store=ground.store.without(small), recipe=run.recipe, stage=stage, scale=scale)
    prefetch = 4 if ground.workers else None
    return DataLoader(
        batches, batch_size=None, sampler=steps, num_workers=ground.workers, prefetch_factor=prefetch
    )


class Means:
    """Of the numbers of many steps; one with a number that is not finite moved nothing, and only counts."""

    def __init__(self) -> None:
        self.sums: dict[str, Tensor] = defaultdict(lambda: torch.zeros(()))
        self.counts: dict[str, int] = defaultdict(int)
        self.num_steps = self.num_skipped = 0

    def add(self, numbers: game.Numbers) -> None:
        self.num_steps += 1
        if not all(bool(torch.isfinite(number)) for number in numbers.values()):
            self.num_skipped += 1
            return
        for name, number in numbers.items():
            self.sums[name] += number
            self.counts[name] += 1

    def taken(self, when: str, folder: Path) -> dict[str, float]:
        """Raises VidganError if more than half of the steps were not finite."""
        if 2 * self.num_skipped > self.num_steps:
            raise VidganError(
                f"the training's numbers are not finite at {when}",
                f"The last good state is in {folder}; go on from it with a lower lr.",
            )
        skipped = {"skipped": self.num_skipped} if self.num_skipped else {}
        return {name: float(total) / self.counts[name] for name, total in self.sums.items()} | skipped


def validate(run: Run, ground: Ground) -> dict[str, float]:
    """Scores of the averaged generator, and the discriminator's accuracy, on clips that nobody trains on."""
    scores = score.score(run.ema, ground.held_out, with_lpips=ground.with_lpips, half=ground.table.half)
    if run.realistic and run.stage_step:
        scores["accuracy"] = score.judged(run.ema, run.discriminator, ground.held_out, half=ground.table.half)
    return {f"val_{name}": number for name, number in scores.items()}


def _keep_best(run: Run, row: dict[str, float], folder: Path) -> None:
    """Best by LPIPS in the realistic stage (by PSNR-Y where LPIPS's weights are absent)."""
    if not run.realistic or not run.stage_step:
        return
    name, sign = ("val_lpips", 1) if "val_lpips" in row else ("val_psnr_y", -1)
    if name not in run.best or sign * row[name] < sign * run.best[name]:
        run.best = {key: row[key] for key in ("val_psnr_y", "val_lpips", "val_accuracy") if key in row}
        checkpoint.save_generator(run.ema, _card(run), folder / "best.safetensors")


def _judge_end(run: Run, row: dict[str, float], ground: Ground) -> None:
    """Stop the realistic stage where its validations say that it has had enough."""
    if not run.realistic:
        return
    run.history.append({name: row[name] for name in ("step", "val_psnr_y", "val_lpips") if name in row})
    run.stopped = stopping.why_stop(run.history, run.recipe.stopping)
    if run.stopped:
        with (ground.folder / LOG).open("a") as file:
            file.write(json.dumps({"step": run.step, "event": "stopped", "why": run.stopped}) + "\n")
        ground.say(f"stopped at step {run.step}: {run.stopped}")


def _card(run: Run) -> checkpoint.Card:
    told = run.recipe.model_dump(mode="json", exclude={"data": {"train", "val"}})
    return checkpoint.card_of(run.ema, recipe=told, results=run.best, step=run.step)


def _held_out(store: dataset.Store, run: Run) -> list[score.Pair]:
    """Raises BadVideo if there is no clip of the three frames that the discriminator looks at."""
    names = [name for name in store.videos if store.shapes[name][0] >= 3]
    if not names:
        raise BadVideo(
            "there is no video of three frames or more to validate on", "Name some under [data] val."
        )
    clips = [store.read(name, slice(VALIDATION_FRAMES), slice(None), slice(None)) for name in names]
    return score.pairs(clips, cast(int, run.generator.scale), frames=VALIDATION_FRAMES)


def _perceptual(recipe: Recipe) -> Lpips | None:
    if not (recipe.faithful.losses.perceptual or recipe.realistic.losses.perceptual):
        return None
    return load_lpips("vgg", taps=4)


def _lpips_at_hand(say: Tell) -> bool:
    try:
        load_lpips("alex")
    except VidganError as error:
        say(f"no LPIPS in the validation: {error.found}")
        return False
    return True


def _note(ground: Ground, row: dict[str, float]) -> None:
    with (ground.folder / LOG).open("a") as file:
        file.write(json.dumps(row) + "\n")
    ground.say("  ".join(f"{name} {value:.4g}" for name, value in row.items()))
