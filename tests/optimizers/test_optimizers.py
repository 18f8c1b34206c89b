"""Every optimizer against its published update, scalar by scalar, and against PyTorch."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from handgrad.arrays import Layout
from handgrad.errors import RecipeError
from handgrad.optimizers import (
    SGD,
    Adam,
    AdamW,
    ClipNorm,
    Cosine,
    Momentum,
    Muon,
    Nesterov,
    Optimizer,
    RMSProp,
)
from handgrad.optimizers.chain import TILE
from handgrad.tables import from_table, members, to_table

STEPS, SIZE = 5, 4
START = np.array([0.5, -1.0, 2.0, 0.1])
GRADIENTS = np.random.default_rng(0).normal(size=(STEPS, SIZE)) * [1.0, 0.1, 10.0, 1e-3]


def trained(optimizer, gradients=GRADIENTS, start=START, names=None):
    """The vector after every step, (steps, P)."""
    chain, vector = optimizer.chain(Layout(names or {"W": (start.size,)})), start.copy()
    state, found = chain.start(vector), []
    for t, gradient in enumerate(gradients):
        g, before = gradient.copy(), vector.copy()
        chain.apply(g, state, vector, t, len(gradients))
        np.testing.assert_array_equal(vector, before)  # the vector is only read
        vector -= g
        found.append(vector.copy())
    return np.array(found)


def sgd(w, gradients):
    for g in gradients:
        w = w - 0.1 * g
        yield w


def momentum(w, gradients):
    """Sutskever et al. (2013), with the rate outside of v: v ← βv + g, w ← w - ηv."""
    v = 0.0
    for g in gradients:
        v = 0.8 * v + g
        w = w - 0.1 * v
        yield w


def nesterov(w, gradients):
    """As above, from the place looked from: w ← w - η(g + βv)."""
    v = 0.0
    for g in gradients:
        v = 0.8 * v + g
        w = w - 0.1 * (g + 0.8 * v)
        yield w


def rmsprop(w, gradients):
    """Lecture 6.5: s ← ρs + (1-ρ)g², w ← w - ηg/(√s + ε)."""
    s = 0.0
    for g in gradients:
        s = 0.9 * s + 0.1 * g**2
        w = w - 0.1 * g / (math.sqrt(s) + 1e-3)
        yield w


def adam(w, gradients, decay=0.0):
    """Kingma, Ba, algorithm 1; with decay: Loshchilov, Hutter, algorithm 2."""
    m = s = 0.0
    for t, g in enumerate(gradients, start=1):
        m = 0.7 * m + 0.3 * g
        s = 0.9 * s + 0.1 * g**2
        w = w - 0.1 * (m / (1 - 0.7**t) / (math.sqrt(s / (1 - 0.9**t)) + 1e-3) + decay * w)
        yield w


def adamw(w, gradients):
    return adam(w, gradients, decay=0.2)


CASES = {
    "sgd": (SGD(0.1), sgd),
    "momentum": (Momentum(0.1, beta=0.8), momentum),
    "nesterov": (Nesterov(0.1, beta=0.8), nesterov),
    "rmsprop": (RMSProp(0.1, rho=0.9, epsilon=1e-3), rmsprop),
    "adam": (Adam(0.1, beta1=0.7, beta2=0.9, epsilon=1e-3), adam),
    "adamw": (AdamW(0.1, weight_decay=0.2, beta1=0.7, beta2=0.9, epsilon=1e-3), adamw),
    "muon": (Muon(0.1, matrices=(), beta_others=0.8), nesterov),  # matrices: see test_muon.py
}


def test_every_optimizer_of_the_package_has_a_case():
    assert set(members(Optimizer)) == set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_the_published_update(name):
    optimizer, published = CASES[name]
    # The written-out update is one number's; each number of the vector goes its own way.
    expected = [list(published(w, g)) for w, g in zip(START, GRADIENTS.T, strict=True)]
    np.testing.assert_allclose(trained(optimizer), np.transpose(expected), rtol=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_against_pytorch(torch, name):
    optimizer, _ = CASES[name]
    w = torch.tensor(START, requires_grad=True)
    rate = {"params": [w], "lr": 0.1}
    adams = {"betas": (0.7, 0.9), "eps": 1e-3}
    theirs = {
        "sgd": lambda: torch.optim.SGD(**rate),
        "momentum": lambda: torch.optim.SGD(**rate, momentum=0.8),
        "nesterov": lambda: torch.optim.SGD(**rate, momentum=0.8, nesterov=True),
        "muon": lambda: torch.optim.SGD(**rate, momentum=0.8, nesterov=True),
        "rmsprop": lambda: torch.optim.RMSprop(**rate, alpha=0.9, eps=1e-3),
        "adam": lambda: torch.optim.Adam(**rate, **adams),
        "adamw": lambda: torch.optim.AdamW(**rate, **adams, weight_decay=0.2),
    }[name]()
    for ours, g in zip(trained(optimizer), GRADIENTS, strict=True):
        w.grad = torch.tensor(g)
        theirs.step()
        np.testing.assert_allclose(ours, w.detach().numpy(), rtol=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_the_default_numbers_are_pytorchs(torch, name):
    """ε, β and ρ as PyTorch has them. The rate is ours, momentum is theirs to leave at 0, and
    PyTorch's RMSprop begins at a rate of 0.01."""
    ours = members(Optimizer)[name]()
    w = torch.zeros(1)
    theirs = {"rmsprop": torch.optim.RMSprop, "adam": torch.optim.Adam}
    theirs["adamw"] = torch.optim.AdamW
    if name == "muon":
        numbers = torch.optim.Muon([torch.zeros(1, 1)]).defaults
        assert (ours.beta, ours.steps) == (numbers["momentum"], numbers["ns_steps"])
        return
    if name not in theirs:
        assert getattr(ours, "beta", 0.9) == 0.9
        return
    numbers = theirs[name]([w]).defaults
    assert ours.epsilon == numbers["eps"]
    assert getattr(ours, "rho", None) == numbers.get("alpha")
    assert ours.weight_decay == numbers["weight_decay"]
    if "betas" in numbers:
        assert (ours.beta1, ours.beta2) == numbers["betas"]


