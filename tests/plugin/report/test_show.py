"""`--mipro-show`: each call of a case in full, on the terminal, as JSON and in JUnit XML."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from typing import Any

import pytest
from gate_project import LOCK, TESTS, write_gate, write_prompt


def report(pytester: pytest.Pytester) -> Any:
    return json.loads((pytester.path / "out.json").read_text(encoding="utf-8"))


def trace(pytester: pytest.Pytester, case: str = "one") -> list[dict[str, Any]]:
    """Return the calls of a case as the JSON report has them."""
    (test,) = report(pytester)["studies"][0]["tests"]
    return next(each["trace"] for each in test["cases"] if each["id"] == f"test_say[{case}]")


def test_a_call_shows_its_messages_its_reply_and_what_it_took(pytester):
    write_gate(pytester)
    result = pytester.runpytest("-k", "two", "--mipro-show")
    result.stdout.fnmatch_lines(
        [
            "-* mipro: test_words.py::test_say?two? -*",
            "score 0",
            "feedback: got 'two', wanted 'TWO'",
            "call 1 of 1: pipeline.say, test/fake: live, 0.00 s, * tokens (* + 1)",
            "--- parameters ---",
            '{"temperature": 0}',
            "--- system ---",
            "Say the word.",
            "--- user ---",
            "<text>",
            "two",
            "</text>",
            "--- reply ---",
            "two",
            "--- parsed ---",
            '"two"',
            "-* mipro: test_words.py -*",
        ]
    )
    result.stdout.no_fnmatch_line("*what the modules gave*")  # said above
    pytester.runpytest("-k", "two", "--mipro-show").stdout.fnmatch_lines(
        ["call 1 of 1: pipeline.say, test/fake: cached, *"]
    )


def test_the_score_in_the_lock_stands_beside_that_of_now(pytester):
    write_gate(pytester)
    pytester.runpytest("--mipro-update-lock")
    assert (pytester.path / LOCK).exists()
    write_prompt(pytester, "Say the word loudly.")
    result = pytester.runpytest("-k", "two", "--mipro-show", "--mipro-json=out.json")
    result.stdout.fnmatch_lines(["score 1; 0 in the lock", "Say the word loudly."])
    (test,) = report(pytester)["studies"][0]["tests"]
    assert [case["locked_score"] for case in test["cases"]] == [0.0]


def test_what_was_said_before_the_prompt_changed_stands_beside_the_reply(pytester):
    write_gate(pytester)
    pytester.runpytest("--mipro-replies=record")
    result = pytester.runpytest("-k", "two", "--mipro-show")
    result.stdout.fnmatch_lines(["--- recorded reply of 20* ---", "the same"])
    write_prompt(pytester, "Say the word loudly.")
    result = pytester.runpytest("-k", "two", "--mipro-show", "--mipro-json=out.json")
    result.stdout.fnmatch_lines(["--- reply ---", "TWO", "--- recorded reply of 20* ---", "two"])
    (call,) = trace(pytester, "two")
    assert (call["reply"], call["before"], call["recorded"][:2]) == ("TWO", "two", "20")


def test_a_fresh_run_shows_the_recorded_reply_and_needs_none(pytester):
    write_gate(pytester)
    pytester.runpytest("--mipro-replies=record")
    args = ("-k", "two", "--mipro-show", "--mipro-replies=fresh")
    pytester.runpytest(*args).stdout.fnmatch_lines(["--- recorded reply of 20* ---", "the same"])
    (pytester.path / "test_words.replies.jsonl").write_text("damaged")
    result = pytester.runpytest(*args)
    result.stdout.fnmatch_lines(["--- parsed ---"])
    result.stdout.no_fnmatch_line("*recorded reply*")


@pytest.mark.parametrize("workers", ["-n0", "-n1"])
def test_the_report_holds_the_same_as_data(pytester, workers):
    pytest.importorskip("xdist")
    write_gate(pytester)
    pytester.runpytest("--mipro-show", "--mipro-json=out.json", workers)
    (call,) = trace(pytester)
    assert (call["module"], call["model"], call["sample"]) == ("pipeline.say", "test/fake", 0)
    assert [message["role"] for message in call["messages"]] == ["system", "user"]
    assert call["messages"][1]["content"] == "<text>\none\n</text>"
    assert (call["reply"], call["output"], call["error"]) == ("ONE", "ONE", "")
    assert (call["parameters"], call["cached"], call["requests"]) == ({"temperature": 0}, False, 1)


def test_without_the_option_no_call_is_kept(pytester):
    write_gate(pytester)
    result = pytester.runpytest("--mipro-json=out.json", "--junitxml=out.xml")
    assert trace(pytester) == []
    assert "mipro_show" not in (pytester.path / "out.xml").read_text()
    result.stdout.no_fnmatch_line("*--- system ---*")


def test_junit_has_the_calls_as_the_text_of_a_property(pytester):
    write_gate(pytester)
    pytester.runpytest("-k", "two", "--mipro-show", "--junitxml=out.xml")
    (text,) = (
        str(entry.get("value"))
        for entry in ET.parse(pytester.path / "out.xml").getroot().iter("property")
        if entry.get("name") == "mipro_show"
    )
    assert text.startswith("call 1 of 1: pipeline.say, test/fake: live")
    assert "\n\n--- reply ---\ntwo\n\n--- parsed ---\n" in text


def test_control_characters_are_shown_and_not_sent(pytester):
    write_gate(pytester, words=("one", "bad=\x1b[2Jdark\r"))
    result = pytester.runpytest("-k", "bad", "--mipro-show", "--junitxml=out.xml")
    result.stdout.fnmatch_lines([r"\x1b?2Jdark\r"])
    shown = result.stdout.str().partition("mipro: test_words.py::")[2].partition("\n====")[0]
    assert shown
    assert "\x1b[2J" not in shown  # what pytest itself prints after it is not ours
    assert r"\x1b[2Jdark\r" in (pytester.path / "out.xml").read_text()


def test_credentials_are_hidden(pytester, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-proj-0123456789abcdefghij")
    tests = TESTS.replace(" == text.upper()", "")
    write_gate(pytester, tests, words=("one", "key=sk-proj-0123456789abcdefghij"))
    result = pytester.runpytest("-k", "key", "--mipro-show", "--junitxml=out.xml")
    result.stdout.fnmatch_lines(["<text>", "?hidden?"])
    assert "0123456789" not in result.stdout.str()
    assert "0123456789" not in (pytester.path / "out.xml").read_text()


def test_a_corrective_retry_shows_the_first_reply_and_its_correction(pytester, desk):
    desk(
        "@pytest.mark.mipro(threshold=0.5)\n"
        "@pytest.mark.parametrize('text', ['none', '7'])\n"
        "def test_number(text): assert number(text=text) == 7\n"
    )
    pytester.runpytest("--mipro-show", "--mipro-json=out.json").stdout.fnmatch_lines(
        [
            "call 1 of 1: pipeline.number, test/echo: 2 requests, live, *",
            "--- assistant ---",
            "none",
            "--- user ---",
            "Your reply could not be used: *",
            "--- reply ---",
            "Your reply could not be used: *",
            "--- error ---",
            "LM module 'pipeline.number': the reply can't be used, also after one correction: *",
        ]
    )
    (test,) = report(pytester)["studies"][0]["tests"]
    (call,) = next(case["trace"] for case in test["cases"] if "none" in case["id"])
    assert (call["output"], call["requests"]) == (None, 2)


def test_a_call_without_a_reply_shows_its_error(pytester):
    write_gate(pytester, words=("one", "down"))
    pytester.runpytest("-k", "down", "--mipro-show").stdout.fnmatch_lines(
        [
            "no score",
            "error: the endpoint is down",
            "call 1 of 1: pipeline.say, test/fake: no reply, 0 tokens (0 + 0)",
            "--- error ---",
            "the endpoint is down",
        ]
    )


def test_every_sample_is_shown(pytester):
    write_gate(pytester, TESTS.replace("threshold=0.1", "threshold=0.1, repeats=2"))
    result = pytester.runpytest("-k", "one", "--mipro-show")
    result.stdout.fnmatch_lines(
        ["call 1 of 2: pipeline.say, *", "call 2 of 2 of sample 2: pipeline.say, *"]
    )


def test_a_case_without_calls_says_so(pytester, desk):
    desk("@pytest.mark.mipro(threshold=0.5)\ndef test_none(): pass\n")
    pytester.runpytest("--mipro-show").stdout.fnmatch_lines(["*::test_none -*", "no LM call"])


def test_an_optimisation_shows_no_case(pytester):
    write_gate(pytester)
    result = pytester.runpytest("--mipro-optimize", "--mipro-show")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: *drop --mipro-show, or use it in a plain run*"])


def test_a_failing_case_of_a_part_shows_what_its_modules_gave(pytester, desk):
    desk(
        "@pytest.mark.mipro(threshold=0.1)\n"
        "@pytest.mark.parametrize('text', ['7', '8'])\n"
        "def test_number(text): assert number(text=echo(text=text)) == 7\n"
    )
    section = ["-* mipro: what the modules gave -*", "- pipeline.echo: 8", "- pipeline.number: 8"]
    pytester.runpytest("-k", "8").stdout.fnmatch_lines(section)
    result = pytester.runpytest()  # a verdict shows a missed case by itself
    result.stdout.no_fnmatch_line("*what the modules gave*")


def test_what_the_modules_gave_is_printable(pytester):
    write_gate(pytester, words=("one", "bad=\x1b[2Jdark"))
    result = pytester.runpytest("-k", "bad")
    result.stdout.fnmatch_lines([r"- pipeline.say: \x1b?2Jdark"])
