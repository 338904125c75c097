"""A small project with a case file for pytester, and a way to look at its items."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

TICKETS = [
    {"id": "T-1", "ticket": "no invoice", "queue": "billing", "facts": ["a"], "split": "train"},
    {"id": "T-2", "ticket": "crashes", "queue": "bug", "facts": ["b", "c"], "demo": False},
    {"id": "Ü 3", "ticket": "how?", "queue": "how-to", "facts": []},
]
HEAD = "import pytest\nfrom pytest_mipro import cases\n"


def write_desk(pytester: pytest.Pytester, source: str) -> Path:
    """Write tickets.jsonl and test_desk.py; return the test file."""
    pytester.makefile(".jsonl", tickets="\n".join(json.dumps(row) for row in TICKETS))
    return pytester.makepyfile(test_desk=HEAD + source)


class _Selected:
    """A plugin that keeps the items which are left after all selection."""

    items: list[pytest.Item]

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.items = list(session.items)


def items_of(pytester: pytest.Pytester, *args: str) -> list[pytest.Item]:
    """Collect with the arguments; return the items that would run."""
    selected = _Selected()
    pytester.inline_run("--strict-markers", "--collect-only", *args, plugins=[selected])
    return selected.items
