"""Baselines whose accuracy is known beforehand."""

import numpy as np
import pytest

import handgrad as hg
from handgrad.errors import HandgradError
from handgrad.experiments import baselines as module
from handgrad.experiments.baselines import baselines


def _grey(*values):
    """Images of 2 x 2 pixels, each of one grey."""
    return np.array(values, np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 1), np.uint8)


def test_the_majority_is_of_the_training_images():
    """Class 1 is the commonest in training, and 70 of 100 in the test; in it the order differs."""
    train = np.array([1] * 6 + [0] * 3 + [2])
    test = np.array([0] * 20 + [1] * 70 + [2] * 10)
    _, _, majority = baselines(_grey(*[9] * 10), train, _grey(*[9] * 100), test, 3)
    assert (majority.name, majority.correct, majority.n) == ("majority class", 70, 100)
    assert majority.accuracy == 0.7
    _, _, turned = baselines(_grey(*[9] * 100), test, _grey(*[9] * 10), np.zeros(10, int), 3)
    assert turned.correct == 0


def test_nearest_class_mean_by_hand():
    """Means 10 and 100, so the border is 55: of 0, 54, 56, 200 the middle two are on the wrong
    side."""
    train, labels = _grey(0, 20, 90, 110), np.array([0, 0, 1, 1])
    found = baselines(train, labels, _grey(0, 54, 56, 200), np.array([0, 1, 0, 1]), 2)
    assert (found[1].name, found[1].correct, found[1].n) == ("nearest class mean", 2, 4)
    # The class 1 that has no training image is never the nearest.
    found = baselines(train, 2 * labels, _grey(0, 54, 56, 200), np.array([0, 0, 2, 2]), 3)
    assert found[1].correct == 4


def test_two_blobs_in_the_plane_of_two_pixels():
    """On either side of a slanted line: separable, so logistic regression and the means find it.

    Pixels (a, b) with a - b = ±60 and a + b anywhere: the means differ across the line only.
    """
    generator = np.random.default_rng(0)
    labels = np.arange(400) % 2
    along = generator.integers(-50, 51, 400)
    a = 128 + along + np.where(labels, 30, -30) + generator.integers(-5, 6, 400)
    b = 128 + along - np.where(labels, 30, -30) + generator.integers(-5, 6, 400)
    images = np.stack([a, b], axis=1).astype(np.uint8).reshape(400, 1, 2, 1)
    logistic, nearest, majority = baselines(
        images[:200], labels[:200], images[200:], labels[200:], 2
    )
    assert (logistic.correct, logistic.n) == (200, 200)
    assert nearest.correct >= 198
    assert majority.correct == 100


@pytest.mark.filterwarnings("ignore:self.within_class_std_dev_")  # pixels that are always 0
def test_beside_scikit_learn_where_nothing_is_left_out():
    linear = pytest.importorskip("sklearn.linear_model")
    neighbors = pytest.importorskip("sklearn.neighbors")
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = (digits.images / 16).astype(np.float32)[..., None]
    train, test = slice(0, 300), slice(300, 700)
    logistic, nearest, _ = baselines(
        images[train], digits.target[train], images[test], digits.target[test], 10
    )
    x = images.reshape(len(images), -1)
    for ours, theirs in (
        (logistic, linear.LogisticRegression(max_iter=1000)),
        (nearest, neighbors.NearestCentroid()),
    ):
        theirs.fit(x[train], digits.target[train])
        # Ours stops after 50 steps at the latest.
        expected = (theirs.predict(x[test]) == digits.target[test]).sum()
        assert abs(ours.correct - expected) <= (4 if ours is logistic else 0)


