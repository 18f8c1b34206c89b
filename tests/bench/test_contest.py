"""The contest: who is let in, what a row holds, how it ends. Nothing depends on a time."""

from __future__ import annotations

import runpy
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from handgrad.bench import RIVALS, Refused, Row, Skipped, Unmeasured, contest, measured_where
from handgrad.bench.contest import difference
from handgrad.bench.memory import Memory
from handgrad.bench.rivals import NotMeantError, SkippedError, rival
from handgrad.bench.threads import held
from handgrad.bench.works import WORKS, descent
from handgrad.layers import Dense, ReLU
from handgrad.optimizers import SGD


def pools() -> list[int]:
    return [pool["num_threads"] for pool in threadpool_info()]


class Altered:
    """The tutorial, whose numbers are changed on their way out."""

    def __init__(self, problem, change):
        self.side, self.change = rival("tutorial", problem, 1), change
        self.restart, self.run = self.side.restart, self.side.run

    def numbers(self):
        return self.change(self.side.numbers())


def altered(change):
    return lambda name, problem, threads: Altered(problem, change)


@pytest.mark.parametrize(
    ("change", "largest", "why"),
    [
        (lambda w: 1.01 * w, None, "of the change from ours; expected at most 1e-03"),
        (lambda w: np.where(np.arange(w.size) == 3, np.nan, w), None, "nan of the change"),
        (lambda w: w[:-1], None, "inf of the change"),
        (lambda w: w + 1e-4 * (np.arange(w.size) == 3), 1e-5, "a number of its is 1.0e-04"),
    ],
    ids=["scaled", "no number", "too few", "one number"],
)
def test_a_rival_with_other_numbers_is_not_timed(work, change, largest, why):
    work = replace(work, largest=largest)
    (found,) = contest([work], rounds=1, threads=1, rivals=["x"], make=altered(change))
    assert isinstance(found, Refused)
    assert str(found).startswith("tiny: x is not timed: ")
    assert why in str(found)


def test_a_rival_that_trains_otherwise_is_not_timed(work, dense):
    """Not its last line is wrong, but its learning rate, by 2 %."""

    def make(name, problem, threads):
        quicker = replace(problem.optimizer, learning_rate=0.51)
        return rival("tutorial", replace(problem, optimizer=quicker), threads)

    (found,) = contest([work], rounds=1, threads=1, rivals=["x"], make=make)
    assert isinstance(found, Refused)


def test_a_row(work):
    known = {"cpu": "abacus"}
    weigh = {"ours": Memory(10, 100), "tutorial": Memory(20, 200)}
    (row,) = contest(
        [replace(work, timed=1)], rounds=3, threads=1, rivals=["tutorial"], where=known,
        weigh=lambda work, side, threads, reference: weigh[side],
    )  # fmt: skip
    table = row.table()
    assert {"work", "rival", "ours_ms", "rival_ms", "ratio", "floor_ms"} <= table.keys()
    assert (table["work"], table["rival"], table["per"]) == ("tiny", "tutorial", "epoch")
    assert (table["threads"], table["rounds"], table["cpu"]) == (1, 3, "abacus")
    assert table["rival_part"] == pytest.approx(1 / 3)
    assert (table["ours_memory"], table["rival_memory"]) == (10, 20)
    assert (table["ours_process"], table["rival_process"]) == (100, 200)
    assert 0 < table["difference"] < 1e-3
    assert 0 < table["ours_min_ms"] <= table["ours_ms"]
    assert 0 < table["rival_min_ms"] <= table["rival_ms"]
    assert 0 < table["floor_min_ms"] <= table["floor_ms"]
    assert table["ratio"] == pytest.approx(table["rival_ms"] / table["ours_ms"])
    low, middle, high = table["ratio_rounds"]
    assert 0 < low <= middle <= high
    assert row.brief().items() <= table.items()
    assert table["fraction"] == pytest.approx(table["floor_ms"] / table["ours_ms"])


def test_milliseconds_scale_and_ratio(work, monkeypatch):
    """A clock that counts 8 ms a look: every lap is 8 ms, for 3 epochs of ours, 1 of a rival's."""
    ticks = iter(np.arange(1000) * 0.008)
    monkeypatch.setattr("time.perf_counter", lambda: next(ticks))
    (row,) = contest([replace(work, timed=1)], rounds=2, threads=1, rivals=["tutorial"])
    assert row.ours_ms == pytest.approx(8 / 3)
    assert row.rival_ms == pytest.approx(8)
    assert row.floor_ms == pytest.approx(8)
    assert row.ratio == pytest.approx(3)


