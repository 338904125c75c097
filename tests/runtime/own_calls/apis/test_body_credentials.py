"""Credentials in a body: which fields are ones, and that nothing keeps or shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from own_case import case
from own_posts import post

from pytest_mipro.runtime.client.wrappers import ClientWrapper
from pytest_mipro.runtime.own_calls.apis.body_credentials import without_credentials

if TYPE_CHECKING:
    from lm_stub import Stub

    from pytest_mipro.runtime.client.contract import LMClient, Reply, Request

VALUE = "corp77aa88bb99cc00dd"


@pytest.mark.parametrize(
    "name",
    [
        *("api_key", "apiKey", "apikey", "API-Key", "openai_api_key", "APIKey", "x-api-key"),
        *("access_token", "refreshToken", "token", "client_secret", "clientSecret", "password"),
    ],
)
def test_fields_named_like_a_credential_are_taken_out(name: str) -> None:
    body = {"model": "m", name: VALUE, "config": [{name: VALUE, "region": "eu"}]}
    left, found = without_credentials(body)
    assert left == {"model": "m", "config": [{"region": "eu"}]}
    assert found == {name: VALUE, f"config.0.{name}": VALUE}


def test_the_scheme_is_no_part_of_a_credential() -> None:
    tool = {"type": "mcp", "headers": {"Authorization": f"Bearer {VALUE}"}}
    left, found = without_credentials({"tools": [tool]})
    assert left == {"tools": [{"type": "mcp", "headers": {}}]}
    assert list(found.values()) == [VALUE]


@pytest.mark.parametrize(
    "body",
    [
        {"key": VALUE, "prompt_cache_key": VALUE, "eos_token": VALUE, "keys": VALUE},
        {"max_tokens": 20, "logit_bias": {"5": 1}, "stop_token": VALUE, "password": "x"},
        {"token": None, "api_key": 12345678901234567, "secret": "none", "password": "changeme"},
        {"tools": [{"properties": {"password": {"type": "string"}}, "required": ["password"]}]},
        {"messages": [{"role": "user", "content": [{"input": {"password": VALUE}}]}]},
        {"input": [{"arguments": {"password": VALUE}}]},
        {"documents": [{"password": VALUE}], "session_token": VALUE},
        {"password": "min 12 characters, one digit"},
    ],
)
def test_everything_else_stays(body: dict[str, Any]) -> None:
    assert without_credentials(body) == (body, {})


def test_the_fields_that_stay_keep_their_order() -> None:
    body = {"model": "m", "messages": [], "api_key": VALUE, "max_tokens": 5}
    assert list(without_credentials(body)[0]) == ["model", "messages", "max_tokens"]


class Noting(ClientWrapper):
    """Notes each request."""

    def __init__(self, inner: LMClient) -> None:
        super().__init__(inner)
        self.requests: list[Request] = []

    def received(self, request: Request, reply: Reply) -> Reply:
        self.requests.append(request)
        return super().received(request, reply)


def test_they_are_sent_and_neither_shown_nor_part_of_what_is_kept(
    server: Stub, client: LMClient
) -> None:
    noting = Noting(client)
    with case(noting) as trace:
        for key in (VALUE, VALUE[::-1]):
            assert post(server, api_key=key, max_tokens=5).status_code == 200
    assert [body["api_key"] for _, body, _ in server.asked] == [VALUE]  # then the reply is known
    assert len(trace.calls) == 2
    first = noting.requests[0]
    assert first.parameters == {"max_tokens": 5}
    assert VALUE not in first.canonical_json()
    assert VALUE in first.secrets
