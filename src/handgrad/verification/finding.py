"""What a check found: one row of the certificate."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

__all__ = ["Finding", "Ledger"]


@dataclass(frozen=True)
class Finding:
    """One row: an operation, a layer, a loss, an optimizer, a network.

    Parameters
    ----------
    name, kind : what was verified
    passed : whether every comparison was within its tolerance
    worst_error : the largest relative error of all comparisons in float64
    method : what it was compared with
    shapes, dtypes : what was tried
    comparisons : how many numbers were compared
    failure : of the first comparison that failed: where, and both numbers
    """

    name: str
    kind: str
    passed: bool
    worst_error: float
    method: str
    shapes: tuple[str, ...] = ()
    dtypes: tuple[str, ...] = ("float64",)
    comparisons: int = 0
    failure: str | None = None

    def table(self) -> dict[str, Any]:
        """As plain data."""
        return {key: value for key, value in asdict(self).items() if value is not None}


@dataclass
class Ledger:
    """Comparisons as they are made, for one `Finding`.

    ``differs`` is the first that failed: where, what was found, how and what was expected.
    """

    name: str
    kind: str
    worst: float = 0.0
    failure: str | None = None
    differs: tuple[str, float, str, float] | None = None
    comparisons: int = 0
    methods: dict[str, None] = field(default_factory=dict)
    shapes: dict[str, None] = field(default_factory=dict)
    dtypes: dict[str, None] = field(default_factory=lambda: {"float64": None})

    def compare(
        self,
        what: str,
        found: float,
        expected: float,
        *,
        scale: float = 0.0,
        tolerance: float,
        method: str,
        counted: bool = True,
    ) -> None:
        """Enter one comparison; the error is relative to the larger number, or to ``scale``.

        Parameters
        ----------
        what : the place, for a failure: which argument, shape and element
        scale : the size of the numbers that went into it, below which a difference is rounding
        counted : whether the error counts for the worst of the row (float32 ones do not)
        """
        size = max(abs(found), abs(expected), scale)
        error = abs(found - expected) / size if size else 0.0
        if error != error:  # NaN is as wrong as can be
            error = float("inf")
        self.comparisons += 1
        self.methods[method] = None
        if counted:
            self.worst = max(self.worst, error)
        if error > tolerance and self.failure is None:
            self.differs = what, found, method, expected
            self.failure = (
                f"{self.name}: {what}: found {found:.12g}, but {method} gives {expected:.12g} "
                f"(relative error {error:.2g}, tolerance {tolerance:.2g})"
            )

    def fail(self, sentence: str) -> None:
        """Enter that something is wrong which is no number."""
        if self.failure is None:
            self.failure = f"{self.name}: {sentence}"

    def finding(self) -> Finding:
        return Finding(
            self.name,
            self.kind,
            passed=self.failure is None,
            worst_error=self.worst,
            method=", ".join(self.methods) or "none",
            shapes=tuple(self.shapes),
            dtypes=tuple(self.dtypes),
            comparisons=self.comparisons,
            failure=self.failure,
        )
