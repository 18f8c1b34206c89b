"""An experiment: a recipe from data to saved run. What `train`, a sweep and Python all call."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from handgrad import __version__
from handgrad.arrays import Array, Shape, device_name, on_device, on_host
from handgrad.datasets import (
    Batches,
    Dataset,
    Preparation,
    Splits,
    catalogue,
    load,
    measured,
    natural,
    numbers,
    part,
    read_quarantine,
    redrawn,
)
from handgrad.errors import NotFiniteError, RecipeError
from handgrad.experiments.recipe import Data, Recipe, Training
from handgrad.experiments.threads import Threads, cores, limited, own_cores
from handgrad.experiments.work import work_for
from handgrad.layers import BatchNorm, Layer, Residual
from handgrad.losses import Loss
from handgrad.networks import (
    Draws,
    ForwardOn,
    InBatches,
    Model,
    Network,
    check_memory,
    forward_by_the_book,
)
from handgrad.parallel import AmongRanks, Ranks, all_or_none
from handgrad.plans import PlannedForward
from handgrad.training import (
    BatchSource,
    Diagnosis,
    Report,
    Span,
    State,
    accuracy,
    diagnose,
    fit,
    keep_best,
    penalty,
    stop_at,
    wilson_interval,
)

__all__ = ["Experiment", "Progress", "loaded"]

Progress = Callable[[str, int, int], None]

TEST_SPLIT, VALIDATION_SPLIT = 3, 4
"""Branches of the seed; 1 shuffles (`datasets.Batches`), 2 draws (`training.fit`)."""

SHOWN = 5000
"""So many training images are shown to layers whose first values are made from images."""


class Experiment:
    """A recipe with its data and its network, ready to be trained.

    Parameters
    ----------
    table : a recipe's table, as `read_recipe` gives it
    splits : data that is there already; None to load what the recipe names
    progress : told about each stage of the loading, for a bar; None for bars in the notebook in
        which this runs, if it does
    ranks : the processes that train it together, each with this same experiment; None for this one

    Attributes
    ----------
    recipe : complete, as it will be run
    splits : train (without its validation part), test, others
    work : how it is computed
    state : where the training stands
    history : the reports so far
    certificate : goes into the model file, if there is one

    >>> experiment = Experiment({"name": "tiny", "data": {"source": "lines"},
    ...     "architecture": [{"layer": "dense", "units": "classes"}],
    ...     "loss": {"kind": "softmax cross-entropy"}, "optimizer": {"kind": "sgd"}})
    >>> for report in experiment.train():
    ...     if report.train_accuracy == 1:
    ...         break
    """

    def __init__(
        self,
        table: dict[str, Any],
        *,
        splits: Splits | None = None,
        progress: Progress | None = None,
        ranks: Ranks | None = None,
    ) -> None:
        self.ranks = ranks
        self._span: Span | None = None
        self._away: Network | None = None
        self._stepping = False
        recipe = Recipe.of(table)  # before any loading, so that a slip is told at once
        if device_name(recipe.training.device or "cpu") != "cpu" and ranks is not None:
            raise RecipeError(f"training.device: found cuda on {ranks.size} ranks; expected one")
        seed, data = recipe.seed, recipe.data
        self.splits = splits or _loaded(recipe.data, recipe.seed, progress or _shown_here(), ranks)
        self.whole_train = self.splits.train
        names = self.whole_train.class_names
        self.recipe = Recipe.of(table, classes=len(names))
        self.train_set, self.validation_set = self.whole_train, self.splits.others.get("validation")
        if data.validation and self.validation_set is None:
            self.train_set, self.validation_set = part(
                self.whole_train, data.validation, _generator(seed, VALIDATION_SPLIT)
            )
        loss = self.recipe.loss.balanced(self.train_set.labels, len(names))
        self.recipe = dataclasses.replace(self.recipe, loss=loss)
        _check_validation(self.recipe.training, self.validation_set is not None)
        self.preparation = _preparation(data, self.splits, self.train_set)
        _check_fits(self.recipe, self.preparation)
        self._network = network = Network(
            self.recipe.architecture, self.preparation.shape, dtype=self.recipe.dtype
        )
        training = self.recipe.training
        together = min(training.batch_size or len(self.train_set), len(self.train_set))
        _check_norms(
            network.architecture, network.shapes[0], min(together, training.group or together)
        )
        # The seed's own generator, so that a reader can repeat the first values by hand.
        network.initialize(np.random.default_rng(seed), self._shown())
        # Refuses a network whose outputs do not fit the classes before it is trained for nothing.
        self._answering = Model(
            network, self.preparation, names, self.recipe.loss, views=recipe.views
        )
        self.class_names = names
        available, size = cores(), 1
        if ranks is not None:
            available, size = min(available, ranks.share(own_cores())), ranks.size
        self.work = work_for(self.recipe, network, len(self.train_set), available, size)
        forward = forward_by_the_book if training.reference else PlannedForward()
        if self.work.device != "cpu":
            forward = ForwardOn(self.work.device)
        network.how_outputs = InBatches(forward, self.threads.shards)
        self._said: dict[int, tuple[Array, Array]] = {}
        self.history: list[Report] = []
        self.state = State()
        self.seconds = 0.0
        self._steps_per_epoch = 1
        self.certificate: dict[str, Any] | None = None

    @property
    def threads(self) -> Threads:
        """How threads are used."""
        return self.work.threads

    @property
    def spanned(self) -> bool:
        """Whether the first weights are trained by coordinates in the span of the inputs."""
        return self.work.span > 0

    @property
    def network(self) -> Network:
        """With its first values, then the trained ones; only to be read while `train` goes on."""
        if self._stepping:
            self._carry_back()
        return self._network

    @property
    def stepped(self) -> Network:
        """The network that `train` steps: this one, or one elsewhere, from its values now.

        In coordinates, or on a graphics card.
        """
        if self.work.device != "cpu":
            self._away = self._away or self._network.on(self.work.device)
            return self._away
        if self.spanned and self._span is None:
            self._span = Span(self._network, self._numbers(self.train_set))
        return self._span.network if self._span is not None else self._network

    def train(
        self,
        watch: Callable[[BatchSource], BatchSource] = lambda batches: batches,
        between: Callable[[], None] = lambda: None,
    ) -> Iterator[Report]:
        """Train from where ``state`` stands, report by report; leave the loop to stop.

        ``network``, asked for at a report, holds the weights reported, and so it does afterwards.

        Parameters
        ----------
        watch : wraps the batches: a bar counts them, an interrupt ends them
        between : called wherever the training could go on from, before every step: see `fit`
        """
        recipe, training = self.recipe, self.recipe.training
        if self.state.steps == 0:
            self._span = self._away = None  # somebody may have given the network other first values
        start = time.perf_counter() - self.seconds
        network = self.stepped
        batches, watched = self._in_coordinates()
        self._steps_per_epoch = batches.steps_per_epoch

        def stands() -> None:
            self.seconds = time.perf_counter() - start
            between()

        reports: Generator[Report] = fit(
            network,
            watch(batches),
            recipe.loss,
            recipe.optimizer,
            epochs=training.epochs,
            seed=recipe.seed,
            gradient=self.work.gradient(self.ranks),
            averaging=recipe.averaging,
            watched=watched,
            every=training.every,
            norms=training.norms,
            state=self.state,
            between=stands,
            diagnosed=self._diagnosed,
        )
        if self.validation_set is not None:
            reports = keep_best(reports, network, training.patience, self.state)
        if goal := training.goal():
            reports = stop_at(reports, *goal)
        with (
            limited(self.threads.blas),
            self.among_ranks(),
            self._carried_back(),
            contextlib.closing(reports),
        ):
            try:
                for report in reports:
                    self.history.append(report)
                    self.seconds = time.perf_counter() - start
                    yield report
            except NotFiniteError as error:
                self._name_images(error, batches)
                raise
            self.seconds = time.perf_counter() - start

    def _diagnosed(
        self, network: Network, loss: Loss, x: Array, labels: Array, draws: Draws | None
    ) -> Diagnosis:
        """`diagnose`, of the images and the weights themselves where coordinates are stepped."""
        if self._span is not None:
            self._span.carry_back()
            network, x = self._network, self._span.images
        return diagnose(network, loss, x, labels, draws)

    def _name_images(self, error: NotFiniteError, batches: Batches) -> None:
        """Let an error say which images its batch held."""
        size = batches.batch_size or len(self.train_set)
        places = np.arange(size) if batches.full else batches.order(error.epoch)
        first = error.step % batches.steps_per_epoch * size
        error.images = tuple(places[first : first + size].tolist())
        if (names := self.train_set.file_names) is not None:
            error.files = tuple(names[i] for i in error.images)

    def batches(self) -> Batches:
        """The training images as `train` goes through them: in order, in batches, augmented."""
        return self._batches(self._numbers(self.train_set))

    def _batches(self, images: Array) -> Batches:
        return Batches(
            images,
            self.train_set.labels,
            self.recipe.training.batch_size,
            self.recipe.seed,
            augmentations=self.recipe.augmentation,
            drop_last=self.recipe.training.drop_last,
            by_rows=self.ranks is not None or self.threads.shards > 1,
        )

    def _in_coordinates(self) -> tuple[Batches, dict[str, tuple[Array, Array]]]:
        """The batches and what is watched, as what is stepped takes them."""
        span = self._span
        if span is None:
            batches = self.batches()
            if batches.full and not batches.augmentations:  # then it travels once
                images = on_device(batches.images, self.work.device)
                batches = dataclasses.replace(batches, images=images)
            return batches, self._watched()
        with limited(self.recipe.training.threads or cores()):  # the products are large
            watched = {name: (span.of(x), labels) for name, (x, labels) in self._watched().items()}
            return self._batches(span.of(span.images)), watched

    @contextlib.contextmanager
    def _carried_back(self) -> Iterator[None]:
        """In the block the weights may be elsewhere; after it the network holds them."""
        self._stepping = True
        try:
            yield
        finally:
            self._stepping = False
            self._carry_back()

    def _carry_back(self) -> None:
        """Let the network hold the weights that are stepped elsewhere."""
        if self._span is not None:
            self._span.carry_back()
        if self._away is not None:
            self._network.vector[...] = on_host(self._away.vector)

    @contextlib.contextmanager
    def among_ranks(self) -> Iterator[None]:
        """In the block all ranks must ask the network the same, and each computes its part."""
        networks = [self._network, *([self._span.network] if self._span is not None else [])]
        before = [network.how_outputs for network in networks]
        for network, how in zip(networks, before, strict=True):
            if self.ranks is not None:
                network.how_outputs = AmongRanks(
                    how.forward, how.threads, how.at_once, ranks=self.ranks
                )
        try:
            yield
        finally:
            for network, how in zip(networks, before, strict=True):
                network.how_outputs = how

    @property
    def epochs(self) -> float:
        """The passes through the data that were made."""
        return self.state.steps / self._steps_per_epoch

    @property
    def images_per_second(self) -> float:
        """Training images that went forward and back, per second of the loop."""
        return self.epochs * len(self.train_set) / self.seconds if self.seconds else 0.0

    def model(self) -> Model:
        """The network as it is now, with all that it needs to be asked about a photograph."""
        return dataclasses.replace(self._answering, network=self.network, about=self._about())

    def figures(self) -> dict[str, Any]:
        """What the weights that are kept achieve, with the loss as it was descended.

        On the training images as they are; on all others by the recipe's views, as the model
        answers.
        """
        loss = self.recipe.loss
        outputs = self.network.outputs(self._numbers(self.train_set))
        labels = self.train_set.labels
        value, _ = loss(outputs, labels)
        value += penalty(self.network, loss)
        found: dict[str, Any] = {
            "loss": value,
            "train_accuracy": accuracy(loss.decide(outputs), labels),
        }
        if self.validation_set is not None:
            found["validation_accuracy"] = self._accuracy(self.validation_set)
        test = self.splits.test
        if test is not None:
            share = self._accuracy(test)
            low, high = wilson_interval(round(share * len(test)), len(test))
            found |= {
                "test_accuracy": share,
                "test_low": low,
                "test_high": high,
                "test_n": len(test),
            }
        for name, other in self.splits.others.items():
            if other is not self.validation_set:
                found[f"{name}_accuracy".replace(" ", "_")] = self._accuracy(other)
        return found

    def repeats(
        self, watch: Callable[[BatchSource], BatchSource] = lambda batches: batches
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        """The same training with other seeds, one after another: (seed, its figures).

        ``watch`` is that of `train`.
        """
        for seed in self.recipe.repeats.seeds:
            again = self.repeat(seed)
            for _ in again.train(watch):
                pass
            yield seed, again.figures()

    def repeat(self, seed: int) -> Experiment:
        """The same experiment with another seed, to be trained.

        With ``split = "random"`` the training and test images are pooled and dealt anew, by seed.
        """
        splits = self.splits
        if self.recipe.repeats.split == "random" and splits.test is not None:
            splits = redrawn(splits, _generator(seed, TEST_SPLIT))
        table = self.recipe.table() | {"repeats": {}, "seed": seed}
        with all_or_none(self.ranks):
            return Experiment(table, splits=splits, ranks=self.ranks)

    def outputs(self, dataset: Dataset) -> Array:
        """What the model says of a data set; asked again with the same weights, it remembers."""
        said = self._said.get(id(dataset))
        if said is None or not np.array_equal(said[0], self.network.vector):
            said = self.network.vector.copy(), self._answering.outputs(dataset.images)
            self._said[id(dataset)] = said
        return said[1]

    def _accuracy(self, dataset: Dataset) -> float:
        return accuracy(self.recipe.loss.decide(self.outputs(dataset)), dataset.labels)

    def _shown(self) -> Array | None:
        """The first training images, as the network will see them, if it looks at any to begin."""
        if not self.network.looks:
            return None
        return self._numbers(self.train_set.take(np.arange(min(SHOWN, len(self.train_set)))))

    def _numbers(self, dataset: Dataset) -> Array:
        x = numbers(dataset.images, self.preparation, self.recipe.dtype)
        # A step of the full batch takes them all.
        return np.asarray(x) if self.recipe.training.batch_size is None else x

    def _watched(self) -> dict[str, tuple[Array, Array]]:
        watched = {}
        if self.validation_set is not None:
            watched["validation"] = self.validation_set
        if self.recipe.training.test_each_epoch and self.splits.test is not None:
            watched["test"] = self.splits.test
        return {name: (self._numbers(d), d.labels) for name, d in watched.items()}

    def _about(self) -> dict[str, Any]:
        """What a model file says of its making: nothing that differs between equal trainings."""
        table = self.recipe.table()
        source = Path(self.recipe.data.source)
        table["data"]["source"] = source.name or str(source)
        about: dict[str, Any] = {
            "recipe": table,
            "images": len(self.train_set),
            "versions": {"handgrad": __version__, "numpy": np.__version__},
            "trained": self.history[-1].known() if self.history else {},
        }
        if self.certificate is not None:
            about["certificate"] = self.certificate
        test = self.splits.test
        if test is not None:
            about["test"] = {
                "accuracy": self._accuracy(test),
                "n": len(test),
                "fingerprint": test.fingerprint(),
            }
        return about


def _loaded(data: Data, seed: int, progress: Progress | None, ranks: Ranks | None) -> Splits:
    """The images, which one rank of each machine loads first: the others find what it has kept."""
    if ranks is None:
        return loaded(data, seed, progress)
    found = None
    for turn in (True, False):
        with ranks.all_or_none():
            if ranks.first_here == turn:
                found = loaded(data, seed, progress)
    assert found is not None  # it was either turn
    return found


def _shown_here() -> Progress | None:
    """What shows the stages of the loading in a notebook."""
    from handgrad.experiments.notebook import here  # which knows of trainings

    shown = here()
    return None if shown is None else shown.loading


def loaded(data: Data, seed: int, progress: Progress | None = None) -> Splits:
    """The images that a recipe names, with the test part that its seed deals out."""
    asked = None
    if data.size is not None or data.channels is not None:
        height, width = data.size or _own_size(data.source)
        asked = Preparation(
            height, width, data.channels or 3, data.resample or "bilinear", data.draft
        )
    return load(
        data.source,
        asked,
        generator=_generator(seed, TEST_SPLIT),
        test=data.test,
        skip_bad=data.skip_bad,
        quarantine=read_quarantine(data.quarantine) if data.quarantine else (),
        cache=data.cache,
        classes=data.classes or None,
        each=progress,
    )


def _own_size(source: str) -> tuple[int, int]:
    """Height and width of a source's images, for a recipe that leaves them to the source."""
    known = catalogue()
    if source in known:
        return known[source].shape[:2]
    path = Path(source)
    if path.suffix in (".h5", ".hdf5") and path.is_file():
        _, height, width, _ = load(path, test=0.0).train.images.shape
        return height, width
    return 64, 64


