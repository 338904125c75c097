"""The benchmark of scale runs at a small size, and its figures are measurements."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

SCALE = Path(__file__).parents[2] / "benchmarks" / "scale.py"


def test_scale_prints_memory_time_a_trial_and_linearity():
    size = ("--cases=60", "--trials=5", "--gate-cases=8", "--gate-runs=1")
    command = [sys.executable, str(SCALE), *size]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = re.search(
        r"60 cases, (\d+) trials, ([\d,]+) calls: ([\d,]+) MiB; "
        r"the search took (\d+\.\d+) ms a trial, \d+\.\d+ ms in the last tenth\n"
        r"gate: -?\d+\.\d+ ms a case at 2 cases, -?\d+\.\d+ at 8: ratio -?\d+\.\d+",
        done.stdout,
    )
    assert found, done.stdout
    trials, calls, memory, spent = (float(text.replace(",", "")) for text in found.groups())
    assert trials >= 5  # those that end early leave room for more
    assert calls > 100
    assert 20 < memory < 1024
    assert 0 < spent < 1000
