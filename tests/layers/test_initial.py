"""First values: their distribution, its bounds, and the order of draws."""

import math
import tracemalloc

import numpy as np
import pytest

from handgrad.arrays import Numbers
from handgrad.errors import RecipeError
from handgrad.layers import (
    Convolution,
    Dense,
    Dirac,
    Glorot,
    He,
    Initial,
    Normal,
    PyTorch,
    ReLU,
    Residual,
    Uniform,
    Whitening,
    Zeros,
)
from handgrad.layers import initial as drawing
from handgrad.networks import Network
from handgrad.tables import members

N_IN, N_OUT = 300, 200
VARIANCES = [
    (Normal(), 1 / N_IN),
    (Normal(0.04), 0.04),
    (Glorot(), 2 / (N_IN + N_OUT)),
    (Glorot("normal"), 2 / (N_IN + N_OUT)),
    (He(), 2 / N_IN),
    (He("uniform"), 2 / N_IN),
    (PyTorch(), 1 / (3 * N_IN)),
    (Uniform(-0.5, 0.5), 1 / 12),
    (Zeros(), 0.0),
]


def test_every_way_to_begin_is_tested():
    by_themselves = {Dirac, Whitening}  # below
    assert {type(initial) for initial, _ in VARIANCES} | by_themselves == set(
        members(Initial).values()
    )


@pytest.mark.parametrize(("initial", "variance"), VARIANCES, ids=str)
def test_mean_and_variance(initial, variance):
    """Of n values the mean deviates by σ/√n, and the variance by σ² √((κ-1)/n).

    κ is the kurtosis, 3 for a normal and 9/5 for a uniform distribution; 3 bounds both. Five
    deviations leave a right generator about one chance in a million to fail, over all seeds.
    """
    drawn = initial.draw(N_IN, N_OUT, np.random.default_rng(1))
    n = drawn.size
    assert drawn.shape == (N_OUT, N_IN)
    assert drawn.mean() == pytest.approx(0, abs=5 * math.sqrt(variance / n))
    assert drawn.var() == pytest.approx(variance, abs=5 * variance * math.sqrt(2 / n))


@pytest.mark.parametrize(
    ("initial", "low", "high"),
    [
        (Uniform(), 0, 1),
        (Uniform(-2, 3), -2, 3),
        (Glorot("uniform"), -math.sqrt(6 / (N_IN + N_OUT)), math.sqrt(6 / (N_IN + N_OUT))),
        (He("uniform"), -math.sqrt(6 / N_IN), math.sqrt(6 / N_IN)),
        (PyTorch(), -1 / math.sqrt(N_IN), 1 / math.sqrt(N_IN)),
    ],
    ids=str,
)
def test_uniform_values_fill_their_bounds(initial, low, high):
    """The largest of n uniform values misses its bound by 1/n of the width, on average; the chance
    to miss it by 20/n is e^-20."""
    drawn = initial.draw(N_IN, N_OUT, np.random.default_rng(2))
    width = 20 * (high - low) / drawn.size
    assert low <= drawn.min() < low + width
    assert high - width < drawn.max() < high


@pytest.mark.parametrize("initial", [Glorot("normal"), He("normal"), Normal()], ids=str)
def test_normal_values_have_tails(initial):
    """A uniform distribution ends at √3 = 1.73 deviations; of a normal one 4.55 % lie beyond 2."""
    drawn = initial.draw(N_IN, N_OUT, np.random.default_rng(3))
    share = (abs(drawn) > 2 * drawn.std()).mean()
    assert share == pytest.approx(0.0455, abs=5 * math.sqrt(0.0455 * 0.9545 / drawn.size))


def test_the_draw_a_reader_would_make_by_hand():
    expected = np.random.default_rng(7).normal(size=(6, 9)) / 3
    np.testing.assert_array_equal(Normal().draw(9, 6, np.random.default_rng(7)), expected)


