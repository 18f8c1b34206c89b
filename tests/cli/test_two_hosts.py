"""Two hosts that see each other over TCP alone: network namespaces, where the system allows it."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

import handgrad as hg
from handgrad.storage import load_model

pytest.importorskip("mpi4py", reason="needs mpi4py: pip install 'handgrad[mpi]'")
MPIEXEC = Path(sys.executable).with_name("mpiexec")
if not MPIEXEC.exists() or shutil.which("ip") is None:
    pytest.skip("needs mpiexec beside this Python, and ip", allow_module_level=True)

LAUNCHER = """#!/bin/sh
# What ssh would do: the other host's words, run there.
while [ "${1#-}" != "$1" ]; do shift; done
shift
exec ip netns exec NAME sh -c "$*"
"""


def ip(*words: str) -> str:
    return subprocess.run(["ip", *words], check=True, capture_output=True, text=True).stdout


class Hosts(NamedTuple):
    """The names of two namespaces, whose addresses are 10.77.0.1 and 10.77.0.2."""

    first: str
    second: str

    def received(self) -> int:
        """Bytes that the second has received from the first."""
        lines = ip("-n", self.second, "-s", "link", "show", "up", "type", "veth").splitlines()
        return int(lines[1 + next(i for i, line in enumerate(lines) if "RX:" in line)].split()[0])


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    names = Hosts(f"hgA{os.getpid()}", f"hgB{os.getpid()}")
    cables = [f"v{name}"[:15] for name in names]
    made = []
    try:
        for name in names:
            ip("netns", "add", name)
            made.append(name)
        ip("link", "add", cables[0], "netns", names[0], "type", "veth",
           "peer", "name", cables[1], "netns", names[1])  # fmt: skip
        for i, (name, cable) in enumerate(zip(names, cables, strict=True), 1):
            ip("-n", name, "addr", "add", f"10.77.0.{i}/24", "dev", cable)
            ip("-n", name, "link", "set", "lo", "up")
            ip("-n", name, "link", "set", cable, "up")
        for name, cable in zip(names, cables, strict=True):
            while "state UP" not in ip("-n", name, "link", "show", cable):
                time.sleep(0.05)  # the kernel says so up to a second later
        yield names
    except (subprocess.CalledProcessError, OSError) as error:
        pytest.skip(f"no network namespaces here: {getattr(error, 'stderr', error)}")
    finally:
        for name in made:
            ip("netns", "del", name)


def test_two_hosts_over_tcp(hosts, tmp_path):
    launcher = tmp_path / "launcher"
    launcher.write_text(LAUNCHER.replace("NAME", hosts.second))
    launcher.chmod(0o755)
    settings = {"training.epochs": 1, "training.threads": 1}
    given = [word for path, value in settings.items() for word in ("--set", f"{path}={value}")]
    before = hosts.received()
    subprocess.run(
        ["ip", "netns", "exec", hosts.first, MPIEXEC, "-launcher", "ssh", "-launcher-exec",
         launcher, "-hosts", "10.77.0.1,10.77.0.2", "-n", "2",
         *shlex.split(f"{sys.executable} -m handgrad.cli train digits --no-report --quiet"),
         *given, "--out", "r"],
        cwd=tmp_path,
        env={**os.environ, "UCX_TLS": "tcp,self"},
        check=True,
        capture_output=True,
        timeout=120,
    )  # fmt: skip
    network = load_model(tmp_path / "r" / "model.safetensors").network
    one = hg.train("digits", settings | {"training.threads": 2}, out=tmp_path / "s")
    np.testing.assert_array_equal(network.vector, one.model.network.vector)
    steps = one.summary["steps"]
    # Of each step's gradient half goes over as a part of the sum, and half as the sum.
    assert hosts.received() - before > steps * network.learned.nbytes
