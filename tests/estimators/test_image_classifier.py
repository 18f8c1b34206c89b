"""`ImageClassifier`: what it takes, what it trains, and how scikit-learn's tools use it."""

from __future__ import annotations

import pickle
import sys

import joblib
import numpy as np
import pytest
from PIL import Image
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_info, threadpool_limits

import handgrad as hg
from handgrad.cli import main
from handgrad.errors import DataError, HandgradError, RecipeError
from handgrad.estimators.descent import allowed
from handgrad.experiments import Recipe, read_recipe

QUICK = {"max_iter": 12, "random_state": 0}


@pytest.fixture(scope="module")
def taught(bars):
    """A classifier of the bars. Read only."""
    return hg.ImageClassifier(**QUICK).fit(*bars)


def test_images_get_the_network_and_the_training_of_the_recipe_folder(taught, bars):
    recipe = Recipe.of(read_recipe("folder"), classes=2)
    for name in ("architecture", "optimizer", "augmentation", "averaging", "loss"):
        assert getattr(taught.recipe_, name) == getattr(recipe, name), name
    assert taught.recipe_.training.batch_size == recipe.training.batch_size
    assert taught.recipe_.training.epochs == 12
    assert taught.score(*bars) > 0.9
    assert taught.classes_.tolist() == ["lying", "upright"]
    assert taught.n_features_in_ == 16 * 16 * 3
    assert taught.n_iter_ == len(taught.loss_curve_) == 12
    assert taught.loss_curve_[-1] < taught.loss_curve_[0]
    p = taught.predict_proba(bars[0])
    assert p.dtype == np.float64
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=0, atol=4e-16)
    np.testing.assert_allclose(np.exp(taught.predict_log_proba(bars[0])), p, rtol=1e-14)


def test_grey_images_and_small_ones(digits):
    X, y = digits
    images = np.round(X.reshape(-1, 8, 8) * 255).astype(np.uint8)
    classifier = hg.ImageClassifier(max_iter=30, random_state=0).fit(images[:1200], y[:1200])
    assert [str(layer) for layer in classifier.recipe_.architecture] == [
        "dense 100",
        "relu",
        "dense 10",
    ]
    assert classifier.model_.preparation.shape == (8, 8, 1)
    assert classifier.score(images[1200:], y[1200:]) > 0.9
    # The same pixels, said in three ways.
    said = classifier.predict_proba(images[1200:])
    np.testing.assert_array_equal(classifier.predict_proba(images[1200:, ..., None]), said)
    rows = images[1200:].reshape(-1, 64)
    np.testing.assert_array_equal(classifier.predict_proba(rows), said)
    np.testing.assert_array_equal(classifier.predict_proba(rows.astype(np.int64)), said)
    np.testing.assert_allclose(
        classifier.predict_proba(images[1200:] / 255), said, atol=1e-4
    )  # float in 0..1


def test_rows_are_images_where_a_shape_says_so(bars, taught):
    images, names = bars
    rows = images.reshape(len(images), -1)
    classifier = hg.ImageClassifier(image_shape=(16, 16, 3), **QUICK).fit(rows, names)
    np.testing.assert_array_equal(classifier.model_.network.vector, taught.model_.network.vector)
    np.testing.assert_array_equal(classifier.predict(rows), taught.predict(images))
    with pytest.raises(ValueError, match="found 768 features; expected 12"):
        hg.ImageClassifier(image_shape=(2, 2, 3)).fit(rows, names)
    with pytest.raises(
        DataError, match=r"X: found floats from 0 to 418; expected floats in 0\.\.1"
    ):
        hg.ImageClassifier(image_shape=(16, 16, 3)).fit(rows * 2.0 % 512, names)


def test_images_are_resized_where_a_shape_says_so(bars):
    images, names = bars
    small = hg.ImageClassifier(image_shape=(8, 8, 1), **QUICK).fit(images, names)
    assert small.model_.preparation.shape == (8, 8, 1)
    assert small.predict(images[:3]).shape == (3,)
    plain = hg.ImageClassifier(**QUICK).fit(images, names)
    with pytest.raises(HandgradError, match=r"found images of shape \(8, 8, 3\)"):
        plain.predict(images[:, ::2, ::2])
    with pytest.raises(DataError, match="expected images of one shape"):
        plain.predict([images[0], images[1, :8]])
    np.testing.assert_array_equal(plain.predict(list(images[:3])), plain.predict(images[:3]))