def test_adam_walks_over_all_of_a_long_vector():
    """The first step goes against the sign of each number, η/(1 + ε/|g|); two tiles and a bit."""
    size = 2 * TILE + 3
    gradient = np.resize([1e-3, -2.0, 5.0], size)
    (after,) = trained(Adam(0.1), [gradient], np.zeros(size))
    expected = -0.1 * np.sign(gradient) / (1 + 1e-8 / np.abs(gradient))
    np.testing.assert_allclose(after, expected, rtol=1e-12)


def test_what_is_remembered_of_a_long_vector_stays_in_its_place():
    """Nesterov with g twice: v = g, then (1 + β) g; the steps are (1 + β) g and (1 + β + β²) g."""
    size, beta = 2 * TILE + 3, 0.5
    gradient = np.resize([1e-3, -2.0, 5.0, 7.0, 11.0], size)
    optimizer = Nesterov(0.1, beta=beta, weight_decay=0.0, clip_norm=1e9)
    *_, after = trained(optimizer, [gradient] * 2, np.zeros(size))
    np.testing.assert_allclose(after, -0.1 * (2 + 2 * beta + beta**2) * gradient, rtol=1e-12)


def test_clipping_by_the_global_norm(torch):
    big, small = np.array([3.0, 4.0]), np.array([0.3, 0.4])  # of norm 5 and 0.5
    for g, expected in ((big, [0.6, 0.8]), (small, [0.3, 0.4])):
        found = g.copy()
        ClipNorm(1.0).apply(found, {}, g, 0, 1)
        np.testing.assert_allclose(found, expected, rtol=1e-15)
        w = torch.zeros(2, dtype=torch.float64)
        w.grad = torch.tensor(g)
        torch.nn.utils.clip_grad_norm_([w], 1.0)
        # PyTorch divides by ‖g‖ + 1e-6.
        np.testing.assert_allclose(found, w.grad.numpy(), rtol=1e-6)


