"""Half an hour of trainings, predictions and reports in one process: memory and handles stay flat.

    python tests/long/soak.py [--minutes 30]

Not collected by pytest. Every round trains a small network on photographs of its own (cache,
splits, scoreboard, page), asks the model about all of them, evaluates and inspects them, and
removes the run. Noted are

- after each round, what is in use: the bytes that malloc has handed out (glibc's `malloc_info`),
  Python's own blocks, and open file handles;
- after every fifth round, the anonymous resident memory (`RssAnon`) once malloc has returned to the
  system the pages on which nothing is in use (`malloc_trim`), and before.

What is in use tells a leak of malloc's or Python's memory to the byte. What is resident does not:
malloc keeps free pieces some of which fit nothing, a page stays for one small block on it, and
glibc keeps the stacks of ended threads for others; it wanders by megabytes, up and down. Flat
means, of lines through the second half: malloc's bytes in use rise by less than 1 kB a round,
Python's blocks by less than 20 (the notes of a round are some 5), the trimmed memory by less than 5
% over that half, and no handle is left open. Writes ``benchmarks/results/soak.json``; Linux with
glibc only.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import os
import platform
import re
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from PIL import Image

import handgrad as hg
from handgrad.experiments.inspection import inspect

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results" / "soak.json"
LIBC = ctypes.CDLL("libc.so.6")
LIBC.fopen.restype = ctypes.c_void_p
LIBC.malloc_info.argtypes = [ctypes.c_int, ctypes.c_void_p]
LIBC.fclose.argtypes = [ctypes.c_void_p]
SETTINGS = {"training.epochs": 2, "data.size": [16, 16], "training.threads": 2}


def anonymous() -> int:
    """Bytes of memory that belong to this process alone."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon"))


def in_use(note: Path) -> int:
    """Bytes that malloc has handed out and not got back, in all its arenas."""
    file = LIBC.fopen(bytes(note), b"w")
    LIBC.malloc_info(0, file)
    LIBC.fclose(file)
    whole = note.read_text().rpartition("</heap>")[2]  # what it says of all arenas together
    sizes = {
        kind: int(size)
        for kind, size in re.findall(r'type="(fast|rest|mmap|current)".* size="(\d+)"', whole)
    }
    return sizes["current"] - sizes["fast"] - sizes["rest"] + sizes["mmap"]


def handles() -> int:
    return len(os.listdir("/proc/self/fd"))


def painted(folder: Path) -> None:
    generator = np.random.default_rng(0)
    for name, colour in (("blue", (40, 40, 200)), ("red", (200, 40, 40))):
        (folder / name).mkdir(parents=True)
        for i in range(30):
            noise = generator.integers(-20, 21, size=(20, 24, 3))
            pixels = (np.array(colour) + noise).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{i}.png")


def once(photographs: Path, run: Path) -> None:
    """What a user does, from a folder to answers."""
    made = hg.train(photographs, SETTINGS, out=run, report=True)
    files = sorted(photographs.glob("*/*.png"))
    assert all(found.error is None for found in hg.Run(run).model.predict(files))
    hg.evaluate(made)
    inspect(photographs)
    shutil.rmtree(run)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30)
    minutes = parser.parse_args().minutes
    rows, trimmed = [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["HANDGRAD_CACHE"] = str(folder / "cache")
        painted(folder / "photographs")
        start = time.monotonic()
        while time.monotonic() - start < 60 * minutes:
            once(folder / "photographs", folder / "run")
            if not rows:
                # Python's table of interned strings, to which names of files come and from which
                # they go, doubles once, by 2 MB, whenever it is full of those that went: now.
                for i in range(200_000):
                    sys.intern(f"soak {i}")
            gc.collect()
            used = in_use(folder / "malloc")
            rows.append(
                (used, sys.getallocatedblocks(), anonymous(), handles(), threading.active_count())
            )
            if len(rows) % 5 == 1:
                LIBC.malloc_trim(0)
                trimmed.append((len(rows), anonymous()))
                print(
                    f"round {len(rows)}: {used / 1e6:.2f} MB in use, "
                    f"{rows[-1][2] / 1e6:.2f} MB resident, {trimmed[-1][1] / 1e6:.2f} trimmed, "
                    f"{rows[-1][3]} handles",
                    flush=True,
                )
    if len(rows) < 20:
        raise SystemExit(f"only {len(rows)} rounds; expected 20 or more, for lines through half")
    first = len(rows) // 2
    half, at = np.array(rows[first:]), np.arange(first, len(rows))
    used, blocks, resident = (float(np.polyfit(at, half[:, i], 1)[0]) for i in range(3))
    late = np.array([row for row in trimmed if row[0] > first])
    kept = float(np.polyfit(late[:, 0], late[:, 1], 1)[0])
    grown = kept * len(half) / late[0, 1]
    flat = used < 1e3 and blocks < 20 and grown < 0.05 and half[:, 3].max() <= rows[0][3]
    result = {
        "minutes": minutes,
        "rounds": len(rows),
        "flat": bool(flat),
        "a_round": {
            "bytes in use": round(used),
            "Python's blocks": round(blocks, 1),
            "bytes resident, trimmed": round(kept),
            "bytes resident": round(resident),
        },
        "mb": {
            "in use": [rows[0][0] / 1e6, rows[first][0] / 1e6, rows[-1][0] / 1e6],
            "resident, trimmed": [size / 1e6 for _, size in trimmed],
            "resident": [rows[0][2] / 1e6, rows[first][2] / 1e6, rows[-1][2] / 1e6],
        },
        "handles": [rows[0][3], rows[-1][3]],
        "threads": [rows[0][4], rows[-1][4]],
        "made": {
            "date": time.strftime("%Y-%m-%d"),
            "handgrad": hg.__version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "cores": os.cpu_count(),
        },
    }
    print(json.dumps(result, indent=1))
    RESULTS.write_text(json.dumps(result, indent=1) + "\n")
    return 0 if flat else 1


if __name__ == "__main__":
    sys.exit(main())
