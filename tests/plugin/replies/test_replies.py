"""--mipro-replies: recording, replaying offline, asking anew, and what must never be recorded."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from pytest_mipro.plugin.replies.recording import is_other_model

RECORD, REPLAY, FRESH = (f"--mipro-replies={mode}" for mode in ("record", "replay", "fresh"))
WORKERS = pytest.mark.parametrize("workers", ["-n0", "-n1"])
# Where it matters that a request, or a file, is one for all workers.
SEVERAL_WORKERS = pytest.mark.parametrize("workers", ["-n0", "-n2"])

SOURCE = """
@pytest.mark.mipro(threshold=0.5)
@pytest.mark.parametrize("text", {texts!r})
def test_echo(text): assert echo(text=text) == text

@pytest.mark.mipro(threshold=0.5, repeats=2)
@pytest.mark.parametrize("text", ["again", "anew"])
async def test_later(text): assert await echo_later(text=text)
"""
TEXTS = ["one", "two", "three"]
# Notes each request in a file that all workers share; says what REPLY does of the text.
CLIENT = """
import os, pytest
from pathlib import Path
from pytest_mipro.errors import EndpointError, MissingKeyError
from pytest_mipro.runtime.client.contract import ScriptedClient

def reply(request):
    text = request.messages[-1].content.removeprefix("<text>\\n").removesuffix("\\n</text>")
    if os.environ.get("NO_KEY"):
        raise MissingKeyError("set the environment variable ECHO_API_KEY")
    if text == "down":
        raise EndpointError("the endpoint is down")
    with Path("asked.txt").open("a") as file:
        file.write(text.replace("\\n", " ") + "\\n")
    return {reply}

def pytest_mipro_client(config):
    return ScriptedClient(reply)
"""


@pytest.fixture
def recordable(pytester, desk):
    """Write the desk with a client that counts its calls for all workers."""

    def write(source: str = SOURCE.format(texts=TEXTS), reply: str = "text", **files: str) -> None:
        desk(source, **files)
        pytester.makeconftest(CLIENT.replace("{reply}", reply))

    return write


def asked(pytester: pytest.Pytester) -> list[str]:
    """Return what was asked of the model since the last time."""
    path = pytester.path / "asked.txt"
    texts = path.read_text().splitlines() if path.exists() else []
    path.unlink(missing_ok=True)
    return sorted(texts)


def file_of(pytester: pytest.Pytester, name: str = "test_desk") -> Path:
    return pytester.path / f"{name}.replies.jsonl"


def entries(pytester: pytest.Pytester, name: str = "test_desk") -> list[dict[str, object]]:
    lines = file_of(pytester, name).read_text(encoding="utf-8").splitlines()
    assert json.loads(lines[0]) == {"schema_version": 2}
    return [json.loads(line) for line in lines[1:]]


def cases(pytester: pytest.Pytester, name: str = "test_desk") -> list[str]:
    return [str(entry["case"]) for entry in entries(pytester, name)]


def forget_the_cache(pytester: pytest.Pytester) -> None:
    shutil.rmtree(pytester.path / ".mipro", ignore_errors=True)


# Recording


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
    result = pytester.runpytest(workers, REPLAY)
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


@WORKERS
@pytest.mark.parametrize("selection", [("-k", "four"), ("test_desk.py::test_echo",)])
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


# Replaying


@WORKERS
@pytest.mark.parametrize(
    ("texts", "change"),
    [
        (["one", "four"], "replies of this module, but none for this case or these inputs"),
        (["one"], "a change of the inputs (line 2 is now 'ONE')"),
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
    result = pytester.runpytest_subprocess(REPLAY)
    text = " ".join(result.stdout.str().split())
    assert "before a change of the instruction or output format; run" in text


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


# Where there are recorded replies, and where there is no key


@WORKERS
def test_a_fresh_clone_passes_without_a_key(pytester, recordable, monkeypatch, workers):
    recordable()
    pytester.runpytest(RECORD)
    forget_the_cache(pytester)
    monkeypatch.setenv("NO_KEY", "1")
    result = pytester.runpytest(workers)
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


# Asking anew


@SEVERAL_WORKERS
def test_fresh_asks_each_request_once_more_and_keeps_the_replies(pytester, recordable, workers):
    source = """
