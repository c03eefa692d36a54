"""What a run's page shows of its numbers: which of them, under what names, and on which chart."""

from collections.abc import Sequence
from dataclasses import dataclass

from vidgan.report.curves import Curve, Plot
from vidgan.report.logbook import Row


@dataclass(frozen=True)
class Metric:
    words: str
    better: str  # "higher" or "lower"
    decimals: int


@dataclass(frozen=True)
class View:
    """A chart, and the numbers on it: name in the log -> name in the legend."""

    plot: Plot
    names: dict[str, str]


METRICS = {
    "val_psnr_y": Metric("PSNR-Y: closeness to the truth, dB", "higher", 2),
    "val_lpips": Metric("LPIPS: how different it looks", "lower", 4),
    "val_features": Metric("EfficientNet's features: how different it looks", "lower", 4),
    "val_tof": Metric("tOF: error of the motion, pixels", "lower", 3),
    "val_tlp": Metric("tLP: error of the change between frames, LPIPS × 100", "lower", 3),
    "val_temporal": Metric("temporal error, code values of 255", "lower", 2),
    "val_ms_per_frame": Metric("time on the training machine, ms per frame", "lower", 1),
}

LOSS = "loss, before its weight"
GROUPS: dict[str, tuple[View, ...]] = {
    "Held-out clips": (
        View(Plot(title="Closeness to the truth", unit="PSNR-Y, dB", better="higher"), {"val_psnr_y": "PSNR-Y"}),
        View(Plot(title="Looks", unit="LPIPS", better="lower"), {"val_lpips": "LPIPS"}),
        View(
            Plot(title="Looks, by EfficientNet's features", unit="distance", better="lower"),
            {"val_features": "distance of features"},
        ),
        View(Plot(title="Motion", unit="tOF, pixels", better="lower"), {"val_tof": "tOF"}),
        View(Plot(title="Flicker", unit="tLP, LPIPS × 100", better="lower"), {"val_tlp": "tLP"}),
        View(
            Plot(title="Temporal error", unit="code values of 255", better="lower"),
            {"val_temporal": "temporal error"},
        ),
    ),
    "The generator's losses": (
        View(
            Plot(title="Pixels and their motion", unit=LOSS, may_be_log=True),
            {
                "l1": "L1",
                "charbonnier": "Charbonnier",
                "low_pass_l1": "L1 of low frequencies",
                "temporal_difference": "temporal difference",
                "ping_pong": "ping-pong",
            },
        ),
        View(
            Plot(title="Phases and frequencies", unit=LOSS, may_be_log=True),
            {"phase_l1": "L1 of shifted phases", "focal_frequency": "focal frequency"},
        ),
        View(
            Plot(title="Looks", unit=LOSS, may_be_log=True),
            {"perceptual": "perceptual", "feature_matching": "the discriminator's features"},
        ),
    ),
    "The game": (
        View(
            Plot(title="How often the discriminator is right", unit="share of patches", levels={0.5: "0.5: guessing"}),
            {"accuracy": "on training clips", "val_accuracy": "on held-out clips"},
        ),
        View(
            Plot(title="What the two lose", unit="loss", may_be_log=True),
            {"discriminator": "the discriminator", "game": "the generator"},
        ),
        View(
            Plot(
                title="Training clips known by heart",
                unit="share of the margin",
                better="lower",
                levels={0.0: "0: none", 0.5: "0.5: half of it is gone on held-out clips"},
            ),
            {"val_overfit": "lacks on held-out clips"},
        ),
        View(
            Plot(title="Rests of the discriminator", unit="share of steps"),
            {"resting": "steps in which it learns nothing"},
        ),
    ),
    "Steepness and health": (
        View(
            Plot(title="Length of the gradients", unit="norm", may_be_log=True),
            {"generator_slope": "the generator's", "discriminator_slope": "the discriminator's"},
        ),
        View(
            Plot(title="Steepness of the verdict", unit="penalty, before its weight", may_be_log=True),
            {"penalty": "penalty"},
        ),
        View(
            Plot(title="Contrast of made frames", unit="of the real ones'", levels={1.0: "1: as real ones"}),
            {"contrast": "contrast"},
        ),
        View(
            Plot(title="Drift of colours", unit="of a range of 1", better="lower"),
            {"colour": "largest difference of means"},
        ),
        View(Plot(title="Steps without effect", unit="steps", better="lower"), {"skipped": "not finite"}),
    ),
}  # fmt: skip


def curves_of(view: View, rows: Sequence[Row]) -> dict[str, Curve]:
    """A point for every row that has the number."""
    return {
        words: [(row["step"], row[name]) for row in rows if name in row] for name, words in view.names.items()
    }
