"""What runs under `--mipro-optimize`: parts of a study, unmarked tests, and other options."""

import re
import xml.etree.ElementTree as ET

import pytest
from optimize_project import (
    TESTS,
    live_calls,
    optimize,
    private_files,
    remove_written,
    run,
    write_project,
    written,
)

TWO = (
    TESTS
    + """
@pytest.mark.mipro(threshold=0.1)
@pytest.mark.parametrize("number", range(40))
def test_other(number):
    assert parity(number=str(number)) == ("odd" if number % 2 else "even")
"""
)
UNMARKED = """
def test_unmarked():
    open("ran.txt", "w").close()
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ("-k", "not 39"),
        ("test_numbers.py::test_parity",),
        ("--deselect", "test_numbers.py::test_other[3]"),
    ],
    ids=["k-case", "node-id-test", "deselect"],
)
def test_a_part_of_a_study_is_shown_and_not_written(pytester, arguments):
    write_project(pytester, TWO)
    result = optimize(pytester, *arguments)
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        [
            "+  Look carefully *",
            "files       nothing written: only part of its cases ran",
        ]
    )
    assert written(pytester) == {}


@pytest.mark.parametrize("quiet", [(), ("-q",)])
def test_a_dry_run_of_a_part_says_that_nothing_will_be_written(pytester, quiet):
    write_project(pytester, TWO)
    line = "only part of the study's cases are selected: nothing will be written"
    part = run(pytester, "--mipro-optimize", "--mipro-dry-run", "-k", "not 39", *quiet)
    part.stdout.fnmatch_lines([line])
    whole = run(pytester, "--mipro-optimize", "--mipro-dry-run", *quiet)
    whole.stdout.no_fnmatch_line(line)


@pytest.mark.parametrize("arguments", [("test_numbers.py",), ("-k", "numbers")])
def test_a_whole_study_is_written_whatever_selected_it(pytester, arguments):
    write_project(pytester, TWO, test_more=TESTS)
    optimize(pytester, *arguments, "--deselect", "test_more.py")
    assert written(pytester)


def test_a_test_without_mark_does_not_make_its_file_a_part(pytester):
    write_project(pytester, TESTS + UNMARKED)
    optimize(pytester, "-k", "test_parity")
    assert written(pytester)


NAMED = TESTS.replace("threshold=0.1", 'study="odd", threshold=0.1')


def test_a_named_study_is_partial_without_one_of_its_files(pytester):
    many = NAMED.replace("range(40)", "range(80)")  # a second look wants more rows
    write_project(pytester, many, test_second=many)
    assert optimize(pytester).ret == 0
    lock = pytester.path / "odd.mipro.json"
    assert lock.exists()
    before = lock.read_bytes()
    prompt = pytester.path / "prompts/pipeline.parity.yaml"
    prompt.unlink()
    result = optimize(pytester, "test_second.py")  # the lock knows of the other file
    result.stdout.fnmatch_lines(["files       nothing written: only part of its cases ran"])
    assert lock.read_bytes() == before
    assert not prompt.exists()
    (pytester.path / "test_numbers.py").unlink()  # gone for good: what is left is the whole
    optimize(pytester, "test_second.py")
    assert lock.read_bytes() != before


def test_unmarked_tests_are_deselected(pytester):
    write_project(pytester, UNMARKED + TESTS, test_unmarked=UNMARKED)
    result = optimize(pytester)
    assert result.parseoutcomes() == {"captured": 40, "passed": 1, "deselected": 2}
    assert not (pytester.path / "ran.txt").exists()


def test_what_keeps_tests_from_being_collected_is_told_alone(pytester):
    write_project(pytester, "import nothing_of_this_name\n" + TESTS)
    result = pytester.runpytest("--mipro-optimize")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.no_fnmatch_line("*nothing to optimise*")
    missing = optimize(pytester, "test_of_no_name.py")
    assert missing.ret == pytest.ExitCode.USAGE_ERROR
    missing.stdout.no_fnmatch_line("*nothing to optimise*")


@pytest.mark.parametrize("arguments", [(), ("-q",), ("--mipro-dry-run",), ("--collect-only",)])
def test_without_marked_tests_nothing_runs(pytester, arguments):
    write_project(pytester, UNMARKED)
    result = optimize(pytester, *arguments)
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED
    result.stdout.fnmatch_lines(["mipro: nothing to optimise, no selected test carries *"])
    assert not (pytester.path / "ran.txt").exists()
    assert not (pytester.path / ".mipro").exists()


def test_marked_tests_that_are_not_selected_are_nothing_to_optimise(pytester):
    write_project(pytester, TESTS + UNMARKED)
    result = optimize(pytester, "-k", "test_unmarked")
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED
    assert not (pytester.path / "ran.txt").exists()
    assert live_calls(pytester) == 0


def test_cases_are_captured_and_progress_ends_at_100(pytester):
    write_project(pytester)
    result = optimize(pytester, "-v")
    result.stdout.re_match_lines(
        [
            r"test_numbers.py::test_parity\[0\] CAPTURED +\[  2%\]",
            r"test_numbers.py::test_parity\[39\] CAPTURED +\[ 97%\]",
            r"test_numbers.py::optimize\[test_numbers.py\] ?$",
            r"mipro: test_numbers.py",
            r"test_numbers.py::optimize\[test_numbers.py\] PASSED +\[100%\]",
        ]
    )


def test_quiet_runs_show_the_changes_alone(pytester):
    write_project(pytester)
    result = optimize(pytester, "-q")
    assert result.ret == 0
    result.stdout.no_fnmatch_line("plan *")
    result.stdout.no_fnmatch_line("*mipro: changes*")
    (line,) = (line for line in result.outlines if line.startswith("test_numbers.py: "))
    assert re.fullmatch(
        r"test_numbers.py: better; 0\.\d+ .* → .* on 16 holdout rows, lift \+.*; wrote 2 files; "
        r"\d+ calls, [\d,]+ tokens; 0:\d\d",
        line,
    )


def test_without_terminal_or_capture_it_writes_the_same(pytester):
    write_project(pytester)
    optimize(pytester, "--mipro-seed=3")
    expected = written(pytester)
    for arguments in (("-p", "no:terminal"), ("-p", "no:capture"), ("-s",)):
        remove_written(pytester)
        assert optimize(pytester, "--mipro-seed=3", *arguments).ret == 0
        assert written(pytester) == expected


FAILING = """
@pytest.mark.mipro
@pytest.mark.parametrize("number", range(5))
def test_by_itself(number):
    assert parity(number=str(number)) == "odd"
