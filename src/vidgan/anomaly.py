"""What a model takes for normal, and how far a frame is from it: anomalies by prediction of frames.

A generator that has only ever seen normal footage predicts each frame from those before it. Where it is wrong by more
than it was on normal footage that it was not trained on, something is not normal there.

Letters: H W height and width at which the model looks, h w rows and columns of cells.
Source: the prediction of frames of Liu et al. 2018, "Future frame prediction for anomaly detection".
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Reading:
    """Of one frame, in units of the model's threshold's scale: 1 is what a frame of normal footage rarely reaches.

    score  the largest value of the heat; None where there is nothing to predict from yet: the first frames of a
           video and those after a cut
    heat   float32 (rows, columns): how unusual each cell of the frame is, the frame's top left cell first, evenly
           spread over the frame as it is given; None where the score is
    """

    score: float | None
    heat: np.ndarray | None


@dataclass
class Normal:
    """A model at work on one video, frame by frame: it keeps a few frames, and no more however long the video is.

    threshold     a frame with a higher score is told of; set when training ended, from normal footage that was held
                  out
    false_alarms  share of the held-out normal frames whose score is above the threshold
    """

    threshold: float
    false_alarms: float
    generator: nn.Module

    def read(self, frame: Tensor) -> Reading:
        """The next frame of the video: (3, h, w) uint8 of [0, 255], or float in [0, 1], R'G'B', upright.

        Any size will do; the model looks at the size that it was trained at.
        """
        raise NotImplementedError

    def forget(self) -> None:
        """A new shot, or another video, begins with the next frame."""
        raise NotImplementedError


def load(path: Path, device: torch.device) -> Normal:
    """What `vidgan train` left of a predictor. Raises BadWeights for a file that is none, or was not calibrated."""
    raise NotImplementedError
