"""A pipeline with an `openai` client of its own: gated, recorded, replayed, bounded and billed."""

from __future__ import annotations

import json
import os

import litellm  # noqa: F401 - imported within an inner run, it would break metadata for the next one
import openai  # noqa: F401
import pytest
from lm_stub import Stub, stub

KEY = "sk-proj-0123456789abcdefghij"
PIPELINE = f"""
import os
import openai

client = openai.OpenAI(base_url=os.environ["STUB"] + "/v1", api_key="{KEY}")

def say(text, **more):
    messages = [{{"role": "system", "content": "Repeat."}}, {{"role": "user", "content": text}}]
    reply = client.chat.completions.create(
        model="m", messages=messages, max_tokens=20, temperature=0, **more
    )
    return reply.choices[0].message.content
"""
TESTS = """
import pytest
from pytest_mipro import cases
from pipeline import say

@pytest.mark.mipro(threshold=0.5)
@pytest.mark.parametrize("text", ["one", "two", "three"])
def test_say(text):
    assert say(text) == f"user said {text}"
"""
REPLIES = "test_say.replies.jsonl"


@pytest.fixture
def project(pytester: pytest.Pytester, server: Stub) -> pytest.Pytester:
    pytester.makeini("[pytest]\npythonpath = .\nmipro_prices =\n    m 1 2\n")
    pytester.makepyfile(pipeline=PIPELINE, test_say=TESTS)
    return pytester


def run(project: pytest.Pytester, *options: str) -> pytest.RunResult:
    return project.runpytest_inprocess("-p", "no:randomly", *options)


def test_each_call_is_made_once_and_answered_by_the_cache_afterwards(
    project: pytest.Pytester, server: Stub
) -> None:
    run(project).assert_outcomes(passed=4)
    assert server.count == 3
    run(project).assert_outcomes(passed=4)
    assert server.count == 3


