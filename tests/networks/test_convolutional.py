"""A batch-normalized residual convolutional network beside the same one in PyTorch's modules."""

from __future__ import annotations

import numpy as np
import pytest

from handgrad.datasets import Batches, Preparation
from handgrad.layers import (
    GELU,
    AveragePool,
    BatchNorm,
    Convolution,
    Dense,
    Dropout,
    FrozenNorm,
    GlobalAveragePool,
    Layer,
    MaxPool,
    ReLU,
    Residual,
    SiLU,
)
from handgrad.losses import SoftmaxCrossEntropy
from handgrad.networks import InBatches, Model, Network
from handgrad.optimizers import SGD, Nesterov, OneCycle
from handgrad.storage import load_model, save_model
from handgrad.training import by_the_book, fit

SHAPE, CLASSES, N = (11, 10, 3), 4, 6
ARCHITECTURE: tuple[Layer, ...] = (
    Convolution(4, offset=False),
    BatchNorm(keep=0.6),
    ReLU(),
    Residual(
        (
            Convolution(4, offset=False),
            BatchNorm(),
            ReLU(),
            Convolution(4, (1, 1), offset=False),
            BatchNorm(scale=False, epsilon=1e-12),
        )
    ),
    ReLU(),
    MaxPool(2),  # 11x10 to 5x5
    Residual(
        (Convolution(6, stride=2), BatchNorm(), SiLU(), Dropout(0.2)),  # to 3x3
        (Convolution(6, (1, 1), stride=2, offset=False), BatchNorm(keep=0.8)),
    ),
    GELU(),
    AveragePool(2, 1),
    GlobalAveragePool(),
    Dense(CLASSES),
)
LOSS = SoftmaxCrossEntropy(smoothing=0.2)


def made(dtype=np.float64):
    network = Network(ARCHITECTURE, SHAPE, dtype=dtype)
    network.initialize(np.random.default_rng(0))
    return network


def batch(t=0, n=N):
    generator = np.random.default_rng([1, t])
    return generator.normal(0.5, 2.0, size=(n, *SHAPE)), generator.integers(CLASSES, size=n)


def modules(torch):
    """The network in PyTorch's own modules, in whose names and places its numbers are found."""
    nn = torch.nn

    class Kept(nn.Module):
        """Dropout by a given mask."""

        mask = None

        def forward(self, x):
            return x * self.mask / 0.8 if self.training else x

    class Block(nn.Module):
        def __init__(self, block, shortcut):
            super().__init__()
            self.block, self.shortcut = nn.Sequential(*block), nn.Sequential(*shortcut)

        def forward(self, x):
            return self.block(x) + self.shortcut(x)

    def norm(channels, momentum=0.1, **settings):
        return nn.BatchNorm2d(channels, momentum=momentum, **settings)

    kept = Kept()
    whole = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1, bias=False),
        norm(4, 1 - 0.6),
        nn.ReLU(),
        Block(
            [
                nn.Conv2d(4, 4, 3, padding=1, bias=False),
                norm(4),
                nn.ReLU(),
                nn.Conv2d(4, 4, 1, bias=False),
                norm(4, eps=1e-12),  # its weight stays 1
            ],
            [],
        ),
        nn.ReLU(),
        nn.MaxPool2d(2),
        Block(
            [nn.Conv2d(4, 6, 3, stride=2, padding=1), norm(6), nn.SiLU(), kept],
            [nn.Conv2d(4, 6, 1, stride=2, bias=False), norm(6, 1 - 0.8)],
        ),
        nn.GELU(),
        nn.AvgPool2d(2, stride=1),
        nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        nn.Linear(6, CLASSES),
    ).double()
    whole[3].block[4].weight.requires_grad_(False)
    return whole, kept


WORDS = {"W": "weight", "b": "bias", "scale": "weight", "offset": "bias"}
WORDS |= {"mean": "running_mean", "variance": "running_var"}


def turned(array):
    """(KH, KW, C, O) to PyTorch's (O, C, KH, KW), and (I, O) to (O, I)."""
    return {4: lambda: array.transpose(3, 2, 0, 1), 2: lambda: array.T}.get(
        array.ndim, lambda: array
    )()


