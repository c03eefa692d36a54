"""Clips and videos held against the truth: numbers that training, evaluate and compare share.

clips.py    short clips through a generator, a row of numbers for each
evaluation.py  what an evaluation found: methods, clips, intervals; the discriminator's verdicts
results.py  what a comparison or an evaluation found: a table, its protocol, JSON and CSV
matching.py  which findings of two lists are the same thing; gained, lost, moved, invented
blocks.py    a bootstrap over seconds of video
studies.py   what one analyser found in every version of a video
helped.py    the verdict
impact.py    all analysers' findings and figures, as JSON and CSV
analysis.py  what was seen in one video, frame by frame and event by event
"""

from vidgan.score.analysis import SHOT, Analysis, Event, Kind, Noted, Scale
from vidgan.score.clips import Pair, accuracy, enhanced, judged, means, pairs, rows, score, verdict
from vidgan.score.evaluation import FIELD, Evaluation, Interval, Judge, Row, calibration, interval
from vidgan.score.impact import Impact, pooled
from vidgan.score.results import LANCZOS, REFERENCE, Comparison, Contender, Efficiency, Moment, versions
from vidgan.score.studies import ARMS, BICUBIC, ENHANCED, SOURCE, Gauge, Search, Sight, Study

__all__ = [
    "ARMS",
    "BICUBIC",
    "ENHANCED",
    "FIELD",
    "LANCZOS",
    "REFERENCE",
    "SHOT",
    "SOURCE",
    "Analysis",
    "Comparison",
    "Contender",
    "Efficiency",
    "Evaluation",
    "Event",
    "Gauge",
    "Impact",
    "Interval",
    "Judge",
    "Kind",
    "Moment",
    "Noted",
    "Pair",
    "Row",
    "Scale",
    "Search",
    "Sight",
    "Study",
    "accuracy",
    "calibration",
    "enhanced",
    "interval",
    "judged",
    "means",
    "pairs",
    "pooled",
    "rows",
    "score",
    "verdict",
    "versions",
]
