"""Text, read: PP-OCR's networks, which rapidocr carries in its wheel, under onnxruntime.

Both networks are named by their paths: nothing is ever fetched.
"""

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from vidgan.analysers import Finding, Look, around
from vidgan.errors import MissingExtra

FINDER, READER = "PP-OCRv6_det_small.onnx", "PP-OCRv6_rec_small.onnx"
LEAST = 0.5  # of a line's mean probability per character

TITLE = "text"
PROTOCOL = (
    f"rapidocr with {FINDER} and {READER}: lines read with a confidence of at least {LEAST}, letters upright"
)


def load() -> Look:
    """Raises MissingExtra without rapidocr, its networks, or onnxruntime."""
    engine = _engine()

    def look(pixels: np.ndarray) -> list[Finding]:
        found = engine(np.ascontiguousarray(pixels[..., ::-1]))
        if found.boxes is None:
            return []
        return [
            Finding(around(four), float(score), words)
            for four, words, score in zip(found.boxes, found.txts, found.scores, strict=True)
            if words.strip()
        ]

    return look


@cache
def _engine() -> Any:
    """One for all videos: it keeps nothing from picture to picture."""
    try:
        import rapidocr
    except ImportError as missing:
        raise MissingExtra("rapidocr with onnxruntime", "analysis") from missing
    if find_spec("onnxruntime") is None:  # rapidocr itself waits with it until it reads
        raise MissingExtra("rapidocr with onnxruntime", "analysis")
    folder = Path(rapidocr.__file__).parent / "models"
    if not (folder / FINDER).is_file() or not (folder / READER).is_file():
        raise MissingExtra(f"a rapidocr whose wheel holds {FINDER}", "analysis")
    return rapidocr.RapidOCR(
        params={
            "Det.model_path": str(folder / FINDER),
            "Rec.model_path": str(folder / READER),
            "Global.use_cls": False,  # a third network that finds text upside down
            "Global.text_score": LEAST,
            "Global.log_level": "critical",  # it warns of every picture without text
        }
    )