@pytest.mark.parametrize(
    ("layer", "shape", "theirs"),
    [
        (Dense(1000, PyTorch(), PyTorch()), (16,), lambda nn: nn.Linear(16, 1000)),
        (
            Convolution(1000, (2, 1), weights=PyTorch(), offsets=PyTorch()),
            (4, 4, 8),
            lambda nn: nn.Conv2d(8, 1000, (2, 1)),
        ),
    ],
    ids=["dense", "convolution"],
)
def test_pytorchs_bounds_against_pytorch(torch, layer, shape, theirs):
    """Weights and offsets of 16 inputs each lie in ±1/4, and fill it, here and there.

    Of 1000 uniform numbers the largest misses its bound by 2 % with a chance of e^-10.
    """
    network = Network((layer,), shape, dtype=np.float64)
    network.initialize(np.random.default_rng(4))
    torch.manual_seed(4)
    module = theirs(torch.nn)
    both = [network.params[0].W, network.params[0].b, module.weight, module.bias]
    for numbers in both:
        found = torch.as_tensor(numbers).detach().numpy()
        assert 0.98 * 0.25 < found.max() <= 0.25
        assert -0.25 <= found.min() < -0.98 * 0.25


@pytest.mark.parametrize(("channels", "filters"), [(3, 3), (3, 5), (4, 2)])
def test_dirac_against_pytorch(torch, channels, filters):
    """The first filters are PyTorch's; the others are drawn as if there were no such thing."""
    shape = (3, 3, channels, filters)
    W = Dirac().filters(shape, np.random.default_rng(5))
    own = torch.zeros(filters, channels, 3, 3, dtype=torch.float64)
    torch.nn.init.dirac_(own[:channels])
    theirs = own.permute(2, 3, 1, 0).numpy()
    np.testing.assert_array_equal(W[..., :channels], theirs[..., :channels])
    drawn = PyTorch().filters(shape, np.random.default_rng(5))
    np.testing.assert_array_equal(W[..., channels:], drawn[..., channels:])


@pytest.mark.parametrize("kernel", [(1, 1), (2, 2), (3, 3), (5, 4)])
def test_a_convolution_that_begins_as_dirac_hands_on_its_input(kernel):
    network = Network((Convolution(5, kernel, weights=Dirac()),), (6, 7, 3), dtype=np.float64)
    network.initialize(np.random.default_rng(0))
    x = np.random.default_rng(1).normal(size=(2, 6, 7, 3))
    y, _ = network.forward(x)
    np.testing.assert_array_equal(y[..., :3], x)


def correlated(n=60, side=7, channels=3):
    """Images whose neighbouring pixels and channels are alike, as in photographs."""
    generator = np.random.default_rng(6)
    x = generator.normal(size=(n, side, side, channels))
    x[:, 1:] += 2 * x[:, :-1]
    x[:, :, 1:] += x[:, :, :-1]
    return x + x.mean(axis=3, keepdims=True)


def second_moments(outputs):
    rows = outputs.reshape(-1, outputs.shape[-1])
    return rows.T @ rows / len(rows)


