"""docs/files.md: its schemas take what is written, refuse what is not read, and miss no key."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from pages import ROOT, steps

from pytest_mipro.errors import LockError, MiproError, PromptFileError
from pytest_mipro.plugin.collecting.case_files import read_case_file
from pytest_mipro.plugin.config.study_files import StudyFile, study_file
from pytest_mipro.plugin.lock.lock_file import Lock, LockedCase, LockedModule, dump_lock, parse_lock
from pytest_mipro.runtime.client.contract import Message, Reply, Request
from pytest_mipro.runtime.prompts.prompt import Demo, Prompt
from pytest_mipro.runtime.prompts.prompt_file import dump_prompt, parse_prompt
from pytest_mipro.runtime.replies.recorded import RecordedReply, recorded
from pytest_mipro.runtime.replies.replies_file import dump_replies, parse_replies

BLOCKS = [(kind, block) for _, kind, block in steps("files.md")]
SCHEMAS = {one["title"]: one for one in (json.loads(b) for kind, b in BLOCKS if kind == "json")}
LOCK = Lock(
    holdout="0f",
    seed=1,
    logical_calls=9,
    demo_rows=("a.jsonl:1",),
    accepted_as="likely",
    modules=(LockedModule("p.f", "../prompts/p.f.yaml", "a", "b", "c", "m", {"top_p": 1}),),
    cases=(
        LockedCase("t[1]", "t", "a.jsonl:1", "d", 0.5),
        LockedCase("t[2]", "t", "a:2", "d", None),
    ),
)
PROMPT = Prompt("Say it.", (Demo("a.jsonl:1", {"x": "y"}, ["z"], "because"),))
REPLY = recorded("t[1]", "p.f", Request("m", (Message("user", "hi"),)), Reply("yes", asked=1e9))


def check(title: str, data: Any) -> None:
    jsonschema.Draft202012Validator(SCHEMAS[title]).validate(data)


def names(kind: Any) -> set[str]:
    return {item.name for item in fields(kind)}


def test_what_is_written_and_shown_fits_its_schema(tmp_path: Path) -> None:
    for schema in SCHEMAS.values():
        jsonschema.Draft202012Validator.check_schema(schema)
    check("lock", json.loads(dump_lock(LOCK)))
    check("prompt file", yaml.safe_load(dump_prompt("p.f", PROMPT)))
    head, line = dump_replies([REPLY]).splitlines()
    assert f"`{head}`" in (ROOT / "docs/files.md").read_text(encoding="utf-8")
    check("recorded reply", json.loads(line))
    shown = dict(BLOCKS)
    check("prompt file", yaml.safe_load(shown["yaml"]))
    assert parse_prompt(shown["yaml"], tmp_path / "triage.route.yaml").demos
    (tmp_path / "rows.jsonl").write_text(shown["jsonl"], encoding="utf-8")
    for row in read_case_file(tmp_path / "rows.jsonl").rows:
        check("case row", dict(row.columns))


def test_no_key_is_missing() -> None:
    lock, module, case = (
        SCHEMAS["lock"]["properties"][key] for key in ("seed", "modules", "cases")
    )
    assert lock
    top = SCHEMAS["lock"]["properties"].keys() - {"schema_version", "summary", "check"}
    assert top == names(Lock) - {"edited"}
    assert module["items"]["properties"].keys() - {"check"} == names(LockedModule)
    assert case["items"]["properties"].keys() - {"check"} == names(LockedCase)
    assert SCHEMAS["recorded reply"]["properties"].keys() == names(RecordedReply)
    demo = SCHEMAS["prompt file"]["properties"]["demos"]["items"]["properties"]
    assert demo.keys() == names(Demo)


def test_what_a_schema_refuses_is_refused() -> None:
    def refused(title: str, data: Any) -> None:
        with pytest.raises(jsonschema.ValidationError):
            check(title, data)

    lock = json.loads(dump_lock(LOCK))
    for change in ({"more": 1}, {"schema_version": 9}, {"seed": -1}, {"cases": [{"id": "x"}]}):
        refused("lock", lock | change)
        with pytest.raises(LockError):
            parse_lock(json.dumps(lock | change), Path("x.mipro.json"))
    prompt = yaml.safe_load(dump_prompt("p.f", PROMPT))
    for change in ({"more": 1}, {"instruction": " "}, {"demos": [{"inputs": {}}]}):
        refused("prompt file", prompt | change)
        with pytest.raises(PromptFileError):
            parse_prompt(yaml.safe_dump(prompt | change), Path("p.f.yaml"))
    reply = json.loads(dump_replies([REPLY]).splitlines()[1])
    for change in ({"more": 1}, {"usage": [1]}, {"cost": -1}):
        refused("recorded reply", reply | change)
        text = f'{{"schema_version": 2}}\n{json.dumps(reply | change)}\n'
        with pytest.raises(MiproError):
            parse_replies(text, "x.replies.jsonl")


def test_each_folder_of_notes_is_told() -> None:
    page = (ROOT / "docs/files.md").read_text(encoding="utf-8").partition("## .mipro")[2]
    for kind in StudyFile.__args__:  # type: ignore[attr-defined]
        folder = study_file(Path(), kind, "tests/a.mipro.json").parts[0]
        assert f"`{folder}/`" in page, kind
