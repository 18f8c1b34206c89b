"""Checks of the functions of calculus, found by their names.

The names say how a pair belongs together: ``f_backward(dy, …)`` takes the gradient at f's output
first; an argument with the name of one of f's is that; ``dW`` is where the gradient of f's ``W`` is
written, None where W is None; ``shape`` is that of f's first argument; one with a default keeps it;
any other is what f returned. An f that returns several arrays gives its output and then its memory,
which f_backward takes in the same order. What it returns is the gradient of f's first argument. So
a new pair is verified as soon as it is there.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from handgrad import calculus
from handgrad.arrays import Array
from handgrad.verification.difference import compare_gradient
from handgrad.verification.examples import Arguments, examples, kinks
from handgrad.verification.finding import Ledger

__all__ = ["DEFINITIONS", "check_function", "function_names"]

BACKWARD, JACOBIAN, PARAMETERS = "_backward", "_jacobian", "_backward_parameters"


def function_names() -> list[str]:
    """Every function of calculus that stands for itself: not a derivative of another."""
    known = calculus.__all__
    ends = (PARAMETERS, BACKWARD, JACOBIAN)
    return [n for n in known if not any(n.endswith(e) and n.removesuffix(e) in known for e in ends)]


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


def _patches(given: Arguments) -> Array:
    x, (KH, KW), s, d = given["x"], given["kernel"], given["stride"], given["dilation"]
    (above, below), (left, right) = given["padding"]
    N, H, W, C = x.shape
    rows = range(-above, H + below - d * (KH - 1), s)  # of the image: where a kernel may begin
    columns = range(-left, W + right - d * (KW - 1), s)
    p = np.zeros((N, len(rows), len(columns), KH, KW, C))
    for n, h, w, i, j, c in np.ndindex(p.shape):
        row, column = rows[h] + i * d, columns[w] + j * d
        if 0 <= row < H and 0 <= column < W:
            p[n, h, w, i, j, c] = x[n, row, column, c]
    return p


def _convolve(given: Arguments) -> Array:
    W, b = given["W"], given["b"]
    p = _patches({**given, "kernel": W.shape[:2]})
    y = np.zeros((*p.shape[:3], W.shape[-1]))
    for n, h, w, o in np.ndindex(y.shape):
        products = [p[n, h, w, *at] * W[*at, o] for at in np.ndindex(W.shape[:3])]
        y[n, h, w, o] = math.fsum(products) + (0.0 if b is None else b[o])
    return y


def _pool(of: Callable[[list[float]], float]) -> Callable[[Arguments], Array]:
    """One number of each window of each channel."""

    def value(given: Arguments) -> Array:
        x, size, s = given["x"], given["size"], given["stride"]
        N, H, W, C = x.shape
        y = np.zeros((N, len(range(0, H - size + 1, s)), len(range(0, W - size + 1, s)), C))
        for n, h, w, c in np.ndindex(y.shape):
            window = x[n, h * s : h * s + size, w * s : w * s + size, c]
            y[n, h, w, c] = of([float(pixel) for pixel in window.ravel()])
        return y

    return value


def _mean(numbers: list[float]) -> float:
    return math.fsum(numbers) / len(numbers)


def _normalized(given: Arguments, owner: Callable[..., tuple[int, ...]]) -> tuple[Array, ...]:
    """Every number beside those with the same owner: (y, mean, variance), or y with both given."""
    x, scale, offset = given["x"], given["scale"], given["offset"]
    y, statistics = np.zeros(x.shape), {}
    for at in np.ndindex(x.shape):
        of = owner(*at)
        if "mean" in given:
            statistics[of] = given["mean"][of], given["variance"][of]
        elif of not in statistics:
            mates = [float(x[place]) for place in np.ndindex(x.shape) if owner(*place) == of]
            mean = _mean(mates)
            statistics[of] = mean, _mean([(mate - mean) ** 2 for mate in mates])
        mean, variance = statistics[of]
        y[at] = (x[at] - mean) / math.sqrt(variance + given["epsilon"])
        y[at] = y[at] * (1 if scale is None else scale[at[-1]])
        y[at] = y[at] + (0 if offset is None else offset[at[-1]])
    sides = tuple(side + 1 for side in max(statistics))
    means, variances = zip(*(statistics[of] for of in np.ndindex(sides)), strict=True)
    return y, np.reshape(means, sides), np.reshape(variances, sides)


def _group_norm(given: Arguments) -> tuple[Array, ...]:
    each = given["x"].shape[-1] // given["groups"]
    return _normalized(given, lambda *at: (at[0], at[-1] // each))


DEFINITIONS: dict[str, Callable[[Arguments], Any]] = {
    "affine": _affine,
    "average_pool": _pool(_mean),
    "batch_norm": lambda given: _normalized(given, lambda *at: at[-1:]),
    "convolve": _convolve,
    "dropout": lambda given: np.where(given["kept"], given["x"] / (1 - given["rate"]), 0.0),
    "elu": _each(lambda z, alpha: z if z > 0 else alpha * (math.exp(z) - 1)),
    "frozen_norm": lambda given: _normalized(given, lambda *at: at[-1:])[0],
    "gelu": _each(lambda z: z * 0.5 * (1 + math.erf(z / math.sqrt(2)))),
    "global_average_pool": lambda given: np.array(
        [
            [_mean(image[..., c].ravel().tolist()) for c in range(image.shape[-1])]
            for image in given["x"]
        ]
    ),
    "group_norm": _group_norm,
    "leaky_relu": _each(lambda z, slope: z if z > 0 else slope * z),
    "log_softmax": lambda given: np.log(_softmax(given)),
    "max_pool": _pool(max),
    "patches": _patches,
    "relu": _each(lambda z: max(0.0, z)),
    "sigmoid": _each(lambda z: 1 / (1 + math.exp(-z))),
    "silu": _each(lambda z: z / (1 + math.exp(-z))),
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
        if ledger.failure is not None:
            break
        first = next(iter(given.values()))
        ledger.shapes["x".join(map(str, np.shape(first)))] = None
        returned = _all(f(**given))
        y = returned[0]
        for part, defined in zip(returned, _all(DEFINITIONS[name](given)), strict=True):
            _compare_arrays(ledger, "its value", part, defined, 1e-13, "its definition")
        dy = np.random.default_rng(2).normal(size=y.shape)
        if backward is not None:
            gradients = _gradients(backward, given, returned, dy)
            for argument, gradient in gradients.items():
                phi = _contracted(f, given, argument, dy)
                at = given[argument]
                few = at.size <= 500
                compare_gradient(ledger, f"∂/∂{argument}", phi, at, gradient, elements=few)
            if half is not None:
                for argument, gradient in _gradients(half, given, returned, dy).items():
                    what = f"{half.__name__}, d{argument}"
                    _compare_arrays(
                        ledger, what, gradient, gradients[argument], 1e-14, "the whole backward"
                    )
            _manners(ledger, f, backward, given, dy)
            _float32(ledger, f, backward, given, dy)
        if jacobian is not None:
            J = jacobian(y)
            for i in range(y.shape[-1]):
                cotangent = np.zeros_like(y)
                cotangent[..., i] = 1
                phi = _contracted(f, given, next(iter(given)), cotangent)
                compare_gradient(ledger, f"{jacobian.__name__}, row {i},", phi, first, J[..., i, :])
    for given, dy, expected in kinks(name):
        backward = getattr(calculus, name + BACKWARD)
        dx = _gradients(backward, given, _all(f(**given)), dy)[next(iter(given))]
        _compare_arrays(ledger, "at a kink, dx", dx, expected, 1e-15, "its docstring")
    if not ledger.comparisons:
        ledger.fail(
            "no check: expected a function of one array, or arguments for it in "
            "handgrad.verification.examples"
        )
    return ledger


def _all(returned: Any) -> tuple[Array, ...]:
    """What a function returned: its output, and its memory if there is one."""
    return returned if isinstance(returned, tuple) else (returned,)


def _gradients(
    backward: Callable[..., Any], given: Arguments, returned: tuple[Array, ...], dy: Array
) -> dict[str, Array]:
    """Call a backward function by the names of its arguments; NaN where it must overwrite."""
    _, *parameters = inspect.signature(backward).parameters.values()
    memory = iter(returned[1:] or returned)
    first = next(iter(given))
    arguments: Arguments = {}
    written: dict[str, Array] = {}
    for name, default in ((p.name, p.default) for p in parameters):
        if name in given:
            arguments[name] = given[name]
        elif name[1:] in given:
            of = given[name[1:]]
            arguments[name] = None if of is None else np.full_like(of, np.nan)
            if of is not None:
                written[name[1:]] = arguments[name]
        elif default is inspect.Parameter.empty:
            arguments[name] = given[first].shape if name == "shape" else next(memory)
    dx = backward(dy, **arguments)
    return written if dx is None else {first: dx, **written}


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
        total: complex = np.sum(dy * _all(f(**arguments))[0])
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
        returned = _all(f(**strange))
        memory = tuple(_strange(part) for part in returned)
        gradients = _gradients(backward, strange, memory, _strange(dy))
    except ValueError as error:
        ledger.fail(f"writes into what it was given, or needs it in one piece ({error})")
        return
    plain = _all(f(**given))
    method = "the same in one piece"
    for found, expected in zip(returned, plain, strict=True):
        _compare_arrays(ledger, "strided input", found, expected, 1e-13, method)
    for name, expected in _gradients(backward, given, plain, dy).items():
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
    dy: Array,
) -> None:
    """float32 beside float64, within the bound for so many additions.

    A sum of n terms, each a product, is off by at most γ(n + 1) Σ|terms|, γ(k) = k u / (1 - k u)
    with u = 2⁻²⁴ (Higham, Accuracy and Stability of Numerical Algorithms, 2002). n is
    the size of the largest array: no sum runs over more. Every further operation of a formula, an
    exponential among them, adds its own u: sixteen cover the longest here. Σ|terms| is at most n
    times the product of the largest elements of all that is multiplied, and of the gradients: by so
    much does an error in what was given grow.
    """
    ledger.dtypes["float32"] = None
    small = {k: v.astype(np.float32) if _floating(v) else v for k, v in given.items()}
    exact = {k: v.astype(np.float64) if _floating(v) else v for k, v in small.items()}
    dy32 = dy.astype(np.float32)
    all32, all64 = _all(f(**small)), _all(f(**exact))
    for part in all32:
        if part.dtype != np.float32:
            ledger.fail(f"{part.dtype} from float32")
            return
    found = _gradients(backward, small, all32, dy32)
    expected = _gradients(backward, exact, all64, dy32.astype(np.float64))
    arrays = [a for a in (*exact.values(), dy32, *all64, *expected.values()) if _floating(a)]
    n = max(a.size for a in arrays)
    size = n * float(np.prod([max(1.0, np.abs(a).max()) for a in arrays]))
    bound = (n + 17) * 2.0**-24 * size
    pairs = [("its value", *parts) for parts in zip(all32, all64, strict=True)]
    pairs += [(f"d{name}", array, expected[name]) for name, array in found.items()]
    for what, narrow, wide in pairs:
        worst = float(np.abs(narrow - wide).max(initial=0.0))
        ledger.compare(
            f"float32, {what}",
            worst,
            0.0,
            scale=size,
            tolerance=bound / size,
            method="float64",
            counted=False,
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
