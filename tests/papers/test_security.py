"""docs/security.md: each claim names tests, and they exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
NAMED = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", TEXT)


def test_each_claim_names_a_test():
    claims = [line for line in TEXT.splitlines() if line.startswith("| ") and "held by" not in line]
    assert len(claims) > 10
    assert [claim for claim in claims if "`tests/" not in claim] == []


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_a_named_test_exists(path, name):
    assert f"def {name or 'test_'}" in (ROOT / path).read_text(encoding="utf-8")
