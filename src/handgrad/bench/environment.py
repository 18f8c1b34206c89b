"""Where a figure was measured: processor, cores, versions."""

from __future__ import annotations

import importlib.metadata
import platform
from datetime import UTC, datetime
from typing import Any

from handgrad import __version__
from handgrad.experiments import cores
from handgrad.experiments.manifest import processor

__all__ = ["measured_where", "processor", "versions"]

PACKAGES = ("numpy", "torch", "scikit-learn", "jax", "onnxruntime")


def versions() -> dict[str, str]:
    """Ours, Python's, and those of the packages that are here."""
    found = {"handgrad": __version__, "python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def measured_where() -> dict[str, Any]:
    """What a reader of a figure must know of the machine and the day."""
    return {
        "cpu": processor(),
        "cores": cores(),
        "system": f"{platform.system()} {platform.machine()}",
        "versions": versions(),
        "date": datetime.now(UTC).date().isoformat(),
    }