def pairs(layout, vector, twin, what="data"):
    """Our numbers, in PyTorch's order of axes, beside its own: name by name."""
    theirs = dict(twin.named_parameters()) | dict(twin.named_buffers())
    for name, slot in layout.slots.items():
        if slot.stop <= vector.size:
            place, _, word = name.rpartition(".")
            yield turned(slot.of(vector)), getattr(theirs[f"{place}.{WORDS[word]}"], what)


def twin_of(torch, network):
    twin, kept = modules(torch)
    for ours, theirs in pairs(network.layout, network.vector, twin):
        assert ours.shape == tuple(theirs.shape)
        theirs.copy_(torch.tensor(ours.copy()))
    return twin, kept


def agree(pairs):
    for ours, theirs in pairs:
        np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-9, atol=1e-12)


def test_ten_training_steps_beside_pytorch(torch):
    """Outputs, loss, gradients, weights and running statistics, and what it predicts, to 1e-9."""
    network = made()
    twin, kept = twin_of(torch, network)
    learned = [parameter for parameter in twin.parameters() if parameter.requires_grad]
    theirs = torch.optim.SGD(learned, lr=0.05, momentum=0.85, nesterov=True)
    chain = Nesterov(0.05, beta=0.85).chain(network.layout)
    state, gradient = chain.start(network.learned), network.gradient()
    for t in range(10):
        x, labels = batch(t)
        draws = network.draw(N, np.random.default_rng(t))
        value, outputs = by_the_book(network, LOSS, x, labels, draws, gradient)

        (mask,) = draws[6]
        kept.mask = torch.tensor(mask).permute(0, 3, 1, 2)
        y = twin(torch.tensor(x).permute(0, 3, 1, 2))
        expected = torch.nn.functional.cross_entropy(y, torch.tensor(labels), label_smoothing=0.2)
        theirs.zero_grad()
        expected.backward()

        np.testing.assert_allclose(outputs, y.detach().numpy(), rtol=1e-9, atol=1e-12)
        assert value == pytest.approx(expected.item(), rel=1e-9)
        agree(pairs(network.layout, gradient.vector, twin, "grad"))
        chain.apply(gradient.vector, state, network.learned, t, 10)
        network.learned[...] -= gradient.vector
        theirs.step()
        agree(pairs(network.layout, network.vector, twin))

    x, _ = batch(99, 5)
    twin.eval()
    with torch.no_grad():
        y = twin(torch.tensor(x).permute(0, 3, 1, 2)).numpy()
    np.testing.assert_allclose(network.outputs(x), y, rtol=1e-9, atol=1e-12)
    network.how_outputs = InBatches(at_once=2)
    np.testing.assert_allclose(network.outputs(x), y, rtol=1e-9, atol=1e-12)


def test_a_training_step_is_not_what_it_predicts():
    """Without this the test above could not tell a running mean from that of the batch."""
    network, (x, _) = made(), batch()
    draws = network.draw(N, np.random.default_rng(0))
    assert abs(network.forward(x, draws)[0] - network.outputs(x)).max() > 0.1


def test_the_whole_gradient_is_the_derivative(check_gradients):
    network, (x, _) = made(), batch(n=3)
    draws, gradient = network.draw(3, np.random.default_rng(2)), network.gradient()
    outputs, memories = network.forward(x, draws)
    dy = np.random.default_rng(3).normal(size=outputs.shape)
    dx = network.backward_to_input(dy, memories, gradient.views)
    gathered = network.vector[network.layout.learned :].copy()

    def f(x, learned):
        vector = np.concatenate([learned, gathered])
        return Network(ARCHITECTURE, SHAPE, vector).forward(x, draws)[0]

    check_gradients(f, [x, network.learned], dy, [dx, gradient.vector], h=1e-6)
    np.testing.assert_array_equal(network.vector[network.layout.learned :], gathered)
    halfway = network.gradient()
    network.backward(dy, memories, halfway.views)
    np.testing.assert_array_equal(halfway.vector, gradient.vector)


def trained(dtype=np.float32, seed=0):
    network = made(dtype)
    x, labels = batch(n=20)
    reports = fit(
        network, Batches(x.astype(dtype), labels, 8, seed), LOSS, SGD(0.02), epochs=2, seed=seed
    )
    return network, list(reports)


