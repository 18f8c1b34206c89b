"""Ranks add up in their order, tell each other's errors, and compute what one process computes."""

from __future__ import annotations

import dataclasses
import socket
import sys

import numpy as np
import pytest

from handgrad.datasets import Batches
from handgrad.errors import DataError, HandgradError, NotFiniteError
from handgrad.layers import BatchNorm, Convolution, Dense, Dropout, MaxPool, ReLU
from handgrad.losses import SoftmaxCrossEntropy
from handgrad.networks import InBatches, Network
from handgrad.optimizers import SGD
from handgrad.parallel import AmongRanks, Ranks, Shards, all_or_none, joined
from handgrad.parallel.ranks import SHORT
from handgrad.training import fit

K = 3


def made():
    network = Network(
        (Convolution(4), BatchNorm(), ReLU(), MaxPool(2), Dropout(0.4), Dense(K)), (6, 6, 2)
    )
    network.initialize(np.random.default_rng(1))
    return network


def images(n):
    x = np.random.default_rng(5).normal(size=(n, 6, 6, 2)).astype(np.float32)
    return x, np.arange(n) % K


def computed(how, n, penalty=0.1):
    network = made()
    draws, gradient = network.draw(n, np.random.default_rng(2)), network.gradient()
    gradient.vector[...] = np.nan
    loss = SoftmaxCrossEntropy(penalty=penalty, smoothing=0.2)
    value, outputs = how(network, loss, *images(n), draws, gradient)
    return [np.array(value), outputs, gradient.vector, network.vector]


