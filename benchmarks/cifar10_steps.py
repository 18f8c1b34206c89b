"""The recipe `cifar10` beside PyTorch, step by step: the same losses from the same batches.

    nice -n 19 python benchmarks/cifar10_steps.py [float64] [float32]     some ten minutes for both

- float64, batches of 64, ten steps: the losses agree to 1e-8 (and the numbers at the end to 1e-7);
- float32, batches of 128, 100 steps: each loss is within 2 % of PyTorch's.

In float64 PyTorch's GELU is written with erfc. `torch.nn.GELU` computes ½ z (1 + erf(z/√2)), which
cancels below 0 and is 0 from -8.3 on, where GELU itself is -1e-15 and then less and less. In the
first step filters are identities, so that some pools have such numbers for their largest, and it
sends the gradient of 27 out of 921,600 another way. Then ten losses agree to 2e-8 only.

PyTorch's side is written as airbench94 is: channels first, the loss summed over the batch,
`torch.optim.SGD` with two groups, its own lookahead. (Its schedule rounds the peak down to a whole
step; here it is not rounded, on both sides.) The learning rate is 1.5 for a batch of 1024, in
proportion for others. Both sides begin with the same values and see the same augmented batches of
the first images of CIFAR-10; one thread each.

Writes ``benchmarks/results/cifar10-steps.json``. The tests hold a narrower network to the same.
"""

from __future__ import annotations

import json
import math
import os
import platform
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from handgrad import __version__
from handgrad.datasets import Batches, Dataset, Splits, load, numbers
from handgrad.experiments import Experiment, read_recipe, with_settings
from handgrad.experiments.manifest import processor
from handgrad.networks import Network
from handgrad.training import by_the_book, fit

RESULTS = Path(__file__).parent / "results" / "cifar10-steps.json"
PARTS = {"float64": (64, 10), "float32": (128, 100)}
"""Batch and steps."""


def prepared(
    images: Dataset,
    batch: int,
    dtype: str,
    settings: dict[str, Any] | None = None,
    name: str = "cifar10-nesterov",
) -> tuple[Experiment, Batches]:
    """The recipe for one epoch of some images, and the batches that both sides see."""
    scaled = {"optimizer.learning_rate": 1.5 * batch / 1024} if name == "cifar10-nesterov" else {}
    table = with_settings(
        read_recipe(name),
        {
            "dtype": dtype,
            **scaled,
            "training.batch_size": batch,
            "training.epochs": 1,
            "training.threads": 1,
            **(settings or {}),
        },
    )
    experiment = Experiment(table, splits=Splits(images))
    recipe = experiment.recipe
    x = numbers(images.images, experiment.preparation, recipe.dtype)
    batches = Batches(
        x,
        images.labels,
        batch,
        recipe.seed,
        augmentations=recipe.augmentation,
        drop_last=recipe.training.drop_last,
    )
    return experiment, batches


def ours(experiment: Experiment, batches: Batches) -> list[float]:
    """The loss of every step; the experiment's network is trained."""
    losses: list[float] = []

    def watched(*given: Any) -> Any:
        value, outputs = by_the_book(*given)
        losses.append(value)
        return value, outputs

    recipe = experiment.recipe
    for _ in fit(
        experiment.network,
        batches,
        recipe.loss,
        recipe.optimizer,
        epochs=1,
        seed=recipe.seed,
        gradient=watched,
        averaging=recipe.averaging,
    ):
        pass
    return losses


class PreciseGELU(torch.nn.Module):
    """z Φ(z) with Φ(z) = ½ erfc(-z/√2), which does not cancel."""

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return z * torch.special.erfc(-z / math.sqrt(2)) / 2


