"""What a model takes for normal, and how far a frame is from it: anomalies by prediction of frames.

A predictor (generators/predictor.py) that has only ever seen normal footage tells how each frame will look before it
comes. Where it is wrong by more than it usually is at that place, something is not normal there.

The squared error is averaged over patches of 60 pixels and divided by what it usually is in that patch of the training
footage: trees always move, and distant people are small. The root of the largest ratio is the frame's own value; its
score is a running mean of these values, so that a single flash hardly counts. A frame above the threshold is reported;
the threshold comes from normal footage that was held out of training.

Letters: H W height and width at which the model looks, h w in squares of fold by fold pixels.
Sources: Liu et al. 2018, "Future frame prediction for anomaly detection", whose score is of the whole frame and
normalised over a finished clip; patches in its place as in Nguyen and Meunier 2019.
"""

import json
import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from vidgan import checkpoint
from vidgan.errors import BadVideo, BadWeights
from vidgan.generators import Memory, VideoGenerator
from vidgan.generators.predictor import SEEN
from vidgan.motion import mean_around
from vidgan.pixels import bytes_of
from vidgan.shots import CutDetector
from vidgan.words import one

PATCH = 15  # squares, each side, that an error is averaged over: 60 pixels, where people are 20 to 30 high
AROUND = 9  # squares, each side, that what is usual is averaged over
# Share of a large error that is added to what is usual: where nothing ever moves, noise is no anomaly.
FLOOR = 0.05
LARGE = 0.99  # quantile of all patches' errors that counts as a large error
FRAMES_BACK = 4  # of the running mean: a frame's own value counts for a quarter of its score
FALSE_ALARMS = 0.01  # of the frames of new normal clips that may be above the threshold
# Multiplies the held-out quantile, since clips vary more than frames do. With any two of 16 normal Ped2 clips held out,
# 1 % of the other clips' frames lie above the threshold; without this factor, 13 %.
MARGIN = 1.3
HEADER = "normal"  # of a model file: what was found when it was calibrated
EXPECTED = f"{checkpoint.BESIDE}expected"  # tensor of a model file


@dataclass(frozen=True)
class Reading:
    """Of one frame, in units of what is usual at each place: 1 is an error as large as there in training's footage.

    score  the largest value of the heat; None where there is nothing to predict from yet: the first frames of a
           video and those after a cut
    heat   float32 (rows, columns): how unusual each square of the frame is, the frame's top left square first, evenly
           spread over the frame as it is given; None where the score is
    """

    score: float | None
    heat: np.ndarray | None


NOTHING = Reading(None, None)


@dataclass(frozen=True)
class Usual:
    """What calibration has found.

    expected      (h, w) float32: the usual squared error of each patch
    size          H and W of the footage
    threshold     the score that few normal frames exceed
    false_alarms  share of the frames of new normal clips that the threshold is meant to leave above it
    frames        held-out normal ones that it was set by
    above         share of those whose score is above it
    """

    expected: Tensor
    size: tuple[int, int]
    threshold: float
    false_alarms: float
    frames: int
    above: float


class Foresight:
    """A predictor at work on one video: how wrong it was about each frame. It keeps a few frames and predictions."""

    def __init__(self, generator: VideoGenerator, size: tuple[int, int], device: torch.device) -> None:
        self.generator = generator.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.size = size
        self.device = device
        self.forget()

    def forget(self) -> None:
        """A new shot, or another video, begins with the next frame."""
        self._memory: Memory | None = None
        self._coming: deque[Tensor] = deque()  # predictions, of the next frame first
        self._num_seen = 0

    @torch.inference_mode()
    def error(self, frame: Tensor) -> Tensor | None:
        """The mean squared error around each square, (h, w), of a range of 1; None where nothing was predicted.

        frame  (3, any, any) uint8 or float in [0, 1]
        """
        grey = self._grey(frame)
        found = None
        if len(self._coming) == self.generator.ahead:
            wrong = (self._coming.popleft() - grey).square_()
            squares = F.avg_pool2d(wrong, self.generator.fold, ceil_mode=True)
            found = mean_around(squares, PATCH)[0, 0]
        prediction, self._memory = self.generator.folded(grey, self._memory)
        self._num_seen += 1
        if self._num_seen >= SEEN:  # before that it would see one frame several times
            self._coming.append(prediction)
        return found

    def _grey(self, frame: Tensor) -> Tensor:
        grey = frame.to(self.device).float().mean(0)[None, None]
        if not frame.dtype.is_floating_point:
            grey /= 255
        if grey.shape[-2:] != self.size:
            grey = F.interpolate(grey, self.size, mode="bilinear", antialias=True)
        return grey


class Normal:
    """A model at work on one video, frame by frame: it keeps a few frames, and no more however long the video is.

    threshold     a frame with a higher score is told of; set when training ended, from normal footage that was held
                  out
    false_alarms  share of the frames of new normal footage that the threshold is meant to leave above it
    fewest        frames of a shot: of the last of so many there is a score
    """

    def __init__(self, generator: VideoGenerator, usual: Usual, device: torch.device) -> None:
        self.usual = usual
        self.threshold, self.false_alarms = usual.threshold, usual.false_alarms
        self.generator = generator
        self.fewest = fewest(generator)
        self._foresight = Foresight(generator, usual.size, device)
        self._expected = usual.expected.to(device)
        self._score: float | None = None

    def read(self, frame: Tensor) -> Reading:
        """The next frame of the video: (3, any, any) uint8, or float in [0, 1]; R'G'B', upright.

        The model looks at it at the size of the footage that it was trained on.
        """
        error = self._foresight.error(frame)
        if error is None:
            return NOTHING
        heat = (error / self._expected).sqrt_()
        highest = float(heat.max())
        before = highest if self._score is None else self._score
        self._score = before + (highest - before) / FRAMES_BACK
        # The map is this frame's, its scale that of the score.
        heat *= self._score / max(highest, 1e-9)
        return Reading(self._score, heat.cpu().numpy())

    def forget(self) -> None:
        """A new shot, or another video, begins with the next frame."""
        self._foresight.forget()
        self._score = None


