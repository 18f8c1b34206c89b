"""JAX: an epoch as one jitted scan over its steps."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from handgrad.arrays import Array
from handgrad.bench.problems import Descent, Problem, Side
from handgrad.bench.rivals.refusals import NotMeantError, SkippedError
from handgrad.layers import Dense, ReLU, Sigmoid
from handgrad.losses import SoftmaxCrossEntropy
from handgrad.optimizers import SGD

__all__ = ["scanned"]

_promised: dict[str, int] = {}
"""How many threads JAX was given when it was loaded; it cannot be told again."""


def scanned(problem: Problem, threads: int) -> Side:
    """Its side of a training of dense layers in mini-batches, by plain gradient descent."""
    if (
        not isinstance(problem, Descent)
        or problem.batch_size is None
        or type(problem.optimizer) is not SGD
        or problem.loss != SoftmaxCrossEntropy()
        or problem.network.dtype != np.float32
        or not all(
            isinstance(layer, Dense | Sigmoid | ReLU) for layer in problem.network.architecture
        )
    ):
        raise NotMeantError
    if _promised.setdefault("threads", threads) != threads:
        had = _promised["threads"]
        raise SkippedError(f"it was loaded for {had} threads in this process, not {threads}")
    _load(threads)
    return _Scanned(problem)


def _load(threads: int) -> None:
    """Let JAX make its threads, as many as it is told by these variables, and no others later."""
    flags = os.environ.get("XLA_FLAGS", "")
    if threads == 1:
        flags += " --xla_cpu_multi_thread_eigen=false"
    told = {"PJRT_NPROC": str(threads), "NPROC": str(threads), "XLA_FLAGS": flags}
    before = {name: os.environ.get(name) for name in told}
    os.environ.update(told)
    try:
        import jax

        jax.devices()
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


class _Scanned:
    def __init__(self, problem: Descent) -> None:
        import jax
        import jax.numpy as jnp

        self.problem = problem
        layers = problem.network.architecture
        rate = problem.optimizer.learning_rate
        self.X = jnp.asarray(problem.images.reshape(len(problem.images), -1))
        self.y = jnp.asarray(problem.labels)

        def loss(params: Any, x: Any, y: Any) -> Any:
            for i, layer in enumerate(layers):
                if isinstance(layer, Dense):
                    x = x @ params[i][0] + params[i][1]
                else:
                    x = jax.nn.sigmoid(x) if isinstance(layer, Sigmoid) else jax.nn.relu(x)
            return -jnp.take_along_axis(jax.nn.log_softmax(x), y[:, None], axis=1).mean()

        def epoch(params: Any, X: Any, y: Any, order: Any) -> Any:
            def step(params: Any, chosen: Any) -> Any:
                g = jax.grad(loss)(params, X[chosen], y[chosen])
                return jax.tree.map(lambda p, dp: p - rate * dp, params, g), None

            whole = len(order) // problem.batch * problem.batch
            params, _ = jax.lax.scan(step, params, order[:whole].reshape(-1, problem.batch))
            return step(params, order[whole:])[0] if whole < len(order) else params

        self.epoch = jax.jit(epoch)
        self.dense = [i for i, layer in enumerate(layers) if isinstance(layer, Dense)]

    def restart(self) -> None:
        import jax.numpy as jnp

        params = self.problem.network.params
        # Copies: JAX may keep an array of NumPy's as its own, and this one belongs to all.
        self.params = {
            i: (jnp.array(params[i].W, copy=True), jnp.array(params[i].b, copy=True))
            for i in self.dense
        }

    def run(self, repeats: int) -> None:
        import jax

        for epoch in range(repeats):
            order = self.problem.batches.order(epoch)
            self.params = self.epoch(self.params, self.X, self.y, order)
        jax.block_until_ready(self.params)

    def numbers(self) -> Array:
        found = [np.asarray(part).ravel() for i in self.dense for part in self.params[i]]
        return np.concatenate(found)
