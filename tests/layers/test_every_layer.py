"""Every layer found in the package: derivatives, promises, and PyTorch as an oracle."""

from __future__ import annotations

import math

import numpy as np
import pytest

from handgrad.arrays import Layout
from handgrad.layers import (
    ELU,
    GELU,
    AveragePool,
    BatchNorm,
    Convolution,
    Dense,
    Dropout,
    Flatten,
    FrozenNorm,
    GlobalAveragePool,
    GroupNorm,
    Identity,
    Layer,
    LeakyReLU,
    MaxPool,
    ReLU,
    Residual,
    Scale,
    Sigmoid,
    SiLU,
    Softmax,
    Tanh,
)
from handgrad.tables import from_table, members, to_table

ANY = [(1,), (5,), (2, 3, 1), (3, 1, 2)]
IMAGES = [(1, 1, 1), (1, 4, 3), (5, 4, 1), (4, 7, 2)]

PLACED = [
    # The layer, and images on which something is odd about it.
    (Convolution(3), IMAGES),
    (Convolution(1, (1, 1)), IMAGES),
    (Convolution(2, offset=False), [(5, 4, 3)]),
    (Convolution(2, (5, 4)), [(3, 2, 1)]),  # larger than the image, whose zeros make up for it
    (Convolution(2, (2, 3), padding="valid"), [(2, 3, 2), (5, 4, 1)]),  # as large as the image
    (Convolution(2, (3, 3), stride=2), [(1, 1, 1), (5, 6, 2), (4, 7, 1)]),
    (Convolution(2, (3, 2), stride=3), [(7, 6, 2)]),
    (Convolution(2, (2, 2), stride=3, padding="valid"), [(7, 6, 1)]),  # pixels between windows
    (Convolution(2, (3, 2), stride=2, padding=((1, 0), (2, 1))), [(4, 5, 2)]),
    (Convolution(2, (1, 1), padding=((2, 1), (0, 3))), [(2, 1, 1)]),  # windows on zeros alone
    (Convolution(2, (3, 3), dilation=2), [(7, 4, 2)]),
    (Convolution(2, (3, 2), dilation=2, padding="valid"), [(5, 3, 1)]),  # spans 5x3
    (Convolution(2, (3, 2), stride=2, dilation=2, offset=False), [(7, 6, 1)]),
]
POOLED = [
    ((2, 0), [(2, 2, 1), (5, 4, 2), (7, 3, 1)]),
    ((3, 1), [(3, 3, 1), (5, 4, 2)]),
    ((3, 2), [(7, 6, 1)]),
    ((2, 3), [(7, 5, 2)]),  # pixels between windows
    ((1, 0), [(1, 3, 2)]),
]
WANTED = [{"scale": s, "offset": o} for s in (True, False) for o in (True, False)]
RESIDUALS = [
    (Residual((Tanh(),)), ANY),
    (Residual((Dense(4), GELU(), Dense(3)), (Dense(3),)), [(1,), (5,)]),
    (Residual((Dropout(0.3), Tanh()), (Dropout(0.5), Dropout(0.4), Tanh())), [(5,), (2, 3, 1)]),
    (Residual((Convolution(2, offset=False), BatchNorm(), SiLU())), [(4, 3, 2)]),
    (
        Residual(
            (Convolution(3, stride=2), BatchNorm(keep=0.6), Tanh()),
            (Convolution(3, (1, 1), stride=2, offset=False), BatchNorm(scale=False)),
        ),
        [(5, 3, 1)],
    ),
    (Residual((Residual((Dense(5), Dropout(0.3))), ReLU(), Residual((Tanh(),)))), [(5,)]),
    (Residual((Residual((Dropout(0.3),), (Dropout(0.5),)), Tanh(), Dropout(0.4))), [(5,)]),
]
CASES = {
    "average-pool": [(AveragePool(*sizes), s) for sizes, shapes in POOLED for s in shapes],
    "batch-norm": [
        *((BatchNorm(0.1, **wanted), (2, 3, 4)) for wanted in WANTED),
        *((BatchNorm(0.1, keep=0.6), shape) for shape in ANY),
    ],
    "convolution": [(layer, shape) for layer, shapes in PLACED for shape in shapes],
    "dense": [
        *((Dense(units), shape) for units in (1, 4) for shape in ANY),
        (Dense(3, offset=False), (2, 3, 1)),
    ],
    "dropout": [(Dropout(rate), shape) for rate in (0.0, 0.3) for shape in ANY],
    "elu": [(ELU(1.7), shape) for shape in ANY],
    "flatten": [(Flatten(), shape) for shape in ANY],
    "frozen-norm": [
        *((FrozenNorm(0.1, **wanted), (2, 3, 4)) for wanted in WANTED),
        *((FrozenNorm(), shape) for shape in ANY),
    ],
    "gelu": [(GELU(), shape) for shape in ANY],
    "global-average-pool": [(GlobalAveragePool(), shape) for shape in IMAGES],
    "group-norm": [
        *((GroupNorm(0.1, groups=2, **wanted), (2, 3, 6)) for wanted in WANTED),
        *((GroupNorm(0.1, groups=g), shape) for g in (1, 3, 6) for shape in [(6,), (1, 2, 6)]),
        *((GroupNorm(0.1), shape) for shape in ANY),
    ],
    "identity": [(Identity(), shape) for shape in ANY],
    "leaky-relu": [(LeakyReLU(0.3), shape) for shape in ANY],
    "max-pool": [(MaxPool(*sizes), s) for sizes, shapes in POOLED for s in shapes],
    "relu": [(ReLU(), shape) for shape in ANY],
    "residual": [(layer, shape) for layer, shapes in RESIDUALS for shape in shapes],
    "scale": [(Scale(factor), shape) for factor in (1 / 9, -2.0) for shape in ANY],
    "sigmoid": [(Sigmoid(), shape) for shape in ANY],
    "silu": [(SiLU(), shape) for shape in ANY],
    "softmax": [(Softmax(), shape) for shape in ANY[:2]],
    "tanh": [(Tanh(), shape) for shape in ANY],
}
LAYERS = [
    pytest.param(layer, s, id=f"{layer} {s}") for pairs in CASES.values() for layer, s in pairs
]
BATCHES = pytest.mark.parametrize("n", [1, 4])

