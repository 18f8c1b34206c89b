"""Recipes: from TOML to dataclasses and back, settings by path, sentences about slips."""

from __future__ import annotations

import tomllib

import pytest
import tomli_w

from handgrad.errors import HandgradError, RecipeError
from handgrad.experiments import (
    Experiment,
    Recipe,
    parsed,
    read_recipe,
    recipe_names,
    with_settings,
)

TINY = {
    "name": "tiny",
    "data": {"source": "lines"},
    "architecture": [{"layer": "dense", "units": "classes"}],
    "loss": {"kind": "softmax cross-entropy"},
    "optimizer": {"kind": "sgd"},
}


@pytest.mark.parametrize("name", sorted(recipe_names()))
def test_every_recipe_reads_back_to_itself_through_toml(name):
    recipe = Recipe.of(read_recipe(name), classes=3)
    again = Recipe.of(tomllib.loads(tomli_w.dumps(recipe.table())), classes=3)
    assert again == recipe
    assert recipe.name == name
    assert recipe.about
    assert recipe.about.count("\n") == 0


def test_the_default_values_are_those_of_the_design():
    recipe = Recipe.of(TINY)
    assert (recipe.seed, recipe.dtype) == (0, "float32")
    assert (recipe.data.scale, recipe.data.test, recipe.data.validation) == ("unit", 0.2, 0.0)
    assert (recipe.training.epochs, recipe.training.batch_size) == (10, None)
    assert recipe.loss.over == "mean"


@pytest.mark.parametrize(
    ("loss", "classes", "outputs"),
    [
        ("softmax cross-entropy", 2, 2),
        ("softmax cross-entropy", 5, 5),
        ("sigmoid cross-entropy", 2, 1),
    ],
)
def test_units_of_classes_are_what_the_loss_asks_for(loss, classes, outputs):
    table = with_settings(TINY, {"loss.kind": loss})
    assert Recipe.of(table, classes).architecture[0].units == outputs


def test_settings_leave_the_table_as_it_was():
    before = with_settings(TINY, {})
    after = with_settings(TINY, {"architecture.0.units": 3, "training.epochs": 2, "loss": None})
    assert before == TINY
    assert after["architecture"] == [{"layer": "dense", "units": 3}]
    assert after["training"] == {"epochs": 2}
    assert "loss" not in after


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("architecture.1.units", "found '1'; expected a number from 0 to 0"),
        ("architecture.x.units", "found 'x'; expected a number from 0 to 0"),
        ("architecture.-1.units", "found '-1'"),
        ("name.first", "name is a value, not a table"),
    ],
)
def test_a_path_that_leads_nowhere(path, sentence):
    with pytest.raises(RecipeError, match=sentence):
        with_settings(TINY, {path: 1})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.1", 0.1), ("1e-3", 1e-3), ("7", 7), ("true", True), ("[1, 2]", [1, 2]),
        ('{kind = "adam"}', {"kind": "adam"}), ("adam", "adam"), ("", ""), ("None", None),
        ("a = b", "a = b"), ('"7"', "7"), ("one-cycle", "one-cycle"), ("x\ny = 1", "x\ny = 1"),
    ],
)  # fmt: skip
def test_values_as_they_are_typed(text, value):
    assert parsed(text) == value


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"optimizer.momentum": 0.9}, "optimizer: unknown key 'momentum'"),
        ({"training.epoch": 3}, "training: unknown key 'epoch'; did you mean 'epochs'?"),
        ({"data.sorce": "x"}, "data: unknown key 'sorce'; did you mean 'source'?"),
        ({"architecture.0.units": "clases"}, "architecture.0.units: found 'clases'"),
        ({"data.test": 1.0}, r"test = 1.0; expected a part in \[0, 1\)"),
        ({"training.patience": 0}, "patience = 0; expected at least 1"),
        ({"training.until": "accuracy=1"}, "unknown figure 'accuracy'"),
        ({"optimizer.schedule": {"kind": "cosin"}}, "did you mean 'cosine'?"),
        ({"name": None}, "'name' is missing"),
    ],
)
def test_slips_are_told_before_any_data_is_read(settings, sentence, monkeypatch):
    monkeypatch.setattr("handgrad.experiments.experiment.loaded", lambda *_: pytest.fail("read"))
    with pytest.raises(RecipeError, match=sentence):
        Experiment(with_settings(TINY, settings))


def test_a_folder_and_a_prepared_file_get_the_recipe_for_folders(
    photographs, tmp_path, monkeypatch
):
    monkeypatch.chdir(photographs.parent)
    table = read_recipe(photographs.name)
    assert table["name"] == photographs.name
    assert table["data"]["source"] == str(photographs)  # whole, so that it is found again
    (tmp_path / "p.h5").touch()
    table = read_recipe(tmp_path / "p.h5")
    assert table["name"] == "p"
    assert "size" not in table["data"]  # the images have theirs


def test_a_word_is_a_recipe_before_it_is_a_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits").mkdir()
    assert read_recipe("digits")["data"]["source"] == "digits"
    assert read_recipe("./digits")["data"]["source"] == str(tmp_path / "digits")
    for word in ("../recipes/digits", "nonsense", "digits.tml"):
        with pytest.raises(HandgradError):
            read_recipe(word)
