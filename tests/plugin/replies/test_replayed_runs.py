"""`--mipro-replies=replay`, and what a run takes from the file, the cache and the model."""

from __future__ import annotations

import pytest
from recorded_desk import (
    RECORD,
    REPLAY,
    SOURCE,
    TEXTS,
    asked,
    file_of,
    forget_the_cache,
)


@pytest.mark.parametrize(
    ("workers", "texts", "change"),
    [
        ("-n0", ["one", "four"], "replies of this module, but none for this case or these inputs"),
        ("-n1", ["one"], "a change of the inputs (line 2 is now 'ONE')"),
    ],
)
def test_a_missing_reply_names_case_module_change_and_command(
    pytester, recordable, workers, texts, change
):
    recordable()
    pytester.runpytest(RECORD)
    source = SOURCE.format(texts=texts)
    if len(texts) == 1:
        source = source.replace("echo(text=text) ==", "echo(text=text.upper()) ==")
    recordable(source)
    pytester.runpytest()  # into the cache, which a replay must not read
    result = pytester.runpytest(workers, REPLAY)
    assert result.ret == 1
    case = f"test_echo[{texts[-1]}]"
    text = " ".join(result.stdout.str().split())
    assert f"{case}: LM module 'pipeline.echo' has no recorded reply: test_desk.replies" in text
    assert change in text
    assert "run `pytest --mipro-replies=record` and commit the file" in text
    result.stdout.fnmatch_lines(["*INCOMPLETE: 1 case had an error"])


def test_a_changed_prompt_is_named(pytester, recordable):
    recordable()
    pytester.runpytest(RECORD)
    pipeline = pytester.path / "pipeline.py"
    pipeline.write_text(pipeline.read_text().replace("Repeat the text.", "Say it again."))
    result = pytester.runpytest(REPLAY)
    text = " ".join(result.stdout.str().split())
    assert "before a change of the instruction or output format; run" in text


def test_a_renamed_test_file_is_told_to_take_its_replies_along(pytester, recordable):
    recordable()
    pytester.runpytest(RECORD)
    (pytester.path / "test_desk.py").rename(pytester.path / "test_bureau.py")
    file_of(pytester, "test_other").write_text("no replies\n")
    text = " ".join(pytester.runpytest(REPLAY).outlines)
    assert (
        "nothing is recorded in test_bureau.replies.jsonl; rename test_desk.replies.jsonl to that, "
        "or run `pytest --mipro-replies=record` and commit the file"
    ) in " ".join(text.split())
    file_of(pytester).rename(file_of(pytester, "test_bureau"))
    assert pytester.runpytest(REPLAY).ret == 0


def test_another_study_keeps_its_replies(pytester, recordable):
    named = SOURCE.replace("threshold=0.5", 'threshold=0.5, study="queue"')
    recordable(named.format(texts=TEXTS))
    pytester.runpytest(RECORD)
    source = (pytester.path / "test_desk.py").read_text().replace(', study="queue"', "")
    (pytester.path / "test_more.py").write_text(source)
    text = " ".join(pytester.runpytest(REPLAY, "test_more.py").outlines)
    assert "nothing is recorded in test_more.replies.jsonl; run `pytest" in " ".join(text.split())


def test_without_a_file_that_is_told(pytester, recordable):
    recordable()
    result = pytester.runpytest(REPLAY)
    assert result.ret == 1
    assert "nothing is recorded in test_desk.replies.jsonl" in " ".join(result.outlines)


OFFLINE = """
import socket, sys

class NoSocket(socket.socket):
    def __new__(cls, *args, **kwargs):
        raise OSError("a socket was opened")

socket.socket = NoSocket
socket.create_connection = socket.getaddrinfo = NoSocket

def pytest_unconfigure(config):
    loaded = {"litellm", "diskcache", "optuna"} & set(sys.modules)
    (config.rootpath / "loaded.txt").write_text(" ".join(sorted(loaded)))
"""


