"""A training by several ranks: rank 0 is told, says and writes; all compute, and stop together."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from handgrad import __version__
from handgrad.arrays import Array
from handgrad.experiments.experiment import Experiment, Progress
from handgrad.experiments.viewer import Viewer
from handgrad.parallel import Ranks
from handgrad.training import BatchSource, Report, State

__all__ = ["Among", "helped", "stand_together", "started", "steps"]


class Among(Viewer):
    """A viewer of several ranks: what a signal wished of one, all do, at the same step.

    Parameters
    ----------
    ranks : of the training
    shown : watches on this rank
    """

    def __init__(self, ranks: Ranks, shown: Viewer) -> None:
        self.ranks, self.shown = ranks, shown
        self.wish = _Wish(shown)

    @property
    def heard(self) -> Viewer:
        return self.wish

    def loading(self, stage: str, done: int, total: int) -> None:
        self.shown.loading(stage, done, total)

    def note(self, text: str) -> None:
        self.shown.note(text)

    def begins(self, experiment: Any) -> None:
        self.shown.begins(experiment)

    def watch(self, batches: BatchSource) -> BatchSource:
        return self.shown.watch(_Agreed(batches, self))

    def report(self, report: Report) -> None:
        self.shown.report(report)

    def repeats(self, seed: int, figures: dict[str, Any]) -> None:
        self.shown.repeats(seed, figures)

    def ends(self, run: Any) -> None:
        self.shown.ends(run)


class _Wish(Viewer):
    """What a signal asks of this rank, until all have heard of it."""

    def __init__(self, shown: Viewer) -> None:
        self.shown = shown
        self.training = self.interrupted = False

    def stopping(self) -> None:
        self.shown.stopping()


class _Agreed:
    """Batches before each of which all ranks ask each other whether to stop."""

    def __init__(self, batches: BatchSource, viewer: Among) -> None:
        self.batches, self.viewer = batches, viewer
        self.full, self.steps_per_epoch = batches.full, batches.steps_per_epoch

    def __call__(self, epoch: int, first: int = 0) -> Iterator[tuple[Array, Array]]:
        viewer = self.viewer
        if viewer.interrupted:
            return  # all of them know: nobody asks again
        viewer.wish.training = True
        for batch in self.batches(epoch, first):
            stop = any(viewer.ranks.told(viewer.wish.interrupted))
            viewer.interrupted = viewer.shown.interrupted = stop
            if stop:
                return
            yield batch


def started(
    table: dict[str, Any],
    ranks: Ranks | None,
    progress: Progress | None = None,
    experiment_of: Callable[..., Experiment] = Experiment,
) -> Experiment:
    """The experiment, if every rank can make it, of the same images and with the same versions."""
    if ranks is None:
        return experiment_of(table, progress=progress)
    with ranks.all_or_none():
        experiment = Experiment(table, progress=progress, ranks=ranks)
    ranks.same(experiment.train_set.fingerprint()[:16], "training images of the hash")
    ranks.same(f"{__version__} and {np.__version__}", "the versions of handgrad and numpy")
    return experiment


def stand_together(experiment: Experiment) -> None:
    """Let all ranks stand where rank 0 does: only there lies a checkpoint, if there is one."""
    ranks = experiment.ranks
    if ranks is None:
        return
    own = None
    if ranks.rank == 0:
        arrays, table = experiment.state.apart()
        vector = experiment.stepped.vector
        own = vector, arrays, table, experiment.history, experiment.seconds
    else:
        experiment.stepped  # noqa: B018 - coordinates are made before they are overwritten
    vector, arrays, table, history, seconds = ranks.from_first(own)
    if ranks.rank:
        experiment.stepped.vector[...] = vector
        experiment.state = State.together(arrays, table)
        experiment.history, experiment.seconds = history, seconds


def steps(experiment: Experiment, reports: Iterable[Report]) -> Iterator[Report]:
    """The reports of a training, at which ranks of other processors are brought together again.

    Every rank makes every step by itself. Where a processor or a library rounds otherwise than rank
    0's, its weights would part from those of the others.
    """
    ranks = experiment.ranks
    for report in reports:
        if ranks is not None and experiment.recipe.training.batch_size is not None:
            vector = experiment.stepped.vector
            if len(set(ranks.told(zlib.crc32(vector.data)))) > 1:
                arrays, _ = experiment.state.apart()
                for array in (vector, *arrays.values()):
                    array[...] = ranks.from_first(array)
        yield report


def helped(viewer: Among) -> None:
    """Compute with rank 0, which trains or resumes: what every other rank does.

    Parameters
    ----------
    viewer : hears this rank's signals

    Raises
    ------
    HandgradError : what any rank has met before the training, on all of them
    NotFiniteError : on all of them
    """
    from handgrad.experiments.repeats import repeated  # which needs what is above

    ranks = viewer.ranks
    with ranks.all_or_none():
        pass  # rank 0 reads the recipe
    table = ranks.from_first(None)
    if table is None:
        return  # it was a run that has ended
    experiment = started(table, ranks)
    with ranks.all_or_none():
        pass  # rank 0 makes the folder, or finds a checkpoint in it
    stand_together(experiment)
    for _ in steps(experiment, experiment.train(viewer.watch)):
        pass
    for _ in repeated(experiment, None, (math.inf, math.inf), viewer):
        pass
    with experiment.among_ranks():
        experiment.figures()
