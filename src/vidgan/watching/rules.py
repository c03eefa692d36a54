"""From where on a score makes an event: limits that are the same for every video, and why they are what they are.

Chosen on 55 clips that are fit to train on, and on the same clips blurred, with noise added and heavily compressed;
docs/analyze.md has the figures. A stretch begins at the limit and ends at the release, so that a value near the limit
does not make a hundred events; shorter gaps are closed, and what is shorter than the least is dropped.
"""

import math
from dataclasses import dataclass

from vidgan.score import SHOT, Kind
from vidgan.shots import THRESHOLD

BLACK = 98.0  # percent of the pixels, as FFmpeg's blackdetect has it
FROZEN_SECONDS = 0.5  # that one picture stays, before it is more than a repeated frame
TOGETHER_SECONDS = 1.0  # between repeated frames that are told of as one event


@dataclass(frozen=True, kw_only=True)
class Rule:
    """An event of this kind begins where a score is at the limit or beyond it.

    release  once begun, it goes on while the score is at this value or beyond
    above    whether beyond means higher; else it means lower
    least    the least seconds that it must last
    gap      the most seconds that it may be interrupted
    darkest  mean luma that a frame must have to count: in the dark there is nothing to judge
    black    whether black frames count
    """

    kind: Kind
    score: str
    limit: float
    release: float
    above: bool = True
    least: float = 0.5
    gap: float = 0.25
    darkest: float = 0.0
    black: bool = False

    def counts(self, exposure: float, *, is_black: bool) -> bool:
        return exposure >= self.darkest and (self.black or not is_black)

    def begins(self, value: float) -> bool:
        """NaN is never beyond."""
        return value >= self.limit if self.above else value <= self.limit

    def goes_on(self, value: float) -> bool:
        return value >= self.release if self.above else value <= self.release

    def is_worse(self, value: float, other: float) -> bool:
        return value > other if self.above else value < other


SHOTS = Kind(
    name=SHOT,
    title="shot",
    unit="% of full scale",
    protocol=f"FFmpeg's scdet measure, a cut from {THRESHOLD:g} percent on; the score is the change at its first frame",
)
FROZEN = Kind(
    name="frozen",
    title="frozen",
    unit="s",
    protocol=f"one picture for {FROZEN_SECONDS} s or longer, black ones left out",
)
DUPLICATES = Kind(
    name="duplicates",
    title="duplicate frames",
    unit="frames",
    protocol=f"frames that show the one before again, for less than {FROZEN_SECONDS} s; those less than "
    f"{TOGETHER_SECONDS:g} s apart are one event, and the score is how many they are",
    digits=0,
)


def _kind(name: str, title: str, unit: str, protocol: str, digits: int = 1) -> Kind:
    return Kind(name=name, title=title, unit=unit, protocol=protocol, digits=digits)


RULES = (
    # A single black frame is a fault, so there is no least.
    Rule(
        kind=_kind("black", "black", "% dark", f"{BLACK:g} % of the pixels dark, however short"),
        score="dark",
        limit=BLACK,
        release=BLACK,
        least=0,
        gap=0,
        black=True,
    ),
    # Of 55 sharp clips 95 % have more than 3.9; blurred with a sigma of 1.5 half lie below 1.8, of 2 nearly all.
    Rule(
        kind=_kind(
            "soft",
            "out of focus",
            "sharpness",
            "sharpness of 2 or less, up to 2.5, for 0.5 s, where the mean luma is 45 or more",
            2,
        ),
        score="sharpness",
        limit=2.0,
        release=2.5,
        above=False,
        darkest=45.0,
    ),
    # Of the same clips 95 % have less than 3.3; noise of sigma 10 measures 9.2.
    Rule(
        kind=_kind("noisy", "noisy", "noise", "noise of 5 or more, down to 4, for 0.5 s"),
        score="noise",
        limit=5.0,
        release=4.0,
    ),
    # The most of the same clips is 1.46; MPEG-4 at a quantiser of 28 measures 1.2 to 2.1.
    Rule(
        kind=_kind("blocky", "blocky", "blockiness", "blockiness of 1.5 or more, down to 1.4, for 0.5 s", 2),
        score="blockiness",
        limit=1.5,
        release=1.4,
    ),
    Rule(
        kind=_kind("dark", "underexposed", "mean luma", "mean luma of 40 or less, up to 45, for 0.5 s"),
        score="exposure",
        limit=40.0,
        release=45.0,
        above=False,
    ),
    # 95 % of the same clips have less than 3 %.
    Rule(
        kind=_kind("bright", "overexposed", "% clipped", "25 % clipped or more, down to 20 %, for 0.5 s"),
        score="bright",
        limit=25.0,
        release=20.0,
    ),
    # The most of the same clips is 38.
    Rule(
        kind=_kind(
            "motion", "burst of motion", "% a second", "50 % of the diagonal a second, down to 35, for 0.2 s"
        ),
        score="motion",
        limit=50.0,
        release=35.0,
        least=0.2,
    ),
)


def unreal(kind: Kind, limit: float) -> Rule:
    return Rule(
        kind=kind, score="realism", limit=limit, release=limit, above=False, least=0.2, gap=0.5, black=True
    )


def anomaly(kind: Kind, threshold: float) -> Rule:
    """Above the threshold, which normal footage has set; the release lies a tenth below it."""
    limit, release = math.nextafter(threshold, math.inf), threshold - 0.1 * abs(threshold)
    return Rule(kind=kind, score="anomaly", limit=limit, release=release, least=0.2, gap=0.5, black=True)
