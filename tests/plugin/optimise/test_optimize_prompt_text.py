"""A pipeline with its own client and a prompt in a file: optimised, recorded, replayed offline."""

from __future__ import annotations

import json
from pathlib import Path

import openai  # noqa: F401 - imported here, or each run inside a test imports its own
import pytest
from lm_stub import Stub
from optimize_project import LOCK, optimize, run, write_project

TEXT = """You count for {company}. Say whether the number is odd. Keep {"a": 1} and {{this}}.
"""
OPENAI = """
client = openai.OpenAI(base_url=os.environ["STUB"] + "/v1", api_key="none")

def ask(messages):
    return client.chat.completions.create(
        model="m", messages=messages, max_tokens=9, temperature=0
    )
"""
PROGRAM = """
import os
import openai
from pytest_mipro import prompt_text

TEXT = prompt_text("prompts/parity.md")

def parity(number):
    messages = [
        {"role": "system", "content": TEXT.format(company="Finch")},
        *TEXT.demos_as_messages(),
        {"role": "user", "content": f"<number>\\n{number}\\n</number>"},
    ]
    return ask(messages).choices[0].message.content
"""
TESTS = """
@pytest.mark.mipro(threshold=0.1)
@pytest.mark.parametrize("number", range(40))
def test_parity(number):
    assert parity(str(number)) == ("odd" if number % 2 else "even")
"""
PROPOSED = 'return f"Look carefully at the last digit, way {way}."'
KEEPS = 'return f"Look carefully at the last digit, way {way}, for {{company}}."'
DROPS = PROPOSED.replace("{way}.", "{way}, for {{customer}}.")


def answer(messages: list[dict[str, str]]) -> str:
    """Know each number with demos or a careful instruction, else every other one."""
    number = int(messages[-1]["content"].split()[1])
    taught = len(messages) > 2 or "carefully" in messages[0]["content"]
    right = taught or number % 4 > 1
    return "odd" if bool(number % 2) == right else "even"


@pytest.fixture
def project(pytester: pytest.Pytester, server: Stub) -> pytest.Pytester:
    server.answers = answer
    write_project(pytester, TESTS)
    (pytester.path / "pipeline.py").write_text(PROGRAM + OPENAI)
    path = pytester.mkdir("prompts") / "parity.md"
    path.write_text(TEXT)
    change(pytester.path / "conftest.py", PROPOSED, KEEPS)
    return pytester


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_it_is_optimised_in_its_own_format_and_replayed_without_a_socket(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, server: Stub
) -> None:
    result = optimize(project)
    result.stdout.fnmatch_lines(["plan * 1 module: parity.md", "*wrote prompts/parity.md*"])
    written = (project.path / "prompts/parity.md").read_text()
    sent = [body["messages"] for _, body, _ in server.asked]
    assert all("Finch" in messages[0]["content"] for messages in sent)
    assert any(message["role"] == "assistant" for messages in sent for message in messages)
    (module,) = json.loads((project.path / LOCK).read_text())["modules"]
    assert (module["name"], module["prompt_path"]) == ("parity.md", "prompts/parity.md")

    assert run(project, "--mipro-replies=record").ret == 0
    count = server.count
    monkeypatch.setenv("STUB", "http://llm.example.com")
    assert run(project, "--mipro-replies=replay", "--mipro-cache=off").ret == 0
    assert server.count == count

    (project.path / "prompts/parity.md").write_text(written + "Be quick.\n")
    edited = run(project, "--mipro-replies=replay")
    edited.stdout.fnmatch_lines(["*prompts/parity.md*"])


def test_proposals_with_other_placeholders_are_refused_and_counted(
    project: pytest.Pytester,
) -> None:
    change(project.path / "conftest.py", KEEPS, DROPS)
    desk = project.path / "pipeline.py"
    change(desk, "        *TEXT.demos_as_messages(),\n", "")
    result = optimize(project)
    result.stdout.fnmatch_lines(["*3 of 3 proposals unusable: 3 other placeholders*"])
    assert (project.path / "prompts/parity.md").read_text() == TEXT


