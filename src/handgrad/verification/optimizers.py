"""Checks of optimizers and schedules: five steps, against the published update in plain floats."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from handgrad.arrays import Array, Layout
from handgrad.optimizers import (
    Averaging,
    Constant,
    Cosine,
    Muon,
    OneCycle,
    Optimizer,
    Schedule,
    Step,
    Triangular,
    WarmUp,
)
from handgrad.verification.finding import Ledger

__all__ = ["check_averaging", "check_optimizer", "check_schedule"]

Rule = Callable[[Any, float, dict[str, float], int], float]
"""From (optimizer, gradient, memory, t counted from 1) to the direction of one number."""


def _gradient(o: Any, g: float, memory: dict[str, float], t: int) -> float:
    return g


def _momentum(o: Any, g: float, memory: dict[str, float], t: int) -> float:
    return _momentum_of(o.beta, g, memory)


def _momentum_of(beta: float, g: float, memory: dict[str, float]) -> float:
    v = beta * memory.get("v", 0.0) + g
    memory["v"] = v
    return v


def _nesterov(o: Any, g: float, memory: dict[str, float], t: int) -> float:
    beta: float = o.beta
    return g + beta * _momentum(o, g, memory, t)


def _rmsprop(o: Any, g: float, memory: dict[str, float], t: int) -> float:
    memory["s"] = o.rho * memory.get("s", 0.0) + (1 - o.rho) * g**2
    epsilon: float = o.epsilon
    return g / (math.sqrt(memory["s"]) + epsilon)


def _adam(o: Any, g: float, memory: dict[str, float], t: int) -> float:
    memory["m"] = o.beta1 * memory.get("m", 0.0) + (1 - o.beta1) * g
    memory["s"] = o.beta2 * memory.get("s", 0.0) + (1 - o.beta2) * g**2
    unbiased: float = memory["m"] / (1 - o.beta1**t)
    epsilon: float = o.epsilon
    return unbiased / (math.sqrt(memory["s"] / (1 - o.beta2**t)) + epsilon)


PUBLISHED: dict[str, Rule] = {
    "sgd": _gradient,
    "momentum": _momentum,
    "nesterov": _nesterov,
    "rmsprop": _rmsprop,
    "adam": _adam,
    "adamw": _adam,
    "muon": lambda o, g, memory, t: g + o.beta_others * _momentum_of(o.beta_others, g, memory),
}


def check_optimizer(kind: type[Optimizer]) -> Ledger:
    """Verify an optimizer: alone, and with decay, clipping and a schedule around it."""
    ledger = Ledger(kind.name, "optimizer")
    if kind.name not in PUBLISHED:
        ledger.fail("no check: its update is not in handgrad.verification.optimizers.PUBLISHED")
        return ledger
    settings: list[dict[str, Any]] = [
        {},
        {"learning_rate": 0.3, "weight_decay": 0.2},
        {"clip_norm": 0.7},
        {"clip_norm": 1e6},
        {"rates": {"b": 64.0}, "weight_decay": 0.2},
        {"coupled": True, "weight_decay": 0.2, "clip_norm": 0.7},
        {"decays": {"W": 1.0, "b": 0.25}, "rates": {"b": 4.0}, "weight_decay": 0.2},
        {"frozen": {"b": 0.4}, "weight_decay": 0.2, "decays": {"W": 0.0, "b": 1.0}},
        {"learning_rate": 0.1, "schedule": Cosine(), "weight_decay": 0.05, "clip_norm": 1.5},
    ]
    if kind is Muon:  # first as if nothing were a matrix
        settings = [chosen | {"matrices": ()} for chosen in settings]
        _check_muon(ledger)
    for chosen in settings:
        _check_five(ledger, kind(**chosen), chosen)
    ledger.shapes["3"] = None
    return ledger


def _check_five(ledger: Ledger, optimizer: Optimizer, chosen: dict[str, Any]) -> None:
    rule = PUBLISHED[optimizer.name]
    gradients = np.random.default_rng(4).normal(size=(5, 3))
    vector = np.array([0.5, -1.25, 2.0])
    weights = [float(w) for w in vector]
    chain = optimizer.chain(Layout({"W": (2,), "b": (1,)}))
    state = chain.start(vector)
    memory: list[dict[str, float]] = [{}, {}, {}]
    said = ", ".join(f"{k}={v}" for k, v in chosen.items()) or "its defaults"
    for t in range(5):
        g = gradients[t].copy()
        chain.apply(g, state, vector, t, 5)
        vector -= g
        found = [float(x) for x in gradients[t]]
        norm = math.sqrt(sum(x * x for x in found))
        if optimizer.clip_norm is not None and norm > optimizer.clip_norm:
            found = [x * optimizer.clip_norm / norm for x in found]
        rate = optimizer.learning_rate * optimizer.schedule(t, 5)
        for i in range(3):
            name = "W" if i < 2 else "b"
            decayed = optimizer.decays.get(name, 0.0) * optimizer.weight_decay * weights[i]
            before, after = (decayed, 0.0) if optimizer.coupled else (0.0, decayed)
            direction = rule(optimizer, found[i] + before, memory[i], t + 1) + after
            if t < 5 * optimizer.frozen.get(name, 1.0):
                weights[i] -= optimizer.rates.get(name, 1.0) * rate * direction
            ledger.compare(
                f"with {said}: number {i} after step {t + 1}",
                float(vector[i]),
                weights[i],
                tolerance=1e-12,
                method="the published update in plain floats",
            )


def _check_muon(ledger: Ledger) -> None:
    """Two steps of a wide, a tall and a convolution's matrix, by their singular values."""
    method = "singular values, one by one"
    random = np.random.default_rng(5)
    shapes = {"0.W": (2, 4), "1.b": (3,), "1.W": (4, 2), "2.W": (2, 2, 1, 3)}
    settings: list[dict[str, Any]] = [
        {},
        {"steps": 3, "beta": 0.6, "fixed_norm": True, "weight_decay": 0.2},
    ]
    for chosen in settings:
        optimizer = Muon(learning_rate=0.1, **chosen)
        layout = Layout(shapes)
        chain, vector = optimizer.chain(layout), random.normal(size=layout.size)
        state = chain.start(vector)
        matrices = {name: (-1, shape[-1]) for name, shape in shapes.items() if name != "1.b"}
        expected = {
            name: layout.slots[name].of(vector).reshape(shape).copy()
            for name, shape in matrices.items()
        }
        momentum = {name: np.zeros_like(W) for name, W in expected.items()}
        for t in range(2):
            g = random.normal(size=layout.size)
            for name, W in expected.items():
                G = layout.slots[name].of(g).reshape(W.shape)
                momentum[name] = optimizer.beta * momentum[name] + G
                step = _near_orthogonal(G + optimizer.beta * momentum[name], optimizer.steps)
                step = 0.1 * (step + optimizer.weight_decay * W)
                norm = math.sqrt(W.shape[1]) if optimizer.fixed_norm else float(np.linalg.norm(W))
                expected[name] = W * norm / np.linalg.norm(W) - step
            chain.apply(g, state, vector, t, 2)
            vector -= g
            for name, W in expected.items():
                found = layout.slots[name].of(vector).ravel()
                for i, number in enumerate(W.ravel()):
                    what = f"with {chosen or 'its defaults'}: {name}[{i}] after step {t + 1}"
                    ledger.compare(
                        what, float(found[i]), float(number), scale=0.1, tolerance=1e-10,
                        method=method,
                    )  # fmt: skip
    for name in matrices:
        ledger.shapes["x".join(map(str, shapes[name]))] = None


