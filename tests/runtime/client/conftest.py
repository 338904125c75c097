"""An environment without endpoints and keys of the machine's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from live_calls import KEY

from pytest_mipro.runtime.client import loop
from pytest_mipro.runtime.client.live.litellm_client import LiteLLMClient

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("OPENAI_BASE_URL", "OPENAI_API_BASE", "ANTHROPIC_API_KEY", "GROQ_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    yield
    loop.run(LiteLLMClient().aclose())
