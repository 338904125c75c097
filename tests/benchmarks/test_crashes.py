"""Kills at one point of each kind, in each scenario: the same bytes in the end."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "crashes.py"
KILLS = {
    "SIGKILL": (
        "numbers write pipeline.parity.yaml",
        "numbers .* of baseline",
        "desk event Decided",
        "desk write rename to answer.txt",
        "record .* of cases",
        "update-lock write rename to desk.mipro.json",
    ),
    "SIGINT": ("numbers event StageStarted search",),
}


@pytest.mark.skipif(os.name == "nt", reason="signals and forks are POSIX's")
def test_a_run_that_is_ended_anywhere_ends_in_the_same_bytes() -> None:
    only = "|".join(f"{name} ({'|'.join(kills)})" for name, kills in KILLS.items())
    # Ctrl-C has 2 seconds; a machine that does other things as well takes its own time.
    command = [sys.executable, BENCHMARK, "--random=1", "--patience=15", "--only", only]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("SIG")]
    for signal, kills in KILLS.items():
        for kill in kills:
            assert [line for line in lines if re.match(f"{signal} {kill}", line)], kill
    assert all(line.endswith("ok") for line in lines)
    assert re.search(r"^7 kills, 0 wrong; the slowest end \d", done.stdout, re.MULTILINE)
