"""A derivative computed without any calculus: finite differences, and the complex step.

Central differences, (φ(t + h) - φ(t - h)) / 2h, are off by h² φ'''/6 from the truth and by about
ε φ/h from rounding; no single h suits every function, so several are tried and the one that agrees
best is taken: a wrong derivative agrees with none. The complex step, Im φ(t + ih)/h, subtracts
nothing, so h may be 1e-30 and only rounding of the function itself remains; it holds where φ is
analytic. Whether it is, is not believed but tried: its value is used only where it agrees with the
differences.

Source: Squire, Trapp, Using complex variables to estimate derivatives of real functions (SIAM
Review 40, 1998).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator

import numpy as np

from handgrad.arrays import Array
from handgrad.verification.finding import Ledger

__all__ = ["COMPLEX", "DIFFERENCES", "central_difference", "compare_gradient", "complex_step"]

STEPS = (1e-3, 1e-4, 1e-5, 1e-6)
DIFFERENCES = "central differences"
COMPLEX = "the complex step"
TOLERANCE = {DIFFERENCES: 1e-6, COMPLEX: 1e-12}

Scalar = Callable[[Array], complex]


def central_difference(phi: Scalar, at: Array, direction: Array, h: float) -> float:
    """The derivative of φ along a direction, ``(φ(x + h e) - φ(x - h e)) / 2h``.

    By Taylor the even terms cancel: it is off by a sixth of h² times the third derivative, and by
    rounding, about ε φ / h.

    >>> central_difference(lambda x: (x**3).sum(), np.array([2.0]), np.array([1.0]), 0.5)
    12.25
    """
    return float((phi(at + h * direction) - phi(at - h * direction)).real / (2 * h))


def complex_step(phi: Scalar, at: Array, direction: Array, h: float = 1e-30) -> float:
    """The derivative of an analytic φ along a direction, ``Im φ(x + i h e) / h``.

    In φ(x + i h e), expanded by Taylor, even powers of i h are real: the imaginary part is h times
    the derivative, but for h³. Nothing is subtracted.

    >>> complex_step(lambda x: (x**3).sum(), np.array([2.0]), np.array([1.0]))
    12.0
    """
    return float(phi(at + 1j * h * direction).imag / h)


def compare_gradient(
    ledger: Ledger,
    what: str,
    phi: Scalar,
    at: Array,
    gradient: Array,
    *,
    elements: bool = True,
    scale: float = 0.0,
) -> None:
    """Hold a gradient against numerical derivatives of the same scalar function.

    Parameters
    ----------
    what : the argument, for the words of a failure
    phi : from an array like ``at`` to a number; complex where it is given complex numbers
    at : where, float64; not changed
    gradient : what calculus says, of the same shape
    elements : compare every partial derivative; else only some directional ones
    scale : the size of other gradients of the same numbers, beside which this one may be only
        rounding (an offset before a normalization has none)
    """
    if gradient.shape != at.shape:
        ledger.fail(f"{what}: a gradient of shape {gradient.shape} for one of shape {at.shape}")
        return
    generator = np.random.default_rng(at.size)
    scale = max(scale, float(np.abs(gradient).max(initial=0.0)))
    method = COMPLEX if _analytic(phi, at, generator.normal(size=at.shape)) else DIFFERENCES
    for place, direction in _directions(at, elements, generator):
        found = float(np.sum(gradient * direction))
        numbers = (
            [complex_step(phi, at, direction)]
            if method == COMPLEX
            else _central(phi, at, direction)
        )
        expected = min(numbers, key=lambda number: abs(number - found))
        ledger.compare(
            f"{what} {at.shape}{place}",
            found,
            expected,
            # Along a direction of length 1 a gradient has about its norm over the root of its size.
            scale=scale if elements else float(np.linalg.norm(gradient)) / at.size**0.5,
            tolerance=TOLERANCE[method],
            method=method,
        )


def _directions(
    at: Array, elements: bool, generator: np.random.Generator
) -> Iterator[tuple[str, Array]]:
    if not elements:
        for i in range(4):
            direction = generator.normal(size=at.shape)
            # Of length 1, so that a step of h goes no further than h, and past few kinks.
            yield f", direction {i}", direction / np.linalg.norm(direction)
        return
    for index in np.ndindex(at.shape):
        direction = np.zeros(at.shape)
        direction[index] = 1.0
        yield f", element {index}", direction


def _central(phi: Scalar, at: Array, direction: Array) -> list[float]:
    return [central_difference(phi, at, direction, h) for h in STEPS]


def _analytic(phi: Scalar, at: Array, direction: Array) -> bool:
    """Whether the complex step works: tried once, along one direction, against differences."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            step = complex_step(phi, at, direction)
    except (TypeError, ValueError, Warning, AttributeError):
        return False
    differences = _central(phi, at, direction)
    size = max(abs(step), *map(abs, differences))
    return min(abs(step - d) for d in differences) <= 1e-6 * size
