"""Sentences about what a user can mend."""

from pathlib import Path

import pytest

from handgrad.errors import DataError, HandgradError, NotFiniteError, RecipeError, nearest


def test_a_data_error_names_file_found_and_expected():
    error = DataError(Path("a") / "b.gz", "magic number 7", "2051")
    assert str(error) == f"{Path('a') / 'b.gz'}: found magic number 7; expected 2051"
    assert (error.found, error.expected) == ("magic number 7", "2051")


def test_a_loss_that_is_no_number_names_its_step():
    error = NotFiniteError(12, 3, "the loss is nan")
    assert str(error).startswith("step 12 (epoch 3): the loss is nan; ")
    assert (error.step, error.epoch) == (12, 3)


@pytest.mark.parametrize("kind", [DataError, NotFiniteError, RecipeError])
def test_all_are_one_family(kind):
    assert issubclass(kind, HandgradError)


@pytest.mark.parametrize(
    ("word", "end"),
    [
        ("learning_rat", "; did you mean 'learning_rate'? Known: kind, learning_rate"),
        ("zzz", "; known: kind, learning_rate"),
    ],
)
def test_the_nearest_known_word(word, end):
    assert nearest(word, {"learning_rate", "kind"}) == end
