"""Our side of a work, through the entrances that everybody uses."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import weakref
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from handgrad.arrays import Array, on_host
from handgrad.bench.problems import Answers, Descent, Passes, Problem, Side, Start
from handgrad.bench.reading import book_pass, how, passes
from handgrad.bench.threads import environment
from handgrad.datasets import Batches
from handgrad.experiments import limited, threads_for
from handgrad.experiments.coordinates import threads_in_span
from handgrad.networks import InBatches, Network, forward_by_the_book
from handgrad.plans import PlannedForward, is_planned
from handgrad.storage import save_model
from handgrad.training import HowGradient, Span, by_the_book, fit, spans

__all__ = ["Process", "ours"]


def ours(problem: Problem, threads: int, reference: bool = False) -> Side:
    """Our side of a problem.

    Parameters
    ----------
    threads : how many may be used
    reference : all by the book
    """
    if isinstance(problem, Descent):
        return _Descending(problem, threads, reference)
    if isinstance(problem, Passes):
        return _Passing(problem, threads, reference)
    if isinstance(problem, Answers):
        return _Answering(problem, threads, reference)
    return _Starting(problem, threads)


class _Descending:
    """`training.fit`, without its norms, a matter of once an epoch: here an epoch is short.

    Where the product would train in the span of the inputs, so does this, with all that it takes.
    """

    def __init__(self, problem: Descent, threads: int, reference: bool) -> None:
        given = problem.network
        self.problem, self.reference = problem, reference
        own = Network(given.architecture, given.shapes[0], given.vector.copy())
        self.network = own.on(problem.device)
        self.threads = threads
        book = reference or problem.device != "cpu"
        self.how = by_the_book if book else how(own, problem.loss, problem.batch, threads)

    def restart(self) -> None:
        given = self.problem.network.vector
        self.network.vector[...] = np.asarray(given, like=self.network.vector)

    def run(self, repeats: int) -> None:
        p = self.problem
        full = p.batch_size is None and not self.reference
        if full and spans(self.network, p.loss, p.optimizer, p.batch, repeats):
            with limited(self.threads):
                span = Span(self.network, p.images)
                batches = replace(p.batches, images=span.of(p.images))
            with limited(threads_in_span(self.network, p.batch, self.threads).blas):
                self._fit(span.network, batches, repeats, by_the_book)
                span.carry_back()
        else:
            with limited(threads_for(self.network, p.batch, self.threads).blas):
                self._fit(self.network, p.batches, repeats, self.how)
        on_host(self.network.vector[:1])  # waits for a card that is still at work

    def _fit(self, network: Network, batches: Batches, epochs: int, how: HowGradient) -> None:
        p = self.problem
        for _ in fit(
            network, batches, p.loss, p.optimizer, epochs=epochs, gradient=how, norms=False
        ):
            pass

    def numbers(self) -> Array:
        return on_host(self.network.vector)


class _Passing:
    def __init__(self, problem: Passes, threads: int, reference: bool) -> None:
        self.problem, network = problem, problem.network
        self.gradient = network.gradient()
        self.through = book_pass(network) if reference else passes(network, len(problem.x), threads)
        # Each shard multiplies by itself: threads within threads wait for each other.
        self.blas = 1 if is_planned(network) and not reference else threads

    def restart(self) -> None:
        pass

    def run(self, repeats: int) -> None:
        with limited(self.blas):
            for _ in range(repeats):
                self.found = self.through(self.problem.x, self.problem.dy, self.gradient)

    def numbers(self) -> Array:
        y, dx = self.found
        return np.concatenate([y.ravel(), dx.ravel(), self.gradient.vector])


class _Answering:
    def __init__(self, problem: Answers, threads: int, reference: bool) -> None:
        self.problem = problem
        forward = forward_by_the_book if reference else PlannedForward()
        found = threads_for(problem.network, problem.batch, threads)
        problem.network.how_outputs, self.blas = InBatches(forward, found.shards), found.blas

    def restart(self) -> None:
        pass

    def run(self, repeats: int) -> None:
        with limited(self.blas):
            for _ in range(repeats):
                self.found = self.problem.model.probabilities(self.problem.images)

    def numbers(self) -> Array:
        return self.found.ravel()


class Process:
    """A side that is a whole process each time; the last line it prints is a JSON list of numbers.

    Parameters
    ----------
    command : with its arguments
    threads : told to its libraries before they load
    """

    def __init__(self, command: list[str], threads: int) -> None:
        self.command, self.environment = command, environment(threads)

    def restart(self) -> None:
        pass

    def run(self, repeats: int) -> None:
        for _ in range(repeats):
            done = subprocess.run(
                self.command, env=self.environment, capture_output=True, text=True, check=True
            )
            self.said = done.stdout

    def numbers(self) -> Array:
        return np.array(json.loads(self.said.splitlines()[-1]))


class _Starting(Process):
    """``handgrad predict MODEL IMAGE --json``."""

    def __init__(self, problem: Start, threads: int) -> None:
        folder = Path(tempfile.mkdtemp(prefix="handgrad-bench-"))
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        model, image = folder / "model.safetensors", folder / "image.png"
        save_model(problem.model, model)
        Image.fromarray(problem.pixels).save(image)
        command = [sys.executable, "-m", "handgrad.cli", "predict", str(model), str(image)]
        super().__init__([*command, "--json"], threads)

    def numbers(self) -> Array:
        (answer,) = json.loads(self.said)
        return np.array(list(answer["probabilities"].values()))
