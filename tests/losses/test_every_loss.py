"""Every loss found in the package: derivative, composition, large scores, and PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

from handgrad import calculus, losses
from handgrad.errors import RecipeError
from handgrad.losses import (
    BinaryCrossEntropy,
    CrossEntropy,
    Loss,
    SigmoidCrossEntropy,
    SoftmaxCrossEntropy,
    SquaredError,
)
from handgrad.tables import from_table, members

DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])
OVER = pytest.mark.parametrize("over", ["mean", "sum"])
SHAPES = {
    BinaryCrossEntropy: [(1, 1), (5, 1)],
    CrossEntropy: [(1, 2), (1, 7), (5, 3)],
    SigmoidCrossEntropy: [(1, 1), (5, 1)],
    SoftmaxCrossEntropy: [(1, 1), (1, 7), (5, 3)],
    SquaredError: [(1, 1), (5, 1), (5, 3)],
}
CASES = pytest.mark.parametrize(
    ("kind", "shape"), [(kind, shape) for kind, shapes in SHAPES.items() for shape in shapes]
)


def batch(kind, shape):
    """Outputs that suit a loss (probabilities not near 0, where -log bends), and labels."""
    generator = np.random.default_rng(sum(shape))
    outputs = generator.normal(size=shape)
    if kind is CrossEntropy:
        outputs = calculus.softmax(outputs)
    if kind is BinaryCrossEntropy:
        outputs = calculus.sigmoid(outputs)
    return outputs, generator.integers(max(shape[1], 2) if shape != (1, 1) else 1, size=shape[0])


def test_every_loss_of_the_package_has_a_case():
    assert set(members(Loss).values()) == set(SHAPES)
    formulas = {name for name in losses.__all__ if name.islower()}
    assert formulas == {kind.name.replace(" ", "_").replace("-", "_") for kind in SHAPES}


@OVER
@CASES
def test_the_gradient_is_the_derivative_of_the_loss(kind, shape, over, check_gradients):
    outputs, labels = batch(kind, shape)
    loss = kind(over=over)
    before = outputs.copy()
    _, gradient = loss(outputs, labels)
    np.testing.assert_array_equal(outputs, before)
    check_gradients(lambda u: loss(u, labels)[0], [outputs], 1.0, [gradient])


@CASES
def test_each_sample_has_its_own_loss(kind, shape, check_gradients):
    """With a weight of its own for every sample, no loss or gradient can hide in a sum."""
    outputs, labels = batch(kind, shape)
    weights = np.random.default_rng(0).normal(size=shape[0])
    each, gradient = kind().each(outputs, labels)
    assert each.shape == labels.shape
    assert (each >= 0).all()
    check_gradients(
        lambda u: kind().each(u, labels)[0], [outputs], weights, [weights[:, None] * gradient]
    )


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (5, 3)])
def test_softmax_and_cross_entropy_composed_are_the_fused_form(shape):
    z, labels = batch(SoftmaxCrossEntropy, shape)
    s = calculus.softmax(z)
    each, ds = losses.cross_entropy(s, labels)
    fused, dz = losses.softmax_cross_entropy(z, labels)
    np.testing.assert_allclose(each, fused, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(calculus.softmax_backward(ds, s), dz, rtol=1e-12, atol=1e-15)
    through_jacobian = np.einsum("ni,nik->nk", ds, calculus.softmax_jacobian(s))
    np.testing.assert_allclose(through_jacobian, dz, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("n", [1, 5])
def test_sigmoid_and_cross_entropy_composed_are_the_fused_form(n):
    z, labels = batch(SigmoidCrossEntropy, (n, 1))
    a = calculus.sigmoid(z)
    each, da = losses.binary_cross_entropy(a, labels)
    fused, dz = losses.sigmoid_cross_entropy(z, labels)
    np.testing.assert_allclose(each, fused, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(calculus.sigmoid_backward(da, a), dz, rtol=1e-12, atol=1e-15)


def test_the_published_examples():
    """dmattek/tutorial-classify-nano, "Loss function": 2.30, 0.69, 0.11 for 0.1, 0.5, 0.9."""
    s = np.array([[0.1, 0.9], [0.5, 0.5], [0.9, 0.1]])
    labels = np.zeros(3, np.int64)
    for each in (
        losses.cross_entropy(s, labels)[0],
        losses.softmax_cross_entropy(np.log(s), labels)[0],
        losses.binary_cross_entropy(s[:, 1:], labels)[0],
        losses.sigmoid_cross_entropy(np.log(s[:, 1:] / s[:, :1]), labels)[0],
    ):
        assert [f"{value:.2f}" for value in each] == ["2.30", "0.69", "0.11"]


def test_squared_error_by_hand():
    each, dy = losses.squared_error(np.array([[0.5, 2.0], [1.0, -1.0]]), np.array([1, 0]))
    np.testing.assert_array_equal(each, [0.625, 0.5])  # ½(0.25 + 1), ½(0 + 1)
    np.testing.assert_array_equal(dy, [[0.5, 1.0], [0.0, -1.0]])
    each, dy = losses.squared_error(np.array([[0.5], [3.0]]), np.array([1, 0]))
    np.testing.assert_array_equal(each, [0.125, 4.5])
    np.testing.assert_array_equal(dy, [[-0.5], [3.0]])


@DTYPES
def test_large_scores_have_finite_losses(dtype):
    """At ±1e4 the loss of a wrong score is the score itself, of a right one 0."""
    z = np.array([[1e4, -1e4], [-1e4, 1e4], [1e4, 1e4]], dtype)
    each, dz = losses.softmax_cross_entropy(z, np.array([0, 0, 0]))
    np.testing.assert_allclose(each, [0, 2e4, np.log(2)], rtol=1e-6)
    np.testing.assert_allclose(dz, [[0, 0], [-1, 1], [-0.5, 0.5]])
    each, dz = losses.sigmoid_cross_entropy(z[:2, :1], np.array([0, 0]))
    np.testing.assert_array_equal(each, [1e4, 0])
    np.testing.assert_array_equal(dz, [[1], [0]])
    each, dz = losses.sigmoid_cross_entropy(z[:2, :1], np.array([1, 1]))
    np.testing.assert_array_equal(each, [0, 1e4])
    np.testing.assert_array_equal(dz, [[0], [-1]])
    assert each.dtype == dz.dtype == dtype


@DTYPES
def test_a_probability_of_0_has_a_finite_loss(dtype):
    s = np.array([[0.0, 1.0]], dtype)
    cases = [losses.cross_entropy(s, np.array([0]))]
    cases += [losses.binary_cross_entropy(s[:, i : i + 1], np.array([1 - i])) for i in range(2)]
    for each, gradient in cases:
        assert np.isfinite(gradient).all()
        np.testing.assert_allclose(each, [-np.log(np.finfo(dtype).tiny)], rtol=1e-6)
        assert each.dtype == gradient.dtype == dtype


@OVER
@CASES
def test_against_pytorch(torch, kind, shape, over):
    outputs, labels = batch(kind, shape)
    F = torch.nn.functional
    u, y = torch.tensor(outputs, requires_grad=True), torch.tensor(labels)
    column = y[:, None].double()
    target = column if shape[1] == 1 else F.one_hot(y, shape[1]).double()
    value = {
        BinaryCrossEntropy: lambda: F.binary_cross_entropy(u, column, reduction=over),
        CrossEntropy: lambda: F.nll_loss(u.log(), y, reduction=over),
        SigmoidCrossEntropy: lambda: F.binary_cross_entropy_with_logits(u, column, reduction=over),
        SoftmaxCrossEntropy: lambda: F.cross_entropy(u, y, reduction=over),
        # PyTorch averages over elements and has no half.
        SquaredError: lambda: (
            F.mse_loss(u, target, reduction="sum") / 2 / (len(y) if over == "mean" else 1)
        ),
    }[kind]()
    value.backward()
    found, gradient = kind(over=over)(outputs, labels)
    assert found == pytest.approx(value.item(), rel=1e-9, abs=1e-12)
    np.testing.assert_allclose(gradient, u.grad.numpy(), rtol=1e-9, atol=1e-12)


@OVER
@pytest.mark.parametrize("smoothing", [0.0, 0.2, 0.9])
@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (5, 3)])
def test_label_smoothing_against_pytorch(torch, shape, smoothing, over, check_gradients):
    outputs, labels = batch(SoftmaxCrossEntropy, shape)
    u, y = torch.tensor(outputs, requires_grad=True), torch.tensor(labels)
    value = torch.nn.functional.cross_entropy(u, y, label_smoothing=smoothing, reduction=over)
    value.backward()
    loss = SoftmaxCrossEntropy(over, smoothing=smoothing)
    found, gradient = loss(outputs, labels)
    assert found == pytest.approx(value.item(), rel=1e-9, abs=1e-12)
    np.testing.assert_allclose(gradient, u.grad.numpy(), rtol=1e-9, atol=1e-12)
    check_gradients(lambda z: loss(z, labels)[0], [outputs], 1.0, [gradient])


def test_label_smoothing_by_hand():
    """Scores ln 1 and ln 3 are ¼ and ¾; with ε = 0.2 the target is (0.9, 0.1).

    L = -0.9 ln ¼ - 0.1 ln ¾ = ln 4 - 0.1 ln 3, and s - y = (-0.65, 0.65).
    """
    scores = np.log([[1.0, 3.0]])
    value, gradient = SoftmaxCrossEntropy(smoothing=0.2)(scores, np.array([0]))
    assert value == pytest.approx(np.log(4) - 0.1 * np.log(3), rel=1e-14)
    np.testing.assert_allclose(gradient, [[-0.65, 0.65]], rtol=1e-14)


@DTYPES
def test_label_smoothing_at_large_scores(dtype):
    """The wrong class by 1000: L = 0.9 · 1000 + 0.1 · 0, and nothing overflows."""
    scores = np.array([[0, 1000]], dtype)
    value, gradient = SoftmaxCrossEntropy(smoothing=0.2)(scores, np.array([0]))
    assert value == pytest.approx(900, rel=1e-6)
    np.testing.assert_allclose(gradient, [[-0.9, 0.9]], rtol=1e-6)
    assert gradient.dtype == dtype


@pytest.mark.parametrize("kind", [CrossEntropy, SoftmaxCrossEntropy], ids=lambda kind: kind.name)
def test_class_weights_against_pytorch(torch, kind):
    """With the sum over a batch; PyTorch's mean is over the weights, ours over the samples."""
    outputs, labels = batch(kind, (5, 3))
    weights = (0.5, 2.0, 3.0)
    u, y = torch.tensor(outputs, requires_grad=True), torch.tensor(labels)
    scores = u.log() if kind is CrossEntropy else torch.log_softmax(u, dim=1)
    value = torch.nn.functional.nll_loss(
        scores, y, torch.tensor(weights, dtype=torch.float64), reduction="sum"
    )
    value.backward()
    found, gradient = kind("sum", class_weights=weights)(outputs, labels)
    assert len(set(labels)) == 3
    assert found == pytest.approx(value.item(), rel=1e-9)
    np.testing.assert_allclose(gradient, u.grad.numpy(), rtol=1e-9)
    mean, gradient = kind("mean", class_weights=weights)(outputs, labels)
    assert mean == pytest.approx(value.item() / 5, rel=1e-9)
    np.testing.assert_allclose(gradient, u.grad.numpy() / 5, rtol=1e-9)


