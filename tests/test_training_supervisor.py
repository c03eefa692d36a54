"""Every trouble is provoked: seen, rolled back from where that helps, and given up on where it does not."""

import json
import math

import pytest
import torch

from test_training import FAITHFUL, REALISTIC, folder, play, recipe, stage
from vidgan import checkpoint, dataset, losses
from vidgan.errors import VidganError
from vidgan.recipe import Supervisor
from vidgan.training import loop, supervisor
from vidgan.training.supervisor import Watch

__all__ = ["folder"]  # a fixture
RULE = Supervisor(patience=3)
CALM = {"charbonnier": 0.05, "generator_slope": 0.3, "contrast": 1.0, "colour": 0.01}


def watched(rows, rule: Supervisor = RULE) -> str:
    watch = Watch()
    return next((words for row in rows if (words := supervisor.trouble_in_step(watch, row, rule))), "")


def events(folder) -> list[dict[str, object]]:
    rows = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [row for row in rows if "event" in row]


# -- seen -------------------------------------------------------------------------------------------


def test_a_calm_training_is_left_alone():
    rng = torch.Generator().manual_seed(0)
    spread = {"charbonnier": 0.7, "generator_slope": 0.7, "contrast": 0.1, "colour": 0.7}
    noisy = [
        {
            name: number * math.exp(spread[name] * float(torch.randn((), generator=rng)))
            for name, number in CALM.items()
        }
        for _ in range(2000)
    ]
    assert watched(noisy) == ""


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_stay_broken_are_trouble_and_a_single_one_is_not(value):
    broken = CALM | {"charbonnier": value}
    assert watched([CALM, broken, broken, CALM] * 5) == ""
    assert "charbonnier: not finite for 3 steps" in watched([CALM, broken, broken, broken])


@pytest.mark.parametrize(("name", "whose"), [("generator_slope", "the generator's"),
                                             ("discriminator_slope", "the discriminator's")])  # fmt: skip
def test_a_gradient_that_stays_far_above_its_usual_length_is_trouble(name, whose):
    usual = [CALM | {name: 0.3}] * 60
    assert f"{whose} gradient is 100 times" in watched([*usual, *[CALM | {name: 30.0}] * 3])
    assert watched([*usual, CALM | {name: 30.0}, *usual]) == ""


def test_a_gradient_may_grow_slowly():
    assert watched([CALM | {"generator_slope": 0.01 * 1.01**n} for n in range(1000)]) == ""


@pytest.mark.parametrize(("changed", "words"), [
    ({"contrast": 0.1}, "times the contrast"),
    ({"contrast": 5.0}, "times the contrast"),
    ({"colour": 0.4}, "code values"),
])  # fmt: skip
def test_a_collapse_is_trouble(changed, words):
    assert words in watched([*[CALM] * 20, *[CALM | changed] * 20])


def test_a_discriminator_that_knows_its_clips_by_heart_is_trouble_after_three_validations():
    watch = Watch()
    seen = [
        supervisor.trouble_in_validation(watch, {"val_overfit": share}, RULE) for share in (0.9, 0.9, 0.2)
    ]
    seen += [supervisor.trouble_in_validation(watch, {"val_overfit": 0.8}, RULE) for _ in range(3)]
    assert seen[:5] == [""] * 5 and "held-out ones lack 80%" in seen[5]


def test_what_is_known_by_heart_is_the_margin_that_held_out_clips_lack():
    assert supervisor.overfit(2.0, 2.0) == 0
    assert supervisor.overfit(2.0, 0.5) == 0.75
    assert supervisor.overfit(0.01, -1.0) is None  # who tells nothing apart knows nothing


# -- acted on ---------------------------------------------------------------------------------------


def sabotaged(monkeypatch, name: str, after: int, change) -> list[int]:
    """losses.NAME is changed from its call number `after` on, for three calls; gives the list of calls."""
    calls, honest = [], getattr(losses, name)

    def dishonest(*args):
        calls.append(len(calls))
        found = honest(*args)
        return change(found) if after <= len(calls) < after + 3 else found

    monkeypatch.setattr(losses, name, dishonest)
    return calls


def long(**changes):
    return recipe(
        faithful=stage(FAITHFUL, steps=90, roll_in=0.0), validate_every=200, save_every=10,
        supervisor=Supervisor(patience=3), **changes,
    )  # fmt: skip


@pytest.mark.parametrize(("after", "change", "words"), [
    (25, lambda loss: loss * float("nan"), "not finite for 3 steps"),
    (75, lambda loss: loss * 1e5, "the generator's gradient is"),
])  # fmt: skip
def test_it_goes_back_to_the_last_good_state_and_on_with_lower_rates(
    folder, monkeypatch, after, change, words
):
    sabotaged(monkeypatch, "charbonnier", after, change)
    run = play(long(), folder)
    assert run.step == run.recipe.steps, "it has finished after all"
    rolled = [row for row in events(folder) if row["event"] == "rolled back"]
    assert words in rolled[0]["why"]
    back = after // 10 * 10
    assert f"back to step {back}, with 0.5 of the rates" in rolled[0]["why"]
    assert run.cooling == 0.5 ** len(rolled) and run.attempt == len(rolled)
    assert all(torch.isfinite(weight).all() for weight in run.ema.parameters())


