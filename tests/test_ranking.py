"""The area under the curve that benchmarks/anomaly.py tells, by values from elsewhere."""

import math
import runpy
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"
auc = runpy.run_path(str(BENCHMARKS / "ranking.py"))["auc"]


def test_it_is_scikit_learn_s_documented_example():
    """The example of sklearn.metrics.roc_auc_score."""
    assert auc([0.1, 0.4, 0.35, 0.8], [False, False, True, True]) == 0.75


def test_ties_count_half_as_in_hanley_and_mcneil_s_readings():
    """Their table I of 1982: 109 scans rated 1 to 5 by one reader; their table II gives an area of 0.893."""
    sound, ill = (33, 6, 6, 11, 2), (3, 2, 2, 11, 33)
    scores = np.repeat([1, 2, 3, 4, 5] * 2, [*sound, *ill])
    labels = np.repeat([False, True], [sum(sound), sum(ill)])
    assert auc(scores, labels) == pytest.approx(0.893, abs=5e-4)


def test_a_constant_tells_nothing_and_a_copy_of_the_labels_all():
    labels = [True, False, True, False, False]
    assert auc([3.0] * 5, labels) == 0.5
    assert auc([float(label) for label in labels], labels) == 1.0
    assert auc([-float(label) for label in labels], labels) == 0.0


def test_it_is_the_share_of_pairs_that_stand_right():
    rng = np.random.default_rng(0)
    scores, labels = rng.integers(0, 6, 80), rng.random(80) < 0.3
    pairs = [(a > b) + 0.5 * (a == b) for a in scores[labels] for b in scores[~labels]]
    assert auc(scores, labels) == pytest.approx(np.mean(pairs))
    assert auc(np.exp(scores), labels) == pytest.approx(auc(scores, labels)), "only the order counts"


def test_one_kind_alone_has_no_area():
    assert math.isnan(auc([1.0, 2.0], [True, True])) and math.isnan(auc([1.0, 2.0], [False, False]))
