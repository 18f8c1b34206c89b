"""What is done to a batch of training images so that no epoch shows the same ones twice.

One file a sort: whole-pixel moves, warps between the pixels, changes of value. Draws come first,
for the whole batch; recipes list the kinds, batches and pictures may call.
"""

from handgrad.datasets.augmentation.augmentation import Augmentation, applied, augmented, drawn
from handgrad.datasets.augmentation.moves import AlternatingFlip, Flip, Translate
from handgrad.datasets.augmentation.values import Brightness, Contrast, Cutout
from handgrad.datasets.augmentation.warps import Affine, Crop, Distort, Elastic

__all__ = [
    "Affine",
    "AlternatingFlip",
    "Augmentation",
    "Brightness",
    "Contrast",
    "Crop",
    "Cutout",
    "Distort",
    "Elastic",
    "Flip",
    "Translate",
    "applied",
    "augmented",
    "drawn",
]
