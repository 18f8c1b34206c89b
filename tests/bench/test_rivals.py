"""Every rival computes what we compute, on tiny works; nothing is timed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from handgrad.bench.contest import difference
from handgrad.bench.ours import ours
from handgrad.bench.problems import Answers, Descent, Passes, Start
from handgrad.bench.rivals import RIVALS, NotMeantError, SkippedError, predict_with_torch, rival
from handgrad.bench.works import _five_convolutions, convolutional, descent
from handgrad.datasets import natural
from handgrad.layers import (
    AveragePool,
    BatchNorm,
    Convolution,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePool,
    LeakyReLU,
    ReLU,
    Residual,
    Scale,
    SiLU,
)
from handgrad.losses import SigmoidCrossEntropy, SoftmaxCrossEntropy
from handgrad.networks import Model, Network
from handgrad.optimizers import SGD, Adam, AdamW, Momentum, Muon, Nesterov, OneCycle

DENSE = ("pytorch", "jax", "scikit-learn", "tutorial")


def in_float64(problem: Descent) -> Descent:
    """The same where rounding hides nothing."""
    given = problem.network
    network = Network(given.architecture, given.shapes[0], given.vector.astype(np.float64))
    return replace(problem, network=network, images=problem.images.astype(np.float64))


def apart(problem, name: str, repeats: int = 2) -> float:
    """How far a rival ends from us, twice from the start, of the change that was made."""
    sides = [ours(problem, 1)]
    try:
        sides.append(rival(name, problem, 1))
    except SkippedError as reason:
        pytest.skip(f"{name}: {reason}")
    for side in sides:
        for _ in range(2):
            side.restart()
            side.run(repeats)
    return difference(*(side.numbers() for side in sides), problem.origin)[0]


@pytest.mark.parametrize("name", DENSE)
def test_dense_training(dense, name):
    exact = name != "jax"  # which computes in float32 unless told otherwise
    assert apart(in_float64(dense) if exact else dense, name) < (1e-12 if exact else 1e-4)


def test_images_in_both_formats(images):
    for name in ("pytorch", "pytorch channels-last"):
        assert apart(in_float64(images), name) < 1e-12


@pytest.mark.parametrize(
    "architecture",
    [
        (Convolution(3, offset=False), BatchNorm(keep=0.7), ReLU(), AveragePool(), Dense(3)),
        (Convolution(3, padding="valid"), LeakyReLU(0.2), Flatten(), SiLU(), Dense(3)),
        (Convolution(4, stride=2), BatchNorm(scale=False), GlobalAveragePool(), Dense(3)),
        (Convolution(4), Flatten(), Dense(3, offset=False), Scale(0.3)),
        (
            Residual(
                (Convolution(4), BatchNorm(offset=False), ReLU(), Convolution(4)),
                (Convolution(4, kernel=(1, 1)),),
            ),
            Dense(3),
        ),
    ],
    ids=["batch-norm", "valid", "stride", "scale", "residual"],
)
def test_every_translated_layer(architecture):
    problem = in_float64(descent(architecture, (7, 8, 2), 6, 3, SGD(learning_rate=0.1)))
    assert apart(problem, "pytorch") < 1e-11


@pytest.mark.parametrize(
    ("optimizer", "loss"),
    [
        (Momentum(learning_rate=0.1, schedule=OneCycle()), SoftmaxCrossEntropy(smoothing=0.1)),
        (Nesterov(learning_rate=0.1, weight_decay=0.2, rates={"b": 3.0}), SoftmaxCrossEntropy()),
        (
            Nesterov(
                learning_rate=0.1,
                weight_decay=0.2,
                coupled=True,
                rates={"b": 3.0},
                decays={"W": 1.0, "2.b": 0.5},
                frozen={"0.W": 0.0, "0.b": 0.4},
            ),
            SoftmaxCrossEntropy(),
        ),
        (Nesterov(learning_rate=0.01), SoftmaxCrossEntropy(over="sum", penalty=0.3)),
        (
            Muon(
                learning_rate=0.1,
                matrices=("0.W",),
                schedule=OneCycle(),
                weight_decay=0.2,
                coupled=True,
                rates={"b": 3.0, "0.W": 0.5},
                decays={"0.W": 0.0, "2.W": 1.0, "b": 0.5},
                frozen={"0.W": 0.5},
                fixed_norm=True,
            ),
            SoftmaxCrossEntropy(),
        ),
        (Muon(learning_rate=0.1, steps=3), SoftmaxCrossEntropy()),
        (Adam(learning_rate=0.01), SoftmaxCrossEntropy()),
        (AdamW(learning_rate=0.01, weight_decay=0.3), SoftmaxCrossEntropy()),
    ],
    ids=lambda value: value.name,
)
def test_every_translated_optimizer(dense, optimizer, loss):
    problem = replace(in_float64(dense), optimizer=optimizer, loss=loss)
    names = ["pytorch"] + ["pytorch fused adam"] * isinstance(optimizer, Adam)
    for name in names:
        assert apart(problem, name, repeats=3) < 1e-6


@pytest.mark.parametrize("name", ["pytorch", "tutorial"])
def test_one_neuron_on_the_full_batch(name):
    made = descent((Dense(1),), (4, 4, 3), 10, None, SGD(learning_rate=0.1))
    labels = np.arange(10) % 2
    problem = replace(in_float64(made), loss=SigmoidCrossEntropy(), labels=labels)
    assert apart(problem, name, repeats=5) < 1e-12


def test_one_convolution_forward_and_back():
    generator = np.random.default_rng(0)
    network = Network((Convolution(4),), (5, 6, 3), dtype=np.float64)
    network.initialize(generator)
    x, dy = generator.normal(size=(2, 5, 6, 3)), generator.normal(size=(2, 5, 6, 4))
    for name in ("pytorch", "pytorch channels-last"):
        assert apart(Passes(network, x, dy), name) < 1e-12


@pytest.mark.parametrize("name", ["pytorch", "pytorch channels-last", "onnxruntime"])
def test_prediction(name):
    generator = np.random.default_rng(0)
    layers = (Convolution(4, offset=False), BatchNorm(), ReLU(), *convolutional((2,), 5, 3))
    network = Network(layers, (8, 12, 1))
    network.initialize(generator)
    network.params[1].mean[...] = generator.normal(size=4)
    images = generator.integers(256, size=(7, 8, 12, 1), dtype=np.uint8)
    model = Model(network, natural(images), tuple("abc"), SoftmaxCrossEntropy())
    assert apart(Answers(model, images), name) < 1e-5


def test_the_program_in_pytorch_says_what_ours_says(torch, capsys):
    """The network that is written out in it is that of the work. Here it is no process."""
    pixels = np.random.default_rng(0).integers(256, size=(28, 28), dtype=np.uint8)
    problem = Start(_five_convolutions(), pixels)
    theirs = rival("pytorch", problem, 1)
    predict_with_torch.main(*theirs.command[2:])
    theirs.said = capsys.readouterr().out
    (expected,) = problem.model.probabilities(pixels[None, :, :, None])
    assert difference(expected, theirs.numbers(), 0.0)[0] < 1e-5
    own = ours(problem, 1)
    own.run(1)
    assert difference(expected, own.numbers(), 0.0)[0] < 1e-5


def test_what_a_rival_does_not_do_it_does_not_promise(dense, images):
    for name in ("scikit-learn", "jax", "tutorial", "onnxruntime", "pytorch fused adam"):
        with pytest.raises((NotMeantError, SkippedError)):
            rival(name, images, 1)
    with pytest.raises((NotMeantError, SkippedError)):
        rival("pytorch channels-last", dense, 1)


def test_what_is_not_translated_is_told(dense):
    pytest.importorskip("torch")
    dropout = descent((Dense(5), Dropout(0.5), Dense(3)), (4,), 4, 2, SGD())
    with pytest.raises(SkippedError, match=r"dropout 0\.5 is not translated"):
        rival("pytorch", dropout, 1)
    decaying = replace(dense, optimizer=Muon(weight_decay=0.1))
    with pytest.raises(SkippedError, match="a decay of Muon's matrices is not translated"):
        rival("pytorch", decaying, 1).restart()


@pytest.mark.parametrize("name", RIVALS)
def test_a_package_that_is_not_there_is_named(dense, monkeypatch, name):
    monkeypatch.setattr("importlib.util.find_spec", lambda package: None)
    with pytest.raises(SkippedError, match="is not installed"):
        rival(name, dense, 1)


def test_without_a_compiler_nothing_is_compiled(dense, monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.setattr("shutil.which", lambda command: None)
    with pytest.raises(SkippedError, match="no C\\+\\+ compiler"):
        rival("torch.compile", dense, 1)
