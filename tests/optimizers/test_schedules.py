"""Every schedule at points worked by hand, and against PyTorch's learning rates."""

from __future__ import annotations

import math

import pytest

from handgrad.errors import RecipeError
from handgrad.optimizers import Constant, Cosine, OneCycle, Schedule, Step, Triangular, WarmUp
from handgrad.tables import from_table, members

BY_HAND = [
    (Constant(), 4, [1, 1, 1, 1]),
    (Step(every=0.3, factor=0.1), 10, [1, 1, 1, 0.1, 0.1, 0.1, 0.01, 0.01, 0.01, 0.001]),
    (Step(every=0.25, factor=0.5), 4, [1, 0.5, 0.25, 0.125]),
    # Parts of 0.6 steps: 0, 1.67, 3.33, 5, 6.67, 8.33 of them; the 5 is 4.999… in floating point
    (Step(every=0.1, factor=0.5), 6, [1, 1 / 2, 1 / 8, 1 / 32, 1 / 64, 1 / 256]),
    # ½ (1 + cos 0, 45°, 90°, 135°)
    (Cosine(), 4, [1, 0.5 + math.sqrt(0.125), 0.5, 0.5 - math.sqrt(0.125)]),
    (Cosine(final=0.2), 2, [1, 0.6]),
    # Up over steps 0..1 and down over steps 1..3, from 1/25 to 1 to 1/250000
    (OneCycle(peak=0.5), 4, [0.04, 1, (1 + 4e-6) / 2, 4e-6]),
    (OneCycle(peak=0.5, start=2, end=2), 4, [0.5, 1, 0.625, 0.25]),
    # Up by 0.4 a step to 1 at step 2, then down by 0.25 towards 0 at step 6
    (Triangular(start=0.2, peak=1 / 3, end=0.0), 6, [0.2, 0.6, 1, 0.75, 0.5, 0.25]),
    (WarmUp(part=0.5), 4, [0.5, 1, 1, 1]),
    (WarmUp(part=0.5, then=Cosine()), 4, [0.5, 1, 1, 0.5]),
    (WarmUp(part=0.0, then=Step(0.5, 0.1)), 2, [1, 0.1]),
]


def test_every_schedule_of_the_package_has_a_case():
    assert {type(schedule) for schedule, *_ in BY_HAND} == set(members(Schedule).values())


@pytest.mark.parametrize(("schedule", "total", "factors"), BY_HAND, ids=str)
def test_by_hand(schedule, total, factors):
    assert [schedule(t, total) for t in range(total)] == pytest.approx(factors, rel=1e-12)


@pytest.mark.parametrize("total", [7, 20, 100])
@pytest.mark.parametrize("name", ["one-cycle", "cosine", "step", "warm-up", "constant"])
def test_against_pytorch(torch, name, total):
    rates = torch.optim.lr_scheduler
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.5)
    w = max(2, total // 5)
    ours, theirs = {
        "one-cycle": lambda: (
            OneCycle(),
            rates.OneCycleLR(optimizer, 0.5, total_steps=total, cycle_momentum=False),
        ),
        "cosine": lambda: (Cosine(0.02), rates.CosineAnnealingLR(optimizer, total, eta_min=0.01)),
        "step": lambda: (Step(w / total, 0.3), rates.StepLR(optimizer, w, 0.3)),
        "warm-up": lambda: (WarmUp(w / total), rates.LinearLR(optimizer, 1 / w, 1.0, w - 1)),
        "constant": lambda: (Constant(), rates.ConstantLR(optimizer, 1.0, total)),
    }[name]()
    found = []
    for _ in range(total):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if len(found) < total:
            theirs.step()
    assert [0.5 * ours(t, total) for t in range(total)] == pytest.approx(found, rel=1e-9)


@pytest.mark.parametrize("total", [1, 2, 3])
@pytest.mark.parametrize("schedule", [s for s, *_ in BY_HAND] + [OneCycle()], ids=str)
def test_the_shortest_trainings(schedule, total):
    for t in range(total):
        assert 0 <= schedule(t, total) <= 1


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ({"kind": "cosin"}, "did you mean 'cosine'"),
        ({"kind": "step", "every": 0}, "every = 0.0; expected a part of the training above 0"),
        ({"kind": "one-cycle", "peak": 1}, "peak = 1.0; expected a part of the training"),
        ({"kind": "one-cycle", "start": 0}, "start = 0.0; expected more than 0"),
        ({"kind": "one-cycle", "end": 0}, "end = 0.0; expected more than 0"),
        ({"kind": "warm-up", "part": 1}, "part = 1.0; expected a part of the training"),
        ({"kind": "warm-up", "then": {"kind": "step", "every": -1}}, "schedule.then: every = -1"),
    ],
)
def test_what_a_schedule_refuses(table, sentence):
    with pytest.raises(RecipeError, match=sentence):
        from_table(Schedule, table, "schedule")
