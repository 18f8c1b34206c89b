"""A plan computes what the layers compute one after another, to rounding."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from handgrad.datasets import Batches
from handgrad.experiments import read_recipe, recipe_names
from handgrad.experiments.recipe import Recipe
from handgrad.layers import (
    ELU,
    GELU,
    AveragePool,
    BatchNorm,
    Convolution,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePool,
    GroupNorm,
    Identity,
    Layer,
    LeakyReLU,
    MaxPool,
    ReLU,
    Residual,
    Sigmoid,
    SiLU,
    Softmax,
    Tanh,
)
from handgrad.losses import CrossEntropy, SoftmaxCrossEntropy
from handgrad.networks import Network
from handgrad.optimizers import Momentum
from handgrad.parallel import Shards
from handgrad.plans import Plan, Planned, Through, is_planned, together, ways
from handgrad.training import by_the_book, fit

K = 3


class Strange(Layer):
    """A layer that no planner knows, and that mixes its batch."""

    name = "strange"

    def forward(self, x, params):
        return x - x.mean(axis=0), None

    def backward(self, dy, memory, params, grads):
        return dy - dy.mean(axis=0)


def convolutional(*between):
    return (Convolution(8), ReLU(), *between, Convolution(12), ReLU(), MaxPool(), Dense(K))


NETWORKS = {
    "the bench's step": (
        Convolution(8), ReLU(), Convolution(8), ReLU(), MaxPool(),
        Convolution(16), ReLU(), Convolution(16), ReLU(), MaxPool(), Dense(16), ReLU(), Dense(K),
    ),
    "batch normalization": (
        Convolution(8, (2, 2), padding="valid"), GELU(),
        Convolution(8, offset=False), MaxPool(), BatchNorm(1e-3, scale=False, keep=0.6), GELU(),
        Convolution(16, offset=False), BatchNorm(keep=0.6), GELU(), MaxPool(3), Dense(K),
    ),
    "normalization, then convolution": (
        Convolution(8, offset=False), BatchNorm(offset=False), Convolution(8), BatchNorm(),
        BatchNorm(scale=False), ReLU(), Convolution(8), Dense(K), BatchNorm(),
    ),
    "normalization without parameters": (
        Convolution(8), BatchNorm(scale=False, offset=False), ReLU(), Convolution(8), Dense(K),
    ),
    "normalization first": (BatchNorm(), Convolution(8), ReLU(), Convolution(8), Dense(K)),
    "normalization before all else that learns": (
        Identity(), BatchNorm(), Convolution(8), ReLU(), Convolution(8), Dense(K),
    ),
    "valid, and sizes that do not divide": (
        Convolution(8, padding="valid"), ReLU(), Convolution(9, padding="valid"), ReLU(),
        MaxPool(), Convolution(10), Dense(K),
    ),
    "one convolution after another": (
        Convolution(8), Convolution(8), Convolution(8), Convolution(8), Dense(K),
    ),
    "padding of its own": convolutional(Convolution(8, padding=((3, 2), (0, 1)))),
    "first by tiles": (Identity(), Convolution(8), ReLU(), Dense(K)),
    "other kernels": convolutional(Convolution(8, (5, 5)), Convolution(8, (1, 1))),
    "strides and dilation": convolutional(
        Convolution(8, stride=2), ReLU(), Convolution(8, dilation=2)
    ),
    "other poolings": convolutional(MaxPool(3, 2), Convolution(8), AveragePool(2, 1)),
    "the largest of windows that leave something over": convolutional(MaxPool(3)),
    "dropout": (
        Convolution(8), Dropout(0.3), ReLU(), Convolution(8), Dropout(0.4), Flatten(),
        Dropout(0.2), Dense(K),
    ),
    "every activation": convolutional(
        ELU(), LeakyReLU(), SiLU(), Tanh(), Convolution(8), Sigmoid(), Identity(), GELU(),
    ),
    "convolution, pooling, activation": (
        Convolution(8), MaxPool(), ReLU(), Convolution(8), GlobalAveragePool(), Tanh(), Dense(K),
    ),
    "activation first": (ReLU(), Convolution(8), MaxPool(), ReLU(), Convolution(8), Dense(K)),
    "residual blocks": (
        Convolution(8), BatchNorm(), ReLU(),
        Residual((Convolution(8), BatchNorm(), ReLU(), Dropout(0.2), Convolution(8))),
        Convolution(8), BatchNorm(), ReLU(), Dense(K),
    ),
    "groups, and the unknown": convolutional(
        GroupNorm(groups=2), Strange(), Convolution(8), Strange()
    ),
    "the unknown last": (Convolution(8), ReLU(), Convolution(8), Dense(K), Strange()),
    "softmax last": (Convolution(8), ReLU(), Convolution(8), Dense(K), Softmax()),
    "flattened": (Convolution(8), ReLU(), MaxPool(), Convolution(8), ReLU(), Flatten(), Dense(K)),
    "nothing to plan": (Convolution(4), ReLU(), Dense(K)),
}  # fmt: skip

SHAPES = {
    "normalization before all else that learns": (8, 8, 8),
    "first by tiles": (9, 8, 9),
    "normalization first": (8, 8, 8),
    "activation first": (8, 8, 8),
}


def made(name, dtype=np.float64):
    network = Network(NETWORKS[name], SHAPES.get(name, (13, 12, 3)), dtype=dtype)
    generator = np.random.default_rng(1)
    network.initialize(generator)
    network.learned[...] += 0.1 * generator.standard_normal(network.layout.learned)
    return network


def computed(how, network, loss, n, seed=5):
    generator = np.random.default_rng(seed)
    x = generator.normal(0.3, 1, size=(n, *network.shapes[0])).astype(network.dtype)
    draws, gradient = network.draw(n, generator), network.gradient()
    gradient.vector[...] = np.nan
    value, outputs = how(network, loss, x, np.arange(n) % K, draws, gradient)
    return value, outputs, gradient.vector, network.vector


def agree(found, expected, precision):
    """Loss, outputs, gradient, and the vector with its running statistics."""
    for ours, true in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, true, rtol=precision, atol=precision * np.abs(true).max())


def loss_for(name):
    return CrossEntropy() if name == "softmax last" else SoftmaxCrossEntropy()


@pytest.mark.parametrize("shards", [1, 2])
@pytest.mark.parametrize("name", NETWORKS)
def test_a_plan_computes_what_the_book_says(name, shards):
    if shards > 1 and "unknown" in name:
        pytest.skip("it has no part in the sums over shards, by the book neither")
    loss, planned = loss_for(name), Planned()
    how = planned if shards == 1 else Shards(2, planned)
    for n in (35, 6):  # more than go together, and less
        agree(computed(how, made(name), loss, n), computed(by_the_book, made(name), loss, n), 1e-9)


@pytest.mark.parametrize("name", NETWORKS)
def test_and_all_at_a_time(name, monkeypatch):
    monkeypatch.setattr("handgrad.plans.step.MAPS", 1 << 25)
    monkeypatch.setattr("handgrad.kernels.calls.BLOCK", 1 << 12)  # and so in many blocks
    loss = loss_for(name)
    found = computed(Planned(), made(name), loss, 35)
    agree(found, computed(by_the_book, made(name), loss, 35), 1e-9)


@pytest.mark.parametrize("name", ["the bench's step", "batch normalization", "every activation"])
def test_in_float32_it_agrees_to_its_precision(name):
    loss = loss_for(name)
    exact = computed(by_the_book, made(name), loss, 19)
    network = made(name, np.float32)
    network.vector[...] = made(name).vector
    agree(computed(Planned(), network, loss, 19), exact, 1e-3)
    found = computed(Planned(), network, loss, 19)[2]
    assert np.linalg.norm(found - exact[2]) < 1e-4 * np.linalg.norm(exact[2])


@pytest.mark.parametrize(
    "loss",
    [
        SoftmaxCrossEntropy(over="sum", penalty=0.3),
        SoftmaxCrossEntropy(class_weights=(1.0, 2.0, 0.5), penalty=0.1, smoothing=0.2),
    ],
    ids=["sum", "weighted"],
)
@pytest.mark.parametrize("shards", [1, 2])
def test_whatever_the_loss(loss, shards):
    name = "batch normalization"
    how = Planned() if shards == 1 else Shards(2, Planned())
    agree(computed(how, made(name), loss, 11), computed(by_the_book, made(name), loss, 11), 1e-9)


def test_one_plan_serves_one_batch_after_another():
    """Nothing of a batch is left in the next: not its sums, not its draws, not its borders."""
    for name in ("dropout", "batch normalization", "valid, and sizes that do not divide"):
        planned, network, book = Planned(), made(name), made(name)
        for seed in range(3):
            found = computed(planned, network, SoftmaxCrossEntropy(), 10, seed)
            agree(found, computed(by_the_book, book, SoftmaxCrossEntropy(), 10, seed), 1e-9)


def test_the_outputs_are_the_callers_own():
    planned, network = Planned(), made("the bench's step")
    _, outputs, _, _ = computed(planned, network, SoftmaxCrossEntropy(), 5)
    kept = outputs.copy()
    computed(planned, network, SoftmaxCrossEntropy(), 5, seed=6)
    np.testing.assert_array_equal(outputs, kept)


def test_the_same_plan_gives_the_same_bits():
    how, name = Shards(2, Planned()), "batch normalization"
    first = computed(how, made(name, np.float32), SoftmaxCrossEntropy(), 31)
    for _ in range(3):
        again = computed(how, made(name, np.float32), SoftmaxCrossEntropy(), 31)
        for one, other in zip(first, again, strict=True):
            np.testing.assert_array_equal(other, one)


@pytest.mark.parametrize("shards", [1, 2])
def test_a_training_ends_where_that_by_the_book_does(shards):
    """The recipe mnist-cnn on smaller images; the last batch of an epoch is smaller."""
    architecture = Recipe.of(read_recipe("mnist-cnn"), classes=10).architecture
    ends = []
    planned = Planned()
    for how in (by_the_book, planned if shards == 1 else Shards(2, planned)):
        network = Network(architecture, (24, 24, 1), dtype=np.float64)
        network.initialize(np.random.default_rng(0))
        x = np.random.default_rng(1).random((40, 24, 24, 1))
        batches = Batches(x, np.arange(40) % 10, batch_size=16, seed=0)
        for _ in fit(network, batches, SoftmaxCrossEntropy(), Momentum(), epochs=2, gradient=how):
            pass
        ends.append(network.vector)
    np.testing.assert_allclose(ends[1], ends[0], rtol=1e-6, atol=1e-8)


CONVOLUTIONAL = [
    name
    for name in recipe_names()
    if read_recipe(name)["architecture"][0]["layer"] == "convolution"
]


@pytest.mark.parametrize("name", CONVOLUTIONAL)
def test_every_convolutional_recipe(name):
    """On images of another size than the recipe's, so that tiles are left over."""
    architecture = Recipe.of(read_recipe(name), classes=10).architecture
    vector, found = np.random.default_rng(0).normal(0, 0.1, 10**7), []
    for how in (by_the_book, Planned()):
        network = Network(architecture, (34, 33, 3), dtype=np.float64)
        network.vector[...] = vector[: network.vector.size]
        found.append(computed(how, network, SoftmaxCrossEntropy(), 4))
    assert is_planned(network)
    agree(found[1], found[0], 1e-8)


