"""docs/extending.md: its parts are taken, used, and keep the contracts that it tells."""

from __future__ import annotations

import sys
import tomllib
from importlib.metadata import EntryPoint
from types import ModuleType
from typing import Any

import pytest
from pages import ROOT, play, steps

from pytest_mipro.extending import Message, Request, Space
from pytest_mipro.runtime.client import loop, providers
from pytest_mipro.runtime.client.providers import ProviderClient

PAGE = "extending.md"
FILES = {name: block for name, _, block in reversed(steps(PAGE)) if name}


def part(file: str, name: str) -> Any:
    """Return what the file of the page defines under this name."""
    found: dict[str, Any] = {"__name__": file}
    exec(compile(FILES[file], file, "exec"), found)
    return found[name]


@pytest.mark.slow
def test_it_works_as_printed(pytester: pytest.Pytester) -> None:
    rows = (ROOT / "example_project/tests/tickets.jsonl").read_text(encoding="utf-8")
    (pytester.path / "tests").mkdir()
    first = "".join(rows.splitlines(keepends=True)[:80])
    (pytester.path / "tests/tickets.jsonl").write_text(first, encoding="utf-8")
    assert play(pytester, PAGE) == 3
    tried = (pytester.path / "trials.txt").read_text(encoding="utf-8").splitlines()
    assert len(tried) > 3
    assert {line.split()[1] for line in tried} == {"minibatch", "full"}


def test_its_searcher_asks_for_every_program_once_and_for_the_same_again() -> None:
    searcher = part("climber.py", "HillClimber")
    space = Space((3, 2, 4), ("a.instruction", "a.demos", "b.instruction"))

    def asked(seed: int) -> list[tuple[int, ...]]:
        made, programs = searcher(space, seed), []
        made.tell((0, 0, 0), 0.5, 10)
        while (program := made.ask()) is not None:
            programs.append(program)
            made.tell(program, sum(program) / 6, 10)
        return programs

    programs = asked(1)
    assert sorted([(0, 0, 0), *programs]) == sorted(space)
    assert programs == asked(1) != asked(2)
    assert sum(a != b for a, b in zip(programs[0], (0, 0, 0), strict=True)) == 1


def test_its_client_is_found_by_the_entry_point_that_it_shows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (toml,) = [block for _, kind, block in steps(PAGE) if kind == "toml"]
    entries = tomllib.loads(toml)["project"]["entry-points"][providers.GROUP]
    assert entries == {"acme": "acme:AcmeClient"}
    module = ModuleType("acme")
    module.__dict__["AcmeClient"] = part("acme.py", "AcmeClient")
    monkeypatch.setitem(sys.modules, "acme", module)
    entry = EntryPoint("acme", entries["acme"], providers.GROUP)
    monkeypatch.setattr(providers, "_entries", lambda: {"acme": entry})
    request = Request("acme/large", (Message("user", "The invoice of May, please."),))
    assert loop.run(ProviderClient().complete(request)).text == "billing"
