"""Every layer, every loss and every view: in ONNX and in PyTorch the same numbers as here."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from handgrad.export.onnx_file import ONNX_PROBABILITIES
from handgrad.export.onnx_twins import ONNX_TWINS
from handgrad.export.torch_file import TORCH_PROBABILITIES
from handgrad.export.torch_twins import TORCH_TWINS
from handgrad.layers import (
    ELU,
    GELU,
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
    LeakyReLU,
    MaxPool,
    ReLU,
    Residual,
    Scale,
    Sigmoid,
    SiLU,
    Softmax,
    Tanh,
)
from handgrad.losses import (
    BinaryCrossEntropy,
    CrossEntropy,
    Loss,
    SigmoidCrossEntropy,
    SoftmaxCrossEntropy,
    SquaredError,
)
from handgrad.networks import VIEWS
from handgrad.tables import members

END = Dense(3)
C = Convolution
ARCHITECTURES = {
    "dense alone": ((END,), (6, 5, 3)),
    "dense without offset": ((Dense(4, offset=False), ReLU(), END), (1, 7, 1)),
    "row by row": ((C(4), Flatten(), END), (6, 5, 3)),
    "flattened, then changed": (
        (C(4), Flatten(), GELU(), Scale(-0.7), Dropout(0.5), END),
        (6, 5, 3),
    ),
    "flattened at once": ((Flatten(), Tanh(), END), (4, 3, 3)),
    "flattened twice": ((C(2), Flatten(), Flatten(), END), (4, 3, 3)),
    "flattened to a norm": ((C(4), Flatten(), GroupNorm(groups=5), FrozenNorm(), END), (6, 5, 1)),
    "flattened to the end": ((C(2, padding="valid"), Flatten(), Identity()), (3, 4, 3), 4),
    "scores of filters": ((C(3, (6, 5), padding="valid"), Flatten()), (6, 5, 3)),
    "flattened to a softmax": ((C(2), Flatten(), Softmax()), (2, 1, 3), 4),
    "softmax of a picture's scores": ((C(4), GlobalAveragePool(), Softmax(), END), (3, 4, 1)),
    "norm of the pixels": ((BatchNorm(), Dense(3)), (4, 5, 3)),
    "activations of pixels": ((SiLU(), Sigmoid(), LeakyReLU(0.3), ELU(1.7), END), (4, 5, 3)),
    "even kernel": ((C(4, (2, 4)), LeakyReLU(), END), (6, 5, 3)),
    "valid": ((C(4, (2, 3), padding="valid"), Sigmoid(), END), (6, 5, 3)),
    "stride": ((C(4, (3, 2), stride=2), ReLU(), C(3, (1, 1), stride=3), END), (7, 6, 3)),
    "stride between windows": ((C(2, (2, 2), stride=3, padding="valid"), END), (7, 6, 1)),
    "dilation": ((C(4, (3, 2), dilation=2, offset=False), Tanh(), END), (7, 4, 3)),
    "own padding": ((C(2, (3, 2), stride=3, padding=((1, 0), (2, 1))), END), (7, 5, 3)),
    "windows on zeros": ((C(2, (1, 1), padding=((2, 1), (0, 3))), END), (2, 1, 1)),
    "even padding": ((C(2, (3, 3), padding=((2, 2), (1, 1))), END), (4, 3, 3)),
    "max pool": ((C(4), MaxPool(), END), (7, 5, 3)),
    "max pool of pixels": ((MaxPool(3, 2), END), (7, 6, 3)),
    "overlapping pools": ((C(4), MaxPool(3, 1), AveragePool(2, 1), END), (6, 7, 3)),
    "pools with gaps": ((MaxPool(2, 3), AveragePool(1, 2), END), (8, 9, 3)),
    "average pool": ((AveragePool(), C(2), AveragePool(2), END), (9, 7, 3)),
    "global pool": ((C(4), ELU(0.6), GlobalAveragePool(), END), (6, 5, 3)),
    "global pool to the end": ((C(3), GlobalAveragePool()), (6, 5, 3)),
    "batch norm": ((C(4, offset=False), BatchNorm(0.1, keep=0.7), ReLU(), END), (6, 5, 3)),
    "norms of rows": ((Dense(6), BatchNorm(), Tanh(), FrozenNorm(scale=False), END), (2, 2, 1)),
    "norms without": (
        (
            C(4),
            BatchNorm(scale=False),
            FrozenNorm(offset=False),
            BatchNorm(scale=False, offset=False),
            GroupNorm(groups=2, scale=False),
            GroupNorm(groups=4, offset=False),
            GroupNorm(scale=False, offset=False),
            END,
        ),
        (4, 3, 3),
    ),
    "group norm": ((C(6), GroupNorm(0.01, groups=3), SiLU(), END), (5, 4, 3)),
    "group norm of pixels": ((GroupNorm(groups=3), END), (5, 4, 3)),
    "group norm of one number each": ((Dense(4), Residual((GroupNorm(groups=4),)), END), (2, 2, 1)),
    "residual": (
        (C(4), Residual((C(4, offset=False), BatchNorm(), GELU(), C(4))), MaxPool(), END),
        (7, 5, 3),
    ),
    "residual of pixels": ((Residual((C(3), Tanh())), END), (4, 5, 3)),
    "residual with shortcut": (
        (
            Residual(
                (C(4, stride=2), ReLU(), Dropout(0.3), C(4)),
                (C(4, (1, 1), stride=2, offset=False), FrozenNorm()),
            ),
            Flatten(),
            END,
        ),
        (7, 5, 3),
    ),
    "residual to rows": ((C(2), Residual((Flatten(), Dense(5)), (Dense(5),)), END), (3, 4, 3)),
    "residual of rows": ((C(2), Flatten(), Residual((ReLU(), Dense(24))), END), (3, 4, 3)),
    "residual within residual": (
        (Dense(5), Residual((Residual((Dense(5), Tanh()), (Scale(0.5),)), Dense(5))), END),
        (2, 3, 1),
    ),
}
CASES = [
    pytest.param(layers, shape, *(classes or [3]), id=name)
    for name, (layers, shape, *classes) in ARCHITECTURES.items()
]
"""Layers, the shape of an image, and how many classes."""


def ours(family):
    """The members of a family that this package has; other tests make some of their own."""
    return {kind for kind in members(family).values() if kind.__module__.startswith("handgrad.")}


def flat(layers):
    for layer in layers:
        yield layer
        if isinstance(layer, Residual):
            yield from flat((*layer.layers, *layer.shortcut))


def test_no_layer_and_no_loss_is_without_a_twin():
    assert set(TORCH_TWINS) == ours(Layer)
    predicting = ours(Layer) - {BatchNorm, Dropout}  # which vanish when frozen
    assert set(ONNX_TWINS) == predicting
    assert {type(layer.frozen()) for layer in (BatchNorm(), Dropout())} <= predicting
    assert set(ONNX_PROBABILITIES) == set(TORCH_PROBABILITIES) == ours(Loss)


def test_every_layer_is_tried_here():
    tried = {type(layer) for case in ARCHITECTURES.values() for layer in flat(case[0])}
    assert tried == ours(Layer)


def same(model, images, found):
    """Probabilities nearer than 1e-5 to ours, and our labels."""
    probabilities, labels = (np.asarray(each) for each in found)
    expected = model.probabilities(images)
    assert probabilities.dtype == np.float32
    assert probabilities.shape == expected.shape
    assert np.abs(probabilities - expected).max() < 1e-5
    assert labels.dtype == np.int64
    assert labels.tolist() == model.labels(images).tolist()
    # Not one answer for all, in which a network that was left out would not be seen.
    assert np.ptp(expected, axis=0).max() > 1e-4


@pytest.mark.parametrize(("layers", "shape", "classes"), CASES)
class TestEveryLayer:
    def test_in_onnx(self, made, pixels, answers, layers, shape, classes):
        model = made(
            layers, shape, classes=classes, mean=(0.4,) * shape[2], deviation=(0.3,) * shape[2]
        )
        same(model, pixels(model), answers(model, pixels(model)))

    def test_in_pytorch(self, made, pixels, in_pytorch, layers, shape, classes):
        model = made(
            layers, shape, classes=classes, mean=(0.4,) * shape[2], deviation=(0.3,) * shape[2]
        )
        same(model, pixels(model), in_pytorch(model).load().predict(pixels(model)))
        one = pixels(model, 1)
        found, _ = in_pytorch(model).load().predict(one)
        assert np.abs(found.numpy() - model.probabilities(one)).max() < 1e-5


LOSSES = {
    "softmax": ((Dense(4),), SoftmaxCrossEntropy(smoothing=0.1), 4),
    "softmax of two": ((Dense(2),), SoftmaxCrossEntropy(), 2),
    "sigmoid": ((Dense(1),), SigmoidCrossEntropy(), 2),
    "probabilities": ((Dense(3), Softmax()), CrossEntropy(), 3),
    "one probability": ((Dense(1), Sigmoid()), BinaryCrossEntropy(), 2),
    "squares": ((Dense(4),), SquaredError(), 4),
    "squares, none above 0": ((Dense(4), ReLU(), Scale(-1.0)), SquaredError(), 4),
    "squares of two": ((Dense(1),), SquaredError(), 2),
}


@pytest.mark.parametrize(("layers", "loss", "classes"), LOSSES.values(), ids=list(LOSSES))
class TestEveryLoss:
    def test_in_onnx(self, made, pixels, answers, layers, loss, classes):
        model = made(layers, (4, 3, 1), loss, classes)
        same(model, pixels(model, 40), answers(model, pixels(model, 40)))

    def test_in_pytorch(self, made, pixels, in_pytorch, layers, loss, classes):
        model = made(layers, (4, 3, 1), loss, classes)
        same(model, pixels(model, 40), in_pytorch(model).load().predict(pixels(model, 40)))


def test_every_loss_is_tried_here():
    assert {type(loss) for _, loss, _ in LOSSES.values()} == ours(Loss)


def nothing_above_zero(made):
    """Squared error's outputs are all 0: every class is as likely, and the first one is told."""
    model = made((Dense(4), ReLU(), Scale(0.0)), (4, 3, 1), SquaredError(), 4)
    return model, np.full((3, 4), 0.25)


