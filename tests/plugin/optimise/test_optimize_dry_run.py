"""`--mipro-dry-run`: the plan, without an LM call, a set-up or a file."""

import pytest
from optimize_project import (
    TESTS,
    live_calls,
    optimize,
    remove_written,
    run,
    write_project,
    written,
)


def test_without_a_lock_what_is_not_known_is_said(pytester):
    write_project(pytester)
    result = optimize(pytester, "--mipro-dry-run", "--mipro-max-calls=500")
    assert result.ret == 0
    assert result.parseoutcomes() == {"passed": 1}
    result.stdout.fnmatch_lines(
        [
            "mipro: test_numbers.py",
            "tests       test_parity",
            "rows        40: 8 training, 16 validation, 16 holdout",
            "search      2 rounds, 4 trials of 8 rows*",
            "case runs   at most *",
            "modules     unknown before the first run*",
            "LM calls    unknown before the first run",
            "tokens      unknown before the first run, and so is the cost",
            "limits      500 calls",
            "dry run     no LM call was made, nothing is written",
        ]
    )
    assert live_calls(pytester) == 0
    assert written(pytester) == {}
    assert not (pytester.path / ".mipro").exists()


def test_the_plan_holds_at_least_the_case_runs_of_the_real_run(pytester):
    write_project(pytester)
    plan = optimize(pytester, "--mipro-dry-run").stdout.str()
    runs = int(plan.partition("case runs   at most ")[2].partition(",")[0])
    tests = pytester.path / "test_numbers.py"
    count = 'def test_parity(number):\n    with open("runs.txt", "a") as file: file.write("x")\n'
    tests.write_text(tests.read_text().replace("def test_parity(number):\n", count))
    optimize(pytester)
    made = len((pytester.path / "runs.txt").read_text())
    assert runs / 2 < made <= runs


def test_no_fixture_is_set_up(pytester):
    conftest = """
import pytest
@pytest.fixture(scope="module")
def paid():
    from pipeline import parity
    return parity(number="1")
"""
    source = TESTS.replace("test_parity(number)", "test_parity(number, paid)")
    write_project(pytester, source, conftest=conftest)
    assert optimize(pytester, "--mipro-dry-run").ret == 0
    assert live_calls(pytester) == 0


def test_skipped_cases_are_not_planned(pytester):
    source = (
        TESTS
        + """
@pytest.mark.mipro
@pytest.mark.skip(reason="later")
@pytest.mark.parametrize("number", range(100, 150))
def test_skipped(number): ...

@pytest.mark.mipro
@pytest.mark.xfail(reason="known")
@pytest.mark.parametrize("number", range(200, 250))
def test_expected_to_fail(number): ...
"""
    )
    write_project(pytester, source)
    optimize(pytester, "--mipro-dry-run").stdout.fnmatch_lines(["rows        40: *"])


def test_a_fixture_that_cant_serve_is_refused_in_the_dry_run_too(pytester):
    conftest = "\nimport pytest\n@pytest.fixture\ndef desk(): return 1\n"
    source = TESTS.replace("test_parity(number)", "test_parity(number, desk)")
    write_project(pytester, source, conftest=conftest)
    result = optimize(pytester, "--mipro-dry-run")
    assert result.ret == pytest.ExitCode.USAGE_ERROR


def test_an_interrupted_writing_is_not_finished_by_a_dry_run(pytester):
    write_project(pytester)
    folder = pytester.mkdir(".mipro")
    (folder / "pending-writes.json").write_text("[]")
    optimize(pytester, "--mipro-dry-run")
    assert (folder / "pending-writes.json").exists()
    remove_written(pytester)
    run(pytester)
    assert not (folder / "pending-writes.json").exists()
