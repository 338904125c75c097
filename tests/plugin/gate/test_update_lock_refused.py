"""`--mipro-update-lock`: when nothing is locked, and what is said of it."""

from __future__ import annotations

import pytest
from gate_project import LOCK, TESTS, WORDS, lock_text, write_gate

UPDATE = "--mipro-update-lock"
WROTE = f"wrote {LOCK}: the scores of 6 cases"


@pytest.mark.parametrize(
    "selection",
    [
        ("-k", "one"),
        ("test_words.py::test_say[two]",),
        ("--deselect", "test_words.py::test_say[six]"),
        ("test_words.py::test_say",),  # the file may have other tests, which pytest passes by
    ],
)
def test_part_of_a_study_is_refused_before_a_call(pytester, selection):
    write_gate(pytester)
    result = pytester.runpytest(UPDATE, *selection)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --mipro-update-lock writes the scores of whole studies*"])
    assert lock_text(pytester) == ""
    assert not (pytester.path / ".mipro").exists()


def test_part_of_a_study_is_refused_by_workers_too(pytester):
    pytest.importorskip("xdist")
    write_gate(pytester)
    result = pytester.runpytest(UPDATE, "-n1", "-k", "one")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*--mipro-update-lock writes the scores of whole studies*"])
    assert lock_text(pytester) == ""


def test_nothing_is_locked_where_a_case_has_no_score(pytester):
    write_gate(pytester, words=(*WORDS, "down"))
    result = pytester.runpytest(UPDATE)
    assert result.ret == 1
    result.stdout.fnmatch_lines([f"{LOCK}: not written: 1 of 7 cases had no score"])
    assert lock_text(pytester) == ""


def test_nothing_is_locked_where_the_run_ends_early(pytester):
    tests = TESTS.replace("assert", 'assert text != "two" or 1 / 0\n    assert')
    write_gate(pytester, tests)
    result = pytester.runpytest(UPDATE, "-x")
    assert result.ret == 1
    result.stdout.fnmatch_lines([f"{LOCK}: not written: *"])
    assert lock_text(pytester) == ""


def test_no_lock_is_written_where_the_run_stops_before_another_study(pytester):
    write_gate(pytester)
    (pytester.path / "test_x_fails.py").write_text("def test_it():\n    assert 0\n")
    (pytester.path / "test_y.py").write_text(TESTS)
    result = pytester.runpytest(UPDATE, "-x")
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        ["no lock is written: the run did not come to its end*", f"{LOCK}: not written either"]
    )
    assert lock_text(pytester) == ""


def test_a_verdict_that_fails_under_x_stops_no_lock(pytester):
    """All cases were measured: the verdict comes after the last."""
    write_gate(pytester, TESTS.replace("threshold=0.1", "threshold=0.9"))
    result = pytester.runpytest(UPDATE, "-x")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*FAILED: mean 0.17 is below the threshold 0.90*", WROTE])


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        (LOCK, "<<<<<<< ours\n", f"*{LOCK}:1: an unresolved merge conflict; *"),
        ("words.jsonl", "{", "words.jsonl:1: not one JSON value: *"),
    ],
)
def test_what_can_not_be_collected_is_told_alone(pytester, name, text, told):
    write_gate(pytester)
    (pytester.path / name).write_text(text)
    result = pytester.runpytest(UPDATE)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines([told])
    result.stderr.no_fnmatch_line("*nothing to lock*")


def test_a_path_that_is_not_there_is_told_alone(pytester):
    write_gate(pytester)
    result = pytester.runpytest(UPDATE, "test_gone.py")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: file or directory not found: test_gone.py"])
    result.stderr.no_fnmatch_line("*nothing to lock*")


@pytest.mark.parametrize("name", [LOCK, "test_words.replies.jsonl"])
@pytest.mark.parametrize("dangling", [True, False])
def test_a_link_out_of_the_project_is_refused_before_a_call(
    pytester, tmp_path_factory, name, dangling
):
    write_gate(pytester)
    pytester.runpytest(UPDATE, "--mipro-replies=record")
    outside = tmp_path_factory.mktemp("outside") / "victim"
    if dangling:
        (pytester.path / name).unlink()
    else:
        (pytester.path / name).replace(outside)
    (pytester.path / name).symlink_to(outside)
    before = outside.read_bytes() if not dangling else None
    result = pytester.runpytest(UPDATE, "--mipro-replies=record")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    line = f"*{name}: a link to {outside}, outside the project *; replace it*"
    result.stdout.fnmatch_lines([line])
    assert (outside.read_bytes() if outside.exists() else None) == before


def test_a_private_folder_outside_the_project_is_refused_before_a_call(pytester, tmp_path_factory):
    write_gate(pytester)
    outside = tmp_path_factory.mktemp("outside")
    outside.chmod(0o755)
    (pytester.path / ".mipro").symlink_to(outside)
    result = pytester.runpytest()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    line = f"ERROR: *.mipro: a link to {outside}, outside the project; delete the link, *"
    result.stderr.fnmatch_lines([line])
    assert list(outside.iterdir()) == []
    assert outside.stat().st_mode & 0o777 == 0o755
