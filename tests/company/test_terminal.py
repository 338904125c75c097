"""-p no:terminal: nothing is shown, and the exit code tells."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(("threshold", "status"), [(0.1, 0), (0.9, 1)])
def test_the_gate_tells_by_its_exit_code(company, threshold, status):
    company.write(threshold=threshold)
    result = company.run("-p", "no:terminal")
    assert result.ret == status
    assert result.stdout.str() == ""
    company.left_only_cases()


def test_a_study_writes_its_files(company):
    company.write()
    result = company.run(*company.optimizing, "-p", "no:terminal")
    assert result.ret == 0
    assert (company.pytester.path / "test_numbers.mipro.json").exists()


def test_a_stopped_study_tells_by_its_exit_code(company, monkeypatch):
    company.write()
    monkeypatch.setenv("MIPRO_TEST_CALLS", "5")
    assert company.run(*company.optimizing, "-p", "no:terminal").ret == 1
    assert not (company.pytester.path / "test_numbers.mipro.json").exists()
