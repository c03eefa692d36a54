"""What is evaluated of a clip with cuts: each shot by itself."""

from types import SimpleNamespace

import torch

from vidgan.measuring import evaluate


def test_no_motion_of_a_set_is_that_of_a_cut(monkeypatch):
    handed = []
    monkeypatch.setattr(evaluate, "has_efficientnet", lambda: True)
    monkeypatch.setattr(evaluate.distribution, "frame_features", lambda clip: clip.numpy())
    monkeypatch.setattr(
        evaluate.distribution, "kernel_distance", lambda made, true: handed.append([*made, *true])
    )
    found, clip = evaluate.Findings(), torch.tensor([[0.0], [1.0], [101.0], [102.0]])
    for _ in range(3):
        evaluate._remember(found, clip, {"fast": clip}, [True, False, True, False], 3)
    evaluate.distances(found, [SimpleNamespace(name="fast")])
    _, motion = handed
    assert [rows[:, 1].tolist() for rows in motion] == [[1.0, 1.0]] * 6


def test_a_discriminator_looks_at_threes_within_shots():
    shots = [True, False, False, False, True, False, True, False, False, False, False, False]
    assert evaluate._triplets(shots) == [0, 6, 9]
    assert evaluate._triplets([True, False, False]) == [0] and evaluate._triplets([True, True, False]) == []
