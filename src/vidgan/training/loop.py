"""The loop: batches through the game, and every so often a look at clips that are never trained on."""

import contextlib
import math
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from vidgan import checkpoint, interrupt, runs, score
from vidgan.errors import VidganError
from vidgan.journal import LOG
from vidgan.silence import ignore
from vidgan.training import distributed, feeding, game, planning, stopping, strips, supervisor
from vidgan.training.folder import writable, write_recipe
from vidgan.training.ground import Ground, Setup, playable, prepared
from vidgan.training.run import Run, begin_realistic, place, resume, save

__all__ = ["Setup", "train"]

Row = dict[str, float]
# What is said of a validation; the log has all of it.
SHOWN = {
    "val_psnr_y": "PSNR-Y",
    "val_lpips": "LPIPS",
    "val_features": "features",
    "val_tof": "tOF",
    "val_tlp": "tLP",
    "val_temporal": "temporal error",
    "val_accuracy": "D right",
    "val_overfit": "D by heart",
}


class Trouble(Exception):
    """What the supervisor has found, in words."""


def train(run: Run, folder: Path, setup: Setup) -> Run:
    """Play the whole game, or what is left of it. Leaves in the folder:

    recipe.toml           what was played
    log.jsonl             a line of numbers per validation, and one per event
    strips/               pictures, one per validation
    tensorboard/          the same numbers, where TensorBoard is installed
    checkpoints/
      state.safetensors     to go on from
      faithful.safetensors  the generator at the end of the first stage
      best.safetensors      the averaged generator with the best score on the validation clips
      last.safetensors      the averaged generator at the end

    Raises KeyboardInterrupt or SystemExit after Ctrl-C or a polite kill, when the step is done and all is saved;
    VidganError if it cannot go on.
    """
    for stage in (run.recipe.faithful, run.recipe.realistic):
        distributed.own_samples(stage.batch)  # or it is refused here, before anything is packed
    with writable(folder):
        run.recipe = playable(run.recipe, setup.say if distributed.rank() == 0 else ignore)
        folder.mkdir(parents=True, exist_ok=True)
        distributed.wait()
        place(run, setup.device, setup.precision)
        run = resume(run, folder, change=setup.change)
        ground = prepared(run, folder, setup)
        (folder / runs.CHECKPOINTS).mkdir(exist_ok=True)
        try:
            with interrupt.remembered(ground.asked):
                _play(run, ground)
            ground.asked.leave()  # after the last step all is done, and the signal still to be answered
        finally:
            if ground.journal is not None:
                ground.journal.close()
                if (folder / LOG).is_file():
                    with contextlib.suppress(OSError, VidganError):  # of what went wrong the first is told
                        setup.after(folder)  # the last weights and events came after the last look
    return run


def _play(run: Run, ground: Ground) -> None:
    if run.stopped or run.step >= run.recipe.steps:
        _tell(
            ground,
            f"this run is finished: {run.stopped or f'{run.step} steps'}. Name another --out to begin anew",
        )
        return
    if run.step == 0:
        _begin(run, ground)
    else:
        if ground.journal is not None:
            write_recipe(run.recipe, ground.folder)
        _tell(ground, f"going on from step {run.step} of {run.recipe.steps}")
        if run.taken:
            _tell(ground, run.taken)
        _event(ground, run.step, "resumed", f"{run.recipe.steps - run.step} steps are left")
    while run.step < run.recipe.steps and not run.stopped:
        if run.realistic and run.stage_step == 0:
            begin_realistic(run)
            run.watch = supervisor.Watch()  # other losses, other gradients
        try:
            _play_stage(run, ground)
        except Trouble as trouble:
            _roll_back(run, ground, str(trouble))


def _begin(run: Run, ground: Ground) -> None:
    """Look where the networks stand, plan the time where that is asked for, and save: there is a way back now."""
    if run.taken:
        _tell(ground, run.taken)
    started = time.perf_counter()
    row = validate(run, ground)
    taken = time.perf_counter() - started
    if ground.setup.minutes is not None:
        run.recipe, words = planning.planned(run.recipe, ground.table, ground.setup.minutes, taken)
        _tell(ground, words)
        _event(ground, 0, "planned", words)
    if ground.journal is not None:
        write_recipe(run.recipe, ground.folder)
    _note(run, ground, {"step": 0, **row})
    _save(run, ground)


