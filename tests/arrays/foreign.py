"""A stand-in for arrays on a graphics card: NumPy inside, and as unwilling as CuPy.

It computes what CuPy computes and refuses what CuPy refuses: an array that would come back by
itself, one of NumPy's beside one of its own, a function or an argument that CuPy does not have.
What is asked to come back is counted.

Sources: CuPy's ``ndarray.__array_ufunc__``, ``__array_function__`` and ``__array__``, and the
signatures of CuPy 14.2, to which a test holds the tables below wherever CuPy is installed.
"""

from __future__ import annotations

from types import ModuleType, SimpleNamespace

import numpy as np
from scipy import special

UFUNCS = {
    "absolute", "add", "bitwise_and", "bitwise_or", "bitwise_xor", "divide", "equal", "exp",
    "expm1", "floor_divide", "greater", "greater_equal", "invert", "isfinite", "isinf", "isnan",
    "less", "less_equal", "log", "log1p", "logical_and", "logical_not", "logical_or", "matmul",
    "maximum", "minimum", "multiply", "negative", "not_equal", "power", "sign", "sqrt", "square",
    "subtract", "tanh", "true_divide",
}  # fmt: skip
UFUNC_OPTIONS = {"out", "dtype", "casting", "where"}

MADE = {  # from nothing, with like=
    "arange": "start stop step dtype",
    "array": "object dtype copy order ndmin",
    "asarray": "a dtype order",
    "empty": "shape dtype order",
    "eye": "N M k dtype order",
    "full": "shape fill_value dtype order",
    "ones": "shape dtype order",
    "zeros": "shape dtype order",
}
FUNCTIONS = {  # and the arguments that CuPy knows
    "all": "a axis out keepdims",
    "any": "a axis out keepdims",
    "argmax": "a axis out keepdims",
    "array_equal": "a1 a2 equal_nan",
    "broadcast_to": "array shape",
    "clip": "a a_min a_max out",
    "concatenate": "arrays axis out dtype casting",
    "copyto": "dst src casting where",
    "count_nonzero": "a axis",
    "dot": "a b out",
    "einsum": "operands",
    "empty_like": "prototype dtype order shape",
    "full_like": "a fill_value dtype order shape",
    "linalg.norm": "x ord axis keepdims",
    "max": "a axis out keepdims",
    "mean": "a axis dtype out keepdims",
    "min": "a axis out keepdims",
    "moveaxis": "a source destination",
    "ones_like": "a dtype order shape",
    "pad": "array pad_width mode",
    "ravel": "a order",
    "repeat": "a repeats axis",
    "reshape": "a shape order",
    "result_type": "arrays_and_dtypes",
    "stack": "arrays axis out dtype casting",
    "sum": "a axis dtype out keepdims",
    "take": "a indices axis out",
    "transpose": "a axes",
    "where": "condition x y",
    "zeros_like": "a dtype order shape",
    "lib.stride_tricks.sliding_window_view": "x window_shape axis",
}
METHODS = {
    "all": "axis out keepdims",
    "any": "axis out keepdims",
    "argmax": "axis out dtype keepdims",
    "astype": "dtype order casting subok copy",
    "copy": "order",
    "dot": "b out",
    "fill": "value",
    "max": "axis out keepdims",
    "mean": "axis dtype out keepdims",
    "min": "axis out keepdims",
    "ravel": "order",
    "reshape": "shape order",
    "sum": "axis dtype out keepdims",
    "swapaxes": "axis1 axis2",
    "take": "indices axis out",
    "transpose": "axes",
}


def _refuse(what):
    raise TypeError(what)


def _within(x):
    """What is inside a foreign array, or a number; an array of NumPy's is refused."""
    if isinstance(x, Foreign):
        return x.own
    if isinstance(x, np.ndarray):
        _refuse(f"Unsupported type {type(x)}")
    if isinstance(x, list | tuple):
        return type(x)(map(_within, x))
    return x


def _wrapped(found):
    """Arrays as foreign ones, and numbers too: what CuPy reduces has no dimension, and stays."""
    if isinstance(found, tuple):
        return tuple(map(_wrapped, found))
    if isinstance(found, np.ndarray | np.generic):
        return Foreign(np.asarray(found))
    return found


def _known(options, known, what):
    if unknown := set(options) - set(known):
        _refuse(f"{what}() got an unexpected keyword argument {unknown.pop()!r}")


