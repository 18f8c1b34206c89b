"""Everything that computes, on arrays that lie elsewhere and do not come back by themselves.

Each test runs with a stand-in for CuPy's arrays, and with CuPy itself where there is a GPU.
"""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import numpy as np
import pytest
from foreign import FUNCTIONS, MADE, METHODS, UFUNCS, Foreign

from handgrad import calculus
from handgrad.arrays import Layout, at_once, on_device, on_host
from handgrad.datasets import Batches
from handgrad.errors import NotFiniteError
from handgrad.layers import BatchNorm, Convolution, Dense, Dropout, Layer, MaxPool, ReLU, Residual
from handgrad.losses import Loss, SoftmaxCrossEntropy
from handgrad.networks import ForwardOn, InBatches, Network
from handgrad.optimizers import Adam, Averaging, Cosine, Momentum, Optimizer
from handgrad.tables import members
from handgrad.training import State, fit, in_groups, keep_best

DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def home(thing):
    """A memory, a tuple or an array with all arrays brought back."""
    if isinstance(thing, list | tuple):
        return [home(part) for part in thing]
    return on_host(thing) if hasattr(thing, "shape") else thing


def held(place, found, expected):
    """What was computed elsewhere, however deep, stayed there and is what was computed here."""
    if isinstance(expected, list | tuple):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            held(place, one, other)
    elif isinstance(expected, np.ndarray):
        assert isinstance(found, place.kind)
        place.same(on_host(found), expected)
    else:
        assert found == expected


# Layers


def passes(layer, shape, dtype, moved=lambda x: x):
    """All that a layer computes of a batch."""
    generator = np.random.default_rng(4)
    layout = Layout(
        {f"0.{name}": size for name, size in layer.parameters(shape).items()},
        {f"0.{name}": size for name, size in layer.statistics(shape).items()},
    )

    def views(vector):
        return layout.views(vector, 1)[0]

    vector = (abs(generator.normal(size=layout.size)) + 0.5).astype(dtype)
    x = (2 * generator.normal(size=(4, *shape))).astype(dtype)
    draws = tuple(map(moved, layer.draw(x.shape, generator)))
    dy = moved(generator.normal(size=(4, *layer.output_shape(shape))).astype(dtype))
    vector, x = moved(vector), moved(x)
    g, own = (moved(np.full(layout.learned, np.nan, dtype)) for _ in range(2))
    params = views(vector)
    y, memory = layer.forward(x, params, *draws)
    dx = layer.backward(dy, memory, params, views(g))
    layer.backward_parameters(dy, memory, params, views(own))
    layer.gather(memory, params)
    frozen, _ = layer.frozen().forward(x, params)
    return y, memory, dx, g, own, vector, frozen


@DTYPES
def test_every_layer(elsewhere, cases, dtype):
    found = cases("layers/test_every_layer.py").CASES
    assert set(found) == {n for n, k in members(Layer).items() if k.__module__[:9] == "handgrad."}
    for pairs in found.values():
        for layer, shape in pairs:
            try:
                held(
                    elsewhere,
                    passes(layer, shape, dtype, elsewhere.moved),
                    passes(layer, shape, dtype),
                )
            except (AssertionError, TypeError) as error:
                error.add_note(f"{layer} {shape}")
                raise


def test_what_no_layer_calls(elsewhere):
    s = calculus.softmax(np.random.default_rng(0).normal(size=(3, 4)))
    there = elsewhere.moved(s)
    held(elsewhere, calculus.softmax_jacobian(there), calculus.softmax_jacobian(s))


def test_no_function_of_calculus_is_left_out():
    """Each is called by a layer or a loss, all of which are computed elsewhere, or tested above."""
    rooms = Path(inspect.getfile(calculus)).parents[1]
    files = [*(rooms / "layers").glob("*.py"), *(rooms / "losses").glob("*.py")]
    files += (rooms / "calculus").glob("*.py")
    lines = [line for file in files for line in file.read_text("utf-8").splitlines()]
    text = "\n".join(line for line in lines if ">>>" not in line)
    called = set(re.findall(r"(?<!def )\b(\w+)\(", text))
    assert set(calculus.__all__) - called == {"softmax_jacobian"}


def test_a_card_is_given_much_to_do_at_once(elsewhere):
    x = np.zeros(3)
    assert at_once(x, 10) == 10
    assert at_once(elsewhere.moved(x), 10) == 2**28


# Losses


@DTYPES
def test_every_loss(elsewhere, cases, dtype):
    module = cases("losses/test_every_loss.py")
    assert set(module.SHAPES) == set(members(Loss).values())
    for kind, shapes in module.SHAPES.items():
        for shape in shapes:
            outputs, labels = module.batch(kind, shape)
            outputs = outputs.astype(dtype)
            weights = tuple(1.5 - 0.1 * k for k in range(max(2, shape[1])))
            options = [{}, {"over": "sum"}, {"class_weights": weights}]
            options += [{"smoothing": 0.2}] if kind is SoftmaxCrossEntropy else []
            for option in options:
                loss = kind(**option)
                there = elsewhere.moved(outputs), elsewhere.moved(labels)
                (value, gradient), decided = loss(*there), loss.decide(there[0])
                elsewhere.same(value, loss(outputs, labels)[0])
                held(elsewhere, gradient, loss(outputs, labels)[1])
                held(elsewhere, decided, loss.decide(outputs))
                held(elsewhere, loss.probabilities(there[0]), loss.probabilities(outputs))


