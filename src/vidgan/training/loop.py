"""The loop: batches through the game, and every so often a look at clips that are never trained on."""

import json
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from vidgan import checkpoint, dataset, score
from vidgan.errors import VidganError
from vidgan.features import Lpips, load_lpips
from vidgan.progress import Tick
from vidgan.recipe import Recipe
from vidgan.training import game
from vidgan.training.run import Run, begin_realistic, resume, save

VALIDATION_FRAMES = 8
LOG = "log.jsonl"
Tell = Callable[[str], None]


def train(run: Run, folder: Path, *, say: Tell, tick: Tick, half: bool) -> Run:
    """Play the whole game, or what is left of it. Leaves in the folder:

    state.safetensors      to go on from
    faithful.safetensors   the generator at the end of the first stage
    best.safetensors       the averaged generator with the best score on the validation clips
    last.safetensors       the averaged generator at the end
    log.jsonl              a line of numbers per validation
    """
    run, recipe = resume(run, folder), run.recipe
    if run.step:
        say(f"going on from step {run.step} of {recipe.steps}")
    table = game.Table(
        perceptual=_perceptual(recipe), rng=torch.Generator().manual_seed(recipe.seed), half=half
    )
    train_store = dataset.pack(recipe.data.train, folder / "train.store", say=say)
    held_out = _held_out(dataset.pack(recipe.data.val, folder / "val.store", say=say), run)
    with_lpips = _lpips_at_hand(say)
    if run.step == 0:
        _note(folder, {"step": 0, **validate(run, held_out, with_lpips, table)}, say)
    while run.step < recipe.steps:
        if run.realistic and run.stage_step == 0:
            begin_realistic(run)
        _play_stage(run, train_store, folder, table, held_out, with_lpips, say, tick)
        if run.stage_step == 0 or run.step == recipe.steps:
            name = "faithful" if run.step <= recipe.faithful.steps else "last"
            checkpoint.save_generator(run.ema, _card(run), folder / f"{name}.safetensors")
    return run


def _play_stage(
    run: Run,
    store: dataset.Store,
    folder: Path,
    table: game.Table,
    held_out: list[score.Pair],
    with_lpips: bool,
    say: Tell,
    tick: Tick,
) -> None:
    recipe, stage, step_of = (
        run.recipe,
        run.stage,
        game.realistic_step if run.realistic else game.faithful_step,
    )
    scale = run.generator.scale
    stop = recipe.steps if run.realistic else recipe.faithful.steps
    if small := store.drop_smaller(stage.crop + 2 * dataset.MARGIN * scale):  # type: ignore[operator]
        say(f"too small for a crop of {stage.crop} pixels and its margin: {', '.join(small)}")
    batches = dataset.Batches(store, recipe, stage, scale)  # type: ignore[arg-type]
    loader = DataLoader(
        batches, batch_size=None, sampler=range(run.step, stop), num_workers=1, prefetch_factor=4
    )
    sums: dict[str, Tensor] = defaultdict(lambda: torch.zeros(()))
    counts: dict[str, int] = defaultdict(int)
    started = time.perf_counter()
    for low, high in loader:
        table.rng.manual_seed(recipe.seed << 32 | run.step)  # so that a resumed run draws what it would have drawn
        numbers = step_of(run, low.float() / 255, high.float() / 255, table)
        run.step += 1
        for name, number in numbers.items():
            sums[name] += number
            counts[name] += 1
        tick(run.step, recipe.steps, "realistic" if stage is recipe.realistic else "faithful")
        if run.step % recipe.validate_every == 0 or run.step == stop:
            means = {name: float(total) / counts[name] for name, total in sums.items()}
            if not all(map(torch.isfinite, map(torch.tensor, means.values()))):
                raise VidganError(
                    f"the training's numbers are not finite at step {run.step}: {means}",
                    f"The last good state is in {folder}; go on from it with a lower lr.",
                )
            row = {"step": run.step, "seconds": round(time.perf_counter() - started, 1), **means}
            row |= validate(run, held_out, with_lpips, table)
            _keep_best(run, row, folder)
            _note(folder, row, say)
            sums.clear()
            counts.clear()
            started = time.perf_counter()
        if run.step % recipe.save_every == 0 or run.step == stop:
            save(run, folder)


def validate(
    run: Run, held_out: list[score.Pair], with_lpips: bool, table: game.Table
) -> dict[str, float]:
    """Scores of the averaged generator, and the discriminator's accuracy, on clips that nobody trains on."""
    scores = score.score(run.ema, held_out, with_lpips=with_lpips, half=table.half)
    if run.realistic:
        scores["accuracy"] = score.judged(run.ema, run.discriminator, held_out, half=table.half)
    return {f"val_{name}": number for name, number in scores.items()}


def _keep_best(run: Run, row: dict[str, float], folder: Path) -> None:
    """Best by LPIPS in the realistic stage (by PSNR-Y where LPIPS's weights are absent)."""
    if not run.realistic and run.step != run.recipe.steps:
        return
    name, sign = ("val_lpips", 1) if "val_lpips" in row else ("val_psnr_y", -1)
    if name not in run.best or sign * row[name] < sign * run.best[name]:
        run.best = {key: value for key, value in row.items() if key.startswith("val_")}
        checkpoint.save_generator(run.ema, _card(run), folder / "best.safetensors")


def _card(run: Run) -> checkpoint.Card:
    return checkpoint.card_of(
        run.ema, recipe=run.recipe.model_dump(mode="json", exclude={"data": {"train", "val"}}), results=run.best,
        step=run.step,
    )  # fmt: skip


def _held_out(store: dataset.Store, run: Run) -> list[score.Pair]:
    clips = [store.read(name, slice(None), slice(None), slice(None)) for name in store.videos]
    return score.pairs(clips, run.generator.scale, frames=VALIDATION_FRAMES)  # type: ignore[arg-type]


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


def _note(folder: Path, row: dict[str, float], say: Tell) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOG).open("a") as file:
        file.write(json.dumps(row) + "\n")
    say("  ".join(f"{name} {value:.4g}" for name, value in row.items()))
