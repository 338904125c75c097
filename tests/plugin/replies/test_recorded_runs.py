"""`--mipro-replies=record`: what a run records and removes, of cases, fixtures, other tests."""

from __future__ import annotations

import re

import pytest
from recorded_desk import (
    FRESH,
    RECORD,
    REPLAY,
    SEVERAL_WORKERS,
    SOURCE,
    TEXTS,
    WORKERS,
    asked,
    cases,
    entries,
    file_of,
    forget_the_cache,
)


@SEVERAL_WORKERS
def test_what_the_gate_needs_is_recorded_and_replayed_alone(pytester, recordable, workers):
    recordable()
    result = pytester.runpytest(workers, RECORD)
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        ["*- mipro: replies -*", "test_desk.replies.jsonl: 7 replies recorded, 7 new"]
    )
    assert len(asked(pytester)) == 7
    assert cases(pytester) == sorted(cases(pytester))
    first = file_of(pytester).read_bytes()
    forget_the_cache(pytester)
    result = pytester.runpytest(workers.replace("2", "1"), REPLAY)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["* 7 cached, 0 live; *", "replies: 7 of 7 replies recorded, *"])
    assert asked(pytester) == []
    assert not (pytester.path / ".mipro").exists()
    assert file_of(pytester).read_bytes() == first


def test_a_second_recording_asks_nothing_and_changes_no_byte(pytester, recordable):
    recordable()
    pytester.runpytest("-n1", RECORD)
    first, inode = file_of(pytester).read_bytes(), file_of(pytester).stat().st_ino
    asked(pytester)
    for forget in (False, True):  # what is recorded spares whoever has no cache the price
        if forget:
            forget_the_cache(pytester)
        result = pytester.runpytest(RECORD)
        result.stdout.fnmatch_lines(["*: 7 replies recorded, as before"])
        assert file_of(pytester).read_bytes() == first
        assert file_of(pytester).stat().st_ino == inode
        assert asked(pytester) == []


@WORKERS
def test_a_whole_run_removes_what_is_not_used(pytester, recordable, workers):
    recordable()
    pytester.runpytest(RECORD)
    recordable(SOURCE.format(texts=["one", "four"]))
    result = pytester.runpytest(workers, RECORD)
    result.stdout.fnmatch_lines(["*: 6 replies recorded, 1 new, 2 removed"])
    assert [case for case in cases(pytester) if "echo" in case] == [
        "test_echo[four]",
        "test_echo[one]",
    ]


@pytest.mark.parametrize(
    ("workers", "selection"), [("-n0", ("-k", "four")), ("-n1", ("test_desk.py::test_echo",))]
)
def test_a_partial_run_adds_and_never_removes(pytester, recordable, selection, workers):
    recordable()
    pytester.runpytest(RECORD)
    before = cases(pytester)
    recordable(SOURCE.format(texts=["one", "four"]))
    result = pytester.runpytest(workers, RECORD, *selection)
    result.stdout.fnmatch_lines(["*: 8 replies recorded, 1 new; only part of the cases *"])
    assert cases(pytester) == sorted([*before, "test_echo[four]"])


@pytest.mark.parametrize("last", ["down", "wrong"])
def test_a_run_with_broken_cases_removes_nothing(pytester, recordable, last):
    recordable()
    pytester.runpytest(RECORD)
    wrong = "\n@pytest.mark.mipro\ndef test_wrong(): raise KeyError('x')"
    texts = ["one", "down"] if last == "down" else ["one"]
    recordable(SOURCE.format(texts=texts) + (wrong if last == "wrong" else ""))
    result = pytester.runpytest(RECORD)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*: 7 replies recorded, as before; only part of the cases *"])


def test_a_stopped_run_removes_nothing(pytester, recordable):
    recordable()
    pytester.runpytest(RECORD)
    result = pytester.runpytest(RECORD, "-x", "--deselect=test_desk.py::test_later")
    result.stdout.fnmatch_lines(["*: 7 replies recorded, as before; only part of the cases *"])