@OVER
@CASES
def test_a_sample_of_weight_two_counts_as_two(kind, shape, over):
    outputs, labels = batch(kind, shape)
    classes = max(shape[1], 2)
    weights = tuple(float(1 + (k == labels[0])) for k in range(classes))
    value, gradient = kind(over, class_weights=weights)(outputs, labels)
    twice = np.flatnonzero(labels == labels[0])
    extra, of_extra = kind("sum")(outputs[twice], labels[twice])
    plain, expected = kind("sum")(outputs, labels)
    expected[twice] += of_extra
    n = shape[0] if over == "mean" else 1
    assert value == pytest.approx((plain + extra) / n, rel=1e-12)
    np.testing.assert_allclose(gradient, expected / n, rtol=1e-12)


def test_balanced_weights_by_hand():
    """Of 8 labels 4, 1 and 3: 8 / (3 · 4), 8 / (3 · 1), 8 / (3 · 3); each class then weighs 8/3."""
    labels = np.array([0, 2, 0, 2, 0, 1, 0, 2])
    word = SoftmaxCrossEntropy("mean", 0.5, "balanced", 0.1)
    loss = word.balanced(labels, 3)
    assert loss.class_weights == pytest.approx((2 / 3, 8 / 3, 8 / 9), rel=1e-12)
    assert (loss.over, loss.penalty, loss.smoothing) == ("mean", 0.5, 0.1)
    numbers = SoftmaxCrossEntropy(class_weights=(1.0, 2.0, 3.0))
    assert numbers.balanced(labels, 3) is numbers
    assert SquaredError().balanced(labels, 4).class_weights == ()


