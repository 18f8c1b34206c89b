"""The built pages, where they are there and made of what lies here now."""

from __future__ import annotations

from pathlib import Path

import pytest
from docs.building.sources import BUILT, MARK, SOURCES, fingerprint


@pytest.fixture(scope="session")
def site() -> Path:
    """The folder with index.html. `python3 go.py docs` takes minutes, so no test does it."""
    mark = BUILT / MARK
    if not mark.is_file() or mark.read_text() != fingerprint(*SOURCES):
        pytest.skip("the pages are not built, or of other sources: python3 go.py docs")
    return BUILT
