"""Where a figure was measured: processor, cores, versions."""

from __future__ import annotations

import importlib.metadata
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from handgrad import __version__
from handgrad.experiments import cores

__all__ = ["measured_where", "processor", "versions"]

PACKAGES = ("numpy", "torch", "scikit-learn", "jax", "onnxruntime")


def processor() -> str:
    """The processor's own name, as the system tells it."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


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
