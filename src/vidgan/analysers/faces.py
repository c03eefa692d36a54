"""Faces from the front: a cascade of Haar features, as OpenCV ships it.

Source: Viola, Jones, "Rapid object detection using a boosted cascade of simple features", CVPR 2001.
"""

from pathlib import Path

import numpy as np

from vidgan import opencv
from vidgan.analysers import Finding, Look
from vidgan.errors import MissingExtra

CASCADE = "haarcascade_frontalface_default.xml"
SHRINK = 1.1  # from one size that is searched to the next
NEIGHBOURS = 5  # windows that must agree

TITLE = "faces"
PROTOCOL = (
    f"OpenCV's {CASCADE}: sizes {SHRINK} apart, {NEIGHBOURS} windows must agree; faces of 24 pixels or more"
)


def load() -> Look:
    """Raises MissingExtra without OpenCV, or with version 5, which dropped this detector."""
    cv2 = opencv.load("analysis")
    if not hasattr(cv2, "CascadeClassifier"):
        raise MissingExtra("opencv-python-headless below 5", "analysis")
    cascade = cv2.CascadeClassifier(str(Path(cv2.data.haarcascades) / CASCADE))

    def look(pixels: np.ndarray) -> list[Finding]:
        grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
        boxes, _, scores = cascade.detectMultiScale3(
            grey, scaleFactor=SHRINK, minNeighbors=NEIGHBOURS, outputRejectLevels=True
        )
        return [
            Finding((float(x), float(y), float(x + width), float(y + height)), float(score))
            for (x, y, width, height), score in zip(boxes, np.ravel(scores), strict=True)
        ]

    return look
