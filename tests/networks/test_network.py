"""A network: its vector, its two readings, its gradient, and ten steps beside PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

from handgrad.datasets import Batches, Preparation
from handgrad.errors import HandgradError, RecipeError
from handgrad.layers import (
    ELU,
    GELU,
    BatchNorm,
    Dense,
    Dropout,
    Flatten,
    FrozenNorm,
    GroupNorm,
    Identity,
    Layer,
    LeakyReLU,
    ReLU,
    Residual,
    Scale,
    Sigmoid,
    SiLU,
    Softmax,
    Tanh,
    Uniform,
)
from handgrad.losses import CrossEntropy, SoftmaxCrossEntropy
from handgrad.networks import InBatches, Model, Network, layer_rows
from handgrad.optimizers import SGD, AdamW
from handgrad.tables import members
from handgrad.training import by_the_book, fit

SHAPE, CLASSES = (3, 3, 2), 3
WHOLE = (
    Dropout(0.2),
    Flatten(),
    Dense(7, offsets=Uniform(-0.1, 0.1)),
    Sigmoid(),
    BatchNorm(0.1, keep=0.6),  # of one sample it is 0, where the offsets keep ReLU from its kink
    Dense(6, offsets=Uniform(-0.1, 0.1)),
    ReLU(),
    Dropout(0.3),
    Dense(5),
    GELU(),
    FrozenNorm(),
    Dense(6),
    ELU(0.7),
    GroupNorm(0.1, groups=2),
    Dense(5),
    LeakyReLU(0.2),
    Residual((Dense(4), SiLU(), Dropout(0.2), Dense(3)), (Identity(), Dense(3))),
    Dense(6),
    Tanh(),
    Dense(CLASSES, offset=False),
    Scale(0.7),
    Softmax(),
)
"""Every layer that takes a row; the softmax is left away where the loss has it inside."""

FOR_IMAGES = {"convolution", "max-pool", "average-pool", "global-average-pool"}
"""These are in the network of test_convolutional.py."""

SMALL = (Dropout(0.5), Flatten(), Dense(4), ReLU(), Dense(CLASSES))


def test_the_whole_has_every_layer_of_the_package():
    kinds = {n for n, kind in members(Layer).items() if kind.__module__.startswith("handgrad.")}
    found = set(WHOLE)
    for layer in WHOLE:
        found |= {*layer.layers, *layer.shortcut} if isinstance(layer, Residual) else set()
    assert {layer.name for layer in found} == kinds - FOR_IMAGES


def made(architecture, seed=0, dtype=np.float64):
    network = Network(architecture, SHAPE, dtype=dtype)
    network.initialize(np.random.default_rng(seed))
    return network


def batch(n=8):
    generator = np.random.default_rng(1)
    return generator.normal(size=(n, *SHAPE)), generator.integers(CLASSES, size=n)


def pytorch(torch, layer, params, draws, leaves):
    """A layer as a function in PyTorch; adds its leaves, by name and in our order."""
    nn = torch.nn.functional

    def leaf(name):
        leaves.append((name, torch.tensor(getattr(params, name), requires_grad=True)))
        return leaves[-1][1]

    def statistics():
        return torch.tensor(params.mean), torch.tensor(params.variance)

    def through(layers, views):
        functions = [
            pytorch(torch, layer, getattr(views, str(i), None), draws, leaves)
            for i, layer in enumerate(layers)
        ]

        def function(x):
            for each in functions:
                x = each(x)
            return x

        return function

    match layer:
        case Dense():
            W, b = leaf("W"), leaf("b") if layer.offset else 0
            return lambda x: x.reshape(len(x), -1) @ W + b
        case BatchNorm() | FrozenNorm():
            own = (*statistics(), leaf("scale"), leaf("offset"))
            momentum = 1 - layer.keep if isinstance(layer, BatchNorm) else 0.0
            training = isinstance(layer, BatchNorm)
            return lambda x: nn.batch_norm(x, *own, training, momentum, layer.epsilon)
        case GroupNorm():
            own = leaf("scale"), leaf("offset")
            return lambda x: nn.group_norm(x, layer.groups, *own, layer.epsilon)
        case Residual():
            block = through(layer.layers, params.block)
            shortcut = through(layer.shortcut, params.shortcut)
            return lambda x: block(x) + shortcut(x)
        case Dropout():
            kept = torch.tensor(draws.pop(0))
            return lambda x: x * kept / (1 - layer.rate)
        case Flatten():
            return torch.nn.Flatten()
        case Identity():
            return torch.nn.Identity()
        case Scale():
            return lambda x: x * layer.factor
        case ELU():
            return torch.nn.ELU(layer.alpha)
        case LeakyReLU():
            return torch.nn.LeakyReLU(layer.slope)
        case Softmax():
            return torch.nn.Softmax(dim=1)
    names = {"gelu": nn.gelu, "relu": nn.relu, "sigmoid": nn.sigmoid, "silu": nn.silu}
    return (names | {"tanh": nn.tanh})[layer.name]


@pytest.mark.parametrize("loss", [CrossEntropy("sum"), SoftmaxCrossEntropy("mean")], ids=str)
@pytest.mark.parametrize("kind", ["sgd", "adamw"])
def test_ten_training_steps_beside_pytorch(torch, loss, kind):
    """Forward, gradient and weights, from the same first values, batches and draws, to 1e-9."""
    network = made(WHOLE if isinstance(loss, CrossEntropy) else WHOLE[:-1])
    x, labels = batch()
    draws = network.draw(len(x), np.random.default_rng(2))
    named, drawn = [], [array for arrays in draws for array in arrays]
    functions = [
        pytorch(torch, layer, params, drawn, named)
        for layer, params in zip(network.architecture, network.params, strict=True)
    ]
    assert drawn == []
    leaves = [leaf for _, leaf in named]
    ours = {"sgd": SGD(0.05), "adamw": AdamW(0.01, weight_decay=0.1)}[kind]
    theirs = {
        "sgd": lambda: torch.optim.SGD(leaves, 0.05),
        "adamw": lambda: torch.optim.AdamW(
            [  # the decay is for weights, not for offsets and scales
                {"params": [leaf for name, leaf in named if name == "W"], "weight_decay": 0.1},
                {"params": [leaf for name, leaf in named if name != "W"], "weight_decay": 0.0},
            ],
            0.01,
        ),
    }[kind]()
    chain = ours.chain(network.layout)
    state, gradient = chain.start(network.learned), network.gradient()
    for t in range(10):
        value, outputs = by_the_book(network, loss, x, labels, draws, gradient)

        y = torch.tensor(x)
        for function in functions:
            y = function(y)
        scores = y.log() if isinstance(loss, CrossEntropy) else torch.log_softmax(y, dim=1)
        expected = torch.nn.functional.nll_loss(scores, torch.tensor(labels), reduction=loss.over)
        theirs.zero_grad()
        expected.backward()

        np.testing.assert_allclose(outputs, y.detach().numpy(), rtol=1e-9, atol=1e-12)
        assert value == pytest.approx(expected.item(), rel=1e-9)
        flat = np.concatenate([leaf.grad.numpy().ravel() for leaf in leaves])
        np.testing.assert_allclose(gradient.vector, flat, rtol=1e-9, atol=1e-12)

        chain.apply(gradient.vector, state, network.learned, t, 10)
        network.learned[...] -= gradient.vector
        theirs.step()
        flat = np.concatenate([leaf.detach().numpy().ravel() for leaf in leaves])
        np.testing.assert_allclose(network.learned, flat, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("n", [1, 5])
def test_the_whole_gradient_is_the_derivative(n, check_gradients):
    network = made(WHOLE)
    x, _ = batch(n)
    draws = network.draw(n, np.random.default_rng(2))
    gradient = network.gradient()
    outputs, memories = network.forward(x, draws)
    dy = np.random.default_rng(3).normal(size=outputs.shape)
    dx = network.backward_to_input(dy, memories, gradient.views)

    def f(x, learned):
        gathered = network.vector[network.layout.learned :]
        vector = np.concatenate([learned, gathered])
        return Network(network.architecture, SHAPE, vector).forward(x, draws)[0]

    check_gradients(f, [x, network.learned], dy, [dx, gradient.vector])
    halfway = network.gradient()
    network.backward(dy, memories, halfway.views)
    np.testing.assert_array_equal(halfway.vector, gradient.vector)


def test_the_vector_is_what_computes():
    network = made(SMALL)
    # 18·4 + 4 + 4·3 + 3 = 91
    assert network.vector.shape == (91,)
    assert network.shapes == (SHAPE, SHAPE, (18,), (4,), (4,), (3,))
    x, _ = batch()
    network.vector[...] = 0
    network.params[4].b[...] = [1, 2, 3]
    np.testing.assert_array_equal(network.outputs(x), np.tile([1.0, 2.0, 3.0], (8, 1)))
    np.testing.assert_array_equal(network.vector[-3:], [1, 2, 3])


def test_float32_begins_at_the_same_values_rounded():
    np.testing.assert_array_equal(
        made(SMALL, dtype=np.float32).vector, made(SMALL).vector.astype(np.float32)
    )


def test_frozen_it_predicts_without_chance_and_shares_its_vector():
    network, (x, _) = made(SMALL), batch()
    frozen = network.frozen()
    # The places stay, by which the numbers are named.
    names = ["identity", "flatten", "dense", "relu", "dense"]
    assert [layer.name for layer in frozen.architecture] == names
    assert np.shares_memory(frozen.vector, network.vector)
    assert network.random
    assert not frozen.random
    assert frozen.frozen() is frozen
    h = np.maximum(x.reshape(8, -1) @ network.params[2].W + network.params[2].b, 0)
    expected = h @ network.params[4].W + network.params[4].b
    np.testing.assert_allclose(network.outputs(x), expected, rtol=1e-12)
    network.how_outputs = InBatches(at_once=3)
    np.testing.assert_allclose(network.outputs(x), expected, rtol=1e-12)
    assert network.outputs(x[:0]).shape == (0, 3)


def test_what_stands_before_the_first_layer_that_learns_is_not_asked():
    class Unasked(Flatten):
        def backward(self, *_):
            raise AssertionError("asked")

    network = made((Unasked(), Dense(CLASSES)))
    x, labels = batch()
    by_the_book(network, SoftmaxCrossEntropy(), x, labels, None, network.gradient())
    outputs, memories = network.forward(x)
    with pytest.raises(AssertionError, match="asked"):
        network.backward_to_input(outputs, memories, network.gradient().views)


def test_a_network_that_learns_nothing_trains_to_no_effect():
    network = made((Flatten(), Softmax()))
    x, _ = batch()
    reports = fit(
        network, Batches(x, np.zeros(8, np.int64), None, 0), CrossEntropy(), SGD(), epochs=2
    )
    assert len({report.loss for report in reports}) == 1


def test_the_rows_of_its_table():
    rows = layer_rows(made(SMALL, dtype=np.float32))
    assert [row.parameters for row in rows] == [0, 0, 76, 0, 15]
    assert [row.flops for row in rows] == [0, 0, 2 * 18 * 4, 4, 2 * 4 * 3]
    assert [row.bytes for row in rows] == [4 * 18, 4 * 18, 16, 16, 12]
    assert made(SMALL).flops() == 144 + 4 + 24


@pytest.mark.parametrize(
    ("architecture", "vector", "sentence"),
    [
        ((), None, "the architecture has no layer"),
        ((Dense(2),), np.zeros(3), "a vector of 3 numbers; this architecture has 38"),
        ((Softmax(),), None, "a row of scores"),
    ],
)
def test_what_a_network_refuses(architecture, vector, sentence):
    with pytest.raises(RecipeError, match=sentence):
        Network(architecture, SHAPE, vector)


@pytest.mark.parametrize(("weights", "refused"), [((), 0), ((1.0, 2.0, 3.0), 0), ((1.0, 2.0), 1)])
def test_a_model_has_as_many_class_weights_as_classes(weights, refused):
    network, preparation = (
        Network((Dense(3),), (3, 3, 3)),
        Preparation(3, 3, 3, "lanczos", True, "none"),
    )
    loss = SoftmaxCrossEntropy(class_weights=weights)
    if not refused:
        assert Model(network, preparation, ("a", "b", "c"), loss).loss is loss
        return
    with pytest.raises(HandgradError, match="found 2 class weights; expected 3, in the order of a"):
        Model(network, preparation, ("a", "b", "c"), loss)


@pytest.mark.parametrize("images", [0, 1, 3, 10])
def test_several_threads_give_the_same_answers_in_their_order(images):
    network = Network((Dense(4), Tanh(), Dense(3)), (2,), dtype=np.float64)
    network.initialize(np.random.default_rng(0))
    x = np.random.default_rng(1).normal(size=(images, 2))
    alone = network.outputs(x)
    assert alone.shape == (images, 3)
    for at_once in (1, 2, 1000):
        network.how_outputs = InBatches(threads=4, at_once=at_once)
        np.testing.assert_allclose(network.outputs(x), alone, rtol=1e-12)


def test_threads_keep_what_is_asked_of_errors():
    network = Network((Dense(1),), (1,), np.array([1e300, 0]))
    network.how_outputs = InBatches(threads=2)
    with np.errstate(over="ignore"):
        assert np.isinf(network.outputs(np.full((3, 1), 1e300))).all()
    with np.errstate(over="raise"), pytest.raises(FloatingPointError):
        network.outputs(np.full((3, 1), 1e300))
