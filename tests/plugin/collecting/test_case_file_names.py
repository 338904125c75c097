"""Case files of one name in one study: their rows' keys would be the same, so they are refused."""

import pytest
from plugin_desk import TICKETS, write_desk

TEST = """
import pytest
from pytest_mipro import cases
@pytest.mark.mipro({mark})
@cases("tickets.jsonl")
def test_{name}(queue): assert queue
"""


def project(pytester: pytest.Pytester, mark: str = 'study="both"') -> None:
    write_desk(pytester, "")
    for name in ("a", "b"):
        folder = pytester.mkdir(name)
        (folder / f"test_{name}.py").write_text(TEST.format(mark=mark, name=name))
        (folder / "tickets.jsonl").write_text((pytester.path / "tickets.jsonl").read_text())


@pytest.mark.parametrize("args", [[], ["--mipro-optimize"]], ids=" ".join)
def test_two_case_files_of_one_name_are_refused_in_one_line(pytester, args):
    project(pytester)
    result = pytester.runpytest(*args)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    (line,) = [line for line in (*result.outlines, *result.errlines) if "tickets.jsonl" in line]
    assert line == (
        "ERROR: b/test_b.py::test_b: study 'both' has two case files of one name, "
        "a/tickets.jsonl and b/tickets.jsonl, whose rows can't be told apart; rename one"
    )


def test_after_renaming_one_both_are_taken(pytester):
    project(pytester)
    (pytester.path / "b/tickets.jsonl").rename(pytester.path / "b/more.jsonl")
    test = pytester.path / "b/test_b.py"
    test.write_text(test.read_text().replace("tickets.jsonl", "more.jsonl"))
    pytester.runpytest().assert_outcomes(passed=2 * len(TICKETS))


def test_each_study_may_have_a_file_of_the_name(pytester):
    project(pytester, mark="")
    pytester.runpytest().assert_outcomes(passed=2 * len(TICKETS))


def test_one_file_under_two_paths_is_one(pytester):
    project(pytester)
    (pytester.path / "b/tickets.jsonl").unlink()
    (pytester.path / "b/tickets.jsonl").symlink_to("../a/tickets.jsonl")
    pytester.runpytest().assert_outcomes(passed=2 * len(TICKETS))
