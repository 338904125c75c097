"""Which study writes a module: one that ends, though another stops; no two, none if frozen."""

import pytest
from optimize_project import (
    LOCK,
    PROMPT,
    TESTS,
    live_calls,
    optimize,
    run,
    stopped,
    write_project,
    written,
)

FROZEN = '''
@lm_module(optimize=False)
def judge(number: str) -> Literal["odd", "even"]:
    """Say whether the number is odd."""
'''


def test_frozen_modules_are_called_and_never_written(pytester):
    source = "from pipeline import judge\n" + TESTS.replace(
        '("odd" if number % 2 else "even")',
        '("odd" if number % 2 else "even")\n    judge(number=str(number))',
    )
    write_project(pytester, source, pipeline=FROZEN)
    result = optimize(pytester)
    result.stdout.fnmatch_lines(["plan *pipeline.parity (frozen: pipeline.judge)"])
    assert [path.name for path in (pytester.path / "prompts").iterdir()] == ["pipeline.parity.yaml"]


def test_a_module_of_two_studies_is_written_by_neither(pytester):
    write_project(pytester, test_second=TESTS)
    result = optimize(pytester)
    stopped(
        result,
        "LM module 'pipeline.parity' is called by study test_numbers.py and by study "
        "test_second.py, and neither is written; *. Nothing is written for this study",
    )
    result.stdout.fnmatch_lines(["nothing written for test_numbers.py: see the error"])
    assert written(pytester) == {}
    assert result.parseoutcomes() == {"captured": 80, "passed": 1, "failed": 1}


def test_a_conflict_that_the_locks_know_is_refused_before_anything_runs(pytester):
    write_project(pytester, test_second=TESTS)
    optimize(pytester, "test_numbers.py")
    lock = (pytester.path / LOCK).read_bytes()
    (pytester.path / "test_second.mipro.json").write_bytes(lock)
    live_calls(pytester)
    result = optimize(pytester)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: *pipeline.parity*belongs to the study of *"])
    assert live_calls(pytester) == 0


def test_a_conflict_that_the_last_gate_run_knows_is_refused_before_anything_runs(pytester):
    write_project(pytester, test_second=TESTS)
    run(pytester)
    live_calls(pytester)
    result = optimize(pytester)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: *pipeline.parity*belongs to the study of *, by their last run of pytest, *"]
    )
    assert live_calls(pytester) == 0
    assert optimize(pytester, "test_second.py").ret == 0


def test_a_frozen_module_that_the_last_gate_run_called_is_no_conflict(pytester):
    twin = FROZEN.replace("(optimize=False)", "").replace("judge", "twin")
    tests = "from pipeline import judge, twin\n" + TESTS.replace(
        "    assert", "    judge(number=str(number))\n    assert"
    )
    write_project(
        pytester,
        tests,
        pipeline=FROZEN + twin,
        test_second=tests.replace("parity(number=", "twin(number="),
    )
    run(pytester)
    assert optimize(pytester).ret == 0


def test_the_finished_study_is_written_where_a_later_one_stops(pytester):
    twin = FROZEN.replace("(optimize=False)", "").replace("judge", "twin")
    second = "from pipeline import twin\n" + TESTS.replace("parity(number=", "twin(number=")
    second = second.replace(
        "    assert",
        "    import time\n    if number == 7: raise OSError(time.perf_counter_ns())\n    assert",
    )
    write_project(pytester, pipeline=twin, test_second=second)
    result = optimize(pytester)
    assert result.ret == 1
    result.stdout.fnmatch_lines([f"files       wrote {PROMPT}, {LOCK}"])
    assert not (pytester.path / "test_second.mipro.json").exists()
