"""For all tests: pytest runs inside a test keep their cases in order; no example has a deadline."""

from __future__ import annotations

import pytest
from hypothesis import settings

# How long an example takes tells of the machine's other users.
settings.register_profile("mipro", deadline=None)
settings.load_profile("mipro")


@pytest.fixture(autouse=True)
def _in_order(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "pytester" in request.fixturenames:
        request.getfixturevalue("pytester")  # it clears the variable
        monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:randomly")
