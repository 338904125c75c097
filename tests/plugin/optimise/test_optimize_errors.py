"""What stops a study: each one line, nothing written, and the next run goes on where it can."""

import pytest
from optimize_project import LOCK, TESTS, live_calls, optimize, run, stopped, write_project, written


@pytest.mark.parametrize("limit", [20, 75])
def test_an_endpoint_that_dies_stops_the_study_and_the_next_run_goes_on(
    pytester, monkeypatch, limit
):
    write_project(pytester)
    monkeypatch.setenv("MIPRO_TEST_CALLS", str(limit))
    result = optimize(pytester)
    stopped(
        result,
        "*the endpoint is gone; start it again. Nothing is written for this study; replies so far "
        "are cached: once that is put right, the same command resumes from there",
    )
    assert written(pytester) == {}
    assert live_calls(pytester) == limit
    monkeypatch.delenv("MIPRO_TEST_CALLS")
    assert optimize(pytester).ret == 0
    rest = live_calls(pytester)
    resumed = written(pytester)
    for name in ("prompts/pipeline.parity.yaml", LOCK):
        (pytester.path / name).unlink()
    optimize(pytester, "--mipro-model=test/fresh")  # a new model: nothing of it is cached
    assert limit + rest == live_calls(pytester)
    assert written(pytester)["pipeline.parity.yaml"] == resumed["pipeline.parity.yaml"]


def test_an_error_that_the_pipeline_swallows_stops_the_study(pytester, monkeypatch):
    source = TESTS.replace(
        "    assert",
        "    try: parity(number=str(number))\n    except Exception: return\n    assert",
    )
    write_project(pytester, source)
    monkeypatch.setenv("MIPRO_TEST_CALLS", "30")
    stopped(optimize(pytester), "*the endpoint is gone*")


def test_an_exception_that_is_not_the_same_again_is_no_measurement(pytester):
    source = """
import itertools
COUNT = itertools.count()

@pytest.mark.mipro
@pytest.mark.parametrize("number", range(40))
def test_flaky(number):
    parity(number=str(number))
    raise LookupError(f"time {next(COUNT)}")
"""
    write_project(pytester, source)
    stopped(optimize(pytester), "test_flaky?*?: raised *LookupError*")
    assert written(pytester) == {}


def test_cases_that_call_no_module_leave_nothing_to_optimise(pytester):
    write_project(pytester, TESTS.replace("parity(number=str(number))", "'odd'"))
    stopped(optimize(pytester), "*its cases called no LM module that can be optimised*")


def test_a_missing_model_is_one_line(pytester):
    write_project(pytester)
    ini = pytester.path / "tox.ini"
    ini.write_text(ini.read_text().replace("mipro_model", "# mipro_model"))
    result = optimize(pytester)
    stopped(result, "*LM module 'pipeline.parity' has no model; set MIPRO_MODEL=*")


def test_a_broken_lock_is_refused_at_collection(pytester):
    write_project(pytester)
    (pytester.path / LOCK).write_text("{")
    result = optimize(pytester)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines([f"*{LOCK}:1: not JSON*"])
    assert run(pytester).ret == pytest.ExitCode.INTERRUPTED


def test_a_broken_record_of_holdout_uses_is_one_line(pytester):
    write_project(pytester)
    optimize(pytester)
    record = next((pytester.path / ".mipro/looks").glob("*.json"))
    record.write_text("{")
    live_calls(pytester)
    stopped(optimize(pytester), "*looks/*.json: the record of holdout uses can't be read*")
    assert live_calls(pytester) == 0


def test_pytest_exit_in_a_case_ends_the_run(pytester):
    write_project(pytester, TESTS.replace("    assert", "    pytest.exit('enough')\n    assert"))
    result = optimize(pytester)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(
        [
            "interrupted: nothing is written for test_numbers.py",
            "replies so far are cached: the same command resumes from there",
            "*Exit: enough*",
        ]
    )
    assert written(pytester) == {}