@pytest.mark.parametrize("epsilon", [5e-4, 3.0])
def test_outputs_of_whitening_filters_are_uncorrelated(epsilon):
    """E[y yᵀ] of the first D outputs is λ/(λ + ε) on the diagonal, largest λ first, and 0 beside.

    The eigenvalues come from the second moments of patches that are cut out one by one.
    """
    images = correlated()
    patches = [x[i : i + 2, j : j + 2].ravel() for x in images for i in range(6) for j in range(6)]
    eigenvalues = np.sort(np.linalg.eigvalsh(second_moments(np.array(patches))))[::-1]
    layer = Convolution(24, (2, 2), padding="valid", offset=False, weights=Whitening(epsilon))
    network = Network((layer, ReLU(), Dense(2)), (7, 7, 3), dtype=np.float64)
    assert network.looks
    network.initialize(np.random.default_rng(0), images)
    y, _ = layer.forward(images, network.params[0])
    expected = np.diag(eigenvalues / (eigenvalues + epsilon))
    np.testing.assert_allclose(second_moments(y[..., :12]), expected, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(y[..., 12:], -y[..., :12])
    largest = np.abs(network.params[0].W[..., :12]).reshape(12, 12).argmax(axis=0)
    assert (network.params[0].W[..., :12].reshape(12, 12)[largest, range(12)] > 0).all()


def test_fewer_whitening_filters_are_the_leading_ones():
    images = correlated()
    whole, fewer = (Whitening().filters((2, 2, 3, n), None, images) for n in (24, 10))
    np.testing.assert_array_equal(fewer[..., :5], whole[..., :5])
    np.testing.assert_array_equal(fewer[..., 5:], whole[..., 12:17])


def test_whitening_in_directions_that_do_not_occur():
    """Images of one colour each: all λ but the first are 0, and ε keeps their weights finite."""
    images = np.random.default_rng(0).normal(size=(9, 1, 1, 1)) * np.ones((1, 4, 4, 1))
    W = Whitening(0.25).filters((2, 2, 1, 8), None, images).reshape(4, 8)
    np.testing.assert_allclose((W[:, 1:4] ** 2).sum(axis=0), 1 / 0.25, rtol=1e-12)


@pytest.mark.parametrize(
    ("architecture", "images", "sentence"),
    [
        ((Convolution(24, (2, 2), weights=Whitening()),), None, "whitening: found no images"),
        (
            (Residual((Convolution(24, (2, 2), weights=Whitening()), Convolution(3))),),
            correlated(),
            "whitening: found no images; expected a convolution at the head of a network",
        ),
        (
            (Convolution(4), Convolution(24, (2, 2), weights=Whitening())),
            correlated(),
            "found a convolution over 4 channels; expected .* the 3 channels of its images",
        ),
        (
            (Convolution(26, (2, 2), weights=Whitening()),),
            correlated(),
            "found 26 filters of 2x2 on 3 channels; expected an even number up to 24",
        ),
        (
            (Convolution(5, (2, 2), weights=Whitening()),),
            correlated(),
            "found 5 filters of 2x2 on 3 channels; expected an even number up to 24",
        ),
        ((Dense(4, Whitening()),), correlated(), "expected a convolution"),
    ],
)
def test_what_whitening_refuses(architecture, images, sentence):
    network = Network(architecture, (7, 7, 3))
    with pytest.raises(RecipeError, match=sentence):
        network.initialize(np.random.default_rng(0), images)


def test_layers_that_do_not_look_are_drawn_as_without_images():
    network, other = (Network((Convolution(4), Dense(3)), (7, 7, 3)) for _ in range(2))
    assert not network.looks
    network.initialize(np.random.default_rng(0), correlated())
    other.initialize(np.random.default_rng(0))
    np.testing.assert_array_equal(network.vector, other.vector)


def test_offsets_of_one_input_stay_as_they_were_drawn():
    """Normal offsets are N(0, 1), whatever the width of their layer: a neuron of one input."""
    params = Numbers(W=np.empty((9, 6)), b=np.empty(6))
    Dense(6, offsets=Normal()).initialize(params, (9,), np.random.default_rng(7))
    generator = np.random.default_rng(7)
    generator.normal(size=(6, 9))
    np.testing.assert_array_equal(params.b, generator.normal(size=6))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("initial", [initial for initial, _ in VARIANCES] + [Dirac()], ids=str)
def test_in_pieces_they_are_the_numbers_drawn_at_once(monkeypatch, initial, dtype):
    """Three neurons at a time, and a last piece of one; the stream goes on where it would."""
    monkeypatch.setattr(drawing, "AT_ONCE", 3 * 11 + 5)
    at_once, in_pieces = np.random.default_rng(3), np.random.default_rng(3)
    W = np.full((11, 7), np.nan, dtype)
    initial.write(W, in_pieces)
    np.testing.assert_array_equal(W, initial.draw(11, 7, at_once).T.astype(dtype))
    assert in_pieces.random() == at_once.random()


def test_first_values_take_little_besides_the_vector():
    """4 million numbers: 16 MB; in float64 all at once, and scaled, they would take 64."""
    network = Network((Dense(2000),), (2000,))
    tracemalloc.start()
    network.initialize(np.random.default_rng(0))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 20e6
    assert network.params[0].W.std() == pytest.approx(1 / math.sqrt(2000), rel=0.01)
