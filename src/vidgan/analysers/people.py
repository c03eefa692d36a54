"""People, whole and upright: histograms of oriented gradients and a linear classifier, as OpenCV ships them.

Source: Dalal, Triggs, "Histograms of oriented gradients for human detection", CVPR 2005.
"""

import numpy as np

from vidgan import opencv
from vidgan.analysers import Finding, Look
from vidgan.errors import MissingExtra

WINDOW = (64, 128)  # width, height in pixels: nobody smaller is seen
STEP = 8  # pixels between windows
SHRINK = 1.05  # from one size that is searched to the next
LEAST = 0.5  # distance from the classifier's plane

TITLE = "people"
PROTOCOL = (
    f"OpenCV's HOG people detector: window {WINDOW[0]}x{WINDOW[1]}, step {STEP}, sizes {SHRINK} apart, "
    f"score at least {LEAST}"
)


def load() -> Look:
    """Raises MissingExtra without OpenCV, or with version 5, which dropped this detector."""
    cv2 = opencv.load("analysis")
    if not hasattr(cv2, "HOGDescriptor"):
        raise MissingExtra("opencv-python-headless below 5", "analysis")
    detector = cv2.HOGDescriptor()
    detector.setSVMDetector(cv2.HOGDescriptor_getDefaultPeopleDetector())

    def look(pixels: np.ndarray) -> list[Finding]:
        if pixels.shape[1] < WINDOW[0] or pixels.shape[0] < WINDOW[1]:
            return []
        blue_first = np.ascontiguousarray(pixels[..., ::-1])
        boxes, scores = detector.detectMultiScale(blue_first, winStride=(STEP, STEP), scale=SHRINK)
        return [
            Finding((float(x), float(y), float(x + width), float(y + height)), float(score))
            for (x, y, width, height), score in zip(boxes, np.ravel(scores), strict=True)
            if score >= LEAST
        ]

    return look