def test_clipping_a_gradient_whose_square_overflows():
    g = np.array([3e30, 4e30], np.float32)
    with np.errstate(over="ignore"):
        ClipNorm(1.0).apply(g, {}, g, 0, 1)
    np.testing.assert_allclose(g, [0.6, 0.8], rtol=1e-6)


def test_clip_rule_decay_rate_in_this_order():
    """w ← w - η(t) (rule(clip g) + λ w), by hand, with the decay on the weights alone."""
    optimizer = Momentum(0.5, Cosine(), weight_decay=0.1, clip_norm=1.0, beta=0.5)
    gradients = np.array([[3.0, 4.0], [0.0, 0.5]])
    found = trained(optimizer, gradients, np.array([1.0, 1.0]), {"W": (1,), "b": (1,)})
    # Step 0, η = 0.5: clipped (0.6, 0.8); v = (0.6, 0.8); with 0.1·1 for the first (0.7, 0.8);
    #   w = (1 - 0.35, 1 - 0.4) = (0.65, 0.6)
    # Step 1 of 2, η = 0.5 · (1 + cos ½π)/2 = 0.25: not clipped; v = (0.3, 0.9);
    #   (0.3 + 0.065, 0.9); w = (0.65 - 0.09125, 0.6 - 0.225) = (0.55875, 0.375)
    np.testing.assert_allclose(found, [[0.65, 0.6], [0.55875, 0.375]], rtol=1e-14)


LAYOUT = Layout({"W": (2,), "b": (1,), "scale": (1,)})
PLACES = {name: LAYOUT.places(name) for name in LAYOUT.slots}


@pytest.mark.parametrize("name", CASES)
def test_rates_of_their_own_against_pytorch(torch, name):
    """Twice the rate for offsets, none for scales, half for weights: parameter groups."""
    rates = {"W": 0.5, "b": 2.0, "scale": 0.0}
    optimizer = dataclasses.replace(CASES[name][0], rates=rates)
    chain, vector = optimizer.chain(LAYOUT), START.copy()
    state = chain.start(vector)
    leaves = {n: torch.tensor(START[place], requires_grad=True) for n, (place,) in PLACES.items()}
    decay = 0.2 if name == "adamw" else None
    groups = [
        {"params": [w], "lr": 0.1 * rates[n]}
        | ({} if decay is None else {"weight_decay": decay * (n == "W")})
        for n, w in leaves.items()
    ]
    adams = {"betas": (0.7, 0.9), "eps": 1e-3}
    theirs = {
        "sgd": lambda: torch.optim.SGD(groups),
        "momentum": lambda: torch.optim.SGD(groups, momentum=0.8),
        "nesterov": lambda: torch.optim.SGD(groups, momentum=0.8, nesterov=True),
        "muon": lambda: torch.optim.SGD(groups, momentum=0.8, nesterov=True),
        "rmsprop": lambda: torch.optim.RMSprop(groups, alpha=0.9, eps=1e-3),
        "adam": lambda: torch.optim.Adam(groups, **adams),
        "adamw": lambda: torch.optim.AdamW(groups, **adams),
    }[name]()
    for t, gradient in enumerate(GRADIENTS):
        g = gradient.copy()
        chain.apply(g, state, vector, t, STEPS)
        vector -= g
        for n, w in leaves.items():
            w.grad = torch.tensor(gradient[PLACES[n][0]])
        theirs.step()
        found = np.concatenate([w.detach().numpy() for w in leaves.values()])
        np.testing.assert_allclose(vector, found, rtol=1e-12)
    assert vector[3] == START[3]


