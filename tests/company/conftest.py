"""The project that the plugins of this folder meet, in a plain run and under --mipro-optimize."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from optimize_project import check_output, write_project

TESTS = """
@pytest.mark.mipro(threshold={threshold})
@pytest.mark.parametrize("number", range(40))
{decorators}
{prefix}def test_parity(number{fixtures}):
    {body}
    assert {call}(number=str(number)) == ("odd" if number % 2 else "even")
"""


@dataclass
class Company:
    """The project: `parity` is right in 5 of 40 cases, and in nearly all of them once optimised."""

    pytester: pytest.Pytester
    cases = frozenset(f"test_numbers.py::test_parity[{number}]" for number in range(40))
    optimizing = ("--mipro-optimize", "--mipro-trials=6")

    def write(self, *, ini: str = "", conftest: str = "", pipeline: str = "", **parts: Any) -> None:
        """Write it; `parts` fill the test's source: threshold, body, decorators, …"""
        defaults = {"threshold": 0.1, "decorators": "", "prefix": "", "fixtures": ""}
        source = TESTS.format(**{**defaults, "body": "pass", "call": "parity", **parts})
        write_project(self.pytester, source, ini=ini, conftest=conftest, pipeline=pipeline)

    def run(self, *args: str) -> pytest.RunResult:
        """Run pytest in this process; no frame of the package may be shown."""
        result = self.pytester.runpytest_inprocess(*args)
        check_output(result)
        return result

    def outcomes(self, mode: tuple[str, ...]) -> dict[str, int]:
        """Return the counts of a whole run that reaches its threshold."""
        return {"captured": 40, "passed": 1} if mode else {"passed": 5 + 1, "missed": 35}

    def cached(self, name: str) -> Any:
        """Return what pytest's cache holds under cache/<name>, None where there is nothing."""
        path = self.pytester.path / ".pytest_cache/v/cache" / name
        return json.loads(path.read_text()) if path.exists() else None

    def left_only_cases(self) -> None:
        """Check that nothing but cases stands in pytest's memory of the last run."""
        assert set(self.cached("lastfailed") or ()) <= self.cases
        assert set(self.cached("nodeids") or ()) <= self.cases
        assert (self.cached("stepwise") or {}).get("last_failed") in {None, *self.cases}


@pytest.fixture
def company(pytester: pytest.Pytester) -> Iterator[Company]:
    return Company(pytester)


@pytest.fixture(params=["gate", "optimize"])
def mode(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """The options of each kind of run."""
    return Company.optimizing if request.param == "optimize" else ()


@pytest.fixture(autouse=True)
def _company(all_plugins: None) -> None:
    """All of them are there, as in a user's environment."""
