"""One tiny network, every number worked by hand: 2-2-2, ReLU, softmax, one step of descent."""

import math

import numpy as np
import pytest

from handgrad.datasets import Batches
from handgrad.layers import Dense, ReLU
from handgrad.losses import SoftmaxCrossEntropy
from handgrad.networks import Network
from handgrad.optimizers import SGD
from handgrad.training import fit

LN3 = math.log(3)
X = np.array([[1.0, 2.0], [-2.0, 2.0]])
LABELS = np.array([0, 1])


@pytest.fixture
def network():
    network = Network((Dense(2), ReLU(), Dense(2)), (2,), dtype=np.float64)
    first, _, second = network.params
    first.W[...] = [[1.0, -1.0], [0.5, 1.0]]
    first.b[...] = [0.0, -2.0]
    second.W[...] = [[0.5, -0.5], [2.0, 1.0]]
    second.b[...] = [-1.0, 1.0 + LN3]
    return network


def test_forward_loss_backward(network):
    z2, memories = network.forward(X)
    # z1 = x W1 + b1:  1·1 + 2·0.5 + 0 = 2     1·(-1) + 2·1 - 2 = -1
    #                 -2·1 + 2·0.5 + 0 = -1    -2·(-1) + 2·1 - 2 = 2
    # a1 = max(0, z1): (2, 0) and (0, 2)
    np.testing.assert_array_equal(memories[2], [[2, 0], [0, 2]])
    # z2 = a1 W2 + b2: 2·0.5 - 1 = 0          2·(-0.5) + 1 + ln 3 = ln 3
    #                  2·2 - 1 = 3            2·1 + 1 + ln 3 = 3 + ln 3
    np.testing.assert_allclose(z2, [[0, LN3], [3, 3 + LN3]], rtol=1e-15, atol=1e-15)
    # s = e^z2 / Σ: 1 : 3 for both samples, (1/4, 3/4)
    # L = (-ln ¼ - ln ¾) / 2 = ½ ln(16/3) = 0.836988
    loss, dz2 = SoftmaxCrossEntropy()(z2, LABELS)
    assert loss == pytest.approx(math.log(16 / 3) / 2, rel=1e-14)
    # dz2 = (s - y) / 2: (¼ - 1, ¾) / 2 and (¼, ¾ - 1) / 2
    np.testing.assert_allclose(dz2, [[-0.375, 0.375], [0.125, -0.125]], rtol=1e-14)

    gradient = network.gradient()
    gradient.vector[...] = np.nan
    network.backward(dz2, memories, gradient.views)
    first, _, second = gradient.views
    # dW2 = a1ᵀ dz2: row 1 sees sample 1 alone, 2·(∓0.375); row 2 sample 2, 2·(±0.125)
    np.testing.assert_allclose(second.W, [[-0.75, 0.75], [0.25, -0.25]], rtol=1e-14)
    np.testing.assert_allclose(second.b, [-0.25, 0.25], rtol=1e-14)
    # da1 = dz2 W2ᵀ: -0.375·0.5 + 0.375·(-0.5) = -0.375    -0.375·2 + 0.375·1 = -0.375
    #                 0.125·0.5 - 0.125·(-0.5) =  0.125     0.125·2 - 0.125·1 =  0.125
    # dz1 = da1 where z1 > 0: (-0.375, 0) and (0, 0.125)
    # dW1 = xᵀ dz1:   1·(-0.375) = -0.375     -2·0.125 = -0.25
    #                 2·(-0.375) = -0.75       2·0.125 =  0.25
    np.testing.assert_allclose(first.W, [[-0.375, -0.25], [-0.75, 0.25]], rtol=1e-14)
    np.testing.assert_allclose(first.b, [-0.375, 0.125], rtol=1e-14)
    # dx = dz1 W1ᵀ:   -0.375·1 = -0.375          -0.375·0.5 = -0.1875
    #                  0.125·(-1) = -0.125        0.125·1 = 0.125
    dx = network.backward_to_input(dz2, memories, gradient.views)
    np.testing.assert_allclose(dx, [[-0.375, -0.1875], [-0.125, 0.125]], rtol=1e-14)


def test_one_step_of_gradient_descent(network):
    """w ← w - 0.8 dw, by the training loop."""
    reports = fit(network, Batches(X, LABELS, None, 0), SoftmaxCrossEntropy(), SGD(0.8), epochs=2)
    report = next(reports)
    assert report.loss == pytest.approx(math.log(16 / 3) / 2, rel=1e-14)
    assert report.train_accuracy == 0.5  # both are called 1, the second one is
    next(reports)
    first, _, second = network.params
    np.testing.assert_allclose(first.W, [[1.3, -0.8], [1.1, 0.8]], rtol=1e-14)
    np.testing.assert_allclose(first.b, [0.3, -2.1], rtol=1e-14)
    np.testing.assert_allclose(second.W, [[1.1, -1.1], [1.8, 1.2]], rtol=1e-14)
    np.testing.assert_allclose(second.b, [-0.8, 0.8 + LN3], rtol=1e-14)