@pytest.fixture(scope="module")
def folder(tmp_path_factory, bars):
    """The bars as files. Read only."""
    home = tmp_path_factory.mktemp("bars")
    paths = [home / f"bar {i:02}.png" for i in range(60)]
    for path, pixels in zip(paths, bars[0], strict=True):
        Image.fromarray(pixels).resize((20, 20)).save(path)
    return paths


def test_files_and_the_model_that_they_leave(folder, bars, tmp_path, capsys, monkeypatch):
    classifier = hg.ImageClassifier(image_shape=(16, 16, 3), **QUICK).fit(folder, bars[1])
    assert classifier.score([str(path) for path in folder], bars[1]) > 0.8
    hg.save_model(classifier.model_, tmp_path / "bars.safetensors")
    asked = ["handgrad", "predict", str(tmp_path / "bars.safetensors"), str(folder[7]), "--json"]
    monkeypatch.setattr(sys, "argv", asked)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    assert f'"{classifier.predict(folder[7:8])[0]}"' in capsys.readouterr().out
    again = hg.load_model(tmp_path / "bars.safetensors").predict(folder)
    np.testing.assert_allclose(
        [[p.probabilities[name] for name in classifier.classes_] for p in again],
        classifier.predict_proba(folder),
        atol=1e-6,
    )


def test_files_get_the_size_of_the_recipe(folder, bars):
    classifier = hg.ImageClassifier(max_iter=1, random_state=0).fit(folder[:8], bars[1][:8])
    assert classifier.model_.preparation.shape == (64, 64, 3)


def test_a_bad_file_is_named(folder, bars, taught, tmp_path):
    bad = tmp_path / "no image.png"
    bad.write_bytes(b"nothing")
    files = [*folder[:59], bad]
    with pytest.raises(DataError, match=r"no image\.png: found a file that is not an image"):
        hg.ImageClassifier(**QUICK).fit(files, bars[1])
    with pytest.raises(DataError, match=r"no image\.png"):
        taught.predict(files)
    rows = hg.ImageClassifier(max_iter=1).fit([[0.0], [1.0]], [0, 1])
    with pytest.raises(ValueError, match="found files; ImageClassifier was fitted on rows of 1"):
        rows.predict(folder)


def test_layers_are_followed_by_a_layer_with_the_outputs(digits):
    X, y = digits
    layers = (hg.Dense(20), hg.Tanh())
    classifier = hg.ImageClassifier(layers, optimizer=hg.Adam(0.01), max_iter=20, random_state=0)
    classifier.fit(X[:500], y[:500])
    assert [str(layer) for layer in classifier.recipe_.architecture] == [
        "dense 20",
        "tanh",
        "dense 10",
    ]
    assert classifier.score(X[500:], y[500:]) > 0.85
    three = clone(classifier).fit(X[y < 3], y[y < 3])  # the same parameters for other classes
    assert three.model_.network.shapes[-1] == (3,)


def test_a_recipe_by_its_name(digits):
    X, y = digits
    images = np.round(X.reshape(-1, 8, 8) * 255).astype(np.uint8)
    classifier = hg.ImageClassifier("mnist-mlp", max_iter=2, random_state=0).fit(images, y)
    recipe = Recipe.of(read_recipe("mnist-mlp"), classes=10)
    assert classifier.recipe_.architecture == recipe.architecture
    assert classifier.recipe_.optimizer == recipe.optimizer
    with pytest.raises(RecipeError, match="did you mean 'mnist-mlp'"):
        hg.ImageClassifier("mnist-mpl").fit(images, y)
    with pytest.raises(RecipeError, match="unknown"):
        hg.ImageClassifier(optimizer="adm").fit(images, y)


@pytest.mark.parametrize("names", [[False, True], [3, 7], ["a", "b"], [-1.0, 2.0]])
def test_classes_of_any_kind(names):
    X = np.array([[0.0], [0.1], [0.9], [1.0]])
    y = np.array(names)[[0, 0, 1, 1]]
    classifier = hg.ImageClassifier(optimizer=hg.Adam(0.05), random_state=0).fit(X, y)
    np.testing.assert_array_equal(classifier.predict(X), y)
    assert classifier.classes_.dtype == y.dtype
    assert classifier.model_.class_names == tuple(map(str, names))