def twin(network: Network) -> torch.nn.Sequential:
    """airbench94's network in PyTorch with the numbers of ours; layer i is layer i of ours.

    Its last layer, times 1/9, is in `theirs`.
    """
    nn, C, widths = torch.nn, 24, [network.shapes[i][-1] for i in (3, 10, 17)]
    gelu = PreciseGELU() if network.dtype == np.float64 else nn.GELU()
    layers: list[torch.nn.Module] = [nn.Conv2d(3, C, 2), gelu]
    for O in widths:
        for pools in (True, False):
            norm = nn.BatchNorm2d(O, eps=1e-12, momentum=1 - 0.6)
            norm.weight.requires_grad = False
            layers += [nn.Conv2d(C, O, 3, padding="same", bias=False)]
            layers += [nn.MaxPool2d(2)] * pools + [norm, gelu]
            C = O
    layers += [nn.MaxPool2d(3), nn.Flatten(), nn.Linear(C, 10, bias=False)]
    model = nn.Sequential(*layers).to(torch.from_numpy(network.vector).dtype)
    with torch.no_grad():
        for name, tensor in named(model).items():
            tensor.copy_(torch.tensor(network.layout.slots[name].of(network.vector)))
    return model


def named(model: torch.nn.Sequential) -> dict[str, torch.Tensor]:
    """PyTorch's numbers under our names and in our order of axes: views, which can be written."""
    found = {}
    for i, module in enumerate(model):
        if isinstance(module, torch.nn.Conv2d):
            found[f"{i}.W"] = module.weight.data.permute(2, 3, 1, 0)
            if module.bias is not None:
                found[f"{i}.b"] = module.bias.data
        elif isinstance(module, torch.nn.Linear):
            found[f"{i}.W"] = module.weight.data.T
        elif isinstance(module, torch.nn.BatchNorm2d):
            found[f"{i}.offset"] = module.bias.data
            found |= {f"{i}.mean": module.running_mean, f"{i}.variance": module.running_var}
    return found


def theirs(model: torch.nn.Sequential, batches: Batches, batch: int) -> list[float]:
    """The mean loss of every step of airbench94; the model is trained."""
    total, losses = batches.steps_per_epoch, []
    kilostep = 1024 * (1 + 1 / (1 - 0.85))
    rate, decay = 11.5 / kilostep, 0.0153 * batch / kilostep
    first = model[0]
    first.weight.requires_grad = False
    norms = [m.bias for m in model if isinstance(m, torch.nn.BatchNorm2d)]
    others = [m.weight for m in model if isinstance(m, torch.nn.Conv2d | torch.nn.Linear)][1:]
    groups = [
        {"params": norms, "lr": 64 * rate, "weight_decay": decay / (64 * rate)},
        {"params": [first.bias, *others], "lr": rate, "weight_decay": decay / rate},
    ]
    optimizer = torch.optim.SGD(groups, momentum=0.85, nesterov=True)
    peak = 0.23 * total
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda t: 0.2 + 0.8 * t / peak if t < peak else 1 - 0.93 * (t - peak) / (total - peak),
    )
    slow = {name: tensor.clone() for name, tensor in named(model).items()}

    def look_ahead(decay: float) -> None:
        for name, tensor in named(model).items():
            slow[name].lerp_(tensor, 1 - decay)
            tensor.copy_(slow[name])

    model.train()
    for step, (x, labels) in enumerate(batches(0), start=1):
        first.bias.requires_grad = step - 1 < 0.3 * total  # for 3 of 10 epochs
        outputs = model(torch.tensor(x).permute(0, 3, 1, 2)) / 9
        loss = torch.nn.functional.cross_entropy(
            outputs, torch.tensor(labels), label_smoothing=0.2, reduction="none"
        ).sum()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item() / batch)
        if step % 5 == 0:
            look_ahead(0.95**5 * (step / total) ** 3)
    look_ahead(1.0)
    return losses


