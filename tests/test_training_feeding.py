"""Batches on their way from loading processes to the steps."""

import gc
import weakref
from pathlib import Path

import pytest
from safetensors.torch import save_file

from test_training import folder, moving, recipe
from vidgan.recipe import Data
from vidgan.training import feeding, ground, loop
from vidgan.training import run as running

__all__ = ["folder"]  # a fixture


class Recorded:
    """Stands for a recording on a GPU, which only its own process may let go of: in a cycle, as those of torch are."""

    def __init__(self) -> None:
        self.own = self


@pytest.mark.parametrize("reuse", [1, 2])
def test_loading_processes_inherit_no_garbage(folder, reuse):
    """On a GPU one that did was killed by CUDA as it collected the recordings of the stage before."""
    save_file({"a": moving(6, 136), "b": moving(1, 144, 1)}, folder / "train.store")
    data = Data(train=[Path("nowhere")], val=[Path("nowhere else")], reuse=reuse, pool=4)
    run = running.create(recipe(data=data))
    found = ground.prepared(run, folder, loop.Setup(say=print, tick=print, workers=0))
    gc.collect()
    gc.disable()
    try:
        old = weakref.ref(Recorded())
        assert old() is not None, "a cycle waits for the collector"
        batches = feeding.batches(run, found, range(2))
        assert old() is None
        assert len(list(batches)) == 2
    finally:
        gc.enable()
