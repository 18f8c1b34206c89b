"""Every f with an f_backward, found in the package, against central differences in float64."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from handgrad import calculus

PAIRS = [name for name in calculus.__all__ if f"{name}_backward" in calculus.__all__]
ALONE = {
    "affine_backward_parameters": "test_affine.py",
    "convolve_backward_parameters": "test_convolution.py",
    "log_softmax": "test_softmax.py",
    "softmax_jacobian": "test_softmax.py",
}
"""What is no pair, and where it is tested."""

ANY = [(1,), (1, 1), (5, 1), (1, 7), (3, 4), (2, 3, 5, 1), (2, 0)]
ROWS = [(1, 1), (1, 7), (5, 1), (3, 4)]


def element_wise(remembered, **settings):
    """A case of a = f(z): its shapes, f, and from (da, z) to the gradients by f_backward."""

    def case(f, f_backward):
        f, f_backward = partial(f, **settings), partial(f_backward, **settings)
        kept = f if remembered == "output" else np.copy
        return f, lambda da, z: [f_backward(da, kept(z))]

    return ANY, case


def affine(f, f_backward):
    def backward(dy, x, W, b):
        dW, db = np.full_like(W, np.nan), np.full_like(b, np.nan)  # overwritten, never added to
        return [f_backward(dy, x, W, dW, db), dW, db]

    return f, backward


WINDOW = {"stride": 2, "padding": ((1, 0), (0, 2)), "dilation": 2}
POOL = {"size": 2, "stride": 1}


def convolve(f, f_backward):
    def backward(dy, x, W, b):
        dW, db = np.full_like(W, np.nan), np.full_like(b, np.nan)
        return [f_backward(dy, x, W, dW, db, **WINDOW), dW, db]

    return lambda x, W, b: f(x, W, b, **WINDOW), backward


def patches(f, f_backward):
    return (
        lambda x: f(x, (2, 3), **WINDOW),
        lambda dp, x: [f_backward(dp, x.shape, **WINDOW)],
    )


def max_pool(f, f_backward):
    return lambda x: f(x, **POOL), lambda dy, x: [f_backward(dy, x, f(x, **POOL), **POOL)]


def average_pool(f, f_backward):
    return lambda x: f(x, **POOL), lambda dy, x: [f_backward(dy, x.shape, **POOL)]


def normalization(*settings):
    """A case of (x, scale, offset); what f leaves in memory, f_backward takes."""

    def case(f, f_backward):
        def backward(dy, x, scale, offset):
            statistics = f(x, scale, offset, *settings, 0.1)[1:]
            dscale, doffset = np.full_like(scale, np.nan), np.full_like(offset, np.nan)
            return [f_backward(dy, x, *statistics, scale, dscale, doffset, 0.1), dscale, doffset]

        return lambda *given: f(*given, *settings, 0.1)[0], backward

    return case


def frozen_norm(f, f_backward):
    def fixed(norm, norm_backward):
        def statistics(x):
            return np.full(x.shape[-1], 0.5, x.dtype), np.full(x.shape[-1], 2.0, x.dtype)

        return (
            lambda x, scale, offset, epsilon: (
                norm(x, *statistics(x), scale, offset, epsilon),
                *statistics(x),
            ),
            norm_backward,
        )

    return normalization()(*fixed(f, f_backward))


def dropout(f, f_backward):
    def kept(x):
        return np.arange(x.size).reshape(x.shape) % 3 != 1

    return lambda x: f(x, kept(x), 0.3), lambda dy, x: [f_backward(dy, kept(x), 0.3)]


CASES = {
    "affine": [([(1, 1), (1, 1), (1,)], [(5, 3), (3, 4), (4,)], [(1, 7), (7, 1), (1,)]), affine],
    "average_pool": [[[(1, 2, 2, 1)], [(2, 3, 5, 2)]], average_pool],
    "batch_norm": [[[(5, 1), (1,), (1,)], [(2, 3, 2, 4), (4,), (4,)]], normalization()],
    "convolve": [
        [
            [(1, 2, 3, 1), (2, 2, 1, 1), (1,)],
            [(2, 5, 4, 3), (3, 2, 3, 2), (2,)],
            [(1, 4, 9, 2), (1, 4, 2, 3), (3,)],
        ],
        convolve,
    ],
    "dropout": [ANY, dropout],
    "elu": element_wise("input", alpha=1.7),
    "frozen_norm": [[[(5, 1), (1,), (1,)], [(2, 3, 2, 4), (4,), (4,)]], frozen_norm],
    "gelu": element_wise("input"),
    "global_average_pool": [
        [[(1, 1, 1, 1)], [(2, 3, 5, 2)]],
        lambda f, f_backward: (f, lambda dy, x: [f_backward(dy, x.shape)]),
    ],
    "group_norm": [[[(5, 2), (2,), (2,)], [(2, 3, 2, 4), (4,), (4,)]], normalization(2)],
    "leaky_relu": element_wise("input", slope=0.3),
    "max_pool": [[[(1, 2, 2, 1)], [(2, 3, 5, 2)]], max_pool],
    "patches": [[[(1, 3, 4, 1)], [(2, 5, 7, 2)]], patches],
    "relu": element_wise("output"),
    "sigmoid": element_wise("output"),
    "silu": element_wise("input"),
    "softmax": [ROWS, element_wise("output")[1]],
    "tanh": element_wise("output"),
}


def gradients_hold(name, check_gradients, f=None, f_backward=None):
    """Check one pair over all its shapes, contiguous and not."""
    shapes, case = CASES[name]
    f, backward = case(
        f or getattr(calculus, name), f_backward or getattr(calculus, f"{name}_backward")
    )
    for i, shape in enumerate(shapes):
        generator = np.random.default_rng(i)
        sizes = shape if isinstance(shape, list) else [shape]
        inputs = [generator.normal(size=size) * 2 for size in sizes]
        for arranged in (np.ascontiguousarray, np.asfortranarray):
            given = [arranged(u) for u in inputs]
            y = f(*given)
            dy = arranged(generator.normal(size=y.shape))
            before = [u.copy() for u in (*given, dy)]
            check_gradients(f, given, dy, backward(dy, *given))
            for u, was in zip((*given, dy), before, strict=True):
                np.testing.assert_array_equal(u, was, err_msg="an argument was written into")


def test_every_function_of_the_package_is_tested():
    backwards = {f"{name}_backward" for name in PAIRS}
    assert set(calculus.__all__) == {*PAIRS, *backwards, *ALONE}
    assert set(PAIRS) == set(CASES), "a pair without a case here, or a case without a pair"


@pytest.mark.parametrize("name", PAIRS)
def test_backward_is_the_derivative(name, check_gradients):
    gradients_hold(name, check_gradients)


def slipped_elu_backward(da, z, alpha=1.0):
    return np.where(z > 0, da, da * alpha * np.exp(np.minimum(z, 0)) - 1)


def without_variance(dy, x, mean, variance, scale, dscale, doffset, epsilon):
    calculus.batch_norm_backward(dy, x, mean, variance, scale, dscale, doffset, epsilon)
    return scale / np.sqrt(variance + epsilon) * (dy - dy.mean(axis=tuple(range(dy.ndim - 1))))


PLANTED = {
    "average_pool": lambda dy, shape, size, stride: (
        calculus.average_pool_backward(dy, shape, size, stride) * size
    ),
    "batch_norm": without_variance,
    "convolve": lambda dy, x, W, dW, db, **settings: calculus.convolve_backward(
        dy, x, W[::-1, ::-1], dW, db, **settings
    ),
    "frozen_norm": without_variance,
    "global_average_pool": lambda dy, shape: (
        calculus.global_average_pool_backward(dy, shape) / shape[0] + 1e-5
    ),
    "group_norm": lambda dy, x, mean, variance, scale, dscale, *rest: calculus.group_norm_backward(
        dy, x, mean, variance, scale * 0 + 1, dscale, *rest
    ),
    "max_pool": lambda dy, x, y, size, stride: calculus.average_pool_backward(
        dy, x.shape, size, stride
    ),
    "patches": lambda dp, shape, stride, padding, dilation: calculus.patches_backward(
        dp, shape, stride, padding[::-1], dilation
    ),
    "silu": lambda da, z: da * calculus.sigmoid(z),
    "sigmoid": lambda da, a: da * a * (1 - a) * 1.0005,
    "tanh": lambda da, a: da * (1 - a),
    "relu": lambda da, a: da * (a >= 0),
    "leaky_relu": lambda da, z, slope: da * np.where(z > 0, 1, -slope),
    "elu": slipped_elu_backward,
    "gelu": lambda da, z: da * (calculus.gelu_backward(np.ones_like(z), z) + 1e-5),
    "softmax": lambda ds, s: s * (ds - ds.sum(axis=-1, keepdims=True)),
    "dropout": lambda dy, kept, rate: dy * kept,
    "affine": lambda dy, x, W, dW, db: calculus.affine_backward(dy, x, W, dW, db) * 2.001 / 2,
}


@pytest.mark.parametrize("name", PAIRS)
def test_a_planted_fault_is_caught(name, check_gradients):
    with pytest.raises(AssertionError):
        gradients_hold(name, check_gradients, f_backward=PLANTED[name])


@pytest.mark.parametrize("name", PAIRS)
def test_writing_into_an_argument_is_caught(name, check_gradients):
    f_backward = getattr(calculus, f"{name}_backward")

    def untidy(dy, *besides, **settings):
        found = f_backward(dy, *besides, **settings)
        dy *= 2
        return found

    with pytest.raises(AssertionError):
        gradients_hold(name, check_gradients, f_backward=untidy)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", PAIRS)
def test_large_numbers_and_their_dtype(name, dtype):
    """±1e4 would overflow any careless exponential, and a warning is an error here."""
    shapes, case = CASES[name]
    f, backward = case(getattr(calculus, name), getattr(calculus, f"{name}_backward"))
    sizes = shapes[1] if isinstance(shapes[0], list) else [(3, 4)]
    large = np.array([-1e4, -1, 0, 1, 1e4], dtype)
    inputs = [np.resize(large, size) for size in sizes]
    y = f(*inputs)
    for found in (y, *backward(np.ones_like(y), *inputs)):
        assert np.isfinite(found).all()
        assert found.dtype == dtype
