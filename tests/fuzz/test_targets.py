"""Every format: good files are read, changed ones are read or refused, and nothing else happens."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from targets import GENERAL, TARGETS, Target, attempt, mutated
from watched import TooLongError, watched

from handgrad.errors import DataError

NEEDED = {"ONNX": "onnx"}


@pytest.fixture(params=TARGETS)
def target(request) -> Target:
    if request.param in NEEDED:
        pytest.importorskip(NEEDED[request.param])
    return TARGETS[request.param]


@pytest.fixture
def seeds(target, place) -> list[bytes]:
    """Read once, so that whatever is imported late is there."""
    made = target.seeds()
    for seed in made:
        attempt(target, seed, place)
        attempt(target, seed[: len(seed) // 2], place)
    return made


def test_what_is_good_is_read(target, place):
    for seed in target.seeds():
        assert attempt(target, seed, place)


def test_nothing_at_all(target, place):
    """An empty file is a good list of nothing for some, and refused by all others."""
    attempt(target, b"", place)
    attempt(target, bytes(1000), place)


def test_changed_files(target, seeds, place):
    for data in mutated(seeds, target.mutations, seed=1):
        with watched(place, target.most(len(data))):
            attempt(target, data, place)


def test_changed_files_are_the_same_every_time():
    first, again, other = (list(mutated([b"abc" * 9], 50, seed)) for seed in (3, 3, 4))
    assert first == again != other
    assert len(set(first)) > 40


class TestTheWatch:
    """Each fault, planted, is seen."""

    @pytest.fixture
    def planted(self, place):
        def plant(read):
            with watched(place, GENERAL):
                attempt(Target("x", read, list), b"x", place)

        return plant

    def test_the_package_s_own_error_passes(self, planted):
        def refuses(folder):
            raise DataError(folder, "this", "that")

        planted(refuses)

    def test_another_error(self, planted):
        with pytest.raises(KeyError):
            planted(lambda folder: {}["a"])

    def test_time(self, planted, monkeypatch):
        monkeypatch.setattr("watched.SECONDS", 0.1)

        def reads_for_ever(folder):
            while True:
                pass

        with pytest.raises(TooLongError):
            planted(reads_for_ever)

    def test_memory(self, planted):
        with pytest.raises(AssertionError, match="bytes"):
            planted(lambda folder: np.empty(GENERAL + 1, np.uint8))

    def test_a_file_elsewhere(self, planted, tmp_path):
        with pytest.raises(AssertionError, match=r"open .*elsewhere"):
            planted(lambda folder: (tmp_path / "elsewhere").write_bytes(b""))

    def test_a_file_removed_elsewhere(self, planted, tmp_path):
        (tmp_path / "elsewhere").touch()
        with pytest.raises(AssertionError, match=r"os.remove .*elsewhere"):
            planted(lambda folder: (tmp_path / "elsewhere").unlink())

    def test_a_program(self, planted):
        with pytest.raises(AssertionError, match=r"subprocess.Popen"):
            planted(lambda folder: subprocess.run([sys.executable, "-c", ""], check=True))

    def test_code(self, planted):
        with pytest.raises(AssertionError, match="compile"):
            planted(lambda folder: compile("1", "x", "eval"))