def test_what_is_recorded_is_replayed_without_the_endpoint(
    project: pytest.Pytester, server: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(project, "--mipro-replies=record").assert_outcomes(passed=4)
    text = (project.path / REPLIES).read_text()
    assert len(text.splitlines()) == 1 + 3
    monkeypatch.setenv("STUB", "http://llm.example.com")
    run(project, "--mipro-replies=replay", "--mipro-cache=off").assert_outcomes(passed=4)
    assert server.count == 3


def test_a_call_that_is_not_recorded_is_an_error_and_leaves_the_machine_not(
    project: pytest.Pytester, server: Stub
) -> None:
    run(project, "--mipro-replies=record")
    (project.path / "test_say.py").write_text(TESTS.replace('"three"', '"four"'))
    result = run(project, "--mipro-replies=replay")
    result.stdout.fnmatch_lines(["*own client has no recorded reply*"])
    assert server.count == 3


def test_no_key_and_no_header_is_kept(project: pytest.Pytester) -> None:
    run(project, "--mipro-replies=record", "--mipro-json=report.json").assert_outcomes(passed=4)
    for path in project.path.rglob("*"):
        if path.is_file() and path.name not in ("pipeline.py", "pipeline.cpython-311.pyc"):
            content = path.read_bytes()
            assert b"0123456789abcdefghij" not in content, path
            assert b"secret-of-this-answer" not in content, path


def test_the_report_tells_what_the_calls_took(project: pytest.Pytester) -> None:
    run(project, "--mipro-json=report.json")
    text = (project.path / "report.json").read_text()
    assert '"own client"' in text
    (usage,) = json.loads(text)["studies"][0]["modules"]
    assert usage["calls"] == 3
    assert usage["cost"] == pytest.approx(3 * (7 + 2 * 3) / 1e6)


def test_a_failing_endpoint_is_an_error_though_the_pipeline_swallows_it(
    project: pytest.Pytester, server: Stub
) -> None:
    server.faults = lambda _: (500, {"retry-after": "0"})
    tests = TESTS.replace(
        'assert say(text) == f"user said {text}"',
        "try:\n        say(text)\n    except Exception:\n        pass",
    )
    (project.path / "test_say.py").write_text(tests)
    result = run(project)
    result.stdout.fnmatch_lines(["*failed 6 times, at last with 500: a fault of 500*"])
    assert result.ret == 1


def test_a_fault_that_the_client_gets_over_by_itself_costs_no_score(
    project: pytest.Pytester, server: Stub
) -> None:
    server.faults = lambda number: (429, {"retry-after": "0"}) if number == 1 else None
    run(project).assert_outcomes(passed=4)
    assert server.count == 4


def test_what_changes_in_each_run_is_told_by_a_recording(project: pytest.Pytester) -> None:
    pipeline = project.path / "pipeline.py"
    changed = pipeline.read_text().replace('"Repeat."', 'f"Repeat, {os.urandom(4).hex()}."')
    pipeline.write_text(changed)
    result = run(project, "--mipro-replies=record")
    wanted = "*not replayable: *, the pipeline's own client: in a second run 'Repeat, *' became *"
    result.stdout.fnmatch_lines([wanted])


def test_what_changes_in_a_call_without_messages_is_told_too(
    project: pytest.Pytester, server: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = """
import itertools, os, httpx
number = itertools.count()

def say(text):
    body = {"model": "m", "query": f"{text} {next(number)}", "documents": [text] * 40}
    httpx.post(os.environ["STUB"] + "/v2/completions", json=body)
    return f"user said {text}"
"""
    project.makepyfile(pipeline=source)
    server.reply = "ranked"
    result = run(project, "--mipro-replies=record")
    result.stdout.fnmatch_lines(
        ["not replayable: test_say?one?, *: in a second run '*\"query\":\"one 0*' became '*one 1*"]
    )
    assert result.ret == 0


def test_a_request_that_two_endpoints_answer_differently_is_not_recorded(
    project: pytest.Pytester, server: Stub
) -> None:
    with stub() as other:
        other.reply = "otherwise"
        tests = f"""
import pytest
from pipeline import client, say

@pytest.mark.mipro(threshold=0.9)
@pytest.mark.parametrize("url", [{server.url!r}, {other.url!r}], ids=["a", "b"])
def test_say(url):
    client.base_url = url + "/v1"
    assert say("two") == "user said two"
"""
        (project.path / "test_say.py").write_text(tests)
        result = run(project, "--mipro-replies=record")
        assert (server.count, other.count) == (1, 1)
    result.stdout.fnmatch_lines(
        ["not replayable: test_say?a?, *: endpoints answered the same request differently, *"]
    )
    assert not (project.path / REPLIES).exists()
    result = run(project, "--mipro-replies=replay")
    result.assert_outcomes(errors=2, failed=1)


def test_a_request_that_two_endpoints_answer_alike_is_recorded_once(
    project: pytest.Pytester, server: Stub
) -> None:
    with stub() as other:
        tests = TESTS.replace(
            "assert say", f"client.base_url = {other.url!r} + '/v1'\n    assert say"
        )
        tests = tests.replace("import say", "import client, say") + "    client.base_url = URL\n"
        tests += "    assert say(text) == f'user said {text}'\n"
        (project.path / "test_say.py").write_text(f"URL = {server.url!r} + '/v1'\n{tests}")
        result = run(project, "--mipro-replies=record")
        assert (server.count, other.count) == (3, 3)
    result.stdout.no_fnmatch_line("*not replayable*")
    run(project, "--mipro-replies=replay").assert_outcomes(passed=4)


def test_workers_of_xdist_tell_and_record_own_calls(project: pytest.Pytester, server: Stub) -> None:
    run(project, "--mipro-replies=record", "-n", "1").assert_outcomes(passed=4)
    assert len((project.path / REPLIES).read_text().splitlines()) == 1 + 3
    assert server.count == 3


def test_samples_of_a_repeated_case_are_asked_one_by_one(
    project: pytest.Pytester, server: Stub
) -> None:
    tests = TESTS.replace("threshold=0.5", "threshold=0.5, repeats=2")
    (project.path / "test_say.py").write_text(tests)
    for _ in range(2):
        run(project).assert_outcomes(passed=4)
    assert server.count == 6


def test_a_failed_call_of_the_world_stops_no_other_case(
    project: pytest.Pytester, server: Stub
) -> None:
    server.faults = lambda number: (400, {}) if number == 2 else None
    run(project).assert_outcomes(passed=2, errors=1, failed=1)


def test_a_prompt_that_is_too_long_scores_0(project: pytest.Pytester, server: Stub) -> None:
    server.faults = lambda number: (400, {}) if number == 2 else None
    server.message = "This model's maximum context length is 8 tokens"
    result = run(project)
    result.stdout.fnmatch_lines(
        [
            "test_say  0.667 *",
            "2 LM calls: 0 cached, 2 live; 20 tokens; $0.0000",
            "*1 longer than the model's context window (own client 1)",
        ]
    )
    assert result.ret == 0


def test_a_study_of_own_calls_alone_is_locked_and_compared(project: pytest.Pytester) -> None:
    assert run(project, "--mipro-update-lock").ret == 0
    lock = json.loads((project.path / "test_say.mipro.json").read_text())
    assert (lock["modules"], len(lock["cases"])) == ([], 3)
    assert run(project, "--mipro-strict").ret == 0


def test_there_is_nothing_to_optimise_without_a_prompt(project: pytest.Pytester) -> None:
    result = run(project, "--mipro-optimize", "-o", "mipro_model=test/fake")
    result.stdout.fnmatch_lines(["*called no LM module that can be optimised*"])
    assert result.ret == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_call_of_a_forked_process_is_refused(project: pytest.Pytester, server: Stub) -> None:
    forking = """
import os
def forked(text):
    child = os.fork()
    if child == 0:
        try:
            say(text)
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    return f"user said {text}"
"""
    (project.path / "pipeline.py").write_text(PIPELINE + forking)
    (project.path / "test_say.py").write_text(
        TESTS.replace("say(text)", "forked(text)").replace("import say", "import forked")
    )
    result = run(project)
    result.stdout.fnmatch_lines(["*own client was called in a child process of a case*"])
    assert server.count == 0


def test_a_call_is_shown_as_it_went_over_the_wire(project: pytest.Pytester, server: Stub) -> None:
    result = run(project, "--mipro-show", "-k", "two", "--mipro-json=out.json")
    result.stdout.fnmatch_lines(
        [
            "call 1 of 1: own client, m: live, *",
            '{"max_tokens": 20, "temperature": 0*}',
            "--- system ---",
            "Repeat.",
            "--- user ---",
            "two",
            "--- reply ---",
            '{*"user said two"*}',
            "--- parsed ---",
            '"user said two"',
        ]
    )
    (test,) = json.loads((project.path / "out.json").read_text())["studies"][0]["tests"]
    ((call,),) = [case["trace"] for case in test["cases"] if case["trace"]]
    assert (call["module"], call["output"], call["step"]) == ("own client", "user said two", False)
    assert [message["role"] for message in call["messages"]] == ["system", "user"]
