"""The works: what is timed, of what size, and how near the numbers of all sides must be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from handgrad.arrays import Array, Device, Shape
from handgrad.bench.problems import Answers, Descent, Passes, Problem, Start
from handgrad.datasets import catalogue, load, natural, numbers
from handgrad.errors import HandgradError, nearest
from handgrad.experiments import Recipe, read_recipe, threads_for
from handgrad.experiments.experiment import loaded
from handgrad.layers import BatchNorm, Convolution, Dense, He, Layer, MaxPool, ReLU
from handgrad.losses import SoftmaxCrossEntropy
from handgrad.networks import Model, Network
from handgrad.optimizers import SGD, Adam, Optimizer

__all__ = ["WORKS", "Work", "chosen", "convolutional", "descent"]


@dataclass(frozen=True)
class Work:
    """One thing that is timed.

    Parameters
    ----------
    name, about : for people
    problem : makes what every side is given
    per : what a figure in milliseconds is the time of
    whole : repeats of the problem in the whole work; the check is made on all of it
    units : how many of ``per`` the whole is
    timed : repeats that a rival and the floor are timed for, whose time is then scaled to the
        whole; None for all. We are always timed for the whole, since we may prepare something once.
    tolerance : how far apart the numbers may be, as ‖theirs - ours‖ over ‖ours - first values‖. In
        float32 a ReLU or a maximum near a tie may fall to either side, and steps carry that on.
    largest : how far apart any one number may be, if that is asked for
    device : where it is done
    """

    name: str
    about: str
    problem: Callable[[], Problem]
    per: str
    whole: int = 1
    units: int = 1
    timed: int | None = None
    tolerance: float = 1e-3
    largest: float | None = None
    device: Device = "cpu"

    def threads(self, problem: Problem, available: int) -> int:
        """The threads of every side: as many as we use for it."""
        if self.device != "cpu":
            return 1
        return threads_for(problem.network, problem.batch, available).total


def convolutional(
    channels: tuple[int, ...] = (32, 64), hidden: int = 128, classes: int = 10
) -> tuple[Layer, ...]:
    """Two 3x3 convolutions and a pooling for each number of channels, then two dense layers."""
    layers: list[Layer] = []
    for width in channels:
        layers += [Convolution(width), ReLU(), Convolution(width), ReLU(), MaxPool()]
    return (*layers, Dense(hidden, He()), ReLU(), Dense(classes))


def descent(
    architecture: tuple[Layer, ...],
    shape: Shape,
    samples: int,
    batch_size: int | None,
    optimizer: Optimizer,
) -> Descent:
    """A training on random images (standard normal) with random labels, in float32."""
    generator = np.random.default_rng(0)
    network = Network(architecture, shape)
    images = generator.standard_normal((samples, *shape), dtype=np.float32)
    network.initialize(generator, images if network.looks else None)
    labels = generator.integers(network.shapes[-1][0], size=samples)
    return Descent(network, SoftmaxCrossEntropy(), optimizer, images, labels, batch_size)


def _lines() -> Problem:
    recipe = Recipe.of(read_recipe("lines"), classes=2)
    train = load("lines").train
    x = train.images.swapaxes(1, 2).astype(np.float32)
    network = Network(recipe.architecture, x.shape[1:])
    network.initialize(np.random.default_rng(recipe.seed))
    return Descent(network, recipe.loss, recipe.optimizer, x, train.labels, None, data="lines")


@cache
def _mnist() -> tuple[Array, Array, str]:
    """The 60,000 training images as uint8, or as many random ones; nothing is downloaded."""
    if catalogue()["mnist"].found() is not None:
        train = load("mnist").train
        return train.images, train.labels, "mnist"
    generator = np.random.default_rng(0)
    images = generator.integers(256, size=(60_000, 28, 28, 1), dtype=np.uint8)
    return images, generator.integers(10, size=60_000), "random"


def _mnist_dense() -> Problem:
    recipe = Recipe.of(read_recipe("mnist"), classes=10)
    images, labels, data = _mnist()
    x = np.divide(images, 255, dtype=np.float32)
    network = Network(recipe.architecture, x.shape[1:])
    network.initialize(np.random.default_rng(recipe.seed))
    return Descent(
        network, recipe.loss, recipe.optimizer, x, labels, recipe.training.batch_size, data
    )


def _mnist_mlp() -> Problem:
    layers = (Dense(512, He()), ReLU(), Dense(512, He()), ReLU(), Dense(10))
    # 20 steps: where a gradient is hardly more than rounding Adam makes a whole step of it, so that
    # after 50 the same computation in another order is 4 % of the way from ours.
    return descent(layers, (28, 28, 1), 20 * 256, 256, Adam(learning_rate=0.001))


def _airplane_bike() -> Problem:
    recipe = Recipe.of(read_recipe("airplane-bike"), classes=2)
    if catalogue()["airplane-bike"].found() is not None:
        splits = loaded(recipe.data, recipe.seed)
        assert splits.preparation is not None
        x, data = numbers(splits.train.images, splits.preparation), "airplane-bike"
        labels = splits.train.labels
    else:
        generator = np.random.default_rng(0)  # dark, so that the learning rate suits it
        x = generator.uniform(0, 0.1, size=(1500, 64, 64, 3)).astype(np.float32)
        labels, data = generator.integers(2, size=1500), "random"
    network = Network(recipe.architecture, x.shape[1:])
    return Descent(network, recipe.loss, recipe.optimizer, x, labels, None, data)


def _convolution_step() -> Descent:
    return descent(convolutional(), (32, 32, 3), 4 * 128, 128, SGD(learning_rate=0.01))


def _on_cuda() -> Problem:
    return replace(_convolution_step(), device="cuda")


def _convolution(size: int, channels: int) -> Problem:
    generator = np.random.default_rng(0)
    network = Network((Convolution(channels),), (size, size, channels))
    network.initialize(generator)
    shape = (64, size, size, channels)
    x, dy = (generator.standard_normal(shape, dtype=np.float32) for _ in range(2))
    return Passes(network, x, dy)


def _cifar10_step() -> Problem:
    recipe = Recipe.of(read_recipe("cifar10"), classes=10)
    batch = recipe.training.batch_size
    assert batch is not None
    made = descent(recipe.architecture, (32, 32, 3), batch, batch, recipe.optimizer)
    return Descent(
        made.network, recipe.loss, recipe.optimizer, made.images, made.labels, made.batch_size
    )


def _five_convolutions() -> Model:
    """For digits, with first values, and statistics as of a training."""
    layers: list[Layer] = []
    for width, pooled in ((24, False), (24, True), (48, False), (48, True), (96, False)):
        layers += [Convolution(width, padding="valid", offset=False), BatchNorm(), ReLU()]
        layers += [MaxPool()] * pooled
    images, _, _ = _mnist()
    network = Network((*layers, Dense(10)), images.shape[1:])
    generator = np.random.default_rng(0)
    network.initialize(generator)
    network.forward(np.divide(images[:64], 255, dtype=np.float32))
    for own in network.params:
        if hasattr(own, "mean"):
            own.mean[...] = generator.normal(0, 0.1, own.mean.shape)
            own.variance[...] = generator.uniform(0.5, 1.5, own.variance.shape)
    names = tuple(str(k) for k in range(10))
    return Model(network, natural(images), names, SoftmaxCrossEntropy())


def _predict(count: int) -> Problem:
    images, _, data = _mnist()
    return Answers(_five_convolutions(), images[:count], data)


def _start() -> Problem:
    images, _, data = _mnist()
    return Start(_five_convolutions(), images[0, :, :, 0], data)


WORKS = {
    work.name: work
    for work in (
        Work("lines", "9-6-2, full batch of 24, gradient descent", _lines, "step", 201, 201),
        Work("mnist-dense", "784-128-10, batch 64", _mnist_dense, "epoch of 60,000"),
        Work(
            "mnist-mlp", "784-512-512-10, Adam, batch 256", _mnist_mlp, "step", units=20,
            tolerance=1e-2,
        ),
        Work(
            "airplane-bike", "12288-1 on 1,500 photographs, full batch, 2,000 iterations",
            _airplane_bike, "training", 2000, timed=50, largest=1e-5,
        ),
        Work(
            "convolution-step", "32-32-pool-64-64-pool-128-10, batch 128 of 32x32x3",
            _convolution_step, "step", units=4, tolerance=1e-2,
        ),
        *(
            Work(
                f"convolution-{channels}",
                f"one 3x3 convolution, forward and back, {size}x{size}x{channels}, batch 64",
                lambda size=size, channels=channels: _convolution(size, channels),  # type: ignore[misc]
                "pass", 4, 4, tolerance=1e-4,
            )
            for size, channels in ((32, 32), (16, 64), (8, 128))
        ),
        Work(
            "cifar10-step",
            "a step of 250 of the recipe cifar10, batch 2,000",
            _cifar10_step,
            "step",
            tolerance=1e-2,
        ),
        Work(
            "predict-one", "one image through 24-24-pool-48-48-pool-96-10", lambda: _predict(1),
            "image", 100, 100, tolerance=1e-4,
        ),
        Work(
            "predict-many", "10,000 images through that network", lambda: _predict(10_000),
            "10,000 images", tolerance=1e-4,
        ),
        Work("start", "`handgrad predict` as a whole process", _start, "process", tolerance=1e-3),
        Work(
            "convolution-cuda", "convolution-step on a graphics card, by the book through CuPy",
            _on_cuda, "step", units=4, tolerance=1e-2, device="cuda",
        ),
    )
}  # fmt: skip
"""Every work by name, in the order of the table."""


def chosen(names: tuple[str, ...]) -> list[Work]:
    """The works of some names; all of them for none.

    >>> chosen(("linse",))
    Traceback (most recent call last):
        ...
    handgrad.errors.HandgradError: linse: no such work; did you mean 'lines'? Known: ...
    """
    for name in names:
        if name not in WORKS:
            raise HandgradError(f"{name}: no such work{nearest(name, WORKS)}")
    return [work for work in WORKS.values() if not names or work.name in names]
