"""Checks of the functions of calculus, found by their names.

The names say how a pair belongs together: ``f_backward(dy, …)`` takes the gradient at f's output
first; an argument with the name of one of f's is that; ``dW`` is where the gradient of f's ``W`` is
written, None where W is None; ``shape`` is that of f's first argument; any other is what f
returned. An f that returns several arrays gives its output and then its memory, which f_backward
takes in the same order. What it returns is the gradient of f's first argument. So a new pair is
verified as soon as it is there.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from handgrad import calculus
from handgrad.arrays import Array, Shape
from handgrad.calculus.windows import NO_PADDING, Padding
from handgrad.verification.difference import compare_gradient
from handgrad.verification.finding import Ledger

__all__ = ["check_function", "examples", "function_names"]

Arguments = dict[str, Any]

SHAPES = [(1,), (1, 1), (5, 1), (1, 7), (3, 4), (2, 3, 5, 1)]
ROWS = [(1, 1), (1, 7), (5, 1), (3, 4)]
CONVOLUTIONS: list[tuple[Shape, Shape, int, Padding, int]] = [
    ((1, 1, 1, 1), (1, 1, 1, 1), 1, NO_PADDING, 1),
    ((2, 4, 5, 2), (4, 5, 2, 1), 1, NO_PADDING, 1),  # a kernel as large as the image
    ((2, 5, 4, 3), (3, 2, 3, 2), 1, ((1, 1), (0, 1)), 1),
    ((1, 4, 5, 1), (2, 3, 1, 2), 1, ((2, 0), (1, 3)), 2),
    ((1, 2, 3, 1), (2, 2, 1, 2), 1, ((3, 0), (0, 2)), 1),  # more zeros than the kernel reaches
    ((1, 7, 6, 1), (3, 3, 1, 2), 2, ((1, 0), (2, 1)), 1),
    ((2, 7, 8, 2), (2, 3, 2, 1), 3, ((1, 1), (0, 0)), 2),
]
"""Shapes of the images and of the kernels, stride, padding, dilation."""
LARGE = (4, 40, 40, 1), (8, 8, 1, 1), 1, NO_PADDING, 1
"""So many patches that the batch is not taken at once."""
POOLS: list[tuple[Shape, int, int]] = [
    ((1, 1, 1, 1), 1, 1),
    ((2, 5, 4, 3), 2, 2),  # the last row does not fit
    ((1, 7, 6, 1), 3, 2),  # overlapping
    ((1, 5, 6, 2), 1, 3),  # with gaps
    ((2, 3, 3, 2), 3, 1),  # a window as large as the image
]
"""Shapes of the images, size and stride of the windows."""
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


def _apart(shape: Shape) -> Array:
    """Of both signs in random order, no two nearer than 0.1: where two are equal, max has a kink."""
    size = int(np.prod(shape))
    return (np.random.default_rng(size).permutation(size).reshape(shape) - size / 2.3) * 0.1


def _convolutions(name: str) -> Iterator[Arguments]:
    cases = CONVOLUTIONS if name == "patches" else [*CONVOLUTIONS, LARGE]
    for shape, kernel, stride, padding, dilation in cases:
        settings = {"stride": stride, "padding": padding, "dilation": dilation}
        if name == "patches":
            yield {"x": _normal(*shape), "kernel": kernel[:2], **settings}
        else:
            offset = _normal(kernel[-1]) if shape[0] == 1 else None
            yield {"x": _normal(*shape), "W": _normal(*kernel), "b": offset, **settings}


def _normalizations(name: str) -> Iterator[Arguments]:
    for shape, epsilon in [((5, 1), 0.3), ((4, 6), 1e-5), ((1, 1, 1, 4), 0.3), ((2, 3, 2, 4), 0.1)]:
        C = shape[-1]
        for scale, offset in [(_normal(C), _normal(C)), (None, None)]:
            given: Arguments = {"x": 0.5 + _normal(*shape), "scale": scale, "offset": offset}
            if name == "frozen_norm":
                given |= {"mean": _normal(C), "variance": _normal(C) ** 2}
            if name == "group_norm":
                given |= {"groups": 2 if C > 1 else 1}
            yield given | {"epsilon": epsilon}


def examples(name: str) -> Iterator[Arguments]:
    """Arguments to try a function with: awkward shapes; a function of one array needs no entry."""
    if name == "affine":
        for n, i, o in [(1, 1, 1), (3, 5, 2), (1, 4, 3), (5, 1, 4), (4, 3, 1)]:
            yield {"x": _normal(n, i), "W": _normal(i, o), "b": _normal(o)}
    elif name == "dropout":
        for shape in SHAPES:
            kept = np.random.default_rng(3).random(shape) > 0.3
            yield {"x": _normal(*shape), "kept": kept, "rate": 0.3}
    elif name in ("convolve", "patches"):
        yield from _convolutions(name)
    elif name in ("average_pool", "max_pool"):
        for shape, size, stride in POOLS:
            yield {"x": _apart(shape), "size": size, "stride": stride}
    elif name == "global_average_pool":
        for shape in [(1, 1, 1, 1), (2, 3, 5, 1), (1, 4, 3, 2)]:
            yield {"x": _normal(*shape)}
    elif name in ("batch_norm", "frozen_norm", "group_norm"):
        yield from _normalizations(name)
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


def kinks(name: str) -> Iterator[tuple[Arguments, Array, Array]]:
    """Where there is no derivative: arguments, dy, and the dx that the docstring says is taken."""
    at, dy = np.array([-1.0, 0.0, 1.0]), np.array([2.0, 3.0, 5.0])
    if name == "relu":
        yield {"z": at}, dy, np.array([0.0, 0.0, 5.0])
    elif name == "leaky_relu":
        yield {"z": at, "slope": 0.25}, dy, np.array([0.5, 0.75, 5.0])
    elif name == "elu":
        yield {"z": at, "alpha": 0.5}, dy, np.array([2 * 0.5 * math.exp(-1), 3 * 0.5, 5.0])
    elif name == "max_pool":
        # Windows (7, 7), (7, 1) over (1, 7), (1, 7), the second overlapping the first.
        x = np.array([[7.0, 7.0, 1.0], [1.0, 7.0, 7.0]]).reshape(1, 2, 3, 1)
        dx = np.array([[2.0, 3.0, 0.0], [0.0, 0.0, 0.0]]).reshape(1, 2, 3, 1)
        yield {"x": x, "size": 2, "stride": 1}, dy[:2].reshape(1, 1, 2, 1), dx


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
    for given, dy, expected in kinks(name) if backward is not None else ():
        dx = _gradients(backward, given, _all(f(**given)), dy)[next(iter(given))]
        _compare_arrays(ledger, "at a kink, dx", dx, expected, 1e-15, "its docstring")
    if not ledger.comparisons:
        ledger.fail(
            "no check: expected a function of one array, or arguments for it in "
            "handgrad.verification.functions.examples"
        )
    return ledger


def _all(returned: Any) -> tuple[Array, ...]:
    """What a function returned: its output, and its memory if there is one."""
    return returned if isinstance(returned, tuple) else (returned,)


def _gradients(
    backward: Callable[..., Any], given: Arguments, returned: tuple[Array, ...], dy: Array
) -> dict[str, Array]:
    """Call a backward function by the names of its arguments; NaN where it must overwrite."""
    _, *names = inspect.signature(backward).parameters
    memory = iter(returned[1:] or returned)
    first = next(iter(given))
    arguments: Arguments = {}
    written: dict[str, Array] = {}
    for name in names:
        if name in given:
            arguments[name] = given[name]
        elif name[1:] in given:
            of = given[name[1:]]
            arguments[name] = None if of is None else np.full_like(of, np.nan)
            if of is not None:
                written[name[1:]] = arguments[name]
        else:
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
    with u = 2⁻²⁴ (Higham, Accuracy and Stability of Numerical Algorithms, 2002, section 3.1). n is
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