SAME_WITH_STRIDE = {
    # (size, window, stride, dilation): zeros before and after, by hand. The windows of ⌈size/s⌉
    # outputs reach (⌈size/s⌉ - 1) s + d (window - 1) + 1 pixels; the odd zero comes after.
    (1, 3, 2, 1): (1, 1),  # 1 output, 3 pixels
    (5, 3, 2, 1): (1, 1),  # 3 outputs, 7 pixels
    (6, 3, 2, 1): (0, 1),  # 3 outputs, 7 pixels
    (4, 3, 2, 1): (0, 1),  # 2 outputs, 5 pixels
    (7, 3, 2, 1): (1, 1),  # 4 outputs, 9 pixels
    (7, 3, 3, 1): (1, 1),  # 3 outputs, 9 pixels
    (6, 2, 3, 1): (0, 0),  # 2 outputs, 5 pixels: one is never seen
    (7, 3, 2, 2): (2, 2),  # 4 outputs, 11 pixels
    (6, 2, 2, 2): (0, 1),  # 3 outputs, 7 pixels
    (5, 1, 2, 1): (0, 0),
    (3, 1, 2, 1): (0, 0),
    (3, 3, 2, 1): (1, 1),  # 2 outputs, 5 pixels
}


def first(x):
    """(N, H, W, C) to PyTorch's (N, C, H, W); vectors as they are."""
    return x.movedim(-1, 1)


def last(x):
    return x.movedim(1, -1)


def convolved(F, layer, x, params):
    """PyTorch's convolution; its own "same" where it has one, which is without a stride."""
    W, b = params["W"].permute(3, 2, 0, 1), params.get("b")
    padding = layer.padding
    if padding == "same" and layer.stride > 1:
        padding = [
            SAME_WITH_STRIDE[size, window, layer.stride, layer.dilation]
            for size, window in zip(x.shape[1:3], layer.kernel, strict=True)
        ]
    x = first(x)
    if not isinstance(padding, str):
        (above, below), (left, right) = padding
        x, padding = F.pad(x, (left, right, above, below)), "valid"
    return last(F.conv2d(x, W, b, layer.stride, padding, layer.dilation))


