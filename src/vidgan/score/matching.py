"""Findings held against each other: which two are the same thing, and what an enlargement gained, lost, moved, made up.

Letters: N and M are numbers of boxes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from vidgan.analysers import Box, Finding

SAME = 0.5  # intersection over union from which on two boxes are of one thing: Pascal VOC's
MOVED = 0.75  # of the same thing, but no longer at the same place
# COCO's limits between small, medium and large, as sides of a square; here in pixels of the source.
SMALL, LARGE = 32, 96
SIZES = ("small", "medium", "large")
Kind = Literal["gained", "lost", "moved", "invented", "dispelled"]
KINDS: tuple[Kind, ...] = ("gained", "lost", "moved", "invented", "dispelled")


@dataclass(frozen=True)
class Difference:
    """Between what was found after bicubic and what was found after the network.

    gained     found after the network alone; the reference has it, where there is one
    lost       found after bicubic alone; the reference has it, where there is one
    moved      found after both, at places that overlap by less than MOVED; the network's box
    invented   a false alarm of the network's, that bicubic does not raise
    dispelled  a false alarm of bicubic's, that the network does not raise
    """

    kind: Kind
    finding: Finding


def overlap(some: Sequence[Finding], others: Sequence[Finding]) -> np.ndarray:
    """(N, M) intersections over unions."""
    one = np.array([finding.box for finding in some], np.float64).reshape(-1, 1, 4)
    two = np.array([finding.box for finding in others], np.float64).reshape(1, -1, 4)
    shared = np.minimum(one[..., 2:], two[..., 2:]) - np.maximum(one[..., :2], two[..., :2])
    inside = shared.clip(min=0).prod(axis=2)
    areas = [(boxes[..., 2:] - boxes[..., :2]).prod(axis=2) for boxes in (one, two)]
    return inside / np.maximum(areas[0] + areas[1] - inside, np.finfo(float).tiny)


def pairs(some: Sequence[Finding], others: Sequence[Finding]) -> dict[int, int]:
    """Which of some is which of the others: the nearest first, each once, boxes alike by SAME, words the same.

    Words are compared without regard to capitals and spaces.
    """
    if not some or not others:
        return {}
    near = overlap(some, others)
    words = [[_plain(finding.label) for finding in findings] for findings in (some, others)]
    near[np.array(words[0])[:, None] != np.array(words[1])[None]] = 0
    found: dict[int, int] = {}
    for index in np.argsort(-near, axis=None, kind="stable"):
        first, second = divmod(int(index), len(others))
        if near[first, second] < SAME:
            break
        if first not in found and second not in found.values():
            found[first] = second
    return found


def differences(
    bicubic: Sequence[Finding], network: Sequence[Finding], truth: Sequence[Finding] | None
) -> list[Difference]:
    """Of one moment.

    truth  what is there; None where nobody knows: then what appears is gained, true or not
    """
    both = pairs(network, bicubic)
    moved = [
        index for index, other in both.items() if overlap([network[index]], [bicubic[other]])[0, 0] < MOVED
    ]
    if truth is None:
        return [
            *(Difference("gained", finding) for i, finding in enumerate(network) if i not in both),
            *(Difference("lost", finding) for i, finding in enumerate(bicubic) if i not in both.values()),
            *(Difference("moved", network[index]) for index in moved),
        ]
    right, before = pairs(network, truth), pairs(bicubic, truth)
    gained = [index for index, what in right.items() if what not in before.values()]
    lost = [index for index, what in before.items() if what not in right.values()]
    # A false alarm that both raise is nobody's gain or loss.
    alarms = [i for i in range(len(network)) if i not in right]
    dispelled = [i for i in range(len(bicubic)) if i not in before]
    common = pairs([network[i] for i in alarms], [bicubic[i] for i in dispelled])
    return [
        *(Difference("gained", network[index]) for index in gained),
        *(Difference("lost", bicubic[index]) for index in lost),
        *(Difference("moved", network[i]) for i in moved if i in right and both[i] in before),
        *(Difference("invented", network[i]) for n, i in enumerate(alarms) if n not in common),
        *(Difference("dispelled", bicubic[i]) for n, i in enumerate(dispelled) if n not in common.values()),
    ]


def size(box: Box, scale: float) -> str:
    """small, medium or large in the source.

    scale  pixels of the box's picture for one of the source, each way
    """
    side = float(np.sqrt(max(box[2] - box[0], 0) * max(box[3] - box[1], 0))) / scale
    return SIZES[int(side >= SMALL) + int(side >= LARGE)]


def _plain(words: str) -> str:
    return "".join(words.casefold().split())
