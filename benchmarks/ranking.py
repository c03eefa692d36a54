"""How well a score tells two kinds of things apart, whatever threshold is set."""

from collections.abc import Sequence

import numpy as np


def auc(scores: Sequence[float] | np.ndarray, labels: Sequence[bool] | np.ndarray) -> float:
    """Area under the curve of hits over false alarms: how often a labelled one scores above another, ties half.

    NaN where all are labelled, or none. By ranks, as Mann and Whitney 1947; see Hanley and McNeil 1982.
    """
    values, marked = np.asarray(scores, float), np.asarray(labels, bool)
    assert values.shape == marked.shape and np.isfinite(values).all()
    hits, others = int(marked.sum()), int((~marked).sum())
    if not hits or not others:
        return float("nan")
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]  # equal scores share the mean of their ranks
    return float((ranks[marked].sum() - hits * (hits + 1) / 2) / (hits * others))
