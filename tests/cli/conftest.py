"""A project for the command line, and the command itself, within this process."""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_project import (
    CONFTEST,
    LOCK,
    OWN,
    OWN_CONFTEST,
    OWN_TESTS,
    PIPELINE,
    PROMPT,
    ROUTE,
    ROWS,
    SHORT,
    TESTS,
    TRIAGE,
    Ended,
    Run,
    write,
)

from pytest_mipro.cli.main import main


@pytest.fixture(autouse=True)
def _fresh_modules() -> Iterator[None]:
    """Forget what a command imported of its project, and where from."""
    modules, paths = set(sys.modules), list(sys.path)
    yield
    sys.path[:] = paths
    for name in set(sys.modules) - modules:
        if name.partition(".")[0] in {"desk", "app", "shop", "conftest", "prompts", "factory"}:
            del sys.modules[name]


@pytest.fixture
def command(pytester: pytest.Pytester, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command line in the current folder."""

    def run(*arguments: str) -> Ended:
        capsys.readouterr()
        status = main(arguments)
        out, err = capsys.readouterr()
        return Ended(status, out, err)

    return run


@pytest.fixture
def desk(pytester: pytest.Pytester) -> Path:
    """Write a pipeline of two modules, its tests and cases."""
    write(pytester.path, "desk/pipeline.py", PIPELINE)
    write(pytester.path, "tests/test_desk.py", TESTS)
    write(pytester.path, "conftest.py", CONFTEST)
    return _with_cases(pytester.path)


@pytest.fixture
def own(pytester: pytest.Pytester) -> Path:
    """Write a pipeline with its own client and two prompt texts, its test and cases."""
    gc.collect()  # texts of another test, which a variant and its plain text keep alive
    write(pytester.path, "desk/own.py", OWN)
    write(pytester.path, "conftest.py", OWN_CONFTEST)
    write(pytester.path, "desk/prompts/triage.md", TRIAGE)
    write(pytester.path, "desk/prompts/short.yaml", SHORT)
    write(pytester.path, "tests/test_own.py", OWN_TESTS)
    return _with_cases(pytester.path)


def _with_cases(folder: Path) -> Path:
    write(folder, "desk/__init__.py", "")
    write(folder, "tests/tickets.jsonl", "\n".join(map(json.dumps, ROWS)))
    write(folder, "pytest.ini", "[pytest]\npythonpath = .\nmipro_model = test/small\n")
    return folder


@pytest.fixture
def locked(desk: Path, pytester: pytest.Pytester) -> Path:
    """A project with a prompt file, whose scores are locked."""
    write(desk, ROUTE, PROMPT)
    pytester.runpytest_inprocess("-p", "no:cacheprovider", "--mipro-update-lock")
    assert (desk / LOCK).exists()
    # what runs nothing can't tell
    write(desk, "desk/pipeline.py", f"raise SystemExit('it was run')\n{PIPELINE}")
    return desk