def test_outputs_of_zero_in_onnx(made, pixels, answers):
    model, expected = nothing_above_zero(made)
    probabilities, labels = answers(model, pixels(model, 3))
    assert probabilities.tolist() == expected.tolist()
    assert labels.tolist() == [0, 0, 0]


def test_outputs_of_zero_in_pytorch(made, pixels, in_pytorch):
    model, expected = nothing_above_zero(made)
    probabilities, labels = in_pytorch(model).load().predict(pixels(model, 3))
    assert probabilities.tolist() == expected.tolist()
    assert labels.tolist() == [0, 0, 0]


PREPARATIONS = {
    "unit": {},
    "none": {"scale": "none"},
    "normalized": {"mean": (0.1, 0.4, 0.7), "deviation": (0.2, 0.5, 1.5)},
    "column by column": {"transposed": True, "mean": (0.1, 0.4, 0.7), "deviation": (0.2, 0.5, 1.5)},
}
NET = (C(3, (2, 3), padding="valid"), Tanh(), Scale(0.05), END)


@pytest.mark.parametrize("views", VIEWS)
@pytest.mark.parametrize("said", PREPARATIONS.values(), ids=list(PREPARATIONS))
class TestEveryPreparationAndView:
    def test_in_onnx(self, made, pixels, answers, views, said):
        for shape in [(5, 5, 3)] if said.get("transposed") else [(5, 4, 3), (2, 3, 3)]:
            model = made(NET, shape, views=views, **said)
            same(model, pixels(model), answers(model, pixels(model)))

    def test_in_pytorch(self, made, pixels, in_pytorch, views, said):
        for shape in [(5, 5, 3)] if said.get("transposed") else [(5, 4, 3), (2, 3, 3)]:
            model = made(NET, shape, views=views, **said)
            same(model, pixels(model), in_pytorch(model).load().predict(pixels(model)))


