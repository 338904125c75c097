"""A study whose pipeline calls a model with its own client, beside a module: counted and cached."""

from __future__ import annotations

import json
import shutil

import litellm  # noqa: F401 - imported within an inner run, it would break metadata for the next one
import openai  # noqa: F401
import pytest
from lm_stub import Stub
from optimize_project import LOCK, PROMPT, optimize, remove_written, run, write_project

from pytest_mipro.plugin.replies.journal import lines_of

PIPELINE = """
import os
import openai

client = openai.OpenAI(base_url=os.environ["STUB"] + "/v1", api_key="no-key")

def spell(number):
    messages = [{"role": "user", "content": f"spell {number}"}]
    reply = client.chat.completions.create(
        model="m", messages=messages, max_tokens=9, temperature=0
    )
    return reply.choices[0].message.content
"""
TESTS = """
from pipeline import spell

@pytest.mark.mipro(threshold=0.1)
@pytest.mark.parametrize("number", range(40))
def test_parity(number):
    assert spell(number) == f"user said spell {number}"
    assert parity(number=str(number)) == ("odd" if number % 2 else "even")
"""

TESTS_ALONE = """
@pytest.mark.mipro(threshold=0.1)
@pytest.mark.parametrize("number", range(40))
def test_parity(number):
    assert parity(str(number)) == ("odd" if number % 2 else "even")
"""


@pytest.fixture
def project(pytester: pytest.Pytester, server: Stub) -> pytest.Pytester:
    write_project(pytester, TESTS, pipeline=PIPELINE, ini="mipro_prices =\n    m 1 2\n")
    return pytester


def test_own_calls_are_made_once_and_the_module_s_prompt_is_written(
    project: pytest.Pytester, server: Stub
) -> None:
    result = optimize(project)
    assert (project.path / PROMPT).is_file(), result.outlines
    asked = [json.dumps(body) for _, body, _ in server.asked]
    assert set(asked[:40]) == set(asked)  # the baseline's; later ones are other samples of them
    count = server.count
    modules = json.loads((project.path / LOCK).read_text())["modules"]
    assert [module["name"] for module in modules] == ["pipeline.parity"]
    gate = run(project)
    assert gate.ret == 0
    assert server.count == count


def test_they_count_in_the_budget(project: pytest.Pytester, server: Stub) -> None:
    result = optimize(project, "--mipro-max-calls=50")
    result.stdout.fnmatch_lines(["*the limit of 50 calls ends within the baseline*"])
    assert server.count <= 50


def test_a_limit_of_tokens_takes_the_call_s_own_output_limit(
    project: pytest.Pytester, server: Stub
) -> None:
    result = optimize(project, "--mipro-max-tokens=100000000", "-o", "mipro_max_output_tokens=9")
    assert result.ret == 0, result.outlines
    pipeline = project.path / "pipeline.py"
    pipeline.write_text(pipeline.read_text().replace("max_tokens=9, ", ""))
    result = optimize(project, "--mipro-max-tokens=100000000", "-o", "mipro_max_output_tokens=9")
    result.stdout.fnmatch_lines(["*calls to model 'm' have none*max_tokens*"])


def test_a_rate_limit_delays_the_study_and_ends_it_not(
    project: pytest.Pytester, server: Stub
) -> None:
    server.faults = lambda number: (429, {"retry-after": "0"}) if number % 2 else None
    result = optimize(project)
    assert (project.path / PROMPT).is_file(), result.outlines


OWN_PARITY = """
import os
import openai
from pipeline_modules import parity as module

client = openai.OpenAI(base_url=os.environ["STUB"] + "/v1", api_key="no-key")

def parity(number):
    reply = client.chat.completions.create(
        model="m", messages=module.messages(number=number), max_tokens=9, temperature=0
    )
    return module.parse(reply.choices[0].message.content)
"""