def test_statistics_are_gathered_once_a_step_and_never_learned():
    """The running statistics of the first layer's output, written out, step by step."""
    network, reports = trained(np.float64)
    assert reports[-1].step == 6
    norm = network.params[1]
    twin, means, variances = made(), np.zeros(4), np.ones(4)
    x, labels = batch(n=20)
    batches, gradient = Batches(x, labels, 8, 0), twin.gradient()

    def watched(network, loss, x, labels, draws, gradient):
        y, _ = network.architecture[0].forward(x, network.params[0])
        means[...] = 0.6 * means + 0.4 * y.mean(axis=(0, 1, 2))
        variances[...] = 0.6 * variances + 0.4 * y.reshape(-1, 4).var(axis=0, ddof=1)
        return by_the_book(network, loss, x, labels, draws, gradient)

    list(fit(twin, batches, LOSS, SGD(0.02), epochs=2, gradient=watched))
    np.testing.assert_array_equal(twin.vector, network.vector)
    np.testing.assert_allclose(norm.mean, means, rtol=1e-12)
    np.testing.assert_allclose(norm.variance, variances, rtol=1e-12)
    assert gradient.vector.size == network.layout.learned < network.vector.size


def test_the_same_seed_gives_the_same_bits():
    (one, first), (two, second), (three, _) = trained(), trained(), trained(seed=1)
    assert one.vector.tobytes() == two.vector.tobytes() != three.vector.tobytes()
    assert first == second
    assert one.vector.dtype == np.float32


def test_to_be_asked_changes_nothing():
    network, _ = trained()
    before = network.vector.copy()
    x, labels = batch(5)
    network.outputs(x.astype(np.float32))
    network.forward(x.astype(np.float32), network.draw(N, np.random.default_rng(0)))
    np.testing.assert_array_equal(network.vector, before)
    watched = {"validation": (x.astype(np.float32), labels)}
    plain, other = made(np.float32), made(np.float32)
    data = Batches(x.astype(np.float32), labels, 4, 0)
    list(fit(plain, data, LOSS, SGD(0.02), epochs=1))
    list(fit(other, data, LOSS, SGD(0.02), epochs=1, watched=watched))
    np.testing.assert_array_equal(plain.vector, other.vector)


def test_frozen_it_shares_its_vector():
    network, _ = trained()
    frozen = network.frozen()
    assert np.shares_memory(frozen.vector, network.vector)
    assert frozen.layout.slots == network.layout.slots
    assert isinstance(frozen.architecture[1], FrozenNorm)
    assert not frozen.random
    assert frozen.frozen() is frozen
    network.params[1].mean += 1
    assert (frozen.params[1].mean == network.params[1].mean).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_saved_it_keeps_what_it_gathered(tmp_path, dtype):
    network, _ = trained(dtype)
    preparation = Preparation(11, 10, 3, "lanczos", True, "none", (0.1, 0.2, 0.3), (1.0, 2.0, 3.0))
    before = Model(network, preparation, tuple("abcd"), LOSS, {})
    save_model(before, tmp_path / "model")
    after = load_model(tmp_path / "model")
    assert after.network.architecture == ARCHITECTURE
    assert after.network.vector.tobytes() == network.vector.tobytes()
    statistics = after.network.params[6].shortcut.__dict__["1"]
    assert (statistics.mean != 0).all()
    assert (statistics.variance != 1).all()
    images = np.random.default_rng(0).integers(0, 256, size=(3, *SHAPE), dtype=np.uint8)
    np.testing.assert_array_equal(after.probabilities(images), before.probabilities(images))


def test_it_learns_by_heart():
    """Twelve images of noise, each with one of four labels: there is no other way to be right."""
    network = made(np.float32)
    x, labels = batch(n=12)
    data = Batches(x.astype(np.float32), labels, 6, 0)
    optimizer = Nesterov(0.05, OneCycle())
    *_, report = fit(network, data, SoftmaxCrossEntropy(), optimizer, epochs=60)
    assert (network.outputs(x.astype(np.float32)).argmax(axis=1) == labels).all()
    assert report.loss < 0.5
