"""What stops a study: each one line, nothing written, and the next run goes on where it can."""

import os
import sys

import pytest
from optimize_project import (
    LOCK,
    PROMPT,
    TESTS,
    live_calls,
    optimize,
    run,
    write_project,
    written,
)


def stopped(result: pytest.RunResult, line: str) -> None:
    """The study stopped with this line, in full and in the short summary."""
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines([line, "FAILED *::optimize?*? - *"])
    result.stdout.no_fnmatch_line("*Traceback*")


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


def prompt_at(place: str) -> str:
    return f'''
from typing import Literal
from pytest_mipro import lm_module

@lm_module(prompt="{place}")
def parity(number: str) -> Literal["odd", "even"]:
    """Say whether the number is odd."""
'''


PROMPT_TEXT = "schema_version: 1\nmodule: pipeline.parity\ninstruction: Guess.\ndemos: []\n"


@pytest.mark.parametrize(
    ("place", "why"),
    [
        ("../outside/parity.yaml", "is outside the project"),
        ("site-packages/parity.yaml", "belongs to an installed package"),
        ("folder.yaml", "is not a file"),
    ],
)
def test_a_prompt_that_must_not_be_written_is_refused_before_the_search(pytester, place, why):
    inner = pytester.mkdir("inner")
    pytester._path = inner  # the project lies in a folder, beside which there is another
    os.chdir(inner)
    write_project(pytester)
    (inner / "pipeline.py").write_text(prompt_at(place))
    target = inner / place
    target.parent.mkdir(exist_ok=True)
    target.write_text(PROMPT_TEXT)
    if place == "folder.yaml":
        real = inner / "real.yaml"
        target.rename(real)
        target.symlink_to("../outside.yaml")
        (inner.parent / "outside.yaml").write_text(PROMPT_TEXT)
        why = "is outside the project"
    result = optimize(pytester)
    stopped(result, f"*pipeline.py*its prompt file * {why}*Nothing is written for this study")
    assert live_calls(pytester) == 40  # the baseline alone
    assert target.read_text() == PROMPT_TEXT


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may write all")
def test_a_read_only_prompt_is_refused_before_the_search(pytester):
    write_project(pytester)
    prompt = pytester.path / PROMPT
    prompt.parent.mkdir()
    prompt.write_text(PROMPT_TEXT)
    prompt.chmod(0o400)
    stopped(optimize(pytester), "*its prompt file *: it is read-only; correct that*")


def test_a_prompt_in_the_way_is_refused_before_the_search(pytester):
    write_project(pytester)
    (pytester.path / "prompts").write_text("a file where a folder must be")
    stopped(optimize(pytester), "*its prompt file *is not a folder; correct that*")
    assert live_calls(pytester) == 40


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("schema_version: 1\nmodule: m\ninstruction: [\n", ":*"),
        (PROMPT_TEXT + "extra: 1\n", ":5: *'extra'*"),
        (PROMPT_TEXT.replace("schema_version: 1", "schema_version: 9"), ":1: *"),
        (PROMPT_TEXT.replace("Guess.", "[1]"), ":3: *"),
    ],
    ids=["not YAML", "unknown key", "version", "type"],
)
def test_a_malformed_prompt_file_is_one_line_with_its_place(pytester, text, line):
    write_project(pytester)
    prompt = pytester.path / PROMPT
    prompt.parent.mkdir()
    prompt.write_text(text)
    result = optimize(pytester)
    assert result.ret == pytest.ExitCode.INTERRUPTED  # a collection error
    result.stdout.fnmatch_lines([f"*{PROMPT}{line}", "ERROR test_numbers.py - *"])
    assert live_calls(pytester) == 0
    assert prompt.read_text() == text


CHANGING = """
def pytest_mipro_{hook}(config, {argument}):
    path = pathlib.Path({path!r})
    path.parent.mkdir(exist_ok=True)
    path.write_text({text!r})
"""


@pytest.mark.parametrize(
    ("hook", "argument", "path"),
    [("trial_finished", "trial", PROMPT), ("study_finished", "result", LOCK)],
)
def test_a_file_changed_meanwhile_is_not_overwritten(pytester, hook, argument, path):
    text = PROMPT_TEXT if path == PROMPT else "{}"
    conftest = CHANGING.format(hook=hook, argument=argument, path=path, text=text)
    write_project(pytester, conftest=conftest)
    result = optimize(pytester)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        [f"not written: *{path} changed while the study ran; commit or revert that change *"]
    )
    assert (pytester.path / path).read_text() == text
    assert len(written(pytester)) == 1
    assert not (pytester.path / ".mipro/pending-writes.json").exists()


def test_a_prompt_changed_during_the_baseline_stops_the_study(pytester):
    source = TESTS.replace(
        "    assert",
        f"    if number == 39:\n        import pathlib\n        path = pathlib.Path({PROMPT!r})\n"
        f"        path.parent.mkdir(exist_ok=True)\n        path.write_text({PROMPT_TEXT!r})\n"
        "    assert",
    )
    write_project(pytester, source)
    result = optimize(pytester, "--mipro-concurrency=1")
    stopped(result, f"*{PROMPT} changed while the study ran; *")
    assert live_calls(pytester) == 40
    assert (pytester.path / PROMPT).read_text() == PROMPT_TEXT


def test_a_broken_record_of_holdout_uses_is_one_line(pytester):
    write_project(pytester)
    optimize(pytester)
    record = next((pytester.path / ".mipro/looks").glob("*.json"))
    record.write_text("{")
    live_calls(pytester)
    stopped(optimize(pytester), "*looks/*.json: the record of holdout uses can't be read*")
    assert live_calls(pytester) == 0


def test_a_second_look_at_the_holdout_is_counted_and_said(pytester):
    write_project(pytester)
    optimize(pytester, "--mipro-diff", "-o", "mipro_max_demos=0")
    result = optimize(pytester, "--mipro-seed=9")
    text = " ".join(result.stdout.str().split())
    assert "one-sided 99.5 % lower bound" in text
    assert "(look 2 at this holdout)" in text
    assert '"holdout_uses": 2' in (pytester.path / LOCK).read_text()


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