def within(params, way, i):
    """What belongs to one inner layer of a residual block."""
    start = f"{way}.{i}."
    return {name.removeprefix(start): p for name, p in params.items() if name.startswith(start)}


def oracle(torch, layer, x, params, draws):
    """The same layer in PyTorch, from its own parts; takes from ``draws`` what it needs."""
    F = torch.nn.functional
    own = params.get("scale"), params.get("offset")
    match layer:
        case Dense():
            return F.linear(x.reshape(len(x), -1), params["W"].T, params.get("b"))
        case Convolution():
            return convolved(F, layer, x, params)
        case MaxPool():
            return last(F.max_pool2d(first(x), layer.size, layer.stride or None))
        case AveragePool():
            return last(F.avg_pool2d(first(x), layer.size, layer.stride or None))
        case GlobalAveragePool():
            return F.adaptive_avg_pool2d(first(x), 1)[:, :, 0, 0]
        case BatchNorm():  # momentum is what a step adds; it writes into mean and variance
            statistics = params["mean"], params["variance"]
            return last(
                F.batch_norm(first(x), *statistics, *own, True, 1 - layer.keep, layer.epsilon)
            )
        case FrozenNorm():
            statistics = params["mean"], params["variance"]
            return last(F.batch_norm(first(x), *statistics, *own, False, 0.0, layer.epsilon))
        case GroupNorm():
            # With an offset but no scale PyTorch's own way back breaks; F.group_norm refuses
            # single pixels, which torch.group_norm does not.
            scale = own[0] if layer.scale else torch.ones(x.shape[-1], dtype=x.dtype)
            return last(torch.group_norm(first(x), layer.groups, scale, own[1], layer.epsilon))
        case Residual():
            y = x
            for i, inner in enumerate(layer.layers):
                y = oracle(torch, inner, y, within(params, "block", i), draws)
            for i, inner in enumerate(layer.shortcut):
                x = oracle(torch, inner, x, within(params, "shortcut", i), draws)
            return y + x
        case Dropout():
            return x * draws.pop(0) / (1 - layer.rate)
        case ELU():
            return F.elu(x, layer.alpha)
        case LeakyReLU():
            return F.leaky_relu(x, layer.slope)
        case Softmax():
            return F.softmax(x, dim=1)
        case Flatten():
            return torch.flatten(x, 1)
        case Identity():
            return torch.nn.Identity()(x)
        case Scale():
            return torch.mul(x, layer.factor)
    names = {"gelu": F.gelu, "relu": F.relu, "sigmoid": F.sigmoid, "silu": F.silu, "tanh": F.tanh}
    return names[layer.name](x)


class Trial:
    """A layer with parameters, a batch, its draws and a cotangent, all random."""

    def __init__(self, layer, shape, n, dtype=np.float64):
        generator = np.random.default_rng(n)
        self.layer, self.shape, self.dtype = layer, shape, dtype
        self.layout = Layout(
            {f"0.{name}": size for name, size in layer.parameters(shape).items()},
            {f"0.{name}": size for name, size in layer.statistics(shape).items()},
        )
        self.vector = generator.normal(size=self.layout.size).astype(dtype)
        self.learned = self.vector[: self.layout.learned]
        self.gathered = self.vector[self.layout.learned :]
        self.gathered[...] = abs(self.gathered) + 0.5  # a variance is positive
        self.params = self.numbers(self.vector)
        self.x = (2 * generator.normal(size=(n, *shape))).astype(dtype)
        self.draws = layer.draw(self.x.shape, generator)
        self.y, self.memory = layer.forward(self.x, self.params, *self.draws)
        self.dy = generator.normal(size=self.y.shape).astype(dtype)

    def numbers(self, vector):
        return self.layout.views(vector, 1)[0]

    def backward(self, which="backward"):
        """The gradient at the input, and the gradient vector, which begins as NaN."""
        g = np.full(self.layout.learned, np.nan, self.dtype)
        dx = getattr(self.layer, which)(self.dy, self.memory, self.params, self.numbers(g))
        return dx, g

    def forward(self, x, learned):
        vector = np.concatenate([learned, self.gathered])
        return self.layer.forward(x, self.numbers(vector), *self.draws)[0]

    def named(self, vector):
        """The arrays of a vector by their names."""
        slots = self.layout.slots.items()
        return {name[2:]: slot.of(vector) for name, slot in slots if slot.stop <= vector.size}