def test_a_named_study_keeps_the_replies_of_files_that_were_not_run(pytester, recordable):
    source = "@pytest.mark.mipro(study='desk')\ndef test_{0}(): echo(text='{0}')"
    recordable(source.format("one"), test_other=source.format("two"))
    pytester.runpytest(RECORD)
    both = file_of(pytester, "desk").read_bytes()
    assert cases(pytester, "desk") == ["test_desk.py::test_one", "test_other.py::test_two"]
    pytester.runpytest(RECORD, "test_desk.py")
    assert file_of(pytester, "desk").read_bytes() == both
    (pytester.path / "test_other.py").unlink()
    pytester.runpytest(RECORD)
    assert cases(pytester, "desk") == ["test_desk.py::test_one"]


@SEVERAL_WORKERS
def test_one_request_of_several_cases_is_one_line(pytester, recordable, workers):
    recordable("""
@pytest.mark.mipro(threshold=0.5)
@pytest.mark.parametrize("name", ["d", "b", "a", "c"])
def test_same(name): echo(text="same")
""")
    pytester.runpytest(workers, RECORD)
    assert cases(pytester) == ["test_same[a]"]
    pytester.runpytest(RECORD, "-k", "c")
    assert cases(pytester) == ["test_same[a]"]


def test_a_study_without_calls_gets_no_file(pytester, recordable):
    recordable("@pytest.mark.mipro\ndef test_nothing(): pass")
    assert pytester.runpytest(RECORD).ret == 0
    assert not file_of(pytester).exists()


def test_a_file_that_cannot_be_written_fails_the_run(pytester, recordable):
    recordable()
    file_of(pytester).mkdir()
    result = pytester.runpytest(FRESH)
    assert result.ret == 0
    result = pytester.runpytest(RECORD)
    assert result.ret != 0
    assert "test_desk.replies.jsonl:1: can't be read" in result.stdout.str()


CLOCK = """
import time

@pytest.fixture
def box(): return []

@pytest.mark.mipro(threshold=0.5{more})
@pytest.mark.parametrize("text", ["one", "two"])
{kind} test_clock(text{fixture}):
    first = {call}(text=text)
    assert {call}(text=f"{{first}}\\nat {{time.time_ns()}} o'clock")
"""


@pytest.mark.parametrize(
    ("workers", "kind", "call"),
    [("-n0", "def", "echo"), ("-n1", "async def", "await echo_later")],
)
def test_a_clock_is_not_replayable_and_not_written(pytester, recordable, workers, kind, call):
    recordable(CLOCK.format(more="", kind=kind, call=call, fixture=""))
    result = pytester.runpytest(workers, RECORD)
    assert result.ret == 0
    result.stdout.re_match_lines(
        [
            r"not replayable: test_clock\[one\], LM module 'pipeline.echo(_later)?': in a second.*",
            r"not replayable: test_clock\[two\], .*",
        ]
    )
    assert [entry["text"] for entry in entries(pytester)] == ["one", "two"]
    told = r"""in a second run "at (\d+) o'clock" became "at (?!\1)\d+ o'clock"; give it a fixed"""
    assert re.search(told, result.stdout.str())
    before = file_of(pytester).read_bytes()
    pytester.runpytest(RECORD)
    assert file_of(pytester).read_bytes() == before
    assert len(asked(pytester)) == 2 + 2 + 2  # the second calls of the cases cost nothing


def test_a_case_without_a_score_is_not_checked_and_no_fixture_is_blamed(pytester, recordable):
    broken = "    raise ValueError\n"
    recordable(CLOCK.format(more="", kind="def", call="echo", fixture="") + broken)
    result = pytester.runpytest(RECORD)
    result.stdout.fnmatch_lines(["2 cases not checked for clocks and random ids: without a score"])
    result.stdout.no_fnmatch_line("*function-scoped*")


def test_a_case_whose_fixture_serves_one_call_is_not_called_twice(pytester, recordable):
    source = CLOCK.format(more="MORE", kind="def", call="echo", fixture=", box")
    recordable(source.replace("MORE", ""))
    result = pytester.runpytest(RECORD)
    result.stdout.no_fnmatch_line("not replayable*")
    result.stdout.fnmatch_lines(
        ["2 cases not checked for clocks and random ids: called only once, as a fixture *"]
    )
    recordable(source.replace("MORE", ", rerun_safe=['box']"))
    pytester.runpytest(RECORD).stdout.fnmatch_lines(["not replayable: test_clock*"])


