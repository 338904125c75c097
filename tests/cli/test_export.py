"""`export`: all prompts as messages, in one JSON object."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_project import PIPELINE, Run, write

TRIAGE_INSIDE = """schema_version: 1
module: short.yaml
instruction: |-
  Be short.
  {demos}
demos:
- case: tickets.jsonl:T-1
  inputs:
    user_message: It broke.
  output: bug
"""


def test_all_modules_or_those_named(desk: Path, command: Run) -> None:
    found = json.loads(command("export").out)
    assert list(found) == ["pipeline.sum_up", "pipeline.route"]
    assert found["pipeline.sum_up"] == [
        {"role": "system", "content": "Say what the customer wants."},
        {"role": "user", "content": "<ticket>\n{ticket}\n</ticket>"},
    ]
    assert list(json.loads(command("export", "route").out)) == ["pipeline.route"]


def test_characters_that_are_not_printed_stay_json(
    desk: Path, command: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    said = "A soft\xad hyphen, a\u2060b, \U0001f3f4\U000e0067\u202e, ##[group] ##vso[task.x]"
    write(desk, "desk/pipeline.py", PIPELINE.replace("Say what the customer wants", said))
    out = command("export", "sum_up").out
    assert json.loads(out)["pipeline.sum_up"][0]["content"] == f"{said}."
    assert out.replace("\n", "").isprintable()
    assert "##" not in out


def test_a_text_is_the_system_message_before_the_users(own: Path, command: Run) -> None:
    found = json.loads(command("export").out)
    assert list(found) == ["triage.md", "short.yaml"]
    assert found["triage.md"] == [
        {
            "role": "system",
            "content": 'You route tickets of {company}. Answer like {"queue": "bug"}.',
        },
        {"role": "user", "content": "It broke."},
        {"role": "assistant", "content": "bug"},
        {"role": "user", "content": "{user_message}"},
    ]


def test_demos_stand_where_the_text_wants_them(own: Path, command: Run) -> None:
    write(own, "desk/prompts/short.yaml", TRIAGE_INSIDE)
    ((system, user),) = json.loads(command("export", "short.yaml").out).values()
    assert system["content"].startswith("Be short.\n<example>\nIt broke.\n\nReply:\nbug\n</exam")
    assert user == {"role": "user", "content": "{user_message}"}


def test_a_project_without_modules_is_an_error(command: Run) -> None:
    ended = command("export")
    assert (ended.status, ended.out) == (2, "")
    assert "there is no LM module and no prompt text here" in ended.err
