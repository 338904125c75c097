"""`export`: all prompts as messages, in one JSON object."""

from __future__ import annotations

import json
from pathlib import Path

from cli_project import Run


def test_all_modules_or_those_named(desk: Path, command: Run) -> None:
    found = json.loads(command("export").out)
    assert list(found) == ["pipeline.sum_up", "pipeline.route"]
    assert found["pipeline.sum_up"] == [
        {"role": "system", "content": "Say what the customer wants."},
        {"role": "user", "content": "<ticket>\n{ticket}\n</ticket>"},
    ]
    assert list(json.loads(command("export", "route").out)) == ["pipeline.route"]


def test_a_project_without_modules_is_an_error(command: Run) -> None:
    ended = command("export")
    assert (ended.status, ended.out) == (2, "")
    assert "there is no LM module here" in ended.err
