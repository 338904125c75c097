"""`init`: what it writes is a test that runs, of the right function; nothing there changes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_project import PIPELINE, Run, write

OWN_CLIENT = """
import openai

client = openai.OpenAI()


def ask(prompt: str, *, model="gpt-4o") -> str:
    messages = [{"role": "user", "content": prompt}]
    reply = client.chat.completions.create(model=model, messages=messages)
    return reply.choices[0].message.content
"""
APP = """
from typing import Literal

from . import llm
from .llm import ask


def classify(text: str) -> Literal["billing", "bug"]:
    return ask("Which? " + text)


async def answer(question: str, tags: list[str], top: int = 3):
    return llm.ask(question) + classify(question)


async def handler(request: "Request"):
    return await answer(request.text, [])


def main():
    print(ask("hello"))


def unrelated(text: str) -> str:
    return text
"""

NEW = pytest.mark.skipif(pytest.version_tuple < (9,), reason="the first to read pytest.toml")


@pytest.fixture
def shop(pytester: pytest.Pytester) -> Path:
    """A repo of the src layout that calls its models itself, without tests or settings."""
    write(pytester.path, "src/shop/__init__.py", "")
    write(pytester.path, "src/shop/llm.py", OWN_CLIENT)
    write(pytester.path, "src/shop/app.py", APP)
    write(pytester.path, "pyproject.toml", "[project]\nname = 'shop'\n")
    return pytester.path


def test_modules_get_a_test_that_runs(pytester: pytest.Pytester, command: Run) -> None:
    write(pytester.path, "desk/pipeline.py", PIPELINE)
    ended = command("init")
    assert (ended.status, ended.err) == (0, "")
    assert ended.out.startswith(
        "wrote tests/test_queue_of.py\nwrote tests/queue_of.jsonl\nwrote pyt"
    )
    assert "route (desk/pipeline.py)" in ended.out
    ini = (pytester.path / "pytest.ini").read_text()
    assert ini == "[pytest]\npythonpath = .\nmipro_model = openai/gpt-4o-mini\n"
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider", "--collect-only", "-q")
    result.stdout.fnmatch_lines(["*test_queue_of.py::test_queue_of[[]case-1]", "*case-3]"])


def test_a_model_that_is_set_is_not_to_be_chosen(pytester: pytest.Pytester, command: Run) -> None:
    write(pytester.path, "desk/pipeline.py", PIPELINE)
    write(pytester.path, "pytest.ini", "[pytest]\nmipro_model = openai/gpt-5-mini\n")
    said = command("init").out
    assert "The model is openai/gpt-5-mini: put its key into the environment." in said
    assert "Choose the model" not in said


def test_a_pipeline_with_its_own_client(shop: Path, command: Run) -> None:
    ended = command("init")
    assert ended.status == 0, ended.err
    text = (shop / "tests/test_answer.py").read_text()
    assert "from shop.app import answer\n" in text
    assert "async def test_answer(question, tags, wanted):" in text
    assert "await answer(question=question, tags=tags)" in text
    rows = [json.loads(line) for line in (shop / "tests/answer.jsonl").read_text().splitlines()]
    assert rows[0] == {
        "id": "case-1",
        "question": "TODO question 1",
        "tags": ["TODO tags 1"],
        "wanted": "TODO wanted 1",
    }
    assert (shop / "pytest.ini").read_text() == "[pytest]\npythonpath = src .\n"
    assert "3. Put the key that your client takes into the environment; " in ended.out
    assert '`prompt_text("prompts/NAME.md")`: https://' in ended.out
    assert "unrelated" not in ended.out
    assert (shop / "pyproject.toml").read_text() == "[project]\nname = 'shop'\n"


BY_HAND = """
import os
import httpx

URL = "https://api.openai.com/v1/chat/completions"

def complete(messages):
    return httpx.post(URL, json={"model": "m", "messages": messages}).json()

def classify(ticket: str) -> str:
    return complete([{"role": "user", "content": ticket}])

def fetch(page: str) -> str:
    return httpx.get(page).text
