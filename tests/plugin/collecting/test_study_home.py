"""The files of a named study stay in their folder, whichever of its tests a run selects."""

from __future__ import annotations

import os

import pytest
from gate_project import CONFTEST, INI, PIPELINE

TEST = """
import pytest
from pipeline import say

@pytest.mark.mipro(max_regression=0.02, study="sup")
@pytest.mark.parametrize("text", [f"word {n}" for n in range(12)])
def test_say(text):
    assert say(text=text) == text
"""
LOCK, REPLIES = "sup.mipro.json", "sup.replies.jsonl"


def write(pytester, name: str, source: str = TEST) -> None:
    path = pytester.path / name
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text(source)


@pytest.fixture
def locked(pytester):
    """Write a study of two folders, locked and recorded."""
    pytester.makefile(".ini", tox=f"{INI}testpaths = tests\naddopts = --import-mode=importlib\n")
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(pipeline=PIPELINE)
    for name in "ab":
        write(pytester, f"tests/{name}/test_{name}.py")
    assert pytester.runpytest("--mipro-update-lock").ret == 0
    assert pytester.runpytest("--mipro-replies=record").ret == 0
    assert files(pytester) == [f"tests/a/{LOCK}", f"tests/a/{REPLIES}"]
    return pytester


def files(pytester) -> list[str]:
    root = pytester.path
    found = [*root.rglob("*.mipro.json"), *root.rglob("*.replies.jsonl")]
    return sorted(path.relative_to(root).as_posix() for path in found if ".mipro" not in path.parts)


@pytest.mark.parametrize("workers", ["-n0", "-n1"])
def test_a_part_of_the_study_is_judged_against_the_lock_of_the_whole(locked, workers):
    write(locked, "tests/b/test_b.py", TEST.replace("== text", "== 'another'"))
    result = locked.runpytest("tests/b", workers)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["    FAILED: * fell by 1.00 against the lock*"])


def test_a_test_in_an_earlier_folder_moves_nothing(locked):
    write(locked, "tests/0/test_0.py")
    result = locked.runpytest()
    result.stdout.fnmatch_lines(["    +0.000 * against the lock: no case changed"])
    assert locked.runpytest("--mipro-update-lock").ret == 0
    assert files(locked) == [f"tests/a/{LOCK}", f"tests/a/{REPLIES}"]


def test_a_part_of_the_study_is_replayed_from_the_replies_of_the_whole(locked):
    assert locked.runpytest("tests/b", "--mipro-replies=replay").ret == 0


def test_a_part_of_the_study_is_not_locked(locked):
    result = locked.runpytest("tests/b", "--mipro-update-lock")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*only part of sup is selected*"])
    assert files(locked) == [f"tests/a/{LOCK}", f"tests/a/{REPLIES}"]


def test_an_optimisation_of_a_part_writes_nothing(locked):
    result = locked.runpytest("tests/b", "--mipro-optimize", "--mipro-trials=2")
    result.stdout.fnmatch_lines(["only part of the study's cases are selected: nothing will be*"])


@pytest.mark.parametrize("name", [LOCK, REPLIES])
def test_files_in_two_folders_are_refused(locked, name):
    folder = locked.path / "tests"
    (folder / f"b/{name}").write_bytes((folder / f"a/{name}").read_bytes())
    for place in ("tests", "tests/a", "tests/b"):
        result = locked.runpytest(place)
        assert result.ret == pytest.ExitCode.INTERRUPTED
        told = f"study 'sup' has files in two folders, tests/a/{LOCK} and tests/b/{name}; keep *"
        result.stdout.fnmatch_lines([told])


@pytest.mark.parametrize("folder", [".hidden", "build", "env", "copy"])
def test_folders_that_pytest_skips_are_no_home(locked, folder):
    copy = locked.path / folder
    copy.mkdir()
    (copy / "pyvenv.cfg").write_text("") if folder == "env" else None
    (copy / LOCK).write_bytes((locked.path / f"tests/a/{LOCK}").read_bytes())
    assert locked.runpytest("tests/b", "-o", "norecursedirs=build copy .*").ret == 0


def test_a_broken_lock_elsewhere_is_told_at_collection(locked):
    (locked.path / f"tests/a/{LOCK}").write_text("{")
    result = locked.runpytest("tests/b")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines([f"*tests/a/{LOCK}*"])


def test_the_study_of_a_file_of_that_name_is_another_one(locked):
    own = TEST.replace(', study="sup"', "")
    for name in ("c", "d"):
        write(locked, f"tests/{name}/sup.py", own)
    assert locked.runpytest("tests/c/sup.py", "--mipro-update-lock").ret == 0
    assert locked.runpytest("tests/d/sup.py", "--mipro-update-lock").ret == 0
    locks = [f"tests/{name}/{LOCK}" for name in "acd"]
    assert files(locked) == sorted([*locks, f"tests/a/{REPLIES}"])
    assert locked.runpytest("tests").ret == 0
    again = locked.runpytest("tests/c/sup.py", "tests/d/sup.py")
    again.stdout.fnmatch_lines(["    +0.000 * against the lock: no case changed"] * 2)


def test_without_files_the_first_folder_of_those_collected_is_the_home(locked):
    for name in (LOCK, REPLIES):
        (locked.path / f"tests/a/{name}").unlink()
    assert locked.runpytest("tests/b", "--mipro-update-lock").ret == 0
    assert files(locked) == [f"tests/b/{LOCK}"]


@pytest.mark.parametrize("sign", ["pyproject.toml", "pytest.toml", "tox.ini", ".git"])
def test_another_project_within_is_left_alone(locked, sign):
    """As a work tree of git, or a vendored copy."""
    other = locked.path / "other/tests/a"
    other.mkdir(parents=True)
    (locked.path / "other" / sign).touch()
    (locked.path / "tests/a" / LOCK).rename(other / LOCK)
    result = locked.runpytest("tests/b")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*not judged: no lock to compare with"])


def test_a_project_within_that_has_the_tests_is_searched(locked):
    """As a package of a monorepo, whose root has the settings of pytest."""
    package = locked.path / "packages/one"
    package.mkdir(parents=True)
    (package / "pyproject.toml").touch()
    (locked.path / "tests").rename(package / "tests")
    result = locked.runpytest("packages/one/tests/b")
    result.stdout.fnmatch_lines(["    +0.000 * against the lock: no case changed"])
    assert locked.runpytest("packages/one/tests/b", "--mipro-update-lock").ret != 0  # a part
    assert files(locked) == [f"packages/one/tests/a/{name}" for name in (LOCK, REPLIES)]


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="no folder is closed to root")
def test_a_folder_that_can_t_be_entered_is_passed_over(locked):
    closed = locked.mkdir("data")
    closed.chmod(0)
    try:
        assert locked.runpytest("tests/b").ret == 0
    finally:
        closed.chmod(0o700)
