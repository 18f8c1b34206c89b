"""What single layers promise besides their derivative."""

import numpy as np
import pytest

from handgrad.arrays import Numbers
from handgrad.errors import RecipeError
from handgrad.layers import (
    AveragePool,
    BatchNorm,
    Convolution,
    Dense,
    Dropout,
    Flatten,
    FrozenNorm,
    GlobalAveragePool,
    GroupNorm,
    Identity,
    Layer,
    MaxPool,
    Residual,
    Softmax,
    Tanh,
    Uniform,
)
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
    assert Dropout(0.3).frozen() == Identity()
    (all_kept,) = Dropout(0.0).draw((n, 1), np.random.default_rng(0))
    assert all_kept.all()


def test_a_neuron_is_drawn_as_a_row_and_kept_as_a_column():
    params = Numbers(W=np.empty((9, 6)), b=np.empty(6))
    Dense(6, offsets=Uniform(0, 1)).initialize(params, (3, 3, 1), np.random.default_rng(7))
    generator = np.random.default_rng(7)
    np.testing.assert_array_equal(params.W, (generator.normal(size=(6, 9)) / 3).T)
    np.testing.assert_array_equal(params.b, generator.uniform(0, 1, size=6))


def test_a_filter_is_drawn_as_a_neuron_of_its_window():
    """Filter by filter, each as a row of KH·KW·C weights, channels innermost."""
    params = Numbers(W=np.empty((2, 3, 4, 5)), b=np.empty(5))
    layer = Convolution(5, (2, 3), offsets=Uniform(0, 1))
    layer.initialize(params, (8, 8, 4), np.random.default_rng(7))
    generator = np.random.default_rng(7)
    rows = generator.normal(size=(5, 24)) * np.sqrt(2 / 24)  # He: variance 2 / n_in
    for o in range(5):
        for kh, kw, c in np.ndindex(2, 3, 4):
            assert params.W[kh, kw, c, o] == rows[o, (kh * 3 + kw) * 4 + c]
    np.testing.assert_array_equal(params.b, generator.uniform(0, 1, size=5))


def test_a_convolution_by_hand():
    """One filter, 2x2 with W = (1 2; 3 4) and b = 10, at stride 2 on 3x4 pixels 1 to 12."""
    params = Numbers(W=np.array([1.0, 2, 3, 4]).reshape(2, 2, 1, 1), b=np.array([10.0]))
    x = np.arange(1.0, 13).reshape(1, 3, 4, 1)
    # Valid: 1·1 + 2·2 + 3·5 + 4·6 = 44 and 1·3 + 2·4 + 3·7 + 4·8 = 64; row 3 is not looked at.
    y, _ = Convolution(1, (2, 2), 2, "valid").forward(x, params)
    np.testing.assert_array_equal(y[0, :, :, 0], [[54, 74]])
    # Same: a row of zeros below: 1·9 + 2·10 = 29 and 1·11 + 2·12 = 35.
    y, _ = Convolution(1, (2, 2), 2, "same").forward(x, params)
    np.testing.assert_array_equal(y[0, :, :, 0], [[54, 74], [39, 45]])
    # A row above: 3·1 + 4·2 = 11 and 3·3 + 4·4 = 25, then 1·5 + 2·6 + 3·9 + 4·10 = 84 and
    # 1·7 + 2·8 + 3·11 + 4·12 = 104.
    y, _ = Convolution(1, (2, 2), 2, ((1, 0), (0, 0))).forward(x, params)
    np.testing.assert_array_equal(y[0, :, :, 0], [[21, 35], [94, 114]])


def test_batch_norm_gathers_by_hand():
    """Of 1, 3 and 8 the mean is 4, the variance 26/3, and without bias 26/2 = 13."""
    layer, names = BatchNorm(keep=0.75), ("scale", "offset", "mean", "variance")
    params = Numbers(**{name: np.full(1, np.nan) for name in names})
    layer.initialize(params, (1,), np.random.default_rng(0))
    assert [params.scale, params.offset, params.mean, params.variance] == [1, 0, 0, 1]
    x = np.array([[1.0], [3.0], [8.0]])
    y, memory = layer.forward(x, params)
    np.testing.assert_allclose(y, (x - 4) / np.sqrt(26 / 3 + 1e-5), rtol=1e-14)
    assert [params.mean, params.variance] == [0, 1]  # to compute is not to gather
    layer.gather(memory, params)
    assert params.mean == pytest.approx(1, rel=1e-14)  # ¾·0 + ¼·4
    assert params.variance == pytest.approx(4, rel=1e-14)  # ¾·1 + ¼·13
    y, _ = layer.frozen().forward(x, params)
    np.testing.assert_allclose(y, (x - 1) / np.sqrt(4 + 1e-5), rtol=1e-14)


def test_batch_norm_of_a_single_number_is_its_offset():
    params = Numbers(scale=np.array([3.0]), offset=np.array([7.0]), mean=np.zeros(1))
    params.variance = np.ones(1)
    layer, grads = BatchNorm(keep=0.5), Numbers(scale=np.empty(1), offset=np.empty(1))
    y, memory = layer.forward(np.array([[5.0]]), params)
    assert y == 7
    assert layer.backward(np.array([[2.0]]), memory, params, grads) == 0
    assert (grads.scale, grads.offset) == (0, 2)
    layer.gather(memory, params)
    assert (params.mean, params.variance) == (2.5, 0.5)


