"""How a training is computed, and why: which reading, in which parts, by how many threads."""

from __future__ import annotations

from dataclasses import dataclass

from handgrad.arrays import Device
from handgrad.experiments.coordinates import in_span, threads_in_span
from handgrad.experiments.recipe import Recipe
from handgrad.experiments.threads import Threads, threads_for
from handgrad.networks import Network
from handgrad.parallel import Ranks, Shards
from handgrad.plans import Planned, is_planned, together
from handgrad.training import HowGradient, by_the_book, in_groups

__all__ = ["Work", "work_for"]


@dataclass(frozen=True)
class Work:
    """How the gradient of a batch is computed.

    Parameters
    ----------
    threads : how they are used
    why : the reason for this reading
    group : so many samples of a batch are computed together at most; None for all
    together : so many go through the layers of a plan at a time; 0 by the book
    span : so many images, in whose span the first weights are trained; 0 where they are not
    device : where
    """

    threads: Threads
    why: str
    group: int | None = None
    together: int = 0
    span: int = 0
    device: Device = "cpu"

    @property
    def planned(self) -> bool:
        return self.together > 0

    def gradient(self, ranks: Ranks | None = None) -> HowGradient:
        """What `fit` is handed.

        Parameters
        ----------
        ranks : as many as the work was planned for; None where this process is alone
        """
        one: HowGradient = Planned() if self.planned else by_the_book
        shards = self.threads.shards
        how = one if shards == 1 and ranks is None else Shards(shards, one, ranks)
        return how if self.group is None else in_groups(self.group, how)

    def __str__(self) -> str:
        if self.planned:
            reading = f"by a plan, {self.together} image{'s'[: self.together > 1]} at a time"
        else:
            reading = f"in the span of the {self.span:,} images" if self.span else "by the book"
        groups = "" if self.group is None else f", in groups of {self.group}"
        if self.device != "cpu":
            return f"{reading} on {self.device}{groups}"
        return f"{reading}{groups}, {self.threads}"


def work_for(
    recipe: Recipe, network: Network, samples: int, available: int, ranks: int = 1
) -> Work:
    """How a training is computed: a pure function of its recipe, of shapes and of cores.

    Parameters
    ----------
    samples : of the training part
    available : cores, of each rank
    ranks : processes with a part of each batch
    """
    training, group = recipe.training, recipe.training.group
    device = training.device or "cpu"
    if device == "cpu" and in_span(recipe, network, samples):
        threads = threads_in_span(network, samples, available, training.threads)
        threads = threads._replace(ranks=ranks)
        return Work(threads, "the full batch has fewer images than each has numbers", span=samples)
    batch = training.batch_size or samples
    size = min(batch, group or batch)
    group = size if size < batch else None
    if device != "cpu":
        return Work(Threads(), "the recipe asks for it", group, device=device)
    each = -(-size // ranks)
    threads = threads_for(network, each, available, training.threads)._replace(ranks=ranks)
    if training.reference:
        return Work(threads, "the recipe asks for it", group)
    if not is_planned(network):
        return Work(threads, "no convolution is one for Winograd's tiles", group)
    few = together(network, -(-size // (ranks * threads.shards)))
    return Work(threads, "a convolution is one for Winograd's tiles", group, few)
