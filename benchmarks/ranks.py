"""How much sooner several ranks are done: measured on two, and computed for up to 64.

    python benchmarks/ranks.py [--rounds 7] [--save FILE]    measures, fits, writes the results
    python benchmarks/ranks.py --picture FILE.svg            draws what was measured and computed
    python benchmarks/ranks.py --pages                       the table, into README.md and docs

Strong scaling: the batch stays, each rank has its part of it. One rank and two, of one thread each,
are measured in turn, in processes of their own; a figure is the median over the rounds of the
median over a process's steps. Two processes that know nothing of each other, with half of the batch
each, show what the machine itself gives to two: cores share memory, and often more. Two ranks that
see each other over TCP alone (``UCX_TLS=tcp,self MPIR_CVAR_NOLOCAL=1``) show what slower messages
cost. Writes ``benchmarks/results/ranks.json``.

The model of a step of R ranks, of which each has B/R of the batch and sums V bytes:

    t(R) = s(R) c(B/R) + 2 (R - 1) (α + β V/R) + 3 γ log2 R

c(n) = c0 + c1 n is the time to compute with n images, fitted to one rank's steps; s(R) is what the
slowest of R such steps takes, on average, in middle ones, from the scatter of the measured steps
(of batch 512; s(1) is 1);
α seconds a message and β seconds a byte are fitted to sums of many lengths on two ranks (rank r
receives R - 1 parts and sends R - 1 sums, of V/R bytes each); γ is the time for a word to all.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import keeping
import numpy as np
from threadpoolctl import threadpool_limits

from handgrad import __version__
from handgrad.bench.works import convolutional
from handgrad.datasets import Batches
from handgrad.experiments.manifest import processor
from handgrad.layers import Dense, Layer, ReLU
from handgrad.losses import SoftmaxCrossEntropy
from handgrad.networks import Network
from handgrad.optimizers import Momentum
from handgrad.parallel import Ranks, Shards, joined
from handgrad.plans import Planned, is_planned
from handgrad.training import by_the_book, fit

RESULTS = keeping.RESULTS / "ranks.json"
PAGES = (keeping.README, keeping.README.parent / "docs" / "machines.md")
BATCHES = (128, 256, 512, 1024)
LENGTHS = (250, 2_500, 25_000, 100_000, 400_000, 1_600_000)
RANKS = (1, 2, 4, 8, 16, 32, 64)


def works() -> dict[str, tuple[tuple[Layer, ...], tuple[int, ...]]]:
    """Name to layers and the shape of an image."""
    dense = (Dense(512), ReLU(), Dense(512), ReLU(), Dense(10))
    return {
        "784-512-512-10": (dense, (784,)),
        "32-32-pool-64-64-pool-128-10": (tuple(convolutional()), (32, 32, 3)),
    }


def steps(network: Network, batch: int, count: int, ranks: Ranks | None) -> list[float]:
    """Seconds of each of so many steps of a training."""
    generator = np.random.default_rng(0)
    n = min(2 * batch, 2048)
    n -= n % batch
    x = generator.random((n, *network.shapes[0]), dtype=np.float32)
    batches = Batches(x, np.arange(n) % 10, batch, seed=0, by_rows=ranks is not None)
    how = Planned() if is_planned(network) else by_the_book
    marks: list[float] = []
    training = fit(
        network,
        batches,
        SoftmaxCrossEntropy(),
        Momentum(learning_rate=1e-3),
        epochs=math.ceil((count + 2) / batches.steps_per_epoch),
        gradient=how if ranks is None else Shards(1, how, ranks),
        between=lambda: marks.append(time.perf_counter()),
        norms=False,
    )
    for _ in training:
        pass
    return np.diff(marks)[1:].tolist()


def sums(ranks: Ranks, length: int, count: int = 60) -> dict[str, float]:
    """Median seconds of a sum of so many float32: ours, in order, and the library's."""
    vector, taken = np.ones(length, np.float32), {}
    for name, add in (
        ("ordered", lambda: ranks.add(vector)),
        ("library", lambda: ranks.comm.Allreduce(vector.copy(), vector)),
        ("word", lambda: ranks.told(False)),
    ):
        times = []
        for _ in range(count):
            ranks.told(None)  # all begin together
            start = time.perf_counter()
            add()
            times.append(time.perf_counter() - start)
            vector[...] = 1
        taken[name] = statistics.median(times[5:])
    return taken


