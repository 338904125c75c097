"""Replies that were cut, empty or refused: counted, told in one line, and in the JSON report."""

from __future__ import annotations

import json
import re

import pytest
from gate_project import write_gate
from optimize_project import live_calls, optimize, run, write_project

from pytest_mipro.plugin.replies.troubles import describe_troubles

MODEL = """
import pytest
from dataclasses import replace
from pytest_mipro.errors import ContextWindowError, RefusalError
from pytest_mipro.runtime.client.contract import ScriptedClient

class Client(ScriptedClient):
    async def complete(self, request):
        word = request.messages[-1].content.split()[1]
        if word == "rude":
            raise RefusalError("no")
        if word == "long":
            raise ContextWindowError("too long")
        reply = await super().complete(request)
        ends = {"cut": "length", "odd": "tool_calls"}
        text = "" if word == "empty" else reply.text
        return replace(reply, text=text, finish_reason=ends.get(word, "stop"))

def pytest_mipro_client(config):
    return Client(lambda request: "ONE")
"""
WORDS = ("one", "cut", "empty", "rude", "long", "odd")
LINE = (
    "mipro: replies: 1 cut at the output limit (pipeline.say 1), 1 empty (pipeline.say 1), "
    "1 ended by 'tool_calls' (pipeline.say 1), 1 longer than the model's context window "
    "(pipeline.say 1), 1 refused (pipeline.say 1)"
)


@pytest.mark.parametrize("arguments", [[], ["-q"], ["-qq"], ["-n1"]])
def test_a_gate_tells_them_in_one_line(pytester, arguments):
    write_gate(pytester, words=WORDS)
    pytester.makeconftest(MODEL)
    result = pytester.runpytest_inprocess("--mipro-json=r.json", *arguments)
    assert result.outlines.count(LINE) == 1
    (study,) = json.loads((pytester.path / "r.json").read_text())["studies"]
    assert [one["replies"] for one in study["troubles"]] == [1] * 5
    assert {one["what"] for one in study["troubles"]} >= {"cut at the output limit", "refused"}


def test_nothing_is_told_where_all_is_well(pytester):
    write_gate(pytester, words=("one",))
    pytester.makeconftest(MODEL)
    pytester.runpytest_inprocess().stdout.no_fnmatch_line("mipro: replies*")


def test_recorded_troubles_are_told_in_a_replay(pytester):
    write_gate(pytester, words=("one", "cut"))
    pytester.makeconftest(MODEL)
    pytester.runpytest_inprocess("--mipro-replies=record")
    result = pytester.runpytest_inprocess("--mipro-replies=replay", "-q")
    result.stdout.fnmatch_lines(["mipro: replies: 1 cut at the output limit (pipeline.say 1)"])


CUT = """
_ask = Client.complete

async def complete(self, request):
    from dataclasses import replace
    reply = await _ask(self, request)
    is_task = request.messages[-1].content.startswith("<number>")
    if "123" not in request.messages[-1].content and is_task:
        return reply
    return replace(reply, text="" if not is_task else reply.text, finish_reason="length")

Client.complete = complete
"""


def test_a_quiet_optimisation_tells_verdict_scores_files_and_troubles(pytester):
    write_project(pytester)
    result = optimize(pytester, "-q")
    result.stdout.fnmatch_lines(["test_numbers.py: better; 0.* → *; wrote 2 files; *"])
    assert len(result.outlines) <= 5  # pytest's own are three
    result.stdout.no_fnmatch_line("mipro: replies*")


def test_a_quiet_dry_run_tells_its_plan(pytester):
    write_project(pytester)
    result = optimize(pytester, "-q", "--mipro-dry-run")
    result.stdout.fnmatch_lines(["mipro: test_numbers.py", "rows  *", "dry run *"])


def test_a_lost_proposal_is_told_and_in_the_json_report(pytester):
    write_project(pytester, conftest=CUT)
    result = optimize(pytester, "-q", "--mipro-json=r.json", "--mipro-only=instructions")
    (line,) = (line for line in result.outlines if line.startswith("mipro: replies: "))
    (study,) = json.loads((pytester.path / "r.json").read_text())["optimizations"]
    (trouble,) = study["troubles"]
    assert trouble["module"] == ""
    cut = trouble["replies"]
    assert f"{cut} cut at the output limit (the optimiser's own {cut})" in line
    asked, unusable = study["proposals"]["asked"], study["proposals"]["unusable"]
    assert asked == sum(unusable.values()) > 0
    assert f"{asked} of {asked} proposals unusable: " in line
    result.stdout.fnmatch_lines(["test_numbers.py: nothing better; *; try --mipro-*"])


def test_a_limit_that_ends_the_search_is_told_quietly(pytester):
    write_project(pytester)
    result = optimize(pytester, "-q", "--mipro-max-calls=100")
    result.stdout.fnmatch_lines(["mipro: *the search ended early: *"])


def test_what_troubled_a_study_is_told_where_an_error_ends_it(pytester, monkeypatch):
    monkeypatch.setenv("MIPRO_TEST_CALLS", "60")
    write_project(pytester, conftest=CUT)
    result = optimize(pytester, "-q")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    (line,) = (line for line in result.outlines if line.startswith("mipro: replies: "))
    assert re.search(r"[1-9]\d* cut at the output limit \(", line)
    result.stdout.fnmatch_lines(["*the endpoint is gone; start it again*"])


def test_counts_of_a_kind_are_summed_over_modules() -> None:
    troubles = [("a.b", "empty", 2), ("a.c", "empty", 1), ("a.b", "empty", 1), ("", "refused", 4)]
    text = "4 empty (a.b 3, a.c 1), 4 refused (the optimiser's own 4)"
    assert describe_troubles(troubles) == text
    assert describe_troubles([]) == ""


GARBAGE = """
_reply = Client.complete

async def complete(self, request):
    from dataclasses import replace
    reply = await _reply(self, request)
    is_task = any(m.content.startswith("<number>") for m in request.messages)
    return replace(reply, text="so it is") if is_task else reply

Client.complete = complete
"""


def test_unreadable_replies_are_counted_and_each_is_shown_once(pytester):
    write_project(pytester, conftest=GARBAGE)
    result = run(pytester)
    result.stdout.fnmatch_lines(
        ["mipro: replies: 40 unreadable, also after a correction (pipeline.parity 40)"]
    )
    text = " ".join(result.stdout.str().split())
    assert text.count("LM module 'pipeline.parity': the reply can't be used") == 5


def test_a_study_of_unreadable_replies_alone_is_not_searched(pytester):
    write_project(pytester, conftest=GARBAGE)
    result = optimize(pytester)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        ["all 40 case runs ended in an unreadable reply, such as *; is this the right model or *"]
    )
    assert live_calls(pytester) == 80
