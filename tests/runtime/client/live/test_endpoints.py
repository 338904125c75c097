"""The base URL of a call, by the variables of the environment."""

from __future__ import annotations

import pytest
from live_calls import ask, error_of
from scripted_server import ScriptedServer, completion

from pytest_mipro.errors import EndpointError
from pytest_mipro.runtime.client.live.litellm_client import LiteLLMClient

pytestmark = pytest.mark.usefixtures("environment")


def test_a_wrong_base_in_the_environment_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "localhost:8000")
    error = error_of(LiteLLMClient())
    assert isinstance(error, EndpointError)
    assert "OPENAI_BASE_URL" in str(error)


def test_a_base_that_changes_within_the_process_is_called_from_then_on(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, other = LiteLLMClient(), ScriptedServer()
    other.script = [completion("other")]
    try:
        for base, text in ((server.base, "hello"), (other.base, "other"), (server.base, "hello")):
            monkeypatch.setenv("OPENAI_BASE_URL", base)
            assert ask(client).text == text
    finally:
        other.close()
