"""pytest-order: a study comes after its last case, wherever that was put."""

from __future__ import annotations

import pytest

pytest.importorskip("pytest_order")


def test_cases_may_be_ordered(company, mode):
    company.write(decorators="@pytest.mark.order(-1)")
    company.pytester.makepyfile(test_other="def test_other(): pass\n")
    result = company.run(*mode, "--strict-markers")
    assert result.ret == 0
    counts = result.parseoutcomes()
    counts["passed"] -= 0 if mode else 1
    assert counts == company.outcomes(mode) | ({"deselected": 1} if mode else {})
    result.stdout.fnmatch_lines(["*100%]*"])