def _near_orthogonal(M: Array, steps: int) -> Array:
    """The odd polynomial of the published iteration, on each singular value by itself."""
    U, S, Vt = np.linalg.svd(M, full_matrices=False)
    S = S / (math.sqrt(float((S**2).sum())) + 1e-7)
    for _ in range(steps):
        S = 3.4445 * S - 4.7750 * S**3 + 2.0315 * S**5
    near: Array = (U * S) @ Vt
    return near


def _step(t: int, total: int) -> float:
    return 0.5 ** sum(t >= k * 0.25 * total for k in range(1, 5))


def _one_cycle(t: int, total: int) -> float:
    top = 0.4 * total - 1
    low, high, part = (
        (0.1, 1.0, t / top) if t <= top else (1.0, 0.001, (t - top) / (total - 1 - top))
    )
    return high + (low - high) * (1 + math.cos(math.pi * part)) / 2


def _warm_up(t: int, total: int) -> float:
    begun = (total * 3) // 10
    if t < begun:
        return (t + 1) / begun
    return 0.5 * (1 + math.cos(math.pi * (t - begun) / (total - begun)))


SCHEDULES: dict[str, tuple[Schedule, Callable[[int, int], float]]] = {
    "constant": (Constant(), lambda t, total: 1.0),
    "step": (Step(every=0.25, factor=0.5), _step),
    "cosine": (
        Cosine(final=0.1),
        lambda t, total: 0.1 + 0.45 * (1 + math.cos(math.pi * t / total)),
    ),
    "one-cycle": (OneCycle(peak=0.4, start=10, end=100), _one_cycle),
    "triangular": (
        Triangular(start=0.2, peak=0.3, end=0.07),
        lambda t, total: (
            0.2 + 0.8 * t / (0.3 * total)
            if t < 0.3 * total
            else 1 - 0.93 * (t - 0.3 * total) / (0.7 * total)
        ),
    ),
    "warm-up": (WarmUp(part=0.3, then=Cosine()), _warm_up),
}