def test_sides_take_turns(work):
    """Each round begins with another side, and has them all."""
    seen = []

    def make(name, problem, threads):
        side = Altered(problem, lambda w: w)
        run = side.run
        side.run = lambda repeats: (seen.append(name), run(repeats))
        return side

    list(contest([work], rounds=2, threads=1, rivals=["a", "b"], make=make))
    assert seen == ["a", "b", "a", "b", "a", "b"]  # the check, then two rounds


def test_skipped_and_not_meant(work):
    def make(name, problem, threads):
        raise {"a": SkippedError("no compiler"), "b": NotMeantError()}[name]

    (found,) = contest([work], rounds=1, threads=1, rivals=["a", "b"], make=make)
    assert isinstance(found, Skipped)
    assert not isinstance(found, Refused)
    assert str(found) == "tiny: a is skipped: no compiler"


def test_a_rival_that_fails_does_not_end_the_others(work):
    def make(name, problem, threads):
        if name == "a":
            raise ZeroDivisionError("out of luck")
        return rival("tutorial", problem, threads)

    found = list(contest([work], rounds=1, threads=1, rivals=["a", "b"], make=make))
    assert "ZeroDivisionError: out of luck" in str(found[0])
    assert isinstance(found[1], Row)


def test_a_work_that_is_not_there_yet_is_told(work):
    def missing():
        raise SkippedError("there is no such recipe yet")

    (found,) = contest([replace(work, problem=missing)], rivals=["tutorial"])
    assert str(found) == "tiny: the work is skipped: there is no such recipe yet"


def test_a_work_for_a_card_that_is_not_there_has_its_row(monkeypatch):
    """In words, as JSON and in the README's table: nobody takes it for forgotten."""
    monkeypatch.setitem(sys.modules, "cupy", None)
    card, known = WORKS["convolution-cuda"], {"cpu": "abacus"}
    (row,) = contest([card], rivals=RIVALS, where=known)
    assert isinstance(row, Unmeasured)
    assert str(row) == "not measured: no CUDA device"
    assert row.brief() == {
        "work": "convolution-cuda", "rival": "pytorch cuda", "ours_ms": None, "rival_ms": None,
        "ratio": None, "floor_ms": None, "not_measured": "no CUDA device",
    }  # fmt: skip
    assert "found no CuPy" in row.table()["found"]
    assert list(contest([card], rivals=["tutorial"])) == []
    benchmarks = Path(__file__).parents[2] / "benchmarks"
    monkeypatch.syspath_prepend(benchmarks)
    table = runpy.run_path(str(benchmarks / "table.py"))["table"]
    said = table([row.table()])
    assert (
        "| `convolution-cuda` | pytorch cuda | not measured: no CUDA device | | | | | | |\n" in said
    )
    (whole,) = contest([WORKS["lines"]], rounds=1, rivals=["tutorial"], where=measured_where())
    assert "| tutorial |" in table([whole.table(), row.table()])


def test_an_interrupt_leaves_what_there_is(work):
    laps = []

    def make(name, problem, threads):
        side = rival("tutorial", problem, threads)
        run = side.run

        def interrupted(repeats):
            laps.append(name)
            if len(laps) == 4:  # the check, two rounds, and then
                raise KeyboardInterrupt
            run(repeats)

        side.run = interrupted
        return side

    found = contest([work], rounds=5, threads=1, rivals=["tutorial"], make=make)
    assert next(found).rounds == 2
    with pytest.raises(KeyboardInterrupt):
        next(found)


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_are_held_and_set_back(work, threads):
    before, during = pools(), []

    def make(name, problem, held_to):
        assert held_to == threads
        side = rival("tutorial", problem, held_to)
        run = side.run
        side.run = lambda repeats: (during.append(pools()), run(repeats))
        return side

    list(contest([work], rounds=1, threads=threads, rivals=["x"], make=make))
    assert during == [[threads] * len(before)] * 2
    assert pools() == before


