"""What is kept of a training: when, how much, and the same after a break."""

import numpy as np
import pytest

from handgrad.datasets import Batches
from handgrad.errors import DataError
from handgrad.layers import Dense, ReLU
from handgrad.losses import SoftmaxCrossEntropy
from handgrad.networks import Network
from handgrad.optimizers import Adam
from handgrad.storage import write_tensors
from handgrad.training import State, fit
from handgrad.training.snapshots import Snapshots, moments, read_snapshots


@pytest.mark.parametrize(
    ("total", "snapshots", "steps"),
    [
        (0, 10, (0,)),
        (1, 10, (0, 1)),
        (9, 10, tuple(range(10))),
        # k + c k², c = (10 - 4) / 4² = 0.375: 0, 1.375, 3.5, 6.375, 10
        (10, 5, (0, 1, 4, 6, 10)),
        # c = (1000 - 3) / 3² = 997/9: 1 + 110.8, 2 + 443.1
        (1000, 4, (0, 112, 445, 1000)),
        (1000, 2, (0, 1000)),
    ],
)
def test_the_moments(total, snapshots, steps):
    assert moments(total, 1, 8, limit_bytes=8 * snapshots) == steps
    assert moments(total, 1, 8, most=snapshots) == steps


def test_the_limit_is_one_of_bytes():
    at = moments(5000, numbers=1000, itemsize=4, limit_bytes=64_000)
    assert len(at) == 16
    assert len(moments(5000, 1000, 8, limit_bytes=64_000)) == 8
    assert moments(5000, 10**9, 4) == (0, 5000)  # the first and the last all the same


