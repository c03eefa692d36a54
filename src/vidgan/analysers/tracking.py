"""How well corners can be followed from frame to frame: two trackers that work differently must agree.

ORB corners of this frame are matched with those of the frame before, best to best; a match holds where optical flow
leads from the one to the other. Flicker and crawling detail break matches, blur leaves no corners.
Source: Rublee et al. 2011, "ORB: an efficient alternative to SIFT or SURF"; Bouguet's pyramidal Lucas-Kanade.
"""

import math

import numpy as np

from vidgan import opencv
from vidgan.analysers import Look
from vidgan.shots import CutDetector

CORNERS = 500  # that are asked for
SMALLEST_SIDE = 64  # pixels: ORB's smallest level must hold its own margin
AGREE = 2.0  # pixels between where the flow leads and where the match lies

TITLE = "tracking"
PROTOCOL = (
    f"share of {CORNERS} ORB corners whose best match in the frame before lies within {AGREE} pixels of where "
    "Lucas-Kanade's flow leads; none across a cut"
)


def load() -> Look:
    """Raises MissingExtra without OpenCV."""
    cv2 = opencv.load("analysis")
    corners = cv2.ORB_create(CORNERS)
    matcher = cv2.BFMatcher(cv2.NORM_HAMMING, crossCheck=True)
    cuts = CutDetector()
    before: tuple | None = None  # grey, points, descriptors

    def look(pixels: np.ndarray) -> float:
        nonlocal before
        if min(pixels.shape[:2]) < SMALLEST_SIDE:
            return math.nan
        grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
        now = (grey, *corners.detectAndCompute(grey, None))
        then, before = before, now
        if cuts.begins_shot(pixels) or then is None:
            return math.nan
        if then[2] is None or now[2] is None:
            return 0.0
        matches = matcher.match(then[2], now[2])
        start = np.array([then[1][match.queryIdx].pt for match in matches], np.float32).reshape(-1, 1, 2)
        end = np.array([now[1][match.trainIdx].pt for match in matches], np.float32).reshape(-1, 1, 2)
        if not len(start):
            return 0.0
        led, seen, _ = cv2.calcOpticalFlowPyrLK(then[0], grey, start, None)
        away = np.linalg.norm(led - end, axis=2).ravel()
        return float((seen.ravel().astype(bool) & (away <= AGREE)).sum()) / CORNERS

    return look