def _play_stage(run: Run, ground: Ground) -> None:
    """The steps that are left of the stage that the run is in. Raises Trouble."""
    recipe, rule = run.recipe, run.recipe.supervisor
    step_of = game.realistic_step if run.realistic else game.faithful_step
    stop = recipe.steps if run.realistic else recipe.faithful.steps
    table = game.recorded(run, ground.table)
    means, started, said = Means(), time.perf_counter(), _Said(stop)
    for low, high in feeding.batches(run, ground, range(run.step, stop)):
        numbers = distributed.means(
            step_of(run, low.float() / 255, high.float() / 255, table) | {"asked": _asked(ground)}
        )
        run.step += 1
        asked = numbers.pop("asked")
        if trouble := supervisor.trouble_in_step(run.watch, numbers, rule):
            raise Trouble(trouble)
        means.add(numbers)
        said.step(run, ground, numbers)
        due = run.step % recipe.validate_every == 0 and stop - run.step >= recipe.validate_every / 2
        if due or run.step == stop:
            row = {"step": run.step, "seconds": round(time.perf_counter() - started, 1), **means.taken()}
            _look(run, ground, row)
            said.row = row
            means, started = Means(), time.perf_counter()
        ended = run.step == stop or bool(run.stopped)
        if ended:
            _keep(run, ground, "faithful" if stop == recipe.faithful.steps else "last", _results(said.row))
        # After a look, too: what it kept as best must be known to whoever comes back here.
        if ended or asked or ((due or run.step % recipe.save_every == 0) and supervisor.calm(run.watch)):
            _save(run, ground)
        if asked:
            _tell(
                ground,
                f"stopped after step {run.step}; {ground.folder} keeps it, and the same command goes on",
            )
            ground.asked.leave()
            raise SystemExit(1)  # another process was asked
        if run.stopped:
            return


def _look(run: Run, ground: Ground, row: Row) -> None:
    """Validate, judge whether to go on, and keep what is best. Raises Trouble."""
    row |= validate(run, ground)
    if broken := [words for name, words in SHOWN.items() if math.isnan(row.get(name, 0.0))]:
        raise Trouble(f"{', '.join(broken)}: not a number on held-out clips")
    _judge_end(run, ground, row)
    _note(run, ground, row)
    if trouble := supervisor.trouble_in_validation(run.watch, row, run.recipe.supervisor):
        raise Trouble(trouble)
    _keep_best(run, ground, row)
    if run.step > run.troubled_at and not run.watch.streaks.get("overfit"):
        run.tries = 0  # that which takes three validations to be sure of may still be going on


def _roll_back(run: Run, ground: Ground, why: str) -> None:
    """To the last good state, with lower rates and other samples. Raises VidganError after too many."""
    rule, failed = run.recipe.supervisor, run.step
    again = {
        "tries": run.tries + 1,
        "attempt": run.attempt + 1,
        "cooling": run.cooling * rule.cooling,
        "troubled_at": failed,
        "watch": supervisor.Watch(),
        "best": run.best,  # as its file: a look while something is suspected keeps the best, and no state
    }
    distributed.wait()
    resume(run, ground.folder, change=ground.setup.change)
    for name, value in again.items():
        setattr(run, name, value)
    if run.tries > rule.tries:
        _event(ground, failed, "gave up", why)
        raise VidganError(
            f"training gave up at step {failed}, after {rule.tries} roll-backs in vain: {why}",
            f"The last good state, of step {run.step}, is in {ground.folder / runs.CHECKPOINTS}. Try a lower lr, a "
            "larger [game] penalty or a smaller game weight; docs/training.md says which helps against what.",
        )
    words = f"{why}; back to step {run.step}, with {run.cooling:g} of the rates"
    _tell(ground, f"step {failed}: {words}")
    _event(ground, failed, "rolled back", words)
    _save(run, ground)


class Means:
    """Means of the numbers of many steps. A step with a number that is not finite moved nothing and is only counted."""

    def __init__(self) -> None:
        self.sums: dict[str, float] = defaultdict(float)
        self.counts: dict[str, int] = defaultdict(int)
        self.num_skipped = 0

    def add(self, numbers: Mapping[str, float]) -> None:
        if not all(map(math.isfinite, numbers.values())):
            self.num_skipped += 1
            return
        for name, number in numbers.items():
            self.sums[name] += number
            self.counts[name] += 1

    def taken(self) -> Row:
        skipped = {"skipped": self.num_skipped} if self.num_skipped else {}
        return {name: total / self.counts[name] for name, total in self.sums.items()} | skipped


class _Said:
    """The line that a waiting user reads."""

    def __init__(self, stop: int) -> None:
        self.stop = stop  # the last step of the stage
        # Counted from the end of the first step on: before it loaders start, and a teacher may fill a pool.
        self.first: float | None = None
        self.steps = 0
        self.row: Row = {}

    def step(self, run: Run, ground: Ground, numbers: Mapping[str, float]) -> None:
        now = time.perf_counter()
        if self.first is None:
            self.first = now
        else:
            self.steps += 1
        weights = run.stage.losses.model_dump()
        # At the end of a stage the run is in the next one already, whose losses are others.
        terms = [name for name in numbers if weights.get(name)]
        shown = [f"{name.replace('_', ' ')} {numbers[name]:.3g}" for name in terms]
        if "accuracy" in numbers:
            shown.append(f"D right {run.accuracy:.0%}")
        if self.steps:
            rate = self.steps / (now - self.first)
            shown.append(f"{rate:.2g} steps/s" if rate >= 1 else f"{1 / rate:.2g} s/step")
        names = ("val_psnr_y", stopping.looks(self.row))
        last = [f"{SHOWN[name]} {self.row[name]:.4g}" for name in names if name in self.row]
        stage = "faithful" if self.stop == run.recipe.faithful.steps else "realistic"
        note = " ".join([stage, "·", ", ".join(shown), *(["· held out:", ", ".join(last)] if last else [])])
        if ground.journal is not None:
            # Of the stage: a step of the other one takes another time.
            ground.setup.tick(run.step, self.stop, note)