def test_pytorch_is_held_and_set_back(torch):
    before = torch.get_num_threads()
    with held(before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before
    with pytest.raises(ZeroDivisionError), held(before + 1):
        raise ZeroDivisionError
    assert torch.get_num_threads() == before


def test_threads_by_the_work():
    """One where all products are small; all where they are large or a batch of images is."""
    few = WORKS["lines"]
    assert few.threads(few.problem(), 8) == 1
    mlp = WORKS["mnist-mlp"]
    assert mlp.threads(mlp.problem(), 8) == 8
    one = WORKS["convolution-128"]
    assert one.threads(one.problem(), 8) == 8


def test_difference():
    ours, start = np.array([1.0, 3.0]), np.array([1.0, 1.0])
    assert difference(ours, np.array([1.0, 3.5]), start) == (0.25, 0.5)
    assert difference(start, start, start)[0] == np.inf  # who changed nothing proved nothing


def test_where_it_was_measured():
    found = measured_where()
    assert found["cpu"]
    assert found["cores"] >= 1
    assert {"handgrad", "python", "numpy"} <= found["versions"].keys()


def test_every_work_says_what_it_is():
    wanted = {
        "lines", "mnist-dense", "mnist-mlp", "airplane-bike", "convolution-step",
        "convolution-32", "convolution-64", "convolution-128", "cifar10-step", "predict-one",
        "predict-many", "start", "convolution-cuda",
    }  # fmt: skip
    assert set(WORKS) == wanted
    assert all(work.about and work.per and work.name == name for name, work in WORKS.items())
    assert "tutorial" in RIVALS


def test_the_floor_counts_every_product(monkeypatch, work, dense):
    """Forward and dW of both layers, dx of the second only: for 64-5-3 and batches of 8, 8, 4."""
    from handgrad.bench.floor import floor

    seen = []
    side = floor(dense, 1)
    monkeypatch.setattr(
        "handgrad.bench.floor.np.matmul", lambda a, b, out: seen.append((a.shape, b.shape))
    )
    side.run(1)
    of_four = [
        ((4, 64), (64, 5)), ((64, 4), (4, 5)),
        ((4, 5), (5, 3)), ((5, 4), (4, 3)), ((4, 3), (3, 5)),
    ]  # fmt: skip
    assert seen[10:] == of_four
    assert len(seen) == 15


def test_ours_by_the_book_and_as_chosen(dense, monkeypatch):
    """What `how` gives is what is trained with, and --reference does not ask it."""
    from handgrad.bench import ours as module
    from handgrad.training import by_the_book

    asked = []

    def how(network, loss, batch, threads):
        asked.append((batch, threads))
        return by_the_book

    monkeypatch.setattr(module, "how", how)
    module.ours(dense, 2)
    module.ours(dense, 2, reference=True)
    assert asked == [(8, 2)]


def test_ours_in_the_span_of_the_inputs(monkeypatch):
    """As the product would train it, and with what it costs to get there in the time."""
    from handgrad.bench import ours as module

    layers = (Dense(5), ReLU(), Dense(3))
    problem = descent(layers, (4, 4, 3), 12, None, SGD(learning_rate=0.1))
    made = []

    class Noted(module.Span):
        def __init__(self, network, images):
            super().__init__(network, images)
            made.append(images.shape)

    monkeypatch.setattr(module, "Span", Noted)
    sides = [module.ours(problem, 1, reference=reference) for reference in (False, True)]
    for side in sides:
        for _ in range(2):
            side.restart()
            side.run(20)
    ours, book = (side.numbers() for side in sides)
    assert made == [(12, 4, 4, 3)] * 2
    np.testing.assert_allclose(ours, book, rtol=0, atol=1e-5)
    assert np.abs(ours - problem.network.vector).max() > 0.01
    module.ours(replace(problem, batch_size=6), 1).run(20)
    assert len(made) == 2


def test_growth_is_drawn_with_plain_numbers(texts_apart):
    """Doubling a batch doubles the time: slope 1. Ticks are numbers; no text lies on another."""
    from handgrad.bench.growth import Point, draw

    points = [
        Point("batch", n, side, n * factor, 1_000_000 * n)
        for side, factor in (("ours", 1.0), ("pytorch", 2.0))
        for n in (8, 16, 32)
    ]
    figure = draw(points)
    time, _ = figure.axes
    names = [text.get_text() for text in time.get_legend().get_texts()]
    assert names == ["ours: slope 1.00", "pytorch: slope 1.00"]
    figure.draw_without_rendering()
    ticks = {label.get_text() for label in time.get_yticklabels()}
    assert {"10", "20", "50"} <= ticks
    assert not any("$" in tick for tick in ticks)
    texts_apart(figure)
