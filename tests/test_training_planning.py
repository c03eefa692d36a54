"""Plans: stages that fit the time, and what a recipe would cost."""

import json
import time

import pytest
import torch

from test_training import FAITHFUL, folder, play, recipe, stage, still
from vidgan.errors import BadOption
from vidgan.recipe import Data
from vidgan.training import game, loop, planning
from vidgan.verbs import train

__all__ = ["folder"]  # a fixture
TABLE = game.Table()


@pytest.fixture
def costs(monkeypatch):
    """Stages whose steps take a tenth and three tenths of a second."""
    seconds = {"faithful": 0.1, "realistic": 0.3}
    monkeypatch.setattr(
        planning, "cost", lambda recipe, stage, table, *, steps: planning.Cost(seconds[stage], 0.0)
    )
    return seconds


@pytest.mark.parametrize("minutes", [1.0, 10.0, 600.0])
@pytest.mark.parametrize("validation", [0.01, 2.0])
def test_the_stages_and_their_validations_fit_the_time_and_fill_it(costs, minutes, validation):
    planned, words = planning.planned(recipe(), TABLE, minutes, validation)
    stages = {"faithful": planned.faithful.steps, "realistic": planned.realistic.steps}
    looks = sum(-(-steps // planned.validate_every) for steps in stages.values())
    taken = sum(steps * costs[name] for name, steps in stages.items()) + looks * validation
    probing = planning.PROBED * sum(costs.values())
    assert 0.85 * 60 * minutes < taken + probing < 1.05 * 60 * minutes + 2 * validation
    assert looks * validation < 0.2 * 60 * minutes
    assert f"{stages['faithful']} faithful steps of 0.1 s" in words


def test_too_short_a_time_is_an_error_that_says_how_long_it_takes(costs):
    with pytest.raises(BadOption, match=r"(?s)0\.2 minutes are too short.*at least 1 minute;"):
        planning.planned(recipe(), TABLE, 0.2, 1.0)
    with pytest.raises(BadOption, match=r"(?s)1 minute is too short.*at least 2 minutes;"):
        planning.planned(recipe(), TABLE, 1.0, 20.0)


def test_minutes_for_one_stage_alone_are_refused_before_its_videos_are_prepared(folder, monkeypatch):
    def prepared(*_):
        raise AssertionError("hours of video")

    monkeypatch.setattr(train, "_with_videos", prepared)
    options = train.Options(videos=(folder,), minutes=5.0)
    with pytest.raises(
        BadOption, match=r"(?s)realistic\.steps is 0.*Leave --minutes out: --set faithful\.steps"
    ):
        train._train(
            recipe(realistic=stage(FAITHFUL, steps=0)), folder, options, loop.Setup(say=print, tick=still)
        )


@pytest.mark.parametrize("validation", [0.01, 1.0, 4.0, 60.0])
@pytest.mark.parametrize("slower", [1, 2.3, 40])
def test_the_shortest_time_that_is_offered_is_long_enough(costs, validation, slower):
    for name in costs:
        costs[name] *= slower
    with pytest.raises(BadOption) as caught:
        planning.planned(recipe(), TABLE, 0.1, validation)
    offered = float(caught.value.remedy.split("at least ")[1].split(" ")[0])
    planned, _ = planning.planned(recipe(), TABLE, offered, validation)
    assert min(planned.faithful.steps, planned.realistic.steps) >= planning.FEWEST


def test_a_probe_leaves_nothing_behind_and_counts_what_is_done():
    before = torch.random.get_rng_state()
    small = planning.cost(recipe(), "faithful", TABLE, steps=2, count=True)
    large = planning.cost(recipe(faithful=stage(FAITHFUL, crop=64)), "faithful", TABLE, steps=2, count=True)
    assert small.seconds > 0 and large.gflop == pytest.approx(4 * small.gflop, rel=0.3)
    assert planning.cost(recipe(), "realistic", TABLE, steps=2, count=True).gflop > small.gflop
    torch.random.set_rng_state(before)


def test_a_plan_says_parameters_work_memory_and_hours():
    made = recipe()
    plan = planning.plan(made, TABLE)
    assert plan.parameters["generator"] > 1000 and plan.parameters["discriminator"] > 1000
    steps = sum(getattr(made, name).steps * found.seconds for name, found in plan.costs.items())
    assert plan.hours == pytest.approx(steps / 3600)


def test_a_recipe_that_ends_faithful_is_planned_without_its_second_stage():
    plan = planning.plan(recipe(realistic=stage(FAITHFUL, steps=0)), TABLE)
    assert plan.costs.keys() == {"faithful"} and plan.hours > 0


def test_a_run_with_minutes_plans_itself_and_keeps_to_the_plan_when_it_goes_on(folder, monkeypatch):
    monkeypatch.setattr(planning, "PROBED", 3)
    monkeypatch.setattr(planning, "FEWEST", 2)
    whole = recipe()

    def small(recipe, table, minutes, seconds):
        return recipe.model_copy(
            update={"faithful": recipe.faithful.model_copy(update={"steps": 5})}
        ), "a plan"

    monkeypatch.setattr(planning, "planned", small)
    run = play(whole, folder, minutes=5.0)
    assert run.recipe.faithful.steps == 5 and run.step == 5 + whole.realistic.steps
    events = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert events[0] == {"step": 0, "event": "planned", "why": "a plan"}
    assert "steps = 5" in (folder / "recipe.toml").read_text()


def test_the_time_in_which_a_teacher_fills_the_pools_is_taken_off(monkeypatch):
    def cost(filling: float):
        return lambda recipe, stage, table, *, steps: planning.Cost(0.1, 0.0, filling)

    plans = []
    for filling in (0.0, 120.0):
        monkeypatch.setattr(planning, "cost", cost(filling))
        plans.append(planning.planned(recipe(), TABLE, 10.0, 0.01)[0].steps)
    assert plans[0] - plans[1] == pytest.approx(2 * 120 / 0.1, abs=2)


class Slow:
    """A teacher that takes a tenth of a second for whatever it is shown."""

    def check(self, pupil) -> None:
        pass

    def taught(self, pair):
        time.sleep(0.1)
        return pair


def test_a_teacher_fills_as_many_chunks_as_the_pool_holds():
    told = recipe(data=Data(train=[], val=[], reuse=2, pool=3), faithful=stage(FAITHFUL, batch=2))
    found = planning.cost(told, "faithful", game.Table(teacher=Slow()), steps=1)
    assert found.filling >= 0.3 and found.seconds >= 0.1
    once = told.model_copy(update={"data": Data(train=[], val=[])})
    assert planning.cost(once, "faithful", game.Table(teacher=Slow()), steps=1).filling == 0
