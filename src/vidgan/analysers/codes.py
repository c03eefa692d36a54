"""QR codes and bar codes, read: a code whose content does not come out counts as not seen."""

from collections.abc import Sequence
from typing import Any

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
        found = _findings(*_squares(squares, grey))
        _, contents, _, corners = bars.detectAndDecodeWithType(grey)
        return found + _findings(contents, corners)

    return look


def _squares(detector: Any, grey: np.ndarray) -> tuple[Sequence[str], np.ndarray | None]:
    """What QR codes say, and where they are. Their bytes need not be UTF-8: a Japanese code is in Shift-JIS."""
    if hasattr(detector, "detectAndDecodeBytesMulti"):
        _, contents, corners, _ = detector.detectAndDecodeBytesMulti(grey)
        return [bytes(content).decode("utf-8", errors="replace") for content in contents], corners
    try:
        _, contents, corners, _ = detector.detectAndDecodeMulti(grey)
    except UnicodeDecodeError:
        return [], None
    return contents, corners


def _findings(contents: Sequence[str], corners: np.ndarray | None) -> list[Finding]:
    """corners  (N, 4, 2)"""
    if corners is None:
        return []
    return [
        Finding(around(four), 1.0, content)
        for content, four in zip(contents, corners, strict=True)
        if content
    ]
