"""PyTorch: our architecture in its modules, our first values in its tensors, its own loop."""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
import sys
import tempfile
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from safetensors.numpy import save_file

from handgrad.arrays import Array, Shape
from handgrad.bench.ours import Process
from handgrad.bench.problems import Answers, Descent, Passes, Problem, Side, Start
from handgrad.bench.rivals import predict_with_torch
from handgrad.bench.rivals.refusals import NotMeantError, SkippedError
from handgrad.bench.threads import held
from handgrad.layers import (
    ELU,
    GELU,
    AveragePool,
    BatchNorm,
    Convolution,
    Dense,
    Flatten,
    GlobalAveragePool,
    Identity,
    Layer,
    LeakyReLU,
    MaxPool,
    ReLU,
    Residual,
    Scale,
    Sigmoid,
    SiLU,
    Tanh,
)
from handgrad.losses import Loss, SigmoidCrossEntropy, SoftmaxCrossEntropy
from handgrad.networks import Network
from handgrad.optimizers import SGD, Adam, AdamW, Constant, Momentum, Muon, Nesterov, Optimizer
from handgrad.optimizers.muon import QUINTIC

with contextlib.suppress(ImportError):  # whoever makes a side has asked whether it is there
    import torch
    from torch import nn
    from torch.nn import functional

__all__ = ["Translation", "channels_last", "compiled", "eager", "fused", "on_cuda"]

AT_ONCE = 1000
"""Images of a forward pass in prediction, as with us."""


def eager(problem: Problem, threads: int) -> Side:
    """As it comes: N, C, H, W, one operation after the other."""
    return _side(problem, threads)


def channels_last(problem: Problem, threads: int) -> Side:
    """Its other memory format, for images."""
    if isinstance(problem, Start) or len(problem.network.shapes[0]) != 3 or _dense(problem.network):
        raise NotMeantError
    return _side(problem, threads, nhwc=True)


def fused(problem: Problem, threads: int) -> Side:
    """With Adam in one kernel, which has to be asked for."""
    if not isinstance(problem, Descent) or not isinstance(problem.optimizer, Adam):
        raise NotMeantError
    return _side(problem, threads, fused=True)


def on_cuda(problem: Problem, threads: int) -> Side:
    """On a graphics card, eager, channels last, in float32 throughout (no TF32), as we compute."""
    if not torch.cuda.is_available():
        raise SkippedError("no CUDA device")
    return _side(problem, threads, nhwc=True, device="cuda")


def compiled(problem: Problem, threads: int) -> Side:
    """`torch.compile`, channels last where there are images."""
    if isinstance(problem, Start):
        raise NotMeantError
    compiler = os.environ.get("CXX", "c++")
    if shutil.which(compiler) is None and shutil.which("g++") is None:
        raise SkippedError("there is no C++ compiler on the path")
    torch._inductor.config.compile_threads = 1
    try:
        with held(threads):  # it writes the number of threads into what it compiles
            side = _side(problem, threads, nhwc=not _dense(problem.network), compile=True)
            side.restart()
            side.run(1)
    except Exception as error:  # whatever its compiler, or the system's, may raise
        raise SkippedError(f"it does not compile here: {str(error).splitlines()[0]}") from None
    return side


def _side(problem: Problem, threads: int, **options: Any) -> Side:
    if isinstance(problem, Descent):
        return _Descending(problem, **options)
    if isinstance(problem, Passes):
        return _Passing(problem, **options)
    if isinstance(problem, Answers):
        return _Answering(problem, **options)
    return _Starting(problem, threads)


def _dense(network: Network) -> bool:
    """Whether it sees an image as a row of numbers at once."""
    return isinstance(network.architecture[0], Dense | Flatten)


Pair = tuple[Any, str, Callable[[Array], Array], Callable[[Array], Array]]
"""A module and the name of its tensor; from our array to theirs, and back."""