def test_the_same_state_gives_the_same_bits_and_another_one_others(bars):
    first, second = (hg.ImageClassifier(**QUICK).fit(*bars) for _ in range(2))
    np.testing.assert_array_equal(first.model_.network.vector, second.model_.network.vector)
    third = hg.ImageClassifier(max_iter=12, random_state=1).fit(*bars)
    assert (first.model_.network.vector != third.model_.network.vector).any()


def test_early_stopping_keeps_the_best_weights(digits):
    X, y = digits
    classifier = hg.ImageClassifier(
        early_stopping=True, n_iter_no_change=3, validation_fraction=0.2, random_state=0
    ).fit(X[:600], y[:600])
    scores = classifier.validation_scores_
    assert len(scores) == classifier.n_iter_ < 200
    assert classifier.best_validation_score_ == max(scores)
    assert max(scores) not in scores[-3:]  # or it would have gone on
    plain = hg.ImageClassifier(max_iter=2).fit(X[:50], y[:50])
    assert plain.validation_scores_ is plain.best_validation_score_ is None


def test_a_warm_start_goes_on_from_the_weights(digits):
    X, y = digits
    classifier = hg.ImageClassifier(max_iter=5, warm_start=True, random_state=0).fit(X, y)
    first, begun = classifier.loss_curve_, classifier.model_
    classifier.fit(X, y)
    assert classifier.loss_curve_[0] < first[-1]
    assert classifier.model_ is begun
    with pytest.raises(ValueError, match="y: found the class 11; expected one of the classes"):
        classifier.fit(X, np.where(y == 0, 11, y))
    with pytest.raises(ValueError, match="warm_start: found parameters that ask for another"):
        clone(classifier).fit(X, y).set_params(architecture=(hg.Dense(5),)).fit(X, y)
    assert classifier.set_params(max_iter=2).fit(X, y).n_iter_ == 2
    cold = hg.ImageClassifier(max_iter=5, random_state=0).fit(X, y).fit(X, y)
    assert cold.loss_curve_ == first


def test_partial_fits_are_the_epochs_of_a_fit(digits):
    """A full batch each: the same steps of Adam, which counts them, to the bit."""
    X, y = digits[0][:100], digits[1][:100]
    whole = hg.ImageClassifier(max_iter=7, random_state=0).fit(X, y)
    parts = hg.ImageClassifier(random_state=0)
    for _ in range(7):
        parts.partial_fit(X, y, classes=np.arange(10))
    np.testing.assert_array_equal(parts.model_.network.vector, whole.model_.network.vector)
    np.testing.assert_allclose(parts.loss_curve_, whole.loss_curve_, rtol=1e-12)
    assert parts.n_iter_ == 7


def test_partial_fit_counts_the_steps_of_calls_of_any_size(digits):
    X, y = digits
    classifier = hg.ImageClassifier(batch_size=10, random_state=0)
    for size in (35, 7, 100):
        classifier.partial_fit(X[:size], y[:size], classes=range(10))
    assert classifier._state.steps == 4 + 1 + 10
    assert len(classifier.loss_curve_) == 3
    after = classifier.set_params(max_iter=5).fit(X[:300], y[:300]).loss_curve_[-1]
    assert classifier.partial_fit(X[:300], y[:300]).loss_curve_[-1] < 1.2 * after


def test_partial_fit_wants_its_classes_first(digits):
    X, y = digits
    with pytest.raises(ValueError, match="classes: found None; expected all classes"):
        hg.ImageClassifier().partial_fit(X, y)
    classifier = hg.ImageClassifier(random_state=0).partial_fit(X[:20], y[:20], classes=range(10))
    with pytest.raises(ValueError, match=r"expected those of the first call"):
        classifier.partial_fit(X, y, classes=range(9))
    for kind in (hg.ImageClassifier, hg.LogisticImageClassifier):
        with pytest.raises(ValueError, match="'balanced', which needs all samples"):
            kind(class_weight="balanced").partial_fit(X, y, classes=range(10))


