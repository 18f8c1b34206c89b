"""What both classifiers share: how X and y are read, and how a trained model answers."""

from __future__ import annotations

import math
import os
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, check_is_fitted, column_or_1d

from handgrad import __version__
from handgrad.arrays import Array, Shape
from handgrad.datasets import Dataset, Preparation, decode_many, fitted, numbers
from handgrad.errors import DataError
from handgrad.estimators.descent import Samples, outputs_of
from handgrad.estimators.weighing import ClassWeight, measured_by_weight, relative_weights
from handgrad.experiments import Recipe
from handgrad.experiments.recipe import Data
from handgrad.networks import Model, Network
from handgrad.training import Report, State

try:
    from sklearn.utils.validation import validate_data
except ImportError:  # before scikit-learn 1.6 it was a method

    def validate_data(estimator: Any, *arrays: Any, **settings: Any) -> Any:
        """scikit-learn's own reading of rows and labels."""
        return estimator._validate_data(*arrays, **settings)


__all__ = ["Classifier"]


class Classifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A scikit-learn classifier around a `Model`.

    X is one of

    - (N, F) rows of features, any finite numbers, which the network is fed as they are; or rows of
      pixels, where ``image_shape`` says of which images;
    - (N, H, W, C) or (N, H, W) images, uint8 in 0..255 or float in 0..1;
    - a list of paths of image files.

    A subclass says in `_recipe` what is trained, and has `fit` and `partial_fit`.
    """

    image_shape: tuple[int, int, int] | None
    class_weight: ClassWeight
    model_: Model
    classes_: Array
    recipe_: Recipe
    pixels_: bool
    n_features_in_: int
    n_iter_: int
    loss_curve_: list[float]

    def predict(self, X: Any) -> Array:
        """(N,) the likeliest class of each sample; of equals the first in ``classes_``."""
        outputs = self._outputs(X)
        labels = self.model_.loss.decide(outputs)
        # Of one class there is one output, by which a loss would tell two apart.
        return self.classes_[np.minimum(labels, len(self.classes_) - 1)]

    def predict_proba(self, X: Any) -> Array:
        """(N, K) float64 probabilities in the order of ``classes_``; each row sums to 1."""
        outputs = self._outputs(X).astype(np.float64)
        p = self.model_.loss.probabilities(outputs)
        p /= p.sum(axis=1, keepdims=True)
        return p

    def predict_log_proba(self, X: Any) -> Array:
        """(N, K) the logarithms of `predict_proba`; -inf where one is not above 0."""
        with np.errstate(divide="ignore"):
            logarithms: Array = np.log(self.predict_proba(X))
        return logarithms

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    def _outputs(self, X: Any) -> Array:
        check_is_fitted(self, "model_")
        return outputs_of(self.model_, self._asked(X))

    def _asked(self, X: Any) -> Array:
        """The images of X, as the model takes them."""
        preparation, kind = self.model_.preparation, _kind(X)
        if kind == "files":
            if not self.pixels_:
                raise ValueError(
                    f"X: found files; {type(self).__name__} was fitted on rows of "
                    f"{self.n_features_in_} features and expects such"
                )
            return _decoded(X, preparation)
        if kind == "images":
            images = _as_images(X)
            return images if self.image_shape is None else fitted(images, preparation)
        X = validate_data(self, X, reset=False, dtype=_dtype(self.pixels_))
        return _from_rows(X, preparation.shape, self.pixels_)

    def _recipe(self, classes: int, pixels: bool, shape: Shape) -> Recipe:
        """What is trained on images, or rows, of this shape."""
        raise NotImplementedError

    def _data(self) -> Data:
        """How files and images become numbers, before the first are seen."""
        raise NotImplementedError

    def _given(
        self,
        X: Any,
        y: Any,
        sample_weight: ArrayLike | None,
        *,
        again: bool,
        classes: ArrayLike | None = None,
    ) -> Samples:
        """X and y, checked; where nothing was learned before, a network with its first values too.

        Parameters
        ----------
        again : whether this goes on from what was learned
        classes : all that there will be; None for those of y, or those known
        """
        images, y, pixels = self._read(X, y, again=again)
        known = self.classes_ if again else np.unique(y if classes is None else np.asarray(classes))
        if again and classes is not None and not np.array_equal(np.unique(classes), known):
            raise ValueError(
                f"classes: found {np.unique(classes).tolist()}; expected those of the first call, "
                f"{known.tolist()}"
            )
        labels = _labels(y, known)
        weights, total = relative_weights(sample_weight, self.class_weight, labels, known)
        if not again:
            self._begin(images, labels, known, weights, pixels)
        model = self.model_
        if images.shape[1:] != model.preparation.shape:
            raise ValueError(
                f"X: found images of shape {images.shape[1:]}; expected "
                f"{model.preparation.shape}, as in the first call"
            )
        x = numbers(images, model.preparation, model.network.dtype)
        return Samples(x, labels, weights, total)

    def _given_once(
        self, X: Any, y: Any, sample_weight: ArrayLike | None, classes: ArrayLike | None
    ) -> Samples:
        """`_given` for `partial_fit`, which sees a part of the samples only."""
        again = hasattr(self, "model_")
        if not again and classes is None:
            raise ValueError("classes: found None; expected all classes, at the first partial_fit")
        if isinstance(self.class_weight, str):
            raise ValueError(
                f"class_weight: found {self.class_weight!r}, which needs all samples; partial_fit "
                "expects a dict or None"
            )
        return self._given(X, y, sample_weight, again=again, classes=classes)

    def _begin(
        self, images: Array, labels: Array, classes: Array, weights: Array | None, pixels: bool
    ) -> None:
        """A model whose network has its first values."""
        shape = images.shape[1:]
        recipe = self._recipe(len(classes), pixels, shape)
        recipe = replace(recipe, loss=recipe.loss.balanced(labels, len(classes)))
        preparation = Preparation(*shape)
        if pixels:
            preparation = _preparation(recipe.data, shape)
            if recipe.data.normalize:
                preparation = measured_by_weight(preparation, images, weights)
        if not pixels and images.dtype == np.float64:
            recipe = replace(recipe, dtype="float64")
        network = Network(recipe.architecture, shape, dtype=recipe.dtype)
        shown = numbers(images, preparation, network.dtype) if network.looks else None
        network.initialize(np.random.default_rng(recipe.seed), shown)
        names = tuple(str(name) for name in classes.tolist())
        about = {"recipe": recipe.table(), "versions": {"handgrad": __version__}}
        self.model_ = Model(network, preparation, names, recipe.loss, about, recipe.views)
        self.classes_, self.pixels_, self.recipe_ = classes, pixels, recipe
        self._state, self.n_iter_, self.loss_curve_ = State(), 0, []

    def _renew(self) -> None:
        """What the parameters ask for by now, for the network that is there."""
        shape = self.model_.preparation.shape
        recipe = self._recipe(len(self.classes_), self.pixels_, shape)
        if recipe.architecture != self.recipe_.architecture:
            raise ValueError(
                "warm_start: found parameters that ask for another network; expected those of the "
                "last fit, whose weights it begins with"
            )
        self.recipe_ = replace(
            recipe, loss=self.recipe_.loss, data=self.recipe_.data, dtype=self.recipe_.dtype
        )

    def _count(self, reports: list[Report], samples: Samples) -> None:
        """What a training leaves to be read."""
        self.n_iter_ += len(reports)
        self.loss_curve_ += [report.loss for report in reports]
        self.model_.about["trained"] = reports[-1].known()
        self.model_.about["images"] = len(samples.labels)

    def _read(self, X: Any, y: Any, *, again: bool) -> tuple[Array, Array, bool]:
        """Images, y, and whether they are pixels; sets ``n_features_in_``, and names of a frame."""
        kind = _kind(X)
        if kind == "rows":
            pixels = self.pixels_ if again else self.image_shape is not None
            X, y = validate_data(self, X, y, reset=not again, dtype=_dtype(pixels))
            check_classification_targets(y)
            shape: Shape = self.image_shape or (1, X.shape[1], 1)
            if again:
                shape = self.model_.preparation.shape
            return _from_rows(X, shape, pixels), y, pixels
        if again and not self.pixels_:
            raise ValueError(f"X: found {kind}; expected rows of features, as in the first call")
        files_as = self._files_as(again)
        images = _decoded(X, files_as) if kind == "files" else _as_images(X)
        if self.image_shape is not None:
            images = fitted(images, files_as)
        y = column_or_1d(y, warn=True)
        check_consistent_length(images, y)
        check_classification_targets(y)
        if not again:
            if hasattr(self, "feature_names_in_"):
                del self.feature_names_in_
            self.n_features_in_ = math.prod(images.shape[1:])
        return images, y, True

    def _files_as(self, again: bool) -> Preparation:
        """How files are decoded to learn from: as the model does afterwards."""
        if again:
            return self.model_.preparation
        data = self._data()
        size = data.size or (64, 64)
        return _preparation(data, self.image_shape or (size[0], size[1], data.channels or 3))


def _preparation(data: Data, shape: Shape) -> Preparation:
    """What a recipe says of images, without what is measured on them."""
    height, width, channels = shape
    return Preparation(
        height,
        width,
        channels,
        data.resample or "bilinear",
        data.draft,
        data.scale,
        transposed=data.transposed,
    )


def _kind(X: Any) -> Literal["rows", "images", "files"]:
    """What X is made of; whatever is neither images nor files is left to scikit-learn to judge."""
    if isinstance(X, list | tuple) or getattr(X, "ndim", 0) == 1:
        entries = list(X)
        if entries and all(isinstance(entry, str | os.PathLike) for entry in entries):
            return "files"
        arrays = [entry for entry in entries if getattr(entry, "ndim", 0) in (2, 3)]
        return "images" if entries and len(arrays) == len(entries) else "rows"
    return "images" if getattr(X, "ndim", 0) in (3, 4) else "rows"


def _as_images(X: Any) -> Array:
    """(N, H, W, C) of (N, H, W) or (N, H, W, C), if they are pixels."""
    shapes = {entry.shape for entry in X} if isinstance(X, list | tuple) else set()
    if len(shapes) > 1:
        found = f"images of {' and '.join(str(shape) for shape in sorted(shapes, key=str)[:2])}"
        raise DataError("X", found, "images of one shape, or a list of paths, which are resized")
    images = np.asarray(X)
    images = images[..., None] if images.ndim == 3 else images
    # What a data set is held to: counts, dtype, range, finite.
    return Dataset(images, np.zeros(len(images), np.int64), ("",), name="X").images


def _from_rows(X: Array, shape: Shape, pixels: bool) -> Array:
    """(N, H, W, C) of (N, F)."""
    if X.shape[1] != math.prod(shape):
        raise ValueError(
            f"X: found {X.shape[1]} features; expected {math.prod(shape)}, which images of "
            f"shape {tuple(shape)} have"
        )
    images = X.reshape(len(X), *shape)
    if not pixels:
        return images
    if np.issubdtype(images.dtype, np.integer) and images.min() >= 0 and images.max() <= 255:
        images = images.astype(np.uint8, copy=False)
    return _as_images(images)


def _dtype(pixels: bool) -> Any:
    """What rows become: pixels stay as they are, numbers become float as MLPClassifier has it."""
    return "numeric" if pixels else [np.float64, np.float32]


def _decoded(files: Any, preparation: Preparation) -> Array:
    """The images of files, which must all decode."""
    images, faults = decode_many(list(files), preparation)
    if faults:
        raise faults[0]
    return images


def _labels(y: ArrayLike, classes: Array) -> Array:
    """(N,) the places of y in ``classes``, which are sorted.

    Raises
    ------
    ValueError : a class that is not there
    """
    labels = np.searchsorted(classes, y)
    labels = np.minimum(labels, len(classes) - 1)
    strange = np.asarray(y)[classes[labels] != y].tolist()
    if strange:
        raise ValueError(
            f"y: found the class {strange[0]!r}; expected one of the classes {classes.tolist()}"
        )
    return labels