Clips = Iterable[Iterable[Tensor]]  # clips of frames, each (3, any, any) uint8


def calibrated(
    generator: VideoGenerator, seen: Clips, held_out: Clips, *, device: torch.device, tick: Callable[[], None]
) -> Usual:
    """What is usual for a predictor, from the footage that it was trained on, and its threshold from other footage.

    tick  called after each frame
    Raises BadVideo where there are too few frames.
    """
    size: tuple[int, int] | None = None
    errors = []
    for clip in seen:
        cuts = CutDetector()
        for frame in clip:
            if size is None:
                size = (frame.shape[1], frame.shape[2])
                foresight = Foresight(generator, size, device)
            if cuts.begins_shot(_pixels(frame)):
                foresight.forget()
            if (error := foresight.error(frame)) is not None:
                errors.append(error.cpu())
            tick()
    if size is None or not errors:
        raise _too_few(generator)
    found = torch.stack(errors)
    large = float(np.quantile(found.numpy(), LARGE))
    expected = mean_around(found.square().mean(0).sqrt()[None, None], AROUND)[0, 0] + FLOOR * large
    unlimited = Usual(expected, size, math.inf, FALSE_ALARMS, 0, 0.0)
    scores = list(_scores(Normal(generator, unlimited, device), held_out, tick))
    if not scores:
        raise _too_few(generator)
    threshold = MARGIN * float(np.quantile(scores, 1 - FALSE_ALARMS, method="higher"))
    above = sum(score > threshold for score in scores) / len(scores)
    return Usual(expected, size, threshold, FALSE_ALARMS, len(scores), above)


def _scores(normal: Normal, clips: Clips, tick: Callable[[], None]) -> Iterator[float]:
    for clip in clips:
        cuts = CutDetector()
        for frame in clip:
            # As whoever watches does; else a cut would set the threshold.
            if cuts.begins_shot(_pixels(frame)):
                normal.forget()
            if (score := normal.read(frame).score) is not None:
                yield score
            tick()


def _pixels(frame: Tensor) -> np.ndarray:
    """(3, H, W) uint8, or float in [0, 1] -> (H, W, 3) uint8."""
    return frame.permute(1, 2, 0).numpy() if frame.dtype == torch.uint8 else bytes_of(frame)


def save(usual: Usual, path: Path) -> None:
    """Write what was found into the model file that it was found for, beside the weights."""
    tensors, header = checkpoint.load_tensors(path)
    told = {
        "size": usual.size,
        "threshold": usual.threshold,
        "false_alarms": usual.false_alarms,
        "frames": usual.frames,
        "above": usual.above,
    }
    tensors[EXPECTED] = usual.expected
    checkpoint.save_tensors(tensors, {**header, HEADER: json.dumps(told)}, path)


def load(path: Path, device: torch.device) -> Normal:
    """What `vidgan train` left of a predictor. Raises BadWeights for a file that is none, or was not calibrated."""
    generator = checkpoint.load_generator(path)
    if not generator.ahead:
        raise BadWeights(
            f"{path} holds {one(checkpoint.card_of(generator).generator)}, which enhances frames and predicts none",
            "Give a model that `vidgan train` made by a recipe such as recipes/anomaly.toml.",
        )
    tensors, header = checkpoint.load_tensors(checkpoint.find(path))
    if HEADER not in header or EXPECTED not in tensors:
        raise BadWeights(
            f"{path} predicts frames, but nobody has told it what is usual: its training did not end",
            "Give the command that trained it once more, and take best.safetensors of its checkpoints.",
        )
    try:
        told = json.loads(header[HEADER])
        height, width = (int(side) for side in told["size"])
        numbers = (float(told["threshold"]), float(told["false_alarms"]))
        usual = Usual(
            tensors[EXPECTED].float(), (height, width), *numbers, int(told["frames"]), float(told["above"])
        )
        fits = tuple(usual.expected.shape) == tuple(-(-side // generator.fold) for side in usual.size)
        sound = usual.threshold > 0 and bool((usual.expected > 0).all() & usual.expected.isfinite().all())
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        fits = sound = False
    if not fits or not sound:
        raise BadWeights(
            f"{path} has a damaged header: what is usual cannot be read", "Fetch or train it again."
        )
    return Normal(generator, usual, device)


def fewest(generator: VideoGenerator) -> int:
    """Frames of a shot that a prediction takes, with the one that it is held against."""
    return SEEN + generator.ahead


def _too_few(generator: VideoGenerator) -> BadVideo:
    return BadVideo(
        f"what is normal cannot be told: no clip has the {fewest(generator)} frames that a prediction takes",
        "Name longer videos under [data] train and val.",
    )
