"""pytest's memory of the last run: --lf, --ff, --nf and --sw choose among cases alone."""

from __future__ import annotations

import pytest

OPTIONS = ["--lf", "--ff", "--nf", "--sw"]
BROKEN = "if number == 7: raise RuntimeError('broken')"


@pytest.mark.parametrize("option", OPTIONS)
def test_a_failed_verdict_is_not_chosen_by(company, option):
    company.write(threshold=0.9)
    for _ in range(2):
        result = company.run(option)
        assert result.ret == 1
        assert result.parseoutcomes() == {"passed": 5, "missed": 35, "failed": 1}
        result.stdout.re_match_lines([r"test_numbers.py [m.]{40} +\[100%\]"])
        company.left_only_cases()
        assert not company.cached("lastfailed")


def test_a_failed_case_runs_alone(company):
    company.write(body=BROKEN)
    assert company.run("--lf").ret == 1
    company.left_only_cases()
    again = company.run("--lf")
    assert again.ret == 1
    assert again.parseoutcomes()["failed"] == 1
    again.stdout.fnmatch_lines(["*1 of 40 cases: no verdict"])


def test_a_stepwise_run_stops_and_goes_on_at_the_failed_case(company):
    company.write(body=BROKEN)
    stopped = company.run("--sw")
    assert stopped.ret == pytest.ExitCode.INTERRUPTED
    assert company.cached("stepwise")["last_failed"] == "test_numbers.py::test_parity[7]"
    company.write()
    result = company.run("--sw")
    assert result.ret == pytest.ExitCode.INTERRUPTED  # what a part misses fails by itself
    assert result.parseoutcomes() == {"failed": 1, "deselected": 7}
    company.left_only_cases()


def test_stepwise_memory_outlives_an_optimisation(company, monkeypatch):
    company.write(body=BROKEN)
    company.run("--sw")
    before = company.cached("stepwise")
    company.write()
    monkeypatch.setenv("MIPRO_TEST_CALLS", "5")
    company.run(*company.optimizing, "--sw")
    assert company.cached("stepwise") == before


def test_a_failed_case_comes_first(company):
    company.write(body=BROKEN)
    company.run()
    result = company.run("--ff")
    result.stdout.re_match_lines([r"test_numbers.py F[m.]{39} +\[100%\]"])
    result.stdout.fnmatch_lines(["*INCOMPLETE: *"])


@pytest.mark.parametrize("option", OPTIONS)
def test_an_optimisation_is_whole_and_leaves_the_last_run(company, option):
    company.write(body=BROKEN)
    company.run()
    before = company.cached("lastfailed")
    assert before == {"test_numbers.py::test_parity[7]": True}
    company.write()
    (company.pytester.path / ".pytest_cache/v/cache/lastfailed").unlink()
    result = company.run(*company.optimizing, option)
    assert result.ret == 0
    assert result.parseoutcomes() == company.outcomes(company.optimizing)
    result.stdout.re_match_lines([r"test_numbers.py \. +\[100%\]"])
    company.left_only_cases()
    assert not company.cached("lastfailed")


def test_an_optimisation_of_what_failed_last_is_partial(company):
    company.write(body=BROKEN)
    company.run()
    company.write()
    result = company.run(*company.optimizing, "--lf")
    assert not (company.pytester.path / "test_numbers.mipro.json").exists()
    assert result.parseoutcomes()["captured"] == 1
    assert company.cached("lastfailed") == {"test_numbers.py::test_parity[7]": True}


@pytest.mark.parametrize("option", OPTIONS)
def test_a_stopped_study_is_not_chosen_by(company, monkeypatch, option):
    company.write()
    monkeypatch.setenv("MIPRO_TEST_CALLS", "5")
    stopped = company.run(*company.optimizing, option)
    assert stopped.ret == 1
    assert stopped.parseoutcomes() == {"captured": 40, "failed": 1}
    stopped.stdout.fnmatch_lines(["test_numbers.py F *100%]"])
    company.left_only_cases()
    monkeypatch.delenv("MIPRO_TEST_CALLS")
    whole = company.run(*company.optimizing, option)
    assert whole.ret == 0
    assert whole.parseoutcomes() == company.outcomes(company.optimizing)
