"""Clips and videos held against the truth: numbers that training, evaluate and compare share.

clips.py    short clips through a generator, a row of numbers for each
results.py  what a comparison or an evaluation found: a table, its protocol, JSON and CSV
"""

from vidgan.score.clips import Metric, Pair, accuracy, enhanced, judged, means, pairs, rows, score
from vidgan.score.results import LANCZOS, REFERENCE, Comparison, Contender, Efficiency, Moment, versions

__all__ = [
    "LANCZOS",
    "REFERENCE",
    "Comparison",
    "Contender",
    "Efficiency",
    "Metric",
    "Moment",
    "Pair",
    "accuracy",
    "enhanced",
    "judged",
    "means",
    "pairs",
    "rows",
    "score",
    "versions",
]
