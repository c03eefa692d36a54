"""Recorded passes of the generator: the same numbers as without, step after step."""

import pytest
import torch

from test_training import FAITHFUL, REALISTIC, recipe, stage, weights_of
from vidgan.training import game
from vidgan.training import run as running


def played(*, record: bool, roll_in: float, realistic: bool, steps: int = 6) -> running.Run:
    device = torch.device("cuda")
    run = running.create(
        recipe(faithful=stage(FAITHFUL, roll_in=roll_in), realistic=stage(REALISTIC, roll_in=roll_in))
    )
    running.place(run, device, torch.bfloat16)
    if realistic:
        run.step = run.recipe.faithful.steps
        running.begin_realistic(run)
    table = game.Table(precision=torch.bfloat16, device=device)
    if record:
        table = game.recorded(run, table)
        assert table.recording is not None
    play = game.realistic_step if realistic else game.faithful_step
    side = run.stage.crop // 4
    rng = torch.Generator().manual_seed(0)
    for _ in range(steps):
        low = torch.rand(run.stage.batch, run.stage.frames, 3, side, side, generator=rng)
        high = torch.rand(run.stage.batch, run.stage.frames, 3, 4 * side, 4 * side, generator=rng)
        play(run, low, high, table)
        run.step += 1
    return run


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
@pytest.mark.parametrize("realistic", [False, True])
@pytest.mark.parametrize("roll_in", [0.0, 1.0])
def test_a_recorded_step_is_the_step(realistic, roll_in):
    with_it = weights_of(played(record=True, roll_in=roll_in, realistic=realistic))
    without = weights_of(played(record=False, roll_in=roll_in, realistic=realistic))
    fresh = weights_of(running.create(recipe()))
    for name, value in without.items():
        if not name.startswith("generator."):
            continue
        went = (value.cpu() - fresh[name]).norm()
        assert (with_it[name] - value).norm().cpu() <= 0.1 * went + 1e-6, name


def test_on_a_processor_nothing_is_recorded():
    assert game.recorded(running.create(recipe()), game.Table()).recording is None