def test_a_collapsing_generator_is_given_up_on_and_its_last_good_state_kept(folder):
    """A rate that no halving mends."""
    made = long().model_copy(update={"faithful": stage(FAITHFUL, steps=90, lr=50.0, lr_end=1.0, roll_in=0.0)})
    with pytest.raises(
        VidganError, match=r"gave up at step \d+, after 3 roll-backs in vain: .*contrast|finite"
    ):
        play(made, folder)
    kinds = [row["event"] for row in events(folder)]
    assert kinds == ["rolled back"] * 3 + ["gave up"]
    assert (folder / "checkpoints" / "state.safetensors").is_file()


def test_an_overfit_discriminator_is_rolled_back_too(folder, monkeypatch):
    shares = iter([0.0, 0.9, 0.9, 0.9] + [0.1] * 20)
    honest = loop.validate
    monkeypatch.setattr(
        loop, "validate", lambda run, ground: honest(run, ground) | {"val_overfit": next(shares)}
    )
    play(recipe(validate_every=1, save_every=1), folder)
    (rolled,) = events(folder)
    assert "by its training clips" not in rolled["why"] and "held-out ones lack 90%" in rolled["why"]


def test_what_the_supervisor_remembers_survives_a_kill(folder, monkeypatch):
    class Killed(Exception):
        pass

    def kill(done, total, note):
        if done == 6:
            raise Killed

    made = recipe(faithful=stage(FAITHFUL, steps=8), save_every=1)
    with pytest.raises(Killed):
        play(made, folder, tick=kill)
    whole = Watch(**json.loads(json.dumps(vars(play(made, folder).watch))))
    assert whole.steps == 4, "of the realistic stage's own"


def test_other_samples_are_drawn_after_a_roll_back(folder, monkeypatch):
    seen = {}
    honest = dataset.Batches.__getitem__

    def noted(self, step):
        found = honest(self, step)
        seen.setdefault(self.attempt, {})[step] = found[1]
        return found

    monkeypatch.setattr(dataset.Batches, "__getitem__", noted)
    sabotaged(monkeypatch, "charbonnier", 25, lambda loss: loss * float("nan"))
    play(long(), folder, workers=0)
    assert not torch.equal(seen[0][21], seen[1][21])


def test_a_discriminator_that_goes_on_learning_by_heart_is_given_up_on(folder, monkeypatch):
    """It takes three validations to be sure of, and the first two of them are no calm ones."""
    honest = loop.validate
    monkeypatch.setattr(loop, "validate", lambda run, ground: honest(run, ground) | {"val_overfit": 0.9})
    with pytest.raises(VidganError, match="after 3 roll-backs in vain: the discriminator knows"):
        play(recipe(validate_every=1, save_every=1, realistic=stage(REALISTIC, steps=60)), folder)
    assert [row["event"] for row in events(folder)] == ["rolled back"] * 3 + ["gave up"]


def test_a_look_that_is_no_number_is_trouble_and_never_the_best(folder, monkeypatch):
    looked = iter([0.5, 0.5, 0.4, math.nan] + [0.3] * 20)
    honest = loop.validate
    monkeypatch.setattr(
        loop, "validate", lambda run, ground: honest(run, ground) | {"val_lpips": next(looked)}
    )
    play(recipe(validate_every=1, save_every=1, faithful=stage(FAITHFUL, steps=1)), folder)
    (rolled,) = events(folder)
    assert rolled["why"].startswith("LPIPS: not a number on held-out clips")
    assert checkpoint.card(folder / "checkpoints" / "best.safetensors").results["val_lpips"] == 0.3


@pytest.mark.parametrize("suspected", [False, True])
def test_what_is_best_is_known_after_a_roll_back(folder, monkeypatch, suspected):
    """The look at step 7 is the best; the next state by the clock would be that of step 10, and trouble comes at 9.

    Where something is suspected already at that look, its state is none to go back to.
    """
    looks = iter([0.9, 0.9, 0.9, 0.3] + [0.35] * 20)
    honest = loop.validate
    monkeypatch.setattr(
        loop, "validate", lambda run, ground: honest(run, ground) | {"val_lpips": next(looks)}
    )
    troubles = iter([""] * 8 + ["made up"] + [""] * 99)
    monkeypatch.setattr(supervisor, "trouble_in_step", lambda watch, numbers, rule: next(troubles))
    if suspected:
        monkeypatch.setattr(supervisor, "calm", lambda watch: False)
    told = recipe(
        faithful=stage(FAITHFUL, steps=2),
        realistic=stage(REALISTIC, steps=18),
        validate_every=3,
        save_every=10,
    )
    run = play(told, folder)
    assert len(events(folder)) == 1 and run.best["val_lpips"] == 0.3
    assert checkpoint.card(folder / "checkpoints" / "best.safetensors").results["val_lpips"] == 0.3
