"""What ranks of a training agree on, with threads that stand in for processes."""

from __future__ import annotations

import numpy as np

from handgrad.experiments.ranked import Among, stand_together, started, steps
from handgrad.experiments.viewer import Viewer

TABLE = {
    "name": "tiny",
    "data": {"source": "lines"},
    "architecture": [{"layer": "dense", "units": "classes"}],
    "loss": {"kind": "softmax cross-entropy"},
    "optimizer": {"kind": "adam"},
    "training": {"epochs": 4, "batch_size": 8},
}


def test_a_rank_that_rounds_otherwise_is_brought_back(among):
    def trained(ranks, otherwise):
        experiment = started(TABLE, ranks)
        stand_together(experiment)

        def reports():
            for report in experiment.train():
                if report.epoch == 2 and ranks.rank == 1:
                    experiment.stepped.vector[...] += otherwise
                    experiment.state.apart()[0]["memory.0.M"][...] += otherwise
                yield report

        for _ in steps(experiment, reports()):
            pass
        return experiment.network.vector.copy()

    expected = among(2, lambda ranks: trained(ranks, 0.0))
    for found in among(2, lambda ranks: trained(ranks, 1e-3)):
        np.testing.assert_array_equal(found, expected[0])


def test_ranks_stand_where_the_first_does(among):
    def stood(ranks):
        experiment = started(TABLE, ranks)
        if ranks.rank == 0:
            experiment.state.steps, experiment.seconds = 3, 2.5
            experiment.stepped.vector[...] = 7
        stand_together(experiment)
        return experiment.state.steps, experiment.seconds, set(experiment.network.vector.tolist())

    assert among(2, stood) == [(3, 2.5, {7.0})] * 2


def test_what_one_is_asked_all_do_at_the_same_step(among):
    """Also where one has a bar around the batches, which stops at once, and after that."""

    class Barred(Viewer):
        """As the terminal does."""

        def watch(self, batches):
            viewer = self

            class Source:
                full, steps_per_epoch = batches.full, batches.steps_per_epoch

                def __call__(self, epoch, first=0):
                    for batch in [] if viewer.interrupted else batches(epoch, first):
                        if viewer.interrupted:
                            return
                        yield batch

            return Source()

    def cut(ranks):
        viewer = Among(ranks, Viewer() if ranks.rank else Barred())
        experiment = started(TABLE, ranks)
        stand_together(experiment)

        def between():
            viewer.heard.interrupted = ranks.rank == 1 and experiment.state.steps >= 4

        for again in (experiment, experiment.repeat(5)):  # whose batches nobody begins any more
            for _ in steps(again, again.train(viewer.watch, between)):
                pass
        return viewer.interrupted, experiment.state.steps, again.state.steps

    (first, *one), (second, *other) = among(2, cut)
    assert first is second is True
    assert one == other == [5, 0]
