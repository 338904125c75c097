"""`python -m pytest_mipro` as a process: its exit codes, pipes and encodings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cli_project import PIPELINE, write

from pytest_mipro.cli.main import main


def run(folder: Path, *arguments: str, encoding: str = "utf-8") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest_mipro", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONIOENCODING": encoding},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_terminal_of_another_encoding(desk: Path) -> None:
    write(desk, "desk/pipeline.py", PIPELINE.replace("wants", "wants \u2026 \U0001f600"))
    shown = run(desk, "show", "sum_up", encoding="ascii")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "wants \\u2026 \\U0001f600." in shown.stdout
    exported = json.loads(run(desk, "export", "sum_up", encoding="ascii").stdout)
    assert "wants \u2026 \U0001f600." in exported["pipeline.sum_up"][0]["content"]


def test_a_wrong_command_line_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ([], ["shows"], ["show"], ["import", "promptfoo", "x.json"]):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == 2
        assert capsys.readouterr().err.startswith("usage: python -m pytest_mipro")


def test_without_an_output_the_exit_code_says_what_was_found(desk: Path) -> None:
    for closed in (">&-", "2>&-", ">&- 2>&-"):
        command = ["sh", "-c", f'exec "$0" -m pytest_mipro check {closed}', sys.executable]
        done = subprocess.run(command, cwd=desk, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
