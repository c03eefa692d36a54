"""OpenCV, where it is installed: optical flow for the metrics, detectors for the analysers."""

from types import ModuleType

from vidgan.errors import MissingExtra


def load(extra: str) -> ModuleType:
    """The module cv2. Raises MissingExtra where it is not installed.

    extra  what brings it, in our pyproject
    """
    try:
        import cv2
    except ImportError as missing:
        raise MissingExtra("opencv-python-headless", extra) from missing
    module: ModuleType = cv2
    return module
