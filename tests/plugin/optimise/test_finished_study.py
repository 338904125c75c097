"""The same command, once its result is written: nothing is asked anew, and nothing changes."""

import signal
import sys

import pytest
from optimize_project import (
    PROMPT,
    live_calls,
    optimize,
    run,
    write_project,
    written,
)

ENDED = "*this study has ended, and its result is in place: nothing is asked anew*"


@pytest.fixture
def finished(pytester):
    """A project whose optimisation has written its files."""
    write_project(pytester)
    optimize(pytester)
    assert len(written(pytester)) == 2
    live_calls(pytester)
    return pytester


def test_the_same_command_asks_nothing_and_changes_nothing(finished):
    before = written(finished)
    for _ in range(2):
        result = optimize(finished)
        assert result.ret == 0
        result.stdout.fnmatch_lines([ENDED])
        assert written(finished) == before
        assert live_calls(finished) == 0


def another_seed(project):
    return ("--mipro-seed=7",)


def other_options(project):
    return ("--mipro-trials=7",)


def changed_prompt(project):
    path = project.path / PROMPT
    path.write_text(path.read_text().replace("carefully", "carefully and twice"))
    return ()


def changed_cases(project):
    path = project.path / "test_numbers.py"
    path.write_text(path.read_text().replace("range(40)", "range(41)"))
    return ()


def changed_program(project):
    path = project.path / "test_numbers.py"
    path.write_text(path.read_text().replace("str(number)", "str(number + 2)"))
    return ()


def test_another_start_is_searched(finished):
    paths = (PROMPT, "test_numbers.py")
    before = {finished.path / name: (finished.path / name).read_bytes() for name in paths}
    for change in (another_seed, other_options, changed_prompt, changed_cases, changed_program):
        result = optimize(finished, *change(finished), "--mipro-diff")  # which ends no study
        result.stdout.no_fnmatch_line(ENDED)
        result.stdout.fnmatch_lines(["plan  *", "decision  *"])
        for path, data in before.items():
            path.write_bytes(data)


def test_a_dry_run_says_that_such_a_search_has_ended(finished):
    told = "finished    a search of these cases with these options has ended: *"
    optimize(finished, "--mipro-dry-run").stdout.fnmatch_lines([told])
    optimize(finished, "--mipro-dry-run", "--mipro-seed=7").stdout.no_fnmatch_line(told)
    (record,) = (finished.path / ".mipro" / "finished").glob("*.json")
    for damaged in ("[1]", "{", ""):
        record.write_text(damaged)
        optimize(finished, "--mipro-dry-run").stdout.no_fnmatch_line(told)


def test_a_result_that_was_shown_and_not_written_is_no_end(pytester):
    write_project(pytester)
    optimize(pytester, "--mipro-diff")
    result = optimize(pytester)
    result.stdout.no_fnmatch_line(ENDED)
    assert len(written(pytester)) == 2


KILLED = """
import signal
from pytest_mipro.plugin.lock import write_journal

REAL = write_journal.atomic_write

def killing(path, text, drafts=None):
    if "MIPRO_TEST_KILL" in os.environ and path.suffix == ".yaml":
        os.kill(os.getpid(), signal.SIGKILL)
    REAL(path, text, drafts)

def pytest_configure(config):
    write_journal.atomic_write = killing
    config.add_cleanup(lambda: setattr(write_journal, "atomic_write", REAL))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_a_kill_while_the_files_are_written_begins_no_second_study(pytester, monkeypatch):
    write_project(pytester, conftest=KILLED)
    monkeypatch.setenv("MIPRO_TEST_KILL", "1")
    killed = pytester.runpytest_subprocess("--mipro-optimize", "--mipro-trials=4")
    assert killed.ret == -signal.SIGKILL
    assert written(pytester) == {}
    monkeypatch.delenv("MIPRO_TEST_KILL")
    live_calls(pytester)
    result = optimize(pytester)
    result.stdout.fnmatch_lines(["mipro: finished the interrupted writing of *", ENDED])
    assert len(written(pytester)) == 2
    assert live_calls(pytester) == 0
    assert run(pytester).ret == 0
