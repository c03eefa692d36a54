"""Clips and videos held against the truth: numbers that training, evaluate and compare share.

clips.py    short clips through a generator, a row of numbers for each
evaluation.py  what an evaluation found: methods, clips, intervals; the discriminator's verdicts
results.py  what a comparison or an evaluation found: a table, its protocol, JSON and CSV
"""

from vidgan.score.clips import Metric, Pair, accuracy, enhanced, judged, means, pairs, rows, score, verdict
from vidgan.score.evaluation import FIELD, Evaluation, Interval, Judge, Row, calibration, interval
from vidgan.score.results import LANCZOS, REFERENCE, Comparison, Contender, Efficiency, Moment, versions

__all__ = [
    "FIELD",
    "LANCZOS",
    "REFERENCE",
    "Comparison",
    "Contender",
    "Efficiency",
    "Evaluation",
    "Interval",
    "Judge",
    "Metric",
    "Moment",
    "Pair",
    "Row",
    "accuracy",
    "calibration",
    "enhanced",
    "interval",
    "judged",
    "means",
    "pairs",
    "rows",
    "score",
    "verdict",
    "versions",
]
