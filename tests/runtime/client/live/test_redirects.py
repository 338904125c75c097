"""Redirects of live calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from live_calls import KEY, MODEL, ask, client_of, error_of, request
from scripted_server import Answer, ScriptedServer, completion

from pytest_mipro.errors import EndpointError

if TYPE_CHECKING:
    pass

pytestmark = pytest.mark.usefixtures("environment")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "model", [MODEL, "anthropic/claude-3-haiku-20240307", "gemini/own", "azure/gpt-4o"]
)
def test_a_redirect_to_another_origin_carries_no_key(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch, model: str, status: int
) -> None:
    for provider in ("ANTHROPIC", "GEMINI", "AZURE"):
        monkeypatch.setenv(f"{provider}_API_KEY", KEY)
    monkeypatch.setenv("AZURE_API_VERSION", "2024-10-21")
    other = ScriptedServer()
    try:
        server.script = [Answer(status, "{}", {"location": f"{other.base}/elsewhere?key={KEY}"})]
        error = error_of(client_of(server), request(model=model))
    finally:
        other.close()
    assert (len(server.bodies), other.headers) == (1, [])
    assert isinstance(error, EndpointError)
    assert f"redirects the call from {server.base[:-3]} to {other.base[:-3]}" in str(error)
    assert KEY not in str(error)
    assert "\n" not in str(error)


def test_a_redirect_within_the_origin_is_followed(server: ScriptedServer) -> None:
    server.script = [Answer(307, "{}", {"location": "/v1/there"}), completion("there")]
    assert ask(client_of(server)).text == "there"


def test_redirects_of_other_clients_are_left_alone(server: ScriptedServer) -> None:
    import httpx  # noqa: PLC0415 - as in the package

    ask(client_of(server))
    other = ScriptedServer()
    try:
        server.script = [Answer(307, "{}", {"location": f"{other.base}/elsewhere"})]
        done = httpx.post(f"{server.base}/x", json={}, follow_redirects=True)
    finally:
        other.close()
    assert done.status_code == 200
    assert len(other.bodies) == 1
