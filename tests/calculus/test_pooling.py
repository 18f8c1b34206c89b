"""Pooling, by hand and beside PyTorch in float64."""

from __future__ import annotations

import numpy as np
import pytest

from handgrad import calculus

CASES = {
    "one pixel": ((1, 1, 1, 1), 1, 1),
    "halved": ((3, 6, 8, 2), 2, 2),
    "halved, with a row and a column left over": ((2, 7, 5, 3), 2, 2),
    "overlapping": ((2, 7, 8, 1), 3, 2),
    "stride 1": ((1, 5, 6, 2), 3, 1),
    "with gaps": ((2, 8, 9, 2), 2, 3),
    "the whole image": ((4, 5, 5, 3), 5, 5),
}


def arranged(array):
    """The same numbers, strided and read-only."""
    wide = np.repeat(array, 2, axis=2)[:, :, ::2]
    wide.setflags(write=False)
    return wide


def by_pytorch(torch, f, x, *settings):
    tensor = torch.tensor(np.array(x), requires_grad=True)
    y = f(tensor.permute(0, 3, 1, 2), *settings).permute(0, 2, 3, 1)

    def backward(dy):
        y.backward(torch.tensor(dy))
        return tensor.grad.numpy()

    return y.detach().numpy(), backward


@pytest.mark.parametrize("case", CASES)
def test_beside_pytorch(torch, case):
    shape, size, stride = CASES[case]
    x = arranged(np.random.default_rng(0).normal(size=shape))
    for f, theirs in [
        ("max_pool", torch.nn.functional.max_pool2d),
        ("average_pool", torch.nn.functional.avg_pool2d),
    ]:
        expected, backward = by_pytorch(torch, theirs, x, size, stride)
        y = getattr(calculus, f)(x, size, stride)
        np.testing.assert_allclose(y, expected, rtol=1e-9)
        dy = np.random.default_rng(1).normal(size=y.shape)
        memory = (x, y) if f == "max_pool" else (shape,)
        dx = getattr(calculus, f"{f}_backward")(arranged(dy), *memory, size, stride)
        np.testing.assert_allclose(dx, backward(dy), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (2, 3, 5, 1), (3, 4, 4, 6)])
def test_the_global_average_beside_pytorch(torch, shape):
    x = arranged(np.random.default_rng(0).normal(size=shape))
    expected, backward = by_pytorch(torch, torch.nn.functional.adaptive_avg_pool2d, x, 1)
    y = calculus.global_average_pool(x)
    np.testing.assert_allclose(y, expected[:, 0, 0], rtol=1e-9)
    dy = np.random.default_rng(1).normal(size=y.shape)
    dx = calculus.global_average_pool_backward(dy, shape)
    np.testing.assert_allclose(dx, backward(dy[:, None, None]), rtol=1e-9)
    dx[...] = 0  # its own memory, not a view of dy stretched out


def test_of_equals_the_first_gets_all():
    # Windows from the left: (1 3 | 3 0), the upper 3; (3 3 | 0 3) and (3 2 | 3 3), the upper left.
    x = np.array([[1.0, 3.0, 3.0, 2.0], [3.0, 0.0, 3.0, 3.0]]).reshape(1, 2, 4, 1)
    y = calculus.max_pool(x, 2, 1)
    dy = np.array([1.0, 10.0, 100.0]).reshape(1, 1, 3, 1)
    dx = calculus.max_pool_backward(dy, x, y, 2, 1)
    assert dx[0, :, :, 0].tolist() == [[0, 11, 100, 0], [0, 0, 0, 0]]


def test_equals_are_treated_as_pytorch_does(torch):
    x = np.random.default_rng(0).integers(0, 3, size=(4, 9, 9, 2)).astype(float)
    for size, stride in [(2, 2), (3, 1), (3, 2), (9, 1)]:
        y, backward = by_pytorch(torch, torch.nn.functional.max_pool2d, x, size, stride)
        dy = np.random.default_rng(1).normal(size=y.shape)
        dx = calculus.max_pool_backward(dy, x, y, size, stride)
        np.testing.assert_allclose(dx, backward(dy), rtol=1e-9, atol=1e-12)


def test_no_gradient_is_lost_or_doubled():
    """Each window hands on exactly its dy, whatever the ties."""
    x = np.zeros((2, 6, 6, 3))
    dy = np.random.default_rng(0).normal(size=(2, 2, 2, 3))
    for dx in (
        calculus.max_pool_backward(dy, x, dy * 0, 3, 3),
        calculus.average_pool_backward(dy, x.shape, 3, 3),
    ):
        np.testing.assert_allclose(dx.sum(axis=(1, 2)), dy.sum(axis=(1, 2)), rtol=1e-12)
