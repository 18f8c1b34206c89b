"""Read a format from bytes that a fuzzer makes, for minutes, led by what code they reach.

    python tests/long/fuzz.py "prepared HDF5" --minutes 10 --corpus /somewhere/else \
        --save benchmarks/results/fuzz.json

The targets and their seeds are those of ``tests/fuzz/targets.py``; what counts as a finding is said
there: anything raised but the package's own error, more than five seconds, more than 4 GB. The
Python code of handgrad and of the readers that are Python is watched (so are Pillow's plug-ins,
``json``, ``tomllib``, ``csv``, ``pickletools``, ``tarfile``, ``zipfile`` and ``gzip``); libraries
in C are run but not watched. A finding's bytes lie beside the corpus, named after what happened:
``crash``, ``timeout`` or ``oom``. The fuzzer's clock is the wall's, which another program on the
machine may slow; what timed out is read once more, and counts by its processor time.

Needs ``pip install atheris`` (LLVM's libFuzzer for Python).
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
LIMITS = ["-timeout=30", "-rss_limit_mb=4096", "-print_final_stats=1", "-use_value_profile=1"]
WATCHED = [
    "handgrad", "json", "tomllib", "csv", "pickletools", "tarfile", "zipfile", "gzip", "PIL",
    "h5py", "safetensors", "fractions", "ast",
]  # fmt: skip


def fuzz(name: str, arguments: list[str]) -> None:
    """One process's part: never returns."""
    import atheris

    sys.path.insert(0, str(HERE.parent / "fuzz"))
    with atheris.instrument_imports(include=WATCHED, enable_loader_override=False):
        import targets

    target = targets.TARGETS[name]
    place = Path("/dev/shm")  # a file is written for every input: in memory where that can be
    folder = place if place.is_dir() else None

    def one(data: bytes) -> None:
        targets.attempt(target, data, folder)

    atheris.Setup([sys.argv[0], *arguments], one)
    atheris.Fuzz()


def slow(name: str, path: Path) -> bool:
    """Whether a file takes too much of the processor's time, whatever else goes on here."""
    program = (
        "import sys, time, pathlib; sys.path.insert(0, sys.argv[1]); import targets as t; "
        "from resource import *; target = t.TARGETS[sys.argv[2]]; "
        "t.attempt(target, target.seeds()[0]); spent = int(time.process_time()) + 1; "
        "setrlimit(RLIMIT_CPU, (spent + t.SECONDS, spent + t.SECONDS)); "
        "t.attempt(target, pathlib.Path(sys.argv[3]).read_bytes())"
    )
    given = [sys.executable, "-c", program, str(HERE.parent / "fuzz"), name, str(path)]
    return subprocess.run(given, check=False, capture_output=True).returncode != 0


def led(name: str, minutes: float, folder: Path) -> dict[str, Any]:
    """Fuzz a format in processes of its own until the time is over; what came of it."""
    sys.path.insert(0, str(HERE.parent / "fuzz"))
    import targets

    corpus = folder / re.sub(r"\W", "-", name)
    corpus.mkdir(parents=True, exist_ok=True)
    seeds = targets.TARGETS[name].seeds()
    for i, seed in enumerate(seeds):
        (corpus / f"seed-{i}").write_bytes(seed)
    largest = 2 * max(map(len, seeds)) + 4096
    begun, end = time.time(), time.time() + 60 * minutes
    executions, features, findings = 0, 0, []
    with (folder / f"{corpus.name}.log").open("ab") as log:
        while (left := round(end - time.time())) > 5:
            command = [
                sys.executable, __file__, name, "--one", str(corpus), f"-max_total_time={left}",
                f"-max_len={largest}", f"-artifact_prefix={corpus}.", *LIMITS,
            ]  # fmt: skip
            before = set(folder.glob(f"{corpus.name}.*-*"))
            done = subprocess.run(command, stderr=subprocess.PIPE, stdout=log, check=False)
            log.write(done.stderr)
            log.flush()
            said = done.stderr.decode("utf-8", "replace")
            executions += int(found[-1]) if (found := re.findall(r"^#(\d+)\t", said, re.M)) else 0
            features = max([features, *map(int, re.findall(r" ft: (\d+)", said))])
            new = sorted(set(folder.glob(f"{corpus.name}.*-*")) - before)
            findings += [
                path.name for path in new if "timeout-" not in path.name or slow(name, path)
            ]
            if done.returncode and not new:
                findings.append(f"ended with {done.returncode}")
                break
    return {
        "minutes": round((time.time() - begun) / 60, 1),
        "executions": executions,
        "corpus": sum(1 for _ in corpus.iterdir()),
        "features": features,
        "findings": findings,
        "date": datetime.now(UTC).date().isoformat(),
    }


def merged(path: Path, name: str, found: dict[str, Any]) -> None:
    """Put a format's result into the file with all of them, with the versions it was found with."""
    import importlib.metadata

    from handgrad.bench.environment import measured_where

    table = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    where = measured_where()
    where["versions"] |= {
        package: importlib.metadata.version(package)
        for package in ("atheris", "h5py", "pillow", "safetensors", "msgspec")
    }
    table["where"] = where
    formats = table.setdefault("formats", {})
    formats[name] = found
    table["formats"] = dict(sorted(formats.items()))
    path.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    """Fuzz one format."""
    if "--one" in sys.argv[:3]:
        fuzz(sys.argv[1], sys.argv[3:])
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("format")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--corpus", type=Path, required=True, help="a folder outside the tree")
    parser.add_argument("--save", type=Path)
    given = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    found = led(given.format, given.minutes, given.corpus.resolve())
    print(json.dumps({given.format: found}))
    if given.save:
        merged(given.save, given.format, found)


if __name__ == "__main__":
    main()
