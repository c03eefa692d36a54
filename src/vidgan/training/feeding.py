"""Batches for the steps of a stage: made ahead by other processes; shown once, or several times from a pool."""

import gc
from collections.abc import Iterator

from torch import Tensor
from torch.utils.data import DataLoader

from vidgan import dataset, interrupt
from vidgan.recipe import Stage
from vidgan.training import distributed, teaching
from vidgan.training.ground import Ground
from vidgan.training.run import Run
from vidgan.training.teaching import Pair


def batches(run: Run, ground: Ground, steps: range) -> Iterator[Pair]:
    """The small and the large clips of each step, uint8. Raises BadVideo where no clip is large enough.

    Closed as soon as nobody reads on, so that no process is left to be killed.
    """
    # What an earlier stage recorded on a GPU may wait for the garbage collector, and must not be found by that of a
    # loading process: it would end with a CUDA error, as that process has no GPU.
    gc.collect()
    recipe, stage, scale = run.recipe, run.stage, run.generator.scale
    if recipe.data.reuse == 1:
        return teaching.taught(_loader(run, ground, stage, steps), ground.table.teacher)
    pool = dataset.Pool(
        recipe=recipe,
        stage=stage,
        scale=scale,
        samples=distributed.own_samples(stage.batch),
        attempt=run.attempt,
        device=ground.setup.device,
    )
    chunks = range(steps.start, steps.stop + dataset.chunks_held(recipe, stage) - 1)
    feed, size = dataset.feed(recipe, stage), distributed.world()
    # Every process has a pool of its own: what is new in a step must be shared out equally, too.
    feed = feed.model_copy(update={"batch": -(-feed.batch // size) * size})
    fresh = teaching.taught(_loader(run, ground, feed, chunks), ground.table.teacher)
    if ground.table.teacher and ground.journal is not None:
        fresh = _told(fresh, dataset.chunks_held(recipe, stage), steps.start, ground)
    return pool.batches(fresh, steps)


def _told(fresh: Iterator[Pair], held: int, step: int, ground: Ground) -> Iterator[Pair]:
    """Of a pool that a teacher fills, which takes minutes before the first step: they say nothing of a step's time."""
    for number, pair in enumerate(fresh):
        if number < held:
            clips = len(pair[0])
            done, total = (number + 1) * clips, held * clips
            ground.setup.tick(step, None, f"the teacher looks at clips first: {done} of {total}")
        yield pair


def _loader(run: Run, ground: Ground, stage: Stage, steps: range) -> DataLoader[tuple[Tensor, Tensor]]:
    scale = run.generator.scale
    stores = [ground.store, *([ground.replay] if ground.replay is not None else [])]
    side = stage.crop + 2 * dataset.MARGIN * scale
    for store in stores:
        if (small := store.smaller_than(side)) and ground.journal is not None:
            ground.setup.say(
                f"too small for a crop of {stage.crop} pixels and its margin: {', '.join(small)}"
            )
    large = [store.without(store.smaller_than(side)) for store in stores]
    batches = dataset.Batches(
        store=large[0],
        replay=large[1] if len(large) > 1 else None,
        recipe=run.recipe,
        stage=stage,
        scale=scale,
        ahead=run.ahead,
        samples=distributed.own_samples(stage.batch),
        attempt=run.attempt,
    )
    workers = ground.setup.workers
    return DataLoader(
        batches,
        batch_size=None,
        sampler=steps,
        num_workers=workers,
        prefetch_factor=4 if workers else None,
        worker_init_fn=interrupt.deaf,
        pin_memory=ground.setup.device.type == "cuda",
    )