def test_cases_are_called_twice_in_a_recording_alone(pytester, recordable):
    recordable("""
from pathlib import Path
@pytest.mark.mipro(threshold=0.5, repeats=2)
def test_it():
    with Path("runs.txt").open("a") as file: file.write("x")
    assert echo(text="one") == "one"
    raise AssertionError("no")
""")
    runs = pytester.path / "runs.txt"
    for mode, count in ((RECORD, 4), (REPLAY, 2), ("--mipro-replies=auto", 2), (FRESH, 2)):
        result = pytester.runpytest(mode)
        result.stdout.fnmatch_lines(["*1 case  1 missed"])
        assert runs.read_text() == "x" * count
        runs.unlink()


def test_what_a_pipeline_remembers_is_no_finding(pytester, recordable):
    recordable("""
import functools
remembered = functools.cache(lambda text: echo(text=text))
@pytest.mark.mipro(threshold=0.5)
def test_it(): assert remembered("one") == "one"
""")
    result = pytester.runpytest(RECORD)
    result.stdout.no_fnmatch_line("not replayable*")
    assert cases(pytester) == ["test_it"]


FIXTURES = """
@pytest.mark.mipro(threshold=0.5)
@pytest.mark.parametrize("text", ["one", "two", "three"])
def test_with(text, index): assert echo(text=text)
"""
INDEX = """
@pytest.fixture(scope="session")
def index():
    from pipeline import echo
    return echo(text="the index")
"""


def test_a_fixture_of_a_file_that_was_not_run_keeps_its_reply(pytester, recordable):
    named = FIXTURES.replace("threshold=0.5", "threshold=0.5, study='desk'")
    plain = "@pytest.mark.mipro(study='desk')\ndef test_it(): echo(text='plain')"
    recordable(plain, test_more=named)
    conftest = pytester.path / "conftest.py"
    conftest.write_text(conftest.read_text() + INDEX)
    pytester.runpytest(RECORD)
    both = file_of(pytester, "desk").read_bytes()
    pytester.runpytest(RECORD, "test_desk.py")
    assert file_of(pytester, "desk").read_bytes() == both
    conftest.write_text(conftest.read_text().replace("the index", "an index"))
    pytester.runpytest(RECORD)
    assert cases(pytester, "desk").count("fixture index") == 1


@SEVERAL_WORKERS
def test_a_fixtures_calls_belong_to_every_study_that_uses_it(pytester, recordable, workers):
    plain = "@pytest.mark.mipro\ndef test_it(): echo(text='plain')"
    recordable(FIXTURES, test_more=FIXTURES, test_plain=plain)
    conftest = pytester.path / "conftest.py"
    conftest.write_text(conftest.read_text() + INDEX)
    assert pytester.runpytest(workers, RECORD).ret == 0
    for name in ("test_desk", "test_more"):
        assert cases(pytester, name)[0] == "fixture index"
        assert len(cases(pytester, name)) == 4
    assert cases(pytester, "test_plain") == ["test_it"]
    assert len(asked(pytester)) <= 6
    forget_the_cache(pytester)
    assert pytester.runpytest(workers.replace("2", "1"), REPLAY).ret == 0
    for name in ("test_desk", "test_more"):
        assert pytester.runpytest(REPLAY, f"{name}.py").ret == 0
    file_of(pytester).unlink()
    result = pytester.runpytest(REPLAY, "test_desk.py")
    text = " ".join(result.stdout.str().split())
    assert "fixture index: LM module 'pipeline.echo' has no recorded reply" in text


UNMARKED = """
def test_unmarked(): assert echo(text="unmarked") == "unmarked"
def test_configured():
    from pytest_mipro import configure
    from pytest_mipro.runtime.client.contract import ScriptedClient
    configure(client=ScriptedClient(["mine"]))
    assert echo(text="configured") == "mine"
"""


@pytest.mark.parametrize("marked", [True, False])
def test_calls_of_unmarked_tests_are_neither_recorded_nor_made_in_a_replay(
    pytester, recordable, marked
):
    recordable((SOURCE.format(texts=TEXTS) if marked else "") + UNMARKED)
    if marked:
        pytester.runpytest_subprocess(RECORD)
        assert not any("unmarked" in line for line in cases(pytester))
        asked(pytester)
    result = pytester.runpytest_subprocess(REPLAY)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["FAILED test_desk.py::test_unmarked - *MissingReplyError*"])
    assert "LM module 'pipeline.echo' was called outside marked tests" in result.stdout.str()
    assert "test_configured" not in result.stdout.str()
    assert asked(pytester) == []
