import json

import pytest

from test_training import REALISTIC, folder, play, recipe, stage
from vidgan import checkpoint
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


def test_a_feature_distance_stands_in_for_lpips():
    history = [{"val_psnr_y": 30.0, "val_features": value} for value in (0.4, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3)]
    assert "features has not gained 1.0%" in stopping.why_stop(history, RULE)


def test_without_a_measure_of_looks_only_a_fall_or_flicker_ends_it():
    """PSNR-Y falls while a GAN gets better: that it does not gain says nothing."""
    falling = [{"val_psnr_y": 30.0 - 0.1 * n, "val_temporal": 3.0} for n in range(15)]
    assert stopping.why_stop(falling, RULE) == ""
    assert "below the end" in stopping.why_stop([{"val_psnr_y": 33.0}, *falling[1:]], RULE)
    flickering = [{"val_psnr_y": 30.0, "val_temporal": 3.0 * 1.02**n} for n in range(8)]
    assert "temporal error is 8% above its best" in stopping.why_stop(flickering, RULE)


def test_without_a_measure_of_looks_flicker_is_forgiven_while_psnr_gains():
    rising = [{"val_psnr_y": 28.0 + 0.1 * n, "val_temporal": 3.0 * 1.03**n} for n in range(30)]
    assert stopping.why_stop(rising, Stopping()) == ""
    stuck = [row | {"val_psnr_y": 28.0} for row in rising]
    assert "nothing gains" in stopping.why_stop(stuck[:8], Stopping())


def test_a_run_that_goes_on_elsewhere_is_judged_by_what_both_places_measure():
    moved = [*rows(0.4, 0.3), *[{"val_psnr_y": 30.0, "val_features": 0.2}] * 6]
    assert stopping.why_stop(moved, RULE) == ""


def test_flicker_ends_it_only_while_nothing_gains():
    history = [
        {"val_psnr_y": 30.0, "val_lpips": 0.4 * 0.9**n, "val_temporal": 3.0 * 1.1**n} for n in range(9)
    ]
    assert stopping.why_stop(history, RULE) == ""
    stuck = [row | {"val_lpips": 0.2} for row in history]
    assert stopping.why_stop(stuck[:5], RULE) == ""
    assert "temporal error" in stopping.why_stop(stuck[:6], RULE)


def test_a_run_stops_by_itself_says_why_and_does_not_go_on_when_resumed(folder, monkeypatch):
    monkeypatch.setattr(loop, "validate", lambda run, ground: {"val_psnr_y": 30.0, "val_lpips": 0.3})
    made = recipe(
        realistic=stage(REALISTIC, steps=40), validate_every=1, stopping=Stopping(patience=2, gain=0.01)
    )
    said = []
    run = play(made, folder, said=said)
    assert run.step == made.faithful.steps + 5  # three for a first median, two more for the patience
    assert any("stopped at step 9: lpips has not gained" in line for line in said)
    assert {"last.safetensors", "best.safetensors"} <= {
        file.name for file in (folder / "checkpoints").iterdir()
    }
    events = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert [row["event"] for row in events if "event" in row] == ["stopped"]
    again = play(made, folder)
    assert again.step == run.step and again.history == run.history


def card(folder, name):
    path = folder / "checkpoints" / f"{name}.safetensors"
    return checkpoint.read_card(checkpoint.load_tensors(path)[1], path)


def played(folder, monkeypatch, scores):
    """A run whose validations from the end of the faithful stage on, step 4, are these."""
    monkeypatch.setattr(loop, "validate", lambda run, ground: dict(scores[max(run.step - 4, 0)]))
    made = recipe(realistic=stage(REALISTIC, steps=40), validate_every=1)
    return play(made, folder)


def test_without_a_measure_of_looks_what_over_trained_is_not_kept_as_best(folder, monkeypatch):
    scores = [{"val_psnr_y": psnr} for psnr in (28.0, 28.0, 27.9, 25.0, 25.0)]
    run = played(folder, monkeypatch, scores)
    assert run.step == 8 and "3.0 dB below" in run.stopped
    assert card(folder, "best").step == 6 and card(folder, "best").results["val_psnr_y"] == 27.9
    assert card(folder, "best").results == run.best


def test_what_a_run_is_stopped_for_is_not_kept_as_best_by_its_looks(folder, monkeypatch):
    falls = zip((28.0, 28.0, 28.0, 24.0, 24.0), (0.5, 0.4, 0.3, 0.2, 0.1), strict=True)
    scores = [{"val_psnr_y": psnr, "val_lpips": lpips} for psnr, lpips in falls]
    run = played(folder, monkeypatch, scores)
    assert run.step == 8 and card(folder, "best").step == 7


def test_a_run_that_is_too_far_off_from_the_first_look_on_leaves_a_best_all_the_same(folder, monkeypatch):
    run = played(folder, monkeypatch, [{"val_psnr_y": psnr} for psnr in (30.0, 25.0, 25.0, 25.0)])
    assert run.step == 7 and card(folder, "best").step == 5


def test_every_card_tells_its_own_results(folder, monkeypatch):
    played(folder, monkeypatch, [{"val_psnr_y": psnr} for psnr in (28.0, 28.0, 27.9, 25.0, 25.0)])
    assert card(folder, "faithful").results == {"step": 4, "val_psnr_y": 28.0}
    assert card(folder, "last").results == {"step": 8, "val_psnr_y": 25.0}


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