@pytest.mark.parametrize("shards", [1, 2])
@pytest.mark.parametrize(
    "layers",
    [
        (Convolution(8),),
        (Convolution(8), ReLU(), MaxPool()),
        (Convolution(8, stride=2), Convolution(8), ReLU()),
        (Convolution(8), GroupNorm()),
        (Dense(5), Tanh()),
    ],
)
def test_forward_and_back_between_given_gradients(layers, shards):
    network = Network(layers, (9, 10, 8), dtype=np.float64)
    network.initialize(np.random.default_rng(0))
    draw = np.random.default_rng(1).standard_normal
    x, dy = draw((11, 9, 10, 8)), draw((11, *network.shapes[-1]))
    expected, gradient = network.gradient(), network.gradient()
    y, memories = network.forward(x)
    dx = network.backward_to_input(dy, memories, expected.views)
    found = Through(network, shards)(x, dy, gradient)
    agree((*found, gradient.vector), (y, dx, expected.vector), 1e-12)


def test_small_maps_go_more_at_a_time_in_multiples():
    """So many that there are 128 tiles, as many as channels, or at most 128 samples."""
    layers = [Convolution(8), BatchNorm(), ReLU(), MaxPool()] * 4
    plan = Plan(Network((*layers, Dense(K)), (32, 32, 8)), SoftmaxCrossEntropy(), 100)
    assert [part.few for part in plan.parts] == [8, 8, 32, 128, 128]