@pytest.mark.mipro(threshold=0.5)
@pytest.mark.parametrize("name", list("abcdefgh"))
def test_same(name): assert echo(text="same") == echo(text="same")
"""
    recordable(source, reply="'old'")
    pytester.runpytest(RECORD)
    asked(pytester)
    recordable(source, reply="'new'")
    result = pytester.runpytest(workers, FRESH)
    count = len(asked(pytester))
    assert count == 1 if workers == "-n0" else 1 <= count <= 2  # workers may ask at the same time
    result.stdout.no_fnmatch_line("replies: *")
    assert entries(pytester)[0]["text"] == "old"
    result = pytester.runpytest(RECORD)
    result.stdout.fnmatch_lines(["*: 1 reply recorded, 1 changed"])
    assert entries(pytester)[0]["text"] == "new"
    assert asked(pytester) == []


@pytest.mark.parametrize("mode", ["auto", "replay"])
def test_the_age_of_old_replies_is_told(pytester, recordable, mode):
    recordable()
    pytester.runpytest(RECORD)
    path = file_of(pytester)
    path.write_text(re.sub(r'"asked": "[^"]*"', '"asked": "2025-12-24"', path.read_text(), count=1))
    result = pytester.runpytest(f"--mipro-replies={mode}")
    result.stdout.re_match_lines(
        [r"replies: 7 of 7 replies recorded, the oldest asked on 2025-12-24, \d+ days ago"]
    )


def test_a_fresh_optimisation_says_what_it_gives_up(pytester, recordable):
    recordable()
    result = pytester.runpytest("--mipro-optimize", FRESH, "--mipro-trials=1")
    result.stdout.fnmatch_lines(["mipro: replies are requested again (--mipro-replies=fresh): *"])


# Secrets


CANARY = "canary-key-0815"
ECHOES = ("{}", "{}[::-1]", "{}.upper()", "{}.encode().hex()", "{}[:12]")


@pytest.mark.parametrize(
    ("workers", "mode", "echo"),
    [
        *(("-n0", "auto", echo) for echo in ECHOES),
        ("-n0", "record", ECHOES[0]),
        ("-n1", "auto", ECHOES[0]),
    ],
)
def test_a_reply_that_echoes_a_key_is_an_error_and_kept_nowhere(
    pytester, recordable, monkeypatch, workers, mode, echo
):
    monkeypatch.setenv("DESK_API_KEY", CANARY)
    key = echo.format("os.environ['DESK_API_KEY']")
    recordable(
        "@pytest.mark.mipro\n@pytest.mark.parametrize('n', ['one', 'two'])\n"
        "def test_two(n): echo(text=n)",
        reply=f"text + {key} if text == 'two' else text",
    )
    result = pytester.runpytest(workers, f"--mipro-replies={mode}")
    assert result.ret == 1
    said = " ".join(result.stdout.str().split())
    assert "echoed a credential, that of DESK_API_KEY, in its reply" in said
    assert asked(pytester) == ["one", "two"]
    for path in pytester.path.rglob("*"):
        if path.is_file() and path.suffix not in {".ini", ".pyc", ".py"}:
            assert b"canary" not in path.read_bytes().lower(), path
    assert "canary" not in result.stdout.str().lower()
    pytester.runpytest(workers, f"--mipro-replies={mode}")
    assert asked(pytester) == ["two"]  # the good reply is kept, the other one is not


def test_a_key_that_the_cache_holds_is_not_recorded(pytester, recordable, monkeypatch):
    recordable("@pytest.mark.mipro\ndef test_it(): echo(text='one')", reply=f"text + {CANARY!r}")
    assert pytester.runpytest().ret == 0
    monkeypatch.setenv("DESK_API_KEY", CANARY)
    result = pytester.runpytest(RECORD)
    assert "echoed a credential" in result.stdout.str()
    assert not file_of(pytester).exists() or not entries(pytester)


def test_values_that_are_no_secrets_change_nothing(pytester, recordable, monkeypatch):
    for name, value in {
        "PGPASSWORD": "postgres",
        "SORT_KEY": "delivery",
        "OPENAI_API_KEY": "none",
        "PARTITION_KEY": "queue2-of-desk7",
    }.items():
        monkeypatch.setenv(name, value)
    texts = ["postgres", "delivery", "none", "queue2-of-desk7", "sk-proj-0123456789abcdef"]
    recordable(
        f"@pytest.mark.mipro(threshold=1.0)\n@pytest.mark.parametrize('n', {texts})\n"
        "def test_all(n): assert echo(text=n) == n"
    )
    assert pytester.runpytest("--mipro-json=out.json", RECORD).ret == 0
    assert sorted(str(entry["text"]) for entry in entries(pytester)) == sorted(texts)
    ids = {
        case["id"]
        for case in json.loads((pytester.path / "out.json").read_text())["studies"][0]["tests"][0][
            "cases"
        ]
    }
    assert {f"test_all[{text}]" for text in texts[:4]} <= ids
    forget_the_cache(pytester)
    assert pytester.runpytest(REPLAY).ret == 0


HOOK = """
def pytest_mipro_redact(config, text):
    return text.replace({old!r}, {new!r}) if config and {old!r} in text else None