@pytest.mark.parametrize("size", [1, 2, 3, 5])
@pytest.mark.parametrize("length", [0, 1, 1001, SHORT // 4, SHORT // 4 + 1, 10_007])
def test_a_long_sum_is_taken_in_the_order_of_the_ranks(size, length, among):
    vectors = np.random.default_rng(0).normal(size=(size, length)).astype(np.float32)
    expected = vectors[0].copy()
    for other in vectors[1:]:
        expected += other

    def added(ranks):
        own = vectors[ranks.rank].copy()
        ranks.add(own, 0.3)
        ranks.add(once := own.copy())  # again, with what the first has left behind
        return own, once

    for found, again in among(size, added):
        np.testing.assert_array_equal(found, expected * np.float32(0.3))
        np.testing.assert_allclose(again, size * found, rtol=1e-6)


@pytest.mark.parametrize("part", [np.float32([1e8, 1]), np.array(3), np.ones((2, 3))])
def test_a_short_sum(part, among):
    found = among(3, lambda ranks: ranks.total(part * (ranks.rank + 1)))
    for one in found:
        assert one.shape == part.shape
        assert one.dtype == part.dtype
        np.testing.assert_array_equal(one, (part * 1 + part * 2) + part * 3)


def test_rows_lie_behind_each_other(among):
    rows = np.arange(10).reshape(5, 2)
    counts, ends = [2, 0, 3], [0, 2, 2, 5]
    found = among(3, lambda ranks: ranks.rows(rows[slice(*ends[ranks.rank :][:2])], counts))
    for one in found:
        np.testing.assert_array_equal(one, rows)


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("n", [12, 13, 3])
def test_ranks_give_the_bits_of_as_many_shards(size, n, among):
    expected = computed(Shards(size), n)
    for found in among(size, lambda ranks: computed(Shards(1, ranks=ranks), n)):
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(("size", "threads", "n"), [(2, 2, 9), (2, 3, 7), (3, 1, 2), (2, 4, 3)])
def test_ranks_with_threads_and_few_samples_agree_to_rounding(size, threads, n, among):
    expected = computed(Shards(1), n)
    all_found = among(size, lambda ranks: computed(Shards(threads, ranks=ranks), n))
    for found in all_found:
        for one, first, other in zip(found, all_found[0], expected, strict=True):
            np.testing.assert_array_equal(one, first)
            np.testing.assert_allclose(one, other, rtol=2e-4, atol=2e-6)


def test_a_rank_reads_its_own_rows_only(among):
    class Watched:
        """Images that know which of them were taken."""

        def __init__(self, images):
            self.images, self.taken = images, []
            self.shape, self.dtype, self.ndim = images.shape, images.dtype, images.ndim

        def __len__(self):
            return len(self.images)

        def take(self, places, axis, mode):
            self.taken.extend(places.tolist())
            return self.images[places]

    def read(ranks):
        x, labels = images(20)
        watched = Watched(x)
        batches = Batches(watched, labels, batch_size=8, seed=0, by_rows=True)
        how = Shards(1, ranks=ranks)
        for _ in fit(made(), batches, SoftmaxCrossEntropy(), SGD(), epochs=1, gradient=how):
            pass
        return watched.taken

    one, other = among(2, read)
    assert sorted(one + other) == list(range(20))
    assert len(one) == len(other) == 10


def test_what_is_not_finite_is_diagnosed_from_the_whole_batch(among):
    def failing(ranks):
        x, labels = images(8)
        x[5] = np.nan
        batches = Batches(x, labels, batch_size=8, seed=0, by_rows=True)
        with pytest.raises(NotFiniteError) as caught:
            next(fit(made(), batches, SoftmaxCrossEntropy(), SGD(), epochs=1,
                     gradient=Shards(1, ranks=ranks)))  # fmt: skip
        return caught.value.rows, batches.order(0).tolist().index(5)

    for rows, place in among(2, failing):
        assert rows == (place,)


@pytest.mark.parametrize("n", [0, 1, 7, 10, 23])
@pytest.mark.parametrize("size", [2, 3])
def test_answers_are_those_of_one_process(n, size, among):
    network, (x, _) = made().frozen(), images(n)
    alone = InBatches(threads=size, at_once=4)
    expected = alone(network, x)

    def answered(ranks):
        return AmongRanks(alone.forward, 1, 4, ranks=ranks)(network, x)

    for found in among(size, answered):
        np.testing.assert_array_equal(found, expected)
    again = dataclasses.replace(alone, threads=1)
    np.testing.assert_allclose(again(network, x), expected, rtol=1e-5, atol=1e-6)


def test_an_error_of_one_rank_is_met_by_all(among):
    def failing(ranks):
        try:
            with ranks.all_or_none():
                if ranks.rank == 1:
                    raise DataError("a.h5", "nothing", "images")
        except HandgradError as error:
            return error

    zero, one, two = among(3, failing)
    assert isinstance(one, DataError)
    assert str(one) == "a.h5: found nothing; expected images"
    assert str(zero) == str(two) == f"rank 1 of 3 (on {name()}): {one}"
    assert zero.everywhere
    assert one.everywhere


def test_an_error_of_all_ranks_is_that_of_the_first(among):
    def failing(ranks):
        with pytest.raises(HandgradError) as caught, ranks.all_or_none(), all_or_none(ranks):
            raise HandgradError("the same")
        return str(caught.value)

    assert among(2, failing) == ["the same", f"rank 0 of 2 (on {name()}): the same"]


def test_a_good_end_passes(among):
    def good(ranks):
        with all_or_none(ranks), all_or_none(None):
            return ranks.rank

    assert among(2, good) == [0, 1]


def test_what_differs_is_refused_on_all(among):
    def compared(ranks):
        ranks.same("a", "letter")
        with pytest.raises(HandgradError) as caught:
            ranks.same("ab"[ranks.rank // 2], "letter")
        return str(caught.value)

    text = f"rank 2 of 3 (on {name()}): found letter b; expected a, as rank 0 has"
    assert among(3, compared) == [text] * 3


def test_cores_are_shared_by_those_who_may_use_the_same(among):
    everywhere = among(3, lambda ranks: ranks.share(frozenset(range(8))))
    assert everywhere == [2, 2, 2]
    bound = among(2, lambda ranks: ranks.share(frozenset([ranks.rank])))
    assert bound == [1, 1]
    assert among(3, lambda ranks: ranks.share(frozenset([0]))) == [1, 1, 1]


def test_words_and_the_first_on_a_machine(among):
    assert among(2, lambda ranks: ranks.told(ranks.rank)) == [[0, 1], [0, 1]]
    assert among(2, lambda ranks: ranks.from_first(ranks.rank)) == [0, 0]
    assert among(2, lambda ranks: ranks.first_here) == [True, False]
    with pytest.raises(AssertionError, match="aborted with 3"):
        among(1, lambda ranks: ranks.abort(3))


def test_a_process_that_nobody_started_as_a_rank_is_alone(monkeypatch):
    for name in ("PMI_SIZE", "PMI_RANK", "OMPI_COMM_WORLD_SIZE", "SLURM_NTASKS", "PMIX_RANK"):
        monkeypatch.delenv(name, raising=False)
    assert joined() is None
    monkeypatch.setenv("SLURM_NTASKS", "4")  # within a batch script, which is no rank
    assert joined() is None
    monkeypatch.setenv("PMI_SIZE", "1")
    monkeypatch.setenv("PMI_RANK", "0")
    assert joined() is None


def test_ranks_without_mpi4py_are_told_what_to_install(monkeypatch):
    monkeypatch.setenv("PMI_SIZE", "2")
    monkeypatch.setenv("PMI_RANK", "0")
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    with pytest.raises(HandgradError, match=r"found 2 ranks, but no mpi4py .*handgrad\[mpi\]"):
        joined()


def test_an_mpiexec_of_another_mpi_is_told(monkeypatch):
    """Every one of its processes would take itself for the only one."""

    class MPI:
        THREAD_SERIALIZED = 2

        class COMM_WORLD:
            size, rank = 1, 0

            @staticmethod
            def allgather(word):
                return [word]

        @staticmethod
        def get_vendor():
            return "MPICH", (5, 0, 2)

        @staticmethod
        def Query_thread():
            return 1

    module = type(sys)("mpi4py")
    module.MPI = MPI
    monkeypatch.setitem(sys.modules, "mpi4py", module)
    monkeypatch.delenv("PMI_SIZE", raising=False)
    monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", "4")
    monkeypatch.setenv("OMPI_COMM_WORLD_RANK", "2")
    with pytest.raises(HandgradError, match=r"found 4 ranks started and 1 in mpi4py's MPI \(MPICH"):
        joined()
    MPI.COMM_WORLD.size = 4
    with pytest.raises(HandgradError, match="an MPI without threads"):
        joined()
    MPI.THREAD_SERIALIZED = 1
    assert joined().size == 4


def name() -> str:
    """Of this machine."""
    return socket.gethostname()


def test_the_stand_in_is_asked_for_nothing_more():
    """Whoever uses more of a communicator should see it here, and give it to the stand-in."""
    assert {word for word in dir(Ranks) if not word.startswith("_")} == {
        "abort", "add", "all_or_none", "from_first", "rows", "same", "share", "told", "total",
    }  # fmt: skip
