"""What docs/book/errata.md says of the four tutorials: each slip, and what holds.

A formula as printed is written down here in the notation of the book and has to disagree with the
function that computes what is meant. Numbers that need a data set are kept on the page; here they
are computed anew from the files, where they are.
"""

from __future__ import annotations

import ast
import itertools
import math
import os
import re
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from docs.ties.formula import Formula

import handgrad as hg
from handgrad.calculus import relu, sigmoid, softmax
from handgrad.datasets import Splits
from handgrad.experiments import Experiment, read_recipe, with_settings
from handgrad.pictures import descent
from handgrad.training import wilson_interval

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "book" / "errata.md").read_text(encoding="utf-8")

needs_data = pytest.mark.skipif(
    "HANDGRAD_DATA" not in os.environ, reason="HANDGRAD_DATA is not set"
)


def kept(name: str) -> Any:
    """A number that the page keeps."""
    found = re.search(r"^kept = (\{.*?^\})", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None
    return ast.literal_eval(found[1])[name]


def trained(recipe: str, splits: Splits | None = None, **settings: object) -> Experiment:
    """An experiment of a recipe, to its end, on one thread."""
    changed = {key.replace("__", "."): value for key, value in settings.items()}
    table = with_settings(read_recipe(recipe), {"training.threads": 1, **changed})
    experiment = Experiment(table, splits=splits)
    for _ in experiment.train():
        pass
    return experiment


def test_every_test_that_the_page_names_is_here():
    named = set(re.findall(r"tests/docs/test_errata\.py::(test_\w+)", PAGE))
    named |= set(re.findall(r"`(test_\w+)`", PAGE)) - {"test_x"}  # an array of a tutorial
    assert len(named) > 15
    assert named <= globals().keys()


# Formulas as printed

LOSS = ("handgrad.losses.binary_cross_entropy(a, t) -> L, _", "a: n o unit; t: n < 2", "o=1")
SOFTMAX = ("handgrad.calculus.softmax(z) -> s", "z: n k", "")
CHAIN = ("handgrad.calculus.softmax_backward(ds, s) -> dz", "ds: n k; s: n k simplex", "j=k")
JACOBIAN = ("handgrad.calculus.softmax_jacobian(s) -> J", "s: n k simplex", "i=k")
WEIGHTS = (
    "handgrad.calculus.affine_backward(dz, h, W, dW, db) -> _, dW",
    "h: n i; W: i o; dz: n o",
    "",
)

PRINTED = {
    "the sign of the loss": (r"L_n = -t_n \log a_{n0} + (1 - t_n) \log(1 - a_{n0})", LOSS),
    "the index of softmax": (r"s_{nk} = \frac{e^{z}}{\sum_j e^{z}_{j}}", SOFTMAX),
    "the chain rule without its sum": (
        r"\frac{\partial L}{\partial z_{nj}} = "
        r"\frac{\partial L}{\partial s_{nj}} s_{nj} (1 - s_{nj})",
        CHAIN,
    ),
    "h for h_i": (
        r"\frac{\partial L}{\partial W_{io}} = \sum_n \frac{\partial L}{\partial z_{no}} h",
        WEIGHTS,
    ),
    "the derivative of log s": (r"J_{nik} = [i = k] - s_{nk}", JACOBIAN),
}
HOLDS = {
    "the sign of the loss": (r"L_n = -t_n \log a_{n0} - (1 - t_n) \log(1 - a_{n0})", LOSS),
    "the index of softmax": (r"s_{nk} = \frac{e^{z_{nk}}}{\sum_j e^{z_{nj}}}", SOFTMAX),
    "the chain rule without its sum": (
        r"\frac{\partial L}{\partial z_{nj}} = "
        r"\sum_k \frac{\partial L}{\partial s_{nk}} s_{nk} ([k = j] - s_{nj})",
        CHAIN,
    ),
    "h for h_i": (
        r"\frac{\partial L}{\partial W_{io}} = \sum_n \frac{\partial L}{\partial z_{no}} h_{ni}",
        WEIGHTS,
    ),
    "the derivative of log s": (r"J_{nik} = s_{ni} ([i = k] - s_{nk})", JACOBIAN),
}


def fault(latex: str, tie: tuple[str, str, str]) -> str:
    computes, where, sizes = tie
    out = "dW: i o; db: o" if "dW" in computes else ""
    return Formula("errata", latex, computes, where, out=out, sizes=sizes).fault()


@pytest.mark.parametrize("slip", PRINTED)
def test_a_formula_as_printed_is_not_what_is_computed(slip):
    assert fault(*PRINTED[slip]) != ""


@pytest.mark.parametrize("slip", HOLDS)
def test_the_formula_that_holds_is(slip):
    assert fault(*HOLDS[slip]) == ""


# One neuron


def test_the_printed_loss_pays_for_being_wrong():
    """For y = 0 and a = 0.9 log 0.1 = -2.3026, not 2.3026; and descent raises each score."""

    def printed(z, y):
        a = 1 / (1 + np.exp(-z))
        return -y * np.log(a) + (1 - y) * np.log(1 - a)

    assert printed(np.log(9.0), 0) == pytest.approx(-2.302585, abs=1e-6)
    losses, _ = hg.losses.binary_cross_entropy(np.array([[0.9]]), np.array([0]))
    assert losses[0] == pytest.approx(2.302585, abs=1e-6)
    for z, y in itertools.product((-3.0, -0.1, 0.1, 3.0), (0, 1)):
        slope = (printed(z + 1e-6, y) - printed(z - 1e-6, y)) / 2e-6
        assert slope < 0
        a = 1 / (1 + math.exp(-z))
        assert slope == pytest.approx(a - 1 if y else -a)


COSTS = """0.693147 0.136297 0.092398 0.076973 0.067062 0.059735 0.053994 0.049335 0.045456 0.042167
0.039335 0.036868 0.034697 0.032769 0.031045 0.029493 0.028088 0.026810 0.025642 0.024570"""
"""As published, before step 0, 100, …, 1900."""


@pytest.fixture(scope="module")
def photographs() -> Splits:
    return hg.load("airplane-bike")


@pytest.fixture(scope="module")
def neuron(photographs):
    return trained("airplane-bike", photographs)


@needs_data
def test_the_published_costs(neuron, photographs):
    losses = [report.loss for report in neuron.history]
    published = [float(cost) for cost in COSTS.split()]
    apart = [abs(losses[100 * i] - cost) for i, cost in enumerate(published)]
    assert max(apart) == pytest.approx(kept("largest difference from a published cost"), abs=5e-5)
    assert losses[100] == pytest.approx(kept("cost after 100 steps"), abs=5e-5)
    assert published[-1] < published[-2] * 0.96  # still falling by 4 % in a hundred steps
    for rate in (0.005, 0.02):
        other = trained(
            "airplane-bike", photographs, optimizer__learning_rate=rate, training__epochs=101
        )
        cost = other.history[100].loss
        assert cost == pytest.approx(kept(f"cost after 100 steps, rate {rate}"), abs=5e-5)
        assert abs(cost - published[1]) > 5 * apart[1]


@needs_data
def test_the_motorbikes_are_two_short(photographs):
    counts = photographs.train.counts() + photographs.test.counts()
    assert counts.tolist() == [kept("airplanes"), kept("motorbikes")] == [800, 798]
    assert kept("motorbikes") < 750 + 50
    names = photographs.train.file_names + photographs.test.file_names
    assert "Motorbikes/image_0798.jpg" in names
    assert "Motorbikes/image_0799.jpg" not in names


@needs_data
def test_a_neuron_on_unscaled_pixels(neuron, photographs):
    numbers = neuron.network.params[0]
    W, b = numbers.W.astype(float), numbers.b.astype(float)
    pixels, labels = [], []
    for part in (photographs.train, photographs.test):
        pixels.append(part.images.reshape(len(part), -1).astype(float))
        labels.append(part.labels)
    raw, y = np.concatenate(pixels), np.concatenate(labels)
    z, large = (raw / 255 @ W + b)[:, 0], (raw @ W + b)[:, 0]
    changed = np.sum((z > 0) != (large > 0))
    assert changed == kept("images that are answered otherwise at 0..255")
    with np.errstate(all="ignore"):
        a = 1 / (1 + np.exp(-large))
        costs = y * np.log(a) + (1 - y) * np.log(1 - a)
    lost = kept("images whose cost is not a number at 0..255")
    assert np.isnan(costs).sum() == pytest.approx(lost, abs=5)
    scaled = pixels[0] / 255
    assert scaled.mean() == pytest.approx(kept("mean of the scaled pixels"), abs=5e-4)
    assert scaled.std() == pytest.approx(kept("standard deviation of the scaled pixels"), abs=5e-4)


def test_the_cost_of_certainty_is_not_a_number():
    with np.errstate(all="ignore"):
        a = 1 / (1 + np.exp(-np.float64(40)))
        assert a == 1
        assert np.isnan(1 * np.log(a) + 0 * np.log(1 - a))
    losses, _ = hg.losses.sigmoid_cross_entropy(np.array([[40.0]]), np.array([1]))
    assert losses[0] == pytest.approx(math.exp(-40), rel=1e-9)


def test_dividing_the_pixels_is_dividing_the_rate():
    """With x = u/255 and v = w/255, z is the same; ∂L/∂v = 255 ∂L/∂w, so v's rate is η/255²."""
    random = np.random.default_rng(1)
    u, y = random.integers(0, 256, (30, 7)).astype(float), random.integers(0, 2, 30)
    w, v = np.zeros(7), np.zeros(7)
    for _ in range(50):
        w -= 0.01 * (u / 255).T @ (sigmoid(u / 255 @ w) - y)
        v -= 0.01 / 255**2 * u.T @ (sigmoid(u @ v) - y)
    np.testing.assert_allclose(w, 255 * v, rtol=1e-9)


def test_one_offset_serves_all_images():
    """The derivative of the mean loss by one b is Σ dz/m; a b for each image would have dz_n/m."""
    random = np.random.default_rng(2)
    x, y, w, b = random.normal(size=(5, 3)), np.array([0, 1, 1, 0, 1]), random.normal(size=3), 0.3

    def cost(offset):
        losses, _ = hg.losses.sigmoid_cross_entropy((x @ w + offset)[:, None], y)
        return losses.mean()

    slope = (cost(b + 1e-6) - cost(b - 1e-6)) / 2e-6
    dz = sigmoid(x @ w + b) - y
    assert slope == pytest.approx(dz.sum() / 5, rel=1e-6)
    each = [(cost(b + 1e-6 * one) - cost(b - 1e-6 * one)) / 2e-6 for one in np.eye(5)]
    np.testing.assert_allclose(each, dz / 5, rtol=1e-6)
    assert hg.Dense(1).parameters((64, 64, 3))["b"] == (1,)


def test_an_image_array_has_its_height_first():
    from PIL import Image

    array = np.asarray(Image.new("RGB", (640, 480)))
    assert array.shape == (480, 640, 3)
    assert array.flatten().shape == (921_600,)
    train_x = np.zeros((4, 2))
    train_x[:, 1] = np.arange(4)[None]  # a row of one axis more becomes a column of what is there
    assert train_x.tolist() == [[0, 0], [0, 1], [0, 2], [0, 3]]


def test_one_neuron_cannot_tell_the_lines():
    """Three vertical lines are three horizontal ones, so their scores have one sum."""
    lines = hg.load("lines").train
    full = np.all((lines.images == 0) | (lines.images == 1), axis=(1, 2, 3))
    vertical, horizontal = (lines.images[full & (lines.labels == k)] for k in (0, 1))
    assert len(vertical) == len(horizontal) == 3
    np.testing.assert_array_equal(vertical.sum(axis=0), horizontal.sum(axis=0))


# MNIST


def test_three_factors_leave_the_wrong_classes_alone():
    """By differences: the loss falls when a wrong class's score falls; the three factors say 0."""
    z, t = np.log(np.array([[0.2, 0.3, 0.5]])), np.array([0])
    slopes = []
    for one in np.eye(3):
        ahead, behind = (
            hg.losses.softmax_cross_entropy(z + sign * 1e-6 * one, t)[0][0] for sign in (1, -1)
        )
        slopes.append((ahead - behind) / 2e-6)
    np.testing.assert_allclose(slopes, [-0.8, 0.3, 0.5], atol=1e-8)
    s, y = softmax(z)[0], np.eye(3)[0]
    np.testing.assert_allclose(-y / s * s * (1 - s), [-0.8, 0, 0], atol=1e-12)


@pytest.fixture(scope="module")
def digits_by_hand():
    return hg.load("mnist")


@needs_data
def test_a_test_set_that_is_not_scaled(digits_by_hand):
    test = digits_by_hand.test
    network = trained("mnist", digits_by_hand, training__epochs=1).network
    for scale, top in ((255, "1"), (1, "255")):
        scores = network.outputs(test.images.astype(np.float32) / np.float32(scale))
        right = np.mean(scores.argmax(axis=1) == test.labels)
        assert right == pytest.approx(kept(f"MNIST, tested at 0..{top}"), abs=0.003)


@needs_data
def test_offsets_of_zero_do_as_well(digits_by_hand):
    table = with_settings(
        read_recipe("mnist"),
        {
            "training.threads": 1,
            "training.epochs": 1,
            "training.test_each_epoch": False,
            "architecture.0.offsets": {"initial": "zeros"},
            "architecture.2.offsets": {"initial": "zeros"},
        },
    )
    experiment = Experiment(table, splits=digits_by_hand)
    for _ in experiment.train():
        pass
    right = experiment.figures()["test_accuracy"]
    assert right == pytest.approx(kept("MNIST, offsets of zero"), abs=0.003)
    assert abs(right - kept("MNIST, tested at 0..1")) < 0.02


def forward(x, w1, b1, w2, b2):
    """What the post's `forward` returns: four arrays."""
    z1 = x @ w1 + b1
    h = sigmoid(z1)
    z2 = h @ w2 + b2
    return z1, h, z2, softmax(z2)


def test_four_arrays_are_not_one():
    random = np.random.default_rng(3)
    numbers = [random.normal(size=size) for size in ((5, 4), (1, 4), (4, 3), (1, 3))]
    four = forward(random.normal(size=(6, 5)), *numbers)
    with pytest.raises(ValueError, match="inhomogeneous"):
        four - np.zeros((6, 3))
    with pytest.raises(ValueError, match="inhomogeneous"):
        np.argmax(four, axis=1)


def test_the_first_bias_has_one_number_for_each_hidden_neuron():
    with pytest.raises(ValueError, match="broadcast"):
        np.zeros((128, 784)) @ np.zeros(784) + np.zeros(784)
    assert hg.Dense(128).parameters((28, 28, 1)) == {"W": (784, 128), "b": (128,)}


def test_the_repaired_step_is_ours():
    """The post's four gradients, with the fourth result taken, h for a1 and h (1 - h) for σ'."""
    random = np.random.default_rng(4)
    network = hg.Network((hg.Dense(4), hg.Sigmoid(), hg.Dense(3)), (5,), dtype=np.float64)
    network.initialize(random)
    x, t = random.normal(size=(6, 5)), np.array([0, 1, 2, 2, 1, 0])
    first, last = network.params[0], network.params[2]
    _, h, _, y_hat = forward(x, first.W, first.b, last.W, last.b)
    dz2 = y_hat - np.eye(3)[t]
    dz1 = dz2 @ last.W.T * (h * (1 - h))
    gradient = network.gradient()
    scores, memories = network.forward(x)
    _, dz = hg.SoftmaxCrossEntropy()(scores, t)
    network.backward(dz, memories, gradient.views)
    np.testing.assert_allclose(gradient.views[2].W, h.T @ dz2 / 6, atol=1e-14)
    np.testing.assert_allclose(gradient.views[2].b, dz2.sum(axis=0) / 6, atol=1e-14)
    np.testing.assert_allclose(gradient.views[0].W, x.T @ dz1 / 6, atol=1e-14)
    np.testing.assert_allclose(gradient.views[0].b, dz1.sum(axis=0) / 6, atol=1e-14)


def test_cross_entropy_is_no_distance():
    p, q = np.array([0.5, 0.5]), np.array([0.9, 0.1])
    assert -np.sum(p * np.log(p)) == pytest.approx(math.log(2))  # to itself, and not 0
    assert -np.sum(p * np.log(q)) > -np.sum(q * np.log(p)) + 0.1


# Lines


def test_the_gradients_of_the_lines_in_columns():
    """dW2 = dz2 A1ᵀ, dz1 = W2ᵀ dz2 ⊙ R', dW1 = dz1 x0ᵀ, db = dz 1; and what is printed is none."""
    experiment = Experiment(read_recipe("lines"))
    network, lines = experiment.network, hg.load("lines").train
    images, labels = lines.images.swapaxes(1, 2), lines.labels
    first, last = network.params[0], network.params[2]
    W1, b1, W2, b2 = first.W.T, first.b[:, None], last.W.T, last.b[:, None]
    x0 = images.reshape(24, 9).T
    A1 = np.maximum(0, W1 @ x0 + b1)
    A2 = softmax((W2 @ A1 + b2).T).T
    dz2 = A2 - np.eye(2)[labels].T
    dz1 = W2.T @ dz2 * (A1 > 0)
    gradient = network.gradient()
    scores, memories = network.forward(images)
    loss, dz = hg.SoftmaxCrossEntropy(over="sum")(scores, labels)
    network.backward(dz, memories, gradient.views)
    assert loss == pytest.approx(17.3267, abs=5e-5)  # published, for the first values
    np.testing.assert_allclose(gradient.views[2].W, (dz2 @ A1.T).T, atol=1e-12)
    np.testing.assert_allclose(gradient.views[2].b, dz2.sum(axis=1), atol=1e-12)
    np.testing.assert_allclose(gradient.views[0].W, (dz1 @ x0.T).T, atol=1e-12)
    np.testing.assert_allclose(gradient.views[0].b, dz1.sum(axis=1), atol=1e-12)
    db1 = dz1.sum(axis=1, keepdims=True)
    for left, right in ((dz2, A1), (dz2, W2), (db1, x0)):
        with pytest.raises(ValueError, match="mismatch"):
            left @ right
    summed = db1 @ x0.sum(axis=1, keepdims=True).T  # the only product of that shape
    assert np.abs(summed - dz1 @ x0.T).max() > 1


def test_downhill_is_against_the_gradient():
    place = np.array([0.0, 0.0])
    step = 0.01 * descent.himmelblau_gradient(*place)
    height = descent.himmelblau(*place)
    assert descent.himmelblau(*(place - step)) < height < descent.himmelblau(*(place + step))
    np.testing.assert_allclose(descent.himmelblau_gradient(*descent.MAXIMUM), 0, atol=1e-4)


def test_relu_does_not_keep_mean_and_variance():
    """By quadrature over the normal density: 1/√2π, and 1/2 for the square."""
    z, step = np.linspace(-12, 12, 200_001, retstep=True)
    density = np.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    a = relu(z)
    mean, square = np.sum(a * density) * step, np.sum(a * a * density) * step
    assert mean == pytest.approx(1 / math.sqrt(2 * math.pi), abs=1e-6)
    assert square == pytest.approx(0.5, abs=1e-6)
    assert square - mean**2 == pytest.approx(0.341, abs=5e-4)


@needs_data
def test_one_line_has_a_gap():
    test = hg.load("lines").test
    beside = [
        i
        for i, (image, label) in enumerate(zip(test.images[..., 0], test.labels, strict=True))
        if np.count_nonzero(image.any(axis=label)) != 1
    ]
    assert beside == [kept("lines, image that is not as described")] == [14]
    assert test.images[14, :, :, 0].tolist() == [[0, 0, 0], [1, 0, 1], [0, 0.4, 0]]
    assert len(test) == 2 * 3 * 3


# Cats


def test_the_general_step_holds():
    """Section 2.4 in columns, three layers, m = 5: the gradients of J, the mean of the losses."""
    random = np.random.default_rng(5)
    architecture = (hg.Dense(9), hg.ReLU(), hg.Dense(7), hg.ReLU(), hg.Dense(1))
    network = hg.Network(architecture, (6,), dtype=np.float64)
    network.initialize(random)
    x, t, m = random.normal(size=(5, 6)), np.array([0, 1, 1, 0, 1]), 5
    layers = [network.params[i] for i in (0, 2, 4)]
    W, b = [p.W.T for p in layers], [p.b[:, None] for p in layers]
    A, Z = [x.T], []
    for weights, offsets in zip(W, b, strict=True):
        Z.append(weights @ A[-1] + offsets)
        A.append(np.maximum(0, Z[-1]))
    a = 1 / (1 + np.exp(-Z[-1]))
    dZ = [a - t]
    for layer in (1, 0):
        dZ.insert(0, W[layer + 1].T @ dZ[0] * (Z[layer] > 0))
    gradient = network.gradient()
    scores, memories = network.forward(x)
    J, dz = hg.SigmoidCrossEntropy()(scores, t)
    mean = -np.mean(t * np.log(a) + (1 - t) * np.log(1 - a))
    assert pytest.approx(mean) == J
    network.backward(dz, memories, gradient.views)
    for layer, place in enumerate((0, 2, 4)):
        found = gradient.views[place]
        assert np.abs(found.W).max() > 0.01  # not all neurons are off
        np.testing.assert_allclose(found.W, (dZ[layer] @ A[layer].T / m).T, atol=1e-14)
        np.testing.assert_allclose(found.b, dZ[layer].sum(axis=1) / m, atol=1e-14)


@pytest.fixture(scope="module")
def cats() -> Splits:
    return hg.load("cat-vs-noncat")


@needs_data
def test_a_test_image_is_a_training_image(cats):
    parts = [
        [sha256(image.tobytes()).digest() for image in part.images]
        for part in (cats.train, cats.test)
    ]
    pairs = [
        [i, j]
        for (i, one), (j, other) in itertools.product(enumerate(parts[0]), enumerate(parts[1]))
        if one == other
    ]
    assert pairs == kept("cats, equal images (train, test)") == [[146, 17]]
    np.testing.assert_array_equal(cats.train.images[146], cats.test.images[17])
    assert cats.train.labels[146] == cats.test.labels[17] == 1
    assert len(set(parts[0])) == 209  # none twice in the training images


@needs_data
def test_the_sizes_and_the_mixture_of_the_cats(cats):
    assert (len(cats.train), len(cats.test)) == (kept("cats, train"), kept("cats, test"))
    assert cats.train.counts().tolist() == [137, 72]
    assert cats.test.counts()[1] == kept("cats, test images with a cat") == 33


def test_the_interval_of_the_published_accuracy():
    """Wilson's interval, by its equation: |p - 0.82| = 1.96 √(p (1 - p)/50) at both ends."""
    for p in wilson_interval(41, 50):
        assert abs(p - 0.82) == pytest.approx(1.959964 * math.sqrt(p * (1 - p) / 50), rel=1e-6)


@needs_data
def test_the_cost_of_the_cats_rises_at_times(cats):
    """How often depends on the last digits, and those on the machine: about so often."""
    losses = [report.loss for report in trained("cat", cats).history]
    rises = sum(after > before for before, after in itertools.pairwise(losses))
    assert len(losses) == 2500
    assert rises == pytest.approx(kept("cats, steps after which the cost was larger"), rel=0.3)
    assert max(losses[1000:]) > losses[0] > 0.69 > losses[-1] * 50
    assert max(losses[1000:]) == pytest.approx(kept("cats, largest cost after step 1,000"), rel=0.3)
