"""The storage of a shared study: a journal of each test's own."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"journal:{tmp_path}/log"
