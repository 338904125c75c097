"""A replies file that people or merges changed."""

from __future__ import annotations

import pytest
from recorded_desk import (
    RECORD,
    REPLAY,
    cases,
    file_of,
)


@pytest.mark.parametrize(
    ("workers", "mode"),
    [("-n0", "auto"), ("-n0", "record"), ("-n0", "replay"), ("-n1", "replay")],
)
def test_a_broken_file_is_one_line_with_its_number(pytester, recordable, workers, mode):
    recordable()
    pytester.runpytest(RECORD)
    text = file_of(pytester).read_text()
    file_of(pytester).write_text(text + "<<<<<<< ours\n")
    result = pytester.runpytest(workers, f"--mipro-replies={mode}")
    assert result.ret != 0
    told = result.stdout.str() + result.stderr.str()
    assert "test_desk.replies.jsonl:9: an unresolved merge conflict; keep the lines of both" in told
    assert "Traceback" not in told
    assert "INTERNALERROR" not in told
    assert file_of(pytester).read_text().endswith("<<<<<<< ours\n")


def test_a_file_that_can_not_be_written_is_one_line_with_what_to_do(
    pytester, recordable, monkeypatch
):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "x.tmp")

    recordable()
    monkeypatch.setattr("pytest_mipro.plugin.gate.write_replies.atomic_write", full)
    result = pytester.runpytest_inprocess(RECORD)
    assert result.ret == 1
    told = (
        "test_desk.replies.jsonl is not written: No space left on device; free space or "
        "correct the permissions, and run `pytest --mipro-replies=record` again"
    )
    assert told in result.outlines


def test_ids_longer_than_a_file_s_name_are_recorded_and_replayed(pytester, recordable):
    source = """
@pytest.mark.mipro(threshold=0.5)
@pytest.mark.parametrize("text", [pytest.param("one", id={name!r})])
def test_echo(text): assert echo(text=text) == text
"""
    for name in ("a" * 300 + ".py::b", "c"):
        recordable(source.format(name=name))
        assert pytester.runpytest(RECORD).ret == 0
    assert cases(pytester) == ["test_echo[c]"]
    recordable(source.format(name="a" * 300 + ".py::b"))
    (pytester.path / "test_desk.replies.jsonl").unlink()
    assert pytester.runpytest(RECORD).ret == 0
    (pytester.path / "test_desk.py").rename(pytester.path / "test_new.py")
    result = pytester.runpytest(REPLAY)
    result.stdout.fnmatch_lines(["*rename test_desk.replies.jsonl to that*"])


def test_a_run_that_was_interrupted_stays_so_where_its_file_can_not_be_written(
    pytester, recordable
):
    recordable("""
from pathlib import Path

@pytest.mark.mipro(threshold=0.5)
@pytest.mark.parametrize("text", ["one", "two"])
def test_echo(text):
    if text == "two":
        Path("test_desk.replies.jsonl").write_text("broken")
        pytest.exit("enough")
    assert echo(text=text) == text
""")
    result = pytester.runpytest_inprocess(RECORD)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["test_desk.replies.jsonl is not written: *"])


def test_an_edited_reply_is_replayed_as_it_stands(pytester, recordable):
    recordable()
    pytester.runpytest(RECORD)
    path = file_of(pytester)
    path.write_text(path.read_text().replace('"text": "one"', '"text": "won"'))
    result = pytester.runpytest(REPLAY)
    result.stdout.fnmatch_lines(["*missed (1): one", "*7 of 7 replies recorded*"])


def test_the_next_recording_tidies_a_merge(pytester, recordable):
    recordable()
    pytester.runpytest(RECORD)
    good = file_of(pytester).read_text()
    lines = good.splitlines(keepends=True)
    file_of(pytester).write_text("".join([*lines, lines[0], *lines[1:4]]))
    assert pytester.runpytest(REPLAY).ret == 0
    pytester.runpytest(RECORD)
    assert file_of(pytester).read_text() == good