@pytest.mark.parametrize(("kib", "few"), [(0, 8), (256, 8), (600, 16), (1024, 32), (9999, 128)])
def test_so_many_go_at_a_time_as_their_maps_leave_room_for(monkeypatch, kib, few):
    """A map of 32x32x8 numbers of 4 bytes has 32 KiB."""
    monkeypatch.setattr("handgrad.plans.step.MAPS", kib * 1024)
    network = Network((Convolution(8), ReLU(), Dense(K)), (32, 32, 8))
    assert together(network, 200) == few
    assert together(network, 20) == min(few, 20)


def test_each_layer_has_its_way():
    assert ways(made("batch normalization", np.float32)) == (
        "patches", "gelu", "tiles", "pooling", "moments", "gelu", "tiles", "moments", "gelu",
        "pooling", "dense",
    )  # fmt: skip
    assert ways(made("strides and dilation")) == (
        "book", "book", "book", "book", "book", "tiles", "relu", "pooling", "dense",
    )  # fmt: skip
    assert ways(made("groups, and the unknown"))[:6] == (
        "book", "book", "book", "book", "tiles", "book",
    )  # fmt: skip
    assert set(ways(made("nothing to plan"))) == {"book"}
    assert ways(made("normalization first"))[:2] == ("book", "tiles")


