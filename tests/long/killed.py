"""Kill trainings with SIGKILL, again and again, resume them, and see that nothing is lost.

    python tests/long/killed.py --kills 200 --save benchmarks/results/killed.json

Half of the kills come at a random moment. The others come inside of the writing: at a call that
makes, renames, removes or flushes a file, or when half of a file's bytes are there. After each,

- every file in the run's folder that has its name loads (one that is being written has another);
- the checkpoint is no older than the last one that was announced, nor than one interval;
- the training goes on where that checkpoint stands;

and when one has come to its end, its files have the bytes of a training that nobody killed.

The trainings are forked from a process that has imported everything, which makes a kill a matter of
a tenth of a second; so this runs on POSIX systems only. The same seed kills at the same places.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import shutil
import signal
import sys
import tempfile
import time
import tomllib
import traceback
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import safetensors.numpy
import tomli_w
from PIL import Image

from handgrad.bench.environment import measured_where
from handgrad.experiments import checkpoints, drawn, read_recipe, resume, train, with_settings
from handgrad.experiments.conduct import Viewer
from handgrad.storage import load_model, read_tensors, written
from handgrad.training.snapshots import read_snapshots

EVERY = 3
"""Steps between two checkpoints."""

NETWORK = [
    {"layer": "convolution", "channels": 4, "offset": False},
    {"layer": "batch-norm"},
    {"layer": "relu"},
    {"layer": "dropout", "rate": 0.2},
    {"layer": "max-pool", "size": 4},
    {"layer": "dense", "units": 10},
]
COMMON = {
    "architecture": NETWORK,
    "augmentation": [{"kind": "translate", "pixels": 1}],
    "data.validation": 0.1,
    "training.batch_size": 200,
    "training.epochs": 4,
}
TRAININGS: dict[str, tuple[str, dict[str, Any]]] = {
    "momentum": ("digits", COMMON | {"optimizer": {"kind": "momentum"}}),
    "adam, moving average, two threads": (
        "digits",
        COMMON
        | {
            "optimizer": {"kind": "adam", "schedule": {"kind": "cosine"}},
            "averaging": {"kind": "moving average"},
            "training.threads": 2,
        },
    ),
    "full batch": ("lines", {"training.epochs": 40}),
    "with another seed": (
        "digits",
        COMMON | {"training.epochs": 2, "optimizer": {"kind": "nesterov"}, "repeats.seeds": [1]},
    ),
    "over an older run": ("digits", COMMON | {"optimizer": {"kind": "adamw"}}),
}
EQUAL = ("model.safetensors", "history.jsonl", "recipe.toml", "snapshots.safetensors")
"""Files whose bytes may not differ."""

PLACES = ("half a file", "os.rename", "os.fsync", "os.remove", "open", "os.mkdir", "os.rmdir")


class Death(NamedTuple):
    """Where a training dies: at the n-th call of a kind; n = 0 for never."""

    place: str
    n: int


class Announcing(Viewer):
    """Tells through a pipe which step is about to be made."""

    def __init__(self, pipe: int) -> None:
        self.pipe = pipe

    def tell(self, what: str, step: int) -> None:
        os.write(self.pipe, f"{what} {step}\n".encode())

    def watch(self, batches: Any) -> Any:
        told = self

        class Watched:
            full, steps_per_epoch = batches.full, batches.steps_per_epoch

            def __call__(self, epoch: int, first: int = 0) -> Any:
                for i, batch in enumerate(batches(epoch, first), first):
                    told.tell("at", epoch * self.steps_per_epoch + i)
                    yield batch

        return Watched()


def die_at(death: Death, folder: Path, counted: collections.Counter[str]) -> None:
    """Let this process die in the midst of what it does with the files of a run."""
    within = os.fspath(folder.parent)

    def passes(place: str) -> bool:
        counted[place] += 1
        return place == death.place and counted[place] == death.n

    def heard(event: str, args: tuple[Any, ...]) -> None:
        if event not in PLACES or not args:
            return
        if event != "os.rename" and isinstance(args[0], int):  # by a handle, as rmtree does
            inside = True
        else:
            inside = os.fsdecode(args[0]).startswith(within) or args[0] in ("lock", "recipe.toml")
        if event == "open" and not (isinstance(args[2], int) and args[2] & os.O_CREAT):
            return
        if inside and passes(event):
            os.kill(os.getpid(), signal.SIGKILL)

    flush, save = os.fsync, safetensors.numpy.save_file

    def fsync(handle: int) -> None:
        if passes("os.fsync"):
            os.kill(os.getpid(), signal.SIGKILL)
        flush(handle)

    def save_file(tensors: Any, path: Any, metadata: Any = None) -> None:
        save(tensors, path, metadata)
        if passes("half a file"):
            os.truncate(path, Path(path).stat().st_size // 2)
            os.kill(os.getpid(), signal.SIGKILL)

    os.fsync, safetensors.numpy.save_file = fsync, save_file
    sys.addaudithook(heard)


def few_pictures(experiment: Any, model: Any, folder: Path) -> None:
    """In the place of the pictures of a run, which take longer than its training."""
    folder.mkdir()
    with written(folder / "cost.png") as beside:
        Image.new("RGB", (9, 9)).save(beside, "png")


def forked(name: str, folder: Path, death: Death) -> tuple[int, int]:
    """Begin, or go on with, a training in a process of its own: (process, what it tells)."""
    reads, writes = os.pipe()
    process = os.fork()
    if process:
        os.close(writes)
        return process, reads
    os.close(reads)
    signal.alarm(900)  # a training that hangs has not survived
    code = 1
    try:
        counted: collections.Counter[str] = collections.Counter()
        viewer = Announcing(writes)
        drawn.draw_pictures = few_pictures
        write = checkpoints.Checkpoints.write

        def announced(self: checkpoints.Checkpoints) -> None:
            write(self)
            if self.path.name == "checkpoint.safetensors":
                viewer.tell("saved", self.experiment.state.steps)

        checkpoints.Checkpoints.write = announced  # type: ignore[method-assign]
        die_at(death, folder, counted)
        if (folder / "unfinished" / "recipe.toml").exists():
            resume(folder, checkpoint_every=str(EVERY), viewer=viewer)
        else:
            train(
                folder.parent / f"{name}.toml",
                out=folder,
                force=True,
                checkpoint_every=str(EVERY),
                viewer=viewer,
            )
        for place, n in counted.items():
            viewer.tell(place, n)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def ended(process: int, reads: int) -> tuple[int, list[tuple[str, int]]]:
    """Wait for a training: how it ended, and what it told."""
    with open(reads, encoding="utf-8") as pipe:
        lines = pipe.read().splitlines()
    _, status = os.waitpid(process, 0)
    told = [line.rpartition(" ") for line in lines]
    return os.waitstatus_to_exitcode(status), [(what, int(n)) for what, _, n in told]


def check_files(folder: Path) -> None:
    """Every file that has its name loads."""
    for path in folder.rglob("*"):
        parts = path.relative_to(folder).parts
        if not path.is_file() or any(part.startswith(".") for part in parts):
            continue
        if path.name == "model.safetensors":
            load_model(path)
        elif path.name == "snapshots.safetensors":
            read_snapshots(path)
        elif path.suffix == ".safetensors":
            read_tensors(path, "a checkpoint", 1)
        elif path.suffix == ".toml":
            tomllib.loads(path.read_text(encoding="utf-8"))["architecture"]
        elif path.suffix in (".json", ".jsonl"):
            text = path.read_text(encoding="utf-8")
            for one in text.splitlines() if path.suffix == ".jsonl" else [text]:
                json.loads(one)
        elif path.suffix == ".png":
            with Image.open(path) as image:
                image.load()
        else:
            assert path.name == "lock", f"{path}: what is this?"


def stands(folder: Path) -> int | None:
    """The step of the checkpoint that is there, if one is."""
    path = folder / "unfinished" / "checkpoint.safetensors"
    if not path.exists():
        return None
    steps: int = read_tensors(path, "a checkpoint", 1)[1]["state"]["steps"]
    return steps


def figures(folder: Path) -> dict[str, Any]:
    """What a run's summary says that may not differ."""
    table = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    return {k: v for k, v in table.items() if k not in ("seconds", "images_per_second", "date")}


