"""pytest-randomly: the order of the cases changes neither verdict nor study."""

from __future__ import annotations

import pytest
from optimize_project import remove_written, written

pytest.importorskip("pytest_randomly")
SEEDS = ("1", "2")


@pytest.fixture(autouse=True)
def shuffled(pytester, monkeypatch):
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:hypothesispytest -p no:asyncio")


def test_the_gate_says_the_same_in_any_order(company):
    company.write(threshold=0.9)
    runs = [company.run(f"--randomly-seed={seed}") for seed in SEEDS]
    lines = [[line for line in run.outlines if "FAILED: " in line] for run in runs]
    assert lines[0] == lines[1] != []
    progress = [next(line for line in run.outlines if "100%" in line) for run in runs]
    assert progress[0] != progress[1]
    assert not company.cached("lastfailed")


def test_a_study_ends_in_the_same_files_in_any_order(company):
    company.write()
    ends = []
    for seed in SEEDS:
        result = company.run(*company.optimizing, f"--randomly-seed={seed}")
        assert result.ret == 0
        assert result.parseoutcomes() == company.outcomes(company.optimizing)
        ends.append(written(company.pytester))
        remove_written(company.pytester)
    assert ends[0] == ends[1] != {}