def check_schedule(kind: type[Schedule]) -> Ledger:
    """Verify a schedule over trainings of several lengths."""
    ledger = Ledger(kind.name, "schedule")
    if kind.name not in SCHEDULES:
        ledger.fail("no check: its formula is not in handgrad.verification.optimizers.SCHEDULES")
        return ledger
    schedule, formula = SCHEDULES[kind.name]
    for total in (10, 20, 100):
        ledger.shapes[f"{total} steps"] = None
        for t in range(total):
            ledger.compare(
                f"step {t} of {total}",
                schedule(t, total),
                formula(t, total),
                tolerance=1e-12,
                scale=1.0,
                method="its formula written out",
            )
    return ledger


def _moving_average(a: Any, w: float, memory: dict[str, float], t: int, total: int) -> float:
    decay = min(a.decay, (1 + t) / (10 + t))
    memory["a"] = decay * memory["a"] + (1 - decay) * w
    return w


def _lookahead(a: Any, w: float, memory: dict[str, float], t: int, total: int) -> float:
    if t % a.every == 0:
        decay = a.decay * (t / total) ** 3
        w = memory["a"] = decay * memory["a"] + (1 - decay) * w
    return memory["a"] if t == total else w


AVERAGES: dict[str, Callable[[Any, float, dict[str, float], int, int], float]] = {
    "moving average": _moving_average,
    "lookahead": _lookahead,
}


def check_averaging(kind: type[Averaging]) -> Ledger:
    """Verify an average of the weights, over twelve updates of random walks."""
    ledger = Ledger(kind.name, "averaging")
    if kind.name not in AVERAGES:
        ledger.fail("no check: its formula is not in handgrad.verification.optimizers.AVERAGES")
        return ledger
    averaging, formula = kind(), AVERAGES[kind.name]
    ledger.shapes["3"] = None
    vector = np.array([0.5, -1.25, 2.0])
    state = averaging.start(vector)
    weights = [float(w) for w in vector]
    memory = [{"a": w} for w in weights]
    walk = np.random.default_rng(5).normal(size=(12, 3))
    for t in range(1, 13):
        vector -= walk[t - 1]
        averaging.after(vector, state, t, 12)
        kept = averaging.kept(vector, state)
        for i in range(3):
            weights[i] = formula(averaging, weights[i] - float(walk[t - 1, i]), memory[i], t, 12)
            expected = memory[i]["a"] if kept is state["average"] else weights[i]
            for what, found, right in (
                ("weight", vector[i], weights[i]),
                ("kept number", kept[i], expected),
            ):
                ledger.compare(
                    f"{what} {i} after step {t}",
                    float(found),
                    right,
                    tolerance=1e-12,
                    method="its formula written out",
                )
    return ledger
