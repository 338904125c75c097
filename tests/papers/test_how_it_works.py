"""docs/how-it-works.md and CONTRIBUTING.md: every file and room that they name is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "pytest_mipro"
STEPS = (ROOT / "docs/how-it-works.md").read_text(encoding="utf-8")
MAP = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("row", [line for line in STEPS.splitlines() if line.startswith("| ")])
def test_each_step_names_files_that_exist(row: str) -> None:
    folder = PACKAGE
    for name in re.findall(r"`([\w/]+(?:\.py|/))`", row.rpartition("| ")[2]):
        path = PACKAGE / name if "/" in name.rstrip("/") else folder / name
        assert path.exists()
        folder = path.parent


@pytest.mark.parametrize("layer", ["runtime", "optimizer", "plugin", "cli"])
def test_the_map_has_every_room(layer: str) -> None:
    table = MAP.partition(f"| `{layer}/`")[2].partition("\n\n")[0]
    named = set(re.findall(r"^\| `([\w.]+)/?`", table, re.MULTILINE))
    rooms = {path.parent.name for path in (PACKAGE / layer).glob("*/__init__.py")}
    assert rooms <= named
    assert all((PACKAGE / layer / name).exists() for name in named)