def arrays(memory):
    """All arrays in a memory, however deep."""
    if isinstance(memory, list | tuple):
        return [array for part in memory for array in arrays(part)]
    return [memory] if isinstance(memory, np.ndarray) else []


def test_every_layer_of_the_package_has_a_case():
    kinds = {n for n, kind in members(Layer).items() if kind.__module__.startswith("handgrad.")}
    assert kinds == set(CASES)
    assert all(layer.name == name for name, pairs in CASES.items() for layer, _ in pairs)


@BATCHES
@pytest.mark.parametrize(("layer", "shape"), LAYERS)
def test_backward_is_the_derivative(layer, shape, n, check_gradients):
    trial = Trial(layer, shape, n)
    assert trial.y.shape == (n, *layer.output_shape(shape))
    check_gradients(trial.forward, [trial.x, trial.learned], trial.dy, trial.backward())


def planted(kind, backward):
    """A layer that is right but for its way back."""
    return type("Planted", (kind,), {"backward": backward})


def mean_for_sum(self, dy, memory, params, grads):
    dx = Dense.backward(self, dy, memory, params, grads)
    grads.b[...] = dy.mean(axis=0)
    return dx


def shortcut_forgotten(self, dy, memory, params, grads):
    return Residual.backward(self, dy, memory, params, grads) - dy


def statistics_held_still(self, dy, memory, params, grads):
    """The mistake that looks right: mean and variance are functions of x as well."""
    x, mean, variance, _ = memory
    Numbers = type(params)
    still = Numbers(mean=mean, variance=variance, scale=params.scale, offset=params.offset)
    return FrozenNorm(self.epsilon).backward(dy, x, still, grads)


def stride_forgotten(self, dy, shape, params, grads):
    return AveragePool(self.size, 1).backward(
        np.zeros((4, 4, 3, 2)) + dy.mean(), shape, params, grads
    )


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (planted(Dense, mean_for_sum)(4), (5,)),
        # The setting forgotten: these fall back on the default.
        (planted(LeakyReLU, lambda self, *rest: LeakyReLU().backward(*rest))(0.3), (5,)),
        (planted(ELU, lambda self, *rest: ELU().backward(*rest))(1.7), (5,)),
        (planted(Residual, shortcut_forgotten)((Tanh(),)), (5,)),
        (planted(BatchNorm, statistics_held_still)(0.1), (2, 3, 4)),
        (planted(AveragePool, stride_forgotten)(2), (5, 4, 2)),
    ],
    ids=str,
)
def test_a_layer_with_the_wrong_derivative_is_caught(layer, shape, check_gradients):
    trial = Trial(layer, shape, 4)
    with pytest.raises(AssertionError, match="input"):
        check_gradients(trial.forward, [trial.x, trial.learned], trial.dy, trial.backward())


@BATCHES
@pytest.mark.parametrize(("layer", "shape"), LAYERS)
def test_nothing_that_was_given_is_written_into(layer, shape, n):
    trial = Trial(layer, shape, n)
    given = [trial.x, trial.vector, trial.dy, *trial.draws, *arrays(trial.memory)]
    before = [array.copy() for array in given]
    dx, g = trial.backward()
    trial.forward(trial.x, trial.learned)
    for array, was in zip(given, before, strict=True):
        np.testing.assert_array_equal(array, was)
    again, g_again = trial.backward()
    np.testing.assert_array_equal(dx, again)
    np.testing.assert_array_equal(g, g_again)