def test_a_frozen_batch_norm_has_its_settings():
    assert BatchNorm(0.1, True, False, keep=0.3).frozen() == FrozenNorm(0.1, True, False)


@pytest.mark.parametrize(
    ("layer", "shape", "after"),
    [
        # "same": ⌈size / stride⌉; "valid": ⌊(size - span) / stride⌋ + 1
        (Convolution(8), (28, 27, 1), (28, 27, 8)),
        (Convolution(8, stride=2), (7, 6, 1), (4, 3, 8)),
        (Convolution(8, (2, 2), padding="valid"), (32, 32, 3), (31, 31, 8)),
        (Convolution(8, dilation=2, padding="valid"), (7, 6, 3), (3, 2, 8)),
        (Convolution(8, padding=((1, 0), (2, 3))), (5, 5, 3), (4, 8, 8)),
        (MaxPool(), (31, 30, 5), (15, 15, 5)),
        (MaxPool(3), (3, 5, 2), (1, 1, 2)),
        (MaxPool(3, 2), (7, 6, 2), (3, 2, 2)),
        (AveragePool(2, 1), (3, 2, 2), (2, 1, 2)),
        (GlobalAveragePool(), (7, 6, 5), (5,)),
    ],
    ids=str,
)
def test_shapes_by_hand(layer, shape, after):
    assert layer.output_shape(shape) == after


@pytest.mark.parametrize(
    ("layer", "shape", "sentence"),
    [
        (Convolution(8), (12,), r"convolution 8 3x3: found samples of shape \(12,\)"),
        (Convolution(8, (5, 1), padding="valid"), (4, 9, 1), "images of 4x9, on which its kernel"),
        (Convolution(8, dilation=2, padding="valid"), (4, 5, 1), "kernel of 3x3 does not fit"),
        (MaxPool(3), (3, 2, 1), "expected .H, W, C. with H and W of at least 3"),
        (AveragePool(), (4,), r"average-pool 2: found samples of shape \(4,\)"),
        (GlobalAveragePool(), (4,), r"found samples of shape \(4,\); expected \(H, W, C\)"),
        (GroupNorm(groups=4), (3, 3, 6), "found 6 channels; expected a multiple of 4 groups"),
        (Residual((Dense(4),)), (5,), r"ends with shape \(4,\), its shortcut with \(5,\)"),
        (Residual((Tanh(),), (Convolution(2, (1, 1)),)), (3, 3, 1), "a 1x1 convolution"),
    ],
    ids=str,
)
def test_shapes_that_a_layer_refuses(layer, shape, sentence):
    with pytest.raises(RecipeError, match=sentence):
        layer.output_shape(shape)


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ({"layer": "dense", "units": 0}, "units = 0; expected at least 1"),
        ({"layer": "dropout", "rate": 1.0}, "rate = 1.0; expected at least 0 and less than 1"),
        ({"layer": "dropout", "rate": -0.1}, "rate = -0.1"),
        ({"layer": "convolution"}, "'channels' is missing"),
        ({"layer": "convolution", "channels": 0}, "channels = 0; expected at least 1"),
        ({"layer": "convolution", "channels": 1, "stride": 0}, "stride = 0; expected at least 1"),
        ({"layer": "convolution", "channels": 1, "dilation": -1}, "dilation = -1"),
        ({"layer": "convolution", "channels": 1, "kernel": [3]}, r"kernel = \[3\]; expected \[he"),
        ({"layer": "convolution", "channels": 1, "kernel": [3, 0]}, r"kernel = \[3, 0\]"),
        ({"layer": "convolution", "channels": 1, "kernel": 3}, "kernel: found 3; expected a list"),
        ({"layer": "convolution", "channels": 1, "padding": "full"}, "padding: found 'full'"),
        (
            {"layer": "convolution", "channels": 1, "padding": [[1, 1]]},
            r"padding = \[\[1, 1\]\]; e",
        ),
        ({"layer": "convolution", "channels": 1, "padding": [[1, 1], [0, -1]]}, "expected .*above"),
        ({"layer": "convolution", "channels": 1, "padding": [[1], [0, 1]]}, "expected .*above"),
        ({"layer": "max-pool", "size": 0}, "size = 0, stride = 0; expected 1 or more"),
        ({"layer": "average-pool", "stride": -1}, "stride = -1; expected 1 or more"),
        ({"layer": "batch-norm", "keep": 1.0}, "keep = 1.0; expected at least 0 and less than 1"),
        ({"layer": "batch-norm", "keep": -0.1}, "keep = -0.1"),
        ({"layer": "batch-norm", "epsilon": 0}, "epsilon = 0.0; expected more than 0"),
        ({"layer": "frozen-norm", "epsilon": -1}, "epsilon = -1.0; expected more than 0"),
        ({"layer": "group-norm", "groups": 0}, "groups = 0; expected at least 1"),
        ({"layer": "group-norm", "epsilon": 0}, "epsilon = 0.0; expected more than 0"),
        ({"layer": "residual"}, "'layers' is missing"),
        ({"layer": "residual", "layers": []}, "layers is empty"),
        ({"layer": "residual", "layers": [{"layer": "tahn"}]}, r"layers.0: .* mean 'tanh'"),
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
