"""onnxruntime, on the file that `handgrad export` writes."""

from __future__ import annotations

import importlib.util

import numpy as np

from handgrad.arrays import Array
from handgrad.bench.problems import Answers, Problem, Side
from handgrad.bench.rivals.refusals import NotMeantError, SkippedError
from handgrad.export import onnx_bytes

__all__ = ["session"]


def session(problem: Problem, threads: int) -> Side:
    """Its side of prediction."""
    if not isinstance(problem, Answers):
        raise NotMeantError
    if importlib.util.find_spec("onnx") is None:
        raise SkippedError("onnx is not installed, with which its graph is built")
    return _Session(problem, threads)


class _Session:
    """Asked for the probabilities alone, as we are; a thousand images at a time, as many as suit
    its memory. The pixels are scaled within the graph."""

    def __init__(self, problem: Answers, threads: int) -> None:
        import onnxruntime

        self.problem = problem
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(
            onnx_bytes(problem.model), options, providers=["CPUExecutionProvider"]
        )

    def restart(self) -> None:
        pass

    def run(self, repeats: int) -> None:
        images = self.problem.images
        for _ in range(repeats):
            parts = []
            for i in range(0, len(images), 1000):
                parts += self.session.run(["probabilities"], {"images": images[i : i + 1000]})
            self.found = np.concatenate(parts)

    def numbers(self) -> Array:
        return self.found.ravel()
