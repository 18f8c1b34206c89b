"""Set up once, then do what is asked: ``python3 go.py train``, ``python3 go.py test``.

Uses the standard library only. Makes ``.venv`` beside this file, installs what is missing from
``constraints.txt``, remembers that, and hands the rest of its arguments to ``handgrad``. The word
``test`` is its own and runs the tests; so is ``docs``, which builds the pages of ``docs/``.
"""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

HOME = Path(__file__).resolve().parent
VENV = HOME / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
EXTRAS = {"test": "test", "docs": "docs", "export": "export", "parity": "export"}
PYTHON = BIN / ("python.exe" if os.name == "nt" else "python")


def installed(extra: str) -> None:
    """Bring the environment to what pyproject.toml and constraints.txt say, if it is not there."""
    said = b"".join((HOME / name).read_bytes() for name in ("pyproject.toml", "constraints.txt"))
    wanted = hashlib.sha256(said + sys.version.encode()).hexdigest()
    mark = VENV / f".handgrad-{extra or 'run'}"
    if PYTHON.exists() and mark.exists() and mark.read_text() == wanted:
        return
    print(f"setting up {VENV} (once)", file=sys.stderr, flush=True)
    if not PYTHON.exists():
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
    package = f"{HOME}[{extra}]" if extra else str(HOME)
    command = [PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    command += ["--constraint", HOME / "constraints.txt", "--editable", package]
    subprocess.run(command, check=True, stdout=sys.stderr)
    mark.write_text(wanted)


def main(arguments: list[str]) -> int:
    if sys.version_info < (3, 11):  # noqa: UP036 - it is what an older Python would run
        found = ".".join(map(str, sys.version_info[:3]))
        print(f"go.py: found Python {found}; expected 3.11 or later", file=sys.stderr)
        return 2
    word = arguments[0] if arguments else "--help"
    try:
        installed(EXTRAS.get(word, ""))
    except (subprocess.CalledProcessError, OSError) as error:
        print(f"go.py: the set-up failed: {error}", file=sys.stderr)
        return 2
    if word == "test":
        return tested(arguments[1:])
    if word == "docs":
        return subprocess.call([PYTHON, "-m", "docs.building", *arguments[1:]], cwd=HOME)
    return subprocess.call([PYTHON, "-m", "handgrad.cli", *(arguments or ["--help"])])


def tested(arguments: list[str]) -> int:
    """Every test, in one process a core, each of them with one thread for its matrix products."""
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    command = [PYTHON, "-m", "pytest", *(arguments or ["-n", "auto"])]
    return subprocess.call(command, cwd=HOME, env=environment)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
