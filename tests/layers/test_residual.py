"""The residual block: two ways, one sum, and whatever lives within them."""

from __future__ import annotations

import numpy as np
import pytest

from handgrad.arrays import Layout, Numbers
from handgrad.layers import (
    BatchNorm,
    Convolution,
    Dense,
    Dropout,
    FrozenNorm,
    Identity,
    ReLU,
    Residual,
    SiLU,
    Uniform,
)

BLOCK = Residual(
    (Convolution(4, offset=False), BatchNorm(), Dropout(0.3), SiLU(), Convolution(4)),
    (Dropout(0.5), Convolution(4, (1, 1), offset=False), BatchNorm(offset=False)),
)


def made(layer, shape):
    layout = Layout(
        {f"0.{name}": size for name, size in layer.parameters(shape).items()},
        {f"0.{name}": size for name, size in layer.statistics(shape).items()},
    )
    vector = np.full(layout.size, np.nan)
    params = layout.views(vector, 1)[0]
    layer.initialize(params, shape, np.random.default_rng(3))
    return layout, vector, params


def test_its_names_say_the_way_and_the_place():
    assert BLOCK.parameters((5, 4, 2)) == {
        "block.0.W": (3, 3, 2, 4), "block.1.scale": (4,), "block.1.offset": (4,),
        "block.4.W": (3, 3, 4, 4), "block.4.b": (4,),
        "shortcut.1.W": (1, 1, 2, 4), "shortcut.2.scale": (4,),
    }  # fmt: skip
    assert BLOCK.statistics((5, 4, 2)) == {
        "block.1.mean": (4,), "block.1.variance": (4,),
        "shortcut.2.mean": (4,), "shortcut.2.variance": (4,),
    }  # fmt: skip
    # Additions and multiplications on 5·4 places: 2·4·9·2 + 2·4 + 0 + 4 + 2·4·9·4 of the block,
    # 0 + 2·4·2 + 2·4 of the shortcut; that the two are added is not counted.
    assert BLOCK.flops((5, 4, 2)) == 20 * (144 + 8 + 4 + 288 + 16 + 8)


def test_every_number_within_gets_its_first_value():
    layout, vector, params = made(BLOCK, (5, 4, 2))
    assert np.isfinite(vector).all()
    generator = np.random.default_rng(3)  # one generator, the block before the shortcut
    for W in (params.block.__dict__["0"].W, params.block.__dict__["4"].W):
        n_in, n_out = W[..., 0].size, W.shape[-1]
        drawn = generator.normal(size=(n_out, n_in)) * np.sqrt(2 / n_in)
        np.testing.assert_array_equal(np.moveaxis(W, -1, 0).reshape(n_out, n_in), drawn)
    # What is gathered lies behind what is learned.
    assert layout.learned == 72 + 4 + 4 + 144 + 4 + 8 + 4
    assert sorted(vector[layout.learned :]) == [0] * 8 + [1] * 8


def test_by_hand():
    """relu(2x + 1) + x at 3 and -2: 7 + 3 and 0 - 2; slopes 2 + 1 and 0 + 1."""
    layer = Residual((Dense(1, offsets=Uniform(1, 1)), ReLU()))
    _, _, params = made(layer, (1,))
    params.block.__dict__["0"].W[...] = 2
    grads = Numbers(block=Numbers(**{"0": Numbers(W=np.empty((1, 1)), b=np.empty(1))}))
    y, memory = layer.forward(np.array([[3.0], [-2.0]]), params)
    np.testing.assert_array_equal(y, [[10], [-2]])
    dx = layer.backward(np.array([[1.0], [10.0]]), memory, params, grads)
    np.testing.assert_array_equal(dx, [[3], [10]])
    assert (grads.block.__dict__["0"].W, grads.block.__dict__["0"].b) == (3, 1)


def test_it_draws_what_its_layers_draw():
    assert BLOCK.draws == 2
    assert Residual((ReLU(), SiLU())).draws == 0
    assert Residual((BLOCK, Dropout(0.1)), (BLOCK,)).draws == 5
    drawn = BLOCK.draw((6, 5, 4, 2), np.random.default_rng(1))
    generator = np.random.default_rng(1)
    # The first after the convolution to 4 channels, the second on the input of 2.
    expected = [
        generator.random(shape, np.float32) >= rate
        for shape, rate in (((6, 5, 4, 4), 0.3), ((6, 5, 4, 2), 0.5))
    ]
    for ours, theirs in zip(drawn, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_frozen_all_within_is_frozen():
    outer = Residual((BLOCK, ReLU()), (Convolution(4, (1, 1)), BatchNorm(0.1, keep=0.6)))
    frozen = outer.frozen()
    assert frozen == Residual(
        (
            Residual(
                (Convolution(4, offset=False), FrozenNorm(), Identity(), SiLU(), Convolution(4)),
                (
                    Identity(),
                    Convolution(4, (1, 1), offset=False),
                    FrozenNorm(offset=False),
                ),
            ),
            ReLU(),
        ),
        (Convolution(4, (1, 1)), FrozenNorm(0.1)),
    )


@pytest.mark.parametrize("way", ["block", "shortcut"])
def test_both_ways_gather(way):
    """The mean of a batch of 2 and 4 is 3, a tenth of which is kept from a first step."""
    norm = (BatchNorm(keep=0.9),)
    layer = Residual(norm) if way == "block" else Residual((ReLU(),), norm)
    layer = Residual((layer,))  # and within
    _, _, params = made(layer, (1,))
    _, memory = layer.forward(np.array([[2.0], [4.0]]), params)
    layer.gather(memory, params)
    own = getattr(params.block.__dict__["0"], way).__dict__["0"]
    assert own.mean == pytest.approx(0.3, rel=1e-14)
    assert own.variance == pytest.approx(0.9 + 0.1 * 2, rel=1e-14)
