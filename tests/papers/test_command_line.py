"""docs/command-line.md: each example prints what the page says, in the tour's project."""

from __future__ import annotations

import json
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_mipro.cli.main import main
from pytest_mipro.simulated.__main__ import parse as simulated_options
from pytest_mipro.simulated.serving.faults import KINDS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/command-line.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
EXAMPLES = dict(
    re.findall(r"```console\n\$ python -m pytest_mipro (.+?)\n(.*?)```", PAGE, re.DOTALL)
)
PROMPT = """schema_version: 1
module: pipeline.read_mood
instruction: |-
  Say in which mood the customer writes.{}
demos: []
"""
SAVED = {
    "answer.predict": {
        "demos": [{"augmented": True, "question": "2 + 2?", "reasoning": "Four.", "answer": "4"}],
        "signature": {
            "instructions": "Answer in one word.",
            "fields": [
                {"prefix": "Question:", "description": "${question}"},
                {"prefix": "Reasoning:", "description": "${reasoning}"},
                {"prefix": "Answer:", "description": "${answer}"},
            ],
        },
        "lm": None,
    },
    "metadata": {"dependency_versions": {"dspy": "3.4.1"}},
}


@pytest.fixture
def tour(pytester: pytest.Pytester) -> Iterator[Path]:
    """The tour's pipeline, without its tests; what is imported of it is forgotten."""
    for name, text in re.findall(r"`([\w/]+\.\w+)`:\n\n```\w+\n(.*?)```", README, re.DOTALL):
        path = pytester.path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (pytester.path / "saved.json").write_text(json.dumps(SAVED))
    paths = list(sys.path)
    yield pytester.path
    sys.path[:] = paths
    for name in [name for name in sys.modules if name.partition(".")[0] == "support"]:
        del sys.modules[name]


def printed(capsys: pytest.CaptureFixture[str], command: str) -> str:
    capsys.readouterr()
    main(shlex.split(command))
    out, err = capsys.readouterr()
    assert err == ""
    return out


def test_examples_of_single_commands(tour: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("show read_mood", "export sum_up", next(c for c in EXAMPLES if "dspy" in c)):
        assert printed(capsys, command) == EXAMPLES[command]


def test_init(tour: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in (*tour.glob("tests/*"), tour / "pyproject.toml"):
        path.unlink()
    assert printed(capsys, "init") == EXAMPLES["init"]


def test_diff_and_check(
    tour: Path, pytester: pytest.Pytester, capsys: pytest.CaptureFixture[str], monkeypatch
) -> None:
    monkeypatch.setenv("MIPRO_MODEL", "simulated/small")
    pytester.runpytest_inprocess("-p", "no:cacheprovider", "--mipro-update-lock")
    prompt = tour / "support/prompts/pipeline.read_mood.yaml"
    prompt.parent.mkdir()
    prompt.write_text(PROMPT.format(""))
    pytester.run("git", "init", "-q")
    pytester.run("git", "add", "-A")
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    pytester.run("git", *identity, "commit", "-qm", "one")
    prompt.write_text(PROMPT.format(" Angry ones are upset."))
    for command in ("check", "diff HEAD"):
        assert printed(capsys, command) == EXAMPLES[command]
    days = re.sub(r"\d{4}-\d\d-\d\d", "2026-11-28", printed(capsys, "cost"))
    assert days == EXAMPLES["cost"]


def test_every_command_has_its_part() -> None:
    from pytest_mipro.cli.main import _COMMANDS  # noqa: PLC0415

    names = {each.__name__.rpartition(".")[2].replace("import_", "import ") for each in _COMMANDS}
    parts = set(re.findall(r"^## (.+)$", PAGE, re.MULTILINE))
    assert parts == names | {"The simulated model"}
    assert {example.split(" ")[0] for example in EXAMPLES} == {name.split()[0] for name in names}


def test_the_options_of_the_simulated_server_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    table = PAGE.partition("## The simulated model")[2]
    with pytest.raises(SystemExit):
        simulated_options(["--help"])
    there = set(re.findall(r"^  (--[a-z-]+)", capsys.readouterr().out, re.MULTILINE))
    assert set(re.findall(r"^\| `(--[a-z-]+)", table, re.MULTILINE)) == there
    for kind in KINDS:
        assert f"`{kind}`" in table
