"""A model that looks at an image more than once: which views, how they are weighed, and whose."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from handgrad.datasets import OnDisk, Preparation
from handgrad.errors import HandgradError
from handgrad.layers import Convolution, Dense, GlobalAveragePool, Tanh
from handgrad.losses import SoftmaxCrossEntropy
from handgrad.networks import VIEWS, InBatches, Model, Network, weighted_views

IMAGE = np.arange(1, 10).reshape(1, 3, 3, 1)
UPPER_LEFT = [[5, 4, 5], [2, 1, 2], [5, 4, 5]]
"""IMAGE read one pixel up and left; its reflection is 5 4 5 above and 2, 5 beside."""
LOWER_RIGHT = [[5, 6, 5], [8, 9, 8], [5, 6, 5]]


def model(views="none", shape=(5, 4, 3), transposed=False):
    """A nonlinear network that tells left from right, with normalized colours."""
    network = Network((Convolution(3, padding="valid"), Tanh(), Dense(2)), shape, dtype=np.float64)
    network.initialize(np.random.default_rng(0))
    preparation = Preparation(
        *shape, mean=(0.2, 0.4, 0.6), deviation=(0.5, 1.0, 2.0), transposed=transposed
    )
    return Model(network, preparation, ("a", "b"), SoftmaxCrossEntropy(), views=views)


def images(shape=(5, 4, 3)):
    return np.random.default_rng(1).integers(0, 256, (3, *shape), dtype=np.uint8)


def test_the_views_of_three_by_three_pixels():
    plain, upper, lower = (np.array(view) for view in (IMAGE[0, ..., 0], UPPER_LEFT, LOWER_RIGHT))
    expected = {
        "none": [(1, plain)],
        "mirror": [(1 / 2, plain), (1 / 2, plain[:, ::-1])],
        "mirror-shift": [
            (1 / 4, plain),
            (1 / 4, plain[:, ::-1]),
            (1 / 8, upper),
            (1 / 8, upper[:, ::-1]),
            (1 / 8, lower),
            (1 / 8, lower[:, ::-1]),
        ],
    }
    assert set(expected) == set(VIEWS)
    for views, wanted in expected.items():
        found = list(weighted_views(IMAGE, views))
        assert [weight for weight, _ in found] == [weight for weight, _ in wanted]
        assert sum(weight for weight, _ in found) == 1
        for (_, view), (_, picture) in zip(found, wanted, strict=True):
            np.testing.assert_array_equal(view[0, ..., 0], picture)
            assert view.dtype == IMAGE.dtype


def test_six_views_beside_pytorch(torch):
    """Padding and mirroring after normalization, by PyTorch; the network is asked plainly."""
    plain = model()
    x = images() / 255
    x = (x - (0.2, 0.4, 0.6)) / (0.5, 1.0, 2.0)
    tensor = torch.tensor(x).permute(0, 3, 1, 2)
    wide = torch.nn.functional.pad(tensor, (1, 1, 1, 1), "reflect")

    def both(picture):
        pair = (picture, picture.flip(-1))
        said = [plain.network.outputs(view.permute(0, 2, 3, 1).numpy()) for view in pair]
        return (said[0] + said[1]) / 2

    shifted = (both(wide[..., :5, :4]) + both(wide[..., 2:, 2:])) / 2
    expected = (both(tensor) + shifted) / 2
    found = model("mirror-shift").outputs(images())
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert np.abs(found - plain.outputs(images())).max() > 1e-3


def test_without_views_it_is_the_network_itself():
    plain = model()
    x = (images() / 255 - (0.2, 0.4, 0.6)) / (0.5, 1.0, 2.0)
    np.testing.assert_allclose(plain.outputs(images()), plain.network.outputs(x), rtol=1e-12)
    assert plain.outputs(images()[:0]).shape == (0, 2)
    assert model("mirror").outputs(images()[:0]).shape == (0, 2)


@pytest.mark.parametrize("transposed", [False, True])
def test_an_image_and_its_mirror_get_one_answer(transposed):
    """Left to right in the picture, also where the network is fed its columns."""
    shape = (4, 4, 3)
    seen = images(shape)
    both = model("mirror", shape, transposed)
    plain = model("none", shape, transposed)
    np.testing.assert_allclose(both.outputs(seen), both.outputs(seen[:, :, ::-1]), rtol=1e-12)
    assert np.abs(plain.outputs(seen) - plain.outputs(seen[:, :, ::-1])).max() > 1e-3
    assert np.abs(both.outputs(seen) - both.outputs(seen[:, ::-1])).max() > 1e-3


def test_every_answer_goes_through_the_views(tmp_path):
    """One weight: the upper left pixel less the upper right one, so that the mirror cancels it."""
    network = Network((Dense(2),), (1, 2, 1))
    network.params[0].W[0, 1], network.params[0].W[1, 1] = 8, -8
    network.params[0].b[0] = 1
    sure = Model(network, Preparation(1, 2, 1), ("no", "left"), SoftmaxCrossEntropy())
    unsure = dataclasses.replace(sure, views="mirror")
    left = np.array([[[[255], [0]]]], np.uint8)
    assert sure.labels(left) == [1]
    assert unsure.labels(left) == [0]
    # outputs (1, 8) and (1, -8) have the mean (1, 0)
    e = np.exp(1)
    np.testing.assert_allclose(unsure.probabilities(left), [[e / (1 + e), 1 / (1 + e)]], rtol=1e-6)
    from PIL import Image

    Image.fromarray(left[0, ..., 0]).save(tmp_path / "left.png")
    (answer,) = unsure.predict([tmp_path / "left.png"])
    assert answer.label == "no"
    assert answer.probability == pytest.approx(e / (1 + e), rel=1e-6)
    assert sure.predict([tmp_path / "left.png"])[0].label == "left"


def test_what_a_model_refuses():
    with pytest.raises(HandgradError, match="views = 'miror' is unknown; did you mean 'mirror'"):
        model("miror")
    network = Network((GlobalAveragePool(), Dense(2)), (1, 4, 1))
    for_one_row = (network, Preparation(1, 4, 1), ("a", "b"), SoftmaxCrossEntropy())
    assert Model(*for_one_row, views="mirror").views == "mirror"
    with pytest.raises(HandgradError, match="found images of 1x4; expected at least 2x2"):
        Model(*for_one_row, views="mirror-shift")


@pytest.mark.parametrize("views", VIEWS)
def test_images_on_disk_are_answered_in_the_same_batches(views):
    """A product's last bits may depend on how many rows it has."""
    array, asked = images(), []

    def noted(network, x):
        asked.append(len(x))
        return network.forward(x)[0]

    answering = model(views)
    answering.network.how_outputs = InBatches(noted, at_once=2)
    on_disk = OnDisk(array[::-1], np.array([2, 1, 0]))
    for (weight, view), (same, other) in zip(
        weighted_views(on_disk, views), weighted_views(array, views), strict=True
    ):
        assert weight == same
        assert np.array_equal(view[:], other)
    found = [answering.outputs(given) for given in (array, on_disk)]
    assert found[0].tobytes() == found[1].tobytes()
    assert asked[: len(asked) // 2] == asked[len(asked) // 2 :]
