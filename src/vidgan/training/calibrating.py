"""The last part of a predictor's training: what is usual, and above which score a frame is told of (anomaly.py).

It is found with the weights that are kept, in the footage that was trained on and in that which was held out, and
written into their file. A training that was killed here does it when it is started again.
"""

from collections.abc import Iterator
from pathlib import Path

from torch import Tensor

from vidgan import anomaly, checkpoint, dataset
from vidgan.recipe import Data
from vidgan.training import ground

MOST_FRAMES = 3000  # of each side, spread over its clips: minutes of footage say what is usual
CHUNK = 32  # frames that are read at a time
FORWARD = 12  # frames of a clip, at least, of which the first few cannot be read


def calibrate(weights: Path, data: Data, folder: Path, setup: ground.Setup) -> None:
    """Write into a model file what is usual for it, unless it stands there. Raises VidganError.

    folder  of the run, where its clips are packed
    """
    _, header = checkpoint.load_tensors(weights)
    if anomaly.HEADER in header:
        return
    sides = ground.stores(data, folder, setup.say)
    lengths = [_lengths(store) for store in sides]
    total, done = sum(sum(side.values()) for side in lengths), 0

    def tick() -> None:
        nonlocal done
        done += 1
        setup.tick(done, total, "what is usual")

    seen, held_out = (_clips(store, side) for store, side in zip(sides, lengths, strict=True))
    generator = checkpoint.load_generator(weights)
    usual = anomaly.calibrated(generator, seen, held_out, device=setup.device, tick=tick)
    anomaly.save(usual, weights)
    setup.say(
        f"The threshold is {usual.threshold:.3g}, for {usual.false_alarms:.0%} of false alarms in new clips; of the "
        f"{usual.frames} held-out frames {usual.above:.1%} score above it."
    )


def _lengths(store: dataset.Store) -> dict[str, int]:
    """How many frames of each clip are looked at: all, or as large a share of each as the limit leaves."""
    counts = {name: store.shapes[name][0] for name in store.videos}
    share = min(1.0, MOST_FRAMES / max(sum(counts.values()), 1))
    return {name: min(count, max(FORWARD, int(count * share))) for name, count in counts.items()}


def _clips(store: dataset.Store, lengths: dict[str, int]) -> Iterator[Iterator[Tensor]]:
    return (_frames(store, name, count) for name, count in lengths.items())


def _frames(store: dataset.Store, name: str, count: int) -> Iterator[Tensor]:
    """(3, H, W) uint8, the first of a clip."""
    for start in range(0, count, CHUNK):
        stop = min(start + CHUNK, count)
        clip = store.read(name, slice(start, stop), slice(None), slice(None))
        yield from clip.permute(0, 3, 1, 2)
