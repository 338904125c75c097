"""Plugins that pass on why a test failed, as pytest-github-actions-annotate-failures does."""

from __future__ import annotations

import pytest

ANNOTATE = """

def pytest_runtest_logreport(report):
    if report.failed:
        message = report.longrepr if isinstance(report.longrepr, str) else "no text"
        print("told", report.nodeid + " " + message)
"""


def test_the_reason_of_a_verdict_is_a_text(company):
    company.write(threshold=0.9, conftest=ANNOTATE)
    result = company.run("-s", "--tb=line", "--junitxml=report.xml")
    result.stdout.fnmatch_lines(
        [
            "*told test_numbers.py::test_parity mean 0.12 is below the threshold 0.90*",
            "test_numbers.py: mean 0.12 is below *",
        ]
    )
    text = (company.pytester.path / "report.xml").read_text()
    assert '<failure message="mean 0.12 is below the threshold 0.90' in text


def test_the_short_summary_is_short_in_ci_too(company, monkeypatch):
    monkeypatch.setenv("CI", "true")  # pytest cuts no line there
    company.write(threshold=0.9)
    result = company.run("--junitxml=report.xml")
    summary = result.stdout.str().partition("short test summary info")[2]
    assert summary.count("\n") <= 4, summary
    result.stdout.fnmatch_lines(["FAILED test_numbers.py::test_parity - mean 0.12 is below *"])
    text = (company.pytester.path / "report.xml").read_text()
    assert "missed: " in text, "what missed stands in the file"


def test_the_reason_of_a_stopped_study_is_a_text(company, monkeypatch):
    company.write(conftest=ANNOTATE)
    monkeypatch.setenv("MIPRO_TEST_CALLS", "5")
    result = company.run(*company.optimizing, "-s")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*told *optimize* the endpoint is gone; start it again*"])
