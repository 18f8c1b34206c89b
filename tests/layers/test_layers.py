"""What single layers promise besides their derivative."""

import numpy as np
import pytest

from handgrad.arrays import Numbers
from handgrad.errors import RecipeError
from handgrad.layers import Dense, Dropout, Flatten, Layer, Softmax, Uniform
from handgrad.tables import from_table


def test_flatten_goes_row_by_row_channels_innermost():
    x = np.zeros((1, 2, 3, 2))
    x[0, 1, 2, 0] = 1  # row 1, column 2, channel 0: (1·3 + 2)·2 + 0 = 10
    y, _ = Flatten().forward(x, Numbers())
    assert y.shape == (1, 12)
    assert np.flatnonzero(y) == 10


def test_dropout_draws_its_rate_and_is_part_of_no_prediction():
    n = 40_000
    (kept,) = Dropout(0.3).draw((n, 1), np.random.default_rng(0))
    # A share of n draws deviates by √(0.3 · 0.7 / n) = 0.0023; 5 of them leave one chance in a
    # million for a right generator to fail.
    assert kept.mean() == pytest.approx(0.7, abs=5 * np.sqrt(0.21 / n))
    assert Dropout(0.3).frozen() is None
    (all_kept,) = Dropout(0.0).draw((n, 1), np.random.default_rng(0))
    assert all_kept.all()


def test_a_neuron_is_drawn_as_a_row_and_kept_as_a_column():
    params = Numbers(W=np.empty((9, 6)), b=np.empty(6))
    Dense(6, offsets=Uniform(0, 1)).initialize(params, (3, 3, 1), np.random.default_rng(7))
    generator = np.random.default_rng(7)
    np.testing.assert_array_equal(params.W, (generator.normal(size=(6, 9)) / 3).T)
    np.testing.assert_array_equal(params.b, generator.uniform(0, 1, size=6))


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ({"layer": "dense", "units": 0}, "units = 0; expected at least 1"),
        ({"layer": "dropout", "rate": 1.0}, "rate = 1.0; expected at least 0 and less than 1"),
        ({"layer": "dropout", "rate": -0.1}, "rate = -0.1"),
        ({"layer": "dense"}, "'units' is missing"),
        ({"layer": "dense", "unts": 3}, "unknown key 'unts'; did you mean 'units'?"),
        ({"layer": "dens", "units": 3}, "layer = 'dens' is unknown; did you mean 'dense'?"),
        ({"units": 3}, "no 'layer'"),
        ({"layer": "dense", "units": 3, "offsets": {"initial": "uniform", "low": 2}}, "above high"),
        ({"layer": "dense", "units": 3, "weights": {"initial": "normal", "variance": -1}}, "-1"),
    ],
)
def test_what_a_layer_refuses(table, sentence):
    with pytest.raises(RecipeError, match=sentence.replace("?", r"\?")):
        from_table(Layer, table, "architecture.0")


def test_softmax_takes_rows_only():
    with pytest.raises(RecipeError, match="a row of scores"):
        Softmax().output_shape((3, 3, 1))