# Optimizers


def stepped(optimizer, moved=lambda x: x, dtype=np.float32):
    """The vector and the state after three steps."""
    generator = np.random.default_rng(0)
    chain = optimizer.chain(Layout({"W": (400, 100), "b": (10,)}))
    vector = moved(generator.normal(size=40_010).astype(dtype))
    state = chain.start(vector)
    for t in range(3):
        g = moved(generator.normal(size=40_010).astype(dtype))
        chain.apply(g, state, vector, t, 3)
        vector -= g
    return vector, State(memory=state).apart()[0]


@pytest.mark.parametrize("name", members(Optimizer))
@pytest.mark.parametrize("coupled", [False, True])
def test_every_optimizer(elsewhere, name, coupled):
    kind = members(Optimizer)[name]
    full = kind(
        learning_rate=0.1, schedule=Cosine(), weight_decay=0.01, clip_norm=1.0, rates={"b": 2.0},
        decays={"W": 1.0}, coupled=coupled, frozen={"b": 0.5},
    )  # fmt: skip
    for optimizer in (kind(), full):
        (there, memory), (here, expected) = stepped(optimizer, elsewhere.moved), stepped(optimizer)
        held(elsewhere, there, here)
        assert memory.keys() == expected.keys()
        for key in memory:
            held(elsewhere, memory[key], expected[key])


def test_clipping_of_a_norm_beyond_the_type(elsewhere):
    """Its squares are no numbers of float32, so that it is computed in float64."""
    chain = Adam(clip_norm=1.0).chain(Layout({"W": (3,)})).parts[0]
    for make in (elsewhere.moved, np.copy):
        g = make(np.full(3, 1e30, np.float32))
        with np.errstate(over="ignore"):
            chain.apply(g, {}, g, 0, 1)
        np.testing.assert_allclose(on_host(g), 3**-0.5, rtol=1e-6)


@pytest.mark.parametrize("name", members(Averaging))
def test_every_averaging(elsewhere, name):
    averaging = members(Averaging)[name]()
    ends = []
    for make in (elsewhere.moved, np.copy):
        vector = make(np.arange(5.0))
        state = averaging.start(vector)
        for t in range(1, 8):
            vector += 1
            averaging.after(vector, state, t, 7)
        ends.append((vector, averaging.kept(vector, state)))
    held(elsewhere, *ends)


# A whole training


LAYERS = (
    Convolution(4, offset=False), BatchNorm(), ReLU(), MaxPool(),
    Residual((Convolution(4), BatchNorm(), ReLU(), Dropout(0.2))), Dropout(0.3), Dense(3),
)  # fmt: skip


def network():
    made = Network(LAYERS, (8, 8, 2))
    made.initialize(np.random.default_rng(1))
    return made


def data(samples, seed=0):
    generator = np.random.default_rng(seed)
    return generator.normal(size=(samples, 8, 8, 2)).astype(np.float32), generator.integers(
        3, size=samples
    )


def trained(made, batch_size, **options):
    """The reports of a training, and where it stands after it."""
    batches, state = Batches(*data(20), batch_size=batch_size, seed=0), State()
    loss = SoftmaxCrossEntropy(penalty=1e-3, smoothing=0.1, class_weights=(1.0, 2.0, 0.5))
    reports = fit(
        made, batches, loss, Momentum(learning_rate=0.05, clip_norm=0.5), epochs=3, seed=3,
        averaging=members(Averaging)["moving average"](decay=0.9),
        watched={"validation": data(11, 1), "test": data(7, 2)}, norms=True, state=state, **options,
    )  # fmt: skip
    return [report.known() for report in keep_best(reports, made, None, state)], state


@pytest.mark.parametrize("batch_size", [8, None])
@pytest.mark.parametrize("group", [None, 5])
def test_a_whole_training(elsewhere, batch_size, group):
    """Also the draws of its dropout are those of the seed, wherever it computes."""
    options = {} if group is None else {"gradient": in_groups(group)}
    here = network()
    there = Network(LAYERS, (8, 8, 2), elsewhere.moved(network().vector))
    expected, _ = trained(here, batch_size, **options)
    found, state = trained(there, batch_size, **options)
    held(elsewhere, there.vector, here.vector)
    assert isinstance(there.gradient().vector, elsewhere.kind)
    arrays, _ = state.apart()
    assert {type(array) for array in arrays.values()} == {elsewhere.kind}
    assert len(found) == len(expected) == 3
    for one, other in zip(found, expected, strict=True):
        assert one.keys() == other.keys()
        for key in one:
            elsewhere.same(one[key], other[key])