@pytest.mark.parametrize(("layer", "shape"), LAYERS)
def test_the_half_for_a_first_layer_gives_the_same_gradient(layer, shape):
    trial = Trial(layer, shape, 4)
    np.testing.assert_array_equal(trial.backward("backward_parameters")[1], trial.backward()[1])


@pytest.mark.parametrize(("layer", "shape"), LAYERS)
def test_float32_stays_float32(layer, shape):
    trial = Trial(layer, shape, 4, np.float32)
    assert trial.y.dtype == trial.backward()[0].dtype == np.float32


@pytest.mark.parametrize(("layer", "shape"), LAYERS)
def test_a_layer_is_a_table_and_back(layer, shape):
    assert from_table(Layer, to_table(layer)) == layer
    assert hash(layer) == hash(from_table(Layer, to_table(layer)))


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")  # that it is slower
@BATCHES
@pytest.mark.parametrize(("layer", "shape"), LAYERS)
def test_against_pytorch(torch, layer, shape, n):
    """Output, gradients and what is gathered."""
    trial = Trial(layer, shape, n)
    if isinstance(layer, BatchNorm) and n * math.prod(shape[:-1]) == 1:
        return  # PyTorch refuses to normalize a single number; for us see test_layers.py
    x = torch.tensor(trial.x, requires_grad=True)
    params = {name: torch.tensor(array) for name, array in trial.named(trial.vector).items()}
    learned = [params[name].requires_grad_() for name in trial.named(trial.learned)]
    draws = [torch.tensor(draw) for draw in trial.draws]
    y = oracle(torch, layer, x, params, draws)
    assert draws == []
    y.backward(torch.tensor(trial.dy))
    dx, g = trial.backward()
    layer.gather(trial.memory, trial.params)
    compared = [(trial.y, y.detach()), (dx, x.grad)]
    compared += zip(trial.named(g).values(), (p.grad for p in learned), strict=True)
    compared += [
        (array, params[name].detach()) for name, array in trial.named(trial.vector).items()
    ]
    for ours, theirs in compared:
        np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-9, atol=1e-12)


def flops(layer, shape, out):
    """Counted from what a layer does to one sample with ``out`` outputs."""
    match layer:
        case Flatten() | Dropout() | Identity():
            return 0
        case Dense():
            return 2 * math.prod(shape) * out
        case Convolution():
            return 2 * out * math.prod(layer.kernel) * shape[-1]
        case MaxPool() | AveragePool():
            return out * layer.size**2
        case BatchNorm() | FrozenNorm() | GroupNorm():
            return 2 * out
    return math.prod(shape)


@pytest.mark.parametrize(("layer", "shape"), LAYERS)
def test_what_a_layer_says_of_its_size(layer, shape):
    if isinstance(layer, Residual):
        return  # see test_residual.py
    expected, channels = {}, shape[-1:]
    match layer:
        case Dense():
            expected = {"W": (math.prod(shape), layer.units)}
            expected |= {"b": (layer.units,)} if layer.offset else {}
        case Convolution():
            expected = {"W": (*layer.kernel, *channels, layer.channels)}
            expected |= {"b": (layer.channels,)} if layer.offset else {}
        case BatchNorm() | FrozenNorm() | GroupNorm():
            wanted = {"scale": layer.scale, "offset": layer.offset}
            expected = {name: channels for name in wanted if wanted[name]}
    gathered = isinstance(layer, BatchNorm | FrozenNorm)
    assert layer.parameters(shape) == expected
    assert layer.statistics(shape) == (
        dict.fromkeys(("mean", "variance"), channels) if gathered else {}
    )
    assert layer.flops(shape) == flops(layer, shape, math.prod(layer.output_shape(shape)))


@pytest.mark.parametrize(("layer", "shape"), LAYERS)
def test_frozen_a_layer_has_the_same_numbers_and_no_chance(layer, shape):
    frozen = layer.frozen()
    assert frozen.draws == 0
    assert frozen.frozen() == frozen
    assert frozen.output_shape(shape) == layer.output_shape(shape)
    assert frozen.parameters(shape) == layer.parameters(shape)
    assert frozen.statistics(shape) == layer.statistics(shape)
    if not isinstance(layer, BatchNorm | Dropout | Residual):
        assert frozen == layer