def test_rates_come_after_the_decay_and_leave_the_rest():
    """w - η r (g + λ w) for a rate r = 3 of W: 1 - 0.3 (2 + 0.5); elsewhere 1 - 0.1 · 2."""
    optimizer = SGD(0.1, weight_decay=0.5, rates={"W": 3.0})
    chain = optimizer.chain(Layout({"W": (1,), "b": (1,)}))
    g, vector = np.array([2.0, 2.0]), np.ones(2)
    chain.apply(g, chain.start(vector), vector, 0, 1)
    np.testing.assert_allclose(vector - g, [0.25, 0.8], rtol=1e-14)


@pytest.mark.parametrize("name", ["sgd", "momentum", "nesterov", "rmsprop", "adam", "muon"])
def test_coupled_decay_against_pytorch(torch, name):
    """PyTorch's ``weight_decay`` everywhere but in AdamW, per group: here W all, b a quarter."""
    factors = {"W": 1.0, "b": 0.25}
    optimizer = dataclasses.replace(
        CASES[name][0], weight_decay=0.3, coupled=True, decays=factors, rates={"b": 4.0}
    )
    chain, vector = optimizer.chain(LAYOUT), START.copy()
    state = chain.start(vector)
    leaves = {n: torch.tensor(START[place], requires_grad=True) for n, (place,) in PLACES.items()}
    groups = [
        {"params": [w], "lr": 0.4 if n == "b" else 0.1, "weight_decay": 0.3 * factors.get(n, 0)}
        for n, w in leaves.items()
    ]
    theirs = {
        "sgd": lambda: torch.optim.SGD(groups),
        "momentum": lambda: torch.optim.SGD(groups, momentum=0.8),
        "nesterov": lambda: torch.optim.SGD(groups, momentum=0.8, nesterov=True),
        "muon": lambda: torch.optim.SGD(groups, momentum=0.8, nesterov=True),
        "rmsprop": lambda: torch.optim.RMSprop(groups, alpha=0.9, eps=1e-3),
        "adam": lambda: torch.optim.Adam(groups, betas=(0.7, 0.9), eps=1e-3),
    }[name]()
    for t, gradient in enumerate(GRADIENTS):
        g = gradient.copy()
        chain.apply(g, state, vector, t, STEPS)
        vector -= g
        for n, w in leaves.items():
            w.grad = torch.tensor(gradient[PLACES[n][0]])
        theirs.step()
        found = np.concatenate([w.detach().numpy() for w in leaves.values()])
        np.testing.assert_allclose(vector, found, rtol=1e-12)


def test_a_name_in_one_layer_counts_before_the_name_in_all():
    """Of W in layers 0 and 1, rate 3 for all and 5 for the first, in either order."""
    for rates in ({"W": 3.0, "0.W": 5.0}, {"0.W": 5.0, "W": 3.0}):
        g, vector = np.ones(2), np.zeros(2)
        chain = SGD(0.1, rates=rates).chain(Layout({"0.W": (1,), "1.W": (1,)}))
        chain.apply(g, chain.start(vector), vector, 0, 1)
        np.testing.assert_allclose(g, [0.5, 0.3], rtol=1e-14)


def test_frozen_numbers_neither_step_nor_decay():
    """W from the start, b after 0.4 of 5 steps: momentum carries it no further."""
    optimizer = Nesterov(
        0.1, weight_decay=0.5, decays={"W": 1.0, "b": 1.0}, frozen={"W": 0.0, "b": 0.4}
    )
    free = dataclasses.replace(optimizer, frozen={})
    found = []
    for o in (optimizer, free):
        chain, vector, steps = o.chain(LAYOUT), START.copy(), []
        state = chain.start(vector)
        for t, gradient in enumerate(GRADIENTS):
            g = gradient.copy()
            chain.apply(g, state, vector, t, STEPS)
            vector -= g
            steps.append(vector.copy())
        found.append(np.array(steps))
    held, moved = found
    assert (held[:, :2] == START[:2]).all()
    np.testing.assert_array_equal(held[:2, 2], moved[:2, 2])
    assert (held[2:, 2] == held[1, 2]).all()
    assert len(set(moved[:, 2])) == STEPS
    np.testing.assert_array_equal(held[:, 3], moved[:, 3])


