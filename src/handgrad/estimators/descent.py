"""One training of an estimator: `training.fit` with the threads that suit it and that are left."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Iterable, Mapping
from typing import NamedTuple

import numpy as np

from handgrad.arrays import Array
from handgrad.datasets import Batches
from handgrad.estimators.weighing import Weighing
from handgrad.experiments import Recipe, Threads, cores, limited, threads_for, work_for
from handgrad.networks import InBatches, Model, Network
from handgrad.plans import PlannedForward
from handgrad.training import BatchSource, HowGradient, Report, State, fit, keep_best, stop_at
from handgrad.training.state import Seen

__all__ = ["Samples", "allowed", "computed", "descent", "outputs_of"]


class Samples(NamedTuple):
    """What was given to learn from, as a network takes it.

    Parameters
    ----------
    x : (N, …) prepared
    labels : (N,) int
    weights : (N,) of mean 1, or None where all count the same
    total : the sum of the weights as they were given; N where none were
    """

    x: Array
    labels: Array
    weights: Array | None
    total: float

    def take(self, places: Array) -> Samples:
        """A part of them, whose weights have the mean 1 again."""
        weights = None if self.weights is None else self.weights[places]
        if weights is not None and weights.any():
            weights = weights / weights.mean()
        return Samples(self.x[places], self.labels[places], weights, self.total)


def allowed() -> int:
    """The threads that may be used: no more than cores, nor than matrix products now have.

    joblib gives each of its workers a part of the cores by limiting these, and
    ``threadpoolctl.threadpool_limits`` does; who goes by it never has more threads than cores,
    however many trainings run beside each other.
    """
    from threadpoolctl import threadpool_info

    blas = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
    return max(1, min(cores(), *map(int, blas))) if blas else cores()


def descent(
    recipe: Recipe,
    network: Network,
    samples: Samples,
    *,
    state: State,
    watched: Mapping[str, tuple[Array, Array]] | None = None,
    once: bool = False,
) -> Generator[Report]:
    """Train a network as a recipe says, report by report.

    Parameters
    ----------
    recipe : its loss, optimizer, training, averaging, augmentation and seed are used
    network : its vector is changed in place
    samples : the whole batch, or what mini-batches are taken from
    state : kept up to date
    watched : the validation part, by which the best weights are kept
    once : go through the samples once, on from where ``state`` stands
    """
    batches, how, threads = computed(recipe, network, samples)
    if once:
        state.seen = Seen()
        batches = _Once(batches, state.steps)
    reports = fit(
        network,
        batches,
        recipe.loss,
        recipe.optimizer,
        epochs=1 if once else recipe.training.epochs,
        seed=recipe.seed,
        gradient=how,
        averaging=recipe.averaging,
        watched=watched,
        norms=bool(recipe.training.norms),
        state=state,
    )
    if watched:
        reports = keep_best(reports, network, recipe.training.patience, state)
    if goal := recipe.training.goal():
        reports = stop_at(reports, *goal)
    with limited(threads.blas):
        yield from reports


def computed(
    recipe: Recipe, network: Network, samples: Samples
) -> tuple[BatchSource, HowGradient, Threads]:
    """The batches of a training, how the gradient of one is computed, and in which threads.

    The network answers by a plan from now on, where one is worth while.
    """
    x, labels, weights, _ = samples
    size = recipe.training.batch_size
    # A batch of all samples needs no order: it is the full batch.
    size = None if size is None or size >= len(x) else size
    training = dataclasses.replace(recipe.training, batch_size=size)
    work = work_for(dataclasses.replace(recipe, training=training), network, len(x), allowed())
    network.how_outputs = InBatches(PlannedForward(), work.threads.shards)
    batches = Batches(
        x,
        labels if weights is None else np.arange(len(labels)),
        size,
        recipe.seed,
        augmentations=recipe.augmentation,
        drop_last=training.drop_last,
    )
    if weights is None:
        return batches, work.gradient(), work.threads
    weighing = Weighing(batches, labels, weights)
    return weighing, weighing.gradient(work.gradient()), work.threads


def outputs_of(model: Model, images: Array) -> Array:
    """What a model says of images, with the threads that suit their number and that are left."""
    network = model.network
    threads = threads_for(network, max(1, len(images)), allowed())
    network.how_outputs = dataclasses.replace(network.how_outputs, threads=threads.shards)
    with limited(threads.blas):
        return model.outputs(images)


class _Once:
    """A `BatchSource`: one epoch of the steps that were made and then of these batches.

    So `fit` goes on at the step where the last samples ended, whatever their number was: what an
    optimizer divides by (Adam's 1 - βᵗ) counts all steps.
    """

    def __init__(self, batches: BatchSource, begun: int) -> None:
        self.batches, self.begun, self.full = batches, begun, batches.full
        self.steps_per_epoch = begun + batches.steps_per_epoch

    def __call__(self, epoch: int, first: int = 0) -> Iterable[tuple[Array, Array]]:
        # The number of steps made stands for the epoch, so that each call has an order of its own.
        return self.batches(self.begun)
