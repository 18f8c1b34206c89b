"""The flat vector and its names."""

import numpy as np
import pytest

from handgrad.arrays import Layout


@pytest.fixture
def layout():
    """Two layers that learn, one between them that does not, and gathered statistics."""
    learned = {"0.W": (2, 3), "0.b": (3,), "2.W": (3, 1), "2.b": (1,)}
    return Layout(learned, {"0.mean": (3,)})


def test_places_follow_one_another(layout):
    # 0.W 6, 0.b 3, 2.W 3, 2.b 1: 13 learned; 3 gathered after them
    starts = {name: slot.start for name, slot in layout.slots.items()}
    assert starts == {"0.W": 0, "0.b": 6, "2.W": 9, "2.b": 12, "0.mean": 13}
    assert (layout.learned, layout.size) == (13, 16)
    assert layout.weights() == [slice(0, 6), slice(9, 12)]
    assert [layout.layer(i) for i in range(3)] == [slice(0, 9), slice(0, 0), slice(9, 13)]


def test_a_view_is_the_vector(layout):
    vector = np.arange(16.0)
    views = layout.views(vector, 3)
    np.testing.assert_array_equal(views[0].W, [[0, 1, 2], [3, 4, 5]])
    np.testing.assert_array_equal(views[2].b, [12])
    views[0].W[1, 0] = -1
    views[0].mean[...] = 7
    assert vector[3] == -1
    assert (vector[13:] == 7).all()
    assert vars(views[1]) == {}


def test_a_gradient_has_the_learned_part_alone(layout):
    views = layout.views(np.zeros(layout.learned), 3)
    assert not hasattr(views[0], "mean")
    assert views[2].W.shape == (3, 1)


def test_parts_within_a_layer_have_names_of_their_own():
    layout = Layout({"0.inner.W": (2, 2), "0.inner.b": (2,)})
    vector = np.arange(6.0)
    np.testing.assert_array_equal(layout.views(vector, 1)[0].inner.b, [4, 5])
    assert layout.weights() == [slice(0, 4)]
    assert layout.layer(0) == slice(0, 6)
