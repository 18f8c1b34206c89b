"""Normalization, by hand and beside PyTorch in float64."""

from __future__ import annotations

import numpy as np
import pytest

from handgrad import calculus

SHAPES = [(5, 1), (4, 6), (3, 2, 5, 1), (2, 3, 2, 4), (1, 4, 3, 2), (1, 1, 2, 4)]


def drawn(shape, seed=0):
    """x strided and read-only, far from mean 0 and variance 1; scale, offset, dy."""
    generator = np.random.default_rng(seed)
    C = shape[-1]
    x = np.repeat(generator.normal(3, 5, size=shape), 2, axis=0)[::2]
    x.setflags(write=False)
    return x, generator.normal(size=C), generator.normal(size=C), generator.normal(size=shape)


def channels_second(torch, array):
    return torch.tensor(np.moveaxis(np.array(array), -1, 1).copy(), requires_grad=True)


def compare(torch, f, ours, given, dy, epsilon):
    """Ours is (y, backward(dy, scale, dscale, doffset)); f is PyTorch's, channels second."""
    x, scale, offset = given
    tensors = [channels_second(torch, x)]
    tensors += [torch.tensor(a, requires_grad=True) for a in (scale, offset)]
    expected = f(*tensors)
    expected.backward(channels_second(torch, dy).detach())
    y, backward = ours
    np.testing.assert_allclose(
        y, np.moveaxis(expected.detach().numpy(), 1, -1), rtol=1e-9, atol=1e-9
    )
    dscale, doffset = np.full_like(scale, np.nan), np.full_like(offset, np.nan)
    dx = backward(dy, scale, dscale, doffset, epsilon)
    np.testing.assert_allclose(
        dx, np.moveaxis(tensors[0].grad.numpy(), 1, -1), rtol=1e-9, atol=1e-9
    )
    np.testing.assert_allclose(dscale, tensors[1].grad, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(doffset, tensors[2].grad, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("epsilon", [1e-5, 0.5])
@pytest.mark.parametrize("shape", SHAPES)
def test_batch_norm_beside_pytorch(torch, shape, epsilon):
    x, scale, offset, dy = drawn(shape)
    y, mean, variance = calculus.batch_norm(x, scale, offset, epsilon)
    np.testing.assert_allclose(mean, x.reshape(-1, shape[-1]).mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(variance, x.reshape(-1, shape[-1]).var(axis=0), rtol=1e-12)

    def theirs(x, scale, offset):
        return torch.nn.functional.batch_norm(x, None, None, scale, offset, True, 0, epsilon)

    def backward(dy, *rest):
        return calculus.batch_norm_backward(dy, x, mean, variance, *rest)

    compare(torch, theirs, (y, backward), (x, scale, offset), dy, epsilon)


@pytest.mark.parametrize("shape", [*SHAPES, (1, 1), (1, 1, 1, 3)])
def test_frozen_norm_beside_pytorch(torch, shape):
    x, scale, offset, dy = drawn(shape)
    mean, variance = np.linspace(-1, 2, shape[-1]), np.linspace(0.1, 4, shape[-1])
    y = calculus.frozen_norm(x, mean, variance, scale, offset, 1e-3)

    def theirs(x, scale, offset):
        given = torch.tensor(mean), torch.tensor(variance)
        return torch.nn.functional.batch_norm(x, *given, scale, offset, False, 0, 1e-3)

    def backward(dy, *rest):
        return calculus.frozen_norm_backward(dy, x, mean, variance, *rest)

    compare(torch, theirs, (y, backward), (x, scale, offset), dy, 1e-3)


@pytest.mark.parametrize(
    ("shape", "groups"),
    [
        *(((3, 6), groups) for groups in (1, 2, 3)),
        *(((2, 3, 2, 6), groups) for groups in (1, 2, 3, 6)),
        *(((1, 1, 1, 6), groups) for groups in (1, 2, 3)),
        ((1, 5, 4, 6), 6),
        ((2, 3, 5, 1), 1),
    ],
)
def test_group_norm_beside_pytorch(torch, shape, groups):
    x, scale, offset, dy = drawn(shape)
    y, mean, variance = calculus.group_norm(x, scale, offset, groups, 1e-5)
    assert mean.shape == variance.shape == (shape[0], groups)

    def theirs(x, scale, offset):
        return torch.nn.functional.group_norm(x, groups, scale, offset, 1e-5)

    def backward(dy, *rest):
        return calculus.group_norm_backward(dy, x, mean, variance, *rest)

    compare(torch, theirs, (y, backward), (x, scale, offset), dy, 1e-5)


def test_one_group_is_layer_normalization(torch):
    x, scale, offset, _ = drawn((4, 6))
    y = calculus.group_norm(x, scale, offset, 1, 1e-5)[0]
    given = [torch.tensor(np.array(a)) for a in (x, scale, offset)]
    expected = torch.nn.functional.layer_norm(given[0], (6,), given[1], given[2], 1e-5)
    np.testing.assert_allclose(y, expected, rtol=1e-9, atol=1e-9)


def test_by_hand():
    # Channel 0: 1, 3, 5, 7, mean 4, variance (9 + 1 + 1 + 9)/4 = 5, with epsilon 4 the root is 3.
    x = np.array([[1.0, 0.0], [3.0, 0.0], [5.0, 0.0], [7.0, 0.0]]).reshape(2, 2, 1, 2)
    y, mean, variance = calculus.batch_norm(x, np.array([3.0, 1.0]), np.array([1.0, 2.0]), 4.0)
    assert (mean.tolist(), variance.tolist()) == ([4, 0], [5, 0])
    np.testing.assert_allclose(y.reshape(4, 2), [[-2, 2], [0, 2], [2, 2], [4, 2]], rtol=1e-15)
    # dy = 0 0 0 9: dβ = 9, dγ = 9·1; dx = 3/3 (dy - 9/4 - x̂ 9/4), x̂ = -1, -1/3, 1/3, 1.
    dy = np.zeros((2, 2, 1, 2))
    dy[1, 1, 0, 0] = 9
    dx = calculus.batch_norm_backward(dy, x, mean, variance, np.array([3.0, 1.0]), None, None, 4.0)
    np.testing.assert_allclose(dx[..., 0].ravel(), [0, -1.5, -3, 4.5], atol=1e-14)
    assert not dx[..., 1].any()


@pytest.mark.parametrize("groups", [0, 2])
def test_without_scale_and_offset_as_with_one_and_zero(groups):
    x, _, _, dy = drawn((3, 2, 2, 4))
    norm, back, settings = calculus.batch_norm, calculus.batch_norm_backward, (0.1,)
    if groups:
        norm, back, settings = calculus.group_norm, calculus.group_norm_backward, (groups, 0.1)
    y, *statistics = norm(x, np.ones(4), np.zeros(4), *settings)
    np.testing.assert_array_equal(norm(x, None, None, *settings)[0], y)
    doffset = np.full(4, np.nan)
    plain = back(dy, x, *statistics, None, None, doffset, 0.1)
    np.testing.assert_array_equal(
        plain, back(dy, x, *statistics, np.ones(4), np.empty(4), np.empty(4), 0.1)
    )
    np.testing.assert_allclose(doffset, dy.sum(axis=(0, 1, 2)), rtol=1e-12)


def test_float32_statistics_of_many_numbers_far_from_zero():
    """Added up one by one in float32 the mean of these would be off by three millionths."""
    x = np.random.default_rng(0).normal(100, 1, size=(64, 32, 32, 2)).astype(np.float32)
    _, mean, variance = calculus.batch_norm(x, None, None, 0.0)
    assert mean.dtype == variance.dtype == np.float32
    exact = x.astype(np.float64)
    np.testing.assert_allclose(mean, exact.mean(axis=(0, 1, 2)), rtol=1e-6)
    np.testing.assert_allclose(variance, exact.var(axis=(0, 1, 2)), rtol=1e-5)
    naive = np.cumsum(x[..., 0].ravel(), dtype=np.float32)[-1] / x[..., 0].size
    assert naive != pytest.approx(exact[..., 0].mean(), rel=1e-6)


def test_a_constant_channel_does_no_harm():
    x, dy = np.full((3, 2, 2, 1), 7.0), np.random.default_rng(0).normal(size=(3, 2, 2, 1))
    y, mean, variance = calculus.batch_norm(x, None, np.array([5.0]), 1e-12)
    np.testing.assert_array_equal(y, np.full_like(x, 5))
    dx = calculus.batch_norm_backward(dy, x, mean, variance, None, None, None, 1e-12)
    assert np.isfinite(dx).all()