"""


@WORKERS
def test_hooks_change_what_is_recorded_and_measured(pytester, recordable, workers):
    recordable(
        "@pytest.mark.mipro\ndef test_it(): assert echo(text='Ms Smith') == '[person] y x'",
        reply="text + ' z x'",
    )
    conftest = pytester.path / "conftest.py"
    conftest.write_text(conftest.read_text() + HOOK.format(old="Ms Smith", new="[person]"))
    pytester.makepyfile(more=HOOK.format(old="[person] z", new="[person] y"))
    assert pytester.runpytest(workers, RECORD, "-p", "more").ret == 0
    assert [entry["text"] for entry in entries(pytester)] == ["[person] y x"]


@pytest.mark.parametrize(("body", "told"), [("return 7", "must return"), ("1/0", "raised Zero")])
def test_a_wrong_hook_is_told(pytester, recordable, body, told):
    recordable("@pytest.mark.mipro\ndef test_it(): echo(text='one')")
    conftest = pytester.path / "conftest.py"
    conftest.write_text(conftest.read_text() + f"\ndef pytest_mipro_redact(text): {body}")
    result = pytester.runpytest(RECORD)
    assert result.ret == 1
    assert f"pytest_mipro_redact of {conftest} {told}" in " ".join(result.stdout.str().split())
    assert not file_of(pytester).exists() or not entries(pytester)


# What no replay asks for again


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


@WORKERS
@pytest.mark.parametrize(("kind", "call"), [("def", "echo"), ("async def", "await echo_later")])
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


def test_a_case_whose_fixture_serves_one_call_is_not_called_twice(pytester, recordable):
    source = CLOCK.format(more="MORE", kind="def", call="echo", fixture=", box")
    recordable(source.replace("MORE", ""))
    result = pytester.runpytest(RECORD)
    result.stdout.no_fnmatch_line("not replayable*")
    result.stdout.fnmatch_lines(["2 cases not checked for clocks and random ids: *"])
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


# Calls outside cases


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
    assert pytester.runpytest(workers, REPLAY).ret == 0
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


# Broken files


@pytest.mark.parametrize("mode", ["auto", "record", "replay"])
@WORKERS
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


@pytest.mark.parametrize(
    ("asked", "served", "other"),
    [
        ("openai/gpt-4o", "gpt-4o-2024-08-06", False),
        ("anthropic/claude-3-5-haiku-latest", "claude-3-5-haiku-20241022", False),
        ("openai/gpt-4o", "gpt-3.5-turbo-0125", True),
        ("openai/gpt-4o", "", False),
        ("hosted_vllm/meta/Llama-3", "llama-3", False),
        ("gemini/gemini-1.5-flash", "gemini-1.5-flash-002", False),
        ("gemini/gemini-2.5-pro-preview", "gemini-2.5-pro-preview-05-06", False),
        ("bedrock/us.anthropic.claude-3-haiku-20240307-v1:0", "claude-3-haiku-20240307", False),
        ("openai/gpt-4o", "gpt-4o-mini-2024-07-18", True),
        ("openai/gpt-4o-mini", "gpt-4o", True),
        ("openai/gpt-4", "gpt-4.1", True),
        ("together_ai/llama-3-405b", "llama-3-900b", True),
        ("openai/gpt-4", "gpt-4-32k", True),
        ("anthropic/claude-opus-4-1", "claude-opus-4-20250514", True),
        ("openrouter/meta-llama/llama-3-8b", "meta-llama/llama-3-70b", True),
    ],
)
def test_another_model_is_told_from_a_version(asked, served, other):
    assert is_other_model(asked, served) is other


@pytest.mark.parametrize("name", ["m" * 99_999, "-111" + "1" * 99 + "a", "a." * 50_000, "-1" * 999])
def test_a_strange_model_name_takes_no_time(name):
    assert is_other_model("openai/gpt-4o", name)


def test_a_served_model_other_than_the_asked_one_is_told(pytester, recordable):
    recordable()
    conftest = pytester.path / "conftest.py"
    other = """
class Other(ScriptedClient):
    async def complete(self, request):
        from dataclasses import replace
        return replace(await super().complete(request), model="tiny-1")

def pytest_mipro_client(config):
    return Other(reply)
"""
    conftest.write_text(conftest.read_text() + other)
    for _ in range(2):
        result = pytester.runpytest()
        result.stdout.fnmatch_lines(["asked test/echo, served by tiny-1: scores are the latter's"])
