"""Activations at published points and at their ends."""

import numpy as np
import pytest

from handgrad import calculus


@pytest.mark.parametrize(
    ("name", "z", "a"),
    [
        ("sigmoid", 0.0, 0.5),
        ("sigmoid", np.log(3), 0.75),  # 1 / (1 + 1/3)
        ("sigmoid", -np.log(3), 0.25),
        ("sigmoid", 1e4, 1.0),
        ("sigmoid", -1e4, 0.0),
        ("tanh", np.log(2), 0.6),  # (2 - 1/2) / (2 + 1/2)
        ("relu", -2.0, 0.0),
        ("relu", 3.0, 3.0),
        ("leaky_relu", -2.0, -0.02),
        ("leaky_relu", 3.0, 3.0),
        ("elu", -np.log(2), -0.5),  # 1/2 - 1
        ("elu", 3.0, 3.0),
        ("gelu", 0.0, 0.0),
        ("gelu", 1.0, 0.8413447460685429),  # 1 · Φ(1), from tables of the normal distribution
        ("gelu", -1.0, -0.15865525393145707),  # -1 · (1 - Φ(1))
        ("gelu", 1e4, 1e4),
        ("silu", 0.0, 0.0),
        ("silu", np.log(3), 0.75 * np.log(3)),  # z / (1 + 1/3)
        ("silu", 1e4, 1e4),
        ("silu", -1e4, 0.0),
    ],
)
def test_values(name, z, a):
    found = getattr(calculus, name)(np.array([z]))
    np.testing.assert_allclose(found, [a], rtol=1e-14, atol=1e-300)


@pytest.mark.parametrize(("name", "slope"), [("relu", 0.0), ("leaky_relu", 0.01), ("elu", 1.0)])
def test_the_derivative_taken_at_the_kink(name, slope):
    found = getattr(calculus, f"{name}_backward")(np.array([5.0]), np.array([0.0]))
    np.testing.assert_array_equal(found, [5.0 * slope])


def test_dropout_keeps_and_scales():
    x, kept = np.array([[1.0, 2.0, 3.0, 4.0]]), np.array([[True, False, True, False]])
    np.testing.assert_array_equal(calculus.dropout(x, kept, 0.75), [[4.0, 0.0, 12.0, 0.0]])


def test_silu_beside_pytorch(torch):
    z = torch.linspace(-30, 30, 61, dtype=torch.float64, requires_grad=True)
    a = torch.nn.functional.silu(z)
    a.sum().backward()
    given = z.detach().numpy()
    np.testing.assert_allclose(calculus.silu(given), a.detach(), rtol=1e-9)
    found = calculus.silu_backward(np.ones_like(given), given)
    np.testing.assert_allclose(found, z.grad, rtol=1e-9)