def test_balanced_weights_beside_scikit_learn():
    from sklearn.utils.class_weight import compute_class_weight

    labels = np.random.default_rng(0).integers(0, 5, 300)
    expected = compute_class_weight("balanced", classes=np.arange(5), y=labels)
    found = CrossEntropy(class_weights="balanced").balanced(labels, 5).class_weights
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_what_cannot_be_balanced():
    word = SoftmaxCrossEntropy(class_weights="balanced")
    with pytest.raises(RecipeError, match=r"no training image of class 1 \(from 0\)"):
        word.balanced(np.array([0, 2]), 3)
    with pytest.raises(RecipeError, match="class_weights = 'balanced': found the word"):
        word(np.zeros((1, 3)), np.array([0]))


@DTYPES
def test_weighted_it_stays_in_its_type(dtype):
    outputs, labels = batch(SoftmaxCrossEntropy, (5, 3))
    loss = SoftmaxCrossEntropy(class_weights=(0.1, 0.2, 0.3), smoothing=0.1)
    assert loss(outputs.astype(dtype), labels)[1].dtype == dtype


@CASES
def test_probabilities_and_decisions_agree(kind, shape):
    outputs, _ = batch(kind, shape)
    loss = kind()
    p = loss.probabilities(outputs)
    assert p.shape == (shape[0], max(shape[1], 2) if kind.single else shape[1])
    assert (p >= 0).all()
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-12)
    np.testing.assert_array_equal(loss.decide(outputs), p.argmax(axis=1))
    assert loss.outputs(7) == 7
    assert loss.outputs(2) == (1 if kind.single else 2)