def test_ways_agree_with_the_plan_whatever_is_wanted_of_the_images():
    network = Network((Convolution(8), ReLU(), Convolution(8)), (8, 8, 3))
    assert ways(network)[0] == "patches"
    assert ways(network, to_input=True)[0] == "book"


@pytest.fixture
def made_plans(monkeypatch):
    """For which network, loss and batch size plans were made."""
    seen = []

    class Noted(Plan):
        def __init__(self, *key):
            seen.append(key)
            super().__init__(*key)

    monkeypatch.setattr("handgrad.plans.planned.Plan", Noted)
    return seen


def test_a_plan_is_made_once_for_a_network_a_loss_and_a_batch_size(made_plans):
    planned, loss, other = Planned(), SoftmaxCrossEntropy(), SoftmaxCrossEntropy(smoothing=0.1)
    networks = made("the bench's step"), made("the bench's step")
    networks[1].vector[...] *= 0.9
    for _ in range(2):
        for network, which, n in (
            (networks[0], loss, 6), (networks[0], loss, 4), (networks[0], other, 6),
            (networks[1], loss, 6),
        ):  # fmt: skip
            found = computed(planned, network, which, n)
            agree(found, computed(by_the_book, network, which, n), 1e-9)
    assert len(made_plans) == 4


def test_shards_keep_their_plans_whichever_thread_takes_them(made_plans):
    how, network = Shards(2, Planned()), made("the bench's step")
    for seed in range(8):
        computed(how, network, SoftmaxCrossEntropy(), 8, seed)
    assert len(made_plans) == 2


def test_threads_do_not_compute_in_one_plan_at_once():
    planned, network, loss = Planned(), made("the bench's step"), SoftmaxCrossEntropy()
    expected = [computed(by_the_book, network, loss, 24, seed) for seed in range(3)]
    with ThreadPoolExecutor(3) as pool:
        for _ in range(4):
            found = pool.map(lambda seed: computed(planned, network, loss, 24, seed), range(3))
            for ours, true in zip(found, expected, strict=True):
                agree(ours, true, 1e-9)


def test_a_plan_that_failed_is_not_used_again(made_plans):
    planned, network, loss = Planned(), made("the unknown last"), SoftmaxCrossEntropy()
    computed(planned, network, loss, 4)
    with pytest.raises(IndexError):
        planned(network, loss, np.zeros((4, 13, 12, 3)), np.full(4, K), None, network.gradient())
    computed(planned, network, loss, 4)
    assert len(made_plans) == 2
