"""An ONNX network of your own as an analyser: pixels in, a number or boxes out.

    vidgan impact small.mp4 large.mp4 --plug examples/onnx_plug.py:text_share

Here it is the text finder inside rapidocr's wheel; put your file, and what it wants to be given, in its place.
"""

from functools import cache
from pathlib import Path

import numpy as np
import onnxruntime
import rapidocr

NETWORK = Path(rapidocr.__file__).parent / "models" / "PP-OCRv6_det_small.onnx"
MULTIPLE = 32  # its sides divide by that
LEAST = 0.3  # probability


@cache
def session() -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(NETWORK, providers=["CPUExecutionProvider"])


def text_share(pixels: np.ndarray) -> float:
    """(H, W, 3) uint8 RGB -> the share of the picture that looks like text."""
    high, wide = (side // MULTIPLE * MULTIPLE for side in pixels.shape[:2])
    if not high or not wide:
        return 0.0
    blue_first = pixels[:high, :wide, ::-1].astype(np.float32) / 255
    given = ((blue_first - 0.5) / 0.5).transpose(2, 0, 1)[None]
    (probability,) = session().run(None, {session().get_inputs()[0].name: given})
    return float((probability > LEAST).mean())