def validate(run: Run, ground: Ground) -> Row:
    """Scores of the averaged generator, and the discriminator's verdicts, on clips that nobody trains on."""
    own, precision = ground.held_out[distributed.own_share()], ground.table.precision
    rows = score.rows(run.ema, own, measures=ground.metrics, precision=precision)
    found = distributed.mean_of_rows(rows)
    if run.realistic and run.stage_step:
        margins = {}
        for name, clips in (("held out", own), ("seen", ground.seen[distributed.own_share()])):
            run.discriminator.eval()  # or judging would move what normalises a unet's weights
            verdicts = score.judged(run.ema, run.discriminator, clips, precision=precision)
            run.discriminator.train()
            mean = distributed.mean_of_rows(verdicts)
            if name == "held out":
                found |= {"accuracy": mean["accuracy"]}
            if mean:
                margins[name] = mean["margin"]
        share = supervisor.overfit(margins.get("seen", 0.0), margins["held out"])
        found |= {"overfit": share} if share is not None else {}
    return {f"val_{name}": number for name, number in found.items()}


def _keep_best(run: Run, ground: Ground, row: Row) -> None:
    """In the realistic stage, by the measure of looks; where there is none, the latest that keeps to the rule.

    What the run was stopped for is never kept: the rule has just said that it is worse, or no better.
    """
    if not run.realistic or not run.stage_step:
        return
    if run.best:
        name = stopping.looks(row)
        if run.stopped or (name in run.best and row[name] >= run.best[name]):
            return
        if not name and not stopping.keeps_to(row, run.history[0], run.recipe.stopping):
            return
    run.best = _results(row)
    _keep(run, ground, "best", run.best)


def _results(row: Row) -> Row:
    """Of what was seen and measured, that which a checkpoint's card tells."""
    return {key: number for key, number in row.items() if key.startswith("val_") or key == "step"}


def _keep(run: Run, ground: Ground, name: str, results: Row) -> None:
    if ground.journal is None:
        return
    told = run.recipe.model_dump(mode="json", exclude={"data": {"train", "val", "replay"}})
    # The card travels, and folders are nobody else's concern.
    told |= {key: Path(told[key]).name for key in ("start", "opponent", "teacher") if told[key]}
    card = checkpoint.card_of(run.ema, recipe=told, results=results, step=run.step)
    checkpoint.save_generator(run.ema, card, runs.weights_of(ground.folder, name))


def _judge_end(run: Run, ground: Ground, row: Row) -> None:
    """Stop the realistic stage where its validations say that it has had enough."""
    if not run.realistic:
        return
    run.history.append({name: row[name] for name in ("step", *stopping.WATCHED) if name in row})
    run.stopped = stopping.why_stop(run.history, run.recipe.stopping)
    if run.stopped:
        _event(ground, run.step, "stopped", run.stopped)
        _tell(ground, f"stopped at step {run.step}: {run.stopped}")


def _note(run: Run, ground: Ground, row: Row) -> None:
    """Into the log, as a picture, and to whoever waits."""
    if ground.journal is None:
        return
    ground.journal.note(row)
    picture = ground.folder / strips.FOLDER / f"step-{run.step:06}.png"
    with contextlib.suppress(ModuleNotFoundError):  # without PyAV nobody can write one
        strips.write(run.ema, ground.held_out, picture, precision=ground.table.precision)
    ground.setup.after(ground.folder)
    told = {name: words for name, words in SHOWN.items() if name in row}
    numbers = ", ".join(f"{words} {row[name]:.4g}" for name, words in told.items())
    _tell(ground, f"step {row['step']}: {numbers}")


def _event(ground: Ground, step: int, what: str, why: str) -> None:
    if ground.journal is not None:
        ground.journal.event(step, what, why)


def _asked(ground: Ground) -> Tensor:
    """Above 0 in the mean over the processes where any of them was asked to end."""
    return torch.tensor(float(bool(ground.asked.signal)), device=ground.table.device)


def _tell(ground: Ground, line: str) -> None:
    if ground.journal is not None:
        ground.setup.say(line)


def _save(run: Run, ground: Ground) -> None:
    if ground.journal is not None:
        save(run, ground.folder)
    distributed.wait()
