"""The pictures that can be asked for by name, of a run, a recipe or a folder of images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from handgrad import training
from handgrad.arrays import Array
from handgrad.datasets import Batches, Dataset, OnDisk
from handgrad.errors import HandgradError, nearest
from handgrad.experiments.baselines import baselines
from handgrad.experiments.subject import NotThereError, Subject, pixels_of
from handgrad.layers import Dense
from handgrad.networks import layer_rows
from handgrad.training import confusion_matrix, unit_health

if TYPE_CHECKING:
    from handgrad.pictures.figure import Picture

__all__ = ["GALLERY", "SECTIONS", "Entry", "entry"]

IMAGES, EPOCHS = 6, 8
"""Rows and draws of the picture ``augmented``."""

IN_MEMORY = 5000
"""So many images of a data set that is too large for memory are looked at."""

SHOWN = 24
"""Columns of the batch as a matrix."""

LOOKED_AT = 500
"""Training images that say which units are dead."""

GRID = 20
"""Predictions in a grid, and images in a gallery."""


@dataclass(frozen=True)
class Entry:
    """A picture of the gallery.

    Parameters
    ----------
    section : of the page, see `SECTIONS`; "" for none
    title : on the page
    about : what it shows, in a line
    draw : from a subject to a figure
    note : how to read it, for the page
    """

    section: str
    title: str
    about: str
    draw: Callable[[Subject], Picture]
    note: str = ""


def entry(what: str) -> Entry:
    """A picture of the gallery by its name; a sentence with the nearest name if there is none."""
    if what not in GALLERY:
        raise HandgradError(f"picture {what!r} is unknown{nearest(what, GALLERY)}")
    return GALLERY[what]


def _images(subject: Subject) -> Picture:
    from handgrad.pictures import images

    train = _some(subject.experiment.train_set)
    return images(train.images, train.labels, subject.class_names)


def _batch(subject: Subject) -> Picture:
    from handgrad.pictures import batch_matrix

    train = subject.experiment.train_set
    some = _evenly(train.labels, SHOWN)
    return batch_matrix(subject.seen(train.take(some)), train.labels[some], subject.class_names)


def _balance(subject: Subject) -> Picture:
    from handgrad.pictures import class_balance

    experiment = subject.experiment
    parts = {"train": experiment.train_set, "validation": experiment.validation_set}
    parts |= {"test": experiment.splits.test}
    counts = {name: part.counts() for name, part in parts.items() if part is not None}
    return class_balance(counts, subject.class_names)


def _means(subject: Subject) -> Picture:
    from handgrad.pictures import mean_images

    train = _some(subject.experiment.train_set)
    return mean_images(train.images, train.labels, subject.class_names)


def _augmented(subject: Subject) -> Picture:
    from handgrad.pictures import augmented

    if not subject.table.get("augmentation"):
        raise NotThereError(
            f"recipe {subject.name!r}: found no augmentation; expected at least one "
            "[[augmentation]], without which the network saw its images as they are"
        )
    experiment = subject.experiment
    labels, preparation = experiment.train_set.labels, experiment.preparation
    chosen = _evenly(labels, IMAGES)
    batches = experiment.batches()
    shown = np.stack([_drawn(batches, chosen, epoch) for epoch in range(EPOCHS)], axis=1)
    return augmented(
        pixels_of(batches.images[chosen], preparation),
        pixels_of(shown, preparation),
        [experiment.class_names[label] for label in labels[chosen]],
    )


def _network(subject: Subject) -> Picture:
    from handgrad.pictures import network_drawing

    network = subject.experiment.network
    learning = [i for i in range(len(network.architecture)) if network.layout.layer(i).stop]
    weights = offsets = None
    if all(isinstance(network.architecture[i], Dense) for i in learning):
        weights = [network.params[i].W for i in learning]
        offsets = [getattr(network.params[i], "b", None) for i in learning]
    # A single output speaks for the second class.
    names = subject.class_names[-network.shapes[-1][0] :]
    return network_drawing(layer_rows(network), weights, offsets, names)


def _weights(subject: Subject) -> Picture:
    from handgrad.pictures import weight_matrices

    _trained(subject)
    network, found = subject.network, {}
    learning = [params for params in network.params if hasattr(params, "W")]
    for k, params in enumerate(learning, start=1):
        found[f"W{k}"] = params.W.T if params.W.ndim == 2 else params.W
        if hasattr(params, "b"):
            found[f"b{k}"] = params.b
    if not found:
        raise NotThereError(f"{subject.name!r}: it has no weights; expected some")
    return weight_matrices(found)


def _first(subject: Subject) -> Picture:
    from handgrad.pictures import first_weights

    _trained(subject)
    network = subject.network
    for name, slot in network.layout.slots.items():
        W, shape = slot.of(network.vector), network.shapes[0]
        if not name.endswith(".W"):
            continue
        if W.ndim == 4:
            return first_weights(W)
        if W.ndim == 2 and len(W) == np.prod(shape) and len(shape) == 3:
            if subject.experiment.preparation.transposed:
                W = W.reshape(*shape, -1).swapaxes(0, 1).reshape(W.shape)
            return first_weights(W, (shape[0], shape[1], shape[2]))
        break
    raise NotThereError(
        f"{subject.name!r}: its first weights look at no image; expected some that do"
    )


def _activations(subject: Subject) -> Picture:
    from handgrad.pictures import activations

    place = subject.doubtful
    image, x = subject.judged.take(np.array([place])), subject.looked_at(place)
    outputs = {name: y[0] for name, y in training.layer_outputs(subject.network, x).items()}
    return activations(
        image.images[0],
        outputs,
        subject.by_the_book(x)[0],
        subject.class_names,
        truth=int(image.labels[0]),
    )


def _contributions(subject: Subject) -> Picture:
    from handgrad.pictures import contributions

    place = subject.doubtful
    k, answer = subject.score(place)
    found = training.contribution(subject.network, subject.looked_at(place), k)
    learning = [layer for layer in subject.network.architecture if layer.name != "flatten"]
    return contributions(
        subject.judged.images[place],
        subject.upright(found.values[0]),
        answer,
        score=float(found.score[0]),
        truth=subject.class_names[subject.judged.labels[place]],
        linear=len(learning) == 1 and isinstance(learning[0], Dense),
    )


def _saliency(subject: Subject) -> Picture:
    from handgrad.pictures import saliency

    place = subject.doubtful
    k, answer = subject.score(place)
    gradient = training.input_gradient(subject.network, subject.looked_at(place), k)
    truth = subject.class_names[subject.judged.labels[place]]
    return saliency(subject.judged.images[place], subject.upright(gradient[0]), answer, truth=truth)


def _occlusion(subject: Subject) -> Picture:
    from handgrad.pictures import occlusion

    place = subject.doubtful
    x = subject.looked_at(place)
    k = int(subject.by_the_book(x)[0].argmax())
    patch = max(1, min(x.shape[1:3]) // 7)
    drops = training.occluded(
        subject.network, x[0], k, patch, max(1, patch // 2),
        says=subject.experiment.recipe.loss.probabilities,
    )  # fmt: skip
    names, truth = subject.class_names, subject.judged.labels[place]
    return occlusion(
        subject.judged.images[place], subject.upright(drops), names[k], truth=names[truth],
        patch=patch,
    )  # fmt: skip


def _cost(subject: Subject) -> Picture:
    from handgrad.pictures import cost_curve

    x, loss = subject.series("loss")
    validation = subject.series("validation_loss")[1]
    known = any(value is not None for value in validation)
    return cost_curve(x, loss, validation if known else None, unit=subject.unit)


def _accuracy(subject: Subject) -> Picture:
    from handgrad.pictures import accuracy_curve

    x, _ = subject.series("loss")
    found = {
        name: subject.series(f"{name}_accuracy")[1] for name in ("train", "validation", "test")
    }
    known = {name: row for name, row in found.items() if any(v is not None for v in row)}
    best = None
    if "validation" in known:  # the weights that were kept, by `training.keep_best`
        judged = [(value, -place) for place, value in zip(x, known["validation"], strict=True)
                  if value is not None]  # fmt: skip
        best = -max(judged)[1]
    return accuracy_curve(x, known, unit=subject.unit, best=best)


def _rate(subject: Subject) -> Picture:
    from handgrad.pictures import learning_rate_curve

    return learning_rate_curve(*subject.series("learning_rate"), unit=subject.unit)


def _norms(subject: Subject) -> Picture:
    from handgrad.pictures import norm_curves

    kinds = {"weights": "weight_norms", "gradient": "gradient_norms", "update": "update_norms"}
    x, _ = subject.series("loss")
    return norm_curves(
        x, {kind: subject.layerwise(key) for kind, key in kinds.items()}, unit=subject.unit
    )


def _updates(subject: Subject) -> Picture:
    from handgrad.pictures import update_ratio

    x, _ = subject.series("loss")
    updates, weights = (subject.layerwise(f"{kind}_norms") for kind in ("update", "weight"))
    return update_ratio(x, updates, weights, unit=subject.unit)


def _units(subject: Subject) -> Picture:
    from handgrad.pictures import dead_units

    train = subject.experiment.train_set
    x = subject.seen(train.take(_evenly(train.labels, LOOKED_AT)))
    _trained(subject)
    health = unit_health(subject.network, x)
    if not health:
        raise NotThereError(f"{subject.name!r}: no layer of it can die; expected an activation")
    last = subject.series("loss")[0][-1:]
    return dead_units(
        last, {f"{unit.layer}: {unit.state}": [unit.share] for unit in health}, unit=subject.unit
    )


def _descent(subject: Subject) -> Picture:
    from handgrad.pictures import himmelblau_descent

    return himmelblau_descent()


def _scoreboard(subject: Subject) -> Picture:
    from handgrad.pictures import scoreboard

    known = subject.run.summary.get("scoreboard") if subject.run is not None else None
    if known is not None:
        first, *others = known["rows"]
        mine = (subject.name, first["correct"], first["n"])
        return scoreboard([mine, *((row["name"], row["correct"], row["n"]) for row in others)])
    judged, train = subject.judged, subject.experiment.train_set
    if judged is train:
        raise NotThereError(f"{subject.name!r}: found no test part; expected one to be judged by")
    right = int((subject.probabilities.argmax(axis=1) == judged.labels).sum())
    rows = [(subject.name, right, len(judged))]
    for other in baselines(
        train.images, train.labels, judged.images, judged.labels, len(subject.class_names)
    ):
        rows.append((other.name, other.correct, other.n))
    return scoreboard(rows)


def _confusion(subject: Subject) -> Picture:
    from handgrad.pictures import confusion

    called, names = subject.probabilities.argmax(axis=1), subject.class_names
    return confusion(confusion_matrix(called, subject.judged.labels, len(names)), names)


def _predictions(subject: Subject) -> Picture:
    from handgrad.pictures import predictions

    judged, p = subject.judged, subject.probabilities
    # Evenly over the set, which is often sorted by class.
    some = np.unique(np.linspace(0, len(judged) - 1, GRID).round().astype(int))
    return predictions(judged.images[some], judged.labels[some], p[some], subject.class_names)


def _ranked(
    kind: Literal["most wrong", "least sure", "most typical"],
) -> Callable[[Subject], Picture]:
    def draw(subject: Subject) -> Picture:
        from handgrad.pictures import gallery

        judged, p = subject.judged, subject.probabilities
        if kind == "most wrong" and (p.argmax(axis=1) == judged.labels).all():
            raise NotThereError(f"{subject.name!r}: all {len(judged):,} images are right")
        return gallery(
            judged.images, judged.labels, p, subject.class_names, kind,
            file_names=judged.file_names, most=GRID,
        )  # fmt: skip

    return draw


def _reliability(subject: Subject) -> Picture:
    from handgrad.pictures import reliability

    return reliability(subject.judged.labels, subject.probabilities)


def _some(dataset: Dataset) -> Dataset:
    """The data set; of one that is too large for memory, images evenly over all."""
    if not isinstance(dataset.images, OnDisk):
        return dataset
    return dataset.take(_evenly(dataset.labels, IN_MEMORY))


def _evenly(labels: Array, count: int) -> Array:
    """The places of so many images at most, evenly over all, sorted by class."""
    order: Array = np.argsort(labels, kind="stable")
    some: Array = order[np.unique(np.linspace(0, len(order) - 1, count).round().astype(int))]
    return some


def _drawn(batches: Batches, chosen: Array, epoch: int) -> Array:
    """The chosen images as an epoch shows them; NaN for one that its last, short batch dropped."""
    found = np.full((len(chosen), *batches.images.shape[1:]), np.nan, batches.images.dtype)
    order = np.arange(len(batches.labels)) if batches.full else batches.order(epoch)
    where = np.argsort(order)[chosen]
    number, place = np.divmod(where, batches.batch_size or len(order))
    for n in np.unique(number[number < batches.steps_per_epoch]):
        images, _ = next(batches(epoch, first=int(n)))
        found[number == n] = images[place[number == n]]
    return found


def _trained(subject: Subject) -> None:
    """Refuse a recipe that was not run."""
    _ = subject.history


WENT_IN, NETWORK, LEARNED, HOW, WRONG = SECTIONS = (
    "What went in",
    "The network",
    "What was learned",
    "How it went",
    "Where it is wrong",
)
"""The page's, in order."""

