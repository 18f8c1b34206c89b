"""Stopping early, and keeping the best."""

import contextlib

import pytest

from handgrad.layers import Dense
from handgrad.networks import Network
from handgrad.training import Report, keep_best, stop_at


def said(network, scores):
    """Reports with these validation accuracies and losses; weights i while report i is seen."""
    for i, score in enumerate(scores):
        network.vector[...] = i
        accuracy, loss = score if score else (None, None)
        yield Report(
            i, i, 1 / (i + 1), i / 10, 0.1, validation_loss=loss, validation_accuracy=accuracy
        )
    network.vector[...] = -1  # the update after the last report


@pytest.fixture
def network():
    return Network((Dense(1),), (2,))


RISE_AND_FALL = [(0.5, 1.0), (0.8, 0.7), (0.7, 0.5), (0.8, 0.6), (0.8, 0.6), *3 * [(0.1, 9.0)]]


@pytest.mark.parametrize(
    ("scores", "best"),
    [
        (RISE_AND_FALL, 3),  # the highest accuracy; among equals the lowest loss; then the first
        (RISE_AND_FALL[:2], 1),
        ([None, (0.1, 1.0), None, (0.0, 0.0)], 1),  # those unjudged do not count
        ([None, None], -1),  # nothing to judge by: the weights stay as training left them
    ],
)
def test_the_best_weights_are_kept(network, scores, best):
    assert len(list(keep_best(said(network, scores), network))) == len(scores)
    assert (network.vector == best).all()


def test_leaving_early_restores_the_best_so_far(network):
    with contextlib.closing(keep_best(said(network, RISE_AND_FALL), network)) as reports:
        for report in reports:
            if report.step == 2:
                assert (network.vector == 2).all()
                break
    assert (network.vector == 1).all()


def test_an_error_restores_the_best_so_far(network):
    def failing():
        yield from said(network, RISE_AND_FALL[:3])
        raise RuntimeError("the loss is nan")

    with pytest.raises(RuntimeError):
        list(keep_best(failing(), network))
    assert (network.vector == 1).all()


@pytest.mark.parametrize(("patience", "seen"), [(1, 3), (2, 6), (3, 7), (None, 8)])
def test_patience(network, patience, seen):
    """Better at 0, 1 and 3: one without between, four after."""
    reports = list(keep_best(said(network, RISE_AND_FALL), network, patience))
    assert len(reports) == seen
    assert (network.vector == (1 if patience == 1 else 3)).all()


@pytest.mark.parametrize(
    ("what", "value", "last"),
    [
        ("train_accuracy", 0.2, 2),
        ("loss", 0.25, 3),
        ("validation_accuracy", 0.8, 1),
        ("validation_loss", 0.6, 2),
        ("train_accuracy", 2.0, 7),  # never
        ("test_accuracy", 0.0, 7),  # never measured
    ],
)
def test_stop_at(network, what, value, last):
    reports = list(stop_at(said(network, RISE_AND_FALL), what, value))
    assert reports[-1].step == last
    if last < 7:
        assert (network.vector == last).all()  # it left before the next update


def test_stop_at_around_keep_best_ends_with_the_best(network):
    reports = stop_at(keep_best(said(network, RISE_AND_FALL), network), "train_accuracy", 0.2)
    with contextlib.closing(reports):
        list(reports)
    assert (network.vector == 1).all()
