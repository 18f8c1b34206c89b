"""Every function where its numbers end: finite wherever the mathematics is, and no warning."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, ndtr

from handgrad import calculus, kernels

ENDS = {
    np.float32: [0.0, 1e-45, -1e-45, 1e4, -1e4, 3e38, -3e38],
    np.float64: [0.0, 5e-324, -5e-324, 1e4, -1e4, 1e308, -1e308],
}
POINTS = pytest.mark.parametrize(
    ("dtype", "value"), [(dtype, value) for dtype, values in ENDS.items() for value in values]
)


def normal_density(z):
    return np.exp(-0.5 * min(abs(z), 100.0) ** 2) / np.sqrt(2 * np.pi)


ACTIVATIONS = {
    # f and f' in float64, from scipy and by the definition; at large |z| by their limits
    "sigmoid": (expit, lambda z: expit(z) * expit(-z)),
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    "relu": (lambda z: max(z, 0.0), lambda z: float(z > 0)),
    "leaky_relu": (lambda z: z if z > 0 else z * 0.01, lambda z: 1.0 if z > 0 else 0.01),
    "elu": (lambda z: z if z > 0 else np.expm1(z), lambda z: 1.0 if z > 0 else np.exp(z)),
    "gelu": (lambda z: z * ndtr(z), lambda z: ndtr(z) + z * normal_density(z)),
    "silu": (lambda z: z * expit(z), lambda z: expit(z) * (1 + z * expit(-z))),
}
OF_OUTPUT = ("sigmoid", "tanh", "relu")
"""Whose derivative takes a, not z."""


def near(found, expected, dtype):
    """To the rounding of the type, below which a number may vanish."""
    assert found.dtype == dtype
    assert np.isfinite(found).all()
    eps, tiny = np.finfo(dtype).eps, np.finfo(dtype).tiny
    np.testing.assert_allclose(found, np.full(found.shape, expected), rtol=8 * eps, atol=4 * tiny)


@POINTS
@pytest.mark.parametrize(
    ("room", "name"),
    [
        pytest.param(room, name, id=f"{name} of {room.__name__}")
        for name in ACTIVATIONS
        for room in (calculus, kernels)
        if hasattr(room, name)
    ],
)
def test_an_activation_and_its_derivative(room, name, dtype, value):
    """Against the same in float64; of calculus, and wherever there is a twin."""
    f, derivative = ACTIVATIONS[name]
    z, da = np.full((2, 3), value, dtype), np.full((2, 3), 0.5, dtype)
    exact = float(z[0, 0])
    if room is kernels and dtype == np.float32:
        agree = {"rtol": 1e-6, "atol": 1e-6}
        a = room.gelu(z)
        assert np.isfinite(a).all()
        np.testing.assert_allclose(a, np.full((2, 3), f(exact)), **agree)
        np.testing.assert_allclose(room.gelu_backward(da, z), 0.5 * derivative(exact), **agree)
        return
    a = getattr(room, name)(z)
    near(a, f(exact), dtype)
    given = a if name in OF_OUTPUT else z
    near(getattr(room, f"{name}_backward")(da, given), 0.5 * derivative(exact), dtype)


@POINTS
def test_softmax_of_scores_far_apart(dtype, value):
    """Two scores v, 0 have s = σ(v), σ(-v); all alike have 1/K; v and -v may be 6e38 apart."""
    z = np.array([[value, 0.0], [value, value], [value, -value]], dtype)
    s = calculus.softmax(z)
    v = float(z[0, 0])
    first = np.array([expit(v), 0.5, expit(2 * v) if abs(v) < 1e300 else float(v > 0)])
    np.testing.assert_allclose(s[:, 0], first, rtol=1e-6)
    np.testing.assert_allclose(s.sum(axis=1), 1, rtol=1e-6)
    assert np.isfinite(calculus.softmax_jacobian(s)).all()
    np.testing.assert_allclose(
        calculus.softmax_backward(np.array([[1, 0]] * 3, dtype), s)[:, 0],
        first * (1 - first),
        atol=1e-6,
    )
    log_s = calculus.log_softmax(z)
    assert log_s.dtype == dtype
    larger = z.argmax(axis=1)
    assert (log_s[[0, 2], larger[[0, 2]]] == (0 if abs(v) > 1 else -np.log(dtype(2)))).all()
    np.testing.assert_allclose(log_s[1], -np.log(2), rtol=1e-6)
    assert log_s[0].min() == pytest.approx(min(-abs(v), -np.log(2)), rel=1e-6)
    beyond = 2 * abs(v) > float(np.finfo(dtype).max)  # and then it is -∞, never NaN
    assert (log_s[2].min() == -np.inf) == beyond


def identity(dtype):
    return np.eye(3, dtype=dtype)


def linear(dtype, value):
    """By name: what a function makes of `value`, and what it should."""
    x = np.full((1, 3), value, dtype)
    one, zero = np.ones_like(x), np.zeros(3, dtype)
    images = np.full((1, 2, 2, 1), value, dtype)
    corner = np.zeros((1, 2, 2, 1), dtype)
    corner[0, 0, 0] = value
    W = identity(dtype)
    kernel, dW, db = W.reshape(1, 1, 3, 3), np.empty((3, 3), dtype), np.empty(3, dtype)
    image = x.reshape(1, 1, 1, 3)
    dkernel = np.empty_like(kernel)
    kept = np.ones((1, 3), bool)
    given = zero, np.ones(3, dtype), np.ones(3, dtype)
    return {
        "affine": (calculus.affine(x, W, zero), value),
        "affine_backward": (calculus.affine_backward(x, one, W, dW, db), value),
        "affine_backward_parameters": (
            (calculus.affine_backward_parameters(one, x, dW, db), dW.copy())[1],
            value,
        ),
        "convolve": (calculus.convolve(image, kernel, zero), value),
        "convolve_backward": (
            calculus.convolve_backward(image, np.ones_like(image), kernel, dkernel, db), value
        ),
        "convolve_backward_parameters": (
            (
                calculus.convolve_backward_parameters(np.ones_like(image), image, dkernel, db),
                dkernel.copy(),
            )[1],
            value,
        ),
        "patches": (calculus.patches(images, (2, 2)), value),
        "patches_backward": (
            calculus.patches_backward(calculus.patches(images, (2, 2)), (1, 2, 2, 1)), value
        ),
        "dropout": (calculus.dropout(x, kept, 0.0), value),
        "dropout_backward": (calculus.dropout_backward(x, kept, 0.0), value),
        "max_pool": (calculus.max_pool(images, 2, 2), value),
        "max_pool_backward": (
            calculus.max_pool_backward(
                images[:, :1, :1], corner, calculus.max_pool(corner, 2, 2), 2, 2
            ).sum(keepdims=True),
            value,
        ),
        "average_pool": (calculus.average_pool(corner, 2, 2), value / 4),
        "average_pool_backward": (
            calculus.average_pool_backward(images[:, :1, :1], (1, 2, 2, 1), 2, 2), value / 4
        ),
        "global_average_pool": (calculus.global_average_pool(corner), value / 4),
        "global_average_pool_backward": (
            calculus.global_average_pool_backward(x[:, :1], (1, 2, 2, 1)), value / 4
        ),
        "frozen_norm": (calculus.frozen_norm(x, *given, zero, 1e-5), value),
        "frozen_norm_backward": (
            calculus.frozen_norm_backward(x, one, *given, dW[0], db, 1e-5), value
        ),
    }  # fmt: skip


NORMS = {"batch_norm", "batch_norm_backward", "group_norm", "group_norm_backward"}
OF_SCORES = {"softmax", "softmax_backward", "softmax_jacobian", "log_softmax"}


@POINTS
def test_what_is_linear_carries_any_number(dtype, value):
    for name, (found, expected) in linear(dtype, value).items():
        assert found.dtype == dtype, name
        assert np.isfinite(found).all(), name
        allowed = 2e-5 if "norm" in name else 1e-6  # there ε is added to the variance of 1
        np.testing.assert_allclose(
            found, np.full(found.shape, expected), rtol=allowed,
            atol=4 * np.finfo(dtype).tiny, err_msg=name,
        )  # fmt: skip


def test_every_function_of_calculus_is_here():
    here = NORMS | OF_SCORES | linear(np.float64, 1.0).keys()
    here |= {name + end for name in ACTIVATIONS for end in ("", "_backward")}
    assert here == set(calculus.__all__)


def normalized(name, x, dy):
    settings = (1e-5,) if name == "batch_norm" else (1, 1e-5)
    scale, offset = np.ones(x.shape[-1], x.dtype), np.zeros(x.shape[-1], x.dtype)
    y, *statistics = getattr(calculus, name)(x, scale, offset, *settings)
    back = getattr(calculus, f"{name}_backward")
    return y, back(dy, x, *statistics, scale, scale.copy(), offset.copy(), 1e-5)


@pytest.mark.parametrize("value", [0.0, 1e-45, 1e-20, 1e4, 1e18])
@pytest.mark.parametrize("name", ["batch_norm", "group_norm"])
def test_normalization_of_anything_up_to_1e18(name, value):
    """±v have mean 0 and deviation v, so that y = v / √(v² + ε); float32."""
    sign = np.array([[1, -1], [-1, 1]], np.float32)
    y, dx = normalized(name, sign * np.float32(value), np.array([[1, 2], [3, 5]], np.float32))
    expected = value / np.sqrt(value**2 + 1e-5)
    np.testing.assert_allclose(y, sign * np.float32(expected), rtol=1e-6, atol=1e-37)
    assert np.isfinite(dx).all()


@pytest.mark.parametrize("name", ["batch_norm", "group_norm"])
@pytest.mark.parametrize("value", [1e20, 3e38])
def test_beyond_that_it_is_no_number_rather_than_a_wrong_one(name, value):
    """Squares of 1e20 are infinite in float32, and x / ∞ would be 0 for all: quietly wrong."""
    x = np.array([[value, -value], [-value, value], [0, 0]], np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        y, dx = normalized(name, x, np.ones_like(x))
    wrong = y[:2] if name == "group_norm" else y
    assert np.isnan(wrong).all()
    assert np.isnan(dx[:2]).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 3), (4, 3), (1, 1, 1, 2), (1, 2, 3, 2), (5, 2, 2, 2)]
)
@pytest.mark.parametrize("value", [0.0, 7.0, -1e4])
@pytest.mark.parametrize("name", ["batch_norm", "group_norm"])
def test_without_any_variance_the_output_is_the_offset(name, value, shape, dtype):
    """All alike, a batch of one image of 1x1 among them: x̂ = 0 / √ε = 0, and dx is finite."""
    x, dy = np.full(shape, value, dtype), np.random.default_rng(0).normal(size=shape).astype(dtype)
    y, dx = normalized(name, x, dy)
    np.testing.assert_array_equal(y, 0)
    assert np.isfinite(dx).all()
    if x.size == x.shape[-1] and name == "batch_norm":  # one number a channel: nothing moves it
        np.testing.assert_allclose(dx, 0, atol=1e-3)
