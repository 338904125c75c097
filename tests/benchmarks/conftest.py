"""For the benchmarks: settings that end with their test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pytest_mipro.runtime.settings import current_settings, replace_settings


@pytest.fixture(autouse=True)
def _settings_restored() -> Iterator[None]:
    """Undo what a benchmark that runs in this process configures."""
    before = current_settings()
    yield
    replace_settings(before)
