"""Make one run: a fresh server, and the optimiser in its own process and environment."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.comparison import measuring
from benchmarks.comparison.endpoint import serving
from benchmarks.comparison.optimisers import BY_NAME
from benchmarks.comparison.results import Result

if TYPE_CHECKING:
    from benchmarks.comparison.results import Job

ROOT = Path(__file__).parents[2]
LONGEST = 1800.0
"""Seconds that a run may take at most."""


def run(job: Job, peers: Path | None) -> Result:
    """Make the run; `peers` is the interpreter of the peers' environment.

    Raises RuntimeError with the end of the process's output if it fails.
    """
    own = BY_NAME[job.optimiser].kind == "own"
    python = sys.executable if own else str(peers)
    module = "ours" if own else "peers"
    with serving() as url, tempfile.TemporaryDirectory() as folder:
        command = [
            *(python, "-m", f"benchmarks.comparison.{module}"),
            *(job.optimiser, job.world, str(job.seed), url, folder),
        ]
        done = subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, "no_proxy": "*", "NO_PROXY": "*"},
            capture_output=True,
            text=True,
            timeout=LONGEST,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{job}: {(done.stdout + done.stderr).strip()[-2000:]}")
        return Result(job, measuring.read(Path(folder)))
