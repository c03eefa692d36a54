"""QR codes and bar codes, read: a code whose content does not come out counts as not seen."""

from collections.abc import Sequence

import numpy as np

from vidgan import opencv
from vidgan.analysers import Finding, Look, around
from vidgan.errors import MissingExtra

TITLE = "codes"
PROTOCOL = "OpenCV's QR and bar code (EAN, UPC) detectors; only codes whose content is read"
SMALLEST_SIDE = 40  # pixels: OpenCV's detectors fail on pictures that could not hold a code


def load() -> Look:
    """Raises MissingExtra without OpenCV."""
    cv2 = opencv.load("analysis")
    if not hasattr(cv2, "barcode"):
        raise MissingExtra("opencv-python-headless with bar codes", "analysis")
    squares, bars = cv2.QRCodeDetector(), cv2.barcode.BarcodeDetector()

    def look(pixels: np.ndarray) -> list[Finding]:
        if min(pixels.shape[:2]) < SMALLEST_SIDE:
            return []
        grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
        _, contents, corners, _ = squares.detectAndDecodeMulti(grey)
        found = _findings(contents, corners)
        _, contents, _, corners = bars.detectAndDecodeWithType(grey)
        return found + _findings(contents, corners)

    return look


def _findings(contents: Sequence[str], corners: np.ndarray | None) -> list[Finding]:
    """corners  (N, 4, 2)"""
    if corners is None:
        return []
    return [
        Finding(around(four), 1.0, content)
        for content, four in zip(contents, corners, strict=True)
        if content
    ]