def test_a_replay_opens_no_socket_and_no_cache_and_needs_no_key(pytester, recordable, monkeypatch):
    recordable(SOURCE.format(texts=TEXTS).replace("async ", "").replace("await echo_later", "echo"))
    pytester.runpytest(RECORD, "--mipro-model=openai/gpt-4.1-mini")
    (pytester.path / "conftest.py").write_text(OFFLINE)
    forget_the_cache(pytester)
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    options = ("-p", "no:xdist")  # which opens sockets
    result = pytester.runpytest_subprocess(REPLAY, "--mipro-model=openai/gpt-4.1-mini", *options)
    assert result.ret == 0
    assert (pytester.path / "loaded.txt").read_text() == ""
    assert not (pytester.path / ".mipro").exists()
    # The same without the file: the error is of the reply, and still no socket is opened.
    file_of(pytester).unlink()
    result = pytester.runpytest_subprocess(REPLAY, "--mipro-model=openai/gpt-4.1-mini", *options)
    assert result.ret == 1
    assert "nothing is recorded" in result.stdout.str()
    assert "a socket was opened" not in result.stdout.str() + result.stderr.str()


def test_the_trap_for_sockets_works(pytester, recordable):
    recordable()
    conftest = pytester.path / "conftest.py"
    conftest.write_text(OFFLINE + conftest.read_text())
    result = pytester.runpytest_subprocess("-p", "no:xdist")
    assert "a socket was opened" in result.stdout.str() + result.stderr.str()


def test_a_fresh_clone_passes_without_a_key(pytester, recordable, monkeypatch):
    recordable()
    pytester.runpytest(RECORD)
    forget_the_cache(pytester)
    monkeypatch.setenv("NO_KEY", "1")
    result = pytester.runpytest()
    assert result.ret == 0
    result.stdout.fnmatch_lines(["replies: 7 of 7 replies recorded, the oldest asked on *, today"])


def test_without_a_key_a_missing_reply_tells_both_ways_out(pytester, recordable, monkeypatch):
    recordable()
    pytester.runpytest(RECORD)
    recordable(SOURCE.format(texts=["one", "four"]))
    monkeypatch.setenv("NO_KEY", "1")
    text = " ".join(pytester.runpytest().stdout.str().split())
    assert (
        "set the environment variable ECHO_API_KEY; or run `pytest --mipro-replies=record`" in text
    )


def test_what_is_not_recorded_comes_from_cache_and_model(pytester, recordable):
    recordable()
    pytester.runpytest(RECORD)
    recordable(SOURCE.format(texts=["one", "four"]))
    asked(pytester)
    result = pytester.runpytest()
    assert asked(pytester) == ["four"]
    line = "replies: 5 of 6 replies recorded, *; `pytest --mipro-replies=record` records the others"
    result.stdout.fnmatch_lines([line])
    pytester.runpytest()
    assert asked(pytester) == []


def test_a_file_that_lacks_every_reply_is_told_as_a_replay_would_fail(pytester, recordable):
    recordable()
    pytester.runpytest(RECORD)
    lacking = "replies: 0 of 7 replies recorded; `pytest --mipro-replies=record` records the others"
    before = file_of(pytester).read_text(encoding="utf-8").splitlines(keepends=True)
    file_of(pytester).write_text(before[0], encoding="utf-8")
    assert lacking in pytester.runpytest().outlines
    recording = pytester.runpytest(RECORD)
    recording.stdout.no_fnmatch_line("replies: *")
    assert file_of(pytester).read_text(encoding="utf-8").splitlines(keepends=True) == before
    file_of(pytester).unlink()
    pytester.runpytest().stdout.no_fnmatch_line("replies: *")


@pytest.mark.parametrize("skip", ["mark", "fixture"])
def test_what_another_platform_skips_stays_recorded(pytester, recordable, monkeypatch, skip):
    mark = "@pytest.mark.skipif(bool(os.environ.get('ELSEWHERE')), reason='no such sensor')\n"
    source = f"""
import os

@pytest.fixture
def sensor():
    if os.environ.get("ELSEWHERE"): pytest.skip("no such sensor")

{mark if skip == "mark" else ""}@pytest.mark.mipro(threshold=0.5)
def test_sensor({"sensor" if skip == "fixture" else ""}): assert echo(text="warm") == "warm"

@pytest.mark.mipro(threshold=0.5)
@pytest.mark.parametrize("text", ["one", "two"])
def test_echo(text): assert echo(text=text) == text
"""
    recordable(source)
    pytester.runpytest(RECORD)
    monkeypatch.setenv("ELSEWHERE", "1")
    recordable(source.replace('["one", "two"]', '["one"]'))
    result = pytester.runpytest(RECORD)
    result.stdout.fnmatch_lines(["test_desk.replies.jsonl: 2 replies recorded, 1 removed"])
    monkeypatch.delenv("ELSEWHERE")
    assert pytester.runpytest(REPLAY).ret == 0
