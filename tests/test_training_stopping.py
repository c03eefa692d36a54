import json

import pytest

from test_training import REALISTIC, folder, play, recipe, stage
from vidgan.recipe import Stopping
from vidgan.training import loop, stopping

RULE = Stopping(patience=3, gain=0.01, psnr_drop=2.0)
__all__ = ["folder"]  # a fixture


def rows(*lpips, psnr=30.0):
    return [{"val_psnr_y": psnr, "val_lpips": value} for value in lpips]


def test_the_median_of_three_ignores_one_lucky_validation():
    assert stopping.smoothed([5, 1, 5, 5, 5, 9, 5]) == [5, 5, 5, 5, 5]


def test_a_score_that_falls_by_less_than_the_gain_counts_as_no_gain():
    assert stopping.since_gain([1.0, 1.0, 1.0, 0.995, 0.995, 0.995], 0.01) == 3
    assert stopping.since_gain([1.0, 1.0, 1.0, 0.98, 0.98, 0.98], 0.01) == 1  # the medians: 1, 1, .98, .98


def test_a_training_that_gains_goes_on():
    assert stopping.why_stop(rows(*[0.4 * 0.95**n for n in range(30)]), RULE) == ""


def test_a_plateau_ends_it_after_the_patience_and_not_before():
    history = rows(0.4, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3)
    assert stopping.why_stop(history[:-1], RULE) == ""
    assert "lpips has not gained 1.0%" in stopping.why_stop(history, RULE)


def test_a_collapsing_psnr_ends_it_although_lpips_gains():
    history = rows(0.4) + rows(0.3, 0.2, 0.1, psnr=27.9)
    assert "2.1 dB below" in stopping.why_stop(history, RULE)
    history[2]["val_psnr_y"] = history[3]["val_psnr_y"] = 28.1
    assert stopping.why_stop(history, RULE) == ""


def test_without_lpips_psnr_decides():
    history = [{"val_psnr_y": value} for value in (30.0, 29.5, 29.6, 29.5, 29.5, 29.5, 29.4)]
    assert "psnr_y" in stopping.why_stop(history, RULE)
    rising = [{"val_psnr_y": 25 * 1.02**n} for n in range(10)]
    assert stopping.why_stop(rising, RULE) == ""


def test_a_run_stops_by_itself_says_why_and_does_not_go_on_when_resumed(folder, monkeypatch):
    monkeypatch.setattr(loop, "validate", lambda run, ground: {"val_psnr_y": 30.0})
    made = recipe(
        realistic=stage(REALISTIC, steps=40), validate_every=1, stopping=Stopping(patience=2, gain=0.01)
    )
    said = []
    run = play(made, folder, said=said)
    assert run.step == made.faithful.steps + 5  # three for a first median, two more for the patience
    assert "stopped at step 9: psnr_y has not gained" in said[-1]
    assert (folder / "last.safetensors").is_file() and (folder / "best.safetensors").is_file()
    events = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert events[-1]["event"] == "stopped"
    again = play(made, folder)
    assert again.step == run.step and again.history == run.history


@pytest.mark.parametrize("steps", [3, 7])
def test_the_history_survives_a_kill(folder, monkeypatch, steps):
    scores = iter([{"val_psnr_y": 20.0 + n} for n in range(20)])
    monkeypatch.setattr(loop, "validate", lambda run, ground: next(scores))
    made = recipe(validate_every=1, save_every=1)

    class Killed(Exception):
        pass

    def kill(done, total, note):
        if done == steps:
            raise Killed

    with pytest.raises(Killed):
        play(made, folder, tick=kill)
    run = play(made, folder)
    assert [row["step"] for row in run.history] == [4, 5, 6, 7, 8]