class Translation:
    """A network in modules.

    Parameters
    ----------
    network : its architecture and its numbers are taken over
    nhwc : in the memory format `channels_last`

    Attributes
    ----------
    module : what PyTorch runs
    pairs : from our name of an array (``"0.W"``) to a tensor, and the way there and back
    """

    def __init__(self, network: Network, nhwc: bool = False) -> None:
        self.network, self.nhwc, self.dense = network, nhwc, _dense(network)
        self.pairs: dict[str, Pair] = {}
        self.spatial: Shape | None = None
        self.module = self._sequence(network.architecture, network.shapes[0], "")
        if nhwc:
            self.module = self.module.to(memory_format=torch.channels_last)
        self.module.to(torch.from_numpy(network.vector).dtype)
        self.read(network.vector)

    def read(self, vector: Array) -> None:
        """Take all numbers over from a vector of ours."""
        for name, (module, key, there, _) in self.pairs.items():
            array = there(self.network.layout.slots[name].of(vector))
            getattr(module, key).data.copy_(torch.from_numpy(np.ascontiguousarray(array)))

    def written(self, of: Callable[[Any], Any] = lambda tensor: tensor) -> Array:
        """All numbers, or what is made ``of`` each tensor, as a vector of ours."""
        vector = np.empty_like(self.network.vector)
        for name, (module, key, _, back) in self.pairs.items():
            array = of(getattr(module, key)).detach().cpu().numpy()
            self.network.layout.slots[name].of(vector)[...] = back(array)
        return vector

    def images(self, x: Array) -> Any:
        """Our images or cotangents as a tensor; of the format, once and for all."""
        if self.dense or x.ndim != 4:
            return torch.from_numpy(x.reshape(len(x), -1))
        tensor = torch.from_numpy(x).permute(0, 3, 1, 2)
        return tensor.contiguous(
            memory_format=torch.channels_last if self.nhwc else torch.contiguous_format
        )

    def _sequence(self, layers: tuple[Layer, ...], shape: Shape, name: str) -> Any:
        modules = []
        for i, layer in enumerate(layers):
            modules += list(self._modules(layer, shape, f"{name}{i}."))
            shape = layer.output_shape(shape)
        return nn.Sequential(*modules)

    def _modules(self, layer: Layer, shape: Shape, name: str) -> Iterator[Any]:
        if isinstance(layer, Dense):
            if len(shape) == 3:
                self.spatial = shape
                if not self.dense:
                    yield nn.Flatten()
            linear = nn.Linear(int(np.prod(shape)), layer.units, bias=layer.offset)
            # Our rows run over H, W, C; where PyTorch flattens images, its columns over C, H, W.
            self.pairs[f"{name}W"] = (
                linear,
                "weight",
                *_columns(None if self.dense else self.spatial),
            )
            if layer.offset:
                self.pairs[f"{name}b"] = (linear, "bias", _same, _same)
            self.spatial = None
            yield linear
        elif isinstance(layer, Convolution):
            (above, below), (left, right) = layer.around(shape)
            if (above, left) != (below, right):
                yield nn.ZeroPad2d((left, right, above, below))
                above = left = 0
            convolution = nn.Conv2d(
                shape[2], layer.channels, layer.kernel, layer.stride, (above, left),
                layer.dilation, bias=layer.offset,
            )  # fmt: skip
            self.pairs[f"{name}W"] = (convolution, "weight", _filters, _filters_back)
            if layer.offset:
                self.pairs[f"{name}b"] = (convolution, "bias", _same, _same)
            yield convolution
        elif isinstance(layer, BatchNorm) and self.spatial is None:
            kind = nn.BatchNorm2d if len(shape) == 3 else nn.BatchNorm1d
            norm = kind(shape[-1], eps=layer.epsilon, momentum=1 - layer.keep)
            norm.weight.requires_grad_(layer.scale)
            norm.bias.requires_grad_(layer.offset)
            known = {"scale": "weight", "offset": "bias"}
            known |= {"mean": "running_mean", "variance": "running_var"}
            there = layer.parameters(shape).keys() | layer.statistics(shape).keys()
            self.pairs |= {
                f"{name}{key}": (norm, known[key], _same, _same) for key in known if key in there
            }
            yield norm
        elif isinstance(layer, Flatten):
            self.spatial = shape if len(shape) == 3 else self.spatial
            yield nn.Flatten()
        elif isinstance(layer, Residual):
            yield _residual(
                self._sequence(layer.layers, shape, f"{name}block."),
                self._sequence(layer.shortcut, shape, f"{name}shortcut."),
            )
        elif isinstance(layer, MaxPool):
            yield nn.MaxPool2d(layer.size, layer.apart)
        elif isinstance(layer, AveragePool):
            yield nn.AvgPool2d(layer.size, layer.apart)
        elif isinstance(layer, GlobalAveragePool):
            yield nn.AdaptiveAvgPool2d(1)
            yield nn.Flatten()
        elif isinstance(layer, Scale):
            yield _scale(layer.factor)
        elif isinstance(layer, LeakyReLU):
            yield nn.LeakyReLU(layer.slope)
        elif isinstance(layer, ELU):
            yield nn.ELU(layer.alpha)
        else:
            plain = {ReLU: nn.ReLU, Sigmoid: nn.Sigmoid, Tanh: nn.Tanh, GELU: nn.GELU}
            plain |= {SiLU: nn.SiLU, Identity: nn.Identity}
            if type(layer) not in plain:
                raise SkippedError(f"{layer} is not translated")
            yield plain[type(layer)]()


