"""Where images come from, and how they become numbers.

Sources (generated, embedded, files, folders), the preparation contract, splits and batches live
here. Every room above may call; nothing here knows of layers, losses or networks.
"""

from handgrad.datasets.augmentation import Augmentation, augmented
from handgrad.datasets.batches import Batches
from handgrad.datasets.dataset import Dataset, Progress, Splits, part, pooled, redrawn
from handgrad.datasets.decoding import decode, decode_many
from handgrad.datasets.folder import read_folder
from handgrad.datasets.lines import random_lines
from handgrad.datasets.on_disk import OnDisk
from handgrad.datasets.preparation import (
    MOST_PIXELS,
    Preparation,
    fitted,
    measured,
    natural,
    numbers,
)
from handgrad.datasets.quarantine import read_quarantine
from handgrad.datasets.sources import Source, catalogue, load

__all__ = [
    "MOST_PIXELS",
    "Augmentation",
    "Batches",
    "Dataset",
    "OnDisk",
    "Preparation",
    "Progress",
    "Source",
    "Splits",
    "augmented",
    "catalogue",
    "decode",
    "decode_many",
    "fitted",
    "load",
    "measured",
    "natural",
    "numbers",
    "part",
    "pooled",
    "random_lines",
    "read_folder",
    "read_quarantine",
    "redrawn",
]
