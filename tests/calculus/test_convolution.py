"""Convolution, by hand and beside PyTorch in float64."""

from __future__ import annotations

import numpy as np
import pytest

from handgrad import calculus
from handgrad.calculus import convolution
from handgrad.calculus.windows import NO_PADDING

CASES = {
    "one of everything": ((1, 1, 1, 1), (1, 1, 1, 1), 1, NO_PADDING, 1),
    "plain": ((3, 6, 5, 2), (3, 3, 2, 4), 1, NO_PADDING, 1),
    "same": ((2, 7, 7, 3), (3, 3, 3, 2), 1, ((1, 1), (1, 1)), 1),
    "even kernel, same": ((2, 5, 6, 1), (2, 4, 1, 3), 1, ((0, 1), (1, 2)), 1),
    "as large as the image": ((4, 3, 5, 2), (3, 5, 2, 2), 1, NO_PADDING, 1),
    "larger than the image": ((1, 2, 3, 2), (3, 5, 2, 2), 1, ((1, 0), (2, 1)), 1),
    "stride 2": ((2, 8, 7, 3), (3, 3, 3, 4), 2, ((1, 1), (1, 1)), 1),
    "stride 3, rows left over": ((2, 9, 10, 1), (2, 3, 1, 2), 3, NO_PADDING, 1),
    "stride wider than the kernel": ((1, 7, 8, 2), (1, 2, 2, 3), 3, ((0, 1), (2, 0)), 1),
    "dilation 2": ((2, 7, 8, 2), (3, 2, 2, 3), 1, ((2, 2), (1, 0)), 2),
    "dilation 2, stride 2": ((1, 9, 9, 1), (3, 3, 1, 2), 2, ((3, 0), (1, 2)), 2),
    "more zeros than the kernel reaches": ((2, 3, 4, 2), (2, 2, 2, 3), 1, ((3, 0), (1, 4)), 1),
}


def drawn(shape, kernel, seed=0):
    generator = np.random.default_rng(seed)
    return [generator.normal(size=size) for size in (shape, kernel, kernel[-1:])]


def by_pytorch(torch, x, W, b, stride, padding, dilation):
    """y, and from dy to (dx, dW, db). PyTorch has images N, C, H, W and kernels O, C, H, W."""
    tensors = [torch.tensor(np.array(given), requires_grad=True) for given in (x, W, b)]
    image = tensors[0].permute(0, 3, 1, 2)
    (above, below), (left, right) = padding
    image = torch.nn.functional.pad(image, (left, right, above, below))
    y = torch.nn.functional.conv2d(
        image, tensors[1].permute(3, 2, 0, 1), tensors[2], stride, 0, dilation
    ).permute(0, 2, 3, 1)

    def backward(dy):
        y.backward(torch.tensor(dy))
        return [tensor.grad.numpy() for tensor in tensors]

    return y.detach().numpy(), backward


def all_gradients(dy, x, W, *settings):
    dW, db = np.full(W.shape, np.nan), np.full(W.shape[-1], np.nan)
    return [calculus.convolve_backward(dy, x, W, dW, db, *settings), dW, db]


