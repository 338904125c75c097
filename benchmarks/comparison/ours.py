"""pytest-mipro as a contestant: the whole product, by its command, over HTTP.

Takes a `Contest` as arguments. Writes the world as a project into its folder, runs
`pytest --mipro-optimize` there, and tests the program with the prompts that were written, if any.
What was measured is written into the folder too.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from benchmarks.comparison.contest import Contest, told
from benchmarks.comparison.measuring import measured, write
from benchmarks.comparison.project import load_pipeline, write_project
from pytest_mipro.errors import ProgramError
from pytest_mipro.runtime.client.live.attempts import LiveSettings
from pytest_mipro.runtime.client.providers import ProviderClient
from pytest_mipro.runtime.prompts.committed_prompts import forget_committed_prompts
from pytest_mipro.runtime.settings import configure

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from benchmarks.comparison.world import Row

_TIMEOUT = 600
"""Seconds for a reply: as long as DSPy waits."""
# The options of the command, beside seed and report.
SETUPS: Mapping[str, tuple[str, ...]] = {
    "mipro-brief": ("--mipro-trials=6",),
    "mipro-light": (),
    "mipro-medium": ("--mipro-effort=medium",),
    "mipro-random": (),
    "mipro-demos": ("--mipro-only=demos",),
    "mipro-instructions": ("--mipro-only=instructions",),
}
_CONFTESTS: Mapping[str, str] = {
    "mipro-random": """
from pytest_mipro.optimizer.search.searcher import RandomSearcher

def pytest_mipro_searcher():
    return RandomSearcher
"""
}


class Own:
    """A project, and how to optimise it."""

    def __init__(self, contest: Contest) -> None:
        self.world = contest.drawn()
        self._contest = contest
        self._folder = contest.folder / "project"
        ini = {
            "mipro_model": contest.model,
            "mipro_concurrency": contest.concurrency,
            "mipro_timeout": _TIMEOUT,
        }
        write_project(self._folder, self.world, ini, labels=True)
        conftest = _CONFTESTS.get(contest.optimiser, "")
        (self._folder / "conftest.py").write_text(conftest, encoding="utf-8")

    def answers(self) -> list[Any]:
        """Return what the program says to each test row under the committed prompts."""
        forget_committed_prompts()
        program = load_pipeline(self._folder).program

        def answer(row: Row) -> Any:
            return _answered(program, row)

        with ThreadPoolExecutor(self._contest.concurrency) as pool:
            return list(pool.map(answer, self.world.test_rows))

    def optimise(self) -> str:
        """Run the command, which writes better prompts if it finds any; return its reason."""
        report = self._folder / "report.json"
        command = [
            *(sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--mipro-optimize"),
            *(f"--mipro-seed={self._contest.seed}", f"--mipro-json={report}"),
            *SETUPS[self._contest.optimiser],
        ]
        done = subprocess.run(
            command, cwd=self._folder, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"the optimisation failed:\n{done.stdout}{done.stderr}")
        (found,) = json.loads(report.read_text(encoding="utf-8"))["optimizations"]
        return str(found["reason"])


def _answered(program: Callable[..., Any], row: Row) -> Any:
    try:
        return program(**row.inputs)
    except ProgramError:
        return None  # a reply that can't be used is a wrong answer


def main() -> int:
    """Measure one optimiser on one draw of a world."""
    contest = told()
    os.environ |= {"OPENAI_BASE_URL": contest.url, "OPENAI_API_KEY": "none", "no_proxy": "*"}
    configure(model=contest.model, client=ProviderClient(LiveSettings(timeout=_TIMEOUT)))
    own = Own(contest)
    write(contest.folder, measured(contest.url, own, own.world))
    return 0


if __name__ == "__main__":
    sys.exit(main())
