"""Folders of videos and photos -> a store of decoded clips -> batches to train on."""

from vidgan.dataset.batches import MARGIN, Batches, damaged, grey
from vidgan.dataset.camera import View, camera_path, free_path, free_view, turned
from vidgan.dataset.packing import RATE, files, numbered, pack
from vidgan.dataset.pool import Pool, chunks_held, feed
from vidgan.dataset.store import Store

__all__ = [
    "MARGIN",
    "RATE",
    "Batches",
    "Pool",
    "Store",
    "View",
    "camera_path",
    "chunks_held",
    "damaged",
    "feed",
    "files",
    "free_path",
    "free_view",
    "grey",
    "numbered",
    "pack",
    "turned",
]
