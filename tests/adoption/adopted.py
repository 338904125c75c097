"""A pipeline as it stands in a repo, joined: gated, optimised, recorded, replayed with no socket.

A folder of this room holds the pipeline before and after (`before.py`, `after.py`), its prompts and
the test that measures it (`metric.py`). The model is the simulated one, served on loopback.
"""

from __future__ import annotations

import asyncio
import difflib
import importlib.util
import json
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pytest_mipro.simulated.serving.server import serve

HERE = Path(__file__).parent
MOST_LINES = 6
SETTINGS = """[pytest]
pythonpath = .
testpaths = tests
mipro_max_calls = 1000
mipro_candidates = 3
mipro_max_demos = 8
mipro_minibatch_size = 8
"""
QUIET = ("-p", "no:unraisableexception")  # litellm leaves clients open that other runs made
Score = Callable[[ModuleType, dict[str, Any]], float]
"""Of the pipeline's module and a case's row, what `metric.py` gives for it."""


@dataclass(frozen=True)
class Repo:
    """A repo in a temporary folder: the pipeline as it stood, until it is joined."""

    pytester: pytest.Pytester
    source: Path

    @property
    def path(self) -> Path:
        return self.pytester.path

    def join(self) -> None:
        """Put in the pipeline as it is joined, with its prompts, the metric and settings."""
        shutil.copy(self.source / "after.py", self.path / "pipeline.py")
        shutil.copy(self.source / "metric.py", self.path / "tests/test_metric.py")
        self.pytester.makefile(".ini", pytest=SETTINGS)

    def run(self, *options: str) -> dict[str, Any]:
        """Run pytest, which has to pass, and return its JSON report."""
        report = self.path / "report.json"
        result = self.pytester.runpytest_inprocess(*QUIET, f"--mipro-json={report}", *options)
        assert result.ret == 0, "\n".join([*result.outlines, *result.errlines])
        return json.loads(report.read_text(encoding="utf-8"))

    def prompts(self) -> dict[str, str]:
        return {path.name: path.read_text("utf-8") for path in self.path.glob("prompts/*")}


def adopt(pytester: pytest.Pytester, name: str) -> Repo:
    """Return the repo of this name, with the pipeline as it stood."""
    source = HERE / name
    shutil.copytree(source / "prompts", pytester.path / "prompts")
    shutil.copy(source / "before.py", pytester.path / "pipeline.py")
    (pytester.path / "tests").mkdir()
    for cases in source.glob("*.jsonl"):
        shutil.copy(cases, pytester.path / "tests")
    for data in [*source.glob("*.json"), *source.glob("*.txt")]:
        shutil.copy(data, pytester.path)
    return Repo(pytester, source)


def lines_added(repo: Repo) -> list[str]:
    """Return the lines that joining adds or changes, blank ones left out."""
    sides = [(repo.source / f"{name}.py").read_text("utf-8") for name in ("before", "after")]
    diff = [line for line in difflib.ndiff(*map(str.splitlines, sides)) if line[2:].strip()]
    return [line[2:] for line in diff if line.startswith("+ ")]


def new_prompts(repo: Repo) -> list[str]:
    """Return the prompts that the pipeline did not have before, in a file or in its code."""
    stood = " ".join((repo.source / "before.py").read_text("utf-8").split())
    return [
        name
        for name, text in repo.prompts().items()
        if f"prompts/{name}" not in stood and " ".join(text.split()) not in stood
    ]


def scores_before(repo: Repo, score: Score, rows: int) -> list[float]:
    """Return the first rows' scores as it stood, where nobody has installed this package."""
    (cases,) = repo.path.glob("tests/*.jsonl")
    lines = cases.read_text("utf-8").splitlines()[:rows]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "pytest_mipro", None)  # type: ignore[arg-type]
        spec = importlib.util.spec_from_file_location("pipeline", repo.path / "pipeline.py")
        pipeline = importlib.util.module_from_spec(spec)
        patch.setitem(sys.modules, "pipeline", pipeline)
        spec.loader.exec_module(pipeline)
        return [float(score(pipeline, json.loads(line))) for line in lines]


def check_all_steps(
    repo: Repo, score: Score, *, modules: set[str], model: str = "simulated/small"
) -> dict[str, Any]:
    """Take the pipeline from untested to replayed, and return the report of the optimisation.

    `modules` are what reports call its prompts, `model` is what its client calls the model.
    """
    assert 0 < len(lines_added(repo)) <= MOST_LINES
    assert not new_prompts(repo)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENAI_API_KEY", "none")
        patch.setenv("DESK_MODEL", model)
        with serve() as server:
            patch.setenv("OPENAI_BASE_URL", server.url)
            before = scores_before(repo, score, rows=12)
            repo.join()
            gate = repo.run()
            assert scores_of(gate)[:12] == pytest.approx(before)  # joining alone moves no score
            assert {each["module"] for each in gate["studies"][0]["modules"]} == modules
            committed = repo.prompts()
            optimised = repo.run("--mipro-optimize", "--mipro-trials=5")
            assert repo.prompts() != committed
            recorded = repo.run("--mipro-replies=record")
            assert mean_of(recorded) > mean_of(gate)
            count = server.stats()["calls"]
        with no_socket():
            with pytest.raises(AssertionError, match="a connection in a replay"):
                socket.create_connection(("127.0.0.1", 9))
            replayed = repo.run("--mipro-replies=replay", "--mipro-cache=off", "--mipro-strict")
    assert server.stats()["calls"] == count
    assert scores_of(replayed) == scores_of(recorded)
    return optimised["optimizations"][0]


def mean_of(report: dict[str, Any]) -> float:
    (test,) = report["studies"][0]["tests"]
    return test["all"]["mean"]


def scores_of(report: dict[str, Any]) -> list[float]:
    (test,) = report["studies"][0]["tests"]
    return [case["score"] for case in test["cases"]]


@contextmanager
def no_socket() -> Iterator[None]:
    """Let every attempt to reach another socket or a name server fail loudly."""

    def refuse(*to: object, **_: object) -> None:
        raise AssertionError(f"a connection in a replay: {to[-1]}")

    with pytest.MonkeyPatch.context() as patch:
        for name in ("connect", "connect_ex", "sendto"):
            patch.setattr(socket.socket, name, refuse)
        patch.setattr(socket, "getaddrinfo", refuse)
        patch.setattr(asyncio.selector_events.BaseSelectorEventLoop, "sock_connect", refuse)
        yield
