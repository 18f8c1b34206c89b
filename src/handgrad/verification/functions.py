"""Checks of the functions of calculus, found by their names.

The names say how a pair belongs together: ``f_backward(dy, …)`` takes the gradient at f's output
first; an argument with the name of one of f's is that; ``dW`` is where the gradient of f's ``W`` is
written; any other is what f returned. What it returns is the gradient of f's first argument. So a
new pair is verified as soon as it is there.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from handgrad import calculus
from handgrad.arrays import Array
from handgrad.verification.difference import compare_gradient
from handgrad.verification.finding import Ledger

__all__ = ["check_function", "examples", "function_names"]

Arguments = dict[str, Any]

SHAPES = [(1,), (1, 1), (5, 1), (1, 7), (3, 4), (2, 3, 5, 1)]
ROWS = [(1, 1), (1, 7), (5, 1), (3, 4)]
BACKWARD, JACOBIAN, PARAMETERS = "_backward", "_jacobian", "_backward_parameters"


def function_names() -> list[str]:
    """Every function of calculus that stands for itself: not a derivative of another."""
    known = calculus.__all__
    ends = (PARAMETERS, BACKWARD, JACOBIAN)
    return [n for n in known if not any(n.endswith(e) and n.removesuffix(e) in known for e in ends)]


def _normal(*shape: int) -> Array:
    """Random numbers of both signs, none nearer than 0.1 to 0, where some functions have a kink."""
    drawn = np.random.default_rng(sum(shape) + 1).normal(size=shape)
    return drawn + np.copysign(0.1, drawn)


def examples(name: str) -> Iterator[Arguments]:
    """Arguments to try a function with: awkward shapes; a function of one array needs no entry."""
    if name == "affine":
        for n, i, o in [(1, 1, 1), (3, 5, 2), (1, 4, 3), (5, 1, 4), (4, 3, 1)]:
            yield {"x": _normal(n, i), "W": _normal(i, o), "b": _normal(o)}
    elif name == "dropout":
        for shape in SHAPES:
            kept = np.random.default_rng(3).random(shape) > 0.3
            yield {"x": _normal(*shape), "kept": kept, "rate": 0.3}
    else:
        first, *others = inspect.signature(getattr(calculus, name)).parameters.values()
        settings = {p.name: p.default for p in others if p.default is not p.empty}
        if len(settings) < len(others):
            return
        for shape in ROWS if name.endswith("softmax") else SHAPES:
            yield {first.name: _normal(*shape), **settings}
            for i, p in enumerate(others):  # a slope or a scale that is not the usual one
                yield {first.name: _normal(*shape), **settings, p.name: p.default + 0.3 + 0.1 * i}


def _each(definition: Callable[..., float]) -> Callable[[Arguments], Array]:
    """A definition of one number, for every element of the first argument."""

    def value(given: Arguments) -> Array:
        first, *settings = given.values()
        numbers = [definition(float(z), *settings) for z in first.ravel()]
        return np.array(numbers).reshape(first.shape)

    return value


def _softmax(given: Arguments) -> Array:
    rows = [[math.exp(z) for z in row] for row in given["z"]]
    return np.array([[e / math.fsum(row) for e in row] for row in rows])


def _affine(given: Arguments) -> Array:
    x, W, b = given["x"], given["W"], given["b"]
    products = [[[xi * wi for xi, wi in zip(r, c, strict=True)] for c in W.T] for r in x]
    return np.array(
        [[math.fsum([*terms, bo]) for terms, bo in zip(row, b, strict=True)] for row in products]
    )


DEFINITIONS: dict[str, Callable[[Arguments], Array]] = {
    "affine": _affine,
    "dropout": lambda given: np.where(given["kept"], given["x"] / (1 - given["rate"]), 0.0),
    "elu": _each(lambda z, alpha: z if z > 0 else alpha * (math.exp(z) - 1)),
    "gelu": _each(lambda z: z * 0.5 * (1 + math.erf(z / math.sqrt(2)))),
    "leaky_relu": _each(lambda z, slope: z if z > 0 else slope * z),
    "log_softmax": lambda given: np.log(_softmax(given)),
    "relu": _each(lambda z: max(0.0, z)),
    "sigmoid": _each(lambda z: 1 / (1 + math.exp(-z))),
    "softmax": _softmax,
    "tanh": _each(lambda z: (math.exp(z) - math.exp(-z)) / (math.exp(z) + math.exp(-z))),
}
"""Each function by its definition, in plain floats: a derivative cannot tell a missing constant."""


def check_function(name: str) -> Ledger:
    """Verify one function of calculus: its derivative, its Jacobian, its manners."""
    ledger = Ledger(name, "function")
    if name not in DEFINITIONS:
        ledger.fail("no check: no entry in handgrad.verification.functions.DEFINITIONS")
        return ledger
    f = getattr(calculus, name)
    backward = getattr(calculus, name + BACKWARD, None)
    jacobian = getattr(calculus, name + JACOBIAN, None)
    half = getattr(calculus, name + PARAMETERS, None)
    for given in examples(name):
        first = next(iter(given.values()))
        ledger.shapes["x".join(map(str, np.shape(first)))] = None
        y = f(**given)
        _compare_arrays(ledger, "its value", y, DEFINITIONS[name](given), 1e-13, "its definition")
        dy = np.random.default_rng(2).normal(size=y.shape)
        if backward is not None:
            gradients = _gradients(f, backward, given, y, dy)
            for argument, gradient in gradients.items():
                phi = _contracted(f, given, argument, dy)
                compare_gradient(ledger, f"∂/∂{argument}", phi, given[argument], gradient)
            if half is not None:
                for argument, gradient in _gradients(f, half, given, y, dy).items():
                    what = f"{half.__name__}, d{argument}"
                    _compare_arrays(
                        ledger, what, gradient, gradients[argument], 1e-14, "the whole backward"
                    )
            _manners(ledger, f, backward, given, dy)
            _float32(ledger, f, backward, given, y, dy, gradients)
        if jacobian is not None:
            J = jacobian(y)
            for i in range(y.shape[-1]):
                cotangent = np.zeros_like(y)
                cotangent[..., i] = 1
                phi = _contracted(f, given, next(iter(given)), cotangent)
                compare_gradient(ledger, f"{jacobian.__name__}, row {i},", phi, first, J[..., i, :])
    if not ledger.comparisons:
        ledger.fail(
            "no check: expected a function of one array, or arguments for it in "
            "handgrad.verification.functions.examples"
        )
    return ledger


def _gradients(
    f: Callable[..., Array], backward: Callable[..., Any], given: Arguments, y: Array, dy: Array
) -> dict[str, Array]:
    """Call a backward function by the names of its arguments; NaN where it must overwrite."""
    _, *names = inspect.signature(backward).parameters
    written = {
        name[1:]: np.full_like(given[name[1:]], np.nan) for name in names if name[1:] in given
    }
    arguments = {name: given[name] if name in given else written.get(name[1:], y) for name in names}
    dx = backward(dy, **arguments)
    return written if dx is None else {next(iter(given)): dx, **written}


def _contracted(
    f: Callable[..., Array], given: Arguments, argument: str, dy: Array
) -> Callable[[Array], complex]:
    """φ(A) = Σ dy · f(…, A, …): the scalar whose gradient is what f_backward gives for ``dy``."""

    def phi(value: Array) -> complex:
        arguments = {
            name: array.astype(value.dtype) if _floating(array) else array
            for name, array in given.items()
        }
        arguments[argument] = value
        total: complex = np.sum(dy * f(**arguments))
        return total

    return phi


def _manners(
    ledger: Ledger,
    f: Callable[..., Array],
    backward: Callable[..., Any],
    given: Arguments,
    dy: Array,
) -> None:
    """The same values from arrays that may not be written to and do not lie in one piece."""
    strange = {name: _strange(array) for name, array in given.items()}
    try:
        y = f(**strange)
        gradients = _gradients(f, backward, strange, _strange(y), _strange(dy))
    except ValueError as error:
        ledger.fail(f"writes into what it was given, or needs it in one piece ({error})")
        return
    plain = f(**given)
    method = "the same in one piece"
    _compare_arrays(ledger, "strided input", y, plain, 1e-13, method)
    for name, expected in _gradients(f, backward, given, plain, dy).items():
        _compare_arrays(ledger, f"strided input, d{name}", gradients[name], expected, 1e-13, method)


def _strange(value: Any) -> Any:
    """The same array, read-only, every second element of a larger one."""
    if not isinstance(value, np.ndarray) or not value.ndim:
        return value
    wide = np.repeat(value, 2, axis=-1)[..., ::2]
    wide.setflags(write=False)
    return wide


def _float32(
    ledger: Ledger,
    f: Callable[..., Array],
    backward: Callable[..., Any],
    given: Arguments,
    y: Array,
    dy: Array,
    gradients: dict[str, Array],
) -> None:
    """float32 beside float64, within the bound for so many additions.

    A sum of n terms, each a product, is off by at most γ(n + 1) Σ|terms|, γ(k) = k u / (1 - k u)
    with u = 2⁻²⁴ (Higham, Accuracy and Stability of Numerical Algorithms, 2002, section 3.1). n is
    the longest side of any argument; every further operation of a formula, an exponential among
    them, adds its own u: sixteen cover the longest here. Σ|terms| is at most n times the product of
    the largest elements of all that is multiplied.
    """
    ledger.dtypes["float32"] = None
    small = {k: v.astype(np.float32) if _floating(v) else v for k, v in given.items()}
    exact = {k: v.astype(np.float64) if _floating(v) else v for k, v in small.items()}
    dy32 = dy.astype(np.float32)
    y32, y64 = f(**small), f(**exact)
    if y32.dtype != np.float32:
        ledger.fail(f"{y32.dtype} from float32")
        return
    arrays = [a for a in (*exact.values(), dy32, y64) if _floating(a)]
    n = max(max(a.shape, default=1) for a in arrays)
    size = n * float(np.prod([max(1.0, np.abs(a).max()) for a in arrays]))
    bound = (n + 17) * 2.0**-24 * size
    found = {"": y32} | _gradients(f, backward, small, y32, dy32)
    expected = {"": y64} | _gradients(f, backward, exact, y64, dy32.astype(np.float64))
    for name, array in found.items():
        worst = float(np.abs(array - expected[name]).max(initial=0.0))
        what = f"float32, {'d' + name if name else 'its value'}"
        ledger.compare(
            what, worst, 0.0, scale=size, tolerance=bound / size, method="float64", counted=False
        )


def _compare_arrays(
    ledger: Ledger, what: str, found: Array, expected: Array, tolerance: float, method: str
) -> None:
    """Enter the element that is furthest off."""
    if found.shape != expected.shape:
        ledger.fail(f"{what}: shape {found.shape}; expected {expected.shape}")
        return
    if not found.size:
        return
    index = np.unravel_index(np.argmax(np.abs(found - expected)), found.shape)
    scale = float(np.abs(expected).max())
    place = tuple(int(i) for i in index)
    ledger.compare(
        f"{what} {found.shape}, element {place}",
        float(found[index]),
        float(expected[index]),
        scale=scale,
        tolerance=tolerance,
        method=method,
    )


def _floating(value: Any) -> bool:
    return isinstance(value, np.ndarray) and np.issubdtype(value.dtype, np.floating)
