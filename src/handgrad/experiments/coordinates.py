"""Which recipes are trained by coordinates in the span of their inputs, and with which threads."""

from __future__ import annotations

from handgrad.experiments.recipe import Recipe
from handgrad.experiments.threads import Threads, threads_for
from handgrad.networks import Network
from handgrad.training import in_coordinates, spans

__all__ = ["in_span", "threads_in_span"]


def in_span(recipe: Recipe, network: Network, samples: int) -> bool:
    """Whether a recipe is trained in the span of its inputs: exactly the same, and sooner done.

    Groups and augmentation do not meet the same rows each step; norms are asked for of W, and those
    of coordinates are others. An averaging of the weights is one of the coordinates.

    Parameters
    ----------
    samples : of the training part
    """
    training = recipe.training
    plain = training.batch_size is None and training.group is None and not recipe.augmentation
    if not plain or training.norms or training.reference:
        return False
    return spans(network, recipe.loss, recipe.optimizer, samples, training.epochs)


def threads_in_span(
    network: Network, samples: int, available: int, asked: int | None = None
) -> Threads:
    """`threads_for` a training in coordinates, which takes its samples together: within products.

    Parameters
    ----------
    network : with its weights
    """
    found = threads_for(in_coordinates(network, samples), samples, available, asked)
    return Threads(blas=found.total)
