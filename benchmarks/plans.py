"""Plans beside PyTorch, in turn: the milliseconds of each side, median and least.

    python benchmarks/plans.py [WORK…] [--rounds N] [--threads 2]

With one thread it is the process's own time, which a busy neighbour leaves alone.

Needs torch. The command `handgrad bench` is for users; this is for whoever works on a plan.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from handgrad.experiments import read_recipe
from handgrad.experiments.recipe import Recipe
from handgrad.layers import GELU, BatchNorm, Convolution, Dense, Layer, MaxPool, ReLU
from handgrad.losses import SoftmaxCrossEntropy
from handgrad.networks import Network
from handgrad.parallel import Shards
from handgrad.plans import Planned, Through
from handgrad.training.gradient import HowGradient

nn = torch.nn
FORMATS = {"nchw": torch.contiguous_format, "nhwc": torch.channels_last}


def step_layers() -> tuple[Layer, ...]:
    """32-32-pool-64-64-pool-128-10."""
    layers: list[Layer] = []
    for channels in (32, 64):
        layers += [Convolution(channels), ReLU(), Convolution(channels), ReLU(), MaxPool()]
    return (*layers, Dense(128), ReLU(), Dense(10))


def airbench_layers() -> tuple[Layer, ...]:
    """The network of the recipe cifar10."""
    layers: list[Layer] = [Convolution(24, (2, 2), padding="valid"), GELU()]
    for channels in (64, 256, 256):
        for pool in (MaxPool(), None):
            layers += [Convolution(channels, offset=False), *([pool] if pool else [])]
            layers += [BatchNorm(1e-12, scale=False, keep=0.6), GELU()]
    return (*layers, MaxPool(3), Dense(10))


def module(network: Network) -> nn.Sequential:
    """The same layers in PyTorch, with their own first values."""
    made: list[nn.Module] = []
    layers = zip(network.architecture, network.shapes, strict=False)
    for layer, shape in layers:
        match layer:
            case Convolution():
                padding = layer.padding
                made.append(
                    nn.Conv2d(
                        shape[2], layer.channels, layer.kernel, padding=padding, bias=layer.offset
                    )
                )
            case MaxPool():
                made.append(nn.MaxPool2d(layer.size))
            case BatchNorm():
                norm = nn.BatchNorm2d(shape[2], layer.epsilon, 1 - layer.keep)
                norm.weight.requires_grad_(layer.scale)
                made.append(norm)
            case Dense():
                made += [*([nn.Flatten()] if len(shape) == 3 else [])]
                made.append(nn.Linear(int(np.prod(shape)), layer.units))
            case _:
                made.append({"relu": nn.ReLU, "gelu": nn.GELU}[layer.name]())
    return nn.Sequential(*made)


def descent(network: Network, n: int, threads: int) -> dict[str, Callable[[], object]]:
    """One gradient of a batch of n images, on every side."""
    generator = np.random.default_rng(0)
    network.initialize(generator)
    x = generator.standard_normal((n, *network.shapes[0]), dtype=np.float32)
    labels, loss = generator.integers(10, size=n), SoftmaxCrossEntropy()
    how: HowGradient = Planned() if threads == 1 else Shards(threads, Planned())
    gradient = network.gradient()
    sides: dict[str, Callable[[], object]] = {
        "ours": lambda: how(network, loss, x, labels, None, gradient)
    }
    for name, memory_format in FORMATS.items():
        net = module(network).to(memory_format=memory_format)
        images = torch.from_numpy(x).permute(0, 3, 1, 2).contiguous(memory_format=memory_format)
        true = torch.from_numpy(labels)

        def step(
            net: nn.Module = net, images: torch.Tensor = images, true: torch.Tensor = true
        ) -> None:
            net.zero_grad()
            nn.functional.cross_entropy(net(images), true).backward()

        sides[name] = step
    return sides


def convolution(size: int, channels: int, threads: int) -> dict[str, Callable[[], object]]:
    """One 3x3 convolution of 64 samples, forward and back."""
    generator = np.random.default_rng(0)
    network = Network((Convolution(channels),), (size, size, channels))
    network.initialize(generator)
    shape = (64, size, size, channels)
    x, dy = (generator.standard_normal(shape, dtype=np.float32) for _ in range(2))
    gradient, through = network.gradient(), Through(network, threads)
    sides: dict[str, Callable[[], object]] = {"ours": lambda: through(x, dy, gradient)}
    for name, memory_format in FORMATS.items():
        conv = module(network).to(memory_format=memory_format)
        tx, tdy = (
            torch.from_numpy(a).permute(0, 3, 1, 2).contiguous(memory_format=memory_format)
            for a in (x, dy)
        )
        tx.requires_grad_()

        def step(conv: nn.Module = conv, x: torch.Tensor = tx, dy: torch.Tensor = tdy) -> None:
            conv.zero_grad()
            x.grad = None
            conv(x).backward(dy)

        sides[name] = step
    return sides


def recipe(name: str) -> Network:
    """The network of a recipe, for MNIST."""
    return Network(Recipe.of(read_recipe(name), classes=10).architecture, (28, 28, 1))


WORKS: dict[str, Callable[[int], dict[str, Callable[[], object]]]] = {
    "convolution-32": partial(convolution, 32, 32),
    "convolution-64": partial(convolution, 16, 64),
    "convolution-128": partial(convolution, 8, 128),
    "convolution-step": lambda t: descent(Network(step_layers(), (32, 32, 3)), 128, t),
    "mnist-cnn-step": lambda t: descent(recipe("mnist-cnn"), 128, t),
    "cifar10-step": lambda t: descent(Network(airbench_layers(), (32, 32, 3)), 256, t),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("works", nargs="*", choices=[[], *WORKS], default=[])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    clock = time.process_time if asked.threads == 1 else time.perf_counter
    with threadpool_limits(1, user_api="blas"):
        for work in asked.works or WORKS:
            sides = WORKS[work](asked.threads)
            times: dict[str, list[float]] = {name: [] for name in sides}
            for turn in range(asked.rounds + 1):
                for name, side in sides.items():
                    begun = clock()
                    side()
                    if turn:
                        times[name].append(1e3 * (clock() - begun))
            row = "  ".join(
                f"{name} {np.median(t):6.1f} ({min(t):6.1f})" for name, t in times.items()
            )
            best = np.min([times[name] for name in FORMATS], axis=0)
            ratio, least = np.median(best / times["ours"]), best.min() / min(times["ours"])
            print(f"{work:16s} {row}  ratio {ratio:.2f} ({least:.2f})", flush=True)


if __name__ == "__main__":
    main()