@pytest.mark.parametrize("total", [1, 7, 199, 255, 256, 257, 300, 3525, 100_001])
def test_they_are_apart_and_denser_early_on(total):
    at = moments(total, 1, 8)
    gaps = np.diff(at)
    assert (at[0], at[-1], len(at)) == (0, total, min(256, total + 1))
    assert gaps.min() >= 1
    assert np.all(np.diff(gaps) >= -1)  # rounded
    assert gaps[: len(gaps) // 2].sum() <= gaps[len(gaps) // 2 :].sum()


def _training(seed=0):
    """A small training in mini-batches: (network, run it from a state)."""
    generator = np.random.default_rng(seed)
    images, labels = generator.normal(size=(20, 4)), generator.integers(0, 3, size=20)
    network = Network((Dense(5), ReLU(), Dense(3)), (4,), dtype=np.float64)
    network.initialize(np.random.default_rng(1))

    def run(state, between):
        batches = Batches(images, labels, 3, seed)
        how = {"epochs": 6, "state": state, "between": between}
        return fit(network, batches, SoftmaxCrossEntropy(), Adam(learning_rate=0.01), **how)

    return network, run


AT = moments(42, 1, 8, most=9)


def test_what_is_kept_is_what_the_network_was():
    network, run = _training()
    seen, state = {}, State()
    snapshots = Snapshots(lambda: {"all": network.vector, "W": network.params[0].W[:, :2]}, AT)

    def between():
        seen[state.steps] = network.vector.copy()
        snapshots(state.steps)

    list(run(state, between))
    snapshots.end(state.steps)
    seen[42] = network.vector.copy()
    assert snapshots.steps == [*AT]
    arrays = snapshots.arrays()
    for i, step in enumerate(AT):
        np.testing.assert_array_equal(arrays["all"][i], seen[step])
        np.testing.assert_array_equal(arrays["W"][i], seen[step][:20].reshape(4, 5)[:, :2])
    plain, again = _training()
    list(again(State(), lambda: None))
    np.testing.assert_array_equal(plain.vector, network.vector)


@pytest.mark.parametrize("stop", [1, 4, 5, 17])
def test_a_training_that_goes_on_keeps_the_same(tmp_path, stop):
    """Stopped before step ``stop``; the file holds that very step and is read by a new one."""

    def whole(break_at):
        network, run = _training()
        state, look = State(), lambda: {"w": network.vector}
        snapshots = Snapshots(look, AT)

        class Stop(Exception):
            pass

        def until():
            snapshots(state.steps)
            if state.steps == break_at:
                raise Stop

        try:
            list(run(state, until))
        except Stop:
            snapshots.write(tmp_path / "s")
            snapshots = Snapshots(look, AT)
            snapshots.take_up(tmp_path / "s", state.steps)
            list(run(state, lambda: snapshots(state.steps)))
        snapshots.end(state.steps)
        return snapshots

    uninterrupted, resumed = whole(None), whole(stop)
    assert uninterrupted.steps == resumed.steps == [*AT]
    np.testing.assert_array_equal(uninterrupted.arrays()["w"], resumed.arrays()["w"])


def test_what_was_kept_after_the_checkpoint_is_left_out(tmp_path):
    w = np.arange(3.0)
    snapshots = Snapshots(lambda: {"w": w}, (0, 2, 4, 6))
    for step in range(5):
        snapshots(step)
    snapshots.write(tmp_path / "s")
    again = Snapshots(lambda: {"w": w}, (0, 2, 4, 6))
    again.take_up(tmp_path / "s", 3)
    assert again.steps == [0, 2]
    again(3)
    again(4)
    assert again.steps == [0, 2, 4]


def test_one_that_ends_early_has_the_last():
    w = np.zeros(1)
    snapshots = Snapshots(lambda: {"w": w}, (0, 5, 10))
    for step in range(8):
        snapshots(step)
        w += 1
    snapshots.end(8)
    assert snapshots.steps == [0, 5, 8]
    np.testing.assert_array_equal(snapshots.arrays()["w"].ravel(), [0, 5, 8])
    w[...] = -1  # the best ones, in the place of what was kept at that step
    snapshots.end(8)
    assert snapshots.steps == [0, 5, 8]
    assert snapshots.arrays()["w"][-1] == -1


def test_the_file(tmp_path):
    w = np.arange(6, dtype=np.float32).reshape(2, 3)
    snapshots = Snapshots(lambda: {"w": w.T}, (0, 1))
    snapshots(0)
    snapshots(1)
    snapshots.write(tmp_path / "s")
    steps, arrays = read_snapshots(tmp_path / "s")
    assert steps.tolist() == [0, 1]
    assert arrays["w"].dtype == np.float32
    np.testing.assert_array_equal(arrays["w"], [w.T, w.T])
    first = (tmp_path / "s").read_bytes()
    snapshots.write(tmp_path / "s")
    assert (tmp_path / "s").read_bytes() == first


@pytest.mark.parametrize(
    ("tensors", "found"),
    [
        ({"steps": np.array([0, 2])}, "steps alone"),
        ({"w": np.zeros((2, 1))}, "no steps in order"),
        ({"steps": np.array([2, 2]), "w": np.zeros((2, 1))}, "no steps in order"),
        ({"steps": np.array([0, 2]), "w": np.zeros((3, 1))}, r"w of shape \(3, 1\)"),
    ],
)
def test_other_files_are_refused(tmp_path, tensors, found):
    write_tensors(tmp_path / "s", tensors, {"format": 1})
    with pytest.raises(DataError, match=f"s: found {found}; expected"):
        read_snapshots(tmp_path / "s")


def test_snapshots_of_another_network_are_refused(tmp_path):
    ours = Snapshots(lambda: {"w": np.zeros((2, 3))}, (0,))
    ours(0)
    ours.write(tmp_path / "s")
    other = Snapshots(lambda: {"w": np.zeros((2, 4))}, (0,))
    with pytest.raises(DataError, match=r"found w as float64 of shape \(2, 3\); expected float64"):
        other.take_up(tmp_path / "s", 1)
    with pytest.raises(DataError, match="found no such file"):
        other.take_up(tmp_path / "t", 1)
