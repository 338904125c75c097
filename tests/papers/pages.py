"""Play a page: write the files that it shows, run its commands, compare what they print."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_STEP = re.compile(
    r"(?:`([\w./-]+\.\w+)`[^`\n]*:\n\n)?^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE
)


def steps(page: str) -> list[tuple[str, str, str]]:
    """Return the blocks of a page: the file that each shows ("": none), its language, its text."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return [found.groups(default="") for found in _STEP.finditer(text)]  # type: ignore[misc]


def _commands(block: str) -> Iterator[tuple[str, list[str]]]:
    """Yield each command of a console block with the lines that it prints."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, *lines = part.splitlines()
        yield command, [line for line in lines if line not in ("…", "")]


def _shape(line: str) -> str:
    """Return a line without its figures, which a change of the search moves."""
    return re.sub(r"\b\d[\d,.]*(?<!\.)", "0", " ".join(line.split()))


def play(
    pytester: pytest.Pytester,
    page: str,
    tools: Mapping[str, tuple[str, ...]] = {},
    *,
    exact: bool = False,
) -> int:
    """Play the page, and return how many commands it has; `tools` stand in for some of them.

    `…` is for lines that the page leaves out; the others come in the page's order, `exact` with
    their figures.
    """
    shape = str.strip if exact else _shape
    python = (sys.executable, "-m")
    known = {"pytest": (*python, "pytest", "-p", "no:randomly"), **tools}
    known |= {"python -m pytest_mipro": (*python, "pytest_mipro"), "python": python[:1]}
    count = 0
    for name, language, block in steps(page):
        if name:
            path = pytester.path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block, encoding="utf-8")
        for command, lines in _commands(block) if language == "console" else ():
            tool = next(tool for tool in known if command == tool or command.startswith(f"{tool} "))
            run = pytester.run(*known[tool], *command.removeprefix(tool).split())
            printed, at = [shape(line) for line in (*run.outlines, *run.errlines)], 0
            for line in map(shape, lines):
                assert line in printed[at:], f"{command}: {line}\n" + "\n".join(printed)
                at = printed.index(line, at) + 1
            count += 1
    return count
