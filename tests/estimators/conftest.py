"""Small problems for classifiers."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits


@pytest.fixture(scope="session")
def digits():
    """Rows of scikit-learn's 8x8 digits in 0..1, and their labels."""
    X, y = load_digits(return_X_y=True)
    return X / 16, y


@pytest.fixture(scope="session")
def bars():
    """(60, 16, 16, 3) uint8 with an upright or a lying bar, and which: strings."""
    generator = np.random.default_rng(0)
    images = generator.integers(60, size=(60, 16, 16, 3), dtype=np.uint8)
    names = np.array(["lying", "upright"])[np.arange(60) % 2]
    for image, name in zip(images, names, strict=True):
        place = generator.integers(3, 11)
        part = image[place : place + 3] if name == "lying" else image[:, place : place + 3]
        part += np.uint8(150)
    return images, names