def test_a_module_whose_maker_keeps_their_client_is_optimised_with_demos(
    pytester: pytest.Pytester, server: Stub
) -> None:
    def answer(messages: list[dict[str, str]]) -> str:
        """Know each number with demos or a careful instruction, else every other one."""
        number = int(messages[-1]["content"].split()[1])
        taught = len(messages) > 2 or "carefully" in messages[0]["content"]
        right = taught or number % 4 > 1
        return "odd" if bool(number % 2) == right else "even"

    server.answers = answer
    write_project(pytester, TESTS_ALONE, ini="mipro_prices =\n    m 1 2\n")
    (pytester.path / "pipeline.py").rename(pytester.path / "pipeline_modules.py")
    (pytester.path / "pipeline.py").write_text(OWN_PARITY)
    result = optimize(pytester)
    assert result.ret == 0, result.outlines
    prompt = (pytester.path / "prompts" / "pipeline_modules.parity.yaml").read_text()
    assert "demos:" in prompt or "carefully" in prompt
    sent = [body["messages"] for _, body, _ in server.asked]
    assert any(message["role"] == "assistant" for messages in sent for message in messages)
    modules = json.loads((pytester.path / LOCK).read_text())["modules"]
    assert [(each["name"], each["model"]) for each in modules] == [("pipeline_modules.parity", "m")]
    count = server.count
    gate = run(pytester, "--mipro-json=report.json")
    assert gate.ret == 0, gate.outlines
    assert server.count == count
    usages = json.loads((pytester.path / "report.json").read_text())["studies"][0]["modules"]
    assert [usage["module"] for usage in usages] == ["pipeline_modules.parity"]


def test_a_dry_run_searches_neither_them_nor_a_frozen_module(
    project: pytest.Pytester, server: Stub
) -> None:
    frozen = '@lm_module(optimize=False)\ndef judge(number: str) -> str:\n    "Judge it."\n'
    source = project.path / "pipeline.py"
    source.write_text(f"{source.read_text()}\n{frozen}")
    test = project.path / "test_numbers.py"
    lines = "from pipeline import judge", test.read_text(), "    judge(number=str(number))\n"
    test.write_text("\n".join(lines))
    assert run(project).ret == 0
    told = optimize(project, "--mipro-dry-run")
    told.stdout.fnmatch_lines(["modules     pipeline.parity", "*proposals  8 calls, *"])


STEP = "from pytest_mipro import step\n\n@step(cache=True)\n"
KEPT = PIPELINE.replace("def spell(", f"{STEP}def spell(")


def test_calls_within_a_kept_step_count_no_more_than_on_resume(
    pytester: pytest.Pytester, server: Stub
) -> None:
    write_project(pytester, TESTS, pipeline=KEPT, ini="mipro_prices =\n    m 1 2\n")
    assert optimize(pytester).ret == 0
    assert server.count == 40
    first = (pytester.path / LOCK).read_text()
    remove_written(pytester)
    for name in ("looks", "finished", "bills"):
        shutil.rmtree(pytester.path / ".mipro" / name, ignore_errors=True)
    assert optimize(pytester).ret == 0
    assert server.count == 40
    assert (pytester.path / LOCK).read_text() == first


def test_a_gate_bills_them_once(pytester: pytest.Pytester, server: Stub) -> None:
    """They are paid, though no figure of a case tells them: its kept result costs nothing."""
    write_project(pytester, TESTS, pipeline=KEPT, ini="mipro_prices =\n    m 1 2\n")
    for _ in range(2):  # the second run has the results in its cache
        assert run(pytester, "--mipro-json=report.json").ret == 0
        assert server.count == 40
        (bill,) = (pytester.path / ".mipro" / "bills").glob("*.jsonl")
        paid = [each for line in lines_of(bill) for each in line["paid"]]
        assert sum(each["calls"] for each in paid if each["model"] == "m") == 40
        usages = json.loads((pytester.path / "report.json").read_text())["studies"][0]["modules"]
        assert [usage["module"] for usage in usages] == ["pipeline.parity"]
