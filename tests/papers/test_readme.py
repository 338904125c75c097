"""The README: CI runs its line, its tour works as printed, its links lead somewhere."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from lm_stub import stub

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def commands() -> list[str]:
    """Return the plain lines near the top that create the environment and do something."""
    return [line for line in README.splitlines() if line.startswith("python3 -m venv")]


def test_two_plain_commands_stand_near_the_top():
    optimise, check = commands()
    assert optimise.endswith("pytest example_project --mipro-optimize")
    assert check.endswith("pytest -n auto")
    assert README.splitlines().index(check) < 40


def test_ci_runs_exactly_the_readme_line():
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    lines = script.read_text(encoding="utf-8").splitlines()
    working = [line for line in lines if line and not line.startswith(("#", "set ", "cd "))]
    assert working == commands()[1:]


@pytest.mark.parametrize("tool", ["ruff check", "ruff format --check", "mypy", "lint-imports"])
def test_the_line_holds_every_check_once_and_hides_none(tool):
    steps = commands()[1].split(" && ")
    assert f".venv/bin/{tool}" in steps
    assert not re.search(r"\|\||;|\|", commands()[1])


@pytest.mark.parametrize("failing", range(5))
def test_ci_fails_with_any_of_its_steps(tmp_path, failing):
    tools = ["ruff", "mypy", "lint-imports", "pytest", "pip"]
    binaries = tmp_path / ".venv" / "bin"
    binaries.mkdir(parents=True)
    for number, tool in enumerate(tools):
        path = binaries / tool
        path.write_text(f"#!/bin/sh\nexit {int(number == failing)}\n")
        path.chmod(0o755)
    (tmp_path / "python3").write_text("#!/bin/sh\nexit 0\n")
    (tmp_path / "python3").chmod(0o755)
    (tmp_path / ".ci").mkdir()
    script = tmp_path / ".ci" / "run"
    script.write_text((ROOT / ".ci" / "run").read_text(encoding="utf-8"))
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", script], env=environment, capture_output=True, check=False)
    assert done.returncode != 0


def test_the_pipeline_with_its_own_client_runs_as_printed(pytester, monkeypatch):
    code = README.partition("## With your own client")[2].partition("```python\n")[2]
    code = code.partition("```")[0]
    assert len([line for line in code.splitlines() if line]) <= 11
    test = "import pytest\nfrom mood import mood_of\n\n@pytest.mark.mipro\ndef test_mood():\n"
    test += "    assert mood_of('The till is down!') == 'urgent'\n"
    pytester.makepyfile(mood=code, test_mood=test)
    pytester.makeini("[pytest]\npythonpath = .\n")
    text = code.partition("# prompts/mood.md: ")[2].partition("\n")[0]
    (pytester.mkdir("prompts") / "mood.md").write_text(text)
    with stub() as server:
        server.answers = lambda messages: "urgent" if "Finch" in messages[0]["content"] else ""
        monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url}/v1")
        monkeypatch.setenv("OPENAI_API_KEY", "none")
        result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "--mipro-json=r.json")
        result.assert_outcomes(passed=1)
    assert '"mood.md"' in (pytester.path / "r.json").read_text()


def test_the_tour_runs_as_printed(pytester, monkeypatch):
    monkeypatch.setenv("MIPRO_MODEL", "simulated/small")
    files = re.findall(r"`([\w/]+\.\w+)`:\n\n```\w+\n(.*?)```", README, re.DOTALL)
    assert [name for name, _ in files] == [
        "support/pipeline.py",
        "tests/messages.jsonl",
        "tests/test_mood.py",
        "pyproject.toml",
    ]
    for name, text in files:
        path = pytester.path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    result.stdout.fnmatch_lines(["*test_mood*3 cases*", "6 LM calls: 0 cached, 6 live*"])
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "--mipro-optimize")
    assert result.ret == pytest.ExitCode.OK