def theirs_with_muon(
    model: torch.nn.Sequential, batches: Batches, scale: float, head: float
) -> list[float]:
    """The mean loss of every step of airbench94_muon, with our first values of the last layer.

    Parameters
    ----------
    scale : of the last layer's outputs, 1/256 there
    head : the rate of the last layer, for a mean loss
    """
    total, losses = batches.steps_per_epoch, []
    first = model[0]
    first.weight.requires_grad = False
    filters = [m.weight for m in model if isinstance(m, torch.nn.Conv2d)][1:]
    offsets = [m.bias for m in model if isinstance(m, torch.nn.BatchNorm2d)]
    rate, decay = 0.053 * 2000, 2e-6 * 2000  # of a mean loss over 2,000
    groups = [
        {"params": [first.bias, *offsets], "lr": rate, "weight_decay": decay / rate},
        {"params": [model[-1].weight], "lr": head, "weight_decay": decay / head},
    ]
    optimizer = torch.optim.SGD(groups, momentum=0.85, nesterov=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda t: 1 - t / total)
    momenta = [torch.zeros_like(W) for W in filters]
    model.train()
    for step, (x, labels) in enumerate(batches(0)):
        first.bias.requires_grad = step < 0.3 * total
        outputs = model(torch.tensor(x).permute(0, 3, 1, 2)) * scale
        loss = torch.nn.functional.cross_entropy(outputs, torch.tensor(labels), label_smoothing=0.2)
        model.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()
        with torch.no_grad():
            for W, momentum in zip(filters, momenta, strict=True):
                momentum.mul_(0.6).add_(W.grad)
                step_along = W.grad + 0.6 * momentum
                W.mul_(len(W) ** 0.5 / W.norm())
                W.sub_(
                    0.24 * (1 - step / total) * near_orthogonal(step_along.flatten(1)).view_as(W)
                )
        losses.append(loss.item())
    return losses


def near_orthogonal(M: torch.Tensor) -> torch.Tensor:
    """Three steps of the published iteration, on the singular values."""
    U, S, Vh = torch.linalg.svd(M, full_matrices=False)
    S = S / (torch.linalg.norm(M) + 1e-7)
    for _ in range(3):
        S = 3.4445 * S - 4.7750 * S**3 + 2.0315 * S**5
    return (U * S) @ Vh


def farthest(network: Network, model: torch.nn.Sequential) -> tuple[str, float]:
    """The array whose numbers are farthest from PyTorch's, and how far, as part of its largest."""
    found = {}
    for name, tensor in named(model).items():
        mine, other = network.layout.slots[name].of(network.vector), tensor.numpy()
        found[name] = float(abs(mine - other).max() / abs(other).max())
    return max(found.items(), key=lambda item: item[1])


def measured(images: Dataset, batch: int, steps: int, dtype: str) -> dict[str, Any]:
    """One part of the comparison, as it is kept."""
    experiment, batches = prepared(images.take(np.arange(batch * steps)), batch, dtype)
    model = twin(experiment.network)
    start = time.perf_counter()
    mine = ours(experiment, batches)
    between = time.perf_counter()
    other = theirs(model, batches, batch)
    end = time.perf_counter()
    a, b = np.array(mine), np.array(other)
    smooth = [np.convolve(losses, np.full(10, 0.1), "valid") for losses in (a, b)]
    name, distance = farthest(experiment.network, model)
    return {
        "dtype": dtype,
        "batch": batch,
        "steps": steps,
        "farthest_loss": float(abs(a / b - 1).max()),
        "farthest_loss_of_ten_smoothed": float(abs(smooth[0] / smooth[1] - 1).max()),
        "farthest_numbers": distance,
        "farthest_numbers_in": name,
        "losses": [round(value, 6) for value in mine],
        "losses_pytorch": [round(value, 6) for value in other],
        "seconds": round(between - start, 1),
        "seconds_pytorch": round(end - between, 1),
    }


def main() -> None:
    """Compare, and keep what was found as it comes."""
    torch.set_num_threads(1)
    images = load("cifar10").train
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    conditions = {
        "date": datetime.now(UTC).date().isoformat(),
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": processor(),
        "cores": os.cpu_count(),
        "threads": 1,
        "versions": {
            "handgrad": __version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
        },
    }
    for dtype in sys.argv[1:] or PARTS:
        part = measured(images, *PARTS[dtype], dtype)
        print({key: value for key, value in part.items() if "losses" not in key}, flush=True)
        results[dtype] = conditions | part
        RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