def test_the_views_are_what_makes_the_difference(made, pixels):
    """Else the tests above would pass with any view."""
    model = made(NET, (5, 4, 3))
    plain = model.probabilities(pixels(model))
    for views in ("mirror", "mirror-shift"):
        seen = dataclasses.replace(model, views=views).probabilities(pixels(model))
        assert np.abs(seen - plain).max() > 1e-4


def test_column_by_column_without_a_convolution(made, pixels, answers):
    model = made((Dense(3),), (4, 4, 3), transposed=True)
    same(model, pixels(model), answers(model, pixels(model)))


def test_doubles_are_exported_as_singles(made, pixels, answers, in_pytorch):
    model = made((C(3), BatchNorm(), Tanh(), END), dtype="float64")
    same(model, pixels(model), answers(model, pixels(model)))
    same(model, pixels(model), in_pytorch(model).load().predict(pixels(model)))


@pytest.mark.parametrize("answers", ["onnxruntime"], indirect=True)  # the other divides by N
@pytest.mark.parametrize("n", [0, 1, 7])
@pytest.mark.parametrize("views", VIEWS)
def test_any_number_of_images(made, pixels, answers, n, views):
    model = made((C(4), GroupNorm(groups=2), GlobalAveragePool(), END), views=views)
    probabilities, labels = answers(model, pixels(model, n))
    assert probabilities.shape == (n, 3)
    assert labels.shape == (n,)


def test_a_layer_of_ones_own_is_refused(made, tmp_path):
    from handgrad.errors import HandgradError
    from handgrad.export import save_onnx, save_torch

    @dataclasses.dataclass(frozen=True)
    class Doubled(Scale):
        """Another layer, not to be taken for its parent."""

    model = made((Doubled(2.0), END))
    pytest.importorskip("onnx")
    with pytest.raises(HandgradError, match="the layer scale 2; it has no twin in ONNX yet"):
        save_onnx(model, tmp_path / "a.onnx")
    with pytest.raises(HandgradError, match="the layer scale 2; it has no twin in PyTorch yet"):
        save_torch(model, tmp_path / "a.py")
    assert list(tmp_path.iterdir()) == []
