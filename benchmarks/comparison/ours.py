"""pytest-mipro as a contestant: the whole product, by its command, over HTTP.

    python -m benchmarks.comparison.ours OPTIMISER WORLD SEED URL FOLDER

Writes a world as a project into FOLDER, runs `pytest --mipro-optimize` there, and tests the program
with the prompts that were written, if any. What was measured is written into FOLDER too.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.comparison.endpoint import MODEL
from benchmarks.comparison.measuring import CONCURRENCY, measured, write
from benchmarks.comparison.project import load_pipeline, write_project
from benchmarks.comparison.worlds import WORLDS
from pytest_mipro.errors import ProgramError
from pytest_mipro.runtime.prompts.prompt_file import forget_committed_prompts
from pytest_mipro.runtime.settings import configure

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from benchmarks.comparison.world import Row, World

# The options of the command, beside seed and report.
SETUPS: Mapping[str, tuple[str, ...]] = {
    "mipro-brief": ("--mipro-trials=6",),
    "mipro-light": (),
    "mipro-medium": ("--mipro-effort=medium",),
    "mipro-random": (),
    "mipro-demos": ("--mipro-only=demos",),
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

    def __init__(self, world: World, seed: int, setup: str, folder: Path) -> None:
        self.world = world
        self._options = SETUPS[setup]
        self._seed = seed
        self._folder = folder
        ini = {"mipro_model": MODEL, "mipro_concurrency": CONCURRENCY}
        write_project(folder, world, ini, labels=True)
        (folder / "conftest.py").write_text(_CONFTESTS.get(setup, ""), encoding="utf-8")

    def answers(self) -> list[str | None]:
        """Return what the program says to each test row under the committed prompts."""
        forget_committed_prompts()
        program = load_pipeline(self._folder).program

        def answer(row: Row) -> str | None:
            return _answered(program, row)

        with ThreadPoolExecutor(CONCURRENCY) as pool:
            return list(pool.map(answer, self.world.test_rows))

    def optimise(self) -> str:
        """Run the command, which writes better prompts if it finds any; return its reason."""
        report = self._folder / "report.json"
        command = [
            *(sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--mipro-optimize"),
            *(f"--mipro-seed={self._seed}", f"--mipro-json={report}", *self._options),
        ]
        done = subprocess.run(
            command, cwd=self._folder, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"the optimisation failed:\n{done.stdout}{done.stderr}")
        (told,) = json.loads(report.read_text(encoding="utf-8"))["optimizations"]
        return str(told["reason"])


def _answered(program: Callable[..., str], row: Row) -> str | None:
    try:
        return program(**row.inputs)
    except ProgramError:
        return None  # a reply that can't be used is a wrong answer


def main() -> int:
    """Measure one optimiser on one draw of a world."""
    optimiser, world_name, seed, url, name = sys.argv[1:]
    os.environ |= {"OPENAI_BASE_URL": url, "OPENAI_API_KEY": "none", "no_proxy": "*"}
    folder = Path(name) / "project"
    world = WORLDS[world_name](int(seed))
    configure(model=MODEL)
    own = Own(world, int(seed), optimiser, folder)
    write(Path(name), measured(url, own, [row.answer for row in world.test_rows]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
