"""How long a training takes on this machine, and how to make it fit: measured, not guessed."""

import math
import time
from dataclasses import dataclass
from statistics import median

import torch
from torch.utils.flop_counter import FlopCounterMode

from vidgan import dataset, hardware
from vidgan.errors import BadOption
from vidgan.recipe import Recipe, Stage
from vidgan.training import distributed, game
from vidgan.training import run as running

PROBED = 25  # steps of each stage, of which the first WARM are not counted
WARM = 5
FAITHFUL_SHARE = 0.45  # of the time
FEWEST = 20  # steps of a stage that are worth the name
VALIDATING_SHARE = 0.15  # most of the time that validations may take
VALIDATIONS = 32  # that a run is better for having, where they are that cheap


@dataclass(frozen=True)
class Cost:
    """Of a stage."""

    seconds: float  # a step
    gflop: float  # a step; a multiplication and an addition are two
    filling: float = 0.0  # seconds before the first step, in which a teacher looks at a pool


def cost(recipe: Recipe, stage: str, table: game.Table, *, steps: int, count: bool = False) -> Cost:
    """Play steps of a stage on noise, with networks that are thrown away. Without counting its gflop is 0."""
    run = running.create(recipe.model_copy(update={"start": None, "opponent": ""}))
    if table.teacher:
        table.teacher.check(run.generator)
    running.place(run, table.device, table.precision)
    chosen: Stage = getattr(recipe, stage)
    if stage == "realistic":
        run.step = recipe.faithful.steps + recipe.game.ramp
        running.begin_realistic(run)
    play = game.realistic_step if stage == "realistic" else game.faithful_step
    scale = run.generator.scale
    batch = len(distributed.own_samples(chosen.batch))
    low = torch.rand(batch, chosen.frames, 3, chosen.crop // scale, chosen.crop // scale)
    high = torch.rand(batch, chosen.frames, 3, chosen.crop, chosen.crop)

    def step() -> float:
        if table.teacher:
            table.teacher.taught(_fresh(recipe, chosen, scale))
        return float(play(run, low, high, table)["generator_slope"])  # waits for an accelerator

    gflop, taken = 0.0, []
    if count:
        with FlopCounterMode(display=False) as counter:
            step()
        gflop = counter.get_total_flops() / 1e9
    table = game.recorded(run, table)
    for _ in range(steps):
        started = time.perf_counter()
        step()
        taken.append(time.perf_counter() - started)
        run.accuracy = 0.5  # noise is told apart at once, and a resting discriminator would cost nothing
    filling = 0.0
    if table.teacher and recipe.data.reuse > 1:
        started = time.perf_counter()
        table.teacher.taught(_fresh(recipe, chosen, scale))
        filling = dataset.chunks_held(recipe, chosen) * (time.perf_counter() - started)
    numbers = {"seconds": median(taken[min(WARM, steps - 1) :]), "filling": filling}
    means = distributed.means({name: torch.tensor(number) for name, number in numbers.items()})
    return Cost(gflop=gflop, **means)


def _fresh(recipe: Recipe, stage: Stage, scale: int) -> tuple[torch.Tensor, torch.Tensor]:
    """What a step brings that a teacher has not seen, in black: its whole batch, or what is new in a pool."""
    feed = stage if recipe.data.reuse == 1 else dataset.feed(recipe, stage)
    clips = -(-feed.batch // distributed.world())
    sides = (feed.crop // scale, feed.crop)
    low, high = (torch.zeros(clips, stage.frames, 3, side, side, dtype=torch.uint8) for side in sides)
    return low, high


def check(recipe: Recipe) -> None:
    """Raises BadOption where there are no two stages to share out the time between."""
    if not recipe.realistic.steps:
        raise BadOption(
            "--minutes shares out the time between two stages, and realistic.steps is 0",
            "Leave --minutes out: --set faithful.steps=N says how long the first stage takes.",
        )


def planned(
    recipe: Recipe, table: game.Table, minutes: float, validation_seconds: float
) -> tuple[Recipe, str]:
    """The recipe with stages that take so many minutes, its validations included; and the plan in words.

    validation_seconds  what one took
    Raises BadOption where that is too little for both stages.
    """
    own = distributed.means({"seconds": torch.tensor(validation_seconds)})["seconds"]
    check(recipe)
    found = {stage: cost(recipe, stage, table, steps=PROBED) for stage in ("faithful", "realistic")}
    costs = {stage: one.seconds for stage, one in found.items()}
    before = sum(costs.values()) * PROBED + sum(one.filling for one in found.values())
    looks = min(max(int(minutes * 60 * VALIDATING_SHARE / max(own, 1e-3)), 2), VALIDATIONS)
    left = minutes * 60 - looks * own - before
    shares = {"faithful": FAITHFUL_SHARE, "realistic": 1 - FAITHFUL_SHARE}
    steps = {stage: int(left * share / costs[stage]) for stage, share in shares.items()}
    if min(steps.values()) < FEWEST:
        training = FEWEST * sum(costs[stage] / share for stage, share in shares.items()) + before
        # Beside two validations; or, where they are cheap, beside as many as their share of the time holds.
        least = max(training + 2 * own, training / (1 - VALIDATING_SHARE)) / 60
        short = f"{_minutes(minutes)} {'is' if minutes == 1 else 'are'} too short"
        raise BadOption(
            f"{short}: a step takes {costs['faithful']:.2g} s in the first stage and {costs['realistic']:.2g} s in the "
            f"second, a validation {own:.2g} s",
            f"Give it at least {_minutes(math.ceil(least))}; hours are better.",
        )
    changed = {stage: getattr(recipe, stage).model_copy(update={"steps": steps[stage]}) for stage in steps}
    every = math.ceil(sum(steps.values()) / max(looks - 2, 1))  # two are those at the ends of the stages
    game_rule = recipe.game.model_copy(update={"ramp": min(recipe.game.ramp, steps["realistic"] // 8)})
    whole = recipe.model_copy(
        update={**changed, "game": game_rule, "validate_every": every, "save_every": max(1, min(every, 250))}
    )
    words = (
        f"{_minutes(minutes)}: {steps['faithful']} faithful steps of {costs['faithful']:.2g} s, "
        f"{steps['realistic']} realistic ones of {costs['realistic']:.2g} s, a look every {every}"
    )
    return whole, words


def _minutes(count: float) -> str:
    return f"{count:g} minute{'' if count == 1 else 's'}"


@dataclass(frozen=True)
class Plan:
    """What a recipe would cost here."""

    parameters: dict[str, int]
    costs: dict[str, Cost]
    memory_mb: float | None  # the most that this process held while it played a few steps
    hours: float  # validations not included


def plan(recipe: Recipe, table: game.Table) -> Plan:
    """Play a few steps of each stage that the recipe has."""
    run = running.create(recipe)
    parameters = {
        name: sum(weight.numel() for weight in getattr(run, name).parameters())
        for name in ("generator", "discriminator")
    }
    costs = {
        stage: cost(recipe, stage, table, steps=4, count=True)
        for stage in ("faithful", "realistic")
        if getattr(recipe, stage).steps
    }
    seconds = [getattr(recipe, stage).steps * one.seconds + one.filling for stage, one in costs.items()]
    return Plan(parameters, costs, hardware.peak_memory_mb(table.device), sum(seconds) / 3600)