def test_of_a_training_step_three_numbers_come_back(foreign):
    """The loss, how many are right, and whether the step is finite; of a clipped one its norm."""
    made = Network(LAYERS, (8, 8, 2), foreign.moved(network().vector))
    batches = Batches(*data(20), batch_size=8, seed=0)
    for optimizer, each in ((Momentum(), 3), (Momentum(clip_norm=1.0), 4)):
        Foreign.pulled.clear()
        list(fit(made, batches, SoftmaxCrossEntropy(), optimizer, epochs=2, norms=False))
        assert Foreign.pulled == [1] * (each * 2 * 3)


def test_outputs_come_back(elsewhere):
    made, (x, _) = network(), data(25)
    made.how_outputs = InBatches(at_once=10)
    expected = made.outputs(x)
    there = Network(LAYERS, (8, 8, 2), elsewhere.moved(made.vector))
    there.how_outputs = InBatches(at_once=10)
    assert isinstance(there.outputs(x), np.ndarray)
    elsewhere.same(there.outputs(x), expected)
    made.how_outputs = InBatches(ForwardOn("cuda"), at_once=10)
    elsewhere.same(made.outputs(x), expected)
    assert isinstance(made.vector, np.ndarray)


def test_what_is_not_finite_is_found_elsewhere_too(elsewhere):
    errors = []
    for moved in (elsewhere.moved, np.copy):
        made = Network((Dense(2), Dense(2)), (3,), moved(np.full(14, 1e30, np.float32)))
        before = on_host(made.vector).copy()
        batches = Batches(np.ones((4, 3), np.float32), np.arange(4) % 2, 2, seed=0)
        with pytest.raises(NotFiniteError) as caught:
            list(fit(made, batches, SoftmaxCrossEntropy(), Momentum(), epochs=1))
        errors.append(str(caught.value))
        np.testing.assert_array_equal(on_host(made.vector), before)
    assert errors[0] == errors[1]
    assert "the output" in errors[0]
    huge = Network((Dense(1),), (1,), elsewhere.moved(np.zeros(2, np.float32)))
    batches = Batches(np.full((2, 1), 1e30, np.float32), np.array([0, 1]), 2, seed=0)
    squared = members(Loss)["squared error"]()
    with pytest.raises(NotFiniteError, match="step"):
        list(fit(huge, batches, squared, Momentum(learning_rate=1e30), epochs=1))


# The stand-in itself


def test_the_stand_in_refuses(foreign):
    x, own = foreign.moved(np.ones(3)), np.ones(3)
    for refused in (
        lambda: np.asarray(x),
        lambda: np.array([x, x]),
        lambda: x + own,
        lambda: own + x,
        lambda: np.exp(x, out=own),
        lambda: own.__iadd__(x),
        lambda: own.__setitem__(..., x),
        lambda: x.__setitem__(..., own),
        lambda: x[np.array([0])],
        lambda: np.where(own > 0, x, 0),
        lambda: np.concatenate([x, own]),
        lambda: np.histogram(x),
        lambda: np.sum(x, where=True),
        lambda: np.add.reduce(x),
        lambda: np.add.at(x, 0, 1),
        lambda: np.asarray(x, like=own),
        lambda: x.sum(where=True),
    ):
        with pytest.raises(TypeError):
            refused()
    assert Foreign.pulled == []
    assert float(x.sum()) == 3
    assert Foreign.pulled == [1]


def test_where_arrays_go(elsewhere):
    x = np.arange(3.0)
    there = on_device(x, "cuda")
    assert isinstance(there, elsewhere.kind)
    assert isinstance(np.asarray(x, like=there), elsewhere.kind)
    assert on_device(there, "cuda") is there
    np.testing.assert_array_equal(on_device(there, "cpu"), x)
    assert on_device(x, "cpu") is x


def test_the_stand_in_knows_no_more_than_cupy():
    """Needs CuPy, and no GPU."""
    cupy = pytest.importorskip("cupy")
    for name in UFUNCS:
        assert isinstance(getattr(np, name), np.ufunc)
        assert getattr(cupy, name) is not getattr(np, name)
    for name, told in (MADE | FUNCTIONS).items():
        ours, theirs = np, cupy
        for part in name.split("."):
            ours, theirs = getattr(ours, part), getattr(theirs, part)
        assert theirs is not ours, name
        known = inspect.signature(theirs).parameters
        if "kwargs" not in known:
            # NumPy hands arguments on as they were given: the first, whose names differ, by place.
            missing = {argument for argument in told.split()[1:] if argument not in known}
            assert missing <= ({"shape"} if name == "reshape" else set()), name
    for name in METHODS:
        assert hasattr(cupy.ndarray, name)


def test_no_case_is_wasted():
    """A layer that takes what it should not is noticed: the two faults that are the likeliest."""

    class Hosted(Dense):
        def forward(self, x, params):
            return x.reshape(len(x), -1) @ params.W + np.zeros(self.units, x.dtype), x

    class Pulled(Dense):
        def forward(self, x, params):
            return np.asarray(x).reshape(len(x), -1) @ params.W, x

    for kind in (Hosted, Pulled):
        passes(kind(2), (3,), np.float64)
        with pytest.raises(TypeError):
            passes(kind(2), (3,), np.float64, lambda x: Foreign(x.copy()))
