"""`import dspy`: what `program.save` wrote becomes prompt files; nothing is overwritten."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_project import Run, write

from pytest_mipro.runtime.prompts.prompt import Demo
from pytest_mipro.runtime.prompts.prompt_file import read_prompt


def field(name: str, description: str = "") -> dict[str, str]:
    prefix = f"{name.replace('_', ' ').title()}:"
    return {"prefix": prefix, "description": description or f"${{{name}}}"}


# As release 3.4.1 writes a program of `classify = ChainOfThought(…)`, optimised with both labelled
# and bootstrapped demos, and of `draft = Predict("ticket, queue -> reply, urgent: bool")`.
CLASSIFY = {
    "traces": [],
    "train": [],
    "demos": [
        {"augmented": True, "ticket": "t1", "product": "Till", "reasoning": "r", "queue": "bug"},
        {"ticket": "t2", "product": "Till", "queue": "billing", "extra": 1},
        {"ticket": "t3", "queue": "billing"},
    ],
    "signature": {
        "instructions": "Choose the queue.\nIt's one of two.",
        "fields": [
            field("ticket", "what the customer writes"),
            *(field("product"), field("reasoning"), field("queue", "the queue")),
        ],
    },
    "lm": None,
}
MADE = "Given the fields `ticket`, `queue`, produce the fields `reply`, `urgent`."
DRAFT = {
    "demos": [{"ticket": "a", "queue": "bug", "reply": "hi", "urgent": True}],
    "signature": {
        "instructions": MADE,
        "fields": [field("ticket"), field("queue"), field("reply"), field("urgent")],
    },
    "lm": None,
}
PROGRAM = {
    "classify.predict": CLASSIFY,
    "draft": DRAFT,
    "retrieve": {"k": 3},
    "metadata": {"dependency_versions": {"dspy": "3.4.1"}},
}


@pytest.fixture
def saved(pytester: pytest.Pytester) -> Path:
    write(pytester.path, "pytest.ini", "[pytest]\npythonpath = .\nmipro_model = test/small\n")
    return write(pytester.path, "program.json", json.dumps(PROGRAM))


def test_each_predictor_becomes_a_prompt(saved: Path, command: Run) -> None:
    ended = command("import", "dspy", "program.json", "--into", "app/desk.py")
    assert ended.status == 0, ended.err
    prompts = saved.parent / "app/prompts"
    prompt = read_prompt(prompts / "desk.classify.yaml")
    assert prompt.instruction == "Choose the queue.\nIt's one of two."
    assert prompt.demos == (
        Demo("dspy:classify.predict:1", {"ticket": "t1", "product": "Till"}, "bug", "r"),
        Demo("dspy:classify.predict:2", {"ticket": "t2", "product": "Till"}, "billing"),
    )
    assert "  demo 3 is left out: it lacks product\n" in ended.out
    draft = read_prompt(prompts / "desk.draft.yaml").demos[0]
    assert draft.inputs == {"ticket": "a", "queue": "bug"}
    assert draft.output == {"reply": "hi", "urgent": True}
    assert "left out retrieve: it is no predictor\n" in ended.out


def test_the_printed_modules_use_the_prompts(saved: Path, command: Run) -> None:
    printed = command("import", "dspy", "program.json", "--into", "app/desk.py").out
    code = printed.partition("Add to app/desk.py:\n\n")[2]
    assert "@lm_module(reasoning=True)\ndef classify(ticket: str, product: str) -> str:" in code
    assert "class Draft(TypedDict):\n    reply: str\n    urgent: bool\n" in code
    write(saved.parent, "app/desk.py", code)
    shown = command("show", "app/desk.py")
    assert shown.err == ""
    assert "<reasoning>\nr\n</reasoning>" in shown.out
    assert '{"reply": "hi", "urgent": true}' in shown.out
    assert command("check").status == 0


def test_a_module_that_exists_decides(saved: Path, command: Run) -> None:
    write(
        saved.parent,
        "app/desk.py",
        "from typing import Literal\n"
        "from pytest_mipro import lm_module\n"
        '@lm_module(prompt="p/classify.yaml")\n'
        'def classify(product: str, ticket: str) -> Literal["bug", "other"]: ...\n',
    )
    write(saved.parent, "app/p/classify.yaml", "")
    refused = command("import", "dspy", "program.json", "--into", "app/desk.py")
    assert refused.status == 2
    assert "app/p/classify.yaml is there already; move it away" in refused.err
    (saved.parent / "app/p/classify.yaml").unlink()
    text = (saved.parent / "app/desk.py").read_text().replace("...", '"""Choose."""')
    write(saved.parent, "app/desk.py", text)
    ended = command("import", "dspy", "program.json", "--into", "app/desk.py")
    assert (
        "demo 2 is left out: its output is none of desk.classify ('billing' is none of" in ended.out
    )
    prompt = read_prompt(saved.parent / "app/p/classify.yaml")
    assert [(list(demo.inputs), demo.output) for demo in prompt.demos] == [
        (["product", "ticket"], "bug")
    ]
    assert prompt.demos[0].reasoning is None
    assert "def classify" not in ended.out
    assert "def draft" in ended.out


def test_a_predictor_alone_has_the_name_of_its_file(saved: Path, command: Run) -> None:
    write(saved.parent, "answer.json", json.dumps(DRAFT))
    assert "def answer(ticket: str" in command("import", "dspy", "answer.json").out
    write(saved.parent, "cot.json", json.dumps({"predict": CLASSIFY}))
    assert "def cot(ticket: str" in command("import", "dspy", "cot.json").out
    assert (saved.parent / "prompts/cot.cot.yaml").exists()


def test_a_guess_of_the_outputs_is_said(saved: Path, command: Run) -> None:
    signature = {**DRAFT["signature"], "instructions": "Draft a reply."}
    write(saved.parent, "program.json", json.dumps({"draft": {**DRAFT, "signature": signature}}))
    out = command("import", "dspy", "program.json").out
    assert "took urgent alone for the output, and the other fields for inputs" in out
    assert "def draft(ticket: str, queue: str, reply: str) -> bool:" in out


def test_a_program_of_an_early_release(saved: Path, command: Run) -> None:
    state = {
        "demos": [{"question": "q", "rationale": "r", "answer": "a", "dspy_uuid": "1"}],
        "signature_instructions": "Answer.",
        "extended_signature_instructions": "Answer shortly.",
    }
    write(saved.parent, "old.json", json.dumps({"generate.predict": state}))
    out = command("import", "dspy", "old.json").out
    assert "def generate(question: str) -> str:" in out
    prompt = read_prompt(saved.parent / "prompts/old.generate.yaml")
    assert prompt.instruction == "Answer shortly."
    assert prompt.demos == (Demo("dspy:generate.predict:1", {"question": "q"}, "a", "r"),)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("\x80\x03pickle", "program.json:1: not JSON"),
        ("[]", "program.json:1: expected an object"),
        ("{}", "program.json: holds no predictor"),
        ("\ufeff{}", "program.json: holds no predictor"),
        ('{"a": {"demos": []}}', "program.json: a: has no instructions"),
        (
            '{"a": {"demos": "none", "signature_instructions": "x"}}',
            "a: `demos` is no list of objects",
        ),
        (
            json.dumps({"a": CLASSIFY, "A": CLASSIFY}),
            "the predictors 'a' and 'A' would both be the function a",
        ),
        (
            '{"a": {"demos": [{"my-key": "1"}], "signature_instructions": "x"}}',
            "the field 'my-key' can't be the name of an input",
        ),
    ],
)
def test_another_file_is_one_line(saved: Path, command: Run, text: str, said: str) -> None:
    write(saved.parent, "program.json", text)
    ended = command("import", "dspy", "program.json")
    assert (ended.status, ended.out) == (2, "")
    assert said in ended.err
    assert ended.err.count("\n") == 1
    assert not (saved.parent / "prompts").exists()


def test_a_source_outside_the_project_is_refused(saved: Path, command: Run) -> None:
    assert (
        "inside the project" in command("import", "dspy", "program.json", "--into", "../a.py").err
    )
