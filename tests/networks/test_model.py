"""A model asked about files: in batches, as many as there are, and what it says of bad ones."""

from __future__ import annotations

import itertools
import threading

import numpy as np
import pytest
from PIL import Image

from handgrad.datasets import Preparation
from handgrad.layers import Dense, Tanh
from handgrad.losses import SoftmaxCrossEntropy
from handgrad.networks import Model, Network, forward_by_the_book, model


@pytest.fixture
def asked() -> Model:
    network = Network((Dense(5), Tanh(), Dense(3)), (4, 4, 3), dtype=np.float64)
    network.initialize(np.random.default_rng(0))
    return Model(network, Preparation(4, 4, 3), ("a", "b", "c"), SoftmaxCrossEntropy())


@pytest.fixture
def files(tmp_path) -> list[str]:
    """Eleven images, no two alike, of which the third and the sixth are broken."""
    names = [str(tmp_path / f"{i:02}.png") for i in range(11)]
    for i, name in enumerate(names):
        pixels = np.random.default_rng(i).integers(0, 256, (4, 4, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(name)
    for i in (2, 5):
        with open(names[i], "wb") as file:
            file.write(b"no image")
    return names


def by_hand(asked, name):
    """tanh and softmax, written out."""
    with Image.open(name) as image:
        x = np.asarray(image).reshape(-1) / 255
    first, _, second = asked.network.params
    z = np.tanh(x @ first.W + first.b) @ second.W + second.b
    return np.exp(z) / np.exp(z).sum()


@pytest.mark.parametrize("at_once", [1, 2, 3, 4, 11, 100])
def test_every_file_gets_its_own_answer(asked, files, at_once):
    told = []
    found = asked.predict(files, at_once=at_once, each=lambda done, all_: told.append((done, all_)))
    assert told == [(n, 11) for n in range(1, 12)]
    assert [prediction.file for prediction in found] == files
    for i, (name, prediction) in enumerate(zip(files, found, strict=True)):
        if i in (2, 5):
            assert prediction.error.startswith(f"{name}: found ")
            assert (prediction.label, prediction.probability) == (None, None)
        else:
            expected = by_hand(asked, name)
            assert prediction.error is None
            assert list(prediction.probabilities.values()) == pytest.approx(expected)
            assert prediction.label == "abc"[np.argmax(expected)]
            assert prediction.probability == pytest.approx(expected.max())


def test_a_file_twice_and_a_bad_one_twice(asked, files):
    found = asked.predict([files[0], files[2], files[1], files[2], files[0]])
    assert [prediction.error is None for prediction in found] == [True, False, True, False, True]
    assert found[0] == found[4] != found[2]


def test_no_files(asked, files):
    assert asked.predict([]) == []
    assert [p.label for p in asked.predictions([files[2]])] == [None]


def test_files_without_end(asked, files):
    """Whoever reads all the names first never answers; two batches are held and no more."""
    taken = itertools.count()
    endless = (name for name in itertools.cycle(files[:2]) if next(taken) >= 0)
    answers = asked.predictions(endless, at_once=3)
    first = list(itertools.islice(answers, 7))
    answers.close()
    assert [prediction.file for prediction in first] == [files[i % 2] for i in range(7)]
    assert next(taken) <= 12  # the third batch is told while the fourth was decoded


def test_the_next_batch_is_decoded_while_this_one_is_computed(asked, files, monkeypatch):
    batches = itertools.count(1)
    second = threading.Event()

    def decode(paths, *how):
        if next(batches) == 2:
            second.set()
        return decode_many(paths, *how)

    waited = []

    def forward(network, x):
        waited.append(second.wait(timeout=5))
        return forward_by_the_book(network, x)

    decode_many = model.decode_many
    monkeypatch.setattr(model, "decode_many", decode)
    asked.network.how_outputs = forward
    assert len(asked.predict(files[6:10], at_once=2)) == 4
    assert waited == [True, True]


def test_what_goes_wrong_in_the_network_is_raised(asked, files):
    def forward(network, x):
        raise MemoryError

    asked.network.how_outputs = forward
    with pytest.raises(MemoryError):
        asked.predict(files)


def test_numpys_error_state_is_that_of_the_caller(asked, files):
    """The network computes in another thread, where a division by 0 would only warn."""

    def forward(network, x):
        return np.divide(x[:, 0, 0], 0.0)

    asked.network.how_outputs = forward
    with np.errstate(all="raise"), pytest.raises(FloatingPointError):
        asked.predict(files)