"""


def last_failed(pytester: pytest.Pytester) -> str:
    path = pytester.path / ".pytest_cache/v/cache/lastfailed"
    return path.read_text() if path.exists() else ""


def test_the_last_run_s_failures_stay_what_they_were(pytester):
    write_project(pytester, FAILING)
    run(pytester)
    before = last_failed(pytester)
    assert "test_by_itself[1]" in before
    optimize(pytester)
    assert last_failed(pytester) == before


def test_a_stopped_study_is_no_last_failure(pytester, monkeypatch):
    write_project(pytester)
    monkeypatch.setenv("MIPRO_TEST_CALLS", "10")
    assert optimize(pytester).ret == 1
    assert last_failed(pytester) in ("", "{}")


def test_lf_optimises_the_cases_it_selects(pytester):
    write_project(pytester, FAILING)
    run(pytester)
    result = optimize(pytester, "--lf")
    assert result.parseoutcomes()["passed"] == 1  # the optimise item is not deselected
    assert result.parseoutcomes()["captured"] < 5
    assert written(pytester) == {}


def test_cases_below_their_pass_score_do_not_end_the_run_at_the_first(pytester):
    write_project(pytester)
    assert optimize(pytester, "-x").ret == 0
    assert written(pytester)


def test_collect_only_shows_cases_and_study_and_runs_nothing(pytester):
    write_project(pytester)
    result = optimize(pytester, "--collect-only", "-q")
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        ["test_numbers.py::test_parity?39?", "test_numbers.py::optimize?test_numbers.py?"]
    )
    assert live_calls(pytester) == 0
    assert private_files(pytester.path) == set()


@pytest.mark.usefixtures("all_plugins")
def test_without_the_plugin_the_option_is_not_known(pytester):
    write_project(pytester)
    result = pytester.runpytest_inprocess("-p", "no:mipro", "--mipro-optimize")
    assert result.ret == pytest.ExitCode.USAGE_ERROR


def test_the_study_is_a_test_case_of_junit_xml(pytester, monkeypatch):
    write_project(pytester)
    optimize(pytester, "--junitxml=out.xml")
    suite = ET.parse(pytester.path / "out.xml").getroot()[0]
    cases = {case.get("name"): case for case in suite.iter("testcase")}
    assert len(cases) == 41
    assert list(cases["optimize[test_numbers.py]"]) == []
    monkeypatch.setenv("MIPRO_TEST_CALLS", "0")
    optimize(pytester, "--junitxml=out.xml", "--mipro-model=test/new")
    suite = ET.parse(pytester.path / "out.xml").getroot()[0]
    failures = [failure.get("message") for failure in suite.iter("failure")]
    assert len(failures) == 1
    assert "the endpoint is gone" in failures[0]


def test_two_files_are_two_studies_each_behind_its_cases(pytester):
    second = TESTS.replace("parity(number=", "twin(number=")
    twin = PIPELINE_TWIN
    write_project(pytester, pipeline=twin, test_second="from pipeline import twin\n" + second)
    result = optimize(pytester, "-v")
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        [
            "test_numbers.py::optimize?test_numbers.py? PASSED*",
            "test_second.py::test_parity?0? CAPTURED*",
            "test_second.py::optimize?test_second.py? PASSED*",
            "files       wrote prompts/pipeline.parity.yaml, test_numbers.mipro.json",
            "files       wrote prompts/pipeline.twin.yaml, test_second.mipro.json",
        ]
    )


PIPELINE_TWIN = '''
@lm_module
def twin(number: str) -> Literal["odd", "even"]:
    """Say whether the number is odd."""
'''