def test_a_recipe_that_stops_at_a_goal_does(tmp_path, digits):
    recipe = """
    name = "goal"
    [data]
    source = "digits"
    [[architecture]]
    layer = "dense"
    units = "classes"
    [loss]
    kind = "softmax cross-entropy"
    [optimizer]
    kind = "adam"
    learning_rate = 0.01
    [training]
    epochs = 100
    batch_size = 100
    until = "train_accuracy=0.9"
    """
    (tmp_path / "goal.toml").write_text(recipe, encoding="utf-8")
    classifier = hg.ImageClassifier(str(tmp_path / "goal.toml"), random_state=0).fit(*digits)
    assert 1 < classifier.n_iter_ < 100


def test_weights_of_classes_move_the_answer_their_way():
    generator = np.random.default_rng(0)
    y = np.repeat([0, 1], [90, 10])
    X = generator.normal(size=(100, 2)) + y[:, None]
    settings = {"max_iter": 100, "random_state": 0}
    plain = hg.ImageClassifier(**settings).fit(X, y)
    balanced = hg.ImageClassifier(class_weight="balanced", **settings).fit(X, y)
    named = hg.ImageClassifier(class_weight={0: 100 / 180, 1: 100 / 20}, **settings).fit(X, y)
    assert balanced.predict(X).sum() > 1.5 * plain.predict(X).sum()
    np.testing.assert_allclose(balanced.predict_proba(X), named.predict_proba(X), atol=1e-12)


def test_a_pickle_says_the_same_and_learns_on(taught, bars):
    images, names = bars
    again = pickle.loads(pickle.dumps(taught))
    np.testing.assert_array_equal(again.predict_proba(images), taught.predict_proba(images))
    before = taught.model_.network.vector.copy()
    again.partial_fit(images, names)
    assert (again.model_.network.vector != before).any()
    np.testing.assert_array_equal(taught.model_.network.vector, before)


def test_a_pipeline_and_its_scores(digits):
    X, y = digits
    steps = make_pipeline(StandardScaler(), hg.ImageClassifier(max_iter=60, random_state=0))
    steps.set_output(transform="default")
    scores = cross_val_score(steps, X[:600], y[:600], cv=3)
    assert scores.mean() > 0.85
    assert cross_val_score(
        hg.ImageClassifier(max_iter=1), np.zeros((9, 16, 16, 1), np.uint8), [0, 1, 2] * 3, cv=3
    ).shape == (3,)


def test_names_of_a_data_frame(digits):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(digits[0], columns=[f"pixel {i}" for i in range(64)])
    classifier = hg.ImageClassifier(max_iter=2, random_state=0).fit(frame, digits[1])
    assert classifier.feature_names_in_[3] == "pixel 3"
    classifier.predict(frame)
    with pytest.raises(ValueError, match="feature names"):
        classifier.predict(frame.rename(columns={"pixel 0": "x"}))


def test_a_search_in_two_processes(bars):
    """Each worker of joblib computes with its part of the cores."""
    search = GridSearchCV(
        hg.ImageClassifier(max_iter=4, random_state=0),
        {"architecture": ["auto", (hg.Dense(8), hg.ReLU())]},
        cv=2,
        n_jobs=2,
    )
    with joblib.parallel_backend("loky", inner_max_num_threads=1):
        search.fit(*bars)
        told = joblib.Parallel(n_jobs=2)(joblib.delayed(allowed)() for _ in range(2))
    assert told == [1, 1]
    assert (search.cv_results_["mean_test_score"] > 0).all()
    alone = clone(search.best_estimator_).fit(*bars)
    np.testing.assert_array_equal(search.predict_proba(bars[0]), alone.predict_proba(bars[0]))


def test_no_more_threads_than_are_left(taught, bars, monkeypatch):
    seen = []

    def limited(threads):
        seen.append(threads)
        return threadpool_limits(threads, user_api="blas")

    monkeypatch.setattr("handgrad.estimators.descent.cores", lambda: 8)
    monkeypatch.setattr("handgrad.estimators.descent.limited", limited)
    large = np.zeros((4000, 300))
    with threadpool_limits(1):
        assert allowed() == 1
        hg.ImageClassifier((hg.Dense(500),), max_iter=1, batch_size=4000).fit(
            large, np.arange(4000) % 2
        )
    assert seen == [1]
    if any(pool["user_api"] == "blas" for pool in threadpool_info()):
        with threadpool_limits(2):
            assert allowed() == 2
            hg.ImageClassifier((hg.Dense(500),), max_iter=1, batch_size=4000).fit(
                large, np.arange(4000) % 2
            )
        assert seen == [1, 2]
