"""docs/tutorial.md: each file is written, each command run, each line that is quoted is printed."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_mipro.simulated.server import serve

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/tutorial.md").read_text(encoding="utf-8")
STEPS = re.findall(r"(?:`([\w./]+\.\w+)`[^`\n]*:\n\n)?```(\w+)\n(.*?)```", PAGE, re.DOTALL)
TICKETS = ROOT / "example_project/tests/tickets.jsonl"


def quoted(block: str) -> Iterator[tuple[str, list[str]]]:
    """Yield each command of a console block with the lines that it prints."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, *lines = part.splitlines()
        yield command, [line for line in lines if line not in ("…", "")]


def shape(line: str) -> str:
    """Return a line without its figures, which a change of the search moves."""
    return re.sub(r"\b\d[\d,.]*(?<!\.)", "0", " ".join(line.split()))


@pytest.mark.slow
def test_it_works_as_printed(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    (pytester.path / "tests").mkdir()
    rows = TICKETS.read_text(encoding="utf-8").splitlines(keepends=True)[:150]
    (pytester.path / "tests/tickets.jsonl").write_text("".join(rows), encoding="utf-8")
    commands = 0
    with serve() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        for name, _, block in STEPS:
            if name:
                (pytester.path / name).write_text(block, encoding="utf-8")
                continue
            for command, lines in quoted(block):
                tool, *options = command.split()
                assert tool == "pytest"
                run = (sys.executable, "-m", "pytest", "-p", "no:randomly", *options)
                printed = [shape(line) for line in pytester.run(*run).outlines]
                at = 0
                for line in map(shape, lines):
                    assert line in printed[at:], f"{command}: {line}\n" + "\n".join(printed)
                    at = printed.index(line, at) + 1
                commands += 1
    assert commands == 8
    assert (pytester.path / "tests/test_triage.replies.jsonl").exists()


def test_what_is_installed_by_hand_is_there() -> None:
    shell = "\n".join(block for _, kind, block in STEPS if kind == "sh")
    assert "head -n 150 ../pytest-mipro/example_project/tests/tickets.jsonl" in shell
    assert TICKETS.exists()
    options = (ROOT / "pytest_mipro/simulated/__main__.py").read_text(encoding="utf-8")
    assert '"--port"' in options
