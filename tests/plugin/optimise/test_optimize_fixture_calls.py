"""What fixtures call under `--mipro-optimize`: credited, ending the study where it breaks."""

import pytest
from optimize_project import (
    optimize,
    run,
    stopped,
    write_project,
    write_with_fixture,
    written,
)

CALLING = """
from pytest_mipro import lm_module

@lm_module
def warm(word: str) -> str:
    \"\"\"Say it.\"\"\"

@pytest.fixture(scope="session")
def desk():
    try:
        return warm(word=WORD)
    except Exception:
        return "cold"
"""


def test_the_lock_has_the_modules_that_fixtures_call(pytester):
    write_with_fixture(pytester, CALLING.replace("WORD", '"hello"'))
    assert optimize(pytester).ret == 0
    assert written(pytester)
    assert run(pytester, "--mipro-strict").ret == 0


def test_what_broke_in_a_fixture_ends_the_study(pytester):
    write_with_fixture(pytester, CALLING.replace("WORD", "object()"))
    result = optimize(pytester)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["fixture desk: *argument 'word' of type object has no JSON form*"])
    assert written(pytester) == {}


ANSWERED = """
@pytest.fixture(scope="session")
def desk():
    return {str(number): parity(number=str(number)) for number in range(40)}

@pytest.mark.mipro(threshold=0.1)
@pytest.mark.parametrize("number", range(40))
def test_parity(number, desk):
    assert desk[str(number)] == ("odd" if number % 2 else "even")
"""


def test_a_dry_run_refuses_a_study_whose_fixtures_alone_call_modules(pytester):
    write_project(pytester, ANSWERED)
    assert run(pytester).ret == 0
    result = optimize(pytester, "--mipro-dry-run")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["study *: in the last gate run its cases called no LM module *"])
    assert optimize(pytester).ret == pytest.ExitCode.TESTS_FAILED  # as it said
    assert written(pytester) == {}


def test_a_limit_after_a_gate_run_whose_fixtures_alone_called_is_one_line(pytester):
    write_project(pytester, ANSWERED)
    assert run(pytester).ret == 0
    write_project(pytester)
    result = optimize(pytester, "--mipro-max-calls=5", "--mipro-model=test/uncached")
    stopped(result, "the limit of 5 calls ends within the baseline of 40 cases; raise it (*")


def test_a_dry_run_plans_with_the_calls_of_the_test_alone(pytester):
    write_with_fixture(pytester, CALLING.replace("WORD", '"hello"'))
    assert run(pytester).ret == 0
    result = optimize(pytester, "--mipro-dry-run")
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        ["modules     pipeline.parity", "LM calls    the last gate run made 40 distinct calls"]
    )