class Whole(NamedTuple):
    """A training that nobody kills: its folder, its seconds, and how often it passes each place."""

    folder: Path
    seconds: float
    passed: dict[str, int]


def uninterrupted(name: str, home: Path) -> Whole:
    """Train one."""
    source, settings = TRAININGS[name]
    table = with_settings(read_recipe(source), settings)
    (home / f"{name}.toml").write_text(tomli_w.dumps(table), encoding="utf-8")
    begun, folder = time.perf_counter(), home / f"{name}, whole"
    code, told = ended(*forked(name, folder, Death("", 0)))
    assert code == 0, f"{name}: uninterrupted it ended with {code}"
    passed = {what: n for what, n in told if what in PLACES}
    return Whole(folder, time.perf_counter() - begun, passed)


def survive(kills: int, seed: int, home: Path, names: list[str]) -> dict[str, Any]:
    """Kill so many times; what was seen.

    Raises
    ------
    AssertionError : something was lost
    """
    random = Random(seed)
    whole = {name: uninterrupted(name, home) for name in names}
    deaths: collections.Counter[str] = collections.Counter()
    compared = anew = most = runs = 0
    older = b""
    while sum(deaths.values()) < kills:
        name = names[runs % len(names)]
        runs += 1
        folder = home / f"{runs}"
        if name == "over an older run":
            shutil.copytree(whole[name].folder, folder)
            with (folder / "model.safetensors").open("rb") as file:
                older = file.read()
            (folder / "mine.json").write_text("[]")
        while True:
            k = sum(deaths.values())
            place = "a random moment" if k % 2 or k >= kills else PLACES[k // 2 % len(PLACES)]
            at = random.randint(1, max(1, whole[name].passed.get(place, 1) // 3))
            moment = random.uniform(0, whole[name].seconds)
            if k >= kills:
                place, at = "", 0  # let it come to its end
            stood = stands(folder)
            fresh = not (folder / "unfinished" / "recipe.toml").exists()
            process, reads = forked(name, folder, Death(place, at))
            if place == "a random moment":
                time.sleep(moment)
                os.kill(process, signal.SIGKILL)
            code, told = ended(process, reads)
            assert code in (0, -signal.SIGKILL), f"{name}: it ended with {code} after {told[-3:]}"
            check_files(folder)
            steps = [n for what, n in told if what == "at"]
            assert (
                fresh
                or not steps
                or steps[0] == (stood or 0)
                or (
                    name == "with another seed"  # the first training may be at its end
                )
            ), f"{name}: it stood at {stood}, and went on at {steps[0]}"
            if code == 0:
                break
            deaths[place] += 1
            anew += stood is None and not fresh
            saved = [n for what, n in told if what == "saved"]
            if (folder / "unfinished" / "recipe.toml").exists():
                now = stands(folder) or 0
                assert now >= max(saved, default=stood or 0), f"{name}: {saved} and now {now}"
                lost = max(steps, default=now) - now
                assert lost <= EVERY or name == "with another seed", f"{name}: lost {lost} steps"
                most = max(most, lost if name != "with another seed" else 0)
            if name == "over an older run":
                assert (folder / "model.safetensors").read_bytes() == older
                assert (folder / "mine.json").read_text() == "[]"
        for file in EQUAL:
            assert (folder / file).read_bytes() == (whole[name].folder / file).read_bytes(), (
                f"{name}: another {file} than uninterrupted"
            )
        assert figures(folder) == figures(whole[name].folder), name
        left = {path.name for path in folder.iterdir()}
        assert left - {"mine.json"} == {path.name for path in whole[name].folder.iterdir()}, left
        compared += 1
        print(f"{sum(deaths.values())} kills, {compared} to the end", file=sys.stderr)
        shutil.rmtree(folder)
    return {
        "kills": sum(deaths.values()),
        "places": dict(sorted(deaths.items())),
        "trainings": names,
        "compared_with_uninterrupted": compared,
        "resumed_without_a_checkpoint": anew,
        "interval_steps": EVERY,
        "most_steps_lost": most,
        "seed": seed,
    }


def main() -> None:
    """Read the arguments, kill, and say or save what was seen."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(prog)
    )
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--trainings", nargs="*", choices=TRAININGS, default=list(TRAININGS))
    parser.add_argument("--save", type=Path, help="a JSON file for what was seen")
    given = parser.parse_args()
    alone = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    if not alone.items() <= os.environ.items():  # a process with threads is not to be forked
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **alone})
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="killed-") as home:
        seen = survive(given.kills, given.seed, Path(home).resolve(), given.trainings)
    seen["seconds"] = round(time.perf_counter() - begun, 1)
    if given.save:
        with written(given.save) as beside:
            text = json.dumps(seen | {"where": measured_where()}, indent=2)
            beside.write_text(text + "\n", encoding="utf-8")
    print(json.dumps(seen))


if __name__ == "__main__":
    main()
