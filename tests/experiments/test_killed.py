"""Trainings that are killed with SIGKILL, and resumed; `tests/long/killed.py` kills more."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "long" / "killed.py"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a system without fork")
def test_eight_kills():
    """Four at a random moment; four within the writing: see what the script asserts after each."""
    done = subprocess.run(
        [sys.executable, SCRIPT, "--kills", "8", "--seed", "1", "--trainings", "momentum"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["places"] == {
        "a random moment": 4, "half a file": 1, "os.fsync": 1, "os.remove": 1, "os.rename": 1
    }  # fmt: skip
    assert seen["compared_with_uninterrupted"] >= 1
    assert seen["most_steps_lost"] <= seen["interval_steps"] == 3