def _residual(block: Any, shortcut: Any) -> Any:
    class Residual(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.block, self.shortcut = block, shortcut

        def forward(self, x: Any) -> Any:
            return self.block(x) + self.shortcut(x)

    return Residual()


def _scale(factor: float) -> Any:
    class Scale(nn.Module):  # type: ignore[misc]
        def forward(self, x: Any) -> Any:
            return x * factor

    return Scale()


def _same(array: Array) -> Array:
    return array


def _filters(W: Array) -> Array:
    return W.transpose(3, 2, 0, 1)


def _filters_back(W: Array) -> Array:
    return W.transpose(2, 3, 1, 0)


def _columns(spatial: Shape | None) -> tuple[Callable[[Array], Array], Callable[[Array], Array]]:
    """From our (I, O) to their (O, I), and back, where I may be an image's H, W, C and C, H, W."""
    if spatial is None:
        return np.transpose, np.transpose
    H, W, C = spatial
    return (
        lambda w: w.reshape(H, W, C, -1).transpose(3, 2, 0, 1).reshape(w.shape[1], -1),
        lambda w: w.reshape(-1, C, H, W).transpose(2, 3, 1, 0).reshape(H * W * C, -1),
    )


class _Steps:
    """Our optimizer as theirs: a group for each rate and decay, with our schedule."""

    def __init__(self, given: Optimizer, loss: Loss, pairs: dict[str, Pair], fused: bool) -> None:
        if given.clip_norm is not None:
            raise SkippedError("clip_norm is not translated")
        adam = isinstance(given, Adam)
        if adam and (loss.penalty or given.coupled):
            raise SkippedError("Adam with a decay that goes through it is not translated")
        self.given = given
        groups: dict[tuple[float, float, float], list[Any]] = {}
        self.frozen: list[tuple[Any, float]] = []
        self.matrices: list[_Matrix] = []
        for name, (module, key, _, _) in pairs.items():
            tensor = getattr(module, key)
            if not isinstance(tensor, nn.Parameter):
                continue
            tensor.requires_grad_(True)
            decay = given.weight_decay * _factor(given.decays, name, 0.0)
            penalty = loss.penalty if name.endswith("W") else 0.0
            coupled, apart = (penalty + decay, 0.0) if given.coupled else (penalty, decay)
            rate = _factor(given.rates, name, 1.0)
            self.frozen.append((tensor, _factor(given.frozen, name, math.inf)))
            if isinstance(given, Muon) and not {name, name.rpartition(".")[2]}.isdisjoint(
                given.matrices
            ):
                if coupled or apart:
                    raise SkippedError("a decay of Muon's matrices is not translated")
                self.matrices.append(_Matrix(given, tensor, rate))
            else:
                groups.setdefault((rate, coupled, apart), []).append(tensor)
        self.rates, self.decays = [key[0] for key in groups], [key[2] for key in groups]
        eta = given.learning_rate
        listed = [
            {"params": tensors, "lr": eta * rate, "weight_decay": apart if adam else coupled}
            for (rate, coupled, apart), tensors in groups.items()
        ]
        if type(given) in (Adam, AdamW):
            own = {"betas": (given.beta1, given.beta2), "eps": given.epsilon}  # type: ignore[attr-defined]
            self.optimizer: Any = torch.optim.AdamW(listed, **own, fused=fused or None)
            self.decays = []
        elif type(given) in (SGD, Momentum, Nesterov, Muon):
            nesterov = type(given) in (Nesterov, Muon)
            beta = given.beta_others if isinstance(given, Muon) else getattr(given, "beta", 0.0)
            self.optimizer = torch.optim.SGD(listed, eta, momentum=beta, nesterov=nesterov)
        else:
            raise SkippedError(f"{given.name} is not translated")

    def begin(self, t: int, total: int) -> None:
        """Before the gradients of step ``t`` of ``total``: what is frozen needs none."""
        self.optimizer.zero_grad()
        for tensor, after in self.frozen:
            if t >= after * total:
                tensor.requires_grad_(False)

    def step(self, t: int, total: int) -> None:
        """Gradients are there."""
        groups = self.optimizer.param_groups
        rate = self.given.learning_rate * self.given.schedule(t, total)
        if self.given.schedule != Constant():
            for group, factor in zip(groups, self.rates, strict=True):
                group["lr"] = rate * factor
        for group, decay in zip(groups, self.decays, strict=False):
            if decay:
                with torch.no_grad():
                    torch._foreach_mul_(group["params"], 1 - group["lr"] * decay)
        self.optimizer.step()
        for matrix in self.matrices:
            matrix.step(rate)


class _Matrix:
    """A weight that Muon makes steps of. Its own Muon has no convolutions and no fixed norm."""

    def __init__(self, given: Muon, tensor: Any, rate: float) -> None:
        self.given, self.tensor, self.rate = given, tensor, rate
        self.momentum = torch.zeros_like(tensor)

    def step(self, rate: float) -> None:
        """Its gradient is there, unless it is frozen."""
        W, g, beta = self.tensor, self.tensor.grad, self.given.beta
        if g is None:
            return
        a, b, c = QUINTIC
        with torch.no_grad():
            self.momentum.mul_(beta).add_(g)
            X = g.add(self.momentum, alpha=beta).flatten(1)
            X /= X.norm() + 1e-7
            tall = len(X) > X.shape[1]
            X = X.T if tall else X
            for _ in range(self.given.steps):
                A = X @ X.T
                X = a * X + (b * A + c * A @ A) @ X
            if self.given.fixed_norm:
                W.mul_(len(W) ** 0.5 / W.norm())
            W.sub_((X.T if tall else X).reshape(W.shape), alpha=rate * self.rate)
        W.grad = None


def _factor(table: dict[str, float], name: str, other: float) -> float:
    """What a table says of ``0.W``: by its own name, else by ``W``."""
    return table.get(name, table.get(name.rpartition(".")[2], other))


class _Descending:
    def __init__(
        self,
        problem: Descent,
        nhwc: bool = False,
        fused: bool = False,
        compile: bool = False,
        device: str = "cpu",
    ) -> None:
        self.problem, self.fused, self.device = problem, fused, device
        self.theirs = Translation(problem.network, nhwc)
        self.theirs.module.train().to(device)
        X = problem.images
        # channels_last is a permuted view of N, H, W, C: images are chosen first, then permuted.
        self.viewed = nhwc and X.ndim == 4
        self.X = torch.from_numpy(X) if self.viewed else self.theirs.images(X)
        self.y = torch.from_numpy(problem.labels)
        self.criterion = _criterion(problem.loss)
        if isinstance(problem.loss, SigmoidCrossEntropy):
            self.y = self.y.to(self.X.dtype)[:, None]
        module, criterion = self.theirs.module, self.criterion

        def loss(x: Any, y: Any) -> Any:
            return criterion(module(x), y)

        self.loss = torch.compile(loss, dynamic=False) if compile else loss

    def restart(self) -> None:
        self.theirs.read(self.problem.network.vector)
        p = self.problem
        self.steps = _Steps(p.optimizer, p.loss, self.theirs.pairs, self.fused)

    def run(self, repeats: int) -> None:
        if self.device == "cpu":
            self._steps(repeats)
        else:
            with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
                self._steps(repeats)
                torch.cuda.synchronize()

    def _steps(self, repeats: int) -> None:
        p, t = self.problem, 0
        total = repeats * p.batches.steps_per_epoch
        for epoch in range(repeats):
            order = torch.from_numpy(p.batches.order(epoch))
            for start in range(0, len(order), p.batch):
                x, y = self.X, self.y
                if p.batch_size is not None:
                    chosen = order[start : start + p.batch]
                    x, y = x[chosen], y[chosen]
                if self.viewed:
                    x = x.permute(0, 3, 1, 2)
                self.steps.begin(t, total)
                if self.device != "cpu":
                    x, y = x.to(self.device), y.to(self.device)
                self.loss(x, y).backward()
                self.steps.step(t, total)
                t += 1

    def numbers(self) -> Array:
        return self.theirs.written()


def _criterion(loss: Loss) -> Callable[[Any, Any], Any]:
    if loss.class_weights:
        raise SkippedError("class weights are not translated")
    over = loss.over
    if isinstance(loss, SoftmaxCrossEntropy):
        smoothing = loss.smoothing
        return lambda z, y: functional.cross_entropy(
            z, y, reduction=over, label_smoothing=smoothing
        )
    if isinstance(loss, SigmoidCrossEntropy):
        return lambda z, y: functional.binary_cross_entropy_with_logits(z, y, reduction=over)
    raise SkippedError(f"{loss.name} is not translated")


class _Passing:
    def __init__(self, problem: Passes, nhwc: bool = False, compile: bool = False) -> None:
        self.theirs = Translation(problem.network, nhwc)
        self.x = self.theirs.images(problem.x).requires_grad_()
        self.dy = self.theirs.images(problem.dy)
        module = self.theirs.module
        self.through = torch.compile(module, dynamic=False) if compile else module

    def restart(self) -> None:
        pass

    def run(self, repeats: int) -> None:
        for _ in range(repeats):
            self.x.grad = None
            self.theirs.module.zero_grad()
            self.y = self.through(self.x)
            self.y.backward(self.dy)

    def numbers(self) -> Array:
        y, dx = (t.detach().permute(0, 2, 3, 1).numpy() for t in (self.y, self.x.grad))
        gradient = self.theirs.written(lambda tensor: tensor.grad)
        return np.concatenate([y.ravel(), dx.ravel(), gradient])


class _Answering:
    def __init__(self, problem: Answers, nhwc: bool = False, compile: bool = False) -> None:
        preparation = problem.model.preparation
        if preparation.mean is not None or preparation.scale != "unit":
            raise SkippedError("this preparation is not translated")
        if not isinstance(problem.model.loss, SoftmaxCrossEntropy):
            raise SkippedError(f"{problem.model.loss.name} is not translated")
        self.problem, self.nhwc = problem, nhwc
        self.module = Translation(problem.network, nhwc).module.eval()
        self.through = torch.compile(self.module, dynamic=False) if compile else self.module

    def restart(self) -> None:
        pass

    def run(self, repeats: int) -> None:
        images = self.problem.images
        memory_format = torch.channels_last if self.nhwc else torch.contiguous_format
        with torch.inference_mode():
            for _ in range(repeats):
                parts = []
                for i in range(0, len(images), AT_ONCE):
                    x = torch.from_numpy(images[i : i + AT_ONCE]).permute(0, 3, 1, 2)
                    x = x.to(torch.float32, memory_format=memory_format).div_(255)
                    parts.append(torch.softmax(self.through(x), dim=1))
                self.found = torch.cat(parts)

    def numbers(self) -> Array:
        found: Array = self.found.numpy().ravel()
        return found


class _Starting(Process):
    """`predict_with_torch.py`, which a user of PyTorch would have written for this network."""

    def __init__(self, problem: Start, threads: int) -> None:
        folder = Path(tempfile.mkdtemp(prefix="handgrad-bench-"))
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        model, image = folder / "model.safetensors", folder / "image.png"
        module = Translation(problem.network).module
        state = {k: np.ascontiguousarray(v.numpy()) for k, v in module.state_dict().items()}
        save_file(state, model)
        Image.fromarray(problem.pixels).save(image)
        script = predict_with_torch.__file__
        names = json.dumps(list(problem.model.class_names))
        super().__init__([sys.executable, script, str(model), str(image), names], threads)
