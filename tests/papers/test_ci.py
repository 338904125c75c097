"""docs/github-gitlab.md: the workflows are whole, and keep forks from key and cache."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import yaml

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "github-gitlab.md").read_text(encoding="utf-8")
BLOCKS = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)]
GITHUB: dict[Any, Any] = next(block for block in BLOCKS if "jobs" in block)
GITLAB: dict[Any, Any] = next(block for block in BLOCKS if "prompts" in block)


def commands(job: dict[str, Any]) -> list[str]:
    return [step["run"] for step in job["steps"] if "run" in step]


def actions(job: dict[str, Any]) -> list[str]:
    return [step["uses"].partition("@")[0] for step in job["steps"] if "uses" in step]


def test_it_gates_pull_requests_and_optimises_on_demand():
    triggers = GITHUB[True]  # YAML 1.1 reads `on` so, GitHub does not
    assert set(triggers) == {"pull_request", "workflow_dispatch"}
    assert set(GITHUB["jobs"]) == {"gate", "optimise"}
    assert GITHUB["jobs"]["gate"]["if"] == "github.event_name == 'pull_request'"
    assert GITHUB["jobs"]["optimise"]["if"] == "github.event_name == 'workflow_dispatch'"


def test_the_gate_has_neither_key_nor_cache():
    gate = GITHUB["jobs"]["gate"]
    assert "secrets." not in str(gate)
    assert "actions/cache" not in actions(gate)
    assert any("--mipro-replies=replay" in command for command in commands(gate))
    assert GITHUB["permissions"] == {"contents": "read"}
    assert gate["permissions"] == {"contents": "read", "pull-requests": "write"}


def test_inputs_reach_commands_through_the_environment_alone():
    for job in GITHUB["jobs"].values():
        assert not [command for command in commands(job) if "${{" in command]


def test_every_option_exists(pytestconfig):
    lines = [
        *(c for job in GITHUB["jobs"].values() for c in commands(job)),
        *GITLAB["prompts"]["script"],
    ]
    runs = [line for line in lines if line.startswith("pytest ")]
    assert len(runs) == 4
    for line in runs:
        arguments = shlex.split(line.replace("$EFFORT", "light"))[1:]
        pytestconfig._parser.parse_known_args(arguments, namespace=None)
        options = [argument for argument in arguments if argument.startswith("--mipro")]
        known = {
            name
            for group in pytestconfig._parser._groups
            for o in group.options
            for name in o.names()
        }
        assert {option.partition("=")[0] for option in options} <= known
        assert options


def test_reports_are_uploaded_whatever_the_verdict():
    for job in GITHUB["jobs"].values():
        (upload,) = [s for s in job["steps"] if "upload-artifact" in s.get("uses", "")]
        assert upload["if"] == "always()"
        assert upload["with"]["path"] == "reports/"
    assert GITLAB["prompts"]["artifacts"]["when"] == "always"


def test_gitlab_comments_with_what_the_gate_wrote_where_there_is_a_token():
    job = GITLAB["prompts"]
    guard, comment = job["after_script"]
    assert "body@reports/mipro.md" in comment
    assert "--mipro-markdown=reports/mipro.md" in " ".join(job["script"])
    for token, done in (("", ""), ("glpat-x", "goes on")):
        script = f"{guard}\nprintf 'goes on'"
        run = subprocess.run(
            ["sh", "-ec", script], env={"COMMENT_TOKEN": token}, capture_output=True, check=True
        )
        assert run.stdout.decode() == done


def test_the_commit_holds_prompts_locks_and_replies_and_nothing_else(tmp_path):
    (last,) = [c for c in commands(GITHUB["jobs"]["optimise"]) if "git add" in c]
    (add,) = [line for line in last.splitlines() if line.startswith("git add")]
    wanted = {
        "desk/prompts/pipeline.say.yaml",
        "prompts/pipeline.tell.yaml",
        "prompts/letter.md",
        "desk/prompts/note.txt",
        "tests/test_desk.mipro.json",
        "tests/test_desk.replies.jsonl",
    }
    others = {"reports/mipro.json", ".mipro/cache/cache.db", "desk/data.yaml", "notes.md"}
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    for name in wanted | others:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    subprocess.run(shlex.split(add), cwd=tmp_path, check=True)
    listed = subprocess.run(
        ["git", "ls-files"], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    assert set(listed.stdout.split()) == wanted