class Foreign:
    """An array that lies elsewhere.

    ``Foreign.pulled`` counts what came back: the sizes of what `get`, `float`, `int`, `bool` and
    `item` were asked for; ``Foreign.arrived`` what was brought.
    """

    pulled: list[int] = []  # noqa: RUF012
    arrived: list[int] = []  # noqa: RUF012
    __array_priority__ = 100

    def __init__(self, own):
        assert type(own) is np.ndarray, type(own)
        self.own = own

    def __array__(self, dtype=None, copy=None):
        _refuse("Implicit conversion to a NumPy array is not allowed. Please use `.get()`")

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        if method != "__call__" or ufunc.__name__ not in UFUNCS:
            return NotImplemented
        _known(options, UFUNC_OPTIONS, ufunc.__name__)
        out = options.get("out", (None,))
        options = {key: _within(value) for key, value in options.items()}
        found = ufunc(*map(_within, inputs), **options)
        return _wrapped(found) if out[0] is None else out[0]

    def __array_function__(self, function, types, arguments, options):
        name = f"{function.__module__}.{function.__name__}".removeprefix("numpy.")
        if name in MADE:
            _known(options, MADE[name].split(), name)
            len(arguments) <= len(MADE[name].split()) or _refuse(name)
            return made(name, *arguments, **options)
        if name not in FUNCTIONS or not all(t in (Foreign, np.ndarray) for t in types):
            return NotImplemented
        _known(options, FUNCTIONS[name].split(), name)
        out = options.get("out")
        options = {key: _within(value) for key, value in options.items()}
        found = function(*map(_within, arguments), **options)
        return out if out is not None else _wrapped(found)

    # What CuPy brings back where it is asked for.

    def get(self):
        self.pulled.append(self.own.size)
        return self.own.copy()

    def _number(self, kind):
        self.pulled.append(self.own.size)
        return kind(self.own[()] if self.own.ndim == 0 else self.own)

    def __float__(self):
        return self._number(float)

    def __int__(self):
        return self._number(int)

    def __bool__(self):
        return self._number(bool)

    def item(self):
        return self._number(lambda own: own.item())

    # What it says of itself, which lies here.

    dtype = property(lambda self: self.own.dtype)
    itemsize = property(lambda self: self.own.itemsize)
    nbytes = property(lambda self: self.own.nbytes)
    ndim = property(lambda self: self.own.ndim)
    shape = property(lambda self: self.own.shape)
    size = property(lambda self: self.own.size)
    T = property(lambda self: Foreign(self.own.T))

    def __len__(self):
        return len(self.own)

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def __getitem__(self, place):
        return _wrapped(self.own[_within(place)])

    def __setitem__(self, place, value):
        self.own[_within(place)] = _within(value)

    __hash__ = None


def _method(name):
    def method(self, *arguments, **options):
        _known(options, METHODS[name].split(), name)
        out = options.get("out")
        options = {key: _within(value) for key, value in options.items()}
        found = getattr(self.own, name)(*map(_within, arguments), **options)
        return out if out is not None else _wrapped(found)

    return method


def _operator(ufunc, turned=False, inplace=False):
    def left(self, other):
        return ufunc(self, other)

    def right(self, other):
        return ufunc(other, self)

    def place(self, other):
        return ufunc(self, other, out=self)

    return place if inplace else right if turned else left


for _name in METHODS:
    setattr(Foreign, _name, _method(_name))
for _name, _ufunc in {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "truediv": np.true_divide,
    "floordiv": np.floor_divide, "pow": np.power, "matmul": np.matmul, "and": np.bitwise_and,
    "or": np.bitwise_or, "xor": np.bitwise_xor,
}.items():  # fmt: skip
    setattr(Foreign, f"__{_name}__", _operator(_ufunc))
    setattr(Foreign, f"__r{_name}__", _operator(_ufunc, turned=True))
    setattr(Foreign, f"__i{_name}__", _operator(_ufunc, inplace=True))
for _name, _ufunc in {
    "lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal,
    "eq": np.equal, "ne": np.not_equal,
}.items():  # fmt: skip
    setattr(Foreign, f"__{_name}__", _operator(_ufunc))
for _name, _ufunc in {"neg": np.negative, "abs": np.absolute, "invert": np.invert}.items():
    setattr(Foreign, f"__{_name}__", lambda self, ufunc=_ufunc: ufunc(self))


def made(name, *arguments, **options):
    """A new foreign array; of one of NumPy's only by `asarray` and `array`, which are asked for."""
    if name == "asarray" and isinstance(arguments[0], Foreign):
        return arguments[0]
    there = [x for x in arguments if isinstance(x, np.ndarray)]
    Foreign.arrived.extend(x.size for x in there)
    found = getattr(np, name)(*arguments, **options)
    return Foreign(found.copy() if any(np.may_share_memory(found, x) for x in there) else found)


def stand_in() -> dict[str, ModuleType | SimpleNamespace]:
    """Modules that pass for CuPy's, as far as they are asked for anything by name."""

    def asarray(x):
        return made("asarray", x)

    def ndtr(z):
        return Foreign(special.ndtr(z.own))

    class Device:
        id = 0

    runtime = SimpleNamespace(
        getDeviceCount=lambda: 1,
        getDeviceProperties=lambda place: {"name": b"a stand-in"},
        runtimeGetVersion=lambda: 12000,
    )
    cuda = SimpleNamespace(runtime=runtime, Device=Device)
    twins = SimpleNamespace(ndtr=ndtr)
    return {
        "cupy": SimpleNamespace(
            asarray=asarray, ndarray=Foreign, cuda=cuda, __version__="0", __name__="cupy"
        ),
        "cupyx": SimpleNamespace(__path__=[]),
        "cupyx.scipy": SimpleNamespace(__path__=[], special=twins),
        "cupyx.scipy.special": twins,
    }
