"""Folders of videos and photos -> a store of decoded clips -> batches to train on."""

from vidgan.dataset.batches import MARGIN, Batches, grey
from vidgan.dataset.packing import RATE, files, numbered, pack
from vidgan.dataset.pool import Pool, chunks_held, feed
from vidgan.dataset.store import Store

__all__ = [
    "MARGIN",
    "RATE",
    "Batches",
    "Pool",
    "Store",
    "chunks_held",
    "feed",
    "files",
    "grey",
    "numbered",
    "pack",
]