def _check_validation(training: Training, there: bool) -> None:
    """Refuse to wait for a figure that no report will have."""
    goal = training.goal()
    waits = "patience" if training.patience else "until" if goal and "valid" in goal[0] else None
    if waits and not there:
        raise RecipeError(
            f"training.{waits}: found no validation part to judge by; expected one, such as by "
            "data.validation = 0.1"
        )


def _check_fits(recipe: Recipe, preparation: Preparation) -> None:
    """Refuse a training that this machine's memory cannot hold, before any of it is asked for.

    There are the weights, their gradient, and what the optimizer and the averaging remember.
    """
    shapes = Network.shapes_of(recipe.architecture, preparation.shape)
    layout = Network.planned(recipe.architecture, preparation.shape)
    rule = recipe.optimizer.rule(layout)
    remembered = len(rule.start(np.zeros(1))) if rule else 0
    vectors = 2 + remembered + (recipe.averaging is not None)
    check_memory(layout.size, shapes, np.dtype(recipe.dtype).itemsize, vectors)


def _check_norms(layers: Sequence[Layer], shape: Shape, samples: int) -> None:
    """Refuse a batch normalization whose channels are one number each: nothing is left of it."""
    for layer in layers:
        if isinstance(layer, BatchNorm) and samples * math.prod(shape[:-1]) == 1:
            raise RecipeError(
                "batch-norm: found one number a channel to take the mean of, with one sample in "
                f"a batch and {math.prod(shape)} channels; expected batches of at least two "
                "(training.batch_size), or group-norm"
            )
        if isinstance(layer, Residual):
            _check_norms(layer.layers, shape, samples)
            _check_norms(layer.shortcut, shape, samples)
        shape = layer.output_shape(shape)


def _preparation(data: Data, splits: Splits, train: Dataset) -> Preparation:
    """The contract that goes into the model: as loaded, scaled, and normalized by the training."""
    preparation = splits.preparation or natural(train.images)
    try:
        preparation = dataclasses.replace(
            preparation,
            resample=data.resample or preparation.resample,
            draft=data.draft or preparation.draft,
            scale=data.scale,
            transposed=data.transposed,
        )
    except ValueError as error:
        raise RecipeError(f"data: {error}") from None
    return measured(preparation, train.images) if data.normalize else preparation


def _generator(seed: int, branch: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(branch,)))