@pytest.mark.parametrize("place", [True, False])
def test_a_dry_run_after_a_gate_expects_demos_where_they_have_a_place(
    place: bool, project: pytest.Pytester
) -> None:
    if not place:
        change(project.path / "pipeline.py", "        *TEXT.demos_as_messages(),\n", "")
    assert run(project).ret == 0
    told = optimize(project, "--mipro-dry-run").stdout.str()
    assert "LM calls    the last gate run made 40 " in told
    assert ("without new demos" in told) is place
    # 8 training rows for the second round's proposals; failing ones are attempted for demos alone
    assert f"bootstrap  {24 if place else 8} calls" in told


def test_without_a_place_for_demos_none_are_searched(project: pytest.Pytester) -> None:
    change(project.path / "pipeline.py", "        *TEXT.demos_as_messages(),\n", "")
    result = optimize(project)
    result.stdout.fnmatch_lines(["round 1     parity.md * 1 demo set of 0 passing rows"])
    written = (project.path / "prompts/parity.md").read_text()
    assert written.startswith("Look carefully at the last digit, way ")
    assert written.endswith(", for {company}.\n")


def test_demos_in_the_text_s_own_place(project: pytest.Pytester, server: Stub) -> None:
    change(project.path / "pipeline.py", "        *TEXT.demos_as_messages(),\n", "")
    change(project.path / "conftest.py", KEEPS, 'return f"Look {{company}}. {{demos}} {way}"')
    (project.path / "prompts/parity.md").write_text("Count for {company}.\n\n{demos}\n")
    server.answers = lambda messages: answer([*messages] * (1 + ("<example>" in str(messages))))
    result = optimize(project)
    result.stdout.fnmatch_lines(["*wrote prompts/parity.md*"])
    front, text = (project.path / "prompts/parity.md").read_text().split("---\n")[1:]
    assert front.startswith("demos:\n- case: ")
    assert "    company: Finch\n" in front
    assert "{demos}" in text


def test_a_variant_is_planned_searched_and_written_as_its_own_file(
    project: pytest.Pytester,
) -> None:
    tests = project.path / "test_numbers.py"
    change(tests, "    assert parity(", "    with variant('acme'):\n        assert parity(")
    tests.write_text("from pytest_mipro import variant\n" + tests.read_text())
    assert run(project).ret == 0
    dry = optimize(project, "--mipro-dry-run")
    dry.stdout.fnmatch_lines(
        ["modules     parity.md@acme", "LM calls    the last gate run made 40 *"]
    )
    result = optimize(project)
    result.stdout.fnmatch_lines(
        ["round 1     parity.md@acme *instructions*", "*wrote prompts/parity@acme.md*"]
    )
    assert (project.path / "prompts/parity.md").read_text() == TEXT
    gate = run(project)
    gate.stdout.fnmatch_lines(["*variant acme: its own prompt for parity.md*"])
    (module,) = json.loads((project.path / LOCK).read_text())["modules"]
    assert (module["name"], module["prompt_path"]) == ("parity.md@acme", "prompts/parity@acme.md")


def test_a_text_made_at_import_is_told(project: pytest.Pytester) -> None:
    desk = project.path / "pipeline.py"
    change(desk, 'TEXT.format(company="Finch")}', "SYSTEM}")
    desk.write_text(desk.read_text() + '\nSYSTEM = TEXT.format(company="Finch")\n')
    result = optimize(project)
    result.stdout.fnmatch_lines(["*parity.md:1: prompt text 'parity.md': *made outside the case*"])


def test_a_missing_file_is_one_clear_error(project: pytest.Pytester) -> None:
    (project.path / "prompts/parity.md").unlink()
    result = run(project)
    result.stdout.fnmatch_lines(["*prompt_text: there is no file *parity.md; write the text*"])
