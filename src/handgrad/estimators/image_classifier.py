"""`ImageClassifier`: a network of the library as a scikit-learn classifier."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state

from handgrad.arrays import Shape
from handgrad.datasets import Augmentation
from handgrad.errors import RecipeError
from handgrad.estimators.classifier import Classifier
from handgrad.estimators.descent import Samples, descent
from handgrad.estimators.weighing import ClassWeight
from handgrad.experiments import Recipe, read_recipe
from handgrad.experiments.recipe import Data, Training
from handgrad.layers import Dense, Glorot, He, Layer, ReLU
from handgrad.losses import SigmoidCrossEntropy, SoftmaxCrossEntropy
from handgrad.optimizers import Adam, Constant, Optimizer
from handgrad.tables import from_table
from handgrad.training import State

__all__ = ["ImageClassifier"]

SMALL = 16
"""Pixels a side below which the recipe `folder` has nothing left after its strides and pools."""

HIDDEN = 100
"""Units of the hidden layer that small images and rows get, as `MLPClassifier` has them."""


class ImageClassifier(Classifier):
    """A neural network for images, as a scikit-learn classifier.

    X is (N, H, W, C) or (N, H, W) images (uint8, or float in 0..1), a list of paths of image files,
    or (N, F) rows: of features, which the network is fed as they are (a `StandardScaler` before it
    helps), or of the pixels of images, where ``image_shape`` says of which.

    Parameters
    ----------
    architecture : "auto": for images of 16x16 or more the network, the training and the
        augmentation of the recipe `folder`; for smaller ones and for rows one hidden layer of 100
        ReLU, trained by Adam for 200 epochs in batches of 200. A tuple of layers stands in for the
        network alone; a dense layer with the outputs follows it. A recipe's name or .toml gives all
        that it says, but its data.
    image_shape : (H, W, C). Rows are read as such images; images and files are resized to it. None:
        rows are rows, images stay as they are, files get the size that the recipe says, or 64x64x3
    optimizer : an `Optimizer`, such as ``Adam(learning_rate=0.01)``, or one's name, such as "adam";
        "auto": as the architecture says
    max_iter : epochs; None: as the architecture says
    batch_size : images a step; "auto": as the architecture says; never more than there are
    augmentation : a tuple of `Augmentation`; () for none; "auto": as the architecture says, and
        none for rows
    early_stopping : set a part aside, stop when its accuracy no longer grows, keep the best weights
    validation_fraction : that part
    n_iter_no_change : so many epochs without a better accuracy
    class_weight : from a class to what its samples count, "balanced" for classes that count the
        same together, or None
    warm_start : let `fit` begin with the weights of the last one
    random_state : of first values, order of batches, augmentation, validation part

    Attributes
    ----------
    classes_ : (K,) in order
    model_ : the trained `Model`. One of images or files is what `save_model` writes and
        ``handgrad predict`` reads.
    recipe_ : what was trained, as a recipe
    n_iter_ : epochs made
    loss_curve_ : the loss of each epoch, measured on its batches before their updates
    validation_scores_, best_validation_score_ : accuracies on the part set aside; None without it
    n_features_in_ : F, or H·W·C
    feature_names_in_ : of the columns of a data frame
    pixels_ : whether it was given images, and not rows of any features

    Rows of float64 are computed in float64, rows of float32 and all images in float32. Sample
    weights descend the weighted mean of the losses, exactly: see `handgrad.estimators.weighing`;
    the part that is set aside is judged with each sample counting once.

    >>> X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    >>> classifier = ImageClassifier(random_state=0).fit(X, ["no", "yes", "yes", "no"])
    >>> classifier.predict(X).tolist()
    ['no', 'yes', 'yes', 'no']
    """

    def __init__(
        self,
        architecture: Literal["auto"] | tuple[Layer, ...] | str = "auto",
        *,
        image_shape: tuple[int, int, int] | None = None,
        optimizer: Optimizer | str = "auto",
        max_iter: int | None = None,
        batch_size: int | Literal["auto"] = "auto",
        augmentation: tuple[Augmentation, ...] | Literal["auto"] = "auto",
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        class_weight: ClassWeight = None,
        warm_start: bool = False,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.architecture = architecture
        self.image_shape = image_shape
        self.optimizer = optimizer
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.augmentation = augmentation
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.class_weight = class_weight
        self.warm_start = warm_start
        self.random_state = random_state

    def fit(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Learn from samples and their classes.

        Parameters
        ----------
        X : see the class
        y : (N,) classes, of any kind that can be sorted
        sample_weight : (N,) what each sample counts, 0 or more; None: all the same

        Raises
        ------
        DataError : a file that is no image, by name; images that are not as they should be
        ValueError : rows, classes or weights that are not
        """
        again = self.warm_start and hasattr(self, "model_")
        samples = self._given(X, y, sample_weight, again=again)
        if again:
            self._renew()
        kept, held = samples, None
        if self.early_stopping:
            kept, held = self._divided(samples)
        self._state, self.n_iter_, self.loss_curve_ = State(), 0, []
        reports = list(
            descent(
                self.recipe_,
                self.model_.network,
                kept,
                state=self._state,
                watched={} if held is None else {"validation": (held.x, held.labels)},
            )
        )
        self._count(reports, kept)
        scores = [report.validation_accuracy for report in reports]
        self.validation_scores_ = None if held is None else scores
        best = self._state.best
        self.best_validation_score_ = None if best is None else best.accuracy
        return self

    def partial_fit(
        self,
        X: Any,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Go through these samples once, on from where the last ones ended.

        The learning rate stays what the optimizer says, without its schedule, and weights are not
        averaged: both need to know the end. Images are normalized as the first ones were.

        Parameters
        ----------
        X, y, sample_weight : as for `fit`; weights are relative to the mean of this call's
        classes : all that there will ever be; must be given with the first call
        """
        samples = self._given_once(X, y, sample_weight, classes)
        optimizer = replace(self.recipe_.optimizer, schedule=Constant())
        recipe = replace(self.recipe_, optimizer=optimizer, averaging=None)
        reports = descent(recipe, self.model_.network, samples, state=self._state, once=True)
        self._count(list(reports), samples)
        self.validation_scores_ = self.best_validation_score_ = None
        return self

    def _divided(self, samples: Samples) -> tuple[Samples, Samples]:
        """The part to learn from, and the one set aside, with as many of each class as fits."""
        labels = samples.labels
        parts = train_test_split(
            np.arange(len(labels)),
            test_size=self.validation_fraction,
            stratify=labels if np.bincount(labels).min() > 1 else None,
            random_state=self.recipe_.seed,
        )
        kept, held = (samples.take(part) for part in parts)
        return kept, held

    def _recipe(self, classes: int, pixels: bool, shape: Shape) -> Recipe:
        """What the parameters ask for, as a recipe."""
        named = isinstance(self.architecture, str) and self.architecture != "auto"
        if named:
            recipe = _read(str(self.architecture), classes)
        elif pixels and min(shape[:2]) >= SMALL:
            recipe = _read("folder", classes)
        else:
            recipe = _dense(classes, pixels)
        if not isinstance(self.architecture, str):
            layers = (*self.architecture, *_output(recipe, classes))
            recipe = replace(recipe, architecture=layers)
        augmentation = recipe.augmentation if pixels else ()
        if not isinstance(self.augmentation, str):
            augmentation = tuple(self.augmentation or ())
        elif self.augmentation != "auto":
            raise RecipeError(
                f"augmentation: found {self.augmentation!r}; expected 'auto' or a tuple"
            )
        optimizer = self.optimizer
        if isinstance(optimizer, str):
            known = {"kind": optimizer}
            optimizer = (
                recipe.optimizer
                if optimizer == "auto"
                else from_table(Optimizer, known, "optimizer")
            )
        size = recipe.training.batch_size if self.batch_size == "auto" else self.batch_size
        training = replace(
            recipe.training,
            epochs=recipe.training.epochs if self.max_iter is None else self.max_iter,
            batch_size=size,
            patience=self.n_iter_no_change if self.early_stopping else None,
        )
        return replace(
            recipe,
            seed=int(check_random_state(self.random_state).randint(2**31 - 1)),
            data=replace(recipe.data, source="X"),
            augmentation=augmentation,
            optimizer=optimizer,
            training=training,
        )

    def _data(self) -> Data:
        named = self.architecture if isinstance(self.architecture, str) else "auto"
        return _read("folder" if named == "auto" else named, 2).data


def _read(name: str, classes: int) -> Recipe:
    """A recipe that comes along, or of a .toml, for so many classes."""
    if Path(name).is_dir():
        raise RecipeError(f"architecture: found the folder {os.fspath(name)}; expected a recipe")
    return Recipe.of(read_recipe(name), classes=classes)


def _dense(classes: int, pixels: bool) -> Recipe:
    """What rows and small images get: network and training as `MLPClassifier` has them."""
    loss = SigmoidCrossEntropy() if classes == 2 else SoftmaxCrossEntropy()
    recipe = Recipe(
        name="rows",
        data=Data("X", normalize=pixels),
        architecture=(Dense(HIDDEN, weights=He()), ReLU()),
        loss=loss,
        optimizer=Adam(),
        training=Training(epochs=200, batch_size=200),
    )
    return replace(recipe, architecture=(*recipe.architecture, *_output(recipe, classes)))


def _output(recipe: Recipe, classes: int) -> tuple[Layer, ...]:
    return (Dense(recipe.loss.outputs(classes), weights=Glorot()),)