def test_squared_errors_outputs_become_probabilities():
    p = SquaredError().probabilities(
        np.array([[-1.0, 2.0], [0.25, 0.75], [1.5, 2.5], [-1.0, -1.0]])
    )
    np.testing.assert_array_equal(p, [[0, 1], [0.25, 0.75], [0.375, 0.625], [0.5, 0.5]])


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ({"kind": "softmax cross-entropie"}, "did you mean 'softmax cross-entropy'"),
        ({"kind": "squared error", "penalty": -1}, "penalty = -1.0; expected 0 or more"),
        ({"kind": "softmax cross-entropy", "smoothing": 1}, "smoothing = 1.0; expected at least 0"),
        ({"kind": "softmax cross-entropy", "smoothing": -0.1}, "smoothing = -0.1"),
        ({"kind": "squared error", "smoothing": 0.1}, "unknown key 'smoothing'"),
        ({"kind": "squared error", "class_weights": [1, -2]}, r"class_weights = \[1.0, -2.0\]; e"),
        ({"kind": "squared error", "class_weights": ["a"]}, r"class_weights: found \['a'\]; e"),
        ({"kind": "squared error", "class_weights": "balance"}, "of a number or 'balanced'"),
        ({"kind": "squared error", "class_weights": [1, float("nan")]}, "expected finite, 0 or m"),
        ({"kind": "squared error", "over": "median"}, "loss.over: found 'median'"),
    ],
)
def test_what_a_loss_refuses(table, sentence):
    with pytest.raises(RecipeError, match=sentence):
        from_table(Loss, table, "loss")