@pytest.mark.parametrize("few", [1, 2**18])
@pytest.mark.parametrize("case", CASES)
def test_beside_pytorch(torch, case, few, monkeypatch):
    shape, kernel, *settings = CASES[case]
    x, W, b = drawn(shape, kernel)
    if few == 1:  # a sample at a time
        monkeypatch.setattr(
            convolution, "_few_samples", lambda p: (slice(n, n + 1) for n in range(len(p)))
        )
    y, backward = by_pytorch(torch, x, W, b, *settings)
    np.testing.assert_allclose(calculus.convolve(x, W, b, *settings), y, rtol=1e-9, atol=1e-9)
    dy = np.random.default_rng(1).normal(size=y.shape)
    for found, expected in zip(all_gradients(dy, x, W, *settings), backward(dy), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("stride", [1, 2])
def test_input_that_is_strided_turned_and_read_only(torch, stride):
    x = np.random.default_rng(0).normal(size=(3, 6, 14, 4)).transpose(1, 0, 3, 2)[::-1, :, :, ::2]
    W = np.random.default_rng(1).normal(size=(2, 7, 3, 2)).T
    W, b = W[:, :, ::-1], np.broadcast_to(0.5, (2,))
    assert x.shape == (6, 3, 4, 7)
    for given in (x, W):
        given.setflags(write=False)
    padding = ((1, 0), (1, 1))
    y, backward = by_pytorch(torch, x, W, b, stride, padding, 1)
    np.testing.assert_allclose(calculus.convolve(x, W, b, stride, padding), y, atol=1e-9)
    dy = np.random.default_rng(2).normal(size=y.shape[::-1]).T
    dy.setflags(write=False)
    found = all_gradients(dy, x, W, stride, padding)
    for array, expected in zip(found, backward(np.array(dy)), strict=True):
        np.testing.assert_allclose(array, expected, atol=1e-9)


def test_by_hand():
    # An edge between 0 and 1 under a kernel that looks to the right: right minus left.
    x = np.array([[0.0, 0.0, 1.0, 1.0], [0.0, 1.0, 1.0, 0.0]]).reshape(1, 2, 4, 1)
    W = np.array([-1.0, 1.0]).reshape(1, 2, 1, 1)
    y = calculus.convolve(x, W, np.array([0.5]))
    assert y[0, :, :, 0].tolist() == [[0.5, 1.5, 0.5], [1.5, 0.5, -0.5]]

    dy = np.array([[1.0, 2.0, 4.0], [0.0, 8.0, 0.0]]).reshape(1, 2, 3, 1)
    dx, dW, db = all_gradients(dy, x, W)
    # First row: -1, 1 - 2, 2 - 4, 4. Second: 0, -8, 8, 0.
    assert dx[0, :, :, 0].tolist() == [[-1, -1, -2, 4], [0, -8, 8, 0]]
    # Left: 4·1 (row 1) + 8·1 (row 2); right: 2·1 + 4·1 + 8·1.
    assert dW.ravel().tolist() == [12, 14]
    assert db.tolist() == [15]


def test_patches_count_how_often_a_pixel_is_seen():
    # Of a 3x3 image through 2x2 windows: corners once, edges twice, the middle four times.
    p = calculus.patches(np.ones((1, 3, 3, 1)), (2, 2))
    seen = calculus.patches_backward(np.ones(p.shape), (1, 3, 3, 1))
    assert seen[0, :, :, 0].tolist() == [[1, 2, 1], [2, 4, 2], [1, 2, 1]]


@pytest.mark.parametrize("case", CASES)
def test_patches_backward_is_the_transpose(case):
    """<dp, patches(x)> = <patches_backward(dp), x>."""
    shape, kernel, stride, padding, dilation = CASES[case]
    x = drawn(shape, kernel)[0]
    p = calculus.patches(x, kernel[:2], stride, padding, dilation)
    dp = np.random.default_rng(1).normal(size=p.shape)
    dx = calculus.patches_backward(dp, shape, stride, padding, dilation)
    assert np.sum(dp * p) == pytest.approx(np.sum(dx * x), rel=1e-12)


def test_patches_cannot_be_written_into():
    x = np.zeros((1, 3, 3, 1))
    with pytest.raises(ValueError, match="read-only"):
        calculus.patches(x, (2, 2))[...] = 1


def test_what_is_not_wanted_is_left_out():
    x, W, b = drawn((2, 5, 5, 2), (3, 3, 2, 4))
    y = calculus.convolve(x, W, b)
    np.testing.assert_allclose(calculus.convolve(x, W, None) + b, y, rtol=1e-14)
    dx, _, db = all_gradients(y, x, W)
    db_alone = np.full(4, np.nan)
    np.testing.assert_array_equal(calculus.convolve_backward(y, x, W, None, db_alone), dx)
    np.testing.assert_array_equal(db_alone, db)
    np.testing.assert_array_equal(calculus.convolve_backward(y, x, W, None, None), dx)


@pytest.mark.parametrize("each", [1, 90_000, 2**17, 2**19])
@pytest.mark.parametrize("samples", [0, 1, 7])
def test_a_batch_taken_in_parts_is_taken_whole(samples, each):
    p = np.broadcast_to(0.0, (samples, each))
    parts = [np.arange(samples)[few].tolist() for few in convolution._few_samples(p)]
    assert [n for part in parts for n in part] == list(range(samples))
    assert all(len(part) * each <= 2**18 or len(part) == 1 for part in parts)
