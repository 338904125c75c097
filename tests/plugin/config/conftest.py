"""No model in the environment: options and ini keys alone name one."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _no_model_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MIPRO_MODEL", raising=False)
