"""Data with next to nothing in them: a training works with finite numbers, or is refused."""

from __future__ import annotations

import numpy as np
import pytest

from handgrad.datasets import Dataset, Splits
from handgrad.errors import HandgradError, RecipeError
from handgrad.experiments import Experiment, with_settings

CONVOLUTIONAL = [
    {"layer": "convolution", "channels": 8},
    {"layer": "batch-norm"},
    {"layer": "relu"},
    {"layer": "convolution", "channels": 8},
    {"layer": "group-norm", "groups": 2},
    {"layer": "relu"},
    {"layer": "global-average-pool"},
    {"layer": "dense", "units": "classes"},
]
DENSE = [
    {"layer": "dense", "units": 4},
    {"layer": "batch-norm"},
    {"layer": "relu"},
    {"layer": "dense", "units": "classes"},
]
TABLE = {
    "name": "few",
    "data": {"source": "lines"},
    "architecture": CONVOLUTIONAL,
    "loss": {"kind": "softmax cross-entropy"},
    "optimizer": {"kind": "adam", "learning_rate": 0.01},
    "training": {"epochs": 3, "batch_size": 2},
}
NAMES = ("a", "b", "c")


def dataset(labels, seed=0, value=None, side=8):
    generator = np.random.default_rng(seed)
    images = generator.integers(0, 256, size=(len(labels), side, side, 1), dtype=np.uint8)
    if value is not None:
        images[...] = value
    return Dataset(images, np.array(labels), NAMES)


def trained(settings=None, train=(0, 1, 2, 0, 1, 2), test=(0, 1, 2), validation=None, **how):
    """An experiment to its end, all of whose numbers are finite."""
    others = {} if validation is None else {"validation": dataset(validation, 2, **how)}
    splits = Splits(dataset(train, **how), dataset(test, 1, **how), others)
    experiment = Experiment(with_settings(TABLE, settings or {}), splits=splits)
    reports = list(experiment.train())
    assert len(reports) == experiment.recipe.training.epochs
    for report in reports:
        numbers = [value for value in report.known().values() if isinstance(value, float)]
        assert np.isfinite(numbers).all()
    assert np.isfinite(experiment.network.vector).all()
    found = [value for value in experiment.figures().values() if isinstance(value, float)]
    assert np.isfinite(found).all()
    answers = experiment.model().outputs(experiment.splits.test.images)
    assert np.isfinite(answers).all()
    return experiment


@pytest.mark.parametrize("reference", [False, True])
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("value", [0, 128, 255])
@pytest.mark.parametrize("normalize", [False, True])
def test_images_without_any_variance(value, normalize, threads, reference):
    """All alike: every channel of every normalization has variance 0, nearly everywhere."""
    settings = {"training.threads": threads, "training.reference": reference}
    experiment = trained({"data.normalize": normalize, **settings}, value=value)
    assert experiment.work.planned != reference


def test_one_channel_without_variance_beside_others():
    """A black colour channel, and a filter that is 0: 0 / √ε, not 0 / 0."""
    experiment = Experiment(TABLE, splits=Splits(dataset([0, 1, 2])))
    experiment.network.params[0].W[..., 3] = 0
    experiment.network.params[0].b[3] = 0
    reports = list(experiment.train())
    assert np.isfinite([report.loss for report in reports]).all()
    assert np.isfinite(experiment.network.vector).all()
    assert experiment.network.params[1].variance[3] < 1  # what is gathered of it: kept · 1 + 0


@pytest.mark.parametrize("settings", [{}, {"architecture": DENSE, "training.batch_size": 4}])
def test_a_last_batch_of_one_image(settings):
    """Five images in batches of two or four leave one, whose channels may be one number each."""
    trained(settings, train=(0, 1, 2, 0, 1))


def test_batches_of_one_image_where_a_channel_has_many_numbers():
    trained({"training.batch_size": 1})


@pytest.mark.parametrize(
    "settings",
    [
        {"architecture": DENSE, "training.batch_size": 1},
        {"architecture": DENSE, "training.group": 1},
        {"architecture": [{"layer": "residual", "layers": DENSE[:2], "shortcut": DENSE[:1]},
                          *DENSE[2:]], "training.batch_size": 1},
        {"training.batch_size": 1},
    ],
)  # fmt: skip
def test_batches_of_one_image_where_a_channel_is_one_number(settings):
    """Of one number nothing is left after its mean: refused before anything is trained."""
    side = 1 if "architecture" not in settings else 8
    table = with_settings(TABLE, settings)
    with pytest.raises(
        RecipeError, match="batch-norm: found one number a channel to take the mean"
    ):
        Experiment(table, splits=Splits(dataset([0, 1, 2, 0], side=side)))


@pytest.mark.parametrize("over", ["mean", "sum"])
@pytest.mark.parametrize("balanced", [False, True])
def test_classes_absent_from_a_batch(balanced, over):
    """Batches of two of three classes: one is always absent, and most batches hold one twice."""
    weights = {"loss.class_weights": "balanced"} if balanced else {}
    trained({"loss.over": over, **weights}, train=(0, 0, 0, 0, 1, 2))


@pytest.mark.parametrize("validation", [(0, 1), (2, 2, 2), (1,)])
def test_classes_absent_from_the_validation_set(validation):
    """Down to one class, and to one image; early stopping and the best weights go by it."""
    experiment = trained({"training.patience": 3}, validation=validation)
    assert 0 <= experiment.figures()["validation_accuracy"] <= 1


def test_a_class_absent_from_the_training_set_and_one_from_the_test_set():
    trained(train=(0, 1, 0, 1), test=(2, 2))


def test_a_class_absent_from_the_training_set_cannot_be_balanced():
    with pytest.raises(RecipeError, match=r"no training image of class 2 \(from 0\)"):
        trained({"loss.class_weights": "balanced"}, train=(0, 1, 0, 1))


def test_one_image_a_class():
    trained(train=(0, 1, 2))
    trained({"training.batch_size": None}, train=(0, 1, 2))
    with pytest.raises(
        HandgradError, match="one image of class 'a'; expected at least two of each"
    ):
        trained({"data.validation": 0.3}, train=(0, 1, 2))


def test_one_image_in_all():
    trained({"training.batch_size": None}, train=(1,), test=(0,))