def test_lines_are_nothing_for_a_mean():
    """Vertical and horizontal lines have the same mean image: (1/3 everywhere)."""
    vertical, horizontal = np.zeros((3, 3, 3, 1)), np.zeros((3, 3, 3, 1))
    for i in range(3):
        vertical[i, :, i], horizontal[i, i] = 1, 1
    images, labels = np.concatenate([vertical, horizontal]), np.array([0] * 3 + [1] * 3)
    logistic, _, majority = baselines(images, labels, images, labels, 2)
    assert logistic.correct == 3  # one layer cannot tell them apart
    assert majority.correct == 3


def test_the_experiment_digits_and_twice_the_same():
    splits = hg.datasets.load("digits")
    parts = hg.datasets.dataset.part(splits.train, 0.2, np.random.default_rng(0))
    (train, test) = parts
    first, second = (
        baselines(train.images, train.labels, test.images, test.labels, 10) for _ in range(2)
    )
    for one, other in zip(first, second, strict=True):
        assert (one.name, one.note) == (other.name, other.note)
        assert np.array_equal(one.right, other.right)
    logistic, nearest, majority = first
    assert logistic.accuracy > nearest.accuracy > 0.85
    assert 0.05 < majority.accuracy < 0.15


def test_what_was_left_out_is_told(monkeypatch):
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (40, 70, 33, 1), dtype=np.uint8)
    labels = np.arange(40) % 3
    monkeypatch.setattr(module, "SAMPLES", 10)
    monkeypatch.setattr(module, "ITERATIONS", 1)
    logistic, *_ = baselines(images, labels, images, labels, 3)
    assert logistic.note == "from 10 of 40 images, reduced to 23x16, stopped after 1 steps"
    monkeypatch.undo()
    quiet, *_ = baselines(_grey(0, 0, 255, 255), np.array([0, 0, 1, 1]), _grey(0), np.array([0]), 2)
    assert quiet.note == ""


def test_boxes_are_means_of_whole_pixels():
    image = np.arange(5 * 4, dtype=np.float32).reshape(1, 5, 4, 1)
    # 5 x 4 to at most 2 x 2: boxes of 3 x 2; the last two rows fill none.
    np.testing.assert_array_equal(
        module._reduced(image, 2)[0, ..., 0],
        [[(0 + 1 + 4 + 5 + 8 + 9) / 6, (2 + 3 + 6 + 7 + 10 + 11) / 6]],
    )
    assert module._reduced(image, 5) is image


def test_a_rare_class_is_learned_from_too(monkeypatch):
    """One image among a thousand, and ten looked at: it lies between the places, and yet counts."""
    monkeypatch.setattr(module, "SAMPLES", 10)
    labels = np.zeros(1000, int)
    labels[500], labels[700:] = 1, 2
    images = _grey(*np.choose(labels, [0, 255, 100]))
    seen = []
    pieces = module._pieces
    monkeypatch.setattr(module, "_pieces", lambda x, *side: seen.append(x) or pieces(x, *side))
    logistic, *_ = baselines(images, labels, _grey(0, 255), np.array([0, 1]), 3)
    assert 255 in seen[0]
    assert logistic.note.startswith("from 11 of 1,000 images")


def test_one_class_only():
    found = baselines(_grey(1, 2), np.array([1, 1]), _grey(1, 2, 3), np.array([1, 0, 1]), 2)
    assert [each.correct for each in found] == [2, 2, 2]
    assert found[0].note == "one class to learn from"


@pytest.mark.parametrize(
    ("train", "test", "sentence"),
    [
        ((0, 2, 2, 1), (1, 2, 2, 1), "found training images of shape"),
        ((1, 2, 2), (1, 2, 2, 1), "found training images of shape"),
        ((1, 2, 2, 1), (0, 2, 2, 1), "found test images of shape"),
        ((1, 2, 2, 1), (1, 2, 3, 1), "expected the same"),
    ],
)
def test_what_cannot_be_judged_is_a_sentence(train, test, sentence):
    with pytest.raises(HandgradError, match=sentence):
        baselines(
            np.zeros(train),
            np.zeros(train[0], int),
            np.zeros(test),
            np.zeros(test[0], int),
            1,
        )
