"""The manifest of a run: all on which its bits depend, and what they came to.

The same recipe, data, versions, threads and machine give the same model file, byte for byte; so
where two runs of a recipe differ, their manifests say what else does.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Any

from handgrad import __version__
from handgrad.arrays import device_name
from handgrad.experiments.threads import cores

if TYPE_CHECKING:
    from handgrad.experiments.experiment import Experiment

__all__ = ["blas", "data_hashes", "differences", "file_hash", "manifest", "processor"]

PACKAGES = ("numpy", "scipy", "pillow", "h5py", "safetensors")
"""Those that read, compute or write what a model file holds."""


def manifest(experiment: Experiment, recipe: Path, model: Path) -> dict[str, Any]:
    """All on which a trained experiment's bits depend, and hashes (SHA-256) of what it is of.

    Parameters
    ----------
    recipe, model : the files, as they were written
    """
    threads, device = experiment.threads, experiment.work.device
    return {
        "seed": experiment.recipe.seed,
        "recipe": file_hash(recipe),
        "data": data_hashes(experiment),
        "model": file_hash(model),
        "work": str(experiment.work),
        **({"device": device_name(device)} if device != "cpu" else {}),
        "threads": {"blas": threads.blas, "shards": threads.shards, "cores": cores()},
        "blas": blas(),
        "cpu": processor(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "versions": versions(),
    }


def versions() -> dict[str, str]:
    """Ours, Python's, and those of the packages on which bits depend."""
    found = {"handgrad": __version__, "python": platform.python_version()}
    for name in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def blas() -> list[dict[str, str]]:
    """The libraries that multiply matrices here: which, its version, for which processor."""
    from threadpoolctl import threadpool_info

    libraries = (
        {
            key: str(entry.get(key))
            for key in ("internal_api", "version", "architecture", "threading_layer")
        }
        for entry in threadpool_info()
        if entry.get("user_api") == "blas"
    )
    return sorted(libraries, key=lambda library: sorted(library.items()))


def data_hashes(experiment: Experiment) -> dict[str, str]:
    """Of the images and labels of each part, and of the names of the classes."""
    splits = experiment.splits
    parts = {"train": experiment.whole_train, "test": splits.test, **splits.others}
    found = {name: part.fingerprint() for name, part in parts.items() if part is not None}
    names = "\0".join(experiment.class_names)
    return found | {"classes": hashlib.sha256(names.encode("utf-8", "surrogatepass")).hexdigest()}


def file_hash(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def processor() -> str:
    """The processor's own name, as the system tells it."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def differences(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """What of two manifests is not the same, in words; of the model, which is a result, nothing.

    >>> differences({"cpu": "a", "threads": {"blas": 1}}, {"cpu": "b", "threads": {"blas": 1}})
    ['cpu was a, is b']
    """
    found = []
    for key in sorted((before.keys() | after.keys()) - {"model"}):
        old, new = before.get(key), after.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            found += [f"{key}.{difference}" for difference in differences(old, new)]
        elif old != new:
            found.append(f"{key} was {_word(old)}, is {_word(new)}")
    return found


def _word(value: Any) -> str:
    """A value of a manifest in few words."""
    if isinstance(value, list) and all(isinstance(entry, dict) for entry in value):
        return "; ".join(" ".join(map(str, entry.values())) for entry in value) or "nothing"
    return "not recorded" if value is None else str(value)
