"""The certificate: every check that the package has, found in it, and run."""

from __future__ import annotations

import platform
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any

import numpy as np

from handgrad.layers import Layer
from handgrad.losses import Loss
from handgrad.optimizers import Averaging, Optimizer, Schedule
from handgrad.tables import members
from handgrad.verification.finding import Finding, Ledger
from handgrad.verification.functions import check_function, function_names
from handgrad.verification.layers import check_layer
from handgrad.verification.losses import check_loss
from handgrad.verification.networks import check_small_network, check_training
from handgrad.verification.optimizers import check_averaging, check_optimizer, check_schedule

__all__ = ["certificate", "checks", "verify"]

Check = Callable[[], Ledger]


def checks(modules: Collection[str] = ()) -> dict[str, Check]:
    """Every check by its name: functions, layers, losses, optimizers, averages, the loop.

    Nothing is listed by hand: a function that calculus exports, or a class of one of the families,
    is here as soon as it exists. One that cannot be checked fails.

    Parameters
    ----------
    modules : whose classes count besides the package's own: a user's file, once imported
    """
    found: dict[str, Check] = {}
    for name in function_names():
        found[f"function {name}"] = lambda name=name: check_function(name)  # type: ignore[misc]
    families: list[tuple[str, type[Any], Callable[[Any], Ledger]]] = [
        ("layer", Layer, check_layer),
        ("loss", Loss, check_loss),
        ("optimizer", Optimizer, check_optimizer),
        ("schedule", Schedule, check_schedule),
        ("averaging", Averaging, check_averaging),
    ]
    for word, family, check in families:
        for name, kind in members(family).items():
            if kind.__module__.partition(".")[0] not in ("handgrad", *modules):
                continue
            found[f"{word} {name}"] = lambda check=check, kind=kind: check(kind)  # type: ignore[misc]
    found["network small"] = check_small_network
    found["training fit"] = check_training
    return found


def verify(named: Iterable[tuple[str, Check]] | None = None) -> Iterator[Finding]:
    """Run checks, and yield what each found.

    Parameters
    ----------
    named : names and checks; None for all of the package
    """
    for name, check in checks().items() if named is None else named:
        try:
            ledger = check()
        except Exception as error:  # what is being verified may be wrong in any way
            kind, _, what = name.partition(" ")
            ledger = Ledger(what, kind)
            ledger.fail(f"raises {type(error).__name__}: {error}")
        yield ledger.finding()


def certificate(findings: Iterable[Finding]) -> dict[str, Any]:
    """The findings with the versions they hold for, as plain data for a model file."""
    from handgrad import __version__

    rows = [finding.table() for finding in findings]
    return {
        "passed": all(row["passed"] for row in rows),
        "versions": {
            "handgrad": __version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
        "rows": rows,
    }
