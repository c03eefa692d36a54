"""Where a shot begins, as a finding of the whole picture: does the cut detector see the same cuts?"""

import numpy as np

from vidgan.analysers import Finding, Look
from vidgan.shots import THRESHOLD, CutDetector

TITLE = "shots"
PROTOCOL = f"FFmpeg's scdet measure, from {THRESHOLD} percent on; the first frame is no cut"


def load() -> Look:
    cuts, is_first = CutDetector(), True

    def look(pixels: np.ndarray) -> list[Finding]:
        nonlocal is_first
        begins, was_first = cuts.begins_shot(pixels), is_first
        is_first = False
        height, width = pixels.shape[:2]
        return [Finding((0.0, 0.0, float(width), float(height)))] if begins and not was_first else []

    return look