@pytest.mark.parametrize("setting", ["decays", "frozen"])
def test_a_setting_of_nothing_is_a_slip(setting):
    optimizer = SGD(0.1, weight_decay=0.1, **{setting: {"0.b": 0.5}})
    with pytest.raises(RecipeError, match=f"{setting}.0.b: nothing that is learned has this name"):
        optimizer.chain(LAYOUT)


def test_a_rate_of_nothing_is_a_slip():
    optimizer = SGD(0.1, rates={"b": 2.0, "ofset": 2.0})
    with pytest.raises(RecipeError, match="ofset: nothing that is learned has this name"):
        optimizer.chain(LAYOUT)


@pytest.mark.parametrize("name", CASES)
def test_float32_stays_float32(name):
    """A float64 state would double the memory, and a float64 step would hide in the subtraction."""
    optimizer, _ = CASES[name]
    vector = START.astype(np.float32)
    chain = optimizer.chain(Layout({"W": (SIZE,)}))
    state, g = chain.start(vector), GRADIENTS[0].astype(np.float32)
    chain.apply(g, state, vector, 0, 1)
    kept = [array for part in state.values() for array in part.values()]
    assert {array.dtype for array in (g, *kept)} == {np.dtype(np.float32)}
    np.testing.assert_allclose(vector - g, trained(optimizer)[0], rtol=1e-5)


@pytest.mark.parametrize("name", CASES)
def test_an_optimizer_is_a_table_and_back(name):
    optimizer, _ = CASES[name]
    assert from_table(Optimizer, to_table(optimizer)) == optimizer


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ({"kind": "sdg"}, "did you mean 'sgd'"),
        ({"kind": "sgd", "learning_rate": 0}, "learning_rate = 0.0; expected more than 0"),
        (
            {"kind": "sgd", "learning_rate": math.nan},
            "learning_rate: found nan; expected a finite number",
        ),
        ({"kind": "sgd", "weight_decay": -1}, "weight_decay = -1.0; expected 0 or more"),
        ({"kind": "sgd", "rates": {"b": -1}}, "rates.b = -1.0; expected 0 or more"),
        ({"kind": "sgd", "rates": {"b": "two"}}, "rates: found .*; expected a table of a number"),
        ({"kind": "sgd", "rates": {"b": math.inf}}, "rates.b = inf; expected 0 or more"),
        ({"kind": "sgd", "decays": {"b": -1}}, "decays.b = -1.0; expected 0 or more"),
        ({"kind": "sgd", "frozen": {"b": 3}}, "frozen.b = 3.0; expected a part of the training"),
        ({"kind": "sgd", "clip_norm": 0}, "clip_norm = 0.0; expected more than 0"),
        ({"kind": "sgd", "beta1": 0.9}, "unknown key 'beta1'"),
        ({"kind": "momentum", "beta": 1.0}, r"beta = 1.0; expected a number in \[0, 1\)"),
        ({"kind": "nesterov", "beta": -0.1}, r"beta = -0.1; expected a number in \[0, 1\)"),
        ({"kind": "rmsprop", "rho": 1.5}, r"rho = 1.5; expected a number in \[0, 1\)"),
        ({"kind": "adam", "beta1": 1.0}, r"beta1 = 1.0; expected a number in \[0, 1\)"),
        ({"kind": "adamw", "beta2": 1.0}, r"beta2 = 1.0; expected a number in \[0, 1\)"),
        ({"kind": "adam", "epsilon": 0}, "epsilon = 0.0; expected more than 0"),
    ],
)
def test_what_an_optimizer_refuses(table, sentence):
    with pytest.raises(RecipeError, match=sentence):
        from_table(Optimizer, table, "optimizer")