GALLERY = {
    "images": Entry(
        WENT_IN, "Training images", "training images with their labels", _images
    ),
    "batch": Entry(
        WENT_IN, "A batch as the network sees it",
        "a batch as a matrix, one column a sample, with labels and one-hot", _batch,
        "One column is one image: its pixels from top to bottom, as they are fed in. "
        "Below it stand its label and the same as a column with a single 1.",
    ),
    "balance": Entry(WENT_IN, "Classes", "how many images of each class each part has", _balance),
    "means": Entry(
        WENT_IN, "Mean images", "the mean image of each class", _means,
        "What a class looks like where its images agree: a sharp mean is an easy class.",
    ),
    "augmented": Entry(
        WENT_IN, "Augmentation", "training images as the first epochs show them to the network",
        _augmented, "The network never sees the same image twice: each epoch draws anew.",
    ),
    "network": Entry(
        NETWORK, "The network", "the network: neuron by neuron, or layer by layer", _network
    ),
    "first-weights": Entry(
        LEARNED, "The first weights as images", "what the first neurons or filters look for",
        _first, "Warm pixels speak for a neuron's answer, cold ones against it.",
    ),
    "weights": Entry(
        LEARNED, "All weights as matrices", "every weight and offset as matrices", _weights,
        "A row is a neuron. All matrices have one scale of colours.",
    ),
    "activations": Entry(
        LEARNED, "One image on its way through",
        "the output of every layer for the image that the network is least sure of", _activations,
    ),
    "contributions": Entry(
        LEARNED, "What each pixel adds", "weight times pixel, or gradient times pixel",
        _contributions,
    ),
    "saliency": Entry(
        LEARNED, "Where a small change matters", "the gradient of the answer at the image",
        _saliency,
    ),
    "occlusion": Entry(
        LEARNED, "What is missed when it is covered",
        "the probability lost where a patch is covered", _occlusion,
    ),
    "cost": Entry(HOW, "Cost", "the loss over the training", _cost),
    "accuracy": Entry(HOW, "Accuracy", "accuracies over the training", _accuracy),
    "learning-rate": Entry(HOW, "Learning rate", "the learning rate over the training", _rate),
    "norms": Entry(
        HOW, "Norms", "norms of weights, gradients and updates of each layer", _norms,
        "A gradient that shrinks from layer to layer on its way back is vanishing.",
    ),
    "updates": Entry(
        HOW, "Size of the updates", "each layer's update beside its weights", _updates,
        "About a thousandth is healthy: far above it, a training shakes; far below, it crawls.",
    ),
    "units": Entry(
        HOW, "Dead and saturated units", "the share of units that no longer learn", _units
    ),
    "descent": Entry(
        "", "Gradient descent on Himmelblau's function",
        "gradient descent itself, from several starts", _descent,
    ),
    "scoreboard": Entry(
        WRONG, "Beside the simplest there is",
        "accuracy with its interval beside baselines", _scoreboard,
        "A network is worth its trouble where its interval lies above these.",
    ),
    "confusion": Entry(WRONG, "Confusion", "how often each class was called what", _confusion),
    "most-wrong": Entry(
        WRONG, "Most wrong", "the images that it is surest of, and wrong about",
        _ranked("most wrong"),
    ),
    "least-sure": Entry(
        WRONG, "Least sure", "the images between two classes", _ranked("least sure")
    ),
    "most-typical": Entry(
        WRONG, "Most typical", "the images of each class that it is surest of, and right about",
        _ranked("most typical"),
    ),
    "reliability": Entry(
        WRONG, "Is it as sure as it should be?", "accuracy by confidence, and calibration's error",
        _reliability, "On the diagonal, of all answers given with 80 % four of five are right.",
    ),
    "predictions": Entry(
        WRONG, "Some predictions", "images with what is said of them", _predictions
    ),
}  # fmt: skip
"""Every picture by its name, in the order of the page: a new one is a new line."""
