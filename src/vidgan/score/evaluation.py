"""What an evaluation found: methods against clips, each mean with the interval that other clips might have given.

A discriminator is judged as well: how often it tells the real clip from the made one, and whether it is as sure as it
is right.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from torch import Tensor

from vidgan import metrics
from vidgan.metrics.distribution import Distance
from vidgan.score.results import SCHEMA, Efficiency, versions

DRAWS = 2000  # of the bootstrap
CONFIDENCE = 0.95
BINS = 10
FIELD = "psnr_field"  # PSNR as papers on a known test set report it


@dataclass(frozen=True)
class Interval:
    """A mean, and its ends; None where a single value says nothing of others."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, kw_only=True)
class Row:
    """One method on one clip."""

    method: str
    clip: str
    values: Mapping[str, float]  # metric -> mean over the clip's frames


@dataclass(frozen=True, kw_only=True)
class Judge:
    """A discriminator on held-out clips; patches are the places that it judges."""

    name: str
    clips: Mapping[str, float]  # clip -> the share of patches where the real clip got the higher logit
    accuracy: Interval
    bins: Sequence[tuple[float, float, int]]  # how sure it was, how often it was right, of how many patches
    error: float  # expected calibration error: the mean distance between the two


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    data: str
    scale: int
    titles: Mapping[str, str]  # method -> its title, in the order in which they were named
    rows: Sequence[Row]
    efficiency: Mapping[str, Efficiency]
    protocol: Mapping[str, str]
    left_out: Mapping[str, str] = field(default_factory=dict)
    sets: Mapping[str, Mapping[str, Distance]] = field(default_factory=dict)  # method -> frames, motion
    judge: Judge | None = None

    @property
    def clips(self) -> list[str]:
        return list(dict.fromkeys(row.clip for row in self.rows))

    def measured(self) -> list[metrics.Metric]:
        found = {name for row in self.rows for name in row.values}
        return [metric for metric in metrics.ALL if metric.name in found]

    def mean(self, method: str, metric: str) -> Interval | None:
        """Over clips, each counting once."""
        values = [row.values[metric] for row in self.rows if row.method == method and metric in row.values]
        return interval(values) if values else None

    def as_json(self) -> dict[str, Any]:
        names = [*(metric.name for metric in self.measured()), FIELD]
        return {
            "schema": SCHEMA,
            "data": self.data,
            "scale": self.scale,
            "protocol": dict(self.protocol),
            "versions": versions(),
            "left_out": dict(self.left_out),
            "methods": [
                {
                    "name": name,
                    "title": title,
                    "means": {
                        metric: asdict(mean)
                        for metric in names
                        if (mean := self.mean(name, metric)) is not None
                    },
                    "efficientnet_kernel_distance": {
                        kind: asdict(distance) for kind, distance in self.sets.get(name, {}).items()
                    },
                    "efficiency": asdict(self.efficiency[name]),
                }
                for name, title in self.titles.items()
            ],
            "clips": [asdict(row) for row in self.rows],
            "discriminator": None if self.judge is None else asdict(self.judge),
        }

    def as_csv(self) -> str:
        """A line for each clip and method."""
        names = [*(metric.name for metric in self.measured()), *([FIELD] if self._has_field() else [])]
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["clip", "method", *names])
        for row in self.rows:
            cells = [f"{row.values[name]:.6g}" if name in row.values else "" for name in names]
            writer.writerow([row.clip, row.method, *cells])
        return text.getvalue()

    def _has_field(self) -> bool:
        return any(FIELD in row.values for row in self.rows)


def interval(values: Sequence[float]) -> Interval:
    """The mean over clips, and where it would lie for other draws of as many clips: the bootstrap's percentiles.

    Of a single clip nothing is known beyond itself.
    """
    found = np.array(values)
    if len(found) < 2:
        return Interval(float(found.mean()), None, None)
    drawn = np.random.default_rng(0).integers(0, len(found), (DRAWS, len(found)))
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(found[drawn].mean(axis=1), [tail, 100 - tail])
    return Interval(float(found.mean()), float(low), float(high))


def calibration(real_logits: Tensor, fake_logits: Tensor) -> tuple[list[tuple[float, float, int]], float]:
    """How sure a discriminator is of each pair of patches, against how often it is right: bins, mean distance.

    A relativistic discriminator says with sigmoid(real - fake) that the real one is real; of a pair in unknown order
    it is sure with the larger of that and its complement, and of draws half are right. Source: Guo et al. 2017, "On
    calibration of modern neural networks", for the expected calibration error.
    """
    apart = (real_logits - fake_logits).flatten().double().numpy()
    sure, right = 1 / (1 + np.exp(-np.abs(apart).clip(0, 500))), (np.sign(apart) + 1) / 2
    place = np.minimum(((sure - 0.5) * 2 * BINS).astype(int), BINS - 1)
    bins, error = [], 0.0
    for number in range(BINS):
        inside = place == number
        if inside.any():
            told, was = float(sure[inside].mean()), float(right[inside].mean())
            bins.append((told, was, int(inside.sum())))
            error += abs(told - was) * inside.mean()
    return bins, float(error)
