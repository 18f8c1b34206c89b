"""A network as neurons and as blocks: what is drawn is what the arrays and rows say."""

import io

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from handgrad.errors import HandgradError
from handgrad.layers import (
    BatchNorm,
    Convolution,
    Dense,
    Flatten,
    MaxPool,
    ReLU,
    Residual,
)
from handgrad.networks import LayerRow, Network, layer_rows
from handgrad.pictures.architecture import layer_drawing, network_drawing, neuron_drawing

W = [np.array([[2.0, -1.0], [0.0, 0.5], [-4.0, 1.0]]), np.array([[1.0], [-2.0]])]
B = [np.array([0.5, -1.0]), None]


def _parts(figure):
    """Whatever has an id, by it."""
    found = figure.findobj(lambda part: part.get_gid() is not None)
    parts = {part.get_gid(): part for part in found}
    assert len(parts) == len(found)
    return parts


def _texts(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def _warm(colour):
    red, _, blue = to_rgb(colour)
    return red > blue


def test_a_line_is_its_weight(texts_apart):
    parts = _parts(neuron_drawing(W, B, ["dense 2 → relu", "dense 1"]))
    assert {gid for gid in parts if gid.startswith("weight")} == {
        *(f"weight-1-{i}-{o}" for i in (1, 2, 3) for o in (1, 2)),
        "weight-2-1-1",
        "weight-2-2-1",
    }
    largest, half, zero = (parts[f"weight-{n}"] for n in ("1-3-1", "1-1-1", "1-2-1"))
    assert not _warm(largest.get_color())
    assert _warm(half.get_color())
    # The width goes linearly from that of 0 to that of the largest, of all layers.
    thin = zero.get_linewidth()
    assert half.get_linewidth() - thin == pytest.approx((largest.get_linewidth() - thin) / 2)
    assert parts["weight-2-2-1"].get_linewidth() == half.get_linewidth()
    assert zero.get_alpha() < half.get_alpha() < largest.get_alpha() == 1


def test_a_line_goes_from_its_neuron_to_the_next():
    parts = _parts(neuron_drawing(W, B))
    for gid, line in parts.items():
        if gid.startswith("weight"):
            layer, i, o = map(int, gid.split("-")[1:])
            ends = [parts[f"neuron-{layer - 1}-{i}"], parts[f"neuron-{layer}-{o}"]]
            for point, neuron in zip(line.get_xydata(), ends, strict=True):
                distance = np.hypot(*(point - neuron.get_center()))
                assert distance == pytest.approx(neuron.get_radius())


def test_a_ring_is_its_offset(texts_apart):
    figure = neuron_drawing(W, B, ["dense 2 → relu", "dense 1"], outputs=["$cat_1$"])
    parts = _parts(figure)
    plus, minus = parts["neuron-1-1"], parts["neuron-1-2"]
    assert _warm(plus.get_edgecolor())
    assert not _warm(minus.get_edgecolor())
    assert minus.get_linewidth() > plus.get_linewidth() > parts["neuron-2-1"].get_linewidth()
    texts = _texts(figure)
    assert {"x1", "x2", "x3", "h1", "h2", "y1", "$cat_1$", "dense 2\nrelu", "dense 1"} <= {*texts}
    assert {"-4", "4", "weight; ring: offset, to ±1"} <= {*texts}
    texts_apart(figure)


def test_numbers_and_words_are_those_of_the_arrays():
    figure = neuron_drawing(W, B, ["first", "second"], input_name="input 3x1x1")
    assert figure.numbers[0] == ["layer", "from", "to", "value"]
    assert ["first", "3", "1", "-4"] in figure.numbers
    assert ["first", "offset", "2", "-1"] in figure.numbers
    assert len(figure.numbers) == 1 + 6 + 2 + 2
    assert figure.alt == (
        "A network neuron by neuron: input 3x1x1 (3 numbers); first (2 neurons); second (1 neuron)."
        " Weights go from -4 to 2; the largest in size is -4, in first, from neuron 3 to neuron 1."
    )


def test_of_many_neurons_the_strongest_are_drawn(texts_apart):
    w = np.zeros((784, 2))
    chosen = [5, 6, 7, 100, 200, 300, 301, 400, 500, 600, 700, 783]
    w[chosen, 1] = np.arange(1, 13)
    w[50] = 0.5
    figure = neuron_drawing([w])
    drawn = [gid for gid in _parts(figure) if gid.startswith("neuron-0")]
    assert drawn == [f"neuron-0-{i + 1}" for i in chosen]
    heights = [_parts(figure)[gid].get_center()[1] for gid in drawn]
    gaps = -np.diff(heights)
    assert gaps.min() > 0
    assert gaps[0] == pytest.approx(gaps[1])
    assert gaps[2] > gaps[1]  # dots stand between 8 and 101
    assert "input\n12 of 784: the strongest" in _texts(figure)
    assert "Of the widest layers only the strongest neurons are drawn." in figure.alt
    texts_apart(figure)


def test_the_same_arrays_give_the_same_bytes():
    assert neuron_drawing(W, B)._repr_png_() == neuron_drawing(W, B)._repr_png_()
    assert layer_drawing(ROWS)._repr_png_() == layer_drawing(ROWS)._repr_png_()


def test_the_svg_has_an_element_a_neuron_and_a_line():
    svg = io.StringIO()
    neuron_drawing(W, B).savefig(svg, format="svg")
    for gid in ("neuron-0-3", "neuron-1-2", "neuron-2-1", "weight-1-3-2", "weight-2-1-1"):
        assert svg.getvalue().count(f'id="{gid}"') == 1


def _network(*layers, shape):
    network = Network(layers, shape, dtype=np.float64)
    network.vector[...] = np.arange(network.vector.size)
    return network


def test_a_small_dense_network_is_drawn_by_its_neurons(texts_apart):
    network = _network(Dense(6), ReLU(), Dense(2), shape=(3, 3, 1))
    weights = [network.params[i].W.reshape(-1, n) for i, n in ((0, 6), (2, 2))]
    offsets = [network.params[i].b for i in (0, 2)]
    figure = network_drawing(layer_rows(network), weights, offsets, ["across", "down"])
    parts = _parts(figure)
    assert sum(gid.startswith("weight") for gid in parts) == 9 * 6 + 6 * 2
    assert sum(gid.startswith("neuron") for gid in parts) == 9 + 6 + 2
    assert {"input 3x3x1", "dense 6\nrelu", "dense 2", "across", "down"} <= {*_texts(figure)}
    texts_apart(figure)


@pytest.mark.parametrize("layers", [(Dense(33), Dense(2)), (Dense(2),) * 7])
def test_a_large_one_is_drawn_by_its_layers(layers):
    network = _network(*layers, shape=(4,))
    figure = network_drawing(layer_rows(network), [params.W for params in network.params])
    assert "block-1" in _parts(figure)
    assert "block-1" in _parts(network_drawing(layer_rows(network)))


ROWS = [
    LayerRow("convolution 4 3x3", (8, 8, 3), (8, 8, 4), 112, 1024, 14000),
    LayerRow("max-pool 4", (8, 8, 4), (2, 2, 4), 0, 64, 256),
    LayerRow("dense 10", (2, 2, 4), (10,), 170, 40, 320),
]


def test_blocks_say_what_summary_says(texts_apart):
    figure = layer_drawing(ROWS)
    assert figure.numbers == [
        ["layer", "input", "output", "parameters", "memory", "flops"],
        ["convolution 4 3x3", "8x8x3", "8x8x4", "112", "1,024 B", "14,000"],
        ["max-pool 4", "8x8x4", "2x2x4", "0", "64 B", "256"],
        ["dense 10", "2x2x4", "10", "170", "40 B", "320"],
        ["in all", "", "", "282", "1,128 B", "14,576"],
    ]
    texts = _texts(figure)
    for row in figure.numbers:
        shown = [text for i, text in enumerate(row) if text and i != 1]
        assert {*shown} <= {*texts}
    assert figure.alt == (
        "A network of 3 layers, from 8x8x3 to 10: 282 parameters, 1,128 B of outputs and 14,576 "
        "flops an image. Most parameters (60 %) are in layer 3, dense 10. Most flops (96 %) are in "
        "layer 1, convolution 4 3x3."
    )
    texts_apart(figure)


def test_blocks_are_as_wide_as_what_goes_through_and_bars_as_long_as_the_cost():
    parts = _parts(layer_drawing(ROWS))

    def widths(gid):
        corners = parts[gid].get_xy()
        return corners[1, 0] - corners[0, 0], corners[2, 0] - corners[3, 0]

    for before, after in (("block-1", "block-2"), ("block-2", "block-3")):
        assert widths(before)[1] == pytest.approx(widths(after)[0])
    assert widths("block-1")[0] < widths("block-1")[1] > widths("block-2")[1] > widths("block-3")[1]
    bars = [parts[f"parameters-{i}"].get_width() for i in (1, 2, 3)]
    np.testing.assert_allclose(np.divide(bars, bars[2]), [112 / 170, 0, 1])
    longest = [parts[gid].get_width() for gid in ("parameters-3", "memory-1", "flops-1")]
    np.testing.assert_allclose(longest, longest[0])
    tops = [parts[f"block-{i}"].get_xy()[0, 1] for i in (1, 2, 3)]
    assert tops == sorted(tops, reverse=True)


def test_a_residual_block_is_one_block_with_a_line_past_it(texts_apart):
    block = Residual((Convolution(4), BatchNorm(), ReLU(), Convolution(4)))
    network = _network(Convolution(4), block, MaxPool(2), Flatten(), Dense(2), shape=(8, 8, 1))
    figure = layer_drawing(layer_rows(network))
    parts = _parts(figure)
    assert [gid for gid in parts if gid.startswith("bypass")] == ["bypass-2"]
    y, past = parts["bypass-2"].get_ydata(), parts["block-2"].get_xy()
    assert y.max() >= past[:, 1].max()
    assert y.min() <= past[:, 1].min()
    assert parts["bypass-2"].get_xdata().max() > past[:, 0].max()
    texts = _texts(figure)
    start = texts.index("residual")
    inner = ["residual", "convolution 4 3x3", "batch-norm", "relu", "convolution 4 3x3"]
    assert texts[start : start + 5] == inner
    texts_apart(figure)


def test_thirty_layers_can_be_read(texts_apart):
    network = _network(*(Convolution(8), BatchNorm(), ReLU()) * 10, shape=(8, 8, 3))
    figure = layer_drawing(layer_rows(network))
    assert all(text.get_fontsize() >= 8 for text in figure.axes[0].texts)
    texts_apart(figure)


@pytest.mark.parametrize(
    ("draw", "sentence"),
    [
        (lambda: layer_drawing([]), "layer drawing: found no layers"),
        (lambda: neuron_drawing([]), "neuron drawing: found 0 layers"),
        (lambda: neuron_drawing([np.ones(3)]), r"found weights of shape \(3,\) in layer 1"),
        (lambda: neuron_drawing([W[0], np.ones((3, 1))]), r"in layer 2; expected \(2, O\)"),
        (lambda: neuron_drawing(W, [None]), "found 1 offsets and 2 names; expected 2"),
        (lambda: neuron_drawing(W, [np.ones(3), None]), r"offsets of shape \(3,\) in layer 1"),
        (lambda: neuron_drawing([W[0] * np.nan]), "a value that is not finite in layer 1"),
        (lambda: neuron_drawing(W, outputs=["a", "b"]), "found 2 names of outputs; expected 1"),
        (lambda: network_drawing(ROWS, W[:1]), "found 1 arrays of weights; expected 2"),
    ],
)
def test_what_cannot_be_drawn_is_a_sentence(draw, sentence):
    with pytest.raises(HandgradError, match=sentence):
        draw()