"""


def test_a_pipeline_that_posts_to_an_address(pytester: pytest.Pytester, command: Run) -> None:
    write(pytester.path, "service/main.py", BY_HAND)
    write(pytester.path, "other.py", BY_HAND.replace("/chat/completions", "/orders"))
    ended = command("init")
    assert ended.out.startswith("wrote tests/test_classify.py\n"), ended.err
    test = (pytester.path / "tests/test_classify.py").read_text("utf-8")
    assert "from service.main import classify\n" in test
    assert "LM calls: complete (service/main.py). `init" in ended.out


@pytest.mark.parametrize("where", ["bot.py", "texts.py"])
def test_a_pipeline_with_a_prompt_text_can_be_optimised_as_it_is(
    pytester: pytest.Pytester, command: Run, where: str
) -> None:
    text = "from pytest_mipro import prompt_text\nROUTE = prompt_text('prompts/route.md')\n"
    write(pytester.path, "bot.py", f"from texts import ROUTE\n{BY_HAND}")
    write(pytester.path, "texts.py", "ROUTE = ''\n")
    write(pytester.path, where, text + (BY_HAND if where == "bot.py" else ""))
    out = command("init").out
    assert "4. Run `pytest`: it is the gate. `pytest --mipro-optimize` searches" in out
    assert "prompts/NAME.md" not in out


def test_a_function_that_is_named(shop: Path, command: Run) -> None:
    assert command("init", "classify").status == 0
    assert "assert result == wanted" in (shop / "tests/test_classify.py").read_text()
    rows = (shop / "tests/classify.jsonl").read_text().splitlines()
    assert [json.loads(row)["wanted"] for row in rows] == ["billing", "bug", "billing"]


def test_nothing_that_is_there_changes(shop: Path, command: Run) -> None:
    write(shop, "pyproject.toml", "[tool.pytest.ini_options]\ntestpaths = ['checks']\n")
    write(shop, "checks/conftest.py", "")
    before = {path: path.read_bytes() for path in shop.rglob("*") if path.is_file()}
    ended = command("init")
    assert (
        'Add to [tool.pytest.ini_options] in pyproject.toml:\n   pythonpath = ["src", "."]\n'
        in ended.out
    )
    assert {path: path.read_bytes() for path in before} == before
    assert not (shop / "pytest.ini").exists()
    assert (shop / "checks/test_answer.py").exists()
    again = command("init")
    assert (again.status, again.out) == (2, "")
    assert "checks/test_answer.py is there already" in again.err


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("pytest.ini", "[pytest]\n"),
        ("tox.ini", "[pytest]\n"),
        ("setup.cfg", "[tool:pytest]\n"),
        ("pyproject.toml", "[tool.pytest.ini_options]\n"),
        pytest.param("pytest.toml", "[pytest]\n", marks=NEW),
        pytest.param(".pytest.toml", "[pytest]\n", marks=NEW),
    ],
)
def test_settings_stay_where_pytest_reads_them(
    shop: Path, command: Run, file: str, text: str
) -> None:
    write(shop, file, text)
    assert f"Add to {text.strip()} in {file}:\n   pythonpath" in command("init").out
    assert (shop / file).read_text() == text
    assert file == "pytest.ini" or not (shop / "pytest.ini").exists()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "unrelated",
            "'unrelated' is no function or method that leads to LM calls; found: answer",
        ),
        ("handler", "handler takes request, which a case file can't give"),
    ],
)
def test_what_can_not_be_tested_is_one_line(shop: Path, command: Run, name: str, said: str) -> None:
    ended = command("init", name)
    assert (ended.status, ended.out) == (2, "")
    assert said in ended.err
    assert not (shop / "tests").exists()


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("[tool]\npytest = 3\n", 0),
        ("tool = 3\n", 0),
        ("[tool.pytest.ini_options]\npythonpath = 3\ntestpaths = [1]\n", 0),
        ("[tool", 2),
        (None, 2),  # a folder
    ],
)
def test_a_project_file_of_any_content(
    shop: Path, command: Run, text: str | None, status: int
) -> None:
    if text is None:
        (shop / "pyproject.toml").unlink(missing_ok=True)
        (shop / "pyproject.toml").mkdir()
    else:
        write(shop, "pyproject.toml", text)
    ended = command("init")
    assert ended.status == status, ended.err
    assert ended.err.count("\n") == (status > 0)


def test_what_can_not_be_written_is_one_line(shop: Path, command: Run) -> None:
    write(shop, "tests", "a file")
    ended = command("init", "answer")
    assert (ended.status, ended.err.count("\n")) == (2, 1)
    assert "tests/test_answer.py: can't be used (Not a directory)" in ended.err


def test_a_folder_may_be_called_like_one_of_tests(shop: Path, command: Run) -> None:
    write(
        shop,
        "src/documents/read.py",
        "from shop.llm import ask\ndef read(page: str):\n    ask(page)\n",
    )
    write(shop, "src/latin.py", "").write_bytes(b"# coding: latin-1\n# \xe4\n")
    assert command("init", "read").status == 0


def test_a_repo_without_models(pytester: pytest.Pytester, command: Run) -> None:
    write(pytester.path, "app.py", "def add(a, b):\n    return a + b\n")
    write(pytester.path, "broken.py", "import openai\ndef (")
    ended = command("init")
    assert ended.status == 2
    assert "no function here is an LM module, or calls openai, anthropic, litellm" in ended.err


@pytest.mark.parametrize("name", ["pytest.ini", "pyproject.toml"])
def test_a_broken_ini_file_is_named(pytester: pytest.Pytester, command: Run, name: str) -> None:
    write(
        pytester.path,
        "app.py",
        "from litellm import completion\ndef ask(text):\n    completion()\n",
    )
    write(pytester.path, name, "[tool.pytest\n")
    ended = command("init", "ask")
    assert ended.status == 2
    assert ended.err.startswith(f"error: {name}: can't be read (")
    assert ended.err.endswith("correct it there\n")
    assert "Path(" not in ended.err


def test_the_decorator_under_another_name(pytester: pytest.Pytester, command: Run) -> None:
    renamed = PIPELINE.replace("import lm_module", "import lm_module as lm").replace(
        "@lm_module", "@lm"
    )
    renamed = f"\ufeff{renamed}"  # as some editors save a file
    write(pytester.path, "desk/pipeline.py", renamed)
    assert "wrote tests/test_queue_of.py" in command("init").out
    assert command("check").out == "2 prompts, 0 locks: all agree\n"
