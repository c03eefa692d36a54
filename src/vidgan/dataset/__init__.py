"""Folders of videos and photos -> a store of decoded clips -> batches to train on."""

from vidgan.dataset.batches import MARGIN, Batches, camera_path, damaged, turned
from vidgan.dataset.store import PHOTO_SUFFIXES, VIDEO_SUFFIXES, Store, files, pack

__all__ = [
    "MARGIN",
    "PHOTO_SUFFIXES",
    "VIDEO_SUFFIXES",
    "Batches",
    "Store",
    "camera_path",
    "damaged",
    "files",
    "pack",
    "turned",
]
