"""Muon's matrices: by hand, by singular values, and beside PyTorch's."""

from __future__ import annotations

import numpy as np
import pytest

from handgrad.arrays import Layout
from handgrad.errors import RecipeError
from handgrad.optimizers import Muon
from handgrad.optimizers.muon import FixedNorm, orthogonalized

RANDOM = np.random.default_rng(3)


def quintic(s, steps):
    """The published polynomial with its published numbers."""
    for _ in range(steps):
        s = 3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5
    return s


def stepped(optimizer, shapes, start, gradients):
    """The vector after some steps."""
    layout = Layout(shapes)
    chain, vector = optimizer.chain(layout), start.copy()
    state = chain.start(vector)
    for t, gradient in enumerate(gradients):
        g = gradient.copy()
        chain.apply(g, state, vector, t, len(gradients))
        vector -= g
    return vector


def test_one_step_by_hand():
    """diag(3, 4)/5 has σ = 0.6 and 0.8: 3.4445·0.6 - 4.775·0.216 + 2.0315·0.07776 = 1.19326944 and
    3.4445·0.8 - 4.775·0.512 + 2.0315·0.32768 = 0.97648192."""
    found = orthogonalized(np.diag([3.0, 4.0]), 1)
    np.testing.assert_allclose(found, np.diag([1.19326944, 0.97648192]), rtol=1e-6, atol=1e-15)


@pytest.mark.parametrize("shape", [(5, 5), (3, 8), (8, 3), (1, 6), (6, 1)])
@pytest.mark.parametrize("steps", [0, 1, 5])
def test_directions_stay_and_lengths_follow_the_polynomial(shape, steps):
    M = RANDOM.normal(size=shape)
    U, S, Vt = np.linalg.svd(M, full_matrices=False)
    expected = (U * quintic(S / np.linalg.norm(M), steps)) @ Vt
    np.testing.assert_allclose(orthogonalized(M, steps), expected, atol=1e-6)


def test_a_matrix_of_zeros_stays_one():
    np.testing.assert_array_equal(orthogonalized(np.zeros((3, 2)), 5), 0)


def test_against_pytorch(torch):
    """Whose matrices lie the other way round, and go through bfloat16: two digits a step."""
    W = RANDOM.normal(size=(6, 9))
    gradients = RANDOM.normal(size=(3, 54))
    leaf = torch.tensor(W.T.copy(), requires_grad=True)
    theirs = torch.optim.Muon([leaf], lr=0.1, momentum=0.9, weight_decay=0.2)
    for gradient in gradients:
        leaf.grad = torch.tensor(gradient.reshape(6, 9).T.copy())
        theirs.step()
    ours = stepped(
        Muon(0.1 * 1.5**0.5, beta=0.9, weight_decay=0.2 / 1.5**0.5),  # theirs: η √(rows/columns)
        {"W": (6, 9)}, W.ravel(), gradients,
    )  # fmt: skip
    np.testing.assert_allclose(ours.reshape(6, 9), leaf.detach().numpy().T, atol=0.02 * 3 * 0.1)


def test_what_is_no_matrix_goes_by_nesterovs_momentum():
    """g + βv with v = g at first: 1.5 g; and the matrix beside it as if it were alone."""
    gradient = np.array([0.3, 3.0, 0.0, 0.0, 4.0, 0.7])
    shapes = {"0.b": (1,), "0.W": (2, 2), "1.b": (1,)}
    found = stepped(Muon(1.0, steps=1, beta_others=0.5), shapes, np.zeros(6), [gradient])
    np.testing.assert_allclose(
        found, [-0.45, -1.19326944, 0, 0, -0.97648192, -1.05], rtol=1e-6, atol=1e-15
    )


def test_named_matrices_only():
    gradient = np.full(8, 2.0)
    shapes = {"0.W": (2, 2), "1.W": (2, 2)}
    optimizer = Muon(1.0, matrices=("1.W",), beta_others=0.0, steps=0)
    found = stepped(optimizer, shapes, np.zeros(8), [gradient])
    np.testing.assert_allclose(found, [-2.0] * 4 + [-0.5] * 4, rtol=1e-6)


def test_a_fixed_norm_by_hand():
    """W = (3, 4) as 2 inputs of 1 neuron: from norm 5 to 1, then the step of norm 1 along g."""
    optimizer = Muon(0.1, steps=0, fixed_norm=True)
    found = stepped(optimizer, {"W": (2, 1)}, np.array([3.0, 4.0]), [np.array([0.0, 7.0])])
    np.testing.assert_allclose(found, [0.6, 0.8 - 0.1], rtol=1e-6)
    g = np.array([1.0])
    FixedNorm(Layout({"W": (1, 1)}).named("W")).apply(g, {}, np.zeros(1), 0, 1)
    assert g == 1.0  # nothing has no direction


def test_a_matrix_of_nothing_is_a_slip():
    with pytest.raises(RecipeError, match=r"nothing that is learned is named 3\.W"):
        Muon(matrices=("3.W",)).chain(Layout({"0.W": (2, 2)}))
    with pytest.raises(ValueError, match="steps = -1"):
        Muon(steps=-1)