def worker(part: int) -> None:
    """One process's part of a round, with batches of a ``part`` of the size; rank 0 prints."""
    ranks = joined()
    found: dict[str, Any] = {"steps": {}, "sums": {}}
    with threadpool_limits(1, user_api="blas"):
        for name, (layers, shape) in works().items():
            network = Network(layers, shape)
            network.initialize(np.random.default_rng(0))
            found["steps"][name] = {
                "bytes": network.learned.nbytes,
                **{str(b): steps(network, b // part, max(8, 5000 // b), ranks) for b in BATCHES},
            }
        if ranks is not None:
            found["sums"] = {str(length): sums(ranks, length) for length in LENGTHS}
    if ranks is None or ranks.rank == 0:
        print(json.dumps(found))


def ran(ranks: int, apart: int = 1, **environment: str) -> dict[str, Any]:
    """A round of so many ranks; or of processes apart, each with its part of the batch."""
    mpiexec = [str(Path(sys.executable).with_name("mpiexec")), "-n", str(ranks)]
    words = [*(mpiexec if ranks > 1 else []), sys.executable, __file__, "--worker", str(apart)]
    told = {**os.environ, "OPENBLAS_NUM_THREADS": "1", **environment}
    processes = [
        subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=told) for _ in range(apart)
    ]
    said = [process.communicate()[0] for process in processes]
    assert not any(process.returncode for process in processes)
    found: dict[str, Any] = json.loads(said[0])
    return found


def middle(rounds: list[dict[str, Any]], work: str, batch: int) -> float:
    """Milliseconds of a step: the median of the rounds' medians."""
    return 1e3 * statistics.median(
        statistics.median(one["steps"][work][str(batch)]) for one in rounds
    )


def messages(rounds: list[dict[str, Any]]) -> dict[str, float]:
    """α, β and γ of a round's sums: seconds a message, seconds a byte, seconds a word to all."""
    lengths = np.array(LENGTHS)
    times = [
        statistics.median(one["sums"][str(length)]["ordered"] for one in rounds)
        for length in LENGTHS
    ]
    # t = 2 α + β V on two ranks, of which small times count as much as large ones.
    weights = 1 / np.array(times)
    table = np.stack([2 * np.ones(len(lengths)), 4.0 * lengths], axis=1)
    (alpha, beta), *_ = np.linalg.lstsq(table * weights[:, None], times * weights, rcond=None)
    word = statistics.median(
        one["sums"][str(length)]["word"] for one in rounds for length in LENGTHS
    )
    return {"alpha": max(float(alpha), 0.0), "beta": max(float(beta), 0.0), "gamma": word}


def computing(alone: dict[int, float]) -> dict[str, float]:
    """c0 and c1, neither negative, of milliseconds by batch: small ones count as much as large."""
    from scipy.optimize import nnls

    table = np.array([[1 / ms, batch / ms] for batch, ms in alone.items()])
    (fixed, each), _ = nnls(table, np.ones(len(table)))
    return {"fixed": fixed / 1e3, "each": each / 1e3}


def efficiencies(
    compute: dict[str, float], factor: dict[str, float], costs: dict[str, Any], size: int
) -> dict[str, Any]:
    """By the model, for each kind of messages and each batch."""
    return {
        kind: {
            str(batch): [
                predicted(compute, factor, cost, size, batch, 1)
                / r
                / predicted(compute, factor, cost, size, batch, r)
                for r in RANKS
            ]
            for batch in (*BATCHES, 4096, 16384)
        }
        for kind, cost in costs.items()
    }


def slowest(scatter: list[float]) -> dict[str, float]:
    """What the slowest of R steps takes, on average, in steps of the median."""
    drawn = np.random.default_rng(0).choice(np.array(scatter), size=(4000, max(RANKS)))
    return {str(r): float(drawn[:, :r].max(axis=1).mean()) for r in RANKS}


def predicted(
    compute: dict[str, float], factor: dict[str, float], cost: dict[str, float], size: int,
    batch: int, ranks: int,
) -> float:  # fmt: skip
    """Seconds of a step, by the model at the top."""
    own = compute["fixed"] + compute["each"] * batch / ranks
    if ranks == 1:
        return own
    sent = 2 * (ranks - 1) * (cost["alpha"] + cost["beta"] * size / ranks)
    return own * factor[str(ranks)] + sent + 3 * cost["gamma"] * math.log2(ranks)


def measured(rounds: int) -> dict[str, Any]:
    """All that is measured and computed."""
    one, two, apart, tcp = [], [], [], []
    for i in range(rounds):
        one.append(ran(1))
        two.append(ran(2))
        apart.append(ran(1, apart=2))
        if i % 2 == 0:
            tcp.append(ran(2, UCX_TLS="tcp,self", MPIR_CVAR_NOLOCAL="1"))
        print(f"round {i + 1} of {rounds}", file=sys.stderr, flush=True)
    costs = {"shared memory": messages(two), "tcp": messages(tcp)}
    rows, models = [], {}
    for work in works():
        size = one[0]["steps"][work]["bytes"]
        alone = [middle(one, work, batch) for batch in BATCHES]
        compute = computing(dict(zip(BATCHES, alone, strict=True)))
        scatter = [
            step / statistics.median(times)
            for found in one
            for times in [found["steps"][work]["512"]]
            for step in times
        ]
        factor = slowest(scatter)
        for batch, single in zip(BATCHES, alone, strict=True):
            ratios = sorted(
                statistics.median(a["steps"][work][str(batch)])
                / statistics.median(b["steps"][work][str(batch)])
                / 2
                for a, b in zip(one, two, strict=True)
            )
            double = middle(two, work, batch)
            rows.append({
                "work": work, "batch": batch, "one_ms": single, "two_ms": double,
                "efficiency": statistics.median(ratios), "least": ratios[0], "most": ratios[-1],
                "apart_ms": middle(apart, work, batch),
                "tcp_ms": middle(tcp, work, batch),
                "model_ms": 1e3 * predicted(
                    compute, factor, costs["shared memory"], size, batch, 2
                ),
            })  # fmt: skip
        models[work] = {
            "bytes": size,
            "compute": compute,
            "slowest": factor,
            "efficiency": efficiencies(compute, factor, costs, size),
        }
    length = {
        str(n): {
            name: statistics.median(found["sums"][str(n)][name] for found in two)
            for name in ("ordered", "library")
        }
        for n in LENGTHS
    }
    return {
        "rows": rows,
        "costs": costs,
        "models": models,
        "ranks": RANKS,
        "sums": length,
        "tcp_rounds": len(tcp),
    }


def where() -> dict[str, Any]:
    import mpi4py

    library = subprocess.run(
        [sys.executable, "-c", "from mpi4py import MPI; print(MPI.Get_library_version())"],
        check=True, capture_output=True, text=True,
    ).stdout.split("\n")[0]  # fmt: skip
    versions = {"handgrad": __version__, "python": platform.python_version()}
    versions |= {
        "numpy": np.__version__,
        "mpi4py": mpi4py.__version__,
        "mpi": " ".join(library.split()),
    }
    return {
        "cpu": processor(),
        "cores": os.cpu_count(),
        "versions": versions,
        "date": datetime.now(UTC).date().isoformat(),
    }


def picture(path: Path) -> None:
    """Efficiency over ranks: what was measured as marks, what the model says as lines."""
    from matplotlib.figure import Figure

    table = json.loads(RESULTS.read_text(encoding="utf-8"))
    figure = Figure(figsize=(11, 7.2), layout="constrained")
    axes = figure.subplots(2, 2, sharex=True, sharey=True)
    kinds = {"shared memory": "messages as within this machine", "tcp": "messages over TCP"}
    for row, (work, model) in zip(axes, table["models"].items(), strict=True):
        for axis, (kind, words) in zip(row, kinds.items(), strict=True):
            curves = model["efficiency"][kind]
            last, colours = -1.0, {}
            for i, (batch, values) in enumerate(curves.items()):
                colour = (0.05 + 0.12 * i, 0.32 + 0.05 * i, 0.62 - 0.03 * i)
                colours[int(batch)] = colour
                axis.plot(table["ranks"], values, color=colour, linewidth=1.4)
                last = max(values[-1], last + 0.045)  # where labels do not meet
                axis.annotate(
                    f"batch {int(batch):,}", (table["ranks"][-1], last), xytext=(5, 0),
                    textcoords="offset points", va="center", fontsize=7.5, color=colour,
                    annotation_clip=False,
                )  # fmt: skip
            for one in table["rows"]:
                if one["work"] == work:
                    ours = (
                        one["efficiency"]
                        if kind == "shared memory"
                        else (one["one_ms"] / one["tcp_ms"] / 2)
                    )
                    axis.plot(2, ours, "o", color=colours[one["batch"]], markersize=5)
            axis.set_title(f"{work}, {words}", fontsize=9.5, loc="left")
            axis.set_xscale("log", base=2)
            axis.set_xticks(table["ranks"], [str(r) for r in table["ranks"]])
            axis.set_xlim(0.9, 150)
            axis.set_ylim(0, 1.12)
            axis.grid(color="#dddddd", linewidth=0.6)
            axis.spines[["top", "right"]].set_visible(False)
    for axis in axes[-1]:
        axis.set_xlabel("ranks of one thread")
    for row in axes:
        row[0].set_ylabel("efficiency: t(1) / (R t(R))")
    figure.suptitle(
        "Strong scaling: dots were measured on two ranks, lines of their colours are the model",
        fontsize=11,
    )
    figure.savefig(path)


def table(found: dict[str, Any]) -> str:
    """What was measured, in Markdown."""
    where, versions = found["where"], found["where"]["versions"]
    lines = [
        "| network | batch | one rank | two ranks | efficiency | two apart | of that | TCP |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in found["rows"]:
        tcp = row["one_ms"] / row["tcp_ms"] / 2
        lines.append(
            f"| {row['work']} | {row['batch']:,} | {row['one_ms']:.1f} ms | {row['two_ms']:.1f} ms "
            f"| {row['efficiency']:.2f} ({row['least']:.2f} to {row['most']:.2f}) "
            f"| {row['apart_ms']:.1f} ms | {row['apart_ms'] / row['two_ms']:.2f} | {tcp:.2f} |"
        )
    sums = found["sums"]["100000"]
    return "\n".join(lines) + (
        f"\n\nA step of strong scaling, ranks of one thread, medians of {found['rounds']} rounds "
        f"in turn (least and most of the rounds' ratios). Two apart: processes that know nothing "
        f"of each other, at once, with half of the batch each: what this machine gives two. TCP: "
        f"the efficiency (of the medians) with messages over TCP alone, {found['tcp_rounds']} "
        f"rounds. A sum of 400 kB over two ranks takes {1e6 * sums['ordered']:.0f} µs in the order "
        f"of the ranks and {1e6 * sums['library']:.0f} µs by MPI's own reduction. "
        f"`python benchmarks/ranks.py`; "
        f"{where['cpu']}, {where['cores']} cores, {where['date']}: Python {versions['python']}, "
        f"NumPy {versions['numpy']}, mpi4py {versions['mpi4py']}, {versions['mpi']}.\n"
    )


def write_pages() -> None:
    """Put the table between its two marks."""
    text = table(json.loads(RESULTS.read_text(encoding="utf-8")))
    for path in PAGES:
        keeping.fill(path, "ranks", text)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--save", type=Path, default=RESULTS)
    parser.add_argument("--picture", type=Path, metavar="FILE")
    parser.add_argument("--pages", action="store_true")
    parser.add_argument("--worker", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        worker(given.worker)
    elif given.picture:
        picture(given.picture)
    elif given.pages:
        write_pages()
    else:
        found = measured(given.rounds) | {"rounds": given.rounds, "where": where()}
        given.save.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        for row in found["rows"]:
            print(
                f"{row['work']:30} batch {row['batch']:5}: {row['one_ms']:8.2f} ms, two ranks "
                f"{row['two_ms']:8.2f} ms, efficiency {row['efficiency']:.2f} "
                f"({row['least']:.2f} to {row['most']:.2f}), model {row['model_ms']:8.2f} ms"
            )


if __name__ == "__main__":
    main()
