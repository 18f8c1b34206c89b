"""What several of these tests need: the data folder, and pictures to write."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of published data; without it a test is skipped."""
    folder = os.environ.get("HANDGRAD_DATA")
    if not folder:
        pytest.skip("HANDGRAD_DATA is not set")
    return Path(folder)


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No data on this machine: no HANDGRAD_DATA, and a cache that is empty."""
    from handgrad.datasets import sources

    cache = tmp_path / "cache"
    monkeypatch.delenv("HANDGRAD_DATA", raising=False)
    monkeypatch.setattr(sources, "cache_folder", lambda: cache)
    return cache


@pytest.fixture
def drawn() -> Callable[..., None]:
    """Writes a PNG of one colour and makes its folder."""

    def draw(path: Path, colour: int = 0, size: tuple[int, int] = (6, 5)) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((size[1], size[0]), colour, dtype=np.uint8)).save(path, "PNG")

    return draw
